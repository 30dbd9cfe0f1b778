//! Who is connected to whom: what `octez-admin-client` does, by the requests that it makes
//! (`lib_client_commands/client_p2p_commands.ml`).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{ClientError, LOOK_EVERY, left};
use crate::harness::core::SharedCore;
use crate::harness::{Harness, Node, RpcAnswer, RpcError, WaitError};
use crate::host::http::Method;

impl Harness {
    /// Connects every pair of these nodes: each trusts the other, the earlier one dials. Already connected is fine.
    ///
    /// Done when both nodes of every pair list each other.
    pub async fn connect(&self, nodes: &[Node], within: Duration) -> Result<(), ClientError> {
        let deadline = Instant::now() + within;
        for (index, dialer) in nodes.iter().enumerate() {
            for other in &nodes[index + 1..] {
                Pair::new(&self.core, dialer, other, within, deadline).await?.connect().await?;
            }
        }
        Ok(())
    }

    /// Untrusts and kicks: when this is done, neither node lists the other.
    pub async fn disconnect(
        &self,
        a: &Node,
        b: &Node,
        within: Duration,
    ) -> Result<(), ClientError> {
        let deadline = Instant::now() + within;
        Pair::new(&self.core, a, b, within, deadline).await?.disconnect().await
    }
}

/// Two nodes, and how long may be spent on them.
struct Pair<'a> {
    core: &'a SharedCore,
    /// Each with its peer id; the first one dials.
    nodes: [(&'a Node, String); 2],
    within: Duration,
    deadline: Instant,
}

impl<'a> Pair<'a> {
    async fn new(
        core: &'a SharedCore,
        a: &'a Node,
        b: &'a Node,
        within: Duration,
        deadline: Instant,
    ) -> Result<Self, ClientError> {
        let a = (a, a.wait_for_identity().await.map_err(not_announced)?);
        let b = (b, b.wait_for_identity().await.map_err(not_announced)?);
        Ok(Self { core, nodes: [a, b], within, deadline })
    }

    async fn connect(&self) -> Result<(), ClientError> {
        let [(dialer, _), (other, _)] = &self.nodes;
        self.permit("trust").await?;
        let path = format!("{}?timeout=10", point(other));
        let mut dialled = false;
        while !self.lists().await?.iter().all(|listed| *listed) {
            // A refusal may mean that the other one is dialling at the same time, or not listening yet.
            if !dialled {
                let answer = self.ask(dialer, Method::Put, &path, Some(json!({}))).await?;
                dialled = is_success(&answer);
            }
            self.pause("connected").await?;
        }
        Ok(())
    }

    async fn disconnect(&self) -> Result<(), ClientError> {
        let [(a, _), (_, peer)] = &self.nodes;
        self.permit("open").await?;
        // Not being connected is an error to the node, and what is wanted here.
        self.ask(a, Method::Delete, &format!("/network/connections/{peer}"), None).await?;
        while self.lists().await?.iter().any(|listed| *listed) {
            self.pause("apart").await?;
        }
        Ok(())
    }

    /// Tells each node what it is to think of the other's address.
    async fn permit(&self, acl: &str) -> Result<(), ClientError> {
        let [(a, _), (b, _)] = &self.nodes;
        for (node, other) in [(a, b), (b, a)] {
            let path = point(other);
            let answer = self.ask(node, Method::Patch, &path, Some(json!({ "acl": acl }))).await?;
            if !is_success(&answer) {
                let RpcAnswer { status, body } = answer;
                let source = RpcError::Status { method: Method::Patch, path, status, body };
                return Err(ClientError::Asking { node: node.name().clone(), source });
            }
        }
        Ok(())
    }

    /// Whether the first lists the second, and the other way round.
    async fn lists(&self) -> Result<[bool; 2], ClientError> {
        let [(a, a_id), (b, b_id)] = &self.nodes;
        Ok([self.is_listed(a, b_id).await?, self.is_listed(b, a_id).await?])
    }

    async fn is_listed(&self, node: &Node, peer: &str) -> Result<bool, ClientError> {
        let connections = node.get_within("/network/connections", left(self.deadline)).await;
        let connections = connections.map_err(of(node))?;
        let listed = |connection: &Value| connection["peer_id"] == peer;
        Ok(connections.as_array().is_some_and(|all| all.iter().any(listed)))
    }

    async fn ask(
        &self,
        node: &Node,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<RpcAnswer, ClientError> {
        let url = format!("{}{path}", node.endpoint());
        self.core.http(method, url, body, left(self.deadline)).await.map_err(of(node))
    }

    /// Between two looks; an error when the time is over.
    async fn pause(&self, wanted: &'static str) -> Result<(), ClientError> {
        if Instant::now() >= self.deadline {
            let [a, b] = self.nodes.each_ref().map(|(node, _)| node.name().to_string());
            return Err(ClientError::Peers { a, b, wanted, after: self.within });
        }
        self.core.run(tokio::time::sleep(LOOK_EVERY)).await;
        Ok(())
    }
}

fn of(node: &Node) -> impl FnOnce(RpcError) -> ClientError {
    let node = node.name().clone();
    move |source| ClientError::Asking { node, source }
}

fn point(node: &Node) -> String {
    format!("/network/points/127.0.0.1:{}", node.net_port())
}

fn is_success(answer: &RpcAnswer) -> bool {
    (200..300).contains(&answer.status)
}

fn not_announced(error: WaitError) -> ClientError {
    ClientError::NotAnnounced(Box::new(error))
}
