//! The agent of one protocol: connects to the node, says so step by step, and looks at what the node shows.
//!
//! ```text
//! bootstrapped? -> protocol active? -> streams open -> daemon_start -> blocks and votes … node lost
//!      ^                                                                                     |
//!      +------------------------------- keep-alive ------------------------------------------+
//! ```

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::backoff::Backoff;
use super::events::AgentEvents;
use super::watch::Watch;
use super::{Failure, Options};
use crate::sandbox::VERSION;
use crate::sandbox::console;
use crate::sandbox::rpc_client::{Lines, RpcClient, RpcError};
use crate::sandbox::sink::Level;

/// How long the node may take to say that it is bootstrapped before the user hears of it.
const PATIENCE: Duration = Duration::from_millis(300);

/// Looks for double signing under one protocol.
#[derive(Debug)]
pub struct Agent {
    pub client: RpcClient,
    pub events: AgentEvents,
    pub options: Options,
    /// Counts each connection that is made.
    pub connections: Rc<Cell<u32>>,
    /// True once it is to stop.
    pub stopped: watch::Receiver<bool>,
}

/// What the node shows while a connection lasts.
struct Session {
    blocks: Lines,
    operations: Lines,
    watch: Watch,
}

/// Why a connection ended, or never came about.
enum Ended {
    /// The node went away, after the streams had been opened.
    Lost,
    /// It was told to stop.
    Stopped,
    /// The node cannot be reached.
    Unreachable(RpcError),
    /// The node answers, but not what it should.
    Failed(RpcError),
}

impl From<RpcError> for Ended {
    fn from(error: RpcError) -> Self {
        if error.is_connection() { Self::Unreachable(error) } else { Self::Failed(error) }
    }
}

impl Agent {
    /// Runs until the node is lost, or with keep-alive for ever; or until it is told to stop.
    pub async fn run(&self) -> Result<(), Failure> {
        let mut waited_for_protocol = false;
        let mut delays = Backoff::default();
        loop {
            let error = match self.connect(&mut waited_for_protocol).await {
                Ok(session) => {
                    delays = Backoff::default();
                    self.watch(session).await
                }
                Err(error) => error,
            };
            match error {
                Ended::Stopped => return Ok(()),
                Ended::Lost => self.lost().await?,
                Ended::Unreachable(_) if self.options.keep_alive => {
                    self.unreachable(&mut delays).await;
                }
                Ended::Unreachable(error) | Ended::Failed(error) => {
                    return Err(Failure::Error(error.to_string()));
                }
            }
        }
    }

    async fn lost(&self) -> Result<(), Failure> {
        self.events.scheduling(Level::Error, "daemon_connection_lost").await;
        if !self.options.keep_alive {
            return Err(Failure::Error("Lost connection with the node".to_owned()));
        }
        console::err("Lost connection with the node. Retrying to establish connection...");
        Ok(())
    }

    async fn unreachable(&self, delays: &mut Backoff) {
        if let Some(delay) = delays.next() {
            let seconds = delay.as_secs_f64();
            console::out(&format!("Connection failed. Retrying in {seconds:.2} seconds..."));
            tokio::select! {
                () = sleep(delay) => {}
                () = self.told_to_stop() => {}
            }
        }
    }

    async fn connect(&self, waited_for_protocol: &mut bool) -> Result<Session, Ended> {
        tokio::select! {
            biased;
            () = self.told_to_stop() => return Err(Ended::Stopped),
            answer = self.bootstrapped() => answer?,
        }
        console::out("Node is bootstrapped.");
        if !*waited_for_protocol {
            tokio::select! {
                biased;
                () = self.told_to_stop() => return Err(Ended::Stopped),
                answer = self.protocol_started() => answer?,
            }
            *waited_for_protocol = true;
        }
        let protocol = self.events.protocol;
        console::out(&format!(
            "Accuser {VERSION} ({}) for {} started.",
            crate::sandbox::COMMIT,
            protocol.short_hash()
        ));
        self.connections.set(self.connections.get() + 1);
        let path = format!("/monitor/applied_blocks?next_protocol={}&chain=main", protocol.hash);
        let blocks = self.client.lines(&path).await?;
        self.events.scheduling(Level::Info, "daemon_setup").await;
        let operations = self.operations().await?;
        self.client.get("/chains/main/blocks/head/context/constants").await?;
        self.client.get("/chains/main/chain_id").await?;
        self.events.scheduling(Level::Info, "daemon_start").await;
        let watch =
            Watch::new(self.client.clone(), self.events.clone(), self.options.preserved_levels);
        Ok(Session { blocks, operations, watch })
    }

    /// Waits for the node to be bootstrapped, naming its heads meanwhile if that takes long.
    async fn bootstrapped(&self) -> Result<(), RpcError> {
        let mut heads = self.client.lines("/monitor/bootstrapped").await?;
        let patience = Instant::now() + PATIENCE;
        let mut told = false;
        let mut latest = None;
        loop {
            tokio::select! {
                head = heads.next() => match head? {
                    None => break,
                    Some(head) if told => console::out(&current_head(&head)),
                    Some(head) => latest = Some(head),
                },
                () = sleep_until(patience), if !told => {
                    told = true;
                    console::out("Waiting for the node to be bootstrapped...");
                    latest.take().iter().for_each(|head| console::out(&current_head(head)));
                }
            }
        }
        self.client.get("/chains/main/is_bootstrapped").await?;
        Ok(())
    }

    /// Waits for a head under which the protocol is active. Who waits for the line this prints must know that blocks applied
    /// right after it may go unseen: the stream of them is opened later, before `daemon_start`.
    async fn protocol_started(&self) -> Result<(), Ended> {
        let protocol = self.events.protocol;
        console::out(&format!("Waiting for protocol {} to start...", protocol.name));
        let path = format!("/monitor/heads/main?next_protocol={}", protocol.hash);
        match self.client.lines(&path).await?.next().await? {
            Some(_) => Ok(()),
            None => Err(Ended::Lost),
        }
    }

    /// Returns only once it is to stop. Whoever might have said so and is gone will not say it any more.
    async fn told_to_stop(&self) {
        if self.stopped.clone().wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn operations(&self) -> Result<Lines, RpcError> {
        let classes = "validated=true&branch_delayed=true&refused=false&branch_refused=false";
        self.client.lines(&format!("/chains/main/mempool/monitor_operations?{classes}")).await
    }

    async fn watch(&self, mut session: Session) -> Ended {
        loop {
            tokio::select! {
                () = self.told_to_stop() => return Ended::Stopped,
                block = session.blocks.next() => match block {
                    Ok(Some(block)) => {
                        if session.watch.applied(&block).await.is_err() {
                            return Ended::Lost;
                        }
                    }
                    Ok(None) | Err(_) => return Ended::Lost,
                },
                operations = session.operations.next() => match operations {
                    Ok(Some(operations)) => session.watch.arrived(&operations).await,
                    // The node closes this stream at each new head.
                    Ok(None) | Err(_) => match self.operations().await {
                        Ok(operations) => session.operations = operations,
                        Err(_) => return Ended::Lost,
                    },
                },
            }
        }
    }
}

fn current_head(head: &serde_json::Value) -> String {
    let text = |field: &str| head[field].as_str().unwrap_or_default().to_owned();
    format!("Current head: {} (timestamp: {})", text("block"), text("timestamp"))
}
