//! What a lifecycle command comes to.

use crate::daemon::lifecycle::Refused;
use crate::daemon::{DaemonName, ExitReason, ExitStatus, Incarnation};
use crate::event::Seq;
use crate::host::pipe::PipeError;
use crate::host::process::SpawnError;

/// A command that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Of `run` and `restart`: the new incarnation's first record. Of `terminate` and `signal`: the end of the log when the
    /// signal was sent. Of `kill` and `crash`: the `tribunal.exited` record.
    pub position: Seq,
    pub incarnation: Incarnation,
    pub pid: Option<i32>,
    /// How it ended, where the command ended it.
    pub exit: Option<ExitReason>,
}

/// A command that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("{daemon}: {refused}")]
    Refused { daemon: DaemonName, refused: Refused },
    #[error("no daemon is called {daemon}")]
    Unknown { daemon: DaemonName },
    #[error("there is already a daemon called {daemon}")]
    NameTaken { daemon: DaemonName },
    #[error("{daemon} cannot be spawned")]
    Spawn { daemon: DaemonName, source: Box<SpawnError> },
    #[error("{daemon} has no event pipe")]
    Pipe { daemon: DaemonName, source: PipeError },
    #[error("{daemon}: `{command}` ended with {status}: {stderr}")]
    Preparation { daemon: DaemonName, command: String, status: ExitStatus, stderr: String },
    #[error("{daemon}: `{command}` could not be run: {reason}")]
    PreparationLost { daemon: DaemonName, command: String, reason: String },
    #[error("{daemon}: the run was called off")]
    Cancelled { daemon: DaemonName },
    #[error("the harness is shutting down")]
    ShuttingDown,
}
