//! A scenario as plain data: what a file says, with the place of everything that can turn out to be wrong.
//!
//! Nothing here depends on how it was written or on how it is played.

mod daemon;
mod step;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub use self::daemon::{
    AccuserSettings, BackoffSettings, DaemonDeclaration, EnvelopeSettings, EventsFrom,
    NodeSettings, ProcessSettings, ReadyWhen, RestartSettings, Settings, UpgradeSetting,
};
pub use self::step::{
    Act, Action, Activate, Assignment, Bake, ConnectPeers, EventPattern, Exec, ExitWanted, Exited,
    Expect, For, Inject, Lifecycle, Never, Output, Reach, Repeat, Rpc, Since, Step, Until, Use,
    Vote,
};
use super::source::{Source, Span};
use crate::predicate::{Expression, Predicate};

/// The time a whole scenario may take, where it says nothing.
pub const DEFAULT_SCENARIO_TIMEOUT: Duration = Duration::from_mins(5);

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

/// One scenario file, with what it uses.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub source: Arc<Source>,
    pub name: String,
    pub tags: Vec<String>,
    pub timeout: Duration,
    pub strict: bool,
    /// What the file pins; the runner draws one otherwise.
    pub seed: Option<u64>,
    pub vars: Vec<Variable>,
    /// In the order of the file; `defaults` are merged in.
    pub daemons: Vec<DaemonDeclaration>,
    pub invariants: Vec<Never>,
    pub steps: Vec<Step>,
    pub finally: Vec<Step>,
}

/// A variable that a file gives a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    pub name: String,
    pub value: Value,
    /// `None` for one that was given from outside the file.
    pub span: Option<Span>,
}

/// The steps of another file.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// Absolute, or relative to where the runner works; as it was opened.
    pub path: PathBuf,
    pub source: Arc<Source>,
    /// What its file gives; `use: { vars }` comes before it.
    pub vars: Vec<Variable>,
    pub steps: Vec<Step>,
}

/// A `where`, and where it stands.
#[derive(Clone, Debug)]
pub struct Condition {
    pub predicate: Predicate,
    pub span: Span,
    /// The variables it reads, each where it stands.
    pub variables: Vec<Spanned<String>>,
}

/// An expression, and where it stands.
#[derive(Clone, Debug)]
pub struct Formula {
    pub expression: Expression,
    pub span: Span,
    /// The variables it reads, each where it stands.
    pub variables: Vec<Spanned<String>>,
}
