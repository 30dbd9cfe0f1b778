//! What a step asks for.

use std::sync::Arc;
use std::time::Duration;

use crate::host::http::Method;
use crate::octez::VoteKind;
use crate::scenario::model::{Condition, Formula, Fragment, Settings, Spanned, Variable};
use crate::scenario::source::{Source, Span};
use crate::scenario::values::{Data, Setting, Text};

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// `steps[3]`, `steps[2].parallel[0][1]`, `finally[0]`: unique in a scenario.
    pub path: String,
    pub verb: &'static str,
    /// Of the verb.
    pub span: Span,
    /// The step as it was written, on one line and not too long.
    pub text: String,
    /// The whole of it.
    pub written: String,
    /// The file it stands in: another than the scenario's for a step of a used file.
    pub source: Arc<Source>,
    pub action: Action,
}

#[derive(Clone, Debug)]
pub enum Action {
    Lifecycle(Lifecycle),
    Signal {
        daemon: Text,
        signal: Text,
    },
    Exited(Exited),
    /// All of them, in any order, if there are several.
    Expect(Vec<Expect>),
    Never(Never),
    Mark(Text),
    Reach(Reach),
    Activate(Activate),
    Bake(Bake),
    Vote(Box<Vote>),
    Inject(Inject),
    Connect(ConnectPeers),
    Disconnect(ConnectPeers),
    Rpc(Rpc),
    Exec(Exec),
    Let(Vec<Assignment>),
    Assert(Formula),
    Parallel(Vec<Vec<Step>>),
    Repeat(Repeat),
    For(For),
    Use(Use),
    Log(Text),
    Sleep(Setting<Duration>),
}

impl Action {
    /// The lists of steps directly below: one for each branch of `parallel`.
    pub fn blocks(&self) -> Vec<&[Step]> {
        match self {
            Self::Parallel(branches) => branches.iter().map(Vec::as_slice).collect(),
            Self::Repeat(repeat) => vec![&repeat.steps],
            Self::For(each) => vec![&each.steps],
            Self::Use(used) => vec![&used.fragment.steps],
            _ => Vec::new(),
        }
    }

    /// Whether it acts on the world, so that what was seen before it proves nothing about it.
    pub fn acts(&self) -> bool {
        let only_asks = match self {
            Self::Rpc(rpc) => rpc.method == Method::Get,
            Self::Reach(_) => true,
            _ => false,
        };
        !only_asks && !self.is_told_by_records()
    }

    /// Whether the records of events alone tell how it ends, without a daemon or a program to ask.
    pub fn is_told_by_records(&self) -> bool {
        match self {
            Self::Lifecycle(lifecycle) => lifecycle.act == Act::Ready,
            Self::Signal { .. }
            | Self::Activate(_)
            | Self::Bake(_)
            | Self::Vote(_)
            | Self::Inject(_)
            | Self::Connect(_)
            | Self::Disconnect(_)
            | Self::Reach(_)
            | Self::Rpc(_)
            | Self::Exec(_) => false,
            Self::Exited(_)
            | Self::Expect(_)
            | Self::Never(_)
            | Self::Mark(_)
            | Self::Let(_)
            | Self::Assert(_)
            | Self::Parallel(_)
            | Self::Repeat(_)
            | Self::For(_)
            | Self::Use(_)
            | Self::Log(_)
            | Self::Sleep(_) => true,
        }
    }
}

/// What a lifecycle step does to each of its daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    Start,
    Run,
    Ready,
    Terminate,
    Kill,
    Crash,
    Restart,
    Pause,
    Resume,
}

impl Act {
    pub const ALL: [Self; 9] = [
        Self::Start,
        Self::Run,
        Self::Ready,
        Self::Terminate,
        Self::Kill,
        Self::Crash,
        Self::Restart,
        Self::Pause,
        Self::Resume,
    ];

    pub fn verb(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Run => "run",
            Self::Ready => "ready",
            Self::Terminate => "terminate",
            Self::Kill => "kill",
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

/// A lifecycle verb: to all daemons side by side.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    pub act: Act,
    pub daemons: Vec<Text>,
    /// Replaces what the declaration says, from this incarnation on.
    pub with: Option<Box<Settings>>,
    pub grace: Option<Setting<Duration>>,
    pub within: Option<Setting<Duration>>,
    /// `pause: { for }`: resumed after that.
    pub lasting: Option<Setting<Duration>>,
}

#[derive(Clone, Debug)]
pub struct Exited {
    pub daemon: Text,
    pub wanted: ExitWanted,
    pub within: Option<Setting<Duration>>,
}

#[derive(Clone, Debug)]
pub enum ExitWanted {
    Any,
    Code(Setting<i32>),
    /// A name or a number.
    Signal(Text),
}

/// Which events count.
#[derive(Clone, Debug)]
pub struct EventPattern {
    /// Names and globs of daemons.
    pub from: Vec<Text>,
    /// A name or a glob.
    pub event: Text,
    pub condition: Option<Condition>,
}

#[derive(Clone, Debug)]
pub struct Expect {
    pub pattern: EventPattern,
    pub count: Option<Setting<u32>>,
    /// One from every daemon of `from`.
    pub each: bool,
    pub within: Option<Setting<Duration>>,
    pub since: Option<Since>,
    pub capture: Vec<Assignment>,
}

#[derive(Clone, Debug)]
pub struct Never {
    pub pattern: EventPattern,
    pub since: Option<Since>,
    pub lasting: Option<Setting<Duration>>,
    pub until: Option<Until>,
    /// Of the mapping's key, `never`.
    pub span: Span,
}

/// The event that ends a `never`.
#[derive(Clone, Debug)]
pub struct Until {
    pub pattern: EventPattern,
    pub within: Option<Setting<Duration>>,
}

/// Where a search begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    Beginning,
    /// This incarnation's first record.
    Start,
    /// The begin of the step.
    Now,
    Mark(Text),
}

#[derive(Clone, Debug)]
pub struct Reach {
    pub nodes: Vec<Text>,
    pub level: Setting<i64>,
    pub within: Option<Setting<Duration>>,
}

#[derive(Clone, Debug)]
pub struct Activate {
    pub node: Text,
    pub protocol: Option<Text>,
    /// Merged into the sandbox's; always an object.
    pub parameters: Option<Data>,
    pub timestamp: Option<Text>,
    pub within: Option<Setting<Duration>>,
}

#[derive(Clone, Debug)]
pub struct Bake {
    pub node: Text,
    /// Empty: `bootstrap1`. Several take part in each block, as with `octez-client bake for`.
    pub keys: Vec<Text>,
    pub times: Option<Setting<u32>>,
    pub parent: Option<Text>,
    pub round: Option<Setting<u32>>,
    pub within: Option<Setting<Duration>>,
    /// Evaluated on `hash` and `level` of the last block.
    pub capture: Vec<Assignment>,
}

/// `attest` or `preattest`; what is not given is that of the block.
#[derive(Clone, Debug)]
pub struct Vote {
    pub kind: VoteKind,
    pub node: Text,
    /// `None`: `bootstrap1`.
    pub key: Option<Text>,
    pub of: Option<Text>,
    pub level: Option<Setting<u32>>,
    pub round: Option<Setting<u32>>,
    pub slot: Option<Setting<u16>>,
    pub payload: Option<Text>,
    pub branch: Option<Text>,
    /// A regular expression: the node must refuse in words that match.
    pub error: Option<Text>,
    pub within: Option<Setting<Duration>>,
    pub capture: Vec<Assignment>,
}

#[derive(Clone, Debug)]
pub struct Inject {
    pub node: Text,
    /// Hexadecimal.
    pub operation: Text,
    pub error: Option<Text>,
    pub within: Option<Setting<Duration>>,
    pub capture: Vec<Assignment>,
}

#[derive(Clone, Debug)]
pub struct ConnectPeers {
    pub nodes: Vec<Text>,
    pub within: Option<Setting<Duration>>,
}

#[derive(Clone, Debug)]
pub struct Rpc {
    pub node: Text,
    pub method: Method,
    pub path: Text,
    pub body: Option<Data>,
    /// `None`: any of 200 to 299.
    pub status: Option<Setting<u16>>,
    pub condition: Option<Condition>,
    /// Given: repeated until it is as wanted.
    pub within: Option<Setting<Duration>>,
    pub capture: Vec<Assignment>,
}

#[derive(Clone, Debug)]
pub struct Exec {
    pub command: Vec<Text>,
    pub stdin: Option<Text>,
    pub env: Vec<(String, Text)>,
    /// `None`: 0.
    pub code: Option<Setting<i32>>,
    pub stdout: Output,
    pub condition: Option<Condition>,
    pub within: Option<Setting<Duration>>,
    pub capture: Vec<Assignment>,
}

/// What the payload of an `exec` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// A string, without the last line break.
    #[default]
    Text,
    Json,
}

/// A variable and the expression that gives its value.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub name: Spanned<String>,
    pub formula: Formula,
}

#[derive(Clone, Debug)]
pub struct Repeat {
    pub times: Setting<u32>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct For {
    pub var: Spanned<String>,
    /// Resolves to a list.
    pub items: Data,
    pub items_span: Span,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Use {
    pub file: Spanned<String>,
    /// Seen by these steps only; they come before what the file gives.
    pub vars: Vec<(Spanned<String>, Data)>,
    pub fragment: Fragment,
}

impl Use {
    /// The file's own variables, without those that the step gives.
    pub fn defaults(&self) -> impl Iterator<Item = &Variable> {
        let given = |name: &str| self.vars.iter().any(|(var, _)| var.value == name);
        self.fragment.vars.iter().filter(move |variable| !given(&variable.name))
    }
}
