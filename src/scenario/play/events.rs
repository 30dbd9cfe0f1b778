//! Verbs that wait for events: expect, reach.

use std::sync::Arc;
use std::time::Duration;

use super::branch::Branch;
use super::side_by_side::{Local, all_or_first_failure};
use super::stage::Stage;
use super::track::StepId;
use super::trouble::Trouble;
use super::world::{Frame, Waiting};
use crate::daemon::DaemonName;
use crate::event::waiters::{Bound, Test, subject};
use crate::event::{Event, NamePattern, Seq, lifecycle_names};
use crate::harness::{Node, WaitError, Wanted};
use crate::record::{WaitSource, What};
use crate::scenario::model::{EventPattern, Expect, Reach, Since};
use crate::scenario::result::FailureKind;

/// An event pattern with everything resolved.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) sources: Vec<(DaemonName, Seq)>,
    pub(super) event: NamePattern,
    pub(super) bound: Option<Bound>,
    count: u32,
    frame: Frame,
}

impl Pattern {
    fn wanted(&self) -> Wanted {
        Wanted {
            sources: self.sources.clone(),
            event: self.event.clone(),
            test: self.bound.clone().map_or(Test::Any, Test::Predicate),
            count: self.count,
        }
    }

    pub(super) fn wait(&self, stage: &Stage<'_>, within: Duration) -> Waiting {
        stage.wait(&self.frame, self.wanted(), within)
    }

    /// For whoever reads the log later.
    pub(super) fn note(&self, path: String, never: bool) -> What {
        let from =
            |(daemon, seq): &(DaemonName, Seq)| WaitSource { daemon: daemon.clone(), seq: *seq };
        What::Wait {
            path,
            from: self.sources.iter().map(from).collect(),
            event: self.event.to_string(),
            predicate: self.bound.as_ref().map(|bound| bound.predicate.source().to_owned()),
            count: self.count,
            never,
        }
    }

    fn of(&self, source: (DaemonName, Seq)) -> Self {
        Self { sources: vec![source], ..self.clone() }
    }

    /// How often each of its daemons has been spawned.
    pub(super) fn runs(&self, stage: &Stage<'_>) -> Vec<usize> {
        self.sources.iter().map(|(name, _)| stage.incarnations(name).0.len()).collect()
    }

    /// What history holds now, without waiting: so long after the step began, if that is long ago.
    pub(super) fn look_back(&self, stage: &Stage<'_>, lasted: Duration) -> Waiting {
        stage.look_back(&self.frame, self.wanted(), lasted)
    }
}

impl Branch {
    pub(super) fn pattern(
        &self,
        stage: &Stage<'_>,
        pattern: &EventPattern,
        since: Option<&Since>,
    ) -> Result<Pattern, Trouble> {
        let names = self.names(stage, &pattern.from)?;
        let mut sources = Vec::new();
        for name in names {
            let from = self.since(stage, &name, since)?;
            sources.push((name, from));
        }
        let text = pattern.event.resolve(&self.scope, stage)?;
        let event = NamePattern::new(&text).map_err(|error| {
            Trouble::new(FailureKind::Invalid, format!("{text:?} is no glob: {error}"))
        })?;
        let bound = pattern.condition.as_ref().map(|condition| Bound {
            predicate: condition.predicate.clone(),
            variables: Arc::new(self.variables()),
        });
        Ok(Pattern { sources, event, bound, count: 1, frame: self.now })
    }

    fn since(
        &self,
        stage: &Stage<'_>,
        daemon: &DaemonName,
        since: Option<&Since>,
    ) -> Result<Seq, Trouble> {
        Ok(match since {
            None => self.cursors.position(daemon),
            Some(Since::Beginning) => Seq::default(),
            Some(Since::Start) => stage.present(daemon, &self.now).first.unwrap_or_default(),
            Some(Since::Now) => self.now.began.seq,
            Some(Since::Mark(mark)) => {
                let name = mark.resolve(&self.scope, stage)?;
                stage.marked(&name).ok_or_else(|| {
                    let message = format!("the mark {name:?} has not been set by now");
                    Trouble::new(FailureKind::Invalid, message)
                })?
            }
        })
    }

    /// All of them, in any order, each from the position before the step.
    pub(super) async fn expect(
        &mut self,
        stage: &Stage<'_>,
        expected: &[Expect],
        id: StepId,
    ) -> Result<(), Trouble> {
        let mut waits: Vec<Local<'_, Result<Vec<Event>, Trouble>>> = Vec::new();
        // All positions are taken before anything moves.
        for one in expected {
            let mut pattern = self.pattern(stage, &one.pattern, one.since.as_ref())?;
            if let Some(count) = &one.count {
                pattern.count = count.resolve(&self.scope, stage)?;
            }
            let within = stage.within(one.within.as_ref(), &self.scope)?;
            let patterns: Vec<Pattern> = if one.each {
                pattern.sources.iter().cloned().map(|source| pattern.of(source)).collect()
            } else {
                vec![pattern]
            };
            let waiters = patterns.iter().map(|pattern| {
                stage.note_wait(id, |path| pattern.note(path, false));
                let waiter = pattern.wait(stage, within);
                stage.track.awaits(id, waiter.id());
                waiter
            });
            let waiters: Vec<Waiting> = waiters.collect();
            waits.push(Box::pin(all_of(waiters)));
        }
        let matches = all_or_first_failure(waits).await?;
        let matches: Vec<_> = expected.iter().zip(matches).collect();
        for (one, events) in &matches {
            for event in events.iter().filter(|_| one.since.is_none()) {
                self.check_staleness(stage, event)?;
            }
        }
        for (one, events) in matches {
            for event in &events {
                self.take_note(stage, event, id);
            }
            if let Some(last) = events.iter().max_by_key(|event| event.seq) {
                self.assign_from(&one.capture, &subject(last))?;
            }
        }
        Ok(())
    }

    /// A match that is older than what should have brought it about proves nothing.
    pub(super) fn check_staleness(&self, stage: &Stage<'_>, event: &Event) -> Result<(), Trouble> {
        if !self.cursors.is_stale(&event.daemon, event.seq) {
            return Ok(());
        }
        let message = format!(
            "{} of {} at seq {} is older than the step that was to bring it about; \
             `since` says that this is meant",
            event.name, event.daemon, event.seq
        );
        stage.proves_nothing(Trouble::new(FailureKind::Vacuous, message).of(&event.daemon))
    }

    /// An event that was expected has come: the cursor moves past it.
    pub(super) fn take_note(&mut self, stage: &Stage<'_>, event: &Event, id: StepId) {
        let path = stage.track.matched(id, event);
        stage.note(What::Match {
            path,
            daemon: event.daemon.clone(),
            event: event.name.clone(),
            seq: event.seq,
            incarnation: event.incarnation,
        });
        self.cursors.expected(&event.daemon);
        self.cursors.move_to(&event.daemon, event.seq.next());
        if let Some(past) = stage.past() {
            self.reached = self.reached.later(past.moment(event.seq));
        }
        if event.name.as_str() == lifecycle_names::EXITED {
            self.cursors.died(&event.daemon, event.seq);
        }
        // Whoever expects an exit, or that it is given up, has asked about it.
        if [lifecycle_names::EXITED, lifecycle_names::GAVE_UP].contains(&event.name.as_str()) {
            stage.answer(&event.daemon, event.incarnation);
        }
    }

    pub(super) async fn reach(&mut self, stage: &Stage<'_>, reach: &Reach) -> Result<(), Trouble> {
        let level = reach.level.resolve(&self.scope, stage)?;
        let within = stage.within(reach.within.as_ref(), &self.scope)?;
        let mut waits: Vec<Local<'_, Result<(), Trouble>>> = Vec::new();
        for text in &reach.nodes {
            let node = self.node(stage, text).await?;
            waits.push(Box::pin(async move {
                let reached = node.wait_for_level_within(level, within).await;
                reached.map(|_| ()).map_err(|error| not_reached(&node, level, within, error))
            }));
        }
        all_or_first_failure(waits).await.map(|_| ())
    }
}

/// It is the level that was wanted, not the event that would have told of it.
fn not_reached(node: &Node, level: i64, within: Duration, error: WaitError) -> Trouble {
    let name = node.name();
    let message = match &error {
        WaitError::TimedOut { .. } => {
            format!("{name} did not reach level {level} within {within:?}")
        }
        WaitError::TerminatedBeforeEvent { exit, .. } => {
            format!("{name} terminated before it reached level {level}: {exit}")
        }
        _ => return Trouble::from(error).of(name),
    };
    let mut trouble = Trouble::from(error).of(name);
    trouble.failure.message = message;
    trouble.about_no_event()
}

async fn all_of(waiters: Vec<Waiting>) -> Result<Vec<Event>, Trouble> {
    let wait = |waiter: Waiting| -> Local<'_, Result<Event, Trouble>> {
        Box::pin(async move { Ok(waiter.await?) })
    };
    all_or_first_failure(waiters.into_iter().map(wait).collect()).await
}
