//! The runner: which scenarios, how many at a time, how often, and what the program ends with.
//!
//! [`select`], [`shard`] and [`times`] choose; [`plan`] decides what is played next and what a result means for the
//! rest, without playing anything; [`dispatch`] carries that out with a [`Player`]; whoever wants to see it is an
//! [`Observer`], and whoever wants to read what it recorded an [`Archivist`]. A failure is data all the way up: only here it becomes an exit code, and only in `report` text.

pub mod dispatch;
pub mod exit;
pub mod expression;
mod filing;
pub mod load;
pub mod plan;
pub mod player;
pub mod rerun;
pub mod run_dir;
pub mod seeds;
pub mod select;
pub mod shard;
pub mod times;
pub mod vars;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

pub use self::dispatch::play_all;
pub use self::exit::Exit;
pub use self::filing::{Archivist, Attempt};
pub use self::plan::{Flaky, Policy, Unit};
pub use self::player::Player;
pub use self::run_dir::Keep;
pub use self::seeds::Seeds;
pub use crate::host::interrupts::Interrupt;
use crate::scenario::job::{Inquiries, OctezSource, Progress};
use crate::scenario::result::ScenarioResult;

/// What the runner knows of a scenario before it is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// As it was named, or found below a folder that was named.
    pub file: PathBuf,
    pub name: String,
    pub tags: Vec<String>,
    /// The comment at the head of the file, if there is one.
    pub description: Option<String>,
    /// The seed that the file pins.
    pub seed: Option<u64>,
}

/// How to play, the same for all scenarios of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many side by side; at least 1.
    pub jobs: usize,
    pub policy: Policy,
    pub seeds: Seeds,
    /// Set before the files' `vars`.
    pub vars: Vec<(String, String)>,
    pub timeout: Option<Duration>,
    pub timeout_scale: f64,
    pub strict: Option<bool>,
    pub octez: OctezSource,
    /// The folder in which run directories are made.
    pub out: PathBuf,
    pub keep: Keep,
    /// Tell the observer of every event and line of output.
    pub live: bool,
    /// How long plays that were told to end at once may take to clean up before they are dropped.
    pub abandon_after: Duration,
    /// Whoever wants to know what the plays are doing asks here.
    pub inquiries: Inquiries,
}

/// What became of one scenario in one repetition, its retries counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// Failed, then passed with the same seed.
    Flaky,
    Failed,
    Error,
    Interrupted,
}

/// One attempt that has ended.
#[derive(Clone, Debug)]
pub struct Played {
    pub unit: Unit,
    pub result: ScenarioResult,
    /// `None` if it was not kept, or could not be made.
    pub run_dir: Option<PathBuf>,
    /// `None` if it will be tried again.
    pub verdict: Option<Verdict>,
}

/// How many scenarios came to which verdict; each repetition counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    pub passed: u32,
    pub failed: u32,
    pub flaky: u32,
    pub error: u32,
    pub interrupted: u32,
    /// Never begun, because a failure or a signal ended the run before.
    pub not_played: u64,
    /// Of the whole run, by the wall clock.
    pub duration_s: f64,
}

impl Summary {
    fn count(&mut self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Passed => &mut self.passed,
            Verdict::Flaky => &mut self.flaky,
            Verdict::Failed => &mut self.failed,
            Verdict::Error => &mut self.error,
            Verdict::Interrupted => &mut self.interrupted,
        };
        *counter = counter.saturating_add(1);
    }
}

/// What a whole run came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunReport {
    pub summary: Summary,
    pub exit: Exit,
}

/// Something that happened in a run.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'a> {
    RunBegan {
        cases: &'a [Case],
        options: &'a Options,
    },
    PlayBegan {
        unit: Unit,
        case: &'a Case,
        seed: u64,
    },
    PlayProgressed {
        unit: Unit,
        case: &'a Case,
        progress: Progress<'a>,
    },
    /// One attempt ended. Without a verdict it is tried again; if the run ends before that could begin, the same attempt
    /// is told once more, as failed.
    PlayEnded {
        case: &'a Case,
        played: &'a Played,
    },
    Interrupted(Interrupt),
    RunEnded(&'a RunReport),
}

/// Whoever follows a run. Called on the runner's thread; must not block for long.
pub trait Observer {
    fn notice(&self, notice: Notice<'_>);
}

impl<T: Observer + ?Sized> Observer for std::rc::Rc<T> {
    fn notice(&self, notice: Notice<'_>) {
        (**self).notice(notice);
    }
}

impl<T: Observer + ?Sized> Observer for std::sync::Arc<T> {
    fn notice(&self, notice: Notice<'_>) {
        (**self).notice(notice);
    }
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    fn notice(&self, notice: Notice<'_>) {
        self.0.notice(notice);
        self.1.notice(notice);
    }
}

impl<T: Observer> Observer for Option<T> {
    fn notice(&self, notice: Notice<'_>) {
        if let Some(observer) = self {
            observer.notice(notice);
        }
    }
}
