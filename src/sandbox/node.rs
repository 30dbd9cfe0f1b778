//! `octez-node`: a block tree with its mempool, served over RPC and shared with peers.
//!
//! [`start`] is the program, [`run`] a node from start to end. [`chain`], [`mempool`], [`command`] and [`config`] decide without doing anything; [`shell`] is
//! the state that the parts of a running node share, and [`worker`] the only one to change it. [`rpc`] and [`p2p`] bring
//! requests in and carry news out; [`store`] and [`data_dir`] are what stays.

pub mod chain;
pub mod command;
pub mod config;
pub mod data_dir;
pub mod identity;
pub mod mempool;
pub mod metrics;
pub mod p2p;
pub mod rpc;
pub mod run;
pub mod shell;
pub mod start;
pub mod store;
pub mod trace;
pub mod watch;
pub mod worker;

pub use self::start::main;
