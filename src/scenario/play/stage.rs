//! What all branches of a play share.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::roster::Roster;
use super::track::{StepId, Track};
use super::trouble::Trouble;
use super::vacuity::Watch;
use super::world::World;
use crate::daemon::{DEFAULT_TIMEOUT, DaemonName, Incarnation};
use crate::event::Seq;
use crate::harness::{Daemon, Surveyed};
use crate::record::{StepFacts, What};
use crate::scenario::job::{Job, Listener, Progress};
use crate::scenario::model::Scenario;
use crate::scenario::recheck::JudgedStep;
use crate::scenario::result::{By, FailureKind, FaultResult};
use crate::scenario::values::{Scope, Setting};

/// Longer than any scenario, and short enough to be added to any time.
const LONGEST: Duration = Duration::from_hours(365 * 24);

pub(super) struct Stage<'a> {
    pub(super) job: &'a Job,
    pub(super) scenario: Scenario,
    pub(super) world: World<'a>,
    pub(super) roster: Roster,
    pub(super) track: Track,
    pub(super) began: Instant,
    listener: &'a dyn Listener,
    marks: RefCell<HashMap<String, Seq>>,
    warnings: RefCell<BTreeSet<String>>,
    /// Steps are no longer noted one by one.
    elided: Cell<bool>,
    /// What would let the scenario pass without proving anything; the first is the failure under `strict`.
    vacuous: RefCell<Vec<Trouble>>,
    watched: RefCell<Vec<Watch>>,
    pub(super) faults: RefCell<Vec<FaultResult>>,
    /// Of a record: what came of each step.
    pub(super) judged: RefCell<Vec<JudgedStep>>,
    /// What `${port.NAME}` and the like came to, as far as it has been noted.
    pub(super) resolved: RefCell<BTreeSet<String>>,
    /// Exits that a step has asked about.
    answered: RefCell<BTreeSet<(DaemonName, Incarnation)>>,
    /// The last step that was to end each incarnation.
    enders: RefCell<HashMap<(DaemonName, Incarnation), By>>,
    /// The scenario's time is over, and its waits were ended with it.
    pub(super) is_over: Cell<bool>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        job: &'a Job,
        scenario: Scenario,
        world: World<'a>,
        listener: &'a dyn Listener,
        began: Instant,
    ) -> Self {
        Self {
            job,
            roster: Roster::new(&scenario),
            scenario,
            world,
            track: Track::new(began),
            began,
            listener,
            marks: RefCell::default(),
            warnings: RefCell::default(),
            elided: Cell::default(),
            vacuous: RefCell::default(),
            watched: RefCell::default(),
            faults: RefCell::default(),
            judged: RefCell::default(),
            resolved: RefCell::default(),
            answered: RefCell::default(),
            enders: RefCell::default(),
            is_over: Cell::default(),
        }
    }

    /// A limit, multiplied by `--timeout-scale`.
    pub(super) fn scaled(&self, limit: Duration) -> Duration {
        let scaled = limit.as_secs_f64() * self.job.timeout_scale.max(0.0);
        Duration::try_from_secs_f64(scaled).unwrap_or(LONGEST).min(LONGEST)
    }

    /// A step's `within`, or the default, scaled.
    pub(super) fn within(
        &self,
        within: Option<&Setting<Duration>>,
        scope: &Scope,
    ) -> Result<Duration, Trouble> {
        let plain = match within {
            Some(setting) => setting.resolve(scope, self)?,
            None => DEFAULT_TIMEOUT,
        };
        Ok(self.scaled(plain))
    }

    pub(super) fn tell(&self, progress: Progress<'_>) {
        self.listener.heard(progress);
    }

    pub(super) fn note_step(&self, path: &str, outcome: &str, facts: StepFacts) {
        if self.track.is_full() && outcome != "failed" {
            if !self.elided.replace(true) {
                let text =
                    "a long loop: of what follows only the newest round is listed".to_owned();
                self.note(What::Text { text });
            }
            return;
        }
        let (path, outcome) = (path.to_owned(), outcome.to_owned());
        self.note(What::Step { path, outcome, more: facts.into_fields() });
    }

    /// Notes what a step begins to wait for.
    pub(super) fn note_wait(&self, id: StepId, wait: impl FnOnce(String) -> What) {
        if !self.track.is_full() {
            self.note(wait(self.track.path(id)));
        }
    }

    pub(super) fn warn(&self, warning: impl Into<String>) {
        self.warnings.borrow_mut().insert(warning.into());
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().iter().cloned().collect()
    }

    /// Something proves nothing: a warning, and a failure under `strict`.
    pub(super) fn proves_nothing(&self, trouble: Trouble) -> Result<(), Trouble> {
        self.warn(trouble.failure.message.clone());
        if self.scenario.strict { Err(trouble) } else { Ok(()) }
    }

    /// As [`proves_nothing`](Self::proves_nothing), for what shows only at the end.
    pub(super) fn proved_nothing(&self, trouble: Trouble) {
        self.warn(trouble.failure.message.clone());
        self.vacuous.borrow_mut().push(trouble);
    }

    /// The absence of an event is relied on.
    pub(super) fn watches(&self, watch: Watch) {
        self.watched.borrow_mut().push(watch);
    }

    /// Finds out which absences proved nothing, now that all has been seen.
    pub(super) fn judge_watches(&self, survey: &Surveyed) {
        let watched = self.watched.borrow();
        let hollow = watched.iter().filter_map(|watch| watch.proves_nothing(self, survey));
        hollow.for_each(|trouble| self.proved_nothing(trouble));
    }

    pub(super) fn first_vacuous(&self) -> Option<Trouble> {
        let mut all = self.vacuous.borrow_mut();
        (self.scenario.strict && !all.is_empty()).then(|| all.remove(0))
    }

    pub(super) fn mark(&self, name: &str, position: Seq) {
        self.marks.borrow_mut().insert(name.to_owned(), position);
    }

    pub(super) fn marked(&self, name: &str) -> Option<Seq> {
        self.marks.borrow().get(name).copied()
    }

    pub(super) fn answer(&self, daemon: &DaemonName, incarnation: Incarnation) {
        self.answered.borrow_mut().insert((daemon.clone(), incarnation));
    }

    pub(super) fn is_answered(&self, daemon: &DaemonName, incarnation: Incarnation) -> bool {
        self.answered.borrow().contains(&(daemon.clone(), incarnation))
    }

    /// A step is about to end, or may end, what runs now of a daemon.
    pub(super) fn ends(&self, daemon: &Daemon, by: &By) {
        let status = daemon.status();
        // What is dead already was ended by something else.
        if status.pid.is_some() {
            let key = (daemon.name().clone(), status.incarnation);
            self.enders.borrow_mut().insert(key, by.clone());
        }
    }

    pub(super) fn ended_by(&self, daemon: &DaemonName, incarnation: Incarnation) -> Option<By> {
        self.enders.borrow().get(&(daemon.clone(), incarnation)).cloned()
    }

    /// A limit on all steps is over; names what was going on.
    pub(super) fn out_of_time(&self, what: &str, limit: Duration) -> Trouble {
        let running = self.track.running().pop();
        let doing =
            running.as_ref().map_or_else(String::new, |step| format!(", during {}", step.path));
        let message = format!("{what} took longer than {limit:?}{doing}");
        let mut trouble = Trouble::new(FailureKind::Timeout, message);
        if let Some(step) = running {
            (trouble.failure.line, trouble.failure.column) = (step.line, step.column);
            self.track.fail_running(&step.path);
            trouble.failure.step = step.path;
        }
        trouble
    }

    pub(super) fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.began).as_secs_f64()
    }
}
