//! Which transitions of a daemon are legal, and what each asks of the daemon's owner.
//!
//! ```text
//!             run                spawned
//!   NeverRun ──────► Preparing ───────────► Running ───────────────┐ terminate, kill, crash, restart
//!      ▲            │ ▲   │ spawn failed      │                    ▼
//!      └─ terminate ┘ │   ▼                   │ leader exited    Ending ◄─┐ grace over: SIGKILL
//!                     │  SpawnFailed          ▼                    │   └──┘
//!                     │                    Draining ◄──────────────┘ leader exited
//!   run, restart,     │                       │ drained, and the restart policy says
//!   back-off over     │      ┌────────────────┼──────────────────┐
//!                     │      ▼ restart        ▼ final            ▼ gave up
//!                     └── BackingOff ──────► Exited           GivenUp
//!                                 terminate, kill
//! ```
//!
//! A *request* is what the test wants; it is refused where it makes no sense. A *fact* is what the host saw; it carries the
//! incarnation it is about, so that one that comes late is recognised. The machine is told the time and touches nothing.

mod machine;
#[cfg(test)]
mod tests;

use std::time::Instant;

pub use self::machine::Lifecycle;
use super::restart::Verdict;
use super::{ExitCause, ExitReason, ExitStatus, Incarnation};

/// Where a daemon is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    NeverRun,
    /// What must run before it does runs; then it is spawned.
    Preparing {
        incarnation: Incarnation,
    },
    Running {
        incarnation: Incarnation,
        ready: bool,
        paused: bool,
        /// The last signal that a `signal` step sent, SIGSTOP and SIGCONT apart.
        signalled: Option<i32>,
    },
    /// The signal that ends it is on its way; what the test asked for is the cause of the exit.
    Ending {
        incarnation: Incarnation,
        cause: ExitCause,
    },
    /// The leader has exited, what it wrote is still being read.
    Draining {
        reason: ExitReason,
    },
    /// Dead, and to be restarted by its policy.
    BackingOff {
        last: ExitReason,
        until: Instant,
    },
    Exited {
        last: ExitReason,
    },
    /// Dead, and its restart budget is spent.
    GivenUp {
        last: ExitReason,
    },
    /// Its last run did not come about.
    SpawnFailed {
        incarnation: Incarnation,
    },
}

/// What the test wants of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Run,
    /// SIGTERM, SIGKILL after the grace; no restart.
    Terminate,
    /// SIGKILL; no restart.
    Kill,
    /// SIGKILL as a fault: the restart policy answers.
    Crash {
        fault: u32,
    },
    /// Terminate, then run. A daemon that is not running is just run.
    Restart,
    Pause,
    Resume,
    Signal(i32),
    /// Terminate if it runs, and refuse to run from now on. Never refused.
    Shutdown,
}

/// What the host saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Spawned {
        incarnation: Incarnation,
    },
    SpawnFailed {
        incarnation: Incarnation,
    },
    Ready {
        incarnation: Incarnation,
    },
    /// The time that SIGTERM gave it is over.
    GraceOver {
        incarnation: Incarnation,
    },
    LeaderExited {
        incarnation: Incarnation,
        status: ExitStatus,
    },
    /// All that it wrote has been published. The verdict stands unless the test has asked for something else meanwhile.
    Drained {
        incarnation: Incarnation,
        verdict: Verdict,
        now: Instant,
    },
    /// The delay after the death of this incarnation is over.
    BackoffOver {
        incarnation: Incarnation,
    },
}

/// What the daemon's owner has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Nothing,
    /// Run the preparation, then spawn as this incarnation.
    Prepare(Incarnation),
    /// SIGTERM and then SIGCONT to the group, and `GraceOver` when the grace is over.
    Terminate,
    /// SIGKILL to the group.
    Kill,
    /// SIGSTOP to the group.
    Pause,
    /// SIGCONT to the group.
    Resume,
    /// This signal to the group.
    Signal(i32),
    /// SIGKILL to what is left of the group, drain, publish, reap; then `Drained`.
    Drain(ExitReason),
    /// `BackoffOver` at this time.
    RestartAt(Instant),
    /// Drop the preparation or the timer that is under way: it stays as dead as it is, which is final.
    Cancel,
    /// It is finally dead: fail the waits.
    Finish,
    /// As `Finish`, and the restart budget is what ended it.
    GiveUp,
}

impl Action {
    /// Whether waits on the daemon have nothing more to hope for.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Cancel | Self::Finish | Self::GiveUp)
    }
}

/// A request that makes no sense in the daemon's state. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("already running, as incarnation {incarnation}")]
    AlreadyRunning { incarnation: Incarnation },
    #[error("incarnation {incarnation} is still on its way out")]
    Ending { incarnation: Incarnation },
    #[error("not running, but about to be restarted by its policy")]
    BackingOff,
    #[error("not running: {why}")]
    NotRunning { why: &'static str },
    #[error("the harness is shutting down")]
    ShuttingDown,
}

/// A fact that does not concern the daemon as it is now. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexpected {
    #[error("about incarnation {about}, and it is {current} now")]
    Stale { about: Incarnation, current: Incarnation },
    #[error("does not fit the state of incarnation {current}")]
    OutOfPlace { current: Incarnation },
}
