//! `--junit`: the run as CI servers read it.
//!
//! A test suite for each file, a test case for each repetition of its scenario. What ends the program with 1 is a
//! *failure*; what does so with another code is an *error*: the scenario could not be judged. Attempts before the one
//! that decided stand as `flakyFailure` or `rerunFailure`, as Maven Surefire writes them. What was not played is skipped.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::failure::{self, Surroundings};
use super::sink::{Sink, WriteReportError};
use crate::run::load::Refused;
use crate::run::{Case, Exit, Notice, Observer, Played, RunReport, Summary, Verdict};
use crate::scenario::result::{Outcome, ScenarioResult};

/// Collects what scenarios came to, and writes it at the end.
#[derive(Debug)]
pub struct JunitReport {
    sink: RefCell<Sink>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of the run.
    cases: Vec<Case>,
    repetitions: Option<u32>,
    attempts: Vec<Tried>,
    refused: Vec<(PathBuf, String)>,
}

/// One attempt.
#[derive(Debug)]
struct Tried {
    played: Played,
    /// Why it did not pass, as the terminal tells it.
    block: String,
}

impl JunitReport {
    /// A report that goes there.
    pub fn new(sink: Sink) -> Self {
        Self { sink: RefCell::new(sink), state: RefCell::default() }
    }

    /// Notes a file that cannot be played.
    pub fn refused(&self, refused: &Refused) {
        let why = refused.error.to_string();
        self.state.borrow_mut().refused.push((refused.file.clone(), why));
    }

    /// Writes the document. An error says which file it was.
    pub fn write(&self, report: &RunReport) -> Result<(), WriteReportError> {
        let document = self.state.borrow().document(&report.summary);
        self.sink.borrow_mut().write(|out| document.serialize(out).map_err(std::io::Error::other))
    }
}

impl Observer for JunitReport {
    fn notice(&self, notice: Notice<'_>) {
        let mut state = self.state.borrow_mut();
        match notice {
            Notice::RunBegan { cases, options } => {
                state.cases = cases.to_vec();
                state.repetitions = options.policy.repetitions;
            }
            Notice::PlayEnded { case, played } => {
                // Told once more, as failed, if the run ended before it was tried again.
                state.attempts.retain(|tried| tried.played.unit != played.unit);
                let source = std::fs::read_to_string(&case.file).ok();
                let run_dir = played.run_dir.as_deref();
                let surroundings = Surroundings { source: source.as_deref(), run_dir };
                let block = failure::block(&played.result, surroundings);
                let block = anstream::adapter::strip_str(&block).to_string();
                state.attempts.push(Tried { played: played.clone(), block });
            }
            _ => {}
        }
    }
}

impl State {
    fn document(&self, summary: &Summary) -> Report {
        let mut report = Report::new("tribunal");
        report.set_time(time(summary.duration_s));
        for (index, case) in self.cases.iter().enumerate() {
            let mut suite = TestSuite::new(case.file.to_string_lossy());
            let of_case = |tried: &&Tried| tried.played.unit.case == index;
            let mut repetitions: Vec<u32> = self
                .attempts
                .iter()
                .filter(of_case)
                .map(|tried| tried.played.unit.repetition)
                .collect();
            repetitions.sort_unstable();
            repetitions.dedup();
            let mut lasted = 0.0;
            for repetition in &repetitions {
                let attempts = self.attempts.iter().filter(of_case);
                let mut attempts: Vec<&Tried> =
                    attempts.filter(|tried| tried.played.unit.repetition == *repetition).collect();
                attempts.sort_by_key(|tried| tried.played.unit.attempt);
                lasted += attempts.iter().map(|tried| tried.played.result.duration_s).sum::<f64>();
                suite.add_test_case(test_case(case, &attempts));
            }
            suite.add_test_cases(not_played(case, self.repetitions, repetitions.len()));
            suite.set_time(time(lasted));
            report.add_test_suite(suite);
        }
        for (file, why) in &self.refused {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("invalid").set_message(why.as_str());
            let file = file.to_string_lossy();
            let mut case = TestCase::new(file.as_ref(), status);
            case.set_classname(file.as_ref());
            let mut suite = TestSuite::new(file.as_ref());
            suite.add_test_case(case);
            report.add_test_suite(suite);
        }
        report
    }
}

/// One repetition, with all its attempts, oldest first.
fn test_case(case: &Case, attempts: &[&Tried]) -> TestCase {
    let (Some(first), Some(last)) = (attempts.first(), attempts.last()) else {
        return TestCase::new(case.name.as_str(), TestCaseStatus::skipped());
    };
    let (main, reruns) = match last.played.verdict {
        Some(Verdict::Passed | Verdict::Flaky) => (last, &attempts[..attempts.len() - 1]),
        _ => (first, &attempts[1..]),
    };
    let mut status = status(main);
    status.add_reruns(reruns.iter().map(|tried| rerun(tried)));
    let unit = last.played.unit;
    let name = match unit.repetition {
        0 => case.name.clone(),
        number => format!("{} (repetition {number})", case.name),
    };
    let mut test_case = TestCase::new(name, status);
    test_case.set_classname(case.file.to_string_lossy().as_ref());
    test_case.set_time(time(main.played.result.duration_s));
    test_case.add_property(("seed", last.played.result.seed.to_string().as_str()));
    let run_dir = attempts.iter().rev().find_map(|tried| tried.played.run_dir.as_deref());
    if let Some(run_dir) = run_dir {
        test_case.add_property(("run-dir", run_dir.to_string_lossy().as_ref()));
    }
    test_case
}

fn status(tried: &Tried) -> TestCaseStatus {
    let result = &tried.played.result;
    let Some(kind) = kind(result) else { return TestCaseStatus::success() };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(type_of(result)).set_message(message(result));
    if !tried.block.is_empty() {
        status.set_description(tried.block.as_str());
    }
    status
}

fn rerun(tried: &Tried) -> TestRerun {
    let result = &tried.played.result;
    let mut rerun = TestRerun::new(kind(result).unwrap_or(NonSuccessKind::Error));
    rerun.set_time(time(result.duration_s)).set_type(type_of(result)).set_message(message(result));
    if !tried.block.is_empty() {
        rerun.set_stack_trace(tried.block.as_str());
    }
    rerun
}

/// `None` if it passed.
fn kind(result: &ScenarioResult) -> Option<NonSuccessKind> {
    match Exit::of(result) {
        Exit::Passed => None,
        Exit::Failed => Some(NonSuccessKind::Failure),
        _ => Some(NonSuccessKind::Error),
    }
}

/// The word of the failure's kind, such as `timed-out`.
fn type_of(result: &ScenarioResult) -> String {
    let kind = result.failure.as_ref().map(|failure| serde_json::to_value(failure.kind));
    let word = kind.and_then(Result::ok).and_then(|word| word.as_str().map(str::to_owned));
    word.unwrap_or_else(|| result.outcome.word().to_owned())
}

fn message(result: &ScenarioResult) -> String {
    match (&result.failure, result.outcome) {
        (Some(failure), _) => failure.message.clone(),
        (None, Outcome::Interrupted) => "interrupted before anything had failed".to_owned(),
        (None, _) => result.outcome.word().to_owned(),
    }
}

/// One case for all repetitions that the run did not come to.
fn not_played(case: &Case, repetitions: Option<u32>, played: usize) -> Option<TestCase> {
    let missing = match repetitions {
        Some(wanted) => usize::try_from(wanted).unwrap_or(usize::MAX).saturating_sub(played),
        // Until one fails: there is no number that was wanted.
        None => usize::from(played == 0),
    };
    if missing == 0 {
        return None;
    }
    let mut status = TestCaseStatus::skipped();
    status.set_message("not played: the run had ended before");
    let name = match (played, missing) {
        (0, _) => case.name.clone(),
        (_, missing) => format!("{} ({missing} more repetitions)", case.name),
    };
    let mut test_case = TestCase::new(name, status);
    test_case.set_classname(case.file.to_string_lossy().as_ref());
    Some(test_case)
}

fn time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
