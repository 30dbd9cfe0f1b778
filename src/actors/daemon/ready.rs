//! Readiness: only what this incarnation itself says or does counts.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use serde_json::json;
use tokio::sync::oneshot;

use super::Daemon;
use crate::actors::event_bus::Register;
use crate::daemon::lifecycle::{Fact, State};
use crate::daemon::{ExitStatus, Incarnation, Readiness};
use crate::event::waiters::{Test, Wait, subject};
use crate::event::{Event, NamePattern, lifecycle_names};
use crate::host::http;
use crate::predicate::Truth;

/// Between two attempts to reach a port or URL.
const PROBE_EVERY: Duration = Duration::from_millis(20);

impl Daemon {
    /// Begins to look for the sign of readiness. `Stdout` is watched by the pipe, `Exit` by the exit.
    pub(super) fn await_ready(&mut self, incarnation: Incarnation, ctx: &mut Context<Self>) {
        match self.spec.ready.clone() {
            Readiness::Spawned => self.became_ready(incarnation, ctx),
            Readiness::Event { .. } => self.await_ready_event(incarnation, ctx),
            Readiness::Tcp(address) => {
                let reached = async move {
                    while !http::accepts(&address).await {
                        tokio::time::sleep(PROBE_EVERY).await;
                    }
                };
                self.ready_after(reached, incarnation, ctx);
            }
            Readiness::Http(url) => {
                let answered = async move {
                    while !http::answers(&url).await {
                        tokio::time::sleep(PROBE_EVERY).await;
                    }
                };
                self.ready_after(answered, incarnation, ctx);
            }
            Readiness::Stdout(_) | Readiness::Exit(_) => {}
        }
    }

    fn await_ready_event(&mut self, incarnation: Incarnation, ctx: &mut Context<Self>) {
        let Readiness::Event { name, predicate } = self.spec.ready.clone() else {
            return;
        };
        // What an older incarnation's leftovers still write must not count.
        let own = move |event: &Event| {
            event.incarnation == incarnation
                && predicate
                    .as_ref()
                    .is_none_or(|predicate| predicate.test(&subject(event), &()) == Truth::True)
        };
        let wait = Wait {
            sources: vec![(self.spec.name.clone(), self.around.log_end.get())],
            event: NamePattern::Exact(name),
            test: Test::Closure(Box::new(own)),
            missing: 1,
        };
        let (reply, seen) = oneshot::channel();
        let id = self.around.waiter_ids.next();
        self.bus.do_send(Register { id, wait, timeout: self.spec.ready_within, reply });
        ctx.spawn(seen.into_actor(self).map(move |seen, daemon, ctx| {
            if let Ok(Ok(_)) = seen {
                daemon.became_ready(incarnation, ctx);
            }
        }));
    }

    fn ready_after(
        &mut self,
        sign: impl Future<Output = ()> + 'static,
        incarnation: Incarnation,
        ctx: &mut Context<Self>,
    ) {
        let limited = tokio::time::timeout(self.spec.ready_within, sign);
        ctx.spawn(limited.into_actor(self).map(move |sign, daemon, ctx| {
            if sign.is_ok() {
                daemon.became_ready(incarnation, ctx);
            }
        }));
    }

    pub(super) fn ready_by_exit(
        &mut self,
        incarnation: Incarnation,
        status: ExitStatus,
        ctx: &mut Context<Self>,
    ) {
        if let Readiness::Exit(code) = self.spec.ready
            && status == ExitStatus::Code(code)
        {
            self.became_ready(incarnation, ctx);
        }
    }

    pub(super) fn became_ready(&mut self, incarnation: Incarnation, ctx: &mut Context<Self>) {
        // It may say so with its last words, which are read before its death is told.
        let is_there = matches!(
            self.lifecycle.state(),
            State::Running { .. } | State::Ending { .. } | State::Draining { .. }
        );
        let is_news = incarnation == self.lifecycle.incarnation() && incarnation != self.announced;
        if is_there && is_news {
            self.announced = incarnation;
            self.observe(Fact::Ready { incarnation }, ctx);
            self.append(lifecycle_names::READY, json!({ "incarnation": incarnation }), None);
        }
    }
}
