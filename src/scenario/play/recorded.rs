//! A recorded play, as the judge of its steps sees it.
//!
//! What counts for a wait is settled by positions and recorded times: an event that came after the limit of its step does
//! not count, and what came after the steps were over counts for none of them. Where the step is the one that was played,
//! what the play itself found out (how far it had searched, where it ended) comes before the times, which the index tells
//! to the millisecond only.

mod align;
mod history;
mod lives;
mod plays;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

pub(super) use self::align::{Pair, aligned, captures};
pub(super) use self::plays::Ended;
use self::plays::{Notes, Play, Plays};
use super::trouble::Trouble;
use super::world::{Extent, Frame, Moment, Unmet};
use crate::daemon::DaemonName;
use crate::event::log::IndexEntry;
use crate::event::{Envelope, Event, NamePattern, Seq};
use crate::harness::{Surveyed, WaitError, Wanted};
use crate::record::{PlayNote, RecordError, RecordedRun};
use crate::scenario::model::Step;
use crate::scenario::recheck::{JudgedStep, Verdict, Was};
use crate::scenario::result::{Failure, FaultResult, Outcome, ScenarioResult, VERSION};

/// The record of one play, and how the steps to be judged relate to those that were played.
#[derive(Debug)]
pub(super) struct Past {
    run: RefCell<RecordedRun>,
    pub(super) given: PlayNote,
    envelopes: HashMap<DaemonName, Envelope>,
    /// Of all daemons, in the order of the log, with the time of each.
    lifecycle: Vec<(f64, Event)>,
    plays: Plays,
    values: HashMap<String, Value>,
    malformed: HashMap<DaemonName, u64>,
    pub(super) faults: Vec<FaultResult>,
    steps_end: Moment,
    play_end: Moment,
    /// What the play itself came to, if that could be written.
    pub(super) result: Option<ScenarioResult>,
    /// For each step to be judged, by its path, the one that was played.
    pub(super) pairs: HashMap<String, Pair>,
    /// Other steps are judged than those that were played.
    pub(super) is_edited: bool,
    /// The limit of all steps when they were played.
    pub(super) timeout: Duration,
}

impl Past {
    pub(super) fn read(
        mut run: RecordedRun,
        result: Option<ScenarioResult>,
    ) -> Result<Self, RecordError> {
        let Notes {
            given,
            envelopes,
            mut lifecycle,
            plays,
            values,
            malformed,
            faults,
            steps,
            play,
        } = Notes::read(run.notes()?);
        lifecycle.sort_by_key(|(_, event)| event.seq);
        let end = history::end(&mut run, envelopes.keys(), &lifecycle)?;
        let play_end = play.unwrap_or(end);
        Ok(Self {
            run: RefCell::new(run),
            given: given.unwrap_or_else(|| PlayNote {
                seed: result.as_ref().map_or(0, |result| result.seed),
                timeout_scale: 1.0,
                ..PlayNote::default()
            }),
            envelopes,
            lifecycle,
            plays,
            values,
            malformed,
            faults,
            steps_end: steps.unwrap_or(play_end),
            play_end,
            result,
            pairs: HashMap::new(),
            is_edited: false,
            timeout: Duration::ZERO,
        })
    }

    /// The play of a step, or of the one in whose place it stands.
    pub(super) fn play_of(&self, path: &str, rounds: &[u32]) -> Option<(&Pair, &Play)> {
        let pair = self.pairs.get(path)?;
        Some((pair, self.plays.get(&(pair.played.clone(), rounds.to_vec()))?))
    }

    /// Where a step stands in the record; one that was not played begins where the branch has got to.
    pub(super) fn frame(&self, step: &Step, rounds: &[u32], reached: Moment) -> Frame {
        let last = self.last_of(&step.path);
        let Some((pair, play)) = self.play_of(&step.path, rounds) else {
            return Frame { began: reached, last, ..Frame::default() };
        };
        let ended = play.ended.as_ref();
        Frame {
            began: play.began,
            ended: ended.map(|ended| ended.at.seq),
            same: pair.same,
            passed: ended.is_some_and(|ended| ended.passed),
            searched_to: ended.and_then(|ended| ended.facts.searched_to),
            last,
        }
    }

    fn last_of(&self, path: &str) -> Moment {
        if path.starts_with("finally") { self.play_end } else { self.steps_end }
    }

    /// All that happened while the steps were played.
    pub(super) fn all_steps(&self) -> Frame {
        let last = self.steps_end;
        let ended = Some(last.seq);
        Frame { ended, same: true, passed: true, last, ..Frame::default() }
    }

    /// What the play itself failed with, if it was at this step.
    pub(super) fn failure_at(&self, path: &str) -> Option<&Failure> {
        let played = self.pairs.get(path).map(|pair| pair.played.as_str())?;
        let failure = self.result.as_ref()?.failure.as_ref()?;
        (failure.step == played && !played.is_empty()).then_some(failure)
    }

    pub(super) fn judged_invariant(
        &self,
        index: usize,
        event: &NamePattern,
        verdict: Verdict,
    ) -> JudgedStep {
        let path = format!("invariants[{index}]");
        let failure = self.result.as_ref().and_then(|result| result.failure.as_ref());
        let passed = failure.is_none_or(|failure| failure.step != path);
        JudgedStep {
            path,
            verb: "never".to_owned(),
            text: event.to_string(),
            line: 0,
            rounds: Vec::new(),
            verdict,
            matched: None,
            was: Some(Was { passed, matched: None, is_same: true }),
        }
    }

    pub(super) fn damage(&self) -> Vec<String> {
        self.run.borrow().damage().to_vec()
    }

    /// The result of a play of this scenario at that time, before anything is judged.
    pub(super) fn blank_result(&self, scenario: &str, file: &Path) -> ScenarioResult {
        let played = self.result.as_ref();
        ScenarioResult {
            version: VERSION,
            scenario: scenario.to_owned(),
            file: file.to_string_lossy().into_owned(),
            outcome: Outcome::Passed,
            seed: self.given.seed,
            started: played.map(|result| result.started.clone()).unwrap_or_default(),
            duration_s: played.map_or(self.play_end.at_s, |result| result.duration_s),
            steps: Vec::new(),
            daemons: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            failure: None,
        }
    }

    pub(super) fn value(&self, text: &str) -> Option<Value> {
        self.values.get(text).cloned()
    }

    /// The answer of a wait, at once.
    pub(super) fn wait(
        &self,
        frame: &Frame,
        wanted: Wanted,
        extent: Extent,
    ) -> Result<Event, Unmet> {
        let (mut until, is_known) = self.horizon(frame, extent);
        let death = match extent {
            Extent::Match(_) => self.last_hope(&wanted, frame.began.seq),
            Extent::Absence(_) => None,
        };
        let death = death.filter(|(at, _)| *at <= until);
        if let Some((at, _)) = &death {
            until = *at;
        }
        let mut run = self.run.borrow_mut();
        let mut history = history::History {
            run: &mut run,
            envelopes: &self.envelopes,
            lifecycle: &self.lifecycle,
        };
        let unreadable = |error: RecordError| {
            Unmet::Failed(Box::new(WaitError::Unreadable { reason: crate::cause::chain(&error) }))
        };
        if let Some(event) = history.first_match(&wanted, until).map_err(unreadable)? {
            return Ok(event);
        }
        // A step that was passed, and would not be now, is known to differ, however long it could have waited.
        let was_passed = frame.passed && matches!(extent, Extent::Match(_));
        if death.is_none() && !is_known && !was_passed {
            return Err(Unmet::Undecided(
                "the record ends before its limit, and holds no such event".to_owned(),
            ));
        }
        let miss = Box::new(history.miss(&wanted, until).map_err(unreadable)?);
        let (Extent::Match(after) | Extent::Absence(after)) = extent;
        Err(Unmet::Failed(Box::new(match death {
            Some((_, (daemon, exit))) => {
                let predicate = wanted.predicate().map(ToOwned::to_owned);
                let (event, last_lines) = (wanted.event.to_string(), Vec::new());
                let deaths = self.deaths_before_giving_up(&daemon, until);
                if deaths.is_empty() {
                    WaitError::TerminatedBeforeEvent {
                        daemon,
                        event,
                        r#where: predicate,
                        exit,
                        last_lines,
                        miss,
                    }
                } else {
                    WaitError::GaveUp {
                        daemon,
                        event,
                        r#where: predicate,
                        deaths,
                        last_lines,
                        miss,
                    }
                }
            }
            None => WaitError::TimedOut { wanted: wanted.in_words(), after, miss },
        })))
    }

    /// Up to where records count, and whether all that would have counted is there.
    fn horizon(&self, frame: &Frame, extent: Extent) -> (Seq, bool) {
        let (Extent::Match(lasting) | Extent::Absence(lasting)) = extent;
        if frame.same
            && let Some(until) = frame.searched_to
        {
            return (until, true);
        }
        let ended = match extent {
            Extent::Match(_) => frame.ended.filter(|_| frame.same && frame.passed),
            // What is looked at now is looked at where the step was over.
            Extent::Absence(_) => frame.ended.filter(|_| frame.same || lasting.is_zero()),
        };
        let limit_s = frame.began.at_s + lasting.as_secs_f64();
        if limit_s > frame.last.at_s && !lasting.is_zero() {
            return (ended.unwrap_or(frame.last.seq).max(frame.last.seq), ended.is_some());
        }
        let by_time = if lasting.is_zero() {
            frame.began.seq
        } else {
            self.first_after(limit_s).min(frame.last.seq)
        };
        (ended.unwrap_or(by_time).max(by_time), true)
    }

    /// The first position of a record that is later than this.
    fn first_after(&self, at_s: f64) -> Seq {
        let at = self.lifecycle.partition_point(|(time, _)| *time <= at_s);
        let lifecycle = self.lifecycle.get(at).map(|(_, event)| event.seq);
        let mut run = self.run.borrow_mut();
        let events = self.envelopes.keys().filter_map(|daemon| {
            let entries = run.index(daemon).ok()?;
            let at = entries.partition_point(|entry| entry.at_s() <= at_s);
            entries.get(at).map(|entry| entry.first)
        });
        events.chain(lifecycle).min().unwrap_or(Seq(u64::MAX))
    }

    /// When this position was reached, as far as that is recorded.
    pub(super) fn moment(&self, seq: Seq) -> Moment {
        let found = self.lifecycle.binary_search_by_key(&seq, |(_, event)| event.seq);
        if let Ok(at) = found {
            return Moment { seq: seq.next(), at_s: self.lifecycle[at].0 };
        }
        let mut run = self.run.borrow_mut();
        let at_s = self.envelopes.keys().find_map(|daemon| {
            let entries = run.index(daemon).ok()?;
            let at = entries.partition_point(|entry| entry.end() <= seq);
            entries.get(at).filter(|entry| entry.first <= seq).map(IndexEntry::at_s)
        });
        Moment { seq: seq.next(), at_s: at_s.unwrap_or_default() }
    }

    /// So much later in the record.
    pub(super) fn after(&self, moment: Moment, time: Duration) -> Moment {
        let at_s = moment.at_s + time.as_secs_f64();
        Moment { at_s, seq: self.first_after(at_s).min(self.play_end.seq).max(moment.seq) }
    }

    /// What was known of each daemon's events when the play was over.
    pub(super) fn survey(&self) -> Surveyed {
        let mut run = self.run.borrow_mut();
        let mut surveyed = Surveyed::default();
        for (daemon, envelope) in &self.envelopes {
            // What cannot be read was not seen.
            let mut seen =
                history::seen(&mut run, daemon, envelope, self.play_end).unwrap_or_default();
            seen.malformed = self.malformed.get(daemon).copied().unwrap_or_default();
            surveyed.daemons.insert(daemon.clone(), seen);
        }
        surveyed
    }
}

/// What the play was ended by, where no step is judged to have failed and none can be.
pub(super) fn carried_over(failure: &Failure, is_error: bool) -> Trouble {
    let mut trouble = Trouble::new(failure.kind, "");
    trouble.failure = Box::new(failure.clone());
    trouble.is_error = is_error;
    trouble.is_explained = true;
    trouble
}
