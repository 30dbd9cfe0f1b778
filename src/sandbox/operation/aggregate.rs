//! Votes of several consensus keys in one operation (`Attestations_aggregate` and `Preattestations_aggregate`,
//! `src/proto_alpha/lib_protocol/operation_repr.ml`).
//!
//! Votes that were signed with a BLS key are alike but for their slots, which the signature leaves out. Whoever bakes
//! puts them together: only blocks have aggregates, mempools never.

use serde_json::{Value, json};

use super::{Contents, Operation, Vote, VoteKind};
use crate::sandbox::hash::{BlockHash, PayloadHash, Signature};
use crate::sandbox::keys::consensus::{self, CONSENSUS_KEYS};
use crate::sandbox::keys::{DELEGATES, Identity};
use crate::sandbox::wire::{DecodeError, Reader};

/// The body: what all vote for, and in which slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    pub kind: VoteKind,
    pub level: u32,
    pub round: u32,
    pub payload_hash: PayloadHash,
    /// In ascending order.
    pub committee: Vec<u16>,
}

impl Aggregate {
    /// The vote that it casts for a slot, if that took part.
    pub fn vote(&self, slot: u16) -> Option<Vote> {
        let Self { level, round, payload_hash, .. } = *self;
        self.committee.contains(&slot).then_some(Vote { slot, level, round, payload_hash })
    }

    /// The delegates that took part, if the signature is theirs together.
    pub fn signers(
        &self,
        branch: &BlockHash,
        signature: &Signature,
    ) -> Option<Vec<&'static Identity>> {
        let seats: Vec<usize> = self.committee.iter().map(|slot| usize::from(*slot)).collect();
        let ascending = seats.is_sorted_by(|one, next| one < next);
        if !ascending || seats.is_empty() || seats.iter().any(|seat| *seat >= DELEGATES.len()) {
            return None;
        }
        let bytes = signed_bytes(self.kind, branch, &self.vote(self.committee[0])?);
        let parts = seats.iter().map(|seat| CONSENSUS_KEYS[*seat].sign(&bytes));
        let ours = consensus::aggregate(parts) == *signature;
        ours.then(|| seats.into_iter().map(|seat| &DELEGATES[seat]).collect())
    }

    /// What follows the tag, which says the kind.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        put_content(self.level, self.round, &self.payload_hash, bytes);
        let count = u32::try_from(self.committee.len()).expect("slots are 16-bit numbers");
        bytes.extend_from_slice(&count.to_be_bytes());
        for slot in &self.committee {
            bytes.extend_from_slice(&slot.to_be_bytes());
        }
    }

    pub fn decode(kind: VoteKind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let level = reader.natural("level")?;
        let round = reader.natural("round")?;
        let payload_hash = PayloadHash(reader.array("block payload hash")?);
        let count = reader.natural("committee size")?;
        let committee = (0..count).map(|_| reader.u16("slot")).collect::<Result<_, _>>()?;
        Ok(Self { kind, level, round, payload_hash, committee })
    }

    /// A seat of an attestation is an object, since it may attest more than the block.
    pub fn to_json(&self) -> Value {
        let seat = |slot: &u16| match self.kind {
            VoteKind::Preattestation => json!(slot),
            VoteKind::Attestation => json!({ "slot": slot }),
        };
        json!({
            "kind": format!("{}s_aggregate", self.kind.word()),
            "consensus_content": {
                "level": self.level,
                "round": self.round,
                "block_payload_hash": self.payload_hash,
            },
            "committee": self.committee.iter().map(seat).collect::<Value>(),
        })
    }

    pub fn from_json(json: &Value) -> Option<Self> {
        let kind = match json["kind"].as_str()? {
            "preattestations_aggregate" => VoteKind::Preattestation,
            "attestations_aggregate" => VoteKind::Attestation,
            _ => return None,
        };
        let content = &json["consensus_content"];
        let natural = |field: &str| i32::try_from(content[field].as_i64()?).ok()?.try_into().ok();
        Some(Self {
            kind,
            level: natural("level")?,
            round: natural("round")?,
            payload_hash: content["block_payload_hash"].as_str()?.parse().ok()?,
            committee: committee(json)?,
        })
    }
}

/// The slots of an aggregate as RPCs list it.
pub fn committee(json: &Value) -> Option<Vec<u16>> {
    let slot = |seat: &Value| {
        let slot = if seat.is_object() { &seat["slot"] } else { seat };
        u16::try_from(slot.as_u64()?).ok()
    };
    json["committee"].as_array()?.iter().map(slot).collect()
}

/// What a consensus key signs of a vote: everything but the slot.
pub fn signed_bytes(kind: VoteKind, branch: &BlockHash, vote: &Vote) -> Vec<u8> {
    let mut bytes = [branch.as_ref(), kind.word().as_bytes()].concat();
    put_content(vote.level, vote.round, &vote.payload_hash, &mut bytes);
    bytes
}

fn put_content(level: u32, round: u32, payload_hash: &PayloadHash, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&level.to_be_bytes());
    bytes.extend_from_slice(&round.to_be_bytes());
    bytes.extend_from_slice(payload_hash.as_ref());
}

/// These operations of a block, with those votes put together that can be.
pub fn aggregated(operations: Vec<Operation>) -> Vec<Operation> {
    let mut groups: Vec<(BlockHash, Aggregate, Vec<Signature>)> = Vec::new();
    let mut others = Vec::new();
    for operation in operations {
        let Some((kind, vote)) = operation.aggregable() else {
            others.push(operation);
            continue;
        };
        let Vote { slot, level, round, payload_hash } = vote;
        let alike = groups.iter_mut().find(|(branch, group, _)| {
            *branch == operation.branch
                && (group.kind, group.level, group.round, group.payload_hash)
                    == (kind, level, round, payload_hash)
        });
        if let Some((_, group, signatures)) = alike {
            if let Err(at) = group.committee.binary_search(&slot) {
                group.committee.insert(at, slot);
                signatures.push(operation.signature);
            }
        } else {
            let group = Aggregate { kind, level, round, payload_hash, committee: vec![slot] };
            groups.push((operation.branch, group, vec![operation.signature]));
        }
    }
    let whole = groups.into_iter().map(|(branch, group, signatures)| Operation {
        branch,
        contents: Contents::Aggregate(group),
        signature: consensus::aggregate(signatures),
    });
    whole.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::operation::Offence;

    fn vote(slot: u16, payload: u8) -> Vote {
        Vote { slot, level: 5, round: 0, payload_hash: PayloadHash([payload; 32]) }
    }

    fn attestation(slot: u16, payload: u8) -> Operation {
        let key = &CONSENSUS_KEYS[usize::from(slot)];
        Operation::voted(BlockHash([1; 32]), VoteKind::Attestation, vote(slot, payload), key)
    }

    #[test]
    fn attestations_of_consensus_keys_become_one_operation_and_others_stay() {
        let own = Contents::Attestation(vote(3, 1));
        let own = Operation::signed(BlockHash([1; 32]), own, &DELEGATES[3]);
        let all =
            aggregated(vec![attestation(2, 1), own.clone(), attestation(0, 1), attestation(1, 2)]);
        let [whole, odd, rest] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(whole.signers(), [&DELEGATES[0], &DELEGATES[2]]);
        assert_eq!(odd.signers(), [&DELEGATES[1]], "another payload is another operation");
        assert_eq!((rest, whole.pass()), (&own, 0));
        assert_eq!(Operation::decode(&whole.encode()).as_ref(), Ok(whole));
        assert_eq!(Contents::from_json(&whole.contents.to_json()).as_ref(), Some(&whole.contents));
    }

    #[test]
    fn preattestations_are_put_together_apart_from_attestations() {
        let preattestation = |slot: u16| {
            let key = &CONSENSUS_KEYS[usize::from(slot)];
            Operation::voted(BlockHash([1; 32]), VoteKind::Preattestation, vote(slot, 1), key)
        };
        let all = aggregated(vec![preattestation(1), attestation(0, 1), preattestation(0)]);
        let [pre, other] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(pre.signers(), [&DELEGATES[0], &DELEGATES[1]]);
        assert_eq!(
            (pre.kind(), other.kind()),
            (Some(VoteKind::Preattestation), Some(VoteKind::Attestation))
        );
        assert_eq!(pre.contents.to_json()["committee"], json!([0, 1]));
        assert_eq!(Contents::from_json(&pre.contents.to_json()).as_ref(), Some(&pre.contents));
        assert_eq!(Operation::decode(&pre.encode()).as_ref(), Ok(pre));
    }

    #[test]
    fn an_aggregate_is_signed_by_all_of_its_committee_or_by_nobody() {
        let whole = aggregated(vec![attestation(0, 1), attestation(1, 1)]).remove(0);
        for committee in [vec![], vec![0], vec![1, 0], vec![0, 1, 2], vec![0, 0, 1], vec![0, 9]] {
            let Contents::Aggregate(body) = whole.contents.clone() else { panic!() };
            let contents = Contents::Aggregate(Aggregate { committee, ..body });
            let forged = Operation { contents, ..whole.clone() };
            assert!(forged.signers().is_empty(), "{forged:?}");
        }
    }

    #[test]
    fn an_attestation_and_an_aggregate_contradict_each_other_in_a_slot() {
        let whole = aggregated(vec![attestation(0, 1), attestation(1, 1)]).remove(0);
        let evidence = |slot, op1: &Operation, op2: &Operation| {
            let (op1, op2) = (Box::new(op1.clone()), Box::new(op2.clone()));
            let contents = Contents::DoubleConsensus { slot, op1, op2 };
            Operation::unsigned(BlockHash([9; 32]), contents).offence()
        };
        let offence = |delegate: usize| Offence {
            level: 5,
            round: 0,
            delegate: DELEGATES[delegate].pkh(),
            vote: Some(VoteKind::Attestation),
        };
        assert_eq!(evidence(1, &whole, &attestation(1, 2)), Some(offence(1)));
        assert_eq!(evidence(1, &whole, &attestation(1, 1)), None, "they say the same");
        assert_eq!(evidence(2, &whole, &attestation(2, 2)), None, "it took no part");
        let other = aggregated(vec![attestation(1, 2), attestation(2, 2)]).remove(0);
        assert_eq!(evidence(1, &whole, &other), Some(offence(1)));
        assert_eq!(evidence(0, &whole, &other), None);
    }
}
