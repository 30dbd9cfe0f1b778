//! `octez-node`: a block tree with its mempool, served over RPC and shared with peers.

pub mod chain;
pub mod mempool;
pub mod store;
pub mod trace;
