//! Verbs that wait for events: expect, never, reach; and the invariants, which are watched all along.

use std::sync::Arc;
use std::time::Duration;

use super::branch::Branch;
use super::side_by_side::{Local, all_or_first_failure, first};
use super::stage::Stage;
use super::track::StepId;
use super::trouble::Trouble;
use crate::daemon::DaemonName;
use crate::event::miss::Miss;
use crate::event::waiters::{Bound, Test};
use crate::event::{Event, NamePattern, Seq, lifecycle_names};
use crate::harness::{WaitError, Waiter, Wanted};
use crate::octez::events::known_event;
use crate::scenario::model::{EventPattern, Expect, Never, Reach, Since, Until};
use crate::scenario::result::FailureKind;

/// Longer than any scenario.
const UNLIMITED: Duration = Duration::from_secs(30 * 24 * 3600);

/// An event pattern with everything resolved.
#[derive(Clone, Debug)]
struct Pattern {
    sources: Vec<(DaemonName, Seq)>,
    event: NamePattern,
    bound: Option<Bound>,
    count: u32,
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

    fn wait(&self, stage: &Stage<'_>, within: Duration) -> Waiter {
        stage.harness.wait(self.wanted(), within)
    }

    fn of(&self, source: (DaemonName, Seq)) -> Self {
        Self { sources: vec![source], ..self.clone() }
    }

    /// What history holds now, without waiting.
    async fn look_back(&self, stage: &Stage<'_>) -> Result<Event, WaitError> {
        self.wait(stage, Duration::ZERO).await
    }
}

impl Branch {
    fn pattern(
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
        Ok(Pattern { sources, event, bound, count: 1 })
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
            Some(Since::Start) => {
                stage.roster.handle(daemon).and_then(|handle| handle.first()).unwrap_or_default()
            }
            Some(Since::Now) => stage.harness.mark(),
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
        for one in expected {
            let mut pattern = self.pattern(stage, &one.pattern, one.since.as_ref())?;
            if let Some(count) = &one.count {
                pattern.count = count.resolve(&self.scope, stage)?;
            }
            let within = stage.within(one.within.as_ref(), &self.scope)?;
            let waiters: Vec<Waiter> = if one.each {
                let sources = pattern.sources.iter().cloned();
                sources.map(|source| pattern.of(source).wait(stage, within)).collect()
            } else {
                vec![pattern.wait(stage, within)]
            };
            waits.push(Box::pin(all_of(waiters)));
        }
        let matches = all_or_first_failure(waits).await?;
        for (one, events) in expected.iter().zip(matches) {
            for event in &events {
                stage.track.matched(id, event);
                self.check_staleness(stage, one, event)?;
                self.cursors.move_to(&event.daemon, event.seq.next());
                answer_exit(stage, event);
            }
            if let Some(last) = events.iter().max_by_key(|event| event.seq) {
                let payload = Arc::clone(&last.value);
                self.assign(&one.capture, &payload)?;
            }
        }
        Ok(())
    }

    fn check_staleness(
        &mut self,
        stage: &Stage<'_>,
        expected: &Expect,
        event: &Event,
    ) -> Result<(), Trouble> {
        let is_stale = self.cursors.is_stale(&event.daemon, event.seq);
        if !is_stale || expected.since.is_some() {
            return Ok(());
        }
        let message = format!(
            "{} of {} at seq {} is older than the step that was to bring it about; \
             `since` says that this is meant",
            event.name, event.daemon, event.seq
        );
        stage.proves_nothing(Trouble::new(FailureKind::Vacuous, message).of(&event.daemon))
    }

    /// None from `since` until `for` is over, or `until` matches, or now.
    pub(super) async fn never(&mut self, stage: &Stage<'_>, never: &Never) -> Result<(), Trouble> {
        let pattern = self.pattern(stage, &never.pattern, never.since.as_ref())?;
        if let Some(until) = &never.until {
            self.never_until(stage, &pattern, until).await?;
        } else if let Some(lasting) = &never.lasting {
            let lasting = lasting.resolve(&self.scope, stage)?;
            tokio::select! {
                biased;
                event = occurrence(stage, &pattern) => return Err(unexpected(&event)),
                () = tokio::time::sleep(lasting) => {}
            }
        }
        stage.harness.settle().await;
        match pattern.look_back(stage).await {
            // With `until`, what came after it does not count; that has been judged above.
            Ok(_) if never.until.is_some() => Ok(()),
            Ok(event) => Err(unexpected(&event)),
            Err(error) => match vacuity(stage, &pattern, &error).await {
                Some(trouble) => stage.proves_nothing(trouble),
                None => Ok(()),
            },
        }
    }

    async fn never_until(
        &mut self,
        stage: &Stage<'_>,
        pattern: &Pattern,
        until: &Until,
    ) -> Result<(), Trouble> {
        let end = self.pattern(stage, &until.pattern, None)?;
        let within = stage.within(until.within.as_ref(), &self.scope)?;
        let ended = tokio::select! {
            biased;
            event = occurrence(stage, pattern) => match end.look_back(stage).await {
                Ok(end) if end.seq < event.seq => end,
                _ => return Err(unexpected(&event)),
            },
            ended = end.wait(stage, within) => ended.map_err(Trouble::from)?,
        };
        if let Ok(event) = pattern.look_back(stage).await
            && event.seq < ended.seq
        {
            return Err(unexpected(&event));
        }
        // `until` counts as an expectation.
        self.cursors.is_stale(&ended.daemon, ended.seq);
        self.cursors.move_to(&ended.daemon, ended.seq.next());
        Ok(())
    }

    pub(super) async fn reach(&mut self, stage: &Stage<'_>, reach: &Reach) -> Result<(), Trouble> {
        let level = reach.level.resolve(&self.scope, stage)?;
        let within = stage.within(reach.within.as_ref(), &self.scope)?;
        let mut waits: Vec<Local<'_, Result<(), Trouble>>> = Vec::new();
        for text in &reach.nodes {
            let node = self.node(stage, text).await?;
            waits.push(Box::pin(async move {
                let reached = node.wait_for_level_within(level, within).await;
                reached.map(|_| ()).map_err(|error| {
                    let mut trouble = Trouble::from(error);
                    let name = node.name();
                    if trouble.failure.kind == FailureKind::TimedOut {
                        trouble.failure.message =
                            format!("{name} did not reach level {level} within {within:?}");
                    }
                    trouble.of(name)
                })
            }));
        }
        all_or_first_failure(waits).await.map(|_| ())
    }
}

async fn all_of(waiters: Vec<Waiter>) -> Result<Vec<Event>, Trouble> {
    let mut events = Vec::new();
    for waiter in waiters {
        events.push(waiter.await?);
    }
    Ok(events)
}

/// An expectation of an exit, or of giving up, has asked about it.
fn answer_exit(stage: &Stage<'_>, event: &Event) {
    if [lifecycle_names::EXITED, lifecycle_names::GAVE_UP].contains(&event.name.as_str()) {
        stage.answer(&event.daemon, event.incarnation);
    }
}

/// Resolves with the first event that must not be; never, if none comes.
async fn occurrence(stage: &Stage<'_>, pattern: &Pattern) -> Event {
    match pattern.wait(stage, UNLIMITED).await {
        Ok(event) => event,
        // Nothing can come any more; the end of the step decides.
        Err(_) => std::future::pending().await,
    }
}

fn unexpected(event: &Event) -> Trouble {
    let message = format!(
        "{} of {} at seq {}, incarnation {}: {}",
        event.name,
        event.daemon,
        event.seq,
        event.incarnation,
        shortened(&event.value.to_string())
    );
    Trouble::new(FailureKind::UnexpectedEvent, message).of(&event.daemon)
}

fn shortened(text: &str) -> String {
    const LIMIT: usize = 200;
    let end = text.floor_char_boundary(LIMIT.min(text.len()));
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

/// Why the absence of an event proves nothing, if it does not.
async fn vacuity(stage: &Stage<'_>, pattern: &Pattern, error: &WaitError) -> Option<Trouble> {
    let (WaitError::TimedOut { miss, .. }
    | WaitError::TerminatedBeforeEvent { miss, .. }
    | WaitError::GaveUp { miss, .. }) = error
    else {
        return None;
    };
    let Miss { same_name, unknown, .. } = **miss;
    if same_name > 0 && unknown == same_name {
        let predicate = pattern.bound.as_ref().map_or("", |bound| bound.predicate.source());
        let near = miss.nearest.first().map_or("", |near| near.explanation.as_str());
        let message = format!(
            "`{predicate}` was unknown on all {same_name} events of {}: {near}",
            pattern.event
        );
        return Some(Trouble::new(FailureKind::Vacuous, message));
    }
    if is_lifecycle(&pattern.event) {
        return None;
    }
    let survey = stage.harness.survey().await;
    let mut silent = None;
    for (daemon, _) in &pattern.sources {
        let seen = survey.daemons.get(daemon);
        if seen
            .is_some_and(|seen| seen.names.keys().any(|name| pattern.event.matches(name.as_str())))
            || is_known(stage, daemon, &pattern.event)
        {
            return seen.is_none_or(|seen| seen.events == 0).then(|| no_events(daemon));
        }
        silent = Some(daemon);
    }
    let daemon = silent?;
    let message = format!(
        "{} is no event that {daemon} is known to emit, nor was it seen in this run; \
         if it can emit it, say so in `knows`",
        pattern.event
    );
    Some(Trouble::new(FailureKind::Vacuous, message).of(daemon))
}

fn no_events(daemon: &DaemonName) -> Trouble {
    let message = format!("no event at all was read from {daemon}");
    Trouble::new(FailureKind::Vacuous, message).of(daemon)
}

fn is_lifecycle(event: &NamePattern) -> bool {
    event.as_str().starts_with(lifecycle_names::PREFIX)
}

fn is_known(stage: &Stage<'_>, daemon: &DaemonName, event: &NamePattern) -> bool {
    let Some(declaration) = stage.roster.declaration(daemon) else {
        return false;
    };
    let known_to_kind = match event {
        NamePattern::Exact(name) => known_event(declaration.kind, name.as_str()).is_some(),
        NamePattern::Glob(_) => crate::octez::events::known_events(declaration.kind)
            .iter()
            .any(|known| event.matches(known.name)),
    };
    known_to_kind
        || declaration.settings.knows.iter().flatten().any(|knows| {
            knows.value == event.as_str()
                || glob::Pattern::new(&knows.value).is_ok_and(|glob| glob.matches(event.as_str()))
        })
}

/// The invariants of a scenario, watched from position 0.
pub(super) struct Invariants {
    watched: Vec<(String, Result<Pattern, Trouble>, u32, u32)>,
}

impl Invariants {
    pub(super) fn watch(stage: &Stage<'_>) -> Self {
        let branch = Branch::first(stage);
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let watch = |(index, never): (usize, &Never)| {
            let pattern = branch.pattern(stage, &never.pattern, Some(&Since::Beginning));
            let path = format!("invariants[{index}]");
            (path, pattern, number(never.span.line), number(never.span.column))
        };
        Self { watched: stage.scenario.invariants.iter().enumerate().map(watch).collect() }
    }

    /// Resolves when one is violated.
    pub(super) async fn violated(&self, stage: &Stage<'_>) -> Trouble {
        let watches = self.watched.iter().map(|(path, pattern, line, column)| {
            let watch: Local<'_, Trouble> = Box::pin(async move {
                let trouble = match pattern {
                    Ok(pattern) => violation(&occurrence(stage, pattern).await),
                    Err(trouble) => trouble.clone(),
                };
                placed(trouble, path, *line, *column)
            });
            watch
        });
        first(watches.collect()).await
    }

    /// The last look, after one drain of all pipes. What an invariant proves nothing about is told.
    pub(super) async fn settle(&self, stage: &Stage<'_>) -> Option<Trouble> {
        if self.watched.is_empty() {
            return None;
        }
        stage.harness.settle().await;
        for (path, pattern, line, column) in &self.watched {
            let Ok(pattern) = pattern else { continue };
            match pattern.look_back(stage).await {
                Ok(event) => return Some(placed(violation(&event), path, *line, *column)),
                Err(error) => {
                    if let Some(trouble) = vacuity(stage, pattern, &error).await {
                        stage.proved_nothing(placed(trouble, path, *line, *column));
                    }
                }
            }
        }
        None
    }
}

fn violation(event: &Event) -> Trouble {
    let mut trouble = unexpected(event);
    trouble.failure.kind = FailureKind::Invariant;
    trouble
}

fn placed(mut trouble: Trouble, path: &str, line: u32, column: u32) -> Trouble {
    path.clone_into(&mut trouble.failure.step);
    (trouble.failure.line, trouble.failure.column) = (line, column);
    trouble
}
