//! Who has cast which vote at which level and round: double attestation and preattestation, decided on plain data.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::bakings::Position;
use crate::sandbox::operation::VoteKind;
use crate::sandbox::operation::aggregate::committee;

/// An attestation or preattestation, as RPCs list it, or what an aggregate has for one slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Vote {
    pub hash: String,
    pub kind: VoteKind,
    pub position: Position,
    pub slot: u16,
    payload_hash: String,
    branch: String,
    /// As it stands in an evidence.
    inlined: Value,
}

/// What a vote means, given those seen before.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The first of this voter there.
    First,
    /// The same vote once more.
    Repeated,
    /// It says the same as the earlier one, in another operation.
    Harmless { earlier: String },
    /// It contradicts this one, the latest that was denounced or the first; `evidence` is the operation that denounced the
    /// voter there before.
    Double { earlier: Box<Vote>, evidence: Option<String> },
}

/// The votes seen, by position, kind and voter. One chain to a table.
#[derive(Debug, Default)]
pub struct Votes {
    votes: BTreeMap<Position, HashMap<(VoteKind, String), Record>>,
}

#[derive(Debug)]
struct Record {
    vote: Vote,
    evidence: Option<String>,
}

impl Vote {
    /// The votes that an operation of a block or of the mempool casts: none, one, or one for each slot of an aggregate.
    pub fn all_of(operation: &Value) -> Vec<Self> {
        Self::read(operation).unwrap_or_default()
    }

    fn read(operation: &Value) -> Option<Vec<Self>> {
        let text = |json: &Value| json.as_str().map(str::to_owned);
        let natural = |json: &Value| json.as_u64().and_then(|number| u32::try_from(number).ok());
        let slot = |json: &Value| u16::try_from(json["slot"].as_u64()?).ok();
        let mut content = operation["contents"].get(0)?.clone();
        // Blocks tell what came of an operation; an evidence does not.
        content.as_object_mut()?.shift_remove("metadata");
        let (kind, body, slots) = match content["kind"].as_str()? {
            "attestation" => (VoteKind::Attestation, &content, vec![slot(&content)?]),
            "preattestation" => (VoteKind::Preattestation, &content, vec![slot(&content)?]),
            "attestations_aggregate" => {
                (VoteKind::Attestation, &content["consensus_content"], committee(&content)?)
            }
            "preattestations_aggregate" => {
                (VoteKind::Preattestation, &content["consensus_content"], committee(&content)?)
            }
            _ => return None,
        };
        let branch = text(&operation["branch"])?;
        let vote = Self {
            hash: text(&operation["hash"])?,
            kind,
            position: Position { level: natural(&body["level"])?, round: natural(&body["round"])? },
            slot: 0,
            payload_hash: text(&body["block_payload_hash"])?,
            inlined: json!({
                "branch": branch,
                "operations": content,
                "signature": operation["signature"],
            }),
            branch,
        };
        Some(slots.into_iter().map(|slot| Self { slot, ..vote.clone() }).collect())
    }

    /// The evidence of two votes, in the order of their hashes.
    pub fn evidence(&self, other: &Self) -> Value {
        let (op1, op2) = if self.hash < other.hash { (self, other) } else { (other, self) };
        json!({
            "kind": "double_consensus_operation_evidence",
            "slot": self.slot,
            "op1": op1.inlined,
            "op2": op2.inlined,
        })
    }

    /// Two votes of one voter may differ in nothing that matters.
    fn contradicts(&self, other: &Self) -> bool {
        self.slot == other.slot
            && (self.payload_hash != other.payload_hash || self.branch != other.branch)
    }
}

impl Votes {
    /// What this vote of this voter means. Nothing is remembered yet.
    pub fn judge(&self, vote: &Vote, voter: &str) -> Verdict {
        let key = (vote.kind, voter.to_owned());
        let Some(record) = self.votes.get(&vote.position).and_then(|votes| votes.get(&key)) else {
            return Verdict::First;
        };
        if record.vote.hash == vote.hash {
            Verdict::Repeated
        } else if !record.vote.contradicts(vote) {
            Verdict::Harmless { earlier: record.vote.hash.clone() }
        } else {
            let earlier = Box::new(record.vote.clone());
            Verdict::Double { earlier, evidence: record.evidence.clone() }
        }
    }

    /// Remembers a voter's first vote at its position.
    pub fn remember(&mut self, vote: Vote, voter: &str) {
        let votes = self.votes.entry(vote.position).or_default();
        let key = (vote.kind, voter.to_owned());
        votes.entry(key).or_insert(Record { vote, evidence: None });
    }

    /// Remembers that the voter was denounced for this vote, which takes the place of the one it contradicts.
    pub fn denounced(&mut self, vote: Vote, voter: &str, evidence: &str) {
        let votes = self.votes.entry(vote.position).or_default();
        let key = (vote.kind, voter.to_owned());
        votes.insert(key, Record { vote, evidence: Some(evidence.to_owned()) });
    }

    /// Forgets what is below this level.
    pub fn forget_below(&mut self, level: u32) {
        self.votes = self.votes.split_off(&Position { level, round: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(hash: &str, kind: &str, round: u32, payload: &str, branch: &str) -> Vote {
        let operation = json!({
            "hash": hash,
            "branch": branch,
            "contents": [{
                "kind": kind, "slot": 0, "level": 5, "round": round, "block_payload_hash": payload,
                "metadata": {},
            }],
            "signature": "sig",
        });
        Vote::all_of(&operation).pop().expect("a vote")
    }

    #[test]
    fn votes_for_two_payloads_or_on_two_branches_are_double_voting() {
        let mut votes = Votes::default();
        let first = vote("oA", "attestation", 0, "vh1", "BL1");
        votes.remember(first.clone(), "b1");
        let double = Verdict::Double { earlier: Box::new(first), evidence: None };
        let cases = [
            (vote("oB", "attestation", 0, "vh2", "BL1"), "b1", double.clone()),
            (vote("oC", "attestation", 0, "vh1", "BL2"), "b1", double),
            (vote("oA", "attestation", 0, "vh1", "BL1"), "b1", Verdict::Repeated),
            (
                vote("oD", "attestation", 0, "vh1", "BL1"),
                "b1",
                Verdict::Harmless { earlier: "oA".to_owned() },
            ),
            (vote("oB", "preattestation", 0, "vh2", "BL1"), "b1", Verdict::First),
            (vote("oB", "attestation", 1, "vh2", "BL1"), "b1", Verdict::First),
            (vote("oB", "attestation", 0, "vh2", "BL1"), "b2", Verdict::First),
        ];
        for (vote, voter, verdict) in cases {
            assert_eq!(votes.judge(&vote, voter), verdict, "{vote:?}");
        }
    }

    #[test]
    fn each_further_vote_contradicts_the_latest_and_recalls_its_denunciation() {
        let mut votes = Votes::default();
        let first = vote("oA", "attestation", 0, "vh1", "BL1");
        votes.remember(first.clone(), "b1");
        let second = vote("oB", "attestation", 0, "vh2", "BL1");
        votes.denounced(second.clone(), "b1", "oE");
        let third = vote("oC", "attestation", 0, "vh3", "BL1");
        let evidence = Some("oE".to_owned());
        let again = |earlier| Verdict::Double { earlier: Box::new(earlier), evidence };
        assert_eq!(votes.judge(&second, "b1"), Verdict::Repeated);
        assert_eq!(votes.judge(&third, "b1"), again(second));
        votes.forget_below(6);
        assert_eq!(votes.judge(&third, "b1"), Verdict::First);
    }

    #[test]
    fn an_evidence_has_the_smaller_hash_first_and_no_metadata() {
        let one = vote("oA", "attestation", 0, "vh1", "BL1");
        let other = vote("oB", "attestation", 0, "vh2", "BL1");
        let evidence = one.evidence(&other);
        assert_eq!(evidence, other.evidence(&one));
        assert_eq!(evidence["op1"]["operations"]["block_payload_hash"], "vh1");
        assert!(evidence["op1"]["operations"].get("metadata").is_none());
    }

    #[test]
    fn an_aggregate_is_a_vote_in_every_slot_of_its_committee() {
        let aggregate = json!({
            "hash": "oZ",
            "branch": "BL1",
            "contents": [{
                "kind": "attestations_aggregate",
                "consensus_content": { "level": 5, "round": 0, "block_payload_hash": "vh2" },
                "committee": [{ "slot": 0 }, { "slot": 2 }],
                "metadata": {},
            }],
            "signature": "sig",
        });
        let both = Vote::all_of(&aggregate);
        assert_eq!(both.iter().map(|vote| vote.slot).collect::<Vec<_>>(), [0, 2]);
        let mut votes = Votes::default();
        let single = vote("oA", "attestation", 0, "vh1", "BL1");
        votes.remember(single.clone(), "b1");
        let double = Verdict::Double { earlier: Box::new(single.clone()), evidence: None };
        assert_eq!(votes.judge(&both[0], "b1"), double);
        assert_eq!(votes.judge(&both[1], "b3"), Verdict::First);
        let evidence = single.evidence(&both[0]);
        assert_eq!(evidence["slot"], 0);
        assert_eq!(evidence["op2"]["operations"]["kind"], "attestations_aggregate");
    }

    #[test]
    fn what_is_no_vote_is_passed_over() {
        for operation in [
            json!({"hash": "o", "branch": "B", "contents": [{"kind": "transaction"}]}),
            json!({"hash": "o", "branch": "B", "contents": []}),
            json!({"hash": "o"}),
            json!(null),
        ] {
            assert_eq!(Vote::all_of(&operation), [], "{operation}");
        }
    }
}
