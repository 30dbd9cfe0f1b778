//! The runner's only door to the scenario player.

use std::pin::Pin;
use std::time::SystemTime;

use crate::scenario::job::{Job, Listener};
use crate::scenario::result::{Failure, FailureKind, Outcome, ScenarioResult, VERSION};

/// A play that is going on.
pub type Playing<'a> = Pin<Box<dyn Future<Output = ScenarioResult> + 'a>>;

/// Plays one scenario once.
///
/// Whatever goes wrong is in the result. The play heeds `job.cancellation`, records into `job.run_dir` all but
/// `result.json`, which the runner writes, and has nothing left running when it is over. It may be dropped at any await:
/// then it kills what it started.
pub trait Player {
    fn play<'a>(&'a self, job: &'a Job, listener: &'a dyn Listener) -> Playing<'a>;
}

/// The result of a play that has not begun: nothing but what it would have been.
pub fn unplayed(scenario: &str, file: &str, seed: u64) -> ScenarioResult {
    ScenarioResult {
        version: VERSION,
        scenario: scenario.to_owned(),
        file: file.to_owned(),
        outcome: Outcome::Interrupted,
        seed,
        started: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        duration_s: 0.0,
        steps: Vec::new(),
        daemons: Vec::new(),
        faults: Vec::new(),
        warnings: Vec::new(),
        failure: None,
    }
}

/// As [`unplayed`], with the reason why nothing came of it.
pub fn broken(
    base: ScenarioResult,
    kind: FailureKind,
    message: impl Into<String>,
) -> ScenarioResult {
    ScenarioResult { outcome: Outcome::Error, failure: Some(Failure::new(kind, message)), ..base }
}

/// The player of scenario files.
pub fn scenarios() -> std::rc::Rc<dyn Player> {
    std::rc::Rc::new(Scenarios)
}

struct Scenarios;

impl Player for Scenarios {
    fn play<'a>(&'a self, job: &'a Job, listener: &'a dyn Listener) -> Playing<'a> {
        Box::pin(crate::scenario::play::play(job, listener))
    }
}
