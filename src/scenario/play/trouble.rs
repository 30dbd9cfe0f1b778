//! Why a step failed, as data.

use std::sync::Arc;

use crate::cause::chain;
use crate::daemon::DaemonName;
use crate::daemon::lifecycle::Refused;
use crate::event::miss::Miss;
use crate::harness::{ClientError, CommandError, InitError, RpcError, WaitError};
use crate::host::exec::ExecError;
use crate::scenario::model::{Action, Scenario, Step};
use crate::scenario::result::{Failure, FailureKind, Nearest, Searched, Wanted};
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
}

impl Trouble {
    pub(super) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            failure: Box::new(Failure::new(kind, message)),
            is_error: false,
            is_undecided: false,
            lacks_value: false,
            daemon: None,
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
                self.failure.message = format!("{elsewhere}: {}", self.failure.message);
            }
        }
        if self.failure.line == 0 {
            (self.failure.line, self.failure.column) = (place.line, place.column);
        }
        self
    }

    fn searched(mut self, miss: &Miss) -> Self {
        self.failure.searched =
            Some(Searched { from_seq: miss.from.0, to_seq: miss.to.0, events: miss.events });
        let nearest = miss.nearest.iter().map(|near| Nearest {
            seq: near.seq.0,
            event: near.event.to_string(),
            clauses_true: u32::try_from(near.clauses_true).unwrap_or(u32::MAX),
            clauses: u32::try_from(near.clauses).unwrap_or(u32::MAX),
            explanation: near.explanation.clone(),
        });
        self.failure.nearest = nearest.collect();
        if miss.same_name == 0
            && let Some(wanted) = &self.failure.wanted
        {
            self.failure.did_you_mean = similar(&wanted.event, miss);
        }
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
    elsewhere: Option<String>,
}

impl Place {
    pub(super) fn of(step: &Step, scenario: &Scenario) -> Self {
        let place = Self::new(&step.path, step.span);
        if step.source.path() == scenario.source.path() {
            return place;
        }
        let (path, line, column) = (step.source.path().display(), place.line, place.column);
        let elsewhere = Some(format!("{path}:{line}:{column}"));
        Self { line: 0, column: 0, elsewhere, ..place }
    }

    pub(super) fn new(path: &str, span: Span) -> Self {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let (line, column) = (number(span.line), number(span.column));
        Self { step: path.to_owned(), line, column, elsewhere: None }
    }
}

/// Names that were seen and are close to the wanted one, the closest first.
fn similar(wanted: &str, miss: &Miss) -> Vec<String> {
    const ENOUGH: f64 = 0.75;
    let mut close: Vec<(f64, &str)> = miss
        .names
        .keys()
        .map(|name| (strsim::jaro_winkler(wanted, name.as_str()), name.as_str()))
        .filter(|(likeness, name)| *likeness >= ENOUGH && *name != wanted)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    close.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
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
            WaitError::TimedOut { wanted, after, miss } => {
                let names: Vec<&str> = wanted.daemons.iter().map(DaemonName::as_str).collect();
                let seen = match (miss.same_name, miss.matched) {
                    (0, _) => format!("never seen among {} events", miss.events),
                    (n, 0) => format!("{n} of that name, none as wanted"),
                    (_, matched) => format!("{matched} as wanted, and it takes {}", wanted.count),
                };
                let message = format!("no such event within {after:?}: {seen}");
                let mut trouble = Self::new(FailureKind::TimedOut, message)
                    .wanting(names.join(", "), wanted.event.clone(), wanted.r#where.clone())
                    .searched(&miss);
                trouble.daemon = wanted.daemons.first().cloned();
                trouble
            }
            WaitError::TerminatedBeforeEvent { daemon, event, r#where, exit, miss, .. } => {
                let message = format!("{daemon} terminated before {event}: {exit}");
                Self::new(FailureKind::TerminatedBeforeEvent, message)
                    .wanting(daemon.to_string(), event, r#where)
                    .searched(&miss)
                    .of(&daemon)
            }
            WaitError::GaveUp { daemon, event, r#where, deaths, miss, .. } => {
                let deaths: Vec<String> = deaths.iter().map(ToString::to_string).collect();
                let message =
                    format!("{daemon} was given up before {event}, after {}", deaths.join("; "));
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
            ClientError::Programs(error) => Self::environment(chain(&error)),
            ClientError::NotConnected { .. } => Self::new(FailureKind::TimedOut, error.to_string()),
            other => Self::new(FailureKind::Exec, chain(&other)),
        }
    }
}

impl From<RpcError> for Trouble {
    fn from(error: RpcError) -> Self {
        Self::new(FailureKind::Rpc, chain(&error))
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
