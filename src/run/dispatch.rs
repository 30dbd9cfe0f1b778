//! Carries out a [`Plan`]: plays side by side on one thread, ends them early when asked, settles what they came to.

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet, LocalSet};
use tokio::time::Instant as Deadline;

use super::filing::{Archivist, Filed, Filing};
use super::plan::{Plan, Settled, Unit};
use super::player::{broken, unplayed};
use super::run_dir;
use super::times::Times;
use super::{
    Case, Exit, Interrupt, Notice, Observer, Options, Played, Player, RunReport, Summary, Verdict,
};

use crate::cause;
use crate::report::state;
use crate::scenario::job::{Cancellation, Canceller, Job, Listener, Progress, Urgency};
use crate::scenario::result::{FailureKind, Outcome, ScenarioResult};
use crate::scenario::state::Occasion;

/// Plays all cases as the options say, and returns when nothing is being played any more.
///
/// Needs a current-thread runtime with time enabled. A panic of the player is a result of its own (exit code 70) and ends
/// no other play. The archivist sees each run directory before it may be removed. When `interrupts` is closed, none can come any more.
pub async fn play_all(
    cases: &[Case],
    options: &Options,
    player: Rc<dyn Player>,
    observer: Rc<dyn Observer>,
    archivist: Arc<dyn Archivist>,
    interrupts: mpsc::UnboundedReceiver<Interrupt>,
) -> RunReport {
    let session = Session::new(cases, options, player, observer, archivist);
    LocalSet::new().run_until(session.run(interrupts)).await
}

struct Session<'a> {
    cases: &'a [Case],
    options: &'a Options,
    player: Rc<dyn Player>,
    observer: Rc<dyn Observer>,
    archivist: Arc<dyn Archivist>,
    plan: Plan,
    canceller: Canceller,
    cancellation: Cancellation,
    /// Plays, and the filing of what they left.
    plays: JoinSet<Done>,
    running: HashMap<Id, Begun>,
    /// What failed and is to be tried again.
    retried: HashMap<Unit, Played>,
    times: Times,
    summary: Summary,
    exit: Exit,
    /// When the plays were told to end at once.
    told_now: Option<Deadline>,
}

/// What a task came to.
enum Done {
    Played(ScenarioResult),
    Filed(Filed),
}

/// A unit that was begun.
struct Begun {
    unit: Unit,
    /// It is over, and this is being done with what it left.
    filing: Option<Filing>,
    /// The result if the play itself brings none.
    base: ScenarioResult,
    run_dir: PathBuf,
    since: Instant,
}

impl<'a> Session<'a> {
    fn new(
        cases: &'a [Case],
        options: &'a Options,
        player: Rc<dyn Player>,
        observer: Rc<dyn Observer>,
        archivist: Arc<dyn Archivist>,
    ) -> Self {
        let (canceller, cancellation) = Canceller::new();
        Self {
            cases,
            options,
            player,
            observer,
            archivist,
            plan: Plan::new(cases.len(), options.policy),
            canceller,
            cancellation,
            plays: JoinSet::new(),
            running: HashMap::new(),
            retried: HashMap::new(),
            times: Times::default(),
            summary: Summary::default(),
            exit: Exit::Passed,
            told_now: None,
        }
    }

    async fn run(mut self, mut interrupts: mpsc::UnboundedReceiver<Interrupt>) -> RunReport {
        let began = Instant::now();
        self.observer.notice(Notice::RunBegan { cases: self.cases, options: self.options });
        let mut abandoned = false;
        loop {
            while self.plays.len() < self.options.jobs
                && let Some(unit) = self.plan.next_unit()
            {
                self.begin(unit);
            }
            if self.plays.is_empty() {
                break;
            }
            let abandon_at = self.told_now.map(|told| told + self.options.abandon_after);
            tokio::select! {
                // A signal counts even if plays end at the same moment, else a fast run could not be stopped.
                biased;
                Some(interrupt) = interrupts.recv() => self.interrupt(interrupt),
                Some(joined) = self.plays.join_next_with_id() => self.joined(joined),
                () = until(abandon_at), if !abandoned => {
                    abandoned = true;
                    self.plays.abort_all();
                }
            }
            // Signals that came while the last play ended must not be lost to the end of the loop.
            while let Ok(interrupt) = interrupts.try_recv() {
                self.interrupt(interrupt);
            }
        }
        self.close(began)
    }

    fn begin(&mut self, unit: Unit) {
        let case = &self.cases[unit.case];
        let seed = self.options.seeds.of(case, unit.repetition);
        let file = case.file.to_string_lossy();
        let base = unplayed(&case.name, &file, seed);
        self.observer.notice(Notice::PlayBegan { unit, case, seed });

        let name = run_dir::name(SystemTime::now(), &case.name, seed, unit.attempt);
        let run_dir = match run_dir::create(&self.options.out, &name) {
            Ok(run_dir) => run_dir,
            Err(error) => {
                let result = broken(base, FailureKind::Environment, cause::chain(&error));
                return self.settle(unit, result, None);
            }
        };
        let job = Job {
            file: case.file.clone(),
            repetition: unit.repetition,
            attempt: unit.attempt,
            seed,
            vars: self.options.vars.clone(),
            timeout: self.options.timeout,
            timeout_scale: self.options.timeout_scale,
            strict: self.options.strict,
            octez: self.options.octez.clone(),
            run_dir: run_dir.clone(),
            live: self.options.live,
            cancellation: self.cancellation.clone(),
            inquiries: self.options.inquiries.clone(),
        };
        let player = Rc::clone(&self.player);
        let observer = Rc::clone(&self.observer);
        let follower = Follower { observer, unit, case: case.clone(), run_dir: run_dir.clone() };
        let play = async move { Done::Played(player.play(&job, &follower).await) };
        let handle = self.plays.spawn_local(play);
        self.running.insert(
            handle.id(),
            Begun { unit, filing: None, base, run_dir, since: Instant::now() },
        );
    }

    fn joined(&mut self, joined: Result<(Id, Done), JoinError>) {
        let (id, outcome) = match joined {
            Ok((id, done)) => (id, Ok(done)),
            Err(error) => (error.id(), Err(error)),
        };
        let begun = self.running.remove(&id).expect("every task is entered when it is spawned");
        match (outcome, begun.filing.clone()) {
            (Ok(Done::Played(result)), _) => self.file(begun, result),
            (Ok(Done::Filed(filed)), _) => self.filed(&begun, filed),
            (Err(error), None) => {
                let result = begun.in_place_of_a_result(error);
                self.file(begun, result);
            }
            // It was dropped before it began, or whoever looked at it panicked: only the picture is lost.
            (Err(error), Some(filing)) => {
                let mut filing = Filing { archivist: Arc::new(()), ..filing };
                if error.is_panic() {
                    filing.result = begun.in_place_of_a_result(error);
                }
                self.filed(&begun, filing.carry_out());
            }
        }
    }

    /// Deals with what a play left, on a thread that may take its time, unless there is none.
    fn file(&mut self, mut begun: Begun, mut result: ScenarioResult) {
        let case = &self.cases[begun.unit.case];
        if let Some(failure) = &mut result.failure {
            failure
                .rerun
                .get_or_insert_with(|| super::rerun::command(case, result.seed, self.options));
            // What is not kept cannot be checked again.
            if self.options.keep.keeps(result.outcome) {
                failure.replay.get_or_insert_with(|| super::rerun::recheck(&begun.run_dir));
            }
        }
        let hurried = self.told_now.is_some();
        let filing = Filing {
            unit: begun.unit,
            case: case.clone(),
            result,
            run_dir: begun.run_dir.clone(),
            keep: self.options.keep,
            archivist: if hurried { Arc::new(()) } else { Arc::clone(&self.archivist) },
        };
        if hurried {
            return self.filed(&begun, filing.carry_out());
        }
        begun.filing = Some(filing.clone());
        let handle = self.plays.spawn_blocking(move || Done::Filed(filing.carry_out()));
        self.running.insert(handle.id(), begun);
    }

    fn filed(&mut self, begun: &Begun, filed: Filed) {
        if filed.incomplete {
            self.exit = self.exit.and(Exit::Environment);
        }
        self.settle(begun.unit, filed.result, filed.run_dir);
    }

    /// Counts a result, decides what follows from it and tells the observer.
    fn settle(&mut self, unit: Unit, result: ScenarioResult, run_dir: Option<PathBuf>) {
        if result.outcome == Outcome::Passed {
            self.times.record(&self.cases[unit.case].file, result.duration_s);
        }
        let verdict = match self.plan.ended(unit, result.outcome) {
            Settled::Again => None,
            Settled::Finally(verdict) => Some(verdict),
        };
        let played = Played { unit, result, run_dir, verdict };
        self.retried.remove(&unit);
        if let Some(verdict) = verdict {
            return self.conclude(&played, verdict);
        }
        self.observer.notice(Notice::PlayEnded { case: &self.cases[unit.case], played: &played });
        self.retried.insert(Unit { attempt: unit.attempt + 1, ..unit }, played);
    }

    fn conclude(&mut self, played: &Played, verdict: Verdict) {
        self.summary.count(verdict);
        self.exit = self.exit.and(match verdict {
            Verdict::Flaky if self.options.policy.fails(verdict) => Exit::Failed,
            _ => Exit::of(&played.result),
        });
        self.observer.notice(Notice::PlayEnded { case: &self.cases[played.unit.case], played });
    }

    fn interrupt(&mut self, interrupt: Interrupt) {
        let urgency = match interrupt {
            Interrupt::Graceful => Urgency::Graceful,
            Interrupt::Now | Interrupt::FrontLost => Urgency::Now,
        };
        self.exit = self.exit.and(Exit::Interrupted);
        self.plan.stop();
        self.canceller.hasten(urgency);
        if urgency == Urgency::Now {
            self.told_now.get_or_insert_with(Deadline::now);
        }
        self.observer.notice(Notice::Interrupted(interrupt));
    }

    fn close(mut self, began: Instant) -> RunReport {
        let abandoned: Vec<Unit> = self.plan.abandoned().collect();
        for unit in abandoned {
            if let Some(mut played) = self.retried.remove(&unit) {
                played.verdict = Some(Verdict::Failed);
                self.conclude(&played, Verdict::Failed);
            }
        }
        if let Err(error) = self.times.merge_into(&self.options.out) {
            // Only the balance of a later run depends on it.
            tracing::warn!(error = cause::chain(&error), "times are not recorded");
        }
        self.summary.not_played = self.plan.not_played();
        self.summary.duration_s = round_ms(began.elapsed().as_secs_f64());
        let report = RunReport { summary: self.summary, exit: self.exit };
        self.observer.notice(Notice::RunEnded(&report));
        report
    }
}

impl Begun {
    /// What a play came to that was dropped or panicked.
    fn in_place_of_a_result(&self, error: JoinError) -> ScenarioResult {
        let base = ScenarioResult {
            duration_s: round_ms(self.since.elapsed().as_secs_f64()),
            ..self.base.clone()
        };
        match error.try_into_panic() {
            Ok(payload) => {
                let said = panic_message(&*payload);
                let message =
                    format!("the runner panicked: {said}; this is a bug, please report it");
                broken(base, FailureKind::Panic, message)
            }
            Err(_dropped) => ScenarioResult { outcome: Outcome::Interrupted, ..base },
        }
    }
}

/// Returns at that time; without one, never.
async fn until(at: Option<Deadline>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What `panic!` was given, where that was text.
pub fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Hands what one play tells on to the observer of the run.
struct Follower {
    observer: Rc<dyn Observer>,
    unit: Unit,
    case: Case,
    run_dir: PathBuf,
}

impl Listener for Follower {
    fn heard(&self, progress: Progress<'_>) {
        let Self { observer, unit, case, run_dir } = self;
        if let Progress::State(state) = progress
            && state.occasion != Occasion::Asked
        {
            run_dir::write_state(run_dir, &state::block(&case.name, state));
        }
        observer.notice(Notice::PlayProgressed { unit: *unit, case, progress });
    }
}

fn round_ms(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

#[cfg(test)]
pub(crate) mod tests;
