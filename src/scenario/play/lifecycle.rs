//! Lifecycle verbs: start, run, ready, terminate, kill, crash, restart, pause, resume, signal, exited.

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::branch::Branch;
use super::roster::Handle;
use super::side_by_side::{Local, all_or_first_failure};
use super::stage::Stage;
use super::track::StepId;
use super::trouble::{Place, Trouble};
use super::world::{Frame, Present, Unmet};
use crate::daemon::lifecycle::Refused;
use crate::daemon::{DEFAULT_GRACE, DaemonName, ExitCause, ExitStatus, signal_number};
use crate::event::waiters::Test;
use crate::event::{NamePattern, Seq, lifecycle_names};
use crate::harness::{CommandError, Done, Grace, Wanted};
use crate::record::{WaitSource, What};
use crate::scenario::model::{Act, ExitWanted, Exited, Lifecycle};
use crate::scenario::result::{By, FailureKind, FaultResult};
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
    grace: Duration,
    within: Duration,
    deadline: Instant,
    lasting: Option<Duration>,
    /// Replaces the specification.
    spec: Option<crate::daemon::DaemonSpec>,
    last_death: Option<Seq>,
    by: By,
    step: StepId,
    stage: &'d Stage<'d>,
}

impl Branch {
    pub(super) async fn lifecycle(
        &mut self,
        stage: &Stage<'_>,
        step: &Lifecycle,
        place: &Place,
        id: StepId,
    ) -> Result<(), Trouble> {
        let within = stage.within(step.within.as_ref(), &self.scope)?;
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
            let declared = stage.roster.declaration(&name).and_then(|known| known.settings.grace);
            let grace = step.grace.as_ref().or(declared.as_ref());
            let grace = grace.map(|grace| grace.resolve(&self.scope, stage)).transpose()?;
            let deed = Deed {
                act: step.act,
                last_death: self.cursors.last_death(&name),
                name,
                handle,
                grace: stage.scaled(grace.unwrap_or(DEFAULT_GRACE)),
                deadline: Instant::now() + within,
                within,
                lasting,
                spec,
                by: place.by(),
                step: id,
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
        place: &Place,
    ) -> Result<(), Trouble> {
        let name = self.name(stage, daemon)?;
        let text = signal.resolve(&self.scope, stage)?;
        let Some(number) = signal_number(&text) else {
            let message = format!("{text:?} is no signal; write `USR1` or a number");
            return Err(Trouble::new(FailureKind::Invalid, message));
        };
        let handle = self.handle(stage, &name).await?;
        stage.ends(&handle, &place.by());
        let done = handle.signal(number).await?;
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
        stage.note_wait(id, |path| What::Wait {
            path,
            from: vec![WaitSource { daemon: name.clone(), seq: self.cursors.position(&name) }],
            event: lifecycle_names::EXITED.to_owned(),
            predicate: None,
            count: 1,
            never: false,
        });
        let waiting = stage.wait(&self.now, wanted, within);
        stage.track.awaits(id, waiting.id());
        let exit = waiting.await.map_err(|unmet| {
            let mut trouble = Trouble::from(unmet);
            if trouble.failure.kind == FailureKind::TimedOut {
                trouble.failure.message = format!("{name} did not end within {within:?}");
                return trouble.about_no_event();
            }
            trouble
        })?;
        self.take_note(stage, &exit, id);
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

impl Branch {
    /// What `ready` asks of a record.
    pub(super) async fn was_ready(
        &mut self,
        stage: &Stage<'_>,
        step: &Lifecycle,
    ) -> Result<(), Trouble> {
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let mut waits: Vec<Local<'_, Result<(), Trouble>>> = Vec::new();
        for name in self.names(stage, &step.daemons)? {
            let now = self.now;
            let from = stage.present(&name, &now).ready_from(now.began.seq);
            let from = self.cursors.last_death(&name).unwrap_or_default().max(from);
            let waiting = stage.wait(&now, readiness(&name, from), within);
            waits.push(Box::pin(async move {
                waiting.await.map(drop).map_err(|unmet| not_ready(unmet, stage, &name, within))
            }));
        }
        all_or_first_failure(waits).await.map(drop)
    }
}

impl Deed<'_> {
    async fn carry_out(self) -> Result<Moved, Trouble> {
        if matches!(self.act, Act::Restart | Act::Terminate | Act::Kill | Act::Crash) {
            self.stage.ends(&self.handle, &self.by);
        }
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

    /// An order has what is left of the step's time. It is carried out all the same: daemons cannot be left half dead.
    async fn in_time<T>(
        &self,
        order: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, Trouble> {
        if let Ok(done) = tokio::time::timeout_at(self.deadline.into(), order).await {
            return Ok(done?);
        }
        Err(self.too_late())
    }

    fn too_late(&self) -> Trouble {
        let (verb, name) = (self.act.verb(), &self.name);
        let message = format!("`{verb}` of {name} took longer than {:?}", self.within);
        Trouble::new(FailureKind::TimedOut, message).of(name)
    }

    fn moved(&self, position: Option<Seq>) -> Moved {
        Moved { daemon: self.name.clone(), position, died_at: None }
    }

    async fn run(&self) -> Result<Moved, Trouble> {
        let done = match &self.spec {
            Some(spec) => self.in_time(self.handle.run_as(spec.clone())).await?,
            None => self.in_time(self.handle.run()).await?,
        };
        Ok(self.moved(Some(done.position)))
    }

    async fn restart(&self) -> Result<Moved, Trouble> {
        let grace = Some(Grace(self.grace));
        let done = self.in_time(self.handle.restart_as(self.spec.clone(), grace)).await?;
        self.ready_from(done.position).await?;
        Ok(self.moved(Some(done.position)))
    }

    /// The present incarnation; after a death, the next one.
    async fn ready(&self) -> Result<Moved, Trouble> {
        // Taken first: what is ready later than this has its record after it.
        let now = self.stage.live()?.mark();
        let from = Present::from(&self.handle).ready_from(now);
        self.ready_from(self.last_death.unwrap_or_default().max(from)).await?;
        Ok(self.moved(None))
    }

    async fn ready_from(&self, from: Seq) -> Result<(), Trouble> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let waiting = self.stage.wait(&Frame::default(), readiness(&self.name, from), left);
        self.stage.track.awaits(self.step, waiting.id());
        waiting
            .await
            .map(drop)
            .map_err(|unmet| not_ready(unmet, self.stage, &self.name, self.within))
    }

    async fn terminate(&self) -> Result<Moved, Trouble> {
        let done = self.in_time(self.handle.terminate(Grace(self.grace))).await?;
        Ok(self.ended("terminate", done.as_ref()))
    }

    async fn kill(&self) -> Result<Moved, Trouble> {
        let done = self.in_time(self.handle.kill()).await?;
        Ok(self.ended("kill", done.as_ref()))
    }

    fn ended(&self, verb: &str, done: Option<&Done>) -> Moved {
        let Some(done) = done else {
            self.stage.warn(format!("`{verb}` of {}, which was not running", self.name));
            return self.moved(None);
        };
        Moved { died_at: Some(done.position), ..self.moved(Some(done.position)) }
    }

    /// SIGKILL as a fault. One that finds its target gone has hit nothing.
    async fn crash(&self) -> Result<Moved, Trouble> {
        let number = self.stage.live()?.next_fault();
        let at_s = self.stage.seconds(Instant::now());
        let order = self.handle.crash_as(number);
        let done = match tokio::time::timeout_at(self.deadline.into(), order).await {
            Ok(Err(CommandError::Refused { refused, .. })) => Err(refused),
            Ok(done) => Ok(done?),
            Err(_) => return Err(self.too_late()),
        };
        let hit = done.as_ref().is_ok_and(|done| {
            done.exit.is_some_and(|exit| matches!(exit.cause, ExitCause::Crash { .. }))
        });
        self.record_fault(number, at_s, hit);
        if !hit {
            let why = match &done {
                Ok(_) => "it had just exited".to_owned(),
                Err(refused) => refused.to_string(),
            };
            let message = format!("fault #{number} hit nothing: {}: {why}", self.name);
            self.stage
                .proves_nothing(Trouble::new(FailureKind::Vacuous, message).of(&self.name))?;
        }
        Ok(match done {
            Ok(done) => Moved { died_at: Some(done.position), ..self.moved(Some(done.position)) },
            Err(_) => self.moved(None),
        })
    }

    fn record_fault(&self, number: u32, at_s: f64, hit: bool) {
        let kind = self.act.verb().to_owned();
        let target = self.name.clone();
        self.stage.note(What::Fault { number, kind: kind.clone(), target, hit });
        let target = self.name.to_string();
        let by = Some(self.by.clone());
        let fault = FaultResult { number, kind, target, at_s, delayed_s: 0.0, hit, by };
        self.stage.faults.borrow_mut().push(fault);
    }

    async fn pause(&self) -> Result<Moved, Trouble> {
        let Some(lasting) = self.lasting else {
            self.handle.pause().await?;
            return Ok(self.moved(None));
        };
        // Before the order is given: the step can be given up while the answer is on its way.
        let cut_short = CutShort(Some(&self.handle));
        self.handle.pause().await?;
        tokio::time::sleep(lasting).await;
        cut_short.disarm();
        match self.handle.resume().await {
            // It has not outlived the pause: nobody is left to go on.
            Ok(_) | Err(CommandError::Refused { refused: Refused::NotRunning { .. }, .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.moved(None))
    }
}

impl Present {
    /// From where on a record of readiness is the present incarnation's; while there is none, the next one's.
    fn ready_from(self, now: Seq) -> Seq {
        // What the old incarnation said of itself does not count for the one that its policy will bring.
        if self.is_between { now } else { self.first.unwrap_or_default() }
    }
}

fn readiness(name: &DaemonName, from: Seq) -> Wanted {
    Wanted {
        sources: vec![(name.clone(), from)],
        event: NamePattern::Exact(lifecycle_names::READY.into()),
        test: Test::Any,
        count: 1,
    }
}

fn not_ready(unmet: Unmet, stage: &Stage<'_>, name: &DaemonName, within: Duration) -> Trouble {
    let mut trouble = Trouble::from(unmet);
    let ready = stage.roster.declaration(name).and_then(|daemon| daemon.settings.process.ready);
    let missing = ready.map_or_else(String::new, |ready| format!(": {}", ready.missing()));
    let message = match trouble.failure.kind {
        FailureKind::TimedOut => format!("{name} was not ready within {within:?}{missing}"),
        FailureKind::TerminatedBeforeEvent => format!("{name} ended before it was ready"),
        _ => return trouble,
    };
    trouble.failure.message = message;
    trouble.failure.kind = FailureKind::NotReady;
    trouble.about_no_event()
}

/// A pause with an end. If its step is given up before, the daemon goes on all the same: `finally` must find it alive.
struct CutShort<'h>(Option<&'h Handle>);

impl CutShort<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CutShort<'_> {
    fn drop(&mut self) {
        if let Some(handle) = self.0 {
            // The order is given by the first poll; that it was carried out is not waited for.
            let resume = std::pin::pin!(handle.resume());
            let _ = resume.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
