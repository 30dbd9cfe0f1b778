//! `octez-client` and `octez-admin-client`: activating, baking, proposing again, voting, keys, plain RPC; and peers.
//!
//! Each is one command against one node. What Octez's own client cannot do has options of the sandbox's own: `bake for`
//! takes `--parent` and `--round`, `attest for` and `preattest for` take `--of`, `--level`, `--round`, `--slot`, `--payload`
//! and `--branch`.

pub mod activate;
pub mod admin;
pub mod bake;
pub mod command;
pub mod consensus_key;
pub mod repropose;
pub mod rpc;
pub mod start;
pub mod vote;
pub mod wallet;

use std::io;
use std::path::PathBuf;

use super::rpc_client::RpcError;

pub use self::start::{admin_main, main};

/// Why a command failed; told as `Error:`, exit code 1.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Usage(#[from] super::globals::UsageError),
    #[error(transparent)]
    Globals(#[from] super::globals::GlobalsError),
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error("no public key hash alias named {name}")]
    UnknownKey { name: String },
    #[error("{name} cannot bake here: only the bootstrap accounts of the sandbox are delegates")]
    NoDelegate { name: String },
    #[error(
        "{name} is no consensus key of {delegate}: the sandbox has one for each of its delegates"
    )]
    NoConsensusKey { name: String, delegate: String },
    #[error("{what} {name} already exists, use --force to overwrite")]
    Exists { what: &'static str, name: String },
    #[error("unknown protocol {text}")]
    UnknownProtocol { text: String },
    #[error("the head of the chain is not genesis: a protocol is active already")]
    AlreadyActive,
    #[error("no protocol is active on {block}: it cannot be baked on")]
    NotActive { block: String },
    #[error("cannot read {path:?}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path:?}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path:?} is not valid JSON")]
    NotJson { path: PathBuf, source: serde_json::Error },
}
