//! Events: what a daemon says, as one line of JSON, and where it stands in the log.
//!
//! [`decode`] cuts bytes into lines and lines into records, [`log`] knows positions and scans, [`waiters`] decides which
//! wait a record ends, [`history`] offers them what was recorded. None of them knows where the bytes come from or who waits.

pub mod catalogue;
pub mod decode;
pub mod history;
pub mod log;
pub mod miss;
mod raw;
pub mod tally;
pub mod waiters;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::decode::Envelope;
use crate::daemon::{DaemonName, Incarnation};

/// The name of an event, such as `daemon_start.v0`; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct EventName(Arc<str>);

impl EventName {
    /// The name as text, version and all.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for EventName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for EventName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::borrow::Borrow<str> for EventName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A position in the log: the sequence number of a record, or of the one to come.
///
/// One counter serves all daemons of a harness, so positions of different daemons compare.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position just past this record.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One event as a waiter gets it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Event {
    pub daemon: DaemonName,
    pub incarnation: Incarnation,
    pub seq: Seq,
    pub name: EventName,
    /// Seconds since the epoch, as the daemon said; `None` where its envelope has no time.
    pub time: Option<f64>,
    /// The Octez section, outermost first; empty where the envelope has none.
    pub section: Arc<[String]>,
    /// The payload. Octez writes a bare value, not an object, for an event with one field.
    pub value: Arc<Value>,
    /// Written by what had escaped the group of an incarnation that had ended.
    pub late: bool,
}

/// Lifecycle records stand in the log as events of the daemon, under these names.
pub mod lifecycle_names {
    /// A process has been made: `{ pid }`.
    pub const SPAWNED: &str = "tribunal.spawned";
    /// The incarnation is ready, by the daemon's own sign.
    pub const READY: &str = "tribunal.ready";
    /// The incarnation has ended, and all that it wrote stands before this: `{ code, signal, cause, verdict }`.
    pub const EXITED: &str = "tribunal.exited";
    /// The policy has spawned it again.
    pub const RESTARTED: &str = "tribunal.restarted";
    /// The restart budget is spent: no incarnation follows.
    pub const GAVE_UP: &str = "tribunal.gave_up";
    /// What the names of lifecycle records, and of nothing else, begin with.
    const PREFIX: &str = "tribunal.";
    /// All of them.
    pub const ALL: [&str; 5] = [SPAWNED, READY, EXITED, RESTARTED, GAVE_UP];

    /// Whether this is the name of a lifecycle record, or would be of one that there is not.
    pub fn include(name: &str) -> bool {
        name.starts_with(PREFIX)
    }
}

/// The name of an event, or a glob over names. A glob never matches a `tribunal.*` record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePattern {
    Exact(EventName),
    Glob(glob::Pattern),
}

impl NamePattern {
    /// A pattern with `*`, `?` or `[` is a glob; anything else is a name.
    pub fn new(text: &str) -> Result<Self, glob::PatternError> {
        if text.contains(['*', '?', '[']) {
            glob::Pattern::new(text).map(Self::Glob)
        } else {
            Ok(Self::Exact(text.into()))
        }
    }

    /// Whether it is this name, or one of those that the glob means.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact.as_str() == name,
            Self::Glob(glob) => !lifecycle_names::include(name) && glob.matches(name),
        }
    }

    /// Whether this may be the name that was meant: it is another one, and close to it.
    pub fn resembles(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact.as_str() != name && likeness(exact.as_str(), name) >= LIKE,
            Self::Glob(_) => false,
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(name) => name.as_str(),
            Self::Glob(glob) => glob.as_str(),
        }
    }
}

/// From this likeness on, a name may be meant by another one.
const LIKE: f64 = 0.75;

/// How alike two names are, from 0 to 1.
pub fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(one, other)
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
