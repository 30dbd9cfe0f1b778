//! The end of an incarnation, in its one order.

use std::sync::PoisonError;
use std::time::Instant;

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Daemon;
use crate::actors::event_bus::{Close, Death};
use crate::actors::event_pipe::{Drain, EventPipe};
use crate::daemon::lifecycle::{Action, Fact, State};
use crate::daemon::restart::Verdict;
use crate::daemon::{DaemonName, ExitCause, ExitReason, RestartPolicy};
use crate::event::lifecycle_names;
use crate::host::ports;

/// An incarnation has ended; asks the supervisor what follows.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Judge {
    pub(crate) daemon: DaemonName,
    pub(crate) exit: ExitReason,
    /// The policy and the success codes to judge by from now on, with a fresh budget.
    pub(crate) fresh: Option<(RestartPolicy, Vec<i32>)>,
    pub(crate) reply: oneshot::Sender<Verdict>,
}

/// Has every pipe of the living incarnation read what it holds now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SettlePipes {
    pub(crate) reply: oneshot::Sender<()>,
}

impl Handler<SettlePipes> for Daemon {
    type Result = ();

    fn handle(&mut self, settle: SettlePipes, ctx: &mut Context<Self>) {
        // A death under way settles them, and must not be disturbed.
        if matches!(self.lifecycle.state(), State::Draining { .. }) {
            self.settlers.push(settle.reply);
            return;
        }
        let drained = self.drain_pipes(false);
        let all = async move {
            for one in drained {
                // A pipe that is gone has nothing more to say.
                let _ = one.await;
            }
            // Who asked may have gone on.
            let _ = settle.reply.send(());
        };
        ctx.spawn(all.into_actor(self));
    }
}

impl Daemon {
    fn drain_pipes(&self, last: bool) -> Vec<oneshot::Receiver<()>> {
        let drain = |pipe: &Addr<EventPipe>| {
            let (reply, drained) = oneshot::channel();
            pipe.do_send(Drain { last, reply });
            drained
        };
        self.pipes.iter().map(drain).collect()
    }

    /// The leader has exited and is not reaped: its group's number is still ours to kill.
    pub(super) fn drain(&mut self, exit: ExitReason, ctx: &mut Context<Self>) {
        self.cancel_pending(ctx);
        self.kill();
        let drained = self.drain_pipes(true);
        let all = async move {
            for drained in drained {
                // A pipe that is gone has nothing more to say.
                let _ = drained.await;
            }
        };
        ctx.spawn(all.into_actor(self).map(move |(), daemon, ctx| daemon.reap(exit, ctx)));
    }

    fn reap(&mut self, exit: ExitReason, ctx: &mut Context<Self>) {
        if let Some(process) = self.process.take() {
            process.reap();
        }
        // The pipes live on by themselves, as long as something that escaped holds them.
        self.pipes.clear();
        let ended = (Instant::now(), exit);
        self.status.send_modify(|status| {
            if let Some(last) = status.incarnations.last_mut() {
                last.exited = Some(ended);
            }
        });
        if self.address_was_in_use(&exit) {
            self.judged(exit, Verdict::Restart { after: std::time::Duration::ZERO }, ctx);
            return;
        }
        let (reply, verdict) = oneshot::channel();
        let fresh = std::mem::take(&mut self.fresh_budget)
            .then(|| (self.spec.restart.clone(), self.spec.success.clone()));
        self.judge.do_send(Judge { daemon: self.spec.name.clone(), exit, fresh, reply });
        // Without a supervisor nothing restarts anything.
        let verdict = async move { verdict.await.unwrap_or(Verdict::Final) };
        ctx.spawn(verdict.into_actor(self).map(move |verdict, daemon, ctx| {
            daemon.judged(exit, verdict, ctx);
        }));
    }

    /// Whether it is to be tried once more, the ports that we held for it released: it may be a server that does not set
    /// `SO_REUSEADDR`, to which a held port is a taken one.
    fn address_was_in_use(&mut self, exit: &ExitReason) -> bool {
        let in_use = self.address_in_use == Some(exit.incarnation)
            && exit.cause == ExitCause::Itself
            && !self.tried_again;
        if in_use {
            self.tried_again = true;
            let released = self.release_ports();
            tracing::warn!(daemon = %self.spec.name, ?released, "its address was in use; it is tried once more");
        }
        in_use
    }

    /// Gives up the ports of this run that the daemon's command line or environment names.
    fn release_ports(&self) -> Vec<u16> {
        let mut ports = self.around.ports.lock().unwrap_or_else(PoisonError::into_inner);
        let named: Vec<u16> =
            ports.iter().map(|(_, port)| port).filter(|port| self.names_port(*port)).collect();
        named.into_iter().filter(|port| ports.release_number(*port)).collect()
    }

    fn names_port(&self, port: u16) -> bool {
        let command = &self.spec.command;
        let words = command.args.iter().chain(command.env.values());
        let port = port.to_string();
        words
            .map(|word| word.to_string_lossy())
            .any(|word| word.split(|c: char| !c.is_ascii_digit()).any(|number| number == port))
    }

    /// Who has the port that the daemon could not have, as far as that can be seen.
    fn port_holder(&self) -> Option<Value> {
        let ports = self.around.ports.lock().unwrap_or_else(PoisonError::into_inner);
        let named = ports.iter().map(|(_, port)| port).filter(|port| self.names_port(*port));
        named.into_iter().find_map(|port| {
            let holder = ports::holder(port)?;
            Some(json!({ "port": port, "pid": holder.pid, "comm": holder.comm }))
        })
    }

    fn judged(&mut self, exit: ExitReason, verdict: Verdict, ctx: &mut Context<Self>) {
        let deaths = match &verdict {
            Verdict::GaveUp { deaths } => deaths.iter().map(|death| death.reason).collect(),
            Verdict::Final | Verdict::Restart { .. } => Vec::new(),
        };
        let fact = Fact::Drained { incarnation: exit.incarnation, verdict, now: Instant::now() };
        let action = match self.lifecycle.observe(fact) {
            Ok(action) => action,
            Err(unexpected) => {
                tracing::error!(daemon = %self.spec.name, %unexpected, "a death was judged twice");
                return;
            }
        };
        let restarted = matches!(action, Action::RestartAt(_));
        self.status.send_modify(|status| {
            if let Some(last) = status.incarnations.last_mut() {
                last.restarted = restarted;
            }
        });
        self.append_exited(&exit, action, ctx);
        match action {
            Action::GiveUp => {
                let deaths_value: Vec<Value> = deaths.iter().map(ExitReason::to_record).collect();
                self.append(lifecycle_names::GAVE_UP, json!({ "deaths": deaths_value }), None);
                self.close(deaths, None);
            }
            action if action.is_final() => self.close(Vec::new(), None),
            _ => {}
        }
        if action.is_final() {
            // A restart that somebody else's terminate has overtaken.
            self.refuse_starters();
        }
        self.show_state();
        self.carry_out(action, ctx);
        for settled in self.settlers.drain(..) {
            // Who asked may have gone on.
            let _ = settled.send(());
        }
    }

    /// Appends the record and answers, with its position, those who ordered the death.
    fn append_exited(&mut self, exit: &ExitReason, action: Action, ctx: &mut Context<Self>) {
        let mut value = exit.to_record();
        value["verdict"] = if action.is_final() { "final" } else { "restarting" }.into();
        if self.address_in_use == Some(exit.incarnation) {
            value["address_in_use"] = self.port_holder().unwrap_or(Value::Bool(true));
        }
        let (reply, appended) = oneshot::channel();
        let incarnation = exit.incarnation;
        let daemon = self.spec.name.clone();
        self.bus.do_send(crate::actors::event_bus::Append {
            daemon,
            incarnation,
            event: lifecycle_names::EXITED,
            value,
            reply: Some(reply),
        });
        let enders = std::mem::take(&mut self.enders);
        let exit = *exit;
        ctx.spawn(appended.into_actor(self).map(move |appended, daemon, _| {
            for (port, sent_at) in enders {
                let position = match (exit.cause, &appended) {
                    (ExitCause::Kill | ExitCause::Crash { .. }, Ok(exited)) => *exited,
                    _ => sent_at,
                };
                let mut done = daemon.done(position, Some(exit));
                done.incarnation = exit.incarnation;
                // Who asked may have gone on.
                let _ = port.send(Ok(done));
            }
        }));
    }

    /// Tells the bus that waits on this daemon have nothing more to hope for. One that has never run stays pending.
    pub(super) fn close(&self, gave_up: Vec<ExitReason>, spawn_error: Option<String>) {
        if self.lifecycle.state() == State::NeverRun {
            return;
        }
        let exit = self.lifecycle.last_exit();
        let death = Death { exit, gave_up, spawn_error, last_lines: Vec::new() };
        self.bus.do_send(Close { daemon: self.spec.name.clone(), death });
    }
}
