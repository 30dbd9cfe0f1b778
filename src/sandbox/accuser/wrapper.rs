//! The part of the accuser that belongs to no protocol: it waits for one that is in use, then follows the heads.

use serde_json::{Value, json};

use super::Failure;
use super::agents::Agents;
use super::backoff::Backoff;
use super::events::WrapperEvents;
use crate::sandbox::protocol;
use crate::sandbox::rpc_client::{RpcClient, RpcError};

/// Watches over the agents of one node.
#[derive(Clone, Debug)]
pub struct Wrapper {
    pub client: RpcClient,
    pub events: WrapperEvents,
    pub keep_alive: bool,
}

/// What a new head says.
struct Head {
    level: u64,
    next_protocol: String,
}

impl Wrapper {
    /// The hash of the protocol to run an agent for: at once, or when the chain leaves genesis.
    pub async fn active_protocol(&self) -> Result<String, Failure> {
        if self.keep_alive {
            self.wait_for_node().await;
        }
        let hash = self.next_protocol("head").await.map_err(failed)?;
        if !protocol::is_frozen(&hash) {
            return Ok(hash);
        }
        self.events.protocol_encountered(&hash).await;
        self.events.notice("waiting_for_active_protocol", &json!({})).await;
        let hash = self.protocol_after_genesis().await?;
        self.events.protocol_encountered(&hash).await;
        Ok(hash)
    }

    async fn protocol_after_genesis(&self) -> Result<String, Failure> {
        loop {
            let mut heads = match self.client.lines("/monitor/heads/main").await {
                Ok(heads) => heads,
                Err(error) => {
                    self.survive(error).await?;
                    continue;
                }
            };
            while let Ok(Some(_)) = heads.next().await {
                let hash = self.next_protocol("head").await.map_err(failed)?;
                if !protocol::is_frozen(&hash) {
                    return Ok(hash);
                }
            }
            self.head_stream_ended().await;
            if !self.keep_alive {
                return Err(Failure::Error("Lost connection with the node".to_owned()));
            }
            self.wait_for_node().await;
            self.head_stream_reconnected().await;
        }
    }

    /// Follows the heads for as long as the program runs, and has the agents follow. Without keep-alive a lost node is left
    /// to the agents, which notice it too and end the program.
    pub async fn follow_heads(&self, agents: &mut Agents) -> Result<(), Failure> {
        let mut highest = None;
        loop {
            if let Ok(mut heads) = self.client.lines("/monitor/heads/main").await {
                while let Ok(Some(head)) = heads.next().await {
                    // What a dying node leaves unanswered shows in the stream next.
                    if let Ok(Some(head)) = self.new_head(&head, &mut highest).await {
                        agents.follow(head.level, &head.next_protocol).await?;
                    }
                }
            }
            self.head_stream_ended().await;
            if !self.keep_alive {
                return std::future::pending().await;
            }
            self.wait_for_node().await;
            self.head_stream_reconnected().await;
        }
    }

    /// Reports a head; one that is no higher than another before it is passed over.
    async fn new_head(
        &self,
        head: &Value,
        highest: &mut Option<u64>,
    ) -> Result<Option<Head>, RpcError> {
        let level = head["level"].as_u64().unwrap_or_default();
        let block = &head["hash"];
        let uri = self.client.endpoint().to_string();
        let seen = json!({"level": level, "uri": uri, "block": block});
        self.events.debug("agnostic_daemon_monitoring_head_from_node", &seen).await;
        if highest.is_some_and(|highest| level <= highest) {
            let name = "agnostic_daemon_skipping_lower_or_equal_level";
            self.events.debug(name, &seen).await;
            return Ok(None);
        }
        *highest = Some(level);
        let block = block.as_str().unwrap_or("head");
        let period =
            self.client.get(&format!("/chains/main/blocks/{block}/votes/current_period")).await?;
        let status = json!({
            "block": block,
            "period": period["voting_period"]["kind"],
            "remaining": period["remaining"],
        });
        self.events.notice("period_status", &status).await;
        Ok(Some(Head { level, next_protocol: self.next_protocol(block).await? }))
    }

    async fn head_stream_ended(&self) {
        self.events.notice("head_stream_ended", &self.client.endpoint().to_string()).await;
    }

    async fn head_stream_reconnected(&self) {
        self.events.notice("head_stream_reconnected", &self.client.endpoint().to_string()).await;
    }

    /// Returns when the node answers, telling of each attempt that it did not.
    async fn wait_for_node(&self) {
        for delay in Backoff::default() {
            let path = "/chains/main/blocks/head/header/shell";
            let Err(error) = self.client.get(path).await else { return };
            let text = format!(
                "agnostic daemon failed to reach the node at {}.\nError:\n  {error}\nRetrying in {:.2} seconds...",
                self.client.endpoint(),
                delay.as_secs_f64()
            );
            self.events.warning("retry_on_disconnection", &text).await;
            tokio::time::sleep(delay).await;
        }
    }

    async fn survive(&self, error: RpcError) -> Result<(), Failure> {
        if !self.keep_alive {
            return Err(failed(error));
        }
        self.wait_for_node().await;
        Ok(())
    }

    async fn next_protocol(&self, block: &str) -> Result<String, RpcError> {
        let path = format!("/chains/main/blocks/{block}/metadata");
        let metadata = self.client.get(&path).await?;
        let hash = metadata["next_protocol"].as_str();
        hash.map(str::to_owned).ok_or_else(|| self.client.unexpected(&path, "next_protocol"))
    }
}

/// These requests are made without Octez's own client: an answer that is no success is an exception there.
fn failed(error: RpcError) -> Failure {
    match error {
        RpcError::Status { .. } => Failure::Exception(error.to_string()),
        error => Failure::Error(error.to_string()),
    }
}
