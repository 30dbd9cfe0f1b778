//! The run directory: where everything that happened is kept, and read back from.
//!
//! ```text
//! <run>/log.jsonl              steps, waits, lifecycle, faults, matches, malformed lines, in order
//! <run>/events/<daemon>.jsonl  the lines of its pipe, byte for byte
//! <run>/events/<daemon>.idx    one fixed-size entry for each batch of them
//! <run>/output/<daemon>.log    its standard output and error
//! ```

mod append;
mod layout;
mod read;
mod step;

use std::path::PathBuf;

pub use self::append::{Recorder, RecordingFailure};
pub use self::layout::RunDir;
pub use self::read::{EnvelopeNote, Note, PlayNote, RecordedRun, WaitSource, What};
pub use self::step::{Phase, StepFacts};

/// The run directory cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("cannot create {}", path.display())]
    Create { path: PathBuf, source: std::io::Error },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("no such run directory: {}", path.display())]
    NoSuchRun { path: PathBuf },
    #[error(
        "{} is no run directory: it has no log.jsonl; `tribunal run` names that of a failure as `run dir`",
        path.display()
    )]
    NotARun { path: PathBuf },
    #[error("{}, line {line}: not a record of a run", path.display())]
    Corrupt { path: PathBuf, line: usize },
    #[error("recording had stopped before: {reason}")]
    Stopped { reason: String },
}
