//! The event sink of the stand-ins: JSON lines to where `TEZOS_EVENTS_CONFIG` says, and the user's log on stderr.
//!
//! It does what Octez does (`src/lib_base/unix/internal_event_unix.ml`, `file_descriptor_sink.ml`): the sinks are opened before
//! anything else, and opening a FIFO waits for its reader; the first line tells the variable; each line is written whole,
//! in as many writes as it takes, while the others wait. A pipe that nobody drains stalls whoever emits.
//!
//! [`config`] reads the variable, [`filter`] decides which event goes where, [`mod@line`] renders it, [`target`] opens and
//! writes, [`daily`] changes files at midnight, [`text`] words the user's log, [`emit`] ties them together.

pub mod config;
pub mod daily;
pub mod emit;
pub mod filter;
pub mod line;
pub mod number;
pub mod target;
pub mod text;

use std::sync::Arc;

pub use self::emit::Open;
pub use self::target::WriteError;
pub use crate::daemon::Level;

/// The variable that names the sinks.
pub const VARIABLE: &str = "TEZOS_EVENTS_CONFIG";

/// Where a program's events go; cheap to clone.
///
/// Emit from a task that is not cancelled half-way: a dropped [`Sink::emit`] may leave half a line in the pipe.
#[derive(Clone, Debug)]
pub struct Sink {
    open: Arc<Open>,
}

/// The payload of an event without fields: `{}`.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct NoFields {}

/// Why a program has no event sink: reported before it has done anything else.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("invalid sink {uri:?}: {reason}")]
    Invalid { uri: String, reason: String },
    #[error("cannot read the sink configuration {path:?}")]
    ReadConfig { path: String, source: std::io::Error },
    #[error("cannot open the sink {path:?}")]
    Open { path: String, source: std::io::Error },
}

/// An event that did not reach its sink, and the program may care.
#[derive(Debug, thiserror::Error)]
#[error("failed to send event '{event}'")]
pub struct EmitError {
    pub event: String,
    pub source: WriteError,
}
