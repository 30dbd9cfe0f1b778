//! `octez-accuser`: watches one node and denounces whoever signs twice.
//!
//! Tasks run side by side, as in the agnostic accuser of Octez v23 and later. The [`wrapper`] waits for a protocol that
//! is in use and then reports each new head; the [`agent`] of a protocol looks for double signing in the blocks that the
//! node applies and in its mempool. Across a protocol change there are two [`agents`] for a while, each with events of its
//! own section; the migration block between them is looked at by neither, since each is shown only blocks after which its
//! protocol goes on, and the new one opens that stream after it. What counts as double signing is decided by [`bakings`] and [`votes`], on plain data; the
//! evidence is made and sent by [`denounce`].
//!
//! Neither memory survives a lost connection, nor do the node's streams replay: what an accuser has not seen while it was
//! connected, it does not denounce.

pub mod agent;
pub mod agents;
pub mod backoff;
pub mod bakings;
pub mod cli;
pub mod denounce;
pub mod events;
pub mod pidfile;
pub mod start;
pub mod votes;
pub mod watch;
pub mod window;
pub mod wrapper;

pub use self::cli::Options;
pub use self::start::main;

/// Why the accuser ends by itself; each with exit code 1.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Told as `Error:`, with the options that there are.
    #[error(transparent)]
    Usage(#[from] super::globals::UsageError),
    /// Told as `Error:`.
    #[error("{0}")]
    Error(String),
    /// Told as `Fatal error:`, for what Octez raises as a failure.
    #[error("{0}")]
    Fatal(String),
    /// Told as `Fatal error:` too, but on standard output: an exception that only the program's last resort catches.
    #[error("{0}")]
    Exception(String),
}
