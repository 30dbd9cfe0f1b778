//! `log.jsonl` as the judge needs it: what was played, and what came of it.

use std::collections::HashMap;

use serde_json::Value;

use super::Moment;
use crate::daemon::DaemonName;
use crate::event::{Envelope, Event};
use crate::record::{Note, Phase, PlayNote, StepFacts, What};
use crate::scenario::result::{FaultResult, Match};

/// The plays of steps, by path and rounds.
pub(super) type Plays = HashMap<(String, Vec<u32>), Play>;

/// A step that was played.
#[derive(Clone, Debug)]
pub(in crate::scenario::play) struct Play {
    pub(super) began: Moment,
    pub(in crate::scenario::play) ended: Option<Ended>,
    /// The last event that it matched.
    pub(in crate::scenario::play) matched: Option<Match>,
}

#[derive(Clone, Debug)]
pub(in crate::scenario::play) struct Ended {
    pub(in crate::scenario::play) at: Moment,
    pub(in crate::scenario::play) passed: bool,
    pub(in crate::scenario::play) facts: StepFacts,
}

#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) given: Option<PlayNote>,
    pub(super) envelopes: HashMap<DaemonName, Envelope>,
    pub(super) lifecycle: Vec<(f64, Event)>,
    pub(super) plays: Plays,
    pub(super) values: HashMap<String, Value>,
    pub(super) malformed: HashMap<DaemonName, u64>,
    pub(super) faults: Vec<FaultResult>,
    /// Where the steps, and all of the play, ended.
    pub(super) steps: Option<Moment>,
    pub(super) play: Option<Moment>,
}

impl Notes {
    pub(super) fn read(notes: Vec<Note>) -> Self {
        let mut all = Self::default();
        // The newest round of each step: that is the one a match belongs to.
        let mut newest: HashMap<String, Vec<u32>> = HashMap::new();
        for Note { at_s, what } in notes {
            match what {
                What::Play(given) => all.given = Some(given),
                What::Daemon { daemon, envelope, .. } => {
                    all.envelopes.insert(daemon, envelope.into());
                }
                What::Lifecycle { seq, daemon, incarnation, event, value } => {
                    let event = Event {
                        daemon,
                        incarnation,
                        seq,
                        name: event,
                        time: None,
                        section: std::sync::Arc::default(),
                        value: value.into(),
                        late: false,
                    };
                    all.lifecycle.push((at_s, event));
                }
                What::Step { path, outcome, more } => {
                    let Some(facts) = StepFacts::from_fields(&more) else { continue };
                    let at = Moment { seq: facts.end, at_s };
                    let rounds = facts.rounds.clone();
                    newest.insert(path.clone(), rounds.clone());
                    if outcome == "began" {
                        let play = Play { began: at, ended: None, matched: None };
                        all.plays.insert((path, rounds), play);
                    } else if let Some(play) = all.plays.get_mut(&(path, rounds)) {
                        play.ended = Some(Ended { at, passed: outcome == "passed", facts });
                    }
                }
                What::Match { path, daemon, event, seq, incarnation } => {
                    let rounds = newest.get(&path).cloned().unwrap_or_default();
                    if let Some(play) = all.plays.get_mut(&(path, rounds)) {
                        play.matched = Some(Match {
                            daemon: daemon.to_string(),
                            event: event.to_string(),
                            seq: seq.0,
                            incarnation: incarnation.0,
                        });
                    }
                }
                What::Fault { number, kind, target, hit } => {
                    let target = target.to_string();
                    all.faults.push(FaultResult {
                        number,
                        kind,
                        target,
                        at_s,
                        delayed_s: 0.0,
                        hit,
                        by: None,
                    });
                }
                What::Malformed { daemon, .. } => *all.malformed.entry(daemon).or_default() += 1,
                What::Value { text, value } => drop(all.values.insert(text, value)),
                What::Ended { phase, end } => {
                    let end = Some(Moment { seq: end, at_s });
                    match phase {
                        Phase::Steps => all.steps = end,
                        Phase::Play => all.play = end,
                    }
                }
                What::Wait { .. } | What::Text { .. } | What::Unknown => {}
            }
        }
        all
    }
}
