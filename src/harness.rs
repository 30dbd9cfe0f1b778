//! The public handles: a harness, the daemons in it, and the waits on what they say.
//!
//! A [`Harness`] runs its actors on a thread of its own, so its handles are `Send` and work under any runtime or none in
//! particular. Dropping it kills everything it started; [`Harness::shutdown`] is the way that also tells what was found.

mod accuser;
mod client;
mod core;
mod daemon;
mod exec;
mod inspect;
mod node;
mod observe;
mod programs;
mod start;
mod wait;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use self::accuser::{Accuser, AccuserBuilder};
pub use self::client::{Baked, Client, ClientError, Vote};
use self::core::Core;
pub use self::daemon::{Daemon, Grace};
pub use self::exec::ExecOutput;
pub use self::inspect::Inspection;
pub use self::node::{Node, NodeBuilder, RpcAnswer, RpcError};
pub use self::observe::EventReceiver;
pub use self::programs::{OctezSource, ProgramsError};
use self::start::Thread;
pub use self::start::{Builder, StartError, Summary};
pub use self::wait::{Mapped, Unfulfilled, WaitError, WaitFor, Waiter, Wanted};
pub use crate::actors::command::{CommandError, Done};
pub use crate::actors::daemon::{DaemonStatus, IncarnationStatus};
pub use crate::actors::event_bus::{PendingSource, PendingWait, Surveyed, SurveyedDaemon};
pub use crate::actors::event_pipe::Backlog;
use crate::daemon::{DaemonName, DaemonSpec, InvalidName};
use crate::event::Seq;
pub use crate::host::http::Method;
use crate::record::What;

/// Why a daemon could not be made known or run to readiness.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    #[error("no free port")]
    Port(#[from] crate::host::ports::PortError),
    #[error("the directory {} cannot be made", path.display())]
    Directory { path: std::path::PathBuf, source: std::io::Error },
    #[error("the file {} cannot be read or written", path.display())]
    File { path: std::path::PathBuf, source: std::io::Error },
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("it was not ready")]
    NotReady(#[source] Box<WaitError>),
}

impl InitError {
    fn not_ready(error: WaitError) -> Self {
        Self::NotReady(Box::new(error))
    }
}

/// A running harness: its daemons, their event log, and the thread that drives them.
#[derive(Debug)]
pub struct Harness {
    core: Arc<Core>,
    thread: Option<Thread>,
}

impl Harness {
    /// How to start one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Makes an accuser known that will watch this node. Names are unique in a harness.
    pub fn accuser(&self, name: &str, node: &Node) -> AccuserBuilder {
        AccuserBuilder::new(Arc::clone(&self.core), name, node)
    }

    /// Makes a node known, with ports and a data directory of its own.
    pub fn node(&self, name: &str) -> NodeBuilder {
        NodeBuilder::new(Arc::clone(&self.core), name)
    }

    /// The client of a node: what `octez-client` and `octez-admin-client` do in tests.
    pub fn client(&self, node: &Node) -> Client {
        Client::new(Arc::clone(&self.core), node)
    }

    /// Makes any daemon known. Nothing runs yet.
    pub async fn create(&self, spec: DaemonSpec) -> Result<Daemon, CommandError> {
        Daemon::create(Arc::clone(&self.core), spec).await
    }

    /// Makes a node known from its options and the specification that came of them.
    pub async fn create_node(
        &self,
        options: crate::octez::NodeOptions,
        spec: DaemonSpec,
    ) -> Result<Node, InitError> {
        Ok(Node::from_parts(self.create(spec).await?, options))
    }

    /// Where an Octez program of this run is, such as `octez-node`.
    pub fn octez_program(&self, name: &str) -> Result<std::path::PathBuf, ProgramsError> {
        self.core.programs.find(name)
    }

    /// Whether the Octez programs of this run are not the sandbox's.
    pub fn is_octez_real(&self) -> bool {
        self.core.programs.are_real()
    }

    /// Reads what every pipe holds now. Afterwards whatever was written before the call is in the log.
    pub async fn settle(&self) {
        self.core.settle().await;
    }

    /// A daemon that was made known before.
    pub fn daemon(&self, name: &DaemonName) -> Option<Daemon> {
        Daemon::find(&self.core, name)
    }

    /// The end of the log now: what comes later is at or after this position, of whatever daemon.
    pub fn mark(&self) -> Seq {
        self.core.log_end.get()
    }

    /// Waits for an event of any of several daemons, each from a position of its own.
    ///
    /// The wait is registered at once; dropping the waiter withdraws it.
    pub fn wait(&self, wanted: Wanted, within: Duration) -> Waiter {
        self.core.wait(wanted, within)
    }

    /// The number of the next fault of this run, counted from 1.
    pub fn next_fault(&self) -> u32 {
        self.core.next_fault()
    }

    /// A port of this run, the same wherever the name stands, and nobody else's while the harness lives.
    pub fn port(&self, name: &str) -> Result<u16, crate::host::ports::PortError> {
        self.core.port(name)
    }

    /// `$TMPDIR/tribunal-<id>/<name>/`, made when first asked for and removed with the harness.
    pub fn directory(&self, name: &str) -> Result<std::path::PathBuf, InitError> {
        self.core.directory(name)
    }

    /// The base directory of a node's client, which knows the keys of the sandbox.
    pub fn client_directory(&self, node: &str) -> Result<std::path::PathBuf, InitError> {
        self.core.client_directory(node)
    }

    /// The FIFO that the daemon's living incarnation writes to; of one that does not run, the next one's.
    pub fn event_pipe(&self, daemon: &DaemonName) -> std::path::PathBuf {
        self.core.event_pipe(daemon)
    }

    /// What tells this run from all others: the value of `TRIBUNAL_RUN` in the environment of everything that it starts.
    pub fn run_id(&self) -> &str {
        self.core.run_id.as_str()
    }

    /// Where the run is recorded.
    pub fn run_dir(&self) -> &Path {
        self.core.run_dir.root()
    }

    /// Appends a line to the run's `log.jsonl`.
    pub fn note(&self, what: What) {
        self.core.note(what);
    }

    /// Why recording stopped, if it did: the disk of the run directory is full, as a rule.
    pub fn recording_failure(&self) -> Option<String> {
        self.core.recording.get()
    }

    /// What is known of each daemon's events, and whether recording still works.
    pub async fn survey(&self) -> Surveyed {
        self.core.survey().await
    }

    /// Runs a program to its end, as part of this run: with its environment, killed with it, its output captured.
    pub async fn exec(
        &self,
        command: crate::daemon::CommandLine,
        stdin: Vec<u8>,
        within: Duration,
    ) -> Result<ExecOutput, crate::host::exec::ExecError> {
        self.core.exec(command, stdin, within).await
    }

    /// Ends all daemons (SIGTERM, SIGKILL after the grace), fails all waits as *shutting down*, and sweeps.
    ///
    /// Nothing of the run is alive when this returns.
    pub async fn shutdown(mut self) -> Result<Summary, StartError> {
        self.shut_down(Grace::default()).await
    }

    /// As [`shutdown`](Self::shutdown), with SIGKILL at once.
    pub async fn shutdown_now(mut self) -> Result<Summary, StartError> {
        self.shut_down(Grace(Duration::ZERO)).await
    }

    /// As [`shutdown`](Self::shutdown), with this grace; when `urgent` resolves before the daemons have ended, SIGKILL.
    pub async fn shutdown_within(
        mut self,
        grace: Duration,
        urgent: impl Future<Output = ()>,
    ) -> Result<Summary, StartError> {
        let supervisor = self.core.supervisor.clone();
        let down = self.shut_down(Grace(grace));
        let hurry = async {
            urgent.await;
            let (reply, _) = tokio::sync::oneshot::channel();
            supervisor
                .do_send(crate::actors::supervisor::Shutdown { grace: Duration::ZERO, reply });
            std::future::pending::<()>().await;
        };
        tokio::select! {
            summary = down => summary,
            () = hurry => Err(StartError::Gone),
        }
    }

    async fn shut_down(&mut self, grace: Grace) -> Result<Summary, StartError> {
        match self.thread.take() {
            Some(thread) => thread.shut_down(grace.0).await,
            None => Err(StartError::Gone),
        }
    }
}
