//! One daemon: an accuser, a node, any process. Owns its process group and its lifecycle state.
//!
//! One shell serves all kinds: what is particular to an accuser or a node was worked out into its [`DaemonSpec`], and
//! what may happen when is decided by [`Lifecycle`]. This actor carries the decisions out, and brings facts back:
//!
//! ```text
//! Order ──► Lifecycle::request ──► Action ──► prepare, spawn, signal, drain, wait
//!                                                │
//!           Lifecycle::observe ◄── fact ◄────────┘   (a message to itself, with its incarnation)
//! ```
//!
//! At a death the order is always: exit seen, rest of the group killed, pipes drained and published, reaped, judged by
//! the supervisor, `tribunal.exited` appended, waits failed if it is final, orders answered.

mod death;
mod inspect;
mod ready;
mod spawn;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use actix::SpawnHandle;
use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, Recipient};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

pub(crate) use self::death::{Judge, SettlePipes};
pub(crate) use self::inspect::{Backlogs, GaugePipes};
pub(crate) use self::spawn::{pipe_path, surround};
use super::command::{CommandError, Done};
use super::event_bus::{Append, EventBus, LogEnd};
use super::event_pipe::EventPipe;
use super::latch::{PanicGuard, PanicLatch};
use crate::daemon::lifecycle::{Action, Fact, Lifecycle, Request, State};
use crate::daemon::{DaemonSpec, ExitCause, ExitReason, Incarnation, Preparation};
use crate::event::Seq;
use crate::event::waiters::WaiterId;
use crate::host::guardian::Guardian;
use crate::host::pipe::PipeBudget;
use crate::host::ports::Ports;
use crate::host::process::Process;

/// What all daemons of a harness share; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Owned by the harness's thread; gone when the run is over.
    pub(crate) guardian: Weak<Guardian>,
    pub(crate) budget: PipeBudget,
    pub(crate) ports: Arc<Mutex<Ports>>,
    pub(crate) temp_dir: PathBuf,
    /// Environment that every process of the run gets: the marker, and PATH with the run's programs first.
    pub(crate) env: Arc<[(OsString, OsString)]>,
    pub(crate) log_end: LogEnd,
    pub(crate) waiter_ids: WaiterIds,
    pub(crate) latch: PanicLatch,
}

/// Gives every wait of a harness a number of its own; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct WaiterIds(Arc<std::sync::atomic::AtomicU64>);

impl WaiterIds {
    pub(crate) fn next(&self) -> WaiterId {
        WaiterId(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

/// What a daemon is doing, for whoever looks.
#[derive(Clone, Debug)]
pub struct DaemonStatus {
    pub state: State,
    /// The newest incarnation's number, also of one that did not come about; 0 before the first run.
    pub incarnation: Incarnation,
    /// Exit codes that are no failure.
    pub success: Vec<i32>,
    /// Of the living incarnation.
    pub pid: Option<i32>,
    /// Where the newest incarnation's first record stands in the log.
    pub first: Option<Seq>,
    /// Every incarnation that was spawned, oldest first.
    pub incarnations: Vec<IncarnationStatus>,
}

/// One run of a daemon, for reports.
#[derive(Clone, Debug)]
pub struct IncarnationStatus {
    pub number: Incarnation,
    pub pid: i32,
    pub started: Instant,
    pub exited: Option<(Instant, ExitReason)>,
    /// The restart policy answered its death with another one.
    pub restarted: bool,
}

#[derive(Debug)]
pub(crate) struct Daemon {
    spec: DaemonSpec,
    lifecycle: Lifecycle,
    bus: Addr<EventBus>,
    judge: Recipient<Judge>,
    around: Surroundings,
    status: watch::Sender<DaemonStatus>,
    /// The living incarnation's process, unreaped.
    process: Option<Process>,
    /// One for each source of the living incarnation.
    pipes: Vec<Addr<EventPipe>>,
    /// Answered when the next incarnation has been spawned, or not.
    starters: Vec<Port>,
    /// Answered when the death under way has been judged.
    enders: Vec<(Port, Seq)>,
    /// Told when the death under way has been judged, and so all that was written has been read.
    settlers: Vec<oneshot::Sender<()>>,
    /// What the newest incarnation was prepared by.
    prepared: Vec<Preparation>,
    /// Preparation, back-off or grace under way.
    pending: Option<SpawnHandle>,
    grace: Duration,
    /// When SIGKILL follows the SIGTERM that is on its way.
    grace_until: Option<Instant>,
    /// The newest incarnation that was told to be ready.
    announced: Incarnation,
    /// The test has run it again itself: its next death is judged with a fresh budget, by the present policy.
    fresh_budget: bool,
    /// The next incarnation answers a death, not the test.
    restarting_by_policy: bool,
    /// Said before it was ready that its address is in use.
    address_in_use: Option<Incarnation>,
    /// It was already run once more because of that, since the test last ran it.
    tried_again: bool,
    _guard: PanicGuard,
}

/// Where an order's answer goes.
type Port = oneshot::Sender<Result<Done, CommandError>>;

impl Daemon {
    pub(crate) fn new(
        spec: DaemonSpec,
        bus: Addr<EventBus>,
        judge: Recipient<Judge>,
        around: Surroundings,
    ) -> (Self, watch::Receiver<DaemonStatus>) {
        let lifecycle = Lifecycle::new();
        let status = DaemonStatus {
            state: lifecycle.state(),
            incarnation: lifecycle.incarnation(),
            success: spec.success.clone(),
            pid: None,
            first: None,
            incarnations: Vec::new(),
        };
        let (status, receiver) = watch::channel(status);
        let guard = around.latch.guard("Daemon");
        let grace = spec.grace;
        let daemon = Self {
            spec,
            lifecycle,
            bus,
            judge,
            around,
            status,
            process: None,
            pipes: Vec::new(),
            starters: Vec::new(),
            enders: Vec::new(),
            settlers: Vec::new(),
            prepared: Vec::new(),
            pending: None,
            grace,
            grace_until: None,
            announced: Incarnation::default(),
            fresh_budget: false,
            restarting_by_policy: false,
            address_in_use: None,
            tried_again: false,
            _guard: guard,
        };
        (daemon, receiver)
    }

    /// Hands a fact to the lifecycle and carries out what follows. A stale fact changes nothing.
    fn observe(&mut self, fact: Fact, ctx: &mut Context<Self>) {
        match self.lifecycle.observe(fact) {
            Ok(action) => self.carry_out(action, ctx),
            Err(unexpected) => {
                tracing::debug!(daemon = %self.spec.name, %unexpected, "fact dropped");
            }
        }
        self.show_state();
    }

    fn carry_out(&mut self, action: Action, ctx: &mut Context<Self>) {
        match action {
            // The last two are told to the bus where the record of the death is appended.
            Action::Nothing | Action::Finish | Action::GiveUp => {}
            Action::Prepare(incarnation) => self.prepare(incarnation, ctx),
            Action::Terminate => self.ask_to_end(ctx),
            Action::Kill => self.kill(),
            Action::Pause => self.signal(nix_signal::STOP),
            Action::Resume => self.signal(nix_signal::CONT),
            Action::Signal(signal) => self.signal(signal),
            Action::Drain(reason) => self.drain(reason, ctx),
            Action::RestartAt(at) => self.restart_at(at, ctx),
            Action::Cancel => self.cancel(ctx),
        }
    }

    fn ask_to_end(&mut self, ctx: &mut Context<Self>) {
        self.signal(nix_signal::TERM);
        // A stopped process gets its SIGTERM only when it goes on.
        self.signal(nix_signal::CONT);
        self.grace_until = None;
        self.arm_grace(ctx);
    }

    /// SIGKILL after the grace, or earlier if that had been said before.
    fn arm_grace(&mut self, ctx: &mut Context<Self>) {
        self.cancel_pending(ctx);
        let now = Instant::now();
        let latest = now + self.grace.min(LONGEST_GRACE);
        let until = self.grace_until.map_or(latest, |until| until.min(latest));
        self.grace_until = Some(until);
        let incarnation = self.lifecycle.incarnation();
        self.pending =
            Some(ctx.run_later(until.saturating_duration_since(now), move |daemon, ctx| {
                daemon.pending = None;
                daemon.observe(Fact::GraceOver { incarnation }, ctx);
            }));
    }

    fn kill(&mut self) {
        self.signal(nix_signal::KILL);
    }

    fn signal(&mut self, signal: i32) {
        if let Some(process) = &self.process
            && let Err(error) = process.signal_group(signal)
        {
            tracing::error!(daemon = %self.spec.name, %error, "signal not sent");
        }
    }

    fn restart_at(&mut self, at: Instant, ctx: &mut Context<Self>) {
        self.restarting_by_policy = true;
        let incarnation = self.lifecycle.incarnation();
        let delay = at.saturating_duration_since(Instant::now());
        self.pending = Some(ctx.run_later(delay, move |daemon, ctx| {
            daemon.pending = None;
            daemon.observe(Fact::BackoffOver { incarnation }, ctx);
        }));
    }

    fn cancel_pending(&mut self, ctx: &mut Context<Self>) {
        if let Some(pending) = self.pending.take() {
            ctx.cancel_future(pending);
        }
    }

    /// A preparation or back-off was called off: it is as dead as it was, now finally.
    fn cancel(&mut self, ctx: &mut Context<Self>) {
        self.cancel_pending(ctx);
        self.restarting_by_policy = false;
        self.refuse_starters();
        self.close(Vec::new(), None);
    }

    fn refuse_starters(&mut self) {
        for starter in self.starters.drain(..) {
            // Who asked may have gone on.
            let _ = starter.send(Err(CommandError::Cancelled { daemon: self.spec.name.clone() }));
        }
    }

    fn append(&self, event: &'static str, value: Value, reply: Option<oneshot::Sender<Seq>>) {
        let incarnation = self.lifecycle.incarnation();
        let daemon = self.spec.name.clone();
        self.bus.do_send(Append { daemon, incarnation, event, value, reply });
    }

    fn show_state(&self) {
        let state = self.lifecycle.state();
        let pid = self.process.as_ref().map(Process::pid);
        self.status.send_if_modified(|status| {
            let changed = status.state != state || status.pid != pid;
            status.state = state;
            status.incarnation = self.lifecycle.incarnation();
            status.pid = pid;
            changed
        });
    }
}

/// No grace is longer, so that adding one to a time cannot overflow.
const LONGEST_GRACE: Duration = Duration::from_hours(365 * 24);

/// Signal numbers that the lifecycle's actions mean (signal(7)).
mod nix_signal {
    pub(super) const KILL: i32 = 9;
    pub(super) const TERM: i32 = 15;
    pub(super) const CONT: i32 = 18;
    pub(super) const STOP: i32 = 19;
}

impl Actor for Daemon {
    type Context = Context<Self>;
}

/// A request of the test, from the supervisor only.
///
/// `Run` and `Restart` are answered when the new incarnation has been spawned, `Terminate`, `Kill`, `Crash` and
/// `Shutdown` when the death has been judged, the others at once.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Order {
    pub(crate) request: Request,
    /// Replaces the specification from the next incarnation on.
    pub(crate) spec: Option<Box<DaemonSpec>>,
    /// Replaces the specification's grace, this time.
    pub(crate) grace: Option<Duration>,
    pub(crate) reply: Port,
}

impl Handler<Order> for Daemon {
    type Result = ();

    fn handle(&mut self, order: Order, ctx: &mut Context<Self>) {
        let Order { request, spec, grace, reply } = order;
        let position = self.around.log_end.get();
        let was_ending =
            matches!(self.lifecycle.state(), State::Ending { .. } | State::Draining { .. });
        let action = match self.lifecycle.request(request) {
            Ok(action) => action,
            Err(refused) => {
                let daemon = self.spec.name.clone();
                // Who asked may have gone on.
                let _ = reply.send(Err(CommandError::Refused { daemon, refused }));
                return;
            }
        };
        if let Some(spec) = spec {
            self.status.send_modify(|status| status.success.clone_from(&spec.success));
            self.spec = *spec;
        }
        self.grace = grace.unwrap_or(self.spec.grace);
        match request {
            Request::Run | Request::Restart => {
                self.tried_again = false;
                self.restarting_by_policy = false;
                self.fresh_budget = true;
                self.starters.push(reply);
            }
            Request::Terminate | Request::Kill | Request::Crash { .. } | Request::Shutdown
                if was_ending || matches!(action, Action::Terminate | Action::Kill) =>
            {
                self.enders.push((reply, position));
            }
            _ => {
                let done = self.done(position, None);
                // As above.
                let _ = reply.send(Ok(done));
            }
        }
        if action == Action::Kill {
            self.cancel_pending(ctx);
        } else if request == Request::Shutdown
            && matches!(self.lifecycle.state(), State::Ending { cause: ExitCause::Terminate, .. })
            && action == Action::Nothing
        {
            self.arm_grace(ctx);
        }
        self.carry_out(action, ctx);
        self.show_state();
    }
}

impl Daemon {
    fn done(&self, position: Seq, exit: Option<ExitReason>) -> Done {
        Done {
            position,
            incarnation: self.lifecycle.incarnation(),
            pid: self.process.as_ref().map(Process::pid),
            exit,
        }
    }
}

/// Stops the actor; its process, if any is left, is killed and reaped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Retire;

impl Handler<Retire> for Daemon {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
