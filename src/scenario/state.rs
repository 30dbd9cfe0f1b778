//! What a play is doing at one moment: for whoever wonders why nothing happens, and for the run directory.

use super::result::DaemonState;
use crate::harness::{Backlog, PendingWait};
use crate::host::usage::Usage;

/// The file of the run directory that has the state in which a play ran out of time or was interrupted.
pub const STATE_FILE: &str = "state.txt";

/// A look at a play.
#[derive(Clone, Debug)]
pub struct PlayState {
    pub occasion: Occasion,
    pub after_s: f64,
    pub seed: u64,
    /// The position of the next record.
    pub log_end: u64,
    /// Those that are going on, in the order in which they began; blocks that hold others apart.
    pub steps: Vec<RunningStep>,
    /// Waits that no step in `steps` is known for: invariants, and what the harness itself waits for.
    pub waits: Vec<PendingWait>,
    /// In the order of the file.
    pub daemons: Vec<DaemonNow>,
}

/// Why it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occasion {
    Asked,
    Interrupted,
    /// A limit is over: of a step, or of the scenario. In words.
    OutOfTime(String),
}

/// A step that has begun and not ended.
#[derive(Clone, Debug)]
pub struct RunningStep {
    pub path: String,
    pub text: String,
    pub line: u32,
    pub for_s: f64,
    pub waits: Vec<PendingWait>,
}

/// One daemon.
#[derive(Clone, Debug)]
pub struct DaemonNow {
    pub state: DaemonState,
    pub events: u64,
    /// `None` if it has no process.
    pub usage: Option<Usage>,
    /// What its pipes hold.
    pub backlogs: Vec<Backlog>,
}
