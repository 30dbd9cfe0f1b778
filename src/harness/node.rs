//! The handle of a node.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::core::{Core, SharedCore};
use super::{Daemon, InitError, WaitError};
use crate::daemon::{DEFAULT_TIMEOUT, DaemonName, DaemonSpec, Level, RestartPolicy};
use crate::event::Event;
use crate::host::http::{self, HttpError, Method};
use crate::octez::events::{HEAD_EVENTS, head_level};
use crate::octez::{NodeOptions, NodePorts, Upgrade};

/// A node; cheap to clone. Everything of a [`Daemon`] is here too.
#[derive(Clone, Debug)]
pub struct Node {
    daemon: Daemon,
    options: Arc<NodeOptions>,
}

impl Deref for Node {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

/// What an RPC answered. A status that is an error is an answer all the same.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcAnswer {
    pub status: u16,
    /// The body as JSON, or as a JSON string if it is none.
    pub body: Value,
}

/// An RPC that was not answered, or not as it should have been.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{method} {path} answered {status}: {body}")]
    Status { method: Method, path: String, status: u16, body: Value },
    #[error("the harness is shutting down")]
    ShuttingDown,
}

impl Core {
    /// One HTTP request, made on the harness's thread.
    pub(super) async fn http(
        &self,
        method: Method,
        url: String,
        body: Option<Value>,
        within: Duration,
    ) -> Result<RpcAnswer, RpcError> {
        let body = body.map(|body| body.to_string().into_bytes());
        let request = async move { http::request(method, &url, body, within).await };
        let answer = self.run(request).await.ok_or(RpcError::ShuttingDown)??;
        let text = || Value::String(String::from_utf8_lossy(&answer.body).into_owned());
        let body = serde_json::from_slice(&answer.body).unwrap_or_else(|_| text());
        Ok(RpcAnswer { status: answer.status, body })
    }
}

impl super::Harness {
    /// One HTTP request to any URL; nodes have [`Node::rpc`].
    pub async fn http(
        &self,
        method: Method,
        url: &str,
        body: Option<Value>,
        within: Duration,
    ) -> Result<RpcAnswer, RpcError> {
        self.core.http(method, url.to_owned(), body, within).await
    }
}

impl Node {
    pub(super) fn from_parts(daemon: Daemon, options: NodeOptions) -> Self {
        Self { daemon, options: Arc::new(options) }
    }

    /// The port of its RPC server on 127.0.0.1; the same in every incarnation, and nobody else's.
    pub fn rpc_port(&self) -> u16 {
        self.options.ports.rpc
    }

    /// Where other nodes reach it.
    pub fn net_port(&self) -> u16 {
        self.options.ports.net
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.options.endpoint()
    }

    /// Where its chain and its identity are; kept over restarts.
    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// A request to its RPC; `path` begins with a slash.
    pub async fn rpc(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<RpcAnswer, RpcError> {
        let url = format!("{}{path}", self.endpoint());
        self.core().http(method, url, body, DEFAULT_TIMEOUT).await
    }

    /// The answer to a GET; a status other than 2xx is an error.
    pub async fn get(&self, path: &str) -> Result<Value, RpcError> {
        self.get_within(path, DEFAULT_TIMEOUT).await
    }

    pub(super) async fn get_within(&self, path: &str, within: Duration) -> Result<Value, RpcError> {
        let url = format!("{}{path}", self.endpoint());
        let RpcAnswer { status, body } = self.core().http(Method::Get, url, None, within).await?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(RpcError::Status { method: Method::Get, path: path.to_owned(), status, body })
    }

    /// The head's level, asked by RPC.
    pub async fn level(&self) -> Result<i64, RpcError> {
        self.level_within(DEFAULT_TIMEOUT).await
    }

    /// The limit is kept in the harness's thread: the caller's runtime may have no timers.
    async fn level_within(&self, within: Duration) -> Result<i64, RpcError> {
        let path = "/chains/main/blocks/head/header/shell";
        let shell = self.get_within(path, within).await?;
        shell["level"].as_i64().ok_or(RpcError::Status {
            method: Method::Get,
            path: path.to_owned(),
            status: 200,
            body: shell,
        })
    }

    /// Waits until its head is at this level or above; at once if it is.
    pub async fn wait_for_level(&self, level: i64) -> Result<i64, WaitError> {
        self.wait_for_level_within(level, DEFAULT_TIMEOUT).await
    }

    /// As [`wait_for_level`](Self::wait_for_level), at most this long.
    ///
    /// The RPC is asked first, since a restarted node announces its head by no event; what comes between the question and
    /// the answer is not missed, for the events count from before it.
    pub async fn wait_for_level_within(
        &self,
        level: i64,
        timeout: Duration,
    ) -> Result<i64, WaitError> {
        let reached = move |event: &Event| head_level(&event.value).filter(|seen| *seen >= level);
        let [set, increment, switch] =
            HEAD_EVENTS.map(|name| self.wait_for(name).filter_map(reached));
        let began = Instant::now();
        // A node that is paused does not answer at all.
        if let Ok(now) = self.level_within(timeout).await
            && now >= level
        {
            return Ok(now);
        }
        let left = timeout.saturating_sub(began.elapsed());
        tokio::select! {
            found = set.within(left) => found,
            found = increment.within(left) => found,
            found = switch.within(left) => found,
        }
    }

    /// Its peer id, from `read_identity` of the present incarnation, or from its data directory.
    pub async fn wait_for_identity(&self) -> Result<String, WaitError> {
        let identity = std::fs::read(self.data_dir().join("identity.json")).ok();
        let known = identity.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        if let Some(id) = known.as_ref().and_then(|identity| identity["peer_id"].as_str()) {
            return Ok(id.to_owned());
        }
        let read = self.wait_for("read_identity.v0").since(self.first().unwrap_or_default());
        read.filter_map(|event| event.value.as_str().map(ToOwned::to_owned))
            .within(DEFAULT_TIMEOUT)
            .await
    }
}

/// A node being described.
#[must_use = "no node is made until `create` or `init` is awaited"]
#[derive(Debug)]
pub struct NodeBuilder {
    core: SharedCore,
    name: String,
    options: NodeOptions,
    data_dir: Option<PathBuf>,
    restart: RestartPolicy,
}

impl NodeBuilder {
    pub(super) fn new(core: SharedCore, name: &str) -> Self {
        let ports = NodePorts { rpc: 0, net: 0, metrics: 0 };
        let options = NodeOptions::new(PathBuf::new(), ports);
        let restart = RestartPolicy::default();
        Self { core, name: name.to_owned(), options, data_dir: None, restart }
    }

    /// Peers that must agree before it says that it is bootstrapped; 0 for a node that stands alone.
    pub fn synchronisation_threshold(mut self, peers: u32) -> Self {
        self.options.synchronisation_threshold = Some(peers);
        self
    }

    /// Connects to trusted peers only.
    pub fn private_mode(mut self, private: bool) -> Self {
        self.options.private_mode = private;
        self
    }

    /// How many connections to other nodes it aims at.
    pub fn connections(mut self, connections: u32) -> Self {
        self.options.connections = Some(connections);
        self
    }

    /// A node to connect to when it runs.
    pub fn peer(mut self, other: &Node) -> Self {
        self.options.peers.push(format!("127.0.0.1:{}", other.net_port()));
        self
    }

    /// `archive`, `full` or `rolling`, as `--history-mode` takes it.
    pub fn history_mode(mut self, mode: &str) -> Self {
        self.options.history_mode = Some(mode.to_owned());
        self
    }

    /// Another protocol, by its hash, takes over after the block at this level. May be called again for another level.
    pub fn upgrade(mut self, level: u32, protocol: &str) -> Self {
        self.options.upgrades.push(Upgrade { level, protocol: protocol.to_owned() });
        self
    }

    /// Its data directory. Default: a temporary one.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// From which level on its events are written; `Info` by default.
    pub fn event_level(mut self, level: Level) -> Self {
        self.options.events.level = level;
        self
    }

    /// Another program than `octez-node`.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.binary = Some(path.into());
        self
    }

    /// An argument at the end of its `run` command line.
    pub fn arg(mut self, arg: &str) -> Self {
        self.options.args.push(arg.to_owned());
        self
    }

    /// What happens when it ends by itself, crashes, or dies of a signal. Default: it stays dead.
    pub fn restart_policy(mut self, policy: RestartPolicy) -> Self {
        self.restart = policy;
        self
    }

    /// Makes it known. Nothing runs yet.
    pub async fn create(mut self) -> Result<Node, InitError> {
        let name = DaemonName::new(&self.name)?;
        if self.options.binary.is_none() {
            self.core.programs.find("octez-node")?;
        }
        let port = |what: &str| self.core.port(&format!("{}.{what}", self.name));
        self.options.ports =
            NodePorts { rpc: port("rpc")?, net: port("net")?, metrics: port("metrics")? };
        self.options.data_dir = match self.data_dir.take() {
            Some(path) => path,
            None => self.core.directory(&self.name)?,
        };
        let spec = DaemonSpec { restart: self.restart, ..self.options.spec(name) };
        let daemon = Daemon::create(self.core, spec).await?;
        Ok(Node { daemon, options: Arc::new(self.options) })
    }

    /// Identity, configuration, run, ready.
    pub async fn init(self) -> Result<Node, InitError> {
        let node = self.create().await?;
        node.run().await?;
        node.wait_for_ready().await.map_err(InitError::not_ready)?;
        Ok(node)
    }
}
