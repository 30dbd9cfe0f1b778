//! The one task that changes the chain and the mempool and tells of it in events, one request at a time.
//!
//! While the event pipe is full nothing is validated, as in Octez, whose workers await every event they emit; RPCs that
//! only look are still answered. The task is never cancelled, so no event is cut off.

use std::collections::HashSet;
use std::time::SystemTime;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::chain::{Adoption, Candidate};
use super::mempool::{Injection, InjectionError};
use super::shell::{Applied, ApplyError, Shell, Synchronisation};
use super::trace;
use crate::sandbox::hash::{BlockHash, OperationHash, PeerId};
use crate::sandbox::operation::Operation;
use crate::sandbox::sink::{Level, Sink};

const CHAIN: [&str; 2] = ["validator", "chain"];
const BLOCK: [&str; 2] = ["validator", "block"];
const STORE: [&str; 2] = ["node", "store"];
const PREVALIDATOR: [&str; 1] = ["prevalidator"];

/// How many requests may wait before those who make them do.
const QUEUE: usize = 1024;

/// Something asked of the worker; cheap to clone, and what a caller of RPC waits for.
#[derive(Clone, Debug)]
pub struct Worker {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    task: Task,
    pushed: SystemTime,
}

#[derive(Debug)]
enum Task {
    InjectBlock {
        candidate: Candidate,
        reply: oneshot::Sender<Result<BlockHash, ApplyError>>,
    },
    ReceiveBlock {
        candidate: Candidate,
    },
    InjectOperation {
        operation: Operation,
        force: bool,
        reply: oneshot::Sender<Result<OperationHash, InjectionError>>,
    },
    ReceiveOperations {
        operations: Vec<Operation>,
    },
    Connected {
        peer: PeerId,
    },
    Disconnected {
        peer: PeerId,
    },
}

/// The node is ending and takes no more requests.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the node is shutting down")]
pub struct ShuttingDown;

impl Worker {
    /// Starts the worker of this node.
    pub fn start(shell: Shell, sink: Sink, synchronisation_threshold: usize) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE);
        let loop_state = Loop { shell, sink, synchronisation_threshold, peers: HashSet::new() };
        tokio::spawn(loop_state.run(queue));
        Self { requests }
    }

    /// Answers once the block is applied and told of; a known block is as good as applied.
    pub async fn inject_block(
        &self,
        candidate: Candidate,
    ) -> Result<Result<BlockHash, ApplyError>, ShuttingDown> {
        let (reply, answer) = oneshot::channel();
        self.push(Task::InjectBlock { candidate, reply }).await?;
        answer.await.map_err(|_| ShuttingDown)
    }

    pub async fn inject_operation(
        &self,
        operation: Operation,
        force: bool,
    ) -> Result<Result<OperationHash, InjectionError>, ShuttingDown> {
        let (reply, answer) = oneshot::channel();
        self.push(Task::InjectOperation { operation, force, reply }).await?;
        answer.await.map_err(|_| ShuttingDown)
    }

    pub async fn receive_block(&self, candidate: Candidate) -> Result<(), ShuttingDown> {
        self.push(Task::ReceiveBlock { candidate }).await
    }

    pub async fn receive_operations(&self, operations: Vec<Operation>) -> Result<(), ShuttingDown> {
        self.push(Task::ReceiveOperations { operations }).await
    }

    pub async fn connected(&self, peer: PeerId) -> Result<(), ShuttingDown> {
        self.push(Task::Connected { peer }).await
    }

    pub async fn disconnected(&self, peer: PeerId) -> Result<(), ShuttingDown> {
        self.push(Task::Disconnected { peer }).await
    }

    async fn push(&self, task: Task) -> Result<(), ShuttingDown> {
        let request = Request { task, pushed: SystemTime::now() };
        self.requests.send(request).await.map_err(|_| ShuttingDown)
    }
}

/// When a request was made and taken up; events tell it.
#[derive(Clone, Copy)]
struct Times {
    pushed: SystemTime,
    treated: SystemTime,
}

impl Times {
    fn status(self) -> Value {
        json!({
            "pushed": system_time(self.pushed),
            "treated": system_time(self.treated),
            "completed": system_time(SystemTime::now()),
        })
    }
}

/// `2026-08-21T13:31:29.123-00:00`, the form of `Time.System`.
fn system_time(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_millis(time).to_string();
    format!("{}-00:00", text.trim_end_matches('Z'))
}

struct Loop {
    shell: Shell,
    sink: Sink,
    synchronisation_threshold: usize,
    peers: HashSet<PeerId>,
}

impl Loop {
    async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(Request { task, pushed }) = queue.recv().await {
            let times = Times { pushed, treated: SystemTime::now() };
            match task {
                Task::InjectBlock { candidate, reply } => {
                    let result = self.apply(candidate, times).await;
                    // A client that has hung up does not want to know.
                    let _ = reply.send(result);
                }
                Task::ReceiveBlock { candidate } => {
                    // The event has told why a block was refused; the peer is not asked for it again until it is fitter.
                    let _ = self.apply(candidate, times).await;
                }
                Task::InjectOperation { operation, force, reply } => {
                    let result = self.inject(operation, force, times).await;
                    // A client that has hung up does not want to know.
                    let _ = reply.send(result);
                }
                Task::ReceiveOperations { operations } => self.receive(operations, times).await,
                Task::Connected { peer } => {
                    self.peers.insert(peer);
                    self.emit(Level::Info, &CHAIN, "connection", &json!(peer)).await;
                    self.check_synchronisation().await;
                }
                Task::Disconnected { peer } => {
                    self.peers.remove(&peer);
                    self.emit(Level::Info, &CHAIN, "disconnection", &json!(peer)).await;
                    self.check_synchronisation().await;
                }
            }
        }
    }

    async fn emit(&self, level: Level, section: &[&str], name: &str, value: &Value) {
        self.sink.emit(level, section, name, value).await;
    }

    async fn apply(&self, candidate: Candidate, times: Times) -> Result<BlockHash, ApplyError> {
        let hash = candidate.header.hash();
        match self.shell.apply(candidate) {
            Ok(None) => {}
            Ok(Some(applied)) => self.tell_applied(&applied, times).await,
            Err(error) => {
                let value = json!({
                    "block": hash,
                    "worker_status": times.status(),
                    "errors": error.trace(),
                });
                self.emit(Level::Notice, &BLOCK, "validation_failure", &value).await;
                return Err(error);
            }
        }
        Ok(hash)
    }

    async fn tell_applied(&self, applied: &Applied, times: Times) {
        let Applied { block, adoption } = applied;
        let (hash, level) = (block.hash, block.level());
        for step in ["validating_block", "validated_block", "applying_block"] {
            self.emit(Level::Debug, &BLOCK, step, &json!(hash)).await;
        }
        self.emit(Level::Info, &STORE, "store_block", &json!([hash, level])).await;
        let success = json!({ "block": hash, "worker_status": times.status() });
        self.emit(Level::Info, &BLOCK, "validation_and_application_success", &success).await;
        let view = json!({ "view": { "hash": hash }, "level": level });
        let event = match adoption {
            Adoption::Ignored => {
                self.emit(Level::Notice, &CHAIN, "ignore_head", &view).await;
                return;
            }
            Adoption::Increment => "increment",
            Adoption::Switch { .. } => "branch",
        };
        self.emit(Level::Info, &STORE, "set_head", &json!([hash, level])).await;
        if block.changes_protocol() {
            let table = json!({
                "proto_hash": block.next_protocol,
                "proto_level": block.header.proto,
                "block_hash": hash,
                "block_level": level,
            });
            self.emit(Level::Notice, &STORE, "update_protocol_table", &table).await;
        }
        if event == "branch" {
            self.emit(Level::Notice, &CHAIN, "branch_switch", &view).await;
        } else if self.shell.with(|state| state.synchronisation().bootstrapped) {
            self.emit(Level::Notice, &CHAIN, "head_increment", &view).await;
        }
        let flush = json!({ "request": "flush", "block": hash, "event": event });
        self.tell_completed(Level::Info, "request_completed_info", flush, times).await;
    }

    async fn inject(
        &self,
        operation: Operation,
        force: bool,
        times: Times,
    ) -> Result<OperationHash, InjectionError> {
        let hash = operation.hash();
        let view =
            json!({ "request": "inject", "operation": operation.raw_json(), "force": force });
        match self.shell.inject(operation, force) {
            Ok(injection) => {
                if injection == Injection::Added {
                    self.emit(Level::Notice, &PREVALIDATOR, "operation_injected", &json!(hash))
                        .await;
                }
                self.tell_completed(Level::Info, "request_completed_info", view, times).await;
                Ok(hash)
            }
            Err(error) => {
                let value = json!({
                    "view": view,
                    "worker_status": times.status(),
                    "errors": error.trace(),
                });
                self.emit(Level::Notice, &PREVALIDATOR, "request_failed", &value).await;
                Err(error)
            }
        }
    }

    async fn receive(&self, operations: Vec<Operation>, times: Times) {
        for operation in operations {
            let (hash, raw) = (operation.hash(), operation.raw_json());
            if self.shell.receive(operation).is_none() {
                continue;
            }
            self.emit(Level::Debug, &PREVALIDATOR, "operation_classified", &json!(hash)).await;
            let view = json!({ "request": "arrived", "operation_hash": hash, "operation": raw });
            self.tell_completed(Level::Debug, "request_completed_debug", view, times).await;
        }
    }

    async fn tell_completed(&self, level: Level, name: &str, view: Value, times: Times) {
        let value = json!({ "view": view, "worker_status": times.status() });
        self.emit(level, &PREVALIDATOR, name, &value).await;
    }

    /// A node is in step with its network when it has as many peers as it wants for that.
    async fn check_synchronisation(&self) {
        let synced = self.peers.len() >= self.synchronisation_threshold;
        let before = self.shell.with(|state| {
            let bootstrapped = state.synchronisation().bootstrapped || synced;
            state.set_synchronisation(Synchronisation { bootstrapped, synced })
        });
        if synced && !before.bootstrapped {
            self.emit(Level::Notice, &CHAIN, "bootstrapped", &json!({})).await;
        }
        if synced != before.synced {
            let word = Synchronisation { bootstrapped: synced, synced }.word();
            self.emit(Level::Notice, &CHAIN, "synchronisation_status", &json!(word)).await;
        }
    }
}

impl ApplyError {
    /// The error as Octez lists it.
    pub fn trace(&self) -> Value {
        match self {
            Self::Invalid { source, .. } => source.trace(),
            Self::Store { .. } => trace::of_error("store.cannot_store_block", self),
        }
    }
}
