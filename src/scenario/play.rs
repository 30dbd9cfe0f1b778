//! Playing a scenario: its steps on a harness, and what comes of them.
//!
//! ```text
//! play (limits, finally, judgement) ─► Branch::run_steps ─► one file for each group of verbs
//!        │                               │ cursors, variables, staleness: a branch's own
//!        └─ Stage: the harness, the roster, marks, the record of steps: shared by all branches
//! ```
//! A step fails with a `Trouble`, which is data until the result is written. Dropping a step's future withdraws its
//! waits, and that is how time limits, interrupts and the failure of another branch end it.

mod absence;
mod branch;
mod builtins;
mod chain;
mod cursors;
mod events;
mod evidence;
mod judgement;
mod lifecycle;
mod live;
mod programs;
mod questions;
mod recall;
pub(super) mod recheck;
mod recorded;
mod roster;
mod settings;
mod side_by_side;
mod stage;
mod track;
mod trouble;
mod vacuity;
mod world;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use self::branch::Branch;
use self::live::Live;
use self::stage::Stage;
use self::trouble::Trouble;
use self::world::World;
use super::job::{self, Job, Listener, Urgency};
use super::model::Scenario;
use super::result::{Failure, FailureKind, Outcome, ScenarioResult, VERSION};
use super::{Overrides, ScenarioError, load};
use crate::harness::{Harness, OctezSource, Summary};
use crate::record::{Phase, PlayNote, What};

/// `finally` has this long, scaled.
const FINALLY: Duration = Duration::from_mins(1);

/// How often it is looked whether recording still works.
const LOOK_AT_RECORDING: Duration = Duration::from_millis(250);

/// Plays a scenario once. Whatever goes wrong is in the result; nothing of it is running when this returns.
///
/// Needs a runtime with timers. Dropped, it kills what it started.
pub async fn play(job: &Job, listener: &dyn Listener) -> ScenarioResult {
    let began = Begun { at: Instant::now(), wall: SystemTime::now() };
    let overrides = Overrides {
        vars: job.vars.clone(),
        seed: Some(job.seed),
        timeout: job.timeout,
        strict: job.strict,
    };
    let loaded = match load(&job.file, &overrides) {
        Ok(loaded) => loaded,
        Err(error) => return began.unloadable(job, &error),
    };
    let mut result = began.result(job, &loaded.scenario.name);
    result.warnings = loaded.warnings.iter().map(|warning| warning.message.clone()).collect();
    let scenario = loaded.scenario;
    if let Err(error) = keep_sources(&job.run_dir, &scenario) {
        result.outcome = Outcome::Error;
        result.failure = Some(Failure::new(FailureKind::Environment, error));
        return result;
    }
    let harness = Harness::builder()
        .run_dir(&job.run_dir)
        .octez(octez_source(&job.octez))
        .seed(job.seed)
        .start()
        .await;
    let harness = match harness {
        Ok(harness) => harness,
        Err(error) => {
            result.outcome = Outcome::Error;
            let text = crate::cause::chain(&error);
            result.failure = Some(Failure::new(FailureKind::Environment, text));
            return result;
        }
    };
    harness.note(What::Play(given(job, &scenario)));
    let live = Live::attach(&harness, job.live);
    let stage = Stage::new(job, scenario, World::Live(&harness), listener, began.at);
    let played = async {
        tokio::select! {
            biased;
            ended = run(&stage) => ended,
            never = questions::answer(&stage) => match never {},
        }
    };
    let ended = live.pass_on_while(listener, played).await;
    judgement::conclude(&stage, ended, &mut result).await;
    drop(stage);
    let now = job.cancellation.urgency() == Urgency::Now;
    let summary = if now { harness.shutdown_now().await } else { end_gently(harness, job).await };
    add_summary(&mut result, summary);
    result.duration_s = began.at.elapsed().as_secs_f64();
    result
}

/// How the steps ended.
#[derive(Debug)]
enum Ended {
    Normally,
    InTrouble(Trouble),
    /// The steps did not, `finally` did.
    FinallyFailed(Trouble),
    Interrupted,
    /// Nobody knows: of a record that does not tell.
    Unjudged,
}

/// The steps under their limits, then `finally`.
async fn run(stage: &Stage<'_>) -> Ended {
    let mut branch = Branch::first(stage);
    let ended = match play_steps(stage, &mut branch).await {
        Ok(ended) => ended,
        Err(trouble) => {
            questions::tell_of(stage, &trouble).await;
            let survey = stage.survey().await;
            Ended::InTrouble(evidence::explained(stage, trouble, &survey))
        }
    };
    stage.track.cancel_running();
    stage.note_end(Phase::Steps);
    let finished = play_finally(stage, branch).await;
    stage.track.cancel_running();
    match (ended, finished) {
        (Ended::Normally, Ok(finished)) => finished,
        (Ended::Normally, Err(trouble)) => Ended::FinallyFailed(trouble),
        (ended, Ok(_)) => ended,
        (ended, Err(trouble)) => {
            let Failure { step, message, .. } = &*trouble.failure;
            let place = if step.is_empty() { "finally" } else { step };
            stage.warn(format!("{place} failed as well: {message}"));
            ended
        }
    }
}

/// The steps, until they end, something forbids them to go on, or their time is over.
async fn play_steps(stage: &Stage<'_>, branch: &mut Branch) -> Result<Ended, Trouble> {
    let invariants = absence::Invariants::watch(stage)?;
    let limit = stage.scaled(stage.scenario.timeout);
    tokio::select! {
        biased;
        () = questions::interrupted(stage) => return Ok(Ended::Interrupted),
        trouble = recording_fails(stage) => return Err(trouble),
        trouble = invariants.violated(stage) => return Err(trouble),
        ended = branch.run_steps(stage, &stage.scenario.steps) => {
            ended.map_err(|trouble| questions::as_limit(stage, trouble, limit))?;
        }
        trouble = questions::over(stage, "the scenario", limit) => return Err(trouble),
    }
    invariants.settle(stage).await?;
    Ok(Ended::Normally)
}

async fn recording_fails(stage: &Stage<'_>) -> Trouble {
    loop {
        tokio::time::sleep(LOOK_AT_RECORDING).await;
        let World::Live(harness) = stage.world else { continue };
        if let Some(reason) = harness.recording_failure() {
            return Trouble::environment(format!("recording stopped: {reason}"));
        }
    }
}

/// Always played, within a time of its own. A second interrupt ends it.
async fn play_finally(stage: &Stage<'_>, mut branch: Branch) -> Result<Ended, Trouble> {
    if stage.scenario.finally.is_empty() {
        return Ok(Ended::Normally);
    }
    // The steps may have been left in the middle of a loop.
    branch.rounds.clear();
    let limit = stage.scaled(FINALLY);
    tokio::select! {
        biased;
        () = stage.job.cancellation.at_least(Urgency::Now) => Ok(Ended::Interrupted),
        ended = branch.run_steps(stage, &stage.scenario.finally) => ended.map(|()| Ended::Normally),
        trouble = questions::over(stage, "`finally`", limit) => Err(trouble),
    }
}

/// Daemons that a scenario leaves running are terminated, not killed: a node then closes its store in peace.
async fn end_gently(harness: Harness, job: &Job) -> Result<Summary, crate::harness::StartError> {
    let grace = Duration::from_secs(5).mul_f64(job.timeout_scale.max(0.0));
    let urgent = job.cancellation.clone();
    harness.shutdown_within(grace, async move { urgent.at_least(Urgency::Now).await }).await
}

fn add_summary(result: &mut ScenarioResult, summary: Result<Summary, crate::harness::StartError>) {
    let bug = |result: &mut ScenarioResult, message: String| {
        result.outcome = Outcome::Error;
        result.failure = Some(Failure::new(FailureKind::Panic, message));
    };
    match summary {
        Ok(summary) => {
            for leak in &summary.leaks {
                result.warnings.push(format!(
                    "process {} ({}) had left its daemon's group and outlived it; it was killed",
                    leak.pid, leak.comm
                ));
            }
            if let Some(actor) = summary.panicked {
                bug(result, format!("an actor of tribunal panicked: {actor}"));
            } else if let Some(reason) = summary.recording_failure
                && result.outcome != Outcome::Interrupted
            {
                result.outcome = Outcome::Error;
                let message = format!("recording stopped: {reason}");
                if result.failure.is_some() {
                    result.warnings.push(message);
                } else {
                    result.failure = Some(Failure::new(FailureKind::Environment, message));
                }
            }
        }
        Err(error) => bug(result, error.to_string()),
    }
}

/// When a play began.
struct Begun {
    at: Instant,
    wall: SystemTime,
}

impl Begun {
    fn result(&self, job: &Job, scenario: &str) -> ScenarioResult {
        ScenarioResult {
            version: VERSION,
            scenario: scenario.to_owned(),
            file: job.file.to_string_lossy().into_owned(),
            outcome: Outcome::Passed,
            seed: job.seed,
            started: humantime::format_rfc3339_millis(self.wall).to_string(),
            duration_s: self.at.elapsed().as_secs_f64(),
            steps: Vec::new(),
            daemons: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            failure: None,
        }
    }

    fn unloadable(&self, job: &Job, error: &ScenarioError) -> ScenarioResult {
        let mut result = self.result(job, "");
        result.outcome = Outcome::Error;
        result.failure = Some(Failure::new(FailureKind::Invalid, error.to_string()));
        result
    }
}

fn octez_source(source: &job::OctezSource) -> OctezSource {
    match source {
        job::OctezSource::Sandbox => OctezSource::Sandbox,
        job::OctezSource::Path => OctezSource::Path,
        job::OctezSource::Folder(folder) => OctezSource::Directory(folder.clone()),
    }
}

/// What a play was given, for whoever judges its record.
fn given(job: &Job, scenario: &Scenario) -> PlayNote {
    let used = recheck::kept_sources(scenario);
    PlayNote {
        file: job.file.clone(),
        seed: job.seed,
        vars: job.vars.clone(),
        timeout: job.timeout,
        timeout_scale: job.timeout_scale,
        strict: job.strict,
        used: used.into_iter().map(|(name, source)| (source.path().to_owned(), name)).collect(),
    }
}

/// The scenario as played, with what it used, for whoever reads the run directory later.
fn keep_sources(run_dir: &Path, scenario: &Scenario) -> Result<(), String> {
    let failed = |error: std::io::Error| {
        format!("the run directory {} cannot be written: {error}", run_dir.display())
    };
    std::fs::create_dir_all(run_dir).map_err(failed)?;
    let path = run_dir.join("scenario.yaml");
    std::fs::write(path, scenario.source.text()).map_err(failed)?;
    for (name, source) in recheck::kept_sources(scenario) {
        let folder = run_dir.join("used");
        std::fs::create_dir_all(&folder).map_err(failed)?;
        std::fs::write(folder.join(name), source.text()).map_err(failed)?;
    }
    Ok(())
}
