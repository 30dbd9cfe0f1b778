//! Which agents run: one for the protocol of the chain and, after a protocol change, the one before it for a few levels
//! more, should the chain go back (`src/lib_agnostic_baker/daemon.ml`).
//!
//! ```text
//! next_protocol differs: protocol_encountered, become_old_agent, starting_agent, agent_running
//! head at level_to_kill: stopping_agent
//! ```
//!
//! Agents are tasks beside the wrapper's. None is cut off in the middle of what it does: it stops where it waits.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::agent::Agent;
use super::events::{AgentEvents, WrapperEvents};
use super::{Failure, Options};
use crate::sandbox::protocol::Protocol;
use crate::sandbox::rpc_client::RpcClient;

/// For how many levels after the migration block the old agent lives on
/// (`extra_levels_for_old_baker`, `src/lib_agnostic_baker/parameters.ml`).
const EXTRA_LEVELS: u64 = 3;

/// What agents are made from.
#[derive(Debug)]
pub struct Origin {
    pub client: RpcClient,
    pub events: WrapperEvents,
    pub options: Options,
    /// How often agents have been connected, all together: each connection is taken leave of at the end.
    pub connections: Rc<Cell<u32>>,
    /// Told when an agent ends by itself.
    pub ended: UnboundedSender<Result<(), Failure>>,
}

/// The agents that run.
#[derive(Debug)]
pub struct Agents {
    origin: Origin,
    current: Running,
    old: Option<Old>,
}

/// An agent that runs. Dropped, it runs on, and nothing can stop it any more.
#[derive(Debug)]
struct Running {
    proto: String,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct Old {
    agent: Running,
    level_to_kill: u64,
}

impl Agents {
    /// Starts the agent for this protocol.
    pub async fn start(origin: Origin, proto: &str) -> Result<Self, Failure> {
        let current = origin.start(proto).await?;
        Ok(Self { origin, current, old: None })
    }

    /// Does what a new head asks for: ends the old agent when its time has come, and starts another one when the chain
    /// goes on under another protocol.
    pub async fn follow(&mut self, level: u64, next_protocol: &str) -> Result<(), Failure> {
        if let Some(old) = self.old.take_if(|old| level >= old.level_to_kill) {
            self.origin.tell("stopping_agent", &old.agent.proto).await;
            // An agent that has ended needs no word.
            let _ = old.agent.stop.send(true);
        }
        if self.current.proto != next_protocol {
            self.change(level + EXTRA_LEVELS, next_protocol).await?;
        }
        Ok(())
    }

    async fn change(&mut self, level_to_kill: u64, proto: &str) -> Result<(), Failure> {
        self.origin.events.protocol_encountered(proto).await;
        let becoming = json!({
            "agent": "accuser",
            "proto_hash": self.current.proto,
            "level_to_kill": level_to_kill,
        });
        self.origin.events.notice("become_old_agent", &becoming).await;
        let started = self.origin.start(proto).await?;
        let agent = std::mem::replace(&mut self.current, started);
        // One that was old already is forgotten, and never stopped: so Octez does.
        self.old = Some(Old { agent, level_to_kill });
        Ok(())
    }
}

impl Origin {
    async fn start(&self, proto: &str) -> Result<Running, Failure> {
        self.tell("starting_agent", proto).await;
        let protocol = Protocol::of_hash(proto).ok_or_else(|| {
            Failure::Fatal(format!("Cannot start accuser for protocol {proto}: it is unknown"))
        })?;
        let (stop, stopped) = watch::channel(false);
        let agent = Agent {
            client: self.client.clone(),
            events: AgentEvents { sink: self.events.sink.clone(), protocol },
            options: self.options.clone(),
            connections: Rc::clone(&self.connections),
            stopped: stopped.clone(),
        };
        let ended = self.ended.clone();
        tokio::task::spawn_local(async move {
            let result = agent.run().await;
            if !*stopped.borrow() {
                // Nobody listens any more when the program ends.
                let _ = ended.send(result);
            }
        });
        self.tell("agent_running", proto).await;
        Ok(Running { proto: proto.to_owned(), stop })
    }

    async fn tell(&self, name: &str, proto: &str) {
        self.events.notice(name, &json!({"agent": "accuser", "proto": proto})).await;
    }
}
