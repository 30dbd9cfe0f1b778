//! The handle of any daemon: run, watch, pause, crash, end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::core::{Core, SharedCore};
use super::observe::{self, EventReceiver};
use super::{InitError, Unfulfilled, WaitError, WaitFor, Wanted};
use crate::actors::command::{CommandError, Done};
use crate::actors::daemon::DaemonStatus;
use crate::daemon::lifecycle::{Refused, Request, State};
use crate::daemon::{DEFAULT_GRACE, DEFAULT_TIMEOUT, DaemonName, DaemonSpec, ExitReason};
use crate::event::waiters::Test;
use crate::event::{Event, NamePattern, Seq, lifecycle_names};

/// Time allowed between SIGTERM and SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace(pub Duration);

/// 30 s.
impl Default for Grace {
    fn default() -> Self {
        Self(DEFAULT_GRACE)
    }
}

/// A daemon of a harness, running or not; cheap to clone. Dropping a handle changes nothing.
#[derive(Clone, Debug)]
pub struct Daemon {
    core: SharedCore,
    name: DaemonName,
    status: watch::Receiver<DaemonStatus>,
}

impl Daemon {
    pub(super) async fn create(core: SharedCore, spec: DaemonSpec) -> Result<Self, CommandError> {
        let name = spec.name.clone();
        let status = core.create(spec).await?;
        Ok(Self { core, name, status })
    }

    pub(super) fn find(core: &Arc<Core>, name: &DaemonName) -> Option<Self> {
        let status = core.lock_daemons().get(name)?.clone();
        Some(Self { core: Arc::clone(core), name: name.clone(), status })
    }

    pub(super) fn core(&self) -> &SharedCore {
        &self.core
    }

    /// Its name, unique in the harness.
    pub fn name(&self) -> &DaemonName {
        &self.name
    }

    /// What it is doing now.
    pub fn status(&self) -> DaemonStatus {
        self.status.borrow().clone()
    }

    /// The living process's id; `None` when there is none.
    pub fn pid(&self) -> Option<i32> {
        self.status.borrow().pid
    }

    /// Exit codes that are no failure.
    pub fn success_codes(&self) -> Vec<i32> {
        self.status.borrow().success.clone()
    }

    /// How the newest incarnation that has ended did so.
    pub fn exit_reason(&self) -> Option<ExitReason> {
        let status = self.status.borrow();
        status.incarnations.iter().rev().find_map(|one| one.exited).map(|(_, exit)| exit)
    }

    /// Spawns it; done as soon as it has been spawned. A daemon that runs is refused.
    pub async fn run(&self) -> Result<Done, CommandError> {
        self.core.order(&self.name, Request::Run, None, None).await
    }

    /// As [`run`](Self::run), with another specification from this incarnation on.
    pub async fn run_as(&self, spec: DaemonSpec) -> Result<Done, CommandError> {
        self.core.order(&self.name, Request::Run, Some(spec), None).await
    }

    /// SIGTERM to the group, SIGKILL after the grace, and waits. No restart follows. Nothing to do if it does not run.
    ///
    /// The order is given when this is called for the first time to make progress; giving up the wait does not take it back.
    pub async fn terminate(&self, grace: Grace) -> Result<Option<Done>, CommandError> {
        no_op_if_dead(self.core.order(&self.name, Request::Terminate, None, Some(grace.0)).await)
    }

    /// SIGKILL to the group, and waits. No restart follows. Nothing to do if it does not run.
    pub async fn kill(&self) -> Result<Option<Done>, CommandError> {
        no_op_if_dead(self.core.order(&self.name, Request::Kill, None, None).await)
    }

    /// SIGKILL as a fault, and waits for the death: the restart policy answers it.
    pub async fn crash(&self) -> Result<Done, CommandError> {
        let fault = self.core.next_fault();
        self.core.order(&self.name, Request::Crash { fault }, None, None).await
    }

    /// As [`crash`](Self::crash), as a fault that was already numbered.
    pub async fn crash_as(&self, fault: u32) -> Result<Done, CommandError> {
        self.core.order(&self.name, Request::Crash { fault }, None, None).await
    }

    /// Terminates and runs it again, with the same arguments and event levels, and waits until it is ready.
    pub async fn restart(&self) -> Result<Done, InitError> {
        let done = self.restart_as(None, None).await?;
        self.wait_for_ready().await.map_err(InitError::not_ready)?;
        Ok(done)
    }

    /// Terminates and spawns it again, without waiting until it is ready.
    pub async fn restart_as(
        &self,
        spec: Option<DaemonSpec>,
        grace: Option<Grace>,
    ) -> Result<Done, CommandError> {
        let grace = grace.map(|grace| grace.0);
        self.core.order(&self.name, Request::Restart, spec, grace).await
    }

    /// SIGSTOP to the group.
    pub async fn pause(&self) -> Result<Done, CommandError> {
        self.core.order(&self.name, Request::Pause, None, None).await
    }

    /// SIGCONT to the group.
    pub async fn resume(&self) -> Result<Done, CommandError> {
        self.core.order(&self.name, Request::Resume, None, None).await
    }

    /// Any signal to the group. A death by it is judged by the restart policy.
    pub async fn signal(&self, signal: i32) -> Result<Done, CommandError> {
        self.core.order(&self.name, Request::Signal(signal), None, None).await
    }

    /// The end of the log now.
    pub fn mark(&self) -> Seq {
        self.core.log_end.get()
    }

    /// The newest incarnation's first record; `None` before the first run.
    pub fn first(&self) -> Option<Seq> {
        self.status.borrow().first
    }

    /// Begins a wait for an event of this daemon, counting from now on.
    ///
    /// The position is taken here, synchronously: what happens between this call and the await is not missed. On a daemon
    /// that has never run the wait is pending; on one that is finally dead it fails at once, unless history satisfies it.
    pub fn wait_for(&self, event: &str) -> WaitFor {
        WaitFor::new(Arc::clone(&self.core), self.name.clone(), event)
    }

    /// Resolves when it has been run once more: for a daemon that is dead now, on which a wait would fail at once.
    ///
    /// The count of its runs is read when this is first polled. What the run has said by then is found
    /// with [`since`](WaitFor::since) its [`first`](Self::first) record.
    pub async fn next_run(&self) -> Result<Self, WaitError> {
        let mut status = self.status.clone();
        let runs = status.borrow().incarnations.len();
        let spawned = async move {
            let again = status.wait_for(|status| status.incarnations.len() > runs);
            tokio::time::timeout(DEFAULT_TIMEOUT, again).await.map(|status| status.is_ok())
        };
        match self.core.run(spawned).await {
            Some(Ok(true)) => Ok(self.clone()),
            Some(Err(_)) => {
                let wanted = Unfulfilled {
                    daemons: vec![self.name.clone()],
                    event: lifecycle_names::SPAWNED.to_owned(),
                    r#where: None,
                    count: 1,
                };
                Err(WaitError::TimedOut { wanted, after: DEFAULT_TIMEOUT, miss: Box::default() })
            }
            Some(Ok(false)) | None => Err(WaitError::ShuttingDown),
        }
    }

    /// Waits until the present incarnation is ready; at once if it is. One that has never run is waited for.
    pub async fn wait_for_ready(&self) -> Result<Event, WaitError> {
        self.wait_for_ready_within(DEFAULT_TIMEOUT).await
    }

    /// As [`wait_for_ready`](Self::wait_for_ready), at most this long.
    pub async fn wait_for_ready_within(&self, timeout: Duration) -> Result<Event, WaitError> {
        // Taken first: what is told ready after the status was read comes after it.
        let now = self.mark();
        let status = self.status();
        let from = match status.state {
            State::NeverRun => Seq::default(),
            State::Running { .. } => status.first.unwrap_or_default(),
            // The incarnation that was ready is not the one that is waited for.
            _ => now,
        };
        self.lifecycle(lifecycle_names::READY, from, timeout).await
    }

    /// Waits until it has exited, at once if it has since `since`. The payload has `code`, `signal`, `cause`, `verdict`.
    pub async fn wait_for_exit(&self, since: Seq, timeout: Duration) -> Result<Event, WaitError> {
        self.lifecycle(lifecycle_names::EXITED, since, timeout).await
    }

    async fn lifecycle(
        &self,
        name: &'static str,
        from: Seq,
        timeout: Duration,
    ) -> Result<Event, WaitError> {
        let wanted = Wanted {
            sources: vec![(self.name.clone(), from)],
            event: NamePattern::Exact(name.into()),
            test: Test::Any,
            count: 1,
        };
        self.core.wait(wanted, timeout).await
    }

    /// Calls this with every event from now on, in the harness's thread; it must be quick. A panic in it is logged and ends it.
    pub fn on_event(&self, call: impl FnMut(&Event) + Send + 'static) {
        observe::call(&self.core, Some(self.name.clone()), false, call);
    }

    /// Every event from now on, for a blocking test thread. What does not fit into `capacity` is counted, not waited for.
    pub fn events(&self, capacity: usize) -> EventReceiver {
        observe::receive(&self.core, Some(self.name.clone()), capacity)
    }

    /// Logs every event from now on, at level info of `tracing`, with its payload shortened to `max_length` bytes. What
    /// becomes of it is up to the subscriber that the test has set.
    pub fn log_events(&self, max_length: usize) {
        observe::log(&self.core, &self.name, max_length);
    }
}

/// As Tezt does: ending what does not run is no error.
fn no_op_if_dead(done: Result<Done, CommandError>) -> Result<Option<Done>, CommandError> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(CommandError::Refused { refused: Refused::NotRunning { .. }, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
