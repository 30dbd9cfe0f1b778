//! The stand-in node: start-up, files, RPC, peers, and its end.

mod branches;
mod crowds;
mod garbage;
mod lifecycle;
mod operations;
mod peers;
mod rpc;
mod upgrades;
