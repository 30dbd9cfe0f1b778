//! The record of steps: which began, how each ended, which never came.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use crate::event::Event;
use crate::event::waiters::WaiterId;
use crate::scenario::model::Step;
use crate::scenario::result::{Match, StepOutcome, StepResult};

#[derive(Debug)]
pub(super) struct Track {
    began: Instant,
    steps: RefCell<Vec<Entry>>,
    /// Where the newest round of each step stands.
    newest: RefCell<HashMap<String, usize>>,
}

/// So many steps are listed one by one; memory must not grow with the rounds of a loop.
const LIMIT: usize = 20_000;

#[derive(Debug)]
struct Entry {
    result: StepResult,
    since: Instant,
    running: bool,
    /// It holds other steps, which say more than it does.
    is_block: bool,
    waits: Vec<WaiterId>,
    /// In a record: when it began, and how long it took.
    played: Option<(f64, f64)>,
}

impl Entry {
    fn to_result(&self) -> StepResult {
        let mut result = self.result.clone();
        if let Some((started_s, duration_s)) = self.played {
            (result.started_s, result.duration_s) = (started_s, duration_s);
        }
        result
    }
}

/// A step that is going on.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) since: Instant,
    /// The waits that it has begun, also those that are over.
    pub(super) waits: Vec<WaiterId>,
}

/// A step that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepId(usize);

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl Track {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, steps: RefCell::default(), newest: RefCell::default() }
    }

    /// Counts as skipped until it has ended.
    pub(super) fn begin(&self, step: &Step) -> StepId {
        let mut steps = self.steps.borrow_mut();
        let started_s = self.began.elapsed().as_secs_f64();
        let result = StepResult { started_s, ..skipped(step) };
        let is_block = !step.action.blocks().is_empty();
        let (waits, played) = (Vec::new(), None);
        let since = Instant::now();
        let entry = Entry { result, since, running: true, is_block, waits, played };
        let mut newest = self.newest.borrow_mut();
        // A long loop: the newest round replaces the one before it.
        if steps.len() >= LIMIT
            && let Some(at) = newest.get(&step.path).copied()
            && !steps[at].running
        {
            steps[at] = entry;
            return StepId(at);
        }
        newest.insert(step.path.clone(), steps.len());
        steps.push(entry);
        StepId(steps.len() - 1)
    }

    /// More steps were played than are listed one by one.
    pub(super) fn is_full(&self) -> bool {
        self.steps.borrow().len() >= LIMIT
    }

    pub(super) fn end(&self, id: StepId, outcome: StepOutcome) {
        if let Some(entry) = self.steps.borrow_mut().get_mut(id.0) {
            entry.running = false;
            entry.result.outcome = outcome;
            entry.result.duration_s = entry.since.elapsed().as_secs_f64();
        }
    }

    /// The step has begun a wait; of a record there is none.
    pub(super) fn awaits(&self, id: StepId, wait: Option<WaiterId>) {
        if let Some(entry) = self.steps.borrow_mut().get_mut(id.0) {
            entry.waits.extend(wait);
        }
    }

    /// Where the step stands.
    pub(super) fn path(&self, id: StepId) -> String {
        self.steps.borrow().get(id.0).map_or_else(String::new, |entry| entry.result.path.clone())
    }

    /// The event that ended the step, of several the last; gives the step's path.
    pub(super) fn matched(&self, id: StepId, event: &Event) -> String {
        let mut steps = self.steps.borrow_mut();
        let Some(entry) = steps.get_mut(id.0) else {
            return String::new();
        };
        entry.result.r#match = Some(Match {
            daemon: event.daemon.to_string(),
            event: event.name.to_string(),
            seq: event.seq.0,
            incarnation: event.incarnation.0,
        });
        entry.result.path.clone()
    }

    pub(super) fn match_of(&self, id: StepId) -> Option<Match> {
        self.steps.borrow().get(id.0)?.result.r#match.clone()
    }

    /// When a step of a record was played.
    pub(super) fn set_times(&self, id: StepId, started_s: f64, duration_s: f64) {
        if let Some(entry) = self.steps.borrow_mut().get_mut(id.0) {
            entry.played = Some((started_s, duration_s));
        }
    }

    /// A time limit ended the step, and with it the blocks around it.
    pub(super) fn fail_running(&self, path: &str) {
        let mut steps = self.steps.borrow_mut();
        let is_around = |around: &str| {
            path.strip_prefix(around).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        for entry in steps.iter_mut().filter(|entry| entry.running && is_around(&entry.result.path))
        {
            entry.running = false;
            entry.result.outcome = StepOutcome::Failed;
            entry.result.duration_s = entry.since.elapsed().as_secs_f64();
        }
    }

    /// The futures of these steps have been dropped.
    pub(super) fn cancel_running(&self) {
        for entry in self.steps.borrow_mut().iter_mut().filter(|entry| entry.running) {
            entry.running = false;
            entry.result.duration_s = entry.since.elapsed().as_secs_f64();
        }
    }

    /// The steps of one branch that another branch's failure ended.
    pub(super) fn cancel_below(&self, prefix: &str) {
        let is_below = |path: &str| path.starts_with(prefix);
        let mut steps = self.steps.borrow_mut();
        for entry in steps.iter_mut().filter(|entry| entry.running && is_below(&entry.result.path))
        {
            entry.running = false;
            entry.result.duration_s = entry.since.elapsed().as_secs_f64();
        }
    }

    /// The steps that are going on, oldest first, without those that only hold others.
    pub(super) fn running(&self) -> Vec<Running> {
        let steps = self.steps.borrow();
        let running = steps.iter().filter(|entry| entry.running && !entry.is_block);
        let step = |entry: &Entry| Running {
            path: entry.result.path.clone(),
            text: entry.result.text.clone(),
            line: entry.result.line,
            column: entry.result.column,
            since: entry.since,
            waits: entry.waits.clone(),
        };
        running.map(step).collect()
    }

    /// All steps in the order in which they began, those that never did where they stand in the file.
    pub(super) fn results(&self, file_order: &[&Step]) -> Vec<StepResult> {
        let mut results: Vec<StepResult> =
            self.steps.borrow().iter().map(Entry::to_result).collect();
        let mut after = 0;
        for step in file_order {
            if let Some(at) = results.iter().rposition(|result| result.path == step.path) {
                after = after.max(at + 1);
            } else {
                results.insert(after, skipped(step));
                after += 1;
            }
        }
        results
    }
}

fn skipped(step: &Step) -> StepResult {
    StepResult {
        path: step.path.clone(),
        verb: step.verb.to_owned(),
        text: step.text.clone(),
        line: number(step.span.line),
        column: number(step.span.column),
        outcome: StepOutcome::Skipped,
        started_s: 0.0,
        duration_s: 0.0,
        r#match: None,
    }
}

/// Every step of a list and below it, in the order of the file.
pub(super) fn flatten<'s>(steps: &'s [Step], into: &mut Vec<&'s Step>) {
    for step in steps {
        into.push(step);
        for block in step.action.blocks() {
            flatten(block, into);
        }
    }
}
