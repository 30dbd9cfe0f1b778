//! A recorded run judged again, without daemons: as it was played, or by an edited scenario.
//!
//! A step counts as it would have: history first, then what came before its limit by the recorded times. What asks daemons
//! or programs is not done again: where such a step reads as it did, it ended as it did.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::play::recheck as judge;
use super::result::{Match, ScenarioResult};
use super::{Diagnostic, ScenarioError};
use crate::record::{RecordError, RunDir};

/// What came of it.
#[derive(Debug)]
pub struct Recheck {
    /// As of a play; failed steps and the failure are those of now.
    pub result: ScenarioResult,
    /// The text of the scenario that was judged.
    pub source: String,
    /// In the order in which they were judged; then those that were not reached, then the invariants.
    pub steps: Vec<JudgedStep>,
    /// Whether another scenario was judged than the one that was played.
    pub is_edited: bool,
    /// What of the record is damaged.
    pub damage: Vec<String>,
    /// What is odd about the edited scenario.
    pub findings: Vec<Diagnostic>,
}

/// A step, or an invariant, and what the record says of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JudgedStep {
    pub path: String,
    pub verb: String,
    pub text: String,
    pub line: u32,
    /// Which round of each loop around it, outermost first, from 0.
    pub rounds: Vec<u32>,
    pub verdict: Verdict,
    #[serde(rename = "match")]
    pub matched: Option<Match>,
    /// What came of it when it was played; `None` if it was not.
    pub was: Option<Was>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Verdict {
    Holds,
    Fails {
        message: String,
    },
    /// Not judged again: it acted, and that went well when it was played.
    AsRecorded,
    NotJudged {
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Was {
    pub passed: bool,
    #[serde(rename = "match")]
    pub matched: Option<Match>,
    /// It reads as it did.
    pub is_same: bool,
}

/// Why nothing can be judged.
#[derive(Debug, thiserror::Error)]
pub enum RecheckError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("{} cannot be read, and without the scenario there is nothing to judge; --scenario FILE gives one", path.display())]
    NoScenario { path: PathBuf, source: std::io::Error },
    #[error("{} is empty: nothing was recorded", path.display())]
    NothingRecorded { path: PathBuf },
    /// Of the scenario that was played, or of the edited one.
    #[error("no scenario that can be judged")]
    Scenario(#[source] ScenarioError),
}

/// Judges a recorded run by the scenario that was played, or by this file.
pub fn recheck(run_dir: &RunDir, edited: Option<&Path>) -> Result<Recheck, RecheckError> {
    judge::recheck(run_dir, edited)
}
