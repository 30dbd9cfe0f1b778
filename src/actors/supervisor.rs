//! The roster of daemons and their restart budgets.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::{oneshot, watch};

use super::command::{CommandError, Done};
use super::daemon::{
    Backlogs, Daemon, DaemonStatus, GaugePipes, Judge, Order, Retire, SettlePipes, Surroundings,
};
use super::event_bus::{EventBus, Introduce};
use super::latch::PanicGuard;
use crate::daemon::lifecycle::Request;
use crate::daemon::restart::{RestartTracker, Verdict};
use crate::daemon::{DaemonName, DaemonSpec, RestartPolicy};

#[derive(Debug)]
pub(crate) struct Supervisor {
    roster: HashMap<DaemonName, Entry>,
    bus: Addr<EventBus>,
    around: Surroundings,
    /// Decides the jitter of every restart of this run.
    seed: u64,
    shutting_down: bool,
    _guard: PanicGuard,
}

#[derive(Debug)]
struct Entry {
    daemon: Addr<Daemon>,
    restarts: RestartTracker,
}

impl Supervisor {
    pub(crate) fn new(bus: Addr<EventBus>, around: Surroundings, seed: u64) -> Self {
        let guard = around.latch.guard("Supervisor");
        Self { roster: HashMap::new(), bus, around, seed, shutting_down: false, _guard: guard }
    }

    fn create(
        &mut self,
        spec: DaemonSpec,
        ctx: &mut Context<Self>,
    ) -> Result<watch::Receiver<DaemonStatus>, CommandError> {
        if self.shutting_down {
            return Err(CommandError::ShuttingDown);
        }
        let name = spec.name.clone();
        if self.roster.contains_key(&name) {
            return Err(CommandError::NameTaken { daemon: name });
        }
        let (kind, envelope) = (spec.kind, spec.envelope.clone());
        self.bus.do_send(Introduce { daemon: name.clone(), kind, envelope });
        let restarts = self.tracker(&name, spec.restart.clone(), spec.success.clone());
        let judge = ctx.address().recipient();
        let (daemon, status) = Daemon::new(spec, self.bus.clone(), judge, self.around.clone());
        self.roster.insert(name, Entry { daemon: daemon.start(), restarts });
        Ok(status)
    }

    fn tracker(
        &self,
        daemon: &DaemonName,
        policy: RestartPolicy,
        success: Vec<i32>,
    ) -> RestartTracker {
        // Each daemon draws from a sequence of its own, whatever the others do.
        let own = daemon.as_str().bytes().fold(self.seed, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        RestartTracker::new(policy, success, own)
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;
}

/// Makes a daemon known. Nothing runs yet.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Create {
    pub(crate) spec: Box<DaemonSpec>,
    pub(crate) reply: oneshot::Sender<Result<watch::Receiver<DaemonStatus>, CommandError>>,
}

impl Handler<Create> for Supervisor {
    type Result = ();

    fn handle(&mut self, create: Create, ctx: &mut Context<Self>) {
        let created = self.create(*create.spec, ctx);
        // Who asked may have gone on.
        let _ = create.reply.send(created);
    }
}

/// Asks one daemon for something: `Run`, `Terminate`, `Kill`, `Crash`, `Restart`, `Pause`, `Resume`, `Signal`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Command {
    pub(crate) daemon: DaemonName,
    pub(crate) order: Order,
}

impl Handler<Command> for Supervisor {
    type Result = ();

    fn handle(&mut self, command: Command, _: &mut Context<Self>) {
        let Command { daemon, order } = command;
        let Some(entry) = self.roster.get(&daemon) else {
            // Who asked may have gone on.
            let _ = order.reply.send(Err(CommandError::Unknown { daemon }));
            return;
        };
        entry.daemon.do_send(order);
    }
}

impl Handler<Judge> for Supervisor {
    type Result = ();

    fn handle(&mut self, judge: Judge, _: &mut Context<Self>) {
        let fresh =
            judge.fresh.map(|(policy, success)| self.tracker(&judge.daemon, policy, success));
        if let (Some(entry), Some(tracker)) = (self.roster.get_mut(&judge.daemon), fresh) {
            entry.restarts = tracker;
        }
        let verdict = match self.roster.get_mut(&judge.daemon) {
            Some(entry) if !self.shutting_down => entry.restarts.decide(judge.exit, Instant::now()),
            _ => Verdict::Final,
        };
        tracing::info!(daemon = %judge.daemon, exit = %judge.exit, ?verdict, "judged");
        // The daemon's actor may have been retired.
        let _ = judge.reply.send(verdict);
    }
}

/// Ends every daemon and refuses new ones; answers when all are dead.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Shutdown {
    /// Between SIGTERM and SIGKILL, at most; zero kills at once.
    pub(crate) grace: Duration,
    pub(crate) reply: oneshot::Sender<()>,
}

impl Handler<Shutdown> for Supervisor {
    type Result = ();

    fn handle(&mut self, shutdown: Shutdown, ctx: &mut Context<Self>) {
        self.shutting_down = true;
        let ends: Vec<oneshot::Receiver<Result<Done, CommandError>>> = self
            .roster
            .values()
            .flat_map(|entry| {
                let requests: &[Request] = if shutdown.grace.is_zero() {
                    &[Request::Shutdown, Request::Kill]
                } else {
                    &[Request::Shutdown]
                };
                requests.iter().map(|request| {
                    let (reply, ended) = oneshot::channel();
                    let grace = Some(shutdown.grace);
                    entry.daemon.do_send(Order { request: *request, spec: None, grace, reply });
                    ended
                })
            })
            .collect();
        let all = async move {
            for ended in ends {
                // One that does not run refuses, which is as good.
                let _ = ended.await;
            }
        };
        ctx.spawn(all.into_actor(self).map(move |(), supervisor, _| {
            for (_, entry) in supervisor.roster.drain() {
                entry.daemon.do_send(Retire);
            }
            // Who asked may have gone on.
            let _ = shutdown.reply.send(());
        }));
    }
}

/// Has every pipe of every daemon read what it holds now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Settle {
    pub(crate) reply: oneshot::Sender<()>,
}

impl Handler<Settle> for Supervisor {
    type Result = ();

    fn handle(&mut self, settle: Settle, ctx: &mut Context<Self>) {
        let settled: Vec<_> = self
            .roster
            .values()
            .map(|entry| {
                let (reply, settled) = oneshot::channel();
                entry.daemon.do_send(SettlePipes { reply });
                settled
            })
            .collect();
        let all = async move {
            for one in settled {
                // A daemon that is gone has nothing more to say.
                let _ = one.await;
            }
            // Who asked may have gone on.
            let _ = settle.reply.send(());
        };
        ctx.spawn(all.into_actor(self));
    }
}

/// Asks how full every daemon's pipes are.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Inspect {
    pub(crate) reply: oneshot::Sender<Backlogs>,
}

impl Handler<Inspect> for Supervisor {
    type Result = ();

    fn handle(&mut self, inspect: Inspect, ctx: &mut Context<Self>) {
        let gauged: Vec<_> = self
            .roster
            .iter()
            .map(|(name, entry)| {
                let (reply, gauged) = oneshot::channel();
                entry.daemon.do_send(GaugePipes { reply });
                (name.clone(), gauged)
            })
            .collect();
        let all = async move {
            let mut backlogs = Backlogs::new();
            for (name, one) in gauged {
                // A daemon that is gone has no pipes.
                backlogs.insert(name, one.await.unwrap_or_default());
            }
            // Who asked may have gone on.
            let _ = inspect.reply.send(backlogs);
        };
        ctx.spawn(all.into_actor(self));
    }
}
