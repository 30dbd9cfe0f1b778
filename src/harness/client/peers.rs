//! Who is connected to whom.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{ClientError, LOOK_EVERY};
use crate::harness::core::SharedCore;
use crate::harness::{Harness, Node, WaitError};
use crate::host::http::Method;

impl Harness {
    /// Connects every pair of these nodes: each trusts the other, the earlier one dials. Already connected is fine.
    ///
    /// Done when both nodes of every pair list each other.
    pub async fn connect(&self, nodes: &[Node], within: Duration) -> Result<(), ClientError> {
        for (index, dialer) in nodes.iter().enumerate() {
            for other in &nodes[index + 1..] {
                connect_pair(&self.core, dialer, other, within).await?;
            }
        }
        Ok(())
    }

    /// Untrusts and kicks: the two nodes are not connected when this is done.
    pub async fn disconnect(
        &self,
        a: &Node,
        b: &Node,
        within: Duration,
    ) -> Result<(), ClientError> {
        let deadline = Instant::now() + within;
        for (node, other) in [(a, b), (b, a)] {
            set_acl(node, other, "open").await?;
        }
        let peer = b.wait_for_identity().await.map_err(not_announced)?;
        let path = format!("/network/connections/{peer}?wait=false");
        a.rpc(Method::Delete, &path, None).await?;
        loop {
            if !is_connected(a, b).await? && !is_connected(b, a).await? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(not_connected(a, b, within));
            }
            self.core.run(tokio::time::sleep(LOOK_EVERY)).await;
        }
    }
}

async fn connect_pair(
    core: &SharedCore,
    dialer: &Node,
    other: &Node,
    within: Duration,
) -> Result<(), ClientError> {
    let deadline = Instant::now() + within;
    set_acl(dialer, other, "trust").await?;
    set_acl(other, dialer, "trust").await?;
    let core = Arc::clone(core);
    let path = format!("/network/points/127.0.0.1:{}?timeout=10", other.net_port());
    let mut dialled = false;
    loop {
        if is_connected(dialer, other).await? && is_connected(other, dialer).await? {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(not_connected(dialer, other, within));
        }
        // A refusal may mean that the other one is dialling at the same time, or not listening yet.
        if !dialled {
            let answer = dialer.rpc(Method::Put, &path, Some(json!({}))).await?;
            dialled = (200..300).contains(&answer.status);
        }
        core.run(tokio::time::sleep(LOOK_EVERY)).await;
    }
}

fn not_connected(a: &Node, b: &Node, after: Duration) -> ClientError {
    ClientError::NotConnected { a: a.name().to_string(), b: b.name().to_string(), after }
}

fn not_announced(error: WaitError) -> ClientError {
    ClientError::NotAnnounced(Box::new(error))
}

async fn set_acl(node: &Node, other: &Node, acl: &str) -> Result<(), ClientError> {
    let path = format!("/network/points/127.0.0.1:{}", other.net_port());
    node.rpc(Method::Patch, &path, Some(json!({ "acl": acl }))).await?;
    Ok(())
}

async fn is_connected(node: &Node, other: &Node) -> Result<bool, ClientError> {
    let peer = other.wait_for_identity().await.map_err(not_announced)?;
    let connections = node.get("/network/connections").await?;
    let listed = |connection: &Value| connection["peer_id"].as_str() == Some(&*peer);
    Ok(connections.as_array().is_some_and(|all| all.iter().any(listed)))
}
