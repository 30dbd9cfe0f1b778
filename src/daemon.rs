//! What a daemon is, before anything runs: its name, its specification, and the words for how it lives and ends.
//!
//! Decisions live below: [`lifecycle`] says which transitions are legal, [`restart`] what follows a death.

mod exit;
pub mod lifecycle;
mod merge;
pub mod restart;
mod signal;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::merge::merge;
pub use self::restart::{Backoff, RestartPolicy, RestartRule};
pub use self::signal::{signal_name, signal_number};
use crate::event::{Envelope, EventName};
use crate::predicate::Predicate;

/// The name of a daemon, unique in a harness; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DaemonName(Arc<str>);

/// A name that cannot be a daemon's: it becomes a file name and part of `$TMPDIR` paths that Octez does not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid daemon name {name:?}: 1 to 64 of A-Z, a-z, 0-9, `-`, `_` and `.`, and not a `.` first"
)]
pub struct InvalidName {
    pub name: String,
}

impl DaemonName {
    /// A name of 1 to 64 of `A-Z`, `a-z`, `0-9`, `-`, `_` and `.`, and not a `.` first.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidName> {
        let name = name.as_ref();
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(legal) {
            return Err(InvalidName { name: name.to_owned() });
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DaemonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for DaemonName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

impl From<DaemonName> for String {
    fn from(name: DaemonName) -> Self {
        name.0.as_ref().to_owned()
    }
}

/// One run of a daemon, counted from 1. 0 is "has never run".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Incarnation(pub u32);

impl Incarnation {
    /// The run after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a process ended, as `wait` tells it: by itself with a code, or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0 to 255.
    Code(i32),
    /// The signal's number.
    Signal(i32),
}

impl ExitStatus {
    /// The exit code; `None` if a signal ended it.
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) => None,
        }
    }

    /// The signal that ended it, as a number; `None` if it exited.
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Code(_) => None,
            Self::Signal(signal) => Some(signal),
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => f.write_str(&signal_name(*signal)),
        }
    }
}

/// Who or what ended an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitCause {
    /// The test asked for it: SIGTERM, and SIGKILL after the grace.
    Terminate,
    /// The test asked for it: SIGKILL.
    Kill,
    /// A fault, with its number in this run.
    Crash { fault: u32 },
    /// A `signal` step was the last thing that happened to it.
    Signal,
    /// By itself.
    #[serde(rename = "self")]
    Itself,
    /// Its host is out of reach; what became of it is unknown.
    HostLost,
}

impl ExitCause {
    /// The word for it in records and results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Kill => "kill",
            Self::Crash { .. } => "crash",
            Self::Signal => "signal",
            Self::Itself => "self",
            Self::HostLost => "host-lost",
        }
    }
}

/// How and why an incarnation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitReason {
    pub incarnation: Incarnation,
    pub status: ExitStatus,
    pub cause: ExitCause,
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "incarnation {}: {}", self.incarnation, self.status)?;
        match self.cause {
            ExitCause::Terminate => f.write_str(" (terminated by the test)"),
            ExitCause::Kill => f.write_str(" (killed by the test)"),
            ExitCause::Crash { fault } => write!(f, " (by fault #{fault})"),
            ExitCause::Signal => f.write_str(" (after a signal from the test)"),
            ExitCause::Itself => f.write_str(" (by itself)"),
            ExitCause::HostLost => f.write_str(" (its host was lost)"),
        }
    }
}

/// What sort of daemon it is; the word in scenario files and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    #[serde(rename = "octez-accuser")]
    Accuser,
    #[serde(rename = "octez-node")]
    Node,
    #[serde(rename = "octez-baker")]
    Baker,
    #[serde(rename = "process")]
    Process,
}

impl Kind {
    /// The word for it in scenario files and results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accuser => "octez-accuser",
            Self::Node => "octez-node",
            Self::Baker => "octez-baker",
            Self::Process => "process",
        }
    }
}

/// A program with its arguments; the environment is added to the harness's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// A path if it has a slash, else looked up in PATH (this run's Octez programs first).
    pub program: OsString,
    pub args: Vec<OsString>,
    pub env: BTreeMap<OsString, OsString>,
    /// `None`: the harness's own working directory.
    pub cwd: Option<PathBuf>,
}

/// A command that must have run before the daemon can: `octez-node config init` and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparation {
    pub command: CommandLine,
    /// Skipped when this file exists, so that a restart keeps what the first run made.
    pub unless_exists: PathBuf,
    /// Run in its place where the file exists, but was made by a preparation that said something else: what a test
    /// changes between two incarnations. `None`: the file stays as it is.
    pub renewal: Option<CommandLine>,
    /// Merged, object by object, into that file once a command has made it.
    pub merge: Option<serde_json::Value>,
}

impl Preparation {
    /// The command that is due now; `before` is what was last carried out in this one's place.
    pub fn due(&self, exists: bool, before: Option<&Self>) -> Option<&CommandLine> {
        if !exists {
            return Some(&self.command);
        }
        before.filter(|before| *before != self).and(self.renewal.as_ref())
    }
}

/// Where the daemon's JSON lines come from, and how it is told to write them there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// A FIFO of each incarnation's own, named in `TEZOS_EVENTS_CONFIG` with these levels.
    OctezSink(EventLevels),
    /// A FIFO of each incarnation's own, named in `TRIBUNAL_EVENT_PIPE`.
    Pipe,
    Stdout,
    Stderr,
    /// A file that the daemon appends to.
    File(PathBuf),
}

/// Octez event levels, least severe first (`src/lib_event_logging/internal_event.ml`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    #[default]
    Info,
    Notice,
    Warning,
    Error,
    Fatal,
}

impl Level {
    /// The word for it in scenario files and `TEZOS_EVENTS_CONFIG`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// From which level on the events of which section are written. The first matching section wins; `level` is the rest's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventLevels {
    pub level: Level,
    /// Dotted section prefixes, in order.
    pub sections: Vec<(String, Level)>,
}

/// What makes an incarnation ready. Only what this incarnation itself says or does counts.
#[derive(Clone, Debug)]
pub enum Readiness {
    /// It has been spawned.
    Spawned,
    Event {
        name: EventName,
        predicate: Option<Arc<Predicate>>,
    },
    /// A line of its standard output or error matches.
    Stdout(regex::Regex),
    /// `HOST:PORT` accepts a connection.
    Tcp(String),
    /// A GET is answered with a 2xx status.
    Http(String),
    /// It has ended with this code: a one-off command.
    Exit(i32),
}

/// All that is needed to run a daemon; what is particular to a kind has been worked out by then (`octez`).
#[derive(Clone, Debug)]
pub struct DaemonSpec {
    pub name: DaemonName,
    pub kind: Kind,
    pub command: CommandLine,
    pub preparation: Vec<Preparation>,
    pub events: EventSource,
    pub envelope: Envelope,
    pub ready: Readiness,
    /// How long it may take to be ready, from the spawn.
    pub ready_within: Duration,
    pub restart: RestartPolicy,
    /// Exit codes that are no failure.
    pub success: Vec<i32>,
    /// Time allowed between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Names (or globs) of events it can emit beyond the kind's table.
    pub knows: Vec<String>,
}

impl CommandLine {
    /// The first word is the program.
    pub fn new<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Self {
        let mut words = words.into_iter().map(Into::into);
        Self { program: words.next().unwrap_or_default(), args: words.collect(), ..Self::default() }
    }
}

impl DaemonSpec {
    /// Any daemon: ready when spawned, events in the Octez envelope through the FIFO in `TRIBUNAL_EVENT_PIPE`, never
    /// restarted, and only exit code 0 is no failure. Every field may be changed.
    pub fn process(name: DaemonName, command: CommandLine) -> Self {
        Self {
            name,
            kind: Kind::Process,
            command,
            preparation: Vec::new(),
            events: EventSource::Pipe,
            envelope: Envelope::Octez,
            ready: Readiness::Spawned,
            ready_within: DEFAULT_TIMEOUT,
            restart: RestartPolicy::default(),
            success: vec![0],
            grace: DEFAULT_GRACE,
            knows: Vec::new(),
        }
    }
}

/// SIGTERM's grace, where nothing else is said: Tezt's (`daemon.ml`), chosen there against flakiness.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// How long any wait takes at most, where nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
