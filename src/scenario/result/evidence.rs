//! What explains a failure beyond its message: near misses, what came too early, the state of the daemons and the host.

use serde::{Deserialize, Serialize};

/// A step in a file that the scenario uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedPlace {
    pub file: String,
    pub line: u32,
    pub column: u32,
    /// The lines of the step as they stand there: whoever reads the result need not have the file.
    pub text: String,
}

/// An event that was nearly the wanted one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    pub seq: u64,
    pub event: String,
    pub clauses_true: u32,
    pub clauses: u32,
    /// The clauses that are not true, on one line; empty without a predicate.
    pub explanation: String,
    #[serde(default)]
    pub daemon: String,
    #[serde(default)]
    pub incarnation: u32,
    /// When it was read.
    #[serde(default)]
    pub at_s: Option<f64>,
    /// Its payload as JSON, shortened.
    #[serde(default)]
    pub payload: String,
    /// Every clause of the predicate, in its order.
    #[serde(default)]
    pub values: Vec<ClauseValue>,
}

/// What one clause of a predicate came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClauseValue {
    pub clause: String,
    pub truth: ClauseTruth,
    /// `level >= 10: 9 >= 10 is false`
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClauseTruth {
    True,
    False,
    /// A field that was not there, or of another type.
    Unknown,
}

/// Events of the wanted name that came before the cursor, in one incarnation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassedOver {
    pub daemon: String,
    pub incarnation: u32,
    /// The position from which they would have counted.
    pub cursor: u64,
    pub count: u64,
    /// Those that were as wanted.
    pub matched: u64,
    /// The last of them; of the matching ones, if there are any.
    pub last_seq: u64,
    pub last_s: f64,
}

/// A name that was really seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenName {
    pub event: String,
    pub count: u64,
}

/// How one daemon was when the failure came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonState {
    /// Empty in results that were written before it was.
    #[serde(default)]
    pub name: String,
    pub alive: bool,
    pub incarnation: u32,
    /// `None` if it has said nothing yet.
    #[serde(default)]
    pub last_event_age_s: Option<f64>,
    /// The last lines of its standard output and error.
    #[serde(default)]
    pub last_lines: Vec<String>,
    /// What it was doing: `running`, `starting`, `paused`, `ending`, `backing-off`, `exited`, `given-up`, `never-run`,
    /// `not-spawned`.
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub pid: Option<u32>,
    #[serde(default)]
    pub last_event: Option<String>,
    /// Lines that were no event, and the last of them with the reason.
    #[serde(default)]
    pub malformed: u64,
    #[serde(default)]
    pub last_malformed: Option<String>,
    /// Why it is of interest, where it is not the daemon that was waited for: `the node of accuser`.
    #[serde(default)]
    pub role: Option<String>,
}

/// The step that asked for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// `steps[4]`
    pub step: String,
    /// Of the scenario's file; 0 where the step stands in another one.
    pub line: u32,
}

/// How busy the machine was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostPressure {
    /// How much of the last minute some task waited for it, in percent; `None` where the kernel does not tell.
    #[serde(default)]
    pub cpu: Option<f64>,
    #[serde(default)]
    pub io: Option<f64>,
    #[serde(default)]
    pub memory: Option<f64>,
    /// Tasks that ran or wanted to, on average over the last minute.
    #[serde(default)]
    pub load: Option<f64>,
    pub processors: u32,
}
