//! What becomes of the run directory of an attempt that is over: its result is written, whoever wants to reads it, and
//! it is kept or removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::player::broken;
use super::run_dir::{self, RunDirError};
use super::{Case, Keep, Unit};
use crate::scenario::result::{FailureKind, Outcome, ScenarioResult};

/// Whoever looks at run directories before they may be removed.
///
/// Called on threads of their own, where reading and drawing may take their time; of several plays at once.
pub trait Archivist: Send + Sync {
    fn file(&self, attempt: &Attempt<'_>);
}

/// Nobody looks.
impl Archivist for () {
    fn file(&self, _attempt: &Attempt<'_>) {}
}

/// An attempt that is over and recorded.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub unit: Unit,
    pub case: &'a Case,
    pub result: &'a ScenarioResult,
    /// It has everything, `result.json` too.
    pub run_dir: &'a Path,
    /// Whether it will be there later.
    pub kept: bool,
}

/// The files of one attempt, to be dealt with on any thread.
#[derive(Clone)]
pub(super) struct Filing {
    pub unit: Unit,
    pub case: Case,
    pub result: ScenarioResult,
    pub run_dir: PathBuf,
    pub keep: Keep,
    pub archivist: Arc<dyn Archivist>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Filed {
    pub result: ScenarioResult,
    /// `None` if it was not kept.
    pub run_dir: Option<PathBuf>,
    /// The disk took less than it was given.
    pub incomplete: bool,
}

impl Filing {
    pub fn carry_out(self) -> Filed {
        let Self { unit, case, mut result, run_dir, keep, archivist } = self;
        let written = run_dir::write_result(&run_dir, &result);
        let incomplete = written.is_err();
        if let Err(error) = written {
            result = unwritten(result, &error);
        }
        let kept = keep.keeps(result.outcome);
        archivist.file(&Attempt { unit, case: &case, result: &result, run_dir: &run_dir, kept });
        if kept {
            return Filed { result, run_dir: Some(run_dir), incomplete };
        }
        if let Err(error) = run_dir::remove(&run_dir) {
            result.warnings.push(crate::cause::chain(&error));
        }
        Filed { result, run_dir: None, incomplete }
    }
}

fn unwritten(mut result: ScenarioResult, error: &RunDirError) -> ScenarioResult {
    let message = crate::cause::chain(error);
    if result.outcome == Outcome::Passed {
        return broken(result, FailureKind::Environment, message);
    }
    result.warnings.push(message);
    result
}
