//! What a file says about a daemon.

use std::time::Duration;

use crate::daemon::{DaemonName, EventLevels, Kind, RestartRule};
use crate::scenario::model::{Condition, Spanned};
use crate::scenario::source::Span;
use crate::scenario::values::{Data, Setting, Text};

/// One entry of `daemons`.
#[derive(Clone, Debug)]
pub struct DaemonDeclaration {
    pub name: DaemonName,
    /// Of the name.
    pub span: Span,
    pub kind: Kind,
    pub settings: Settings,
}

/// What `daemons`, `defaults` and `with` can say; `None` leaves it as it was.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub env: Option<Vec<(String, Text)>>,
    pub cwd: Option<Text>,
    /// Added to the command.
    pub args: Option<Vec<Text>>,
    pub events: Option<EventLevels>,
    pub restart: Option<RestartSettings>,
    pub grace: Option<Setting<Duration>>,
    /// Names and globs of events that it can emit.
    pub knows: Option<Vec<Spanned<String>>>,
    /// Octez kinds: the program, instead of this run's.
    pub binary: Option<Text>,
    /// Accusers and bakers: the node they talk to.
    pub watched: Option<Spanned<String>>,
    /// Accusers and bakers: whether they wait for a node that is away.
    pub keep_alive: Option<Setting<bool>>,
    pub node: NodeSettings,
    pub accuser: AccuserSettings,
    /// An `octez-baker`: for whom it bakes.
    pub keys: Option<Vec<Text>>,
    pub process: ProcessSettings,
}

/// What only an `octez-node` has.
#[derive(Clone, Debug, Default)]
pub struct NodeSettings {
    pub synchronisation_threshold: Option<Setting<u64>>,
    pub private_mode: Option<Setting<bool>>,
    pub connections: Option<Setting<u64>>,
    pub peers: Option<Vec<Text>>,
    pub history_mode: Option<Text>,
    pub singleprocess: Option<Setting<bool>>,
    /// Merged into `config.json`; always an object.
    pub config: Option<Data>,
    pub upgrades: Option<Vec<UpgradeSetting>>,
}

/// One of `upgrades`.
#[derive(Clone, Debug)]
pub struct UpgradeSetting {
    pub level: Setting<u64>,
    pub protocol: Text,
}

/// What only an `octez-accuser` has.
#[derive(Clone, Debug, Default)]
pub struct AccuserSettings {
    pub preserved_levels: Option<Setting<u64>>,
    pub base_dir: Option<Text>,
}

/// What only a `process` has.
#[derive(Clone, Debug, Default)]
pub struct ProcessSettings {
    pub command: Option<Vec<Text>>,
    pub ready: Option<ReadyWhen>,
    pub events_from: Option<EventsFrom>,
    pub envelope: Option<EnvelopeSettings>,
}

/// `restart`; what is `None` has the default of the restart policy.
#[derive(Clone, Debug, PartialEq)]
pub struct RestartSettings {
    pub span: Span,
    pub policy: RestartRule,
    pub max_restarts: Option<Setting<u32>>,
    pub window: Option<Setting<Duration>>,
    pub backoff: BackoffSettings,
    /// Exit codes that are no failure.
    pub success: Option<Vec<i32>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackoffSettings {
    pub initial: Option<Setting<Duration>>,
    pub factor: Option<Setting<f64>>,
    pub max: Option<Setting<Duration>>,
    pub jitter: Option<Setting<f64>>,
}

/// What makes a process ready.
#[derive(Clone, Debug)]
pub enum ReadyWhen {
    Event {
        event: Text,
        condition: Option<Condition>,
    },
    /// A pattern that a line of standard output or error matches.
    Stdout(Text),
    /// `HOST:PORT` accepts a connection.
    Tcp(Text),
    /// A GET of the URL is answered with a 2xx status.
    Http(Text),
    /// It has ended with this code.
    Exit(i32),
}

impl ReadyWhen {
    /// What has not happened while the daemon is not ready, as the file puts it.
    pub fn missing(&self) -> String {
        match self {
            Self::Event { event, condition } => {
                let event = &event.template;
                let predicate = condition.as_ref().map(|own| own.predicate.source());
                let predicate = predicate.map_or_else(String::new, |own| format!(" where `{own}`"));
                format!("no event `{event}`{predicate}")
            }
            Self::Stdout(pattern) => {
                format!("no line of its output matches `{}`", pattern.template)
            }
            Self::Tcp(address) => format!("{} takes no connection", address.template),
            Self::Http(url) => format!("{} does not answer with success", url.template),
            Self::Exit(code) => format!("it has not ended with exit code {code}"),
        }
    }
}

/// Where a process writes its JSON lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventsFrom {
    Pipe,
    Stdout,
    Stderr,
    File(Text),
}

/// Where a JSON line keeps its name, payload and time: paths of field names; an empty one is the whole line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeSettings {
    pub name: Vec<String>,
    pub value: Vec<String>,
    pub time: Option<Vec<String>>,
}

impl Settings {
    /// These, where they say something, before the others.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            env: self.env.or_else(|| other.env.clone()),
            cwd: self.cwd.or_else(|| other.cwd.clone()),
            args: self.args.or_else(|| other.args.clone()),
            events: self.events.or_else(|| other.events.clone()),
            restart: self.restart.or_else(|| other.restart.clone()),
            grace: self.grace.or_else(|| other.grace.clone()),
            knows: self.knows.or_else(|| other.knows.clone()),
            binary: self.binary.or_else(|| other.binary.clone()),
            watched: self.watched.or_else(|| other.watched.clone()),
            keep_alive: self.keep_alive.or_else(|| other.keep_alive.clone()),
            node: self.node.or(&other.node),
            accuser: self.accuser.or(&other.accuser),
            keys: self.keys.or_else(|| other.keys.clone()),
            process: self.process.or(&other.process),
        }
    }
}

impl NodeSettings {
    fn or(self, other: &Self) -> Self {
        Self {
            synchronisation_threshold: self
                .synchronisation_threshold
                .or_else(|| other.synchronisation_threshold.clone()),
            private_mode: self.private_mode.or_else(|| other.private_mode.clone()),
            connections: self.connections.or_else(|| other.connections.clone()),
            peers: self.peers.or_else(|| other.peers.clone()),
            history_mode: self.history_mode.or_else(|| other.history_mode.clone()),
            singleprocess: self.singleprocess.or_else(|| other.singleprocess.clone()),
            config: self.config.or_else(|| other.config.clone()),
            upgrades: self.upgrades.or_else(|| other.upgrades.clone()),
        }
    }
}

impl AccuserSettings {
    fn or(self, other: &Self) -> Self {
        Self {
            preserved_levels: self.preserved_levels.or_else(|| other.preserved_levels.clone()),
            base_dir: self.base_dir.or_else(|| other.base_dir.clone()),
        }
    }
}

impl ProcessSettings {
    fn or(self, other: &Self) -> Self {
        Self {
            command: self.command.or_else(|| other.command.clone()),
            ready: self.ready.or_else(|| other.ready.clone()),
            events_from: self.events_from.or_else(|| other.events_from.clone()),
            envelope: self.envelope.or_else(|| other.envelope.clone()),
        }
    }
}
