//! What came of playing a scenario once: `result.json`, schema version 1.
//!
//! Field names and words are a contract with whoever reads these files. Fields may be added, none renamed; a reader
//! here ignores what it does not know. Times are seconds, `*_s` counted from the start of the play.

mod evidence;

use serde::{Deserialize, Serialize};

pub use self::evidence::{
    By, ClauseTruth, ClauseValue, DaemonState, HostPressure, Nearest, PassedOver, SeenName,
    UsedPlace,
};

/// The version that [`ScenarioResult::version`] carries.
pub const VERSION: u32 = 1;

/// One play of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// Its file, as the runner was given it.
    pub file: String,
    pub outcome: Outcome,
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started: String,
    pub duration_s: f64,
    /// In the order in which they began, the skipped ones where they stand in the file.
    #[serde(default)]
    pub steps: Vec<StepResult>,
    #[serde(default)]
    pub daemons: Vec<DaemonResult>,
    #[serde(default)]
    pub faults: Vec<FaultResult>,
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The first failure; `None` if it passed, or was interrupted before anything failed.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// How a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Passed,
    Failed,
    /// Not the scenario's doing: the file is invalid, the environment lacks something, or we have a bug.
    Error,
    Interrupted,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One step; `line` and `column` count from 1 and point at its verb.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// Where it stands: `steps[3]`, `steps[7].parallel[0][1]`, `finally[0]`.
    pub path: String,
    pub verb: String,
    /// The step as the file has it, on one line.
    pub text: String,
    pub line: u32,
    pub column: u32,
    pub outcome: StepOutcome,
    pub started_s: f64,
    pub duration_s: f64,
    /// The event that ended it, if one did.
    #[serde(default)]
    pub r#match: Option<Match>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    Passed,
    Failed,
    /// Never begun, or cancelled by the failure of another branch.
    Skipped,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    pub daemon: String,
    pub event: String,
    pub seq: u64,
    pub incarnation: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonResult {
    pub name: String,
    /// `octez-accuser`, `octez-node` or `process`.
    pub kind: String,
    pub host: String,
    pub events: u64,
    /// Lines that were no event: not JSON, no envelope, too long, not UTF-8.
    pub malformed: u64,
    pub incarnations: Vec<IncarnationResult>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncarnationResult {
    pub number: u32,
    pub pid: u32,
    pub started_s: f64,
    /// `None` if it was still alive at the end of the play.
    #[serde(default)]
    pub exited_s: Option<f64>,
    #[serde(default)]
    pub exit: Option<Exit>,
    #[serde(default)]
    pub cause: Option<Cause>,
    /// The step that ended it, where one did.
    #[serde(default)]
    pub by: Option<By>,
    /// Its restart policy answered its end with the next incarnation.
    #[serde(default)]
    pub restarted: bool,
}

/// As `wait` told it: one of the two is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

/// Who or what ended an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    Crash,
    Kill,
    Terminate,
    Signal,
    #[serde(rename = "self")]
    Itself,
    HostLost,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultResult {
    /// Counted from 1 in this play.
    pub number: u32,
    pub kind: String,
    pub target: String,
    pub at_s: f64,
    pub delayed_s: f64,
    /// Whether it struck a live daemon.
    pub hit: bool,
    /// The step that it was.
    #[serde(default)]
    pub by: Option<By>,
}

/// The first failure of a play, with all that explains it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The path of the step or invariant; empty where no step is to blame.
    pub step: String,
    pub kind: FailureKind,
    /// A lower-case fragment: `never seen in this incarnation`.
    pub message: String,
    /// Where in the file; 0 where no place is to blame.
    #[serde(default)]
    pub line: u32,
    #[serde(default)]
    pub column: u32,
    /// The place itself, where that of above is only the `use` of another file.
    #[serde(default)]
    pub used: Option<UsedPlace>,
    #[serde(default)]
    pub wanted: Option<Wanted>,
    #[serde(default)]
    pub searched: Option<Searched>,
    /// What came nearest, the nearest first.
    #[serde(default)]
    pub nearest: Vec<Nearest>,
    /// Names that were seen and are close to the wanted one, the closest first.
    #[serde(default)]
    pub did_you_mean: Vec<String>,
    /// Events of the wanted name that came too early to count, by incarnation.
    #[serde(default)]
    pub passed_over: Vec<PassedOver>,
    /// Names that were seen of what was waited for, those of `did_you_mean` first, then the most frequent.
    #[serde(default)]
    pub names_seen: Vec<SeenName>,
    #[serde(default)]
    pub daemon_state: Option<DaemonState>,
    /// Other daemons that explain something: dead ones, and those that the first one needs.
    #[serde(default)]
    pub others: Vec<DaemonState>,
    #[serde(default)]
    pub host: Option<HostPressure>,
    /// The command that checks the recorded run again.
    #[serde(default)]
    pub replay: Option<String>,
    /// The command that plays it again with the same seed; the runner fills it in.
    #[serde(default)]
    pub rerun: Option<String>,
}

impl Failure {
    /// A failure of which no more is known than this.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            step: String::new(),
            kind,
            message: message.into(),
            line: 0,
            column: 0,
            used: None,
            wanted: None,
            searched: None,
            nearest: Vec::new(),
            did_you_mean: Vec::new(),
            passed_over: Vec::new(),
            names_seen: Vec::new(),
            daemon_state: None,
            others: Vec::new(),
            host: None,
            replay: None,
            rerun: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    TimedOut,
    TerminatedBeforeEvent,
    GaveUp,
    UnexpectedEvent,
    UnexpectedExit,
    ExitMismatch,
    NotReady,
    Spawn,
    AlreadyRunning,
    /// What was asked of a daemon takes one that runs.
    NotRunning,
    Vacuous,
    Rpc,
    Exec,
    Assert,
    Invariant,
    Timeout,
    HostLost,
    Invalid,
    Panic,
    /// Something outside of the scenario is missing or full: a program, a folder, the disk.
    Environment,
}

impl FailureKind {
    /// The word for it in records and results.
    pub fn word(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(word)) => word,
            _ => String::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The daemon, or what the file says after `from` where that is several.
    pub daemon: String,
    pub event: String,
    #[serde(default)]
    pub r#where: Option<String>,
}

/// The part of the log that was looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searched {
    pub from_seq: u64,
    pub to_seq: u64,
    pub events: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_words_are_those_of_the_contract() {
        let words = "timed-out|terminated-before-event|gave-up|unexpected-event|unexpected-exit|exit-mismatch|\
                     not-ready|spawn|already-running|vacuous|rpc|exec|assert|invariant|timeout|host-lost|invalid|panic";
        for word in words.split('|') {
            let kind: FailureKind = serde_json::from_value(json!(word)).expect(word);
            assert_eq!(serde_json::to_value(kind).expect(word), json!(word));
        }
        for word in "crash|kill|terminate|signal|self|host-lost".split('|') {
            let cause: Cause = serde_json::from_value(json!(word)).expect(word);
            assert_eq!(serde_json::to_value(cause).expect(word), json!(word));
        }
        for word in "passed|failed|error|interrupted".split('|') {
            let outcome: Outcome = serde_json::from_value(json!(word)).expect(word);
            assert_eq!(outcome.word(), word);
        }
        for word in "passed|failed|skipped".split('|') {
            let _: StepOutcome = serde_json::from_value(json!(word)).expect(word);
        }
    }

    /// The contract's own example, with one of each alternative.
    #[test]
    fn a_complete_result_reads_and_writes_as_documented() {
        let written = json!({
            "version": 1, "scenario": "a", "file": "scenarios/a.yaml", "outcome": "failed", "seed": 42,
            "started": "2026-11-23T16:00:00Z", "duration_s": 1.25,
            "steps": [{"path": "steps[3]", "verb": "expect", "text": "…", "line": 17, "column": 5,
                       "outcome": "passed", "started_s": 0.1, "duration_s": 0.2,
                       "match": {"daemon": "accuser", "event": "daemon_start.v0", "seq": 31, "incarnation": 2}}],
            "daemons": [{"name": "accuser", "kind": "octez-accuser", "host": "local", "events": 120, "malformed": 0,
                         "incarnations": [{"number": 1, "pid": 4711, "started_s": 0.1, "exited_s": 2.0,
                                           "exit": {"code": null, "signal": 9}, "cause": "crash",
                                           "by": {"step": "steps[2]", "line": 16}, "restarted": true}]}],
            "faults": [{"number": 1, "kind": "crash", "target": "accuser", "at_s": 2.0, "delayed_s": 0.0, "hit": true,
                        "by": {"step": "steps[2]", "line": 16}}],
            "warnings": ["…"],
            "failure": {"step": "steps[3]", "kind": "timed-out", "message": "…", "line": 14, "column": 5,
                        "used": {"file": "scenarios/b.yaml", "line": 3, "column": 5, "text": "  - expect: e.v0"},
                        "wanted": {"daemon": "accuser", "event": "e.v0", "where": "level >= 10"},
                        "searched": {"from_seq": 12, "to_seq": 80, "events": 40},
                        "nearest": [{"seq": 77, "event": "e.v0", "clauses_true": 2, "clauses": 3,
                                     "explanation": "level >= 10: 9 >= 10 is false", "daemon": "accuser",
                                     "incarnation": 2, "at_s": 21.4, "payload": "{\"level\":9}",
                                     "values": [{"clause": "level >= 10", "truth": "false",
                                                 "text": "level >= 10: 9 >= 10 is false"}]}],
                        "did_you_mean": ["e.v1"],
                        "passed_over": [{"daemon": "accuser", "incarnation": 1, "cursor": 12, "count": 1, "matched": 1,
                                         "last_seq": 3, "last_s": 1.5}],
                        "names_seen": [{"event": "e.v1", "count": 3}],
                        "daemon_state": {"name": "accuser", "alive": true, "incarnation": 2, "last_event_age_s": 0.4, "last_lines": ["…"],
                                         "state": "running", "pid": 4712, "last_event": "e.v1", "malformed": 1,
                                         "last_malformed": "not JSON: oops", "role": null},
                        "others": [],
                        "host": {"cpu": 4.0, "io": 0.0, "memory": 0.0, "load": 0.5, "processors": 2},
                        "replay": null, "rerun": "tribunal run scenarios/a.yaml --seed 42"}
        });
        let result: ScenarioResult = serde_json::from_value(written.clone()).expect("documented");
        assert_eq!(serde_json::to_value(&result).expect("serialisable"), written);
    }

    #[test]
    fn a_reader_ignores_what_a_later_version_added() {
        let later = json!({
            "version": 1, "scenario": "a", "file": "a.yaml", "outcome": "passed", "seed": 1,
            "started": "2026-11-23T16:00:00Z", "duration_s": 0.5, "weather": "fine"
        });
        let result: ScenarioResult = serde_json::from_value(later).expect("readable");
        assert_eq!(result.outcome, Outcome::Passed);
        assert_eq!(result.failure, None);
    }
}
