//! What must not be: `never`, and the invariants, which are watched all along.

use std::time::Duration;

use super::branch::Branch;
use super::events::Pattern;
use super::recorded::Past;
use super::side_by_side::{Local, first};
use super::stage::Stage;
use super::track::StepId;
use super::trouble::{Place, Trouble};
use super::vacuity::{Watch, unknown_throughout};
use super::world::Unmet;
use crate::event::miss::shortened;
use crate::event::{Event, Seq};
use crate::scenario::model::{Never, Since, Until};
use crate::scenario::recheck::Verdict;
use crate::scenario::result::FailureKind;

/// How often it is looked whether a dead daemon has been run again.
const LOOK_FOR_RUNS: Duration = Duration::from_millis(20);

/// Longer than any scenario.
const UNLIMITED: Duration = Duration::from_hours(30 * 24);

impl Branch {
    /// None from `since` until `for` is over, or `until` matches, or now.
    pub(super) async fn never(
        &mut self,
        stage: &Stage<'_>,
        never: &Never,
        place: &Place,
        id: StepId,
    ) -> Result<(), Trouble> {
        let pattern = self.pattern(stage, &never.pattern, never.since.as_ref())?;
        let groups = self.groups(stage, &never.pattern.from)?;
        stage.watches(Watch { groups, event: pattern.event.clone(), place: place.clone() });
        stage.note_wait(id, |path| pattern.note(path, true));
        if let Some(until) = &never.until {
            return self.never_until(stage, &pattern, until, id).await;
        }
        let mut lasted = Duration::ZERO;
        if let Some(lasting) = &never.lasting {
            let lasting = lasting.resolve(&self.scope, stage)?;
            tokio::select! {
                biased;
                event = occurrence(stage, &pattern, lasting) => {
                    return Err(unexpected(&pattern, &event));
                }
                () = stage.pass(lasting) => {}
            }
            lasted = lasting;
        }
        stage.settle().await;
        match pattern.look_back(stage, lasted).await {
            Ok(event) => Err(unexpected(&pattern, &event)),
            Err(unmet) => {
                // What comes between this look and the end of the step was not seen, by nobody's fault.
                self.now.searched_to = unmet.searched_to();
                match unknown_throughout(&pattern, unmet)? {
                    Some(trouble) => stage.proves_nothing(trouble),
                    None => Ok(()),
                }
            }
        }
    }

    /// What came after the end does not count.
    async fn never_until(
        &mut self,
        stage: &Stage<'_>,
        pattern: &Pattern,
        until: &Until,
        id: StepId,
    ) -> Result<(), Trouble> {
        let end = self.pattern(stage, &until.pattern, None)?;
        let within = stage.within(until.within.as_ref(), &self.scope)?;
        stage.note_wait(id, |path| end.note(path, false));
        let awaited = end.wait(stage, within);
        stage.track.awaits(id, awaited.id());
        let ended = tokio::select! {
            biased;
            event = occurrence(stage, pattern, within) => match end.look_back(stage, within).await {
                Ok(end) if end.seq < event.seq => end,
                _ => return Err(unexpected(pattern, &event)),
            },
            ended = awaited => ended.map_err(Trouble::from)?,
        };
        match pattern.look_back(stage, within).await {
            Ok(event) if event.seq < ended.seq => return Err(unexpected(pattern, &event)),
            // That a record ends somewhere after what ended this says nothing either.
            Ok(_) | Err(Unmet::Undecided(_)) => {}
            Err(unmet) => {
                if let Some(trouble) = unknown_throughout(pattern, unmet)? {
                    stage.proves_nothing(trouble)?;
                }
            }
        }
        self.check_staleness(stage, &ended)?;
        self.take_note(stage, &ended, id);
        Ok(())
    }
}

/// Resolves with the first event that must not be; never, if none comes.
async fn occurrence(stage: &Stage<'_>, pattern: &Pattern, lasting: Duration) -> Event {
    if stage.past().is_some() {
        return match pattern.look_back(stage, lasting).await {
            Ok(event) => event,
            Err(_) => std::future::pending().await,
        };
    }
    loop {
        let runs = pattern.runs(stage);
        match pattern.wait(stage, UNLIMITED).await {
            Ok(event) => return event,
            // All are dead, and nothing can come until one of them is run again.
            Err(_) => {
                while pattern.runs(stage) == runs {
                    tokio::time::sleep(LOOK_FOR_RUNS).await;
                }
            }
        }
    }
}

fn unexpected(pattern: &Pattern, event: &Event) -> Trouble {
    let message = format!(
        "{} of {} at seq {}, incarnation {}: {}",
        event.name,
        event.daemon,
        event.seq,
        event.incarnation,
        shortened(&event.value.to_string())
    );
    let predicate = pattern.bound.as_ref().map(|bound| bound.predicate.source().to_owned());
    Trouble::new(FailureKind::UnexpectedEvent, message)
        .wanting(event.daemon.to_string(), pattern.event.to_string(), predicate)
        .of(&event.daemon)
}

/// The invariants of a scenario, watched from position 0.
#[derive(Debug)]
pub(super) struct Invariants {
    watched: Vec<(Place, Pattern)>,
}

impl Invariants {
    pub(super) fn watch(stage: &Stage<'_>) -> Result<Self, Trouble> {
        let mut branch = Branch::first(stage);
        if let Some(past) = stage.past() {
            branch.now = past.all_steps();
        }
        let mut watched = Vec::new();
        for (index, never) in stage.scenario.invariants.iter().enumerate() {
            let place = Place::new(&format!("invariants[{index}]"), never.span);
            let at = |trouble: Trouble| trouble.at(&place);
            let beginning = Some(&Since::Beginning);
            let pattern = branch.pattern(stage, &never.pattern, beginning).map_err(at)?;
            let groups = branch.groups(stage, &never.pattern.from).map_err(at)?;
            let event = pattern.event.clone();
            stage.watches(Watch { groups, event, place: place.clone() });
            watched.push((place, pattern));
        }
        Ok(Self { watched })
    }

    /// Resolves when one is violated.
    pub(super) async fn violated(&self, stage: &Stage<'_>) -> Trouble {
        let watches = self.watched.iter().map(|(place, pattern)| {
            let watch: Local<'_, Trouble> = Box::pin(async move {
                violation(pattern, &occurrence(stage, pattern, UNLIMITED).await, place)
            });
            watch
        });
        first(watches.collect()).await
    }

    /// The first violation in a record, and where it stands; what an invariant that holds proves is judged if all steps were.
    pub(super) async fn on_record(
        &self,
        stage: &Stage<'_>,
        past: &Past,
        is_whole: bool,
    ) -> Option<(Seq, Trouble)> {
        let mut first: Option<(Seq, Trouble)> = None;
        for (index, (place, pattern)) in self.watched.iter().enumerate() {
            let looked = pattern.look_back(stage, Duration::ZERO).await;
            let (verdict, found) = match looked {
                Ok(event) => {
                    let trouble = violation(pattern, &event, place);
                    let message = trouble.failure.message.clone();
                    (Verdict::Fails { message }, Some((event.seq, trouble)))
                }
                Err(unmet) => {
                    if let (true, Ok(Some(trouble))) =
                        (is_whole, unknown_throughout(pattern, unmet))
                    {
                        stage.proved_nothing(trouble.at(place));
                    }
                    (Verdict::Holds, None)
                }
            };
            stage.judged.borrow_mut().push(past.judged_invariant(index, &pattern.event, verdict));
            if let Some((at, trouble)) = found
                && first.as_ref().is_none_or(|(earliest, _)| at < *earliest)
            {
                first = Some((at, trouble));
            }
        }
        first
    }

    /// The last look, after one drain of all pipes.
    pub(super) async fn settle(&self, stage: &Stage<'_>) -> Result<(), Trouble> {
        if !self.watched.is_empty() {
            stage.settle().await;
        }
        for (place, pattern) in &self.watched {
            match pattern.look_back(stage, Duration::ZERO).await {
                Ok(event) => return Err(violation(pattern, &event, place)),
                Err(unmet) => {
                    if let Some(trouble) = unknown_throughout(pattern, unmet)? {
                        stage.proved_nothing(trouble.at(place));
                    }
                }
            }
        }
        Ok(())
    }
}

fn violation(pattern: &Pattern, event: &Event, place: &Place) -> Trouble {
    let mut trouble = unexpected(pattern, event);
    trouble.failure.kind = FailureKind::Invariant;
    trouble.at(place)
}
