//! Why a step failed, as data.

use std::sync::Arc;

use super::evidence;
use crate::cause::chain;
use crate::daemon::DaemonName;
use crate::daemon::lifecycle::Refused;
use crate::event::miss::Miss;
use crate::harness::{ClientError, CommandError, InitError, RpcError, WaitError};
use crate::host::exec::ExecError;
use crate::host::http::HttpError;
use crate::scenario::model::{Action, Scenario, Step};
use crate::scenario::result::{By, Failure, FailureKind, UsedPlace, Wanted};
use crate::scenario::source::{Source, Span};
use crate::scenario::values::ValueError;

/// The failure of a step, and whose fault it is.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) failure: Box<Failure>,
    /// Not the scenario's doing: exit code 4 or 70, not 1.
    pub(super) is_error: bool,
    /// Not found out: of a record that does not tell.
    pub(super) is_undecided: bool,
    /// A value was missing, which in a record says nothing of the scenario.
    pub(super) lacks_value: bool,
    /// The daemon whose state explains it.
    pub(super) daemon: Option<DaemonName>,
    /// The state of the daemons at that moment is in it.
    pub(super) is_explained: bool,
}

impl Trouble {
    pub(super) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let failure = Box::new(Failure::new(kind, message));
        Self {
            failure,
            is_error: false,
            is_undecided: false,
            lacks_value: false,
            daemon: None,
            is_explained: false,
        }
    }

    pub(super) fn environment(message: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::new(FailureKind::Environment, message) }
    }

    pub(super) fn of(mut self, daemon: &DaemonName) -> Self {
        self.daemon = Some(daemon.clone());
        self
    }

    fn error(mut self) -> Self {
        self.is_error = true;
        self
    }

    /// Says where, unless something deeper has said so.
    pub(super) fn at(mut self, place: &Place) -> Self {
        if self.failure.step.is_empty() {
            self.failure.step.clone_from(&place.step);
            if let Some(elsewhere) = &place.elsewhere {
                let used = elsewhere.told();
                let UsedPlace { file, line, column, .. } = &used;
                self.failure.message = format!("{file}:{line}:{column}: {}", self.failure.message);
                self.failure.used = Some(used);
            }
        }
        if self.failure.line == 0 {
            (self.failure.line, self.failure.column) = (place.line, place.column);
        }
        self
    }

    /// It is not an event of the daemon's that was missed, though one was waited for: nothing is near it.
    pub(super) fn about_no_event(mut self) -> Self {
        let failure = &mut *self.failure;
        failure.wanted = None;
        failure.nearest.clear();
        failure.did_you_mean.clear();
        failure.names_seen.clear();
        failure.passed_over.clear();
        self
    }

    fn searched(mut self, miss: &Miss) -> Self {
        evidence::enter(&mut self.failure, miss);
        self
    }

    pub(super) fn wanting(
        mut self,
        daemon: String,
        event: String,
        predicate: Option<String>,
    ) -> Self {
        self.failure.wanted = Some(Wanted { daemon, event, r#where: predicate });
        self
    }
}

/// Where in the scenario something stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `steps[3]`, `invariants[0]`.
    step: String,
    /// 0 where it stands in another file.
    line: u32,
    column: u32,
    /// The place in that other file.
    elsewhere: Option<Elsewhere>,
}

#[derive(Clone, Debug)]
struct Elsewhere {
    source: Arc<Source>,
    span: Span,
}

impl Elsewhere {
    /// Of a longer step, only so many lines are told.
    const MAX_LINES: usize = 40;

    fn told(&self) -> UsedPlace {
        let lines = self.source.text().lines().skip(self.span.line.saturating_sub(1));
        let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let mut first = None;
        // Deeper lines are still the step's.
        let lines = lines.take_while(|line| match first {
            None => {
                first = Some(depth(line));
                true
            }
            Some(first) => line.trim().is_empty() || depth(line) > first,
        });
        let lines: Vec<&str> = lines.take(Self::MAX_LINES).collect();
        UsedPlace {
            file: self.source.path().display().to_string(),
            line: number(self.span.line),
            column: number(self.span.column),
            text: lines.join("\n").trim_end().to_owned(),
        }
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl Place {
    pub(super) fn of(step: &Step, scenario: &Scenario) -> Self {
        let place = Self::new(&step.path, step.span);
        if step.source.path() == scenario.source.path() {
            return place;
        }
        let elsewhere = Some(Elsewhere { source: Arc::clone(&step.source), span: step.span });
        Self { line: 0, column: 0, elsewhere, ..place }
    }

    /// The step at this place, as one that did something.
    pub(super) fn by(&self) -> By {
        By { step: self.step.clone(), line: self.line }
    }

    pub(super) fn new(path: &str, span: Span) -> Self {
        let (line, column) = (number(span.line), number(span.column));
        Self { step: path.to_owned(), line, column, elsewhere: None }
    }
}

impl From<ValueError> for Trouble {
    fn from(error: ValueError) -> Self {
        let trouble = match error {
            ValueError::NoEnvironment { .. } | ValueError::Unavailable { .. } => {
                Self::environment(error.to_string())
            }
            ValueError::Unset { .. } | ValueError::WrongType { .. } => {
                Self::new(FailureKind::Assert, error.to_string())
            }
        };
        let lacks_value = !matches!(error, ValueError::WrongType { .. });
        Self { lacks_value, ..trouble }
    }
}

impl From<WaitError> for Trouble {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::TimedOut { wanted, miss, .. } => {
                let names: Vec<&str> = wanted.daemons.iter().map(DaemonName::as_str).collect();
                let mut trouble = Self::new(FailureKind::TimedOut, miss.reason(wanted.count))
                    .wanting(names.join(", "), wanted.event.clone(), wanted.r#where.clone())
                    .searched(&miss);
                trouble.daemon = wanted.daemons.first().cloned();
                trouble
            }
            WaitError::TerminatedBeforeEvent { daemon, event, r#where, exit, miss, .. } => {
                let mut message = format!("{daemon} ended before it came: {exit}");
                // It did come, and too early to count: what a reader of its log is puzzled by.
                if miss.same_name == 0 && !miss.passed.is_empty() {
                    message = format!("{message}; {}", miss.reason(1));
                }
                Self::new(FailureKind::TerminatedBeforeEvent, message)
                    .wanting(daemon.to_string(), event, r#where)
                    .searched(&miss)
                    .of(&daemon)
            }
            WaitError::GaveUp { daemon, event, r#where, deaths, miss, .. } => {
                let deaths: Vec<String> = deaths.iter().map(ToString::to_string).collect();
                let message =
                    format!("{daemon} was given up before it came, after {}", deaths.join("; "));
                Self::new(FailureKind::GaveUp, message)
                    .wanting(daemon.to_string(), event, r#where)
                    .searched(&miss)
                    .of(&daemon)
            }
            WaitError::NeverSpawned { ref daemon, .. } => {
                Self::new(FailureKind::Spawn, error.to_string()).of(daemon).error()
            }
            WaitError::Unreadable { .. } => Self::environment(error.to_string()),
            WaitError::ShuttingDown => {
                Self::new(FailureKind::Panic, "the harness went down in the middle").error()
            }
            WaitError::ClosurePanicked { .. } => {
                Self::new(FailureKind::Panic, error.to_string()).error()
            }
        }
    }
}

impl From<CommandError> for Trouble {
    fn from(error: CommandError) -> Self {
        let text = chain(&error);
        match error {
            CommandError::Refused { daemon, refused: Refused::AlreadyRunning { .. } } => {
                Self::new(FailureKind::AlreadyRunning, text).of(&daemon)
            }
            CommandError::Refused { daemon, .. } => {
                Self::new(FailureKind::NotRunning, text).of(&daemon)
            }
            CommandError::Cancelled { daemon } => Self::new(FailureKind::Spawn, text).of(&daemon),
            CommandError::Spawn { daemon, .. }
            | CommandError::Pipe { daemon, .. }
            | CommandError::PreparationLost { daemon, .. } => {
                Self::new(FailureKind::Spawn, text).of(&daemon).error()
            }
            CommandError::Preparation { daemon, .. } => {
                Self::new(FailureKind::Spawn, text).of(&daemon)
            }
            CommandError::Unknown { .. } | CommandError::NameTaken { .. } => {
                Self::new(FailureKind::Spawn, text)
            }
            CommandError::ShuttingDown => Self::new(FailureKind::Panic, text).error(),
        }
    }
}

impl From<InitError> for Trouble {
    fn from(error: InitError) -> Self {
        match error {
            InitError::Command(error) => error.into(),
            InitError::NotReady(error) => (*error).into(),
            other => Self::environment(chain(&other)),
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Init(error) => error.into(),
            ClientError::Rpc(error) => error.into(),
            ClientError::Exec(error) => (*error).into(),
            ClientError::Programs(_) | ClientError::Parameters { .. } => {
                Self::environment(chain(&error))
            }
            ClientError::Asking { node, source } => Self::from(source).of(&node),
            ClientError::Refused { .. } => Self::new(FailureKind::Rpc, chain(&error)),
            ClientError::Peers { .. } | ClientError::NotHead { .. } => {
                Self::new(FailureKind::TimedOut, error.to_string())
            }
            other => Self::new(FailureKind::Exec, chain(&other)),
        }
    }
}

impl From<RpcError> for Trouble {
    fn from(error: RpcError) -> Self {
        let kind = match &error {
            RpcError::Http(HttpError::TimedOut { .. }) => FailureKind::TimedOut,
            _ => FailureKind::Rpc,
        };
        Self::new(kind, chain(&error))
    }
}

impl From<ExecError> for Trouble {
    fn from(error: ExecError) -> Self {
        let trouble = Self::new(FailureKind::Exec, chain(&error));
        match error {
            ExecError::Spawn(_) => trouble.error(),
            ExecError::TimedOut { .. } => Self {
                failure: Box::new(Failure { kind: FailureKind::TimedOut, ..*trouble.failure }),
                ..trouble
            },
            _ => trouble,
        }
    }
}

/// The files that steps use, each once, in order.
pub(super) fn used_sources(steps: &[Step], into: &mut Vec<Arc<Source>>) {
    for step in steps {
        if let Action::Use(used) = &step.action {
            let known = into.iter().any(|source| source.path() == used.fragment.source.path());
            if !known {
                into.push(Arc::clone(&used.fragment.source));
            }
        }
        for block in step.action.blocks() {
            used_sources(block, into);
        }
    }
}
