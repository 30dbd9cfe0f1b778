//! Waits: registered, resolved, and failed with what is known.

use std::time::{Duration, Instant};

use actix::{AsyncContext, Context, Handler, Message};
use tokio::sync::oneshot;

use super::EventBus;
use crate::daemon::{DaemonName, ExitReason};
use crate::event::history::Missed;
use crate::event::miss::Miss;
use crate::event::waiters::{Bound, Test, Wait, WaiterId};
use crate::event::{Event, NamePattern, Seq, lifecycle_names};

/// Where a wait's one answer goes.
pub(crate) type Reply = oneshot::Sender<Result<Event, Failed>>;

/// A wait that ended without its event.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) why: Why,
    /// What was searched; `None` when nothing could be.
    pub(crate) miss: Option<Miss>,
}

#[derive(Debug)]
pub(crate) enum Why {
    TimedOut {
        after: Duration,
    },
    /// All that it could wait for is finally dead.
    Dead(Vec<(DaemonName, Death)>),
    ShuttingDown,
    /// What was recorded cannot be read back.
    Recording {
        reason: String,
    },
}

/// Why a daemon is finally dead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Death {
    /// `None` when it could not even be spawned.
    pub(crate) exit: Option<ExitReason>,
    /// Every death that spent the restart budget; empty unless it was given up.
    pub(crate) gave_up: Vec<ExitReason>,
    /// Why it could not be spawned.
    pub(crate) spawn_error: Option<String>,
    pub(crate) last_lines: Vec<String>,
}

/// What the bus keeps of a wait until it has answered.
#[derive(Debug)]
pub(super) struct Port {
    reply: Reply,
    after: Duration,
    pub(super) since: Instant,
    pub(super) deadline: Instant,
    /// The deadline passed while history was still being scanned: where the log ended then. What came later is too late.
    pub(super) expired: Option<Seq>,
    pub(super) sources: Vec<(DaemonName, Seq)>,
    pub(super) event: NamePattern,
    pub(super) bound: Option<Bound>,
}

impl Port {
    pub(super) fn missed(&self) -> Missed<'_> {
        Missed { sources: &self.sources, event: &self.event, bound: self.bound.as_ref() }
    }

    /// It was to be judged on history alone, without waiting.
    pub(super) fn is_look_back(&self) -> bool {
        self.after.is_zero()
    }

    pub(super) fn fail(self, why: Why, miss: Option<Miss>) {
        // Who waited may have gone away.
        let _ = self.reply.send(Err(Failed { why, miss }));
    }
}

/// Registers a one-shot wait. Its history counts from the positions in `wait.sources`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Register {
    pub(crate) id: WaiterId,
    pub(crate) wait: Wait,
    /// From now. The wait is judged on its whole history first, however short this is.
    pub(crate) timeout: Duration,
    pub(crate) reply: Reply,
}

impl Handler<Register> for EventBus {
    type Result = ();

    fn handle(&mut self, register: Register, ctx: &mut Context<Self>) {
        let Register { id, wait, timeout, reply } = register;
        let since = Instant::now();
        let deadline = since + timeout.min(LONGEST);
        let bound = match &wait.test {
            Test::Predicate(bound) => Some(bound.clone()),
            Test::Any | Test::Closure(_) => None,
        };
        let port = Port {
            reply,
            after: timeout,
            since,
            deadline,
            expired: timeout.is_zero().then(|| self.next_seq()),
            sources: wait.sources.clone(),
            event: wait.event.clone(),
            bound,
        };
        self.ports.insert(id, port);
        self.deadlines.insert((deadline, id));
        self.arm_deadline(ctx);
        self.look_back(id, wait, ctx);
    }
}

/// Far enough for any test, near enough for the clock.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Withdraws a wait that nobody waits for any more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Unregister(pub(crate) WaiterId);

impl Handler<Unregister> for EventBus {
    type Result = ();

    fn handle(&mut self, unregister: Unregister, _: &mut Context<Self>) {
        self.waiters.remove(unregister.0);
        self.take_port(unregister.0);
    }
}

/// A daemon has been run: waits on it have hope again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Open {
    pub(crate) daemon: DaemonName,
}

impl Handler<Open> for EventBus {
    type Result = ();

    fn handle(&mut self, open: Open, _: &mut Context<Self>) {
        self.deaths.remove(&open.daemon);
        self.waiters.alive_again(&open.daemon);
    }
}

/// A daemon is finally dead, and all it wrote has been published.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Close {
    pub(crate) daemon: DaemonName,
    pub(crate) death: Death,
}

impl Handler<Close> for EventBus {
    type Result = ();

    fn handle(&mut self, close: Close, ctx: &mut Context<Self>) {
        let Close { daemon, mut death } = close;
        death.last_lines = self.tally(&daemon).last_lines();
        self.deaths.insert(daemon.clone(), death);
        for (id, wait) in self.waiters.finally_dead(&daemon) {
            self.fail_as_dead(id, &wait, ctx);
        }
    }
}

impl EventBus {
    pub(super) fn take_port(&mut self, id: WaiterId) -> Option<Port> {
        let port = self.ports.remove(&id)?;
        self.deadlines.remove(&(port.deadline, id));
        Some(port)
    }

    pub(super) fn resolve(&mut self, id: WaiterId, event: Event) {
        if let Some(port) = self.take_port(id) {
            tracing::debug!(daemon = %event.daemon, event = %event.name, seq = %event.seq, "matched");
            // Who waited may have gone away.
            let _ = port.reply.send(Ok(event));
        }
    }

    /// The wait has seen all history: from now on it is offered what comes, unless nothing can come.
    pub(super) fn go_live(&mut self, id: WaiterId, wait: Wait, ctx: &mut Context<Self>) {
        let expired = self.ports.get(&id).is_some_and(|port| port.expired.is_some());
        if expired && !self.waiters.is_hopeless(&wait) {
            self.time_out(id, ctx);
        } else if let Err(wait) = self.waiters.insert(id, wait) {
            self.fail_as_dead(id, &wait, ctx);
        }
    }

    fn fail_as_dead(&mut self, id: WaiterId, wait: &Wait, ctx: &mut Context<Self>) {
        let deaths = wait.sources.iter().filter_map(|(daemon, _)| {
            self.deaths.get(daemon).map(|death| (daemon.clone(), death.clone()))
        });
        let why = Why::Dead(deaths.collect());
        if let Some(port) = self.take_port(id) {
            self.explain(port, why, ctx);
        }
    }

    fn time_out(&mut self, id: WaiterId, ctx: &mut Context<Self>) {
        self.waiters.remove(id);
        if let Some(port) = self.take_port(id) {
            let why = Why::TimedOut { after: port.after };
            self.explain(port, why, ctx);
        }
    }

    fn arm_deadline(&mut self, ctx: &mut Context<Self>) {
        let Some((earliest, _)) = self.deadlines.first() else {
            return;
        };
        if self.deadline_timer.is_some_and(|(at, _)| at <= *earliest) {
            return;
        }
        if let Some((_, timer)) = self.deadline_timer.take() {
            ctx.cancel_future(timer);
        }
        let delay = earliest.saturating_duration_since(Instant::now());
        let at = *earliest;
        let timer = ctx.run_later(delay, |bus, ctx| {
            bus.deadline_timer = None;
            bus.pass_deadlines(ctx);
        });
        self.deadline_timer = Some((at, timer));
    }

    pub(super) fn pass_deadlines(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let end = self.next_seq();
        while let Some((deadline, id)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.deadlines.pop_first();
            let scanning = self.is_scanning(id);
            match self.ports.get_mut(&id) {
                // Its history decides first: the order of events must, not the speed of the scan.
                Some(port) if scanning => port.expired = Some(end),
                Some(_) => self.time_out(id, ctx),
                None => {}
            }
        }
        self.arm_deadline(ctx);
    }

    /// Begins with the history of a wait: from memory for lifecycle records, from the files for events.
    fn look_back(&mut self, id: WaiterId, mut wait: Wait, ctx: &mut Context<Self>) {
        if let NamePattern::Exact(name) = &wait.event
            && lifecycle_names::include(name.as_str())
        {
            let mut past: Vec<Event> = Vec::new();
            for (daemon, from) in &wait.sources {
                if let Some(tally) = self.tallies.get(daemon) {
                    past.extend(tally.lifecycle(daemon, name.as_str(), *from));
                }
            }
            past.sort_by_key(|event| event.seq);
            match past.into_iter().find(|event| wait.judge(event)) {
                Some(event) => self.resolve(id, event),
                None => self.go_live(id, wait, ctx),
            }
        } else if self.history_may_hold(&wait) {
            self.scan_history(id, wait, ctx);
        } else {
            self.go_live(id, wait, ctx);
        }
    }

    fn history_may_hold(&self, wait: &Wait) -> bool {
        wait.sources.iter().any(|(daemon, from)| {
            self.tallies
                .get(daemon)
                .is_some_and(|tally| tally.may_hold(*from, |name| wait.event.matches(name)))
        })
    }
}
