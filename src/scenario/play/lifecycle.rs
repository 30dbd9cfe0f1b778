//! Lifecycle verbs: start, run, ready, terminate, kill, crash, restart, pause, resume, signal, exited.

use std::time::{Duration, Instant};

use super::branch::Branch;
use super::roster::Handle;
use super::side_by_side::{Local, all_or_first_failure};
use super::stage::Stage;
use super::track::StepId;
use super::trouble::Trouble;
use crate::daemon::lifecycle::State;
use crate::daemon::{DaemonName, ExitCause, ExitStatus, signal_number};
use crate::event::waiters::Test;
use crate::event::{NamePattern, Seq, lifecycle_names};
use crate::harness::{Done, Grace, Wanted};
use crate::scenario::model::{Act, ExitWanted, Exited, Lifecycle};
use crate::scenario::result::{FailureKind, FaultResult};
use crate::scenario::values::Text;

/// Where a lifecycle act leaves the cursor.
struct Moved {
    daemon: DaemonName,
    position: Option<Seq>,
    /// It is dead now, and what comes next is another incarnation.
    died_at: Option<Seq>,
}

/// One act on one daemon.
struct Deed<'d> {
    act: Act,
    name: DaemonName,
    handle: Handle,
    grace: Option<Duration>,
    within: Duration,
    lasting: Option<Duration>,
    /// Replaces the specification.
    spec: Option<crate::daemon::DaemonSpec>,
    last_death: Option<Seq>,
    stage: &'d Stage<'d>,
}

impl Branch {
    pub(super) async fn lifecycle(
        &mut self,
        stage: &Stage<'_>,
        step: &Lifecycle,
    ) -> Result<(), Trouble> {
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let grace =
            step.grace.as_ref().map(|grace| grace.resolve(&self.scope, stage)).transpose()?;
        let lasting = step.lasting.as_ref();
        let lasting = lasting.map(|lasting| lasting.resolve(&self.scope, stage)).transpose()?;
        let mut deeds: Vec<Local<'_, Result<Moved, Trouble>>> = Vec::new();
        for name in self.names(stage, &step.daemons)? {
            if let Some(with) = &step.with {
                stage.roster.replace(&name, with);
            }
            let is_known = stage.roster.handle(&name).is_some();
            let handle = self.handle(stage, &name).await?;
            // What the declaration refers to may have changed since the last incarnation.
            let runs = matches!(step.act, Act::Start | Act::Run | Act::Restart);
            let spec = (is_known && runs)
                .then(|| self.prepare(stage, &name))
                .transpose()?
                .map(super::roster::Prepared::into_spec);
            let deed = Deed {
                act: step.act,
                last_death: self.cursors.last_death(&name),
                name,
                handle,
                grace: grace.map(|grace| stage.scaled(grace)),
                within,
                lasting,
                spec,
                stage,
            };
            deeds.push(Box::pin(deed.carry_out()));
        }
        for moved in all_or_first_failure(deeds).await? {
            if let Some(position) = moved.position {
                self.cursors.move_to(&moved.daemon, position);
            }
            if let Some(at) = moved.died_at {
                self.cursors.died(&moved.daemon, at);
            }
        }
        Ok(())
    }

    pub(super) async fn signal(
        &mut self,
        stage: &Stage<'_>,
        daemon: &Text,
        signal: &Text,
    ) -> Result<(), Trouble> {
        let name = self.name(stage, daemon)?;
        let text = signal.resolve(&self.scope, stage)?;
        let Some(number) = signal_number(&text) else {
            let message = format!("{text:?} is no signal; write `USR1` or a number");
            return Err(Trouble::new(FailureKind::Invalid, message));
        };
        let done = self.handle(stage, &name).await?.signal(number).await?;
        self.cursors.move_to(&name, done.position);
        Ok(())
    }

    /// The first exit at or after the cursor, which then stands past it.
    pub(super) async fn exited(
        &mut self,
        stage: &Stage<'_>,
        step: &Exited,
        id: StepId,
    ) -> Result<(), Trouble> {
        let name = self.name(stage, &step.daemon)?;
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let wanted = Wanted {
            sources: vec![(name.clone(), self.cursors.position(&name))],
            event: NamePattern::Exact(lifecycle_names::EXITED.into()),
            test: Test::Any,
            count: 1,
        };
        let exit = stage.harness.wait(wanted, within).await.map_err(Trouble::from)?;
        stage.track.matched(id, &exit);
        stage.answer(&name, exit.incarnation);
        self.cursors.move_to(&name, exit.seq.next());
        self.cursors.died(&name, exit.seq);
        let number = |key: &str| exit.value[key].as_i64().and_then(|n| i32::try_from(n).ok());
        let status = match (number("code"), number("signal")) {
            (Some(code), _) => ExitStatus::Code(code),
            (None, signal) => ExitStatus::Signal(signal.unwrap_or_default()),
        };
        let wanted = match &step.wanted {
            ExitWanted::Any => return Ok(()),
            ExitWanted::Code(code) => ExitStatus::Code(code.resolve(&self.scope, stage)?),
            ExitWanted::Signal(signal) => {
                let text = signal.resolve(&self.scope, stage)?;
                let Some(number) = signal_number(&text) else {
                    let message = format!("{text:?} is no signal; write `USR1` or a number");
                    return Err(Trouble::new(FailureKind::Invalid, message));
                };
                ExitStatus::Signal(number)
            }
        };
        if status == wanted {
            return Ok(());
        }
        let message = format!("{name} ended with {status}, not with {wanted}");
        Err(Trouble::new(FailureKind::ExitMismatch, message).of(&name))
    }
}

impl Deed<'_> {
    async fn carry_out(self) -> Result<Moved, Trouble> {
        match self.act {
            Act::Run => self.run().await,
            Act::Start => {
                let moved = self.run().await?;
                self.ready_from(moved.position.unwrap_or_default()).await?;
                Ok(moved)
            }
            Act::Ready => self.ready().await,
            Act::Restart => self.restart().await,
            Act::Terminate => self.terminate().await,
            Act::Kill => self.kill().await,
            Act::Crash => self.crash().await,
            Act::Pause => self.pause().await,
            Act::Resume => {
                self.handle.resume().await?;
                Ok(self.moved(None))
            }
        }
    }

    fn moved(&self, position: Option<Seq>) -> Moved {
        Moved { daemon: self.name.clone(), position, died_at: None }
    }

    async fn run(&self) -> Result<Moved, Trouble> {
        let done = match &self.spec {
            Some(spec) => self.handle.run_as(spec.clone()).await?,
            None => self.handle.run().await?,
        };
        Ok(self.moved(Some(done.position)))
    }

    async fn restart(&self) -> Result<Moved, Trouble> {
        let grace = self.grace.map(Grace);
        let done = self.handle.restart_as(self.spec.clone(), grace).await?;
        self.ready_from(done.position).await?;
        Ok(self.moved(Some(done.position)))
    }

    /// The present incarnation; after a death, the next one.
    async fn ready(&self) -> Result<Moved, Trouble> {
        let status = self.handle.status();
        let first = status.first.unwrap_or_default();
        let from = self.last_death.unwrap_or_default().max(
            // An incarnation that has ended is not the one that is waited for, if it was ready or not.
            if matches!(status.state, State::Running { .. }) { first } else { Seq::default() },
        );
        self.ready_from(from).await?;
        Ok(self.moved(None))
    }

    async fn ready_from(&self, from: Seq) -> Result<(), Trouble> {
        let wanted = Wanted {
            sources: vec![(self.name.clone(), from)],
            event: NamePattern::Exact(lifecycle_names::READY.into()),
            test: Test::Any,
            count: 1,
        };
        let waited = self.stage.harness.wait(wanted, self.within).await;
        waited.map(|_| ()).map_err(|error| {
            let mut trouble = Trouble::from(error);
            if trouble.failure.kind == FailureKind::TimedOut {
                trouble.failure.message =
                    format!("{} was not ready within {:?}", self.name, self.within);
            }
            if matches!(
                trouble.failure.kind,
                FailureKind::TimedOut | FailureKind::TerminatedBeforeEvent
            ) {
                trouble.failure.kind = FailureKind::NotReady;
            }
            trouble
        })
    }

    async fn terminate(&self) -> Result<Moved, Trouble> {
        let grace = self.grace.unwrap_or_else(|| self.declared_grace());
        let done = self.handle.terminate(Grace(grace)).await?;
        Ok(self.ended("terminate", done.as_ref()))
    }

    async fn kill(&self) -> Result<Moved, Trouble> {
        let done = self.handle.kill().await?;
        Ok(self.ended("kill", done.as_ref()))
    }

    fn ended(&self, verb: &str, done: Option<&Done>) -> Moved {
        let Some(done) = done else {
            self.stage.warn(format!("`{verb}` of {}, which was not running", self.name));
            return self.moved(None);
        };
        Moved { died_at: Some(done.position), ..self.moved(Some(done.position)) }
    }

    fn declared_grace(&self) -> Duration {
        let declaration = self.stage.roster.declaration(&self.name);
        let grace = declaration.and_then(|known| known.settings.grace?.fixed().copied());
        self.stage.scaled(grace.unwrap_or(crate::daemon::DEFAULT_GRACE))
    }

    /// SIGKILL as a fault. One that finds its target gone has hit nothing.
    async fn crash(&self) -> Result<Moved, Trouble> {
        let number = self.stage.harness.next_fault();
        let at_s = self.stage.seconds(Instant::now());
        let done = self.handle.crash_as(number).await?;
        let hit = done.exit.is_some_and(|exit| matches!(exit.cause, ExitCause::Crash { .. }));
        self.stage.faults.borrow_mut().push(FaultResult {
            number,
            kind: "crash".to_owned(),
            target: self.name.to_string(),
            at_s,
            delayed_s: 0.0,
            hit,
        });
        if !hit {
            let message = format!("fault #{number} hit nothing: {} had just exited", self.name);
            self.stage
                .proves_nothing(Trouble::new(FailureKind::Vacuous, message).of(&self.name))?;
        }
        Ok(Moved { died_at: Some(done.position), ..self.moved(Some(done.position)) })
    }

    async fn pause(&self) -> Result<Moved, Trouble> {
        self.handle.pause().await?;
        if let Some(lasting) = self.lasting {
            tokio::time::sleep(lasting).await;
            self.handle.resume().await?;
        }
        Ok(self.moved(None))
    }
}
