//! What the agent does with each block that the node has applied.

use serde_json::{Value, json};

use super::bakings::{Bakings, Position, Verdict};
use super::denounce::{self, Route};
use super::events::AgentEvents;
use crate::sandbox::block::Header;
use crate::sandbox::rpc_client::{RpcClient, RpcError};
use crate::sandbox::sink::{EmitError, Level};

/// Looks at applied blocks, one after the other, and denounces double baking.
#[derive(Debug)]
pub struct BlockWatch {
    client: RpcClient,
    events: AgentEvents,
    bakings: Bakings,
}

/// What is needed of the node's full account of a block.
struct Baked {
    position: Position,
    delegate: String,
}

impl BlockWatch {
    pub fn new(client: RpcClient, events: AgentEvents, preserved_levels: u32) -> Self {
        Self { client, events, bakings: Bakings::new(preserved_levels) }
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
        match self.look_at(hash).await {
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

    async fn look_at(&mut self, hash: &str) -> Result<(), RpcError> {
        let chain_id = self.client.get_string("/chains/main/chain_id", "chain identifier").await?;
        let base = format!("/chains/{chain_id}/blocks/{hash}");
        let protocols = self.client.get(&format!("{base}/protocols")).await?;
        if protocols["protocol"] != protocols["next_protocol"] {
            let name = "protocol_change_detected";
            self.events.denunciation_without_fields(Level::Error, name).await;
            return Ok(());
        }
        let info = self.client.get(&base).await?;
        let baked = baked(&info).ok_or_else(|| self.client.unexpected(&base, "baked block"))?;
        let level = baked.position.level;
        let seen = json!({"level": level, "hash": hash});
        self.events.denunciation(Level::Debug, "accuser_saw_block", &seen).await;
        self.bakings.saw_level(level);
        self.look_for_double_baking(&chain_id, hash, &baked).await?;
        self.bakings.processed();
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
                self.denounce(chain_id, &earlier, hash, baked.position.level).await?;
            }
        }
        self.bakings.remember(baked.position, &baked.delegate, hash);
        Ok(())
    }

    async fn denounce(
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
        let hash = denounce::inject(&self.client, Route::Public, chain_id, &evidence).await?;
        let denounced = json!({"hash": hash, "bytes": evidence.bytes});
        self.events.denunciation(Level::Notice, "double_baking_denounced", &denounced).await;
        Ok(())
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
pub fn trace(error: &RpcError) -> Value {
    match error {
        RpcError::Status { body: Value::Array(trace), .. } => json!(trace),
        RpcError::Connect { method, uri, .. } | RpcError::Lost { method, uri, .. } => json!([{
            "kind": "permanent",
            "id": "rpc_client.request_failed",
            "meth": method.as_str(),
            "uri": uri,
            "error": {"kind": "connection_failed", "message": error.to_string()},
        }]),
        _ => json!([{"kind": "permanent", "id": "failure", "msg": error.to_string()}]),
    }
}

#[cfg(test)]
mod tests {
    use hyper::{Method, StatusCode};

    use super::*;

    #[test]
    fn the_nodes_own_trace_is_passed_on() {
        let body = json!([{"kind": "branch", "id": "validate.operation.conflict"}]);
        let error = RpcError::Status {
            method: Method::POST,
            uri: "http://n/injection/operation".to_owned(),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            body: body.clone(),
        };
        assert_eq!(trace(&error), body);
    }

    #[test]
    fn a_node_that_is_away_is_a_failed_request() {
        let error = RpcError::Connect {
            method: Method::GET,
            uri: "http://n/version".to_owned(),
            endpoint: "http://n".to_owned(),
            reason: "refused".to_owned(),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        };
        let trace = trace(&error);
        assert_eq!(trace[0]["id"], "rpc_client.request_failed");
        assert_eq!(trace[0]["uri"], "http://n/version");
        assert_eq!(trace[0]["error"]["kind"], "connection_failed");
    }
}
