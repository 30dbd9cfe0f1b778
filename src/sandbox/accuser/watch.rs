//! What the agent does with each block that the node has applied, and with each vote in a block or in the mempool.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::bakings::{Bakings, Position, Verdict};
use super::denounce::{self, Route};
use super::events::AgentEvents;
use super::votes::{self, Vote, Votes};
use super::window::{Place, Window};
use crate::sandbox::block::Header;
use crate::sandbox::operation::VoteKind;
use crate::sandbox::rpc_client::{RpcClient, RpcError};
use crate::sandbox::sink::{EmitError, Level};

/// Looks at blocks and votes, one after the other, and denounces double signing.
#[derive(Debug)]
pub struct Watch {
    client: RpcClient,
    events: AgentEvents,
    window: Window,
    bakings: Bakings,
    votes: Votes,
    /// Consensus keys by slot, for each level asked about.
    voters: HashMap<u32, HashMap<u16, String>>,
}

/// What is needed of the node's full account of a block.
struct Baked {
    position: Position,
    delegate: String,
}

impl Watch {
    pub fn new(client: RpcClient, events: AgentEvents, preserved_levels: u32) -> Self {
        Self {
            client,
            events,
            window: Window::new(preserved_levels),
            bakings: Bakings::default(),
            votes: Votes::default(),
            voters: HashMap::new(),
        }
    }

    /// Looks at one item of `/monitor/applied_blocks`. What goes wrong with the node is reported as an event; only an event
    /// that cannot be told is an error, since that is where Octez's block stream breaks.
    pub async fn applied(&mut self, item: &Value) -> Result<(), EmitError> {
        let hash = item["hash"].as_str().unwrap_or_default();
        self.events
            .block_seen(&json!({
                "hash": hash,
                "occurrence": {"occurrence-kind": "valid-blocks", "chain-id": item["chain_id"]},
                "header": item["header"],
            }))
            .await?;
        let level = item["header"]["level"].as_u64().and_then(|level| level.try_into().ok());
        match self.look_at_block(hash, level.unwrap_or_default()).await {
            Ok(()) => {
                self.events.denunciation(Level::Notice, "accuser_processed_block", hash).await;
            }
            Err(error) => {
                let errors = json!({"hash": hash, "errors": trace(&error)});
                self.events.denunciation(Level::Error, "accuser_block_error", &errors).await;
            }
        }
        Ok(())
    }

    /// Looks at one item of `monitor_operations`: the operations that have come. Those of another protocol, which the node's
    /// mempool has once the chain has gone on to it, are for another agent.
    pub async fn arrived(&mut self, operations: &Value) {
        let own = self.events.protocol.hash;
        let operations = operations.as_array().into_iter().flatten();
        let operations = operations.filter(|operation| operation["protocol"] == own);
        for vote in operations.flat_map(Vote::all_of) {
            if let Err(error) = self.look_at_vote(&vote).await {
                self.events.failed(&trace(&error)).await;
            }
        }
    }

    async fn look_at_block(&mut self, hash: &str, level: u32) -> Result<(), RpcError> {
        let chain_id = self.client.get_string("/chains/main/chain_id", "chain identifier").await?;
        let base = format!("/chains/{chain_id}/blocks/{hash}");
        let protocols = self.client.get(&format!("{base}/protocols")).await?;
        if protocols["protocol"] != protocols["next_protocol"] {
            let name = "protocol_change_detected";
            self.events.denunciation_without_fields(Level::Error, name).await;
            return Ok(());
        }
        let seen = json!({"level": level, "hash": hash});
        self.events.denunciation(Level::Debug, "accuser_saw_block", &seen).await;
        self.window.saw_level(level);
        let info = self.client.get(&base).await?;
        let baked = baked(&info).ok_or_else(|| self.client.unexpected(&base, "baked block"))?;
        self.look_for_double_baking(&chain_id, hash, &baked).await?;
        let consensus = info["operations"][0].as_array().into_iter().flatten();
        for vote in consensus.flat_map(Vote::all_of) {
            self.look_at_vote(&vote).await?;
        }
        if let Some(oldest) = self.window.processed() {
            self.bakings.forget_below(oldest);
            self.votes.forget_below(oldest);
            self.voters.retain(|level, _| *level >= oldest);
        }
        Ok(())
    }

    async fn look_for_double_baking(
        &mut self,
        chain_id: &str,
        hash: &str,
        baked: &Baked,
    ) -> Result<(), RpcError> {
        match self.bakings.judge(baked.position, &baked.delegate, hash) {
            Verdict::First => {}
            Verdict::Repeated => {
                let name = "double_baking_but_not";
                self.events.denunciation_without_fields(Level::Debug, name).await;
            }
            Verdict::DoubleBaking { earlier } => {
                self.denounce_baking(chain_id, &earlier, hash, baked.position.level).await?;
            }
        }
        self.bakings.remember(baked.position, &baked.delegate, hash);
        Ok(())
    }

    async fn denounce_baking(
        &self,
        chain_id: &str,
        earlier: &str,
        later: &str,
        level: u32,
    ) -> Result<(), RpcError> {
        let header = async |hash: &str| {
            self.client.get(&format!("/chains/{chain_id}/blocks/{hash}/header")).await
        };
        let contents = denounce::double_baking(
            (earlier, header(earlier).await?),
            (later, header(later).await?),
        );
        let evidence = denounce::forge(&self.client, level, contents).await?;
        let name = "double_baking_detected";
        self.events.denunciation_without_fields(Level::Notice, name).await;
        let hash = denounce::inject(&self.client, Route::Public, &evidence).await?;
        let denounced = json!({"hash": hash, "bytes": evidence.bytes});
        self.events.denunciation(Level::Notice, "double_baking_denounced", &denounced).await;
        Ok(())
    }

    async fn look_at_vote(&mut self, vote: &Vote) -> Result<(), RpcError> {
        let ignored = match self.window.place(vote.position.level) {
            Place::TooOld => Some("consensus_operation_too_old"),
            Place::TooFarInFuture => Some("consensus_operation_too_far_in_future"),
            Place::Within => None,
        };
        if let Some(name) = ignored {
            self.events.denunciation(Level::Debug, name, &vote.hash).await;
            return Ok(());
        }
        // Somebody who may not vote at this level cannot vote twice there.
        let Some(voter) = self.voter(vote).await? else { return Ok(()) };
        match self.votes.judge(vote, &voter) {
            votes::Verdict::First => self.votes.remember(vote.clone(), &voter),
            votes::Verdict::Repeated => {}
            votes::Verdict::Harmless { earlier } => {
                let name = format!("{}_conflict_ignored", vote.kind.word());
                self.events.denunciation(Level::Debug, &name, &pair(vote, &earlier)).await;
            }
            votes::Verdict::Double { earlier, evidence } => {
                self.denounce_vote(&earlier, vote, &voter, evidence).await?;
            }
        }
        Ok(())
    }

    /// A voter that was denounced before is denounced again, with the votes that are new; `before` is told then.
    async fn denounce_vote(
        &mut self,
        earlier: &Vote,
        later: &Vote,
        voter: &str,
        before: Option<String>,
    ) -> Result<(), RpcError> {
        let contents = earlier.evidence(later);
        let evidence = denounce::forge(&self.client, later.position.level, contents).await?;
        let kind = later.kind.word();
        let name = format!("double_{kind}_detected");
        self.events.denunciation(Level::Notice, &name, &pair(later, &earlier.hash)).await;
        let hash = denounce::inject(&self.client, Route::Private, &evidence).await?;
        if let Some(before) = before {
            let name = "double_consensus_already_denounced";
            self.events.denunciation(Level::Debug, name, &before).await;
        }
        self.votes.denounced(later.clone(), voter, &hash);
        let name = format!("double_{kind}_denounced");
        let denounced = json!({"hash": hash, "bytes": evidence.bytes});
        self.events.denunciation(Level::Notice, &name, &denounced).await;
        Ok(())
    }

    /// The consensus key that holds the vote's slot.
    async fn voter(&mut self, vote: &Vote) -> Result<Option<String>, RpcError> {
        let level = vote.position.level;
        let voters = match self.voters.entry(level) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(unknown) => {
                let path = format!("/chains/main/blocks/head/helpers/validators?level={level}");
                let validators = self.client.get(&path).await?;
                unknown.insert(consensus_keys(&validators))
            }
        };
        Ok(voters.get(&vote.slot).cloned())
    }
}

/// Consensus keys by slot, from the answer of `helpers/validators`.
fn consensus_keys(validators: &Value) -> HashMap<u16, String> {
    let delegates = validators[0]["delegates"].as_array().into_iter().flatten();
    delegates
        .filter_map(|delegate| {
            let slot = u16::try_from(delegate["attestation_slot"].as_u64()?).ok()?;
            Some((slot, delegate["consensus_key"].as_str()?.to_owned()))
        })
        .collect()
}

/// The two operations of a conflict, as events tell them.
fn pair(new: &Vote, existing: &str) -> Value {
    match new.kind {
        VoteKind::Attestation => {
            json!({"existing_attestation": existing, "new_attestation": new.hash})
        }
        VoteKind::Preattestation => {
            json!({"existing_preattestation": existing, "new_preattestation": new.hash})
        }
    }
}

fn baked(info: &Value) -> Option<Baked> {
    let header = Header::from_json(&info["header"])?;
    Some(Baked {
        position: Position { level: header.level, round: header.round() },
        delegate: info["metadata"]["baker"].as_str()?.to_owned(),
    })
}

/// An error as Octez writes one into JSON: the node's own trace where it sent one.
fn trace(error: &RpcError) -> Value {
    match error {
        RpcError::Status { body, .. } if body.is_array() => json!(body),
        RpcError::Connect { asked, .. } | RpcError::Lost { asked, .. } => json!([{
            "kind": "permanent",
            "id": "rpc_client.request_failed",
            "meth": asked.method.as_str(),
            "uri": asked.uri,
            "error": {"kind": "connection_failed", "message": error.to_string()},
        }]),
        _ => json!([{"kind": "permanent", "id": "failure", "msg": error.to_string()}]),
    }
}

#[cfg(test)]
mod tests {
    use hyper::{Method, StatusCode};

    use super::*;
    use crate::sandbox::rpc_client::Asked;

    fn asked(method: Method) -> Asked {
        Asked { method, uri: "http://n/version".to_owned() }
    }

    #[test]
    fn the_nodes_own_trace_is_passed_on() {
        let body = json!([{"kind": "branch", "id": "validate.operation.conflict"}]);
        let error = RpcError::Status {
            asked: asked(Method::POST),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            body: Box::new(body.clone()),
        };
        assert_eq!(trace(&error), body);
    }

    #[test]
    fn a_node_that_is_away_is_a_failed_request() {
        let error = RpcError::Connect {
            asked: asked(Method::GET),
            endpoint: "http://n".to_owned(),
            reason: "refused".to_owned(),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        };
        let trace = trace(&error);
        assert_eq!(trace[0]["id"], "rpc_client.request_failed");
        assert_eq!(trace[0]["uri"], "http://n/version");
        assert_eq!(trace[0]["error"]["kind"], "connection_failed");
    }

    #[test]
    fn consensus_keys_are_found_by_slot() {
        let validators = json!([{"level": 5, "delegates": [
            {"delegate": "tz1a", "consensus_key": "tz1A", "attestation_slot": 0},
            {"delegate": "tz1b", "consensus_key": "tz1B", "attestation_slot": 3},
        ]}]);
        let keys = consensus_keys(&validators);
        assert_eq!(keys.get(&3).map(String::as_str), Some("tz1B"));
        assert_eq!(keys.get(&1), None);
    }
}
