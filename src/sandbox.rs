//! Stand-ins for the Octez programs, inside our own binary: chosen by the name it is called by.
//!
//! They are honest programs, not recordings. The node keeps a block tree, exchanges branches with its peers and includes
//! operations; the accuser finds double signing by looking at what the node shows it, forges the evidence and injects it.
//! Command lines, event sink, output, exit codes, RPC and files are those of Octez v25, as far as a harness can tell them
//! apart. Each runs as a process of its own.

mod accuser;
mod block;
mod client;
mod console;
mod globals;
mod hash;
mod install;
mod keys;
mod lockfile;
mod node;
mod operation;
mod program;
mod protocol;
mod rpc_client;
mod signals;
mod sink;
mod upgrades;
mod wire;

pub use self::install::{InstallError, install};
pub use self::program::{Program, run};

/// The release that the stand-ins say they are.
pub const VERSION: &str = "25.1";

/// The commit they say they were built from, and its date.
pub const COMMIT: &str = "1a2b3c4d";
pub const COMMIT_DATE: &str = "2026-07-20 09:00:00 +0200";
