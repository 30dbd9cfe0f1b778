//! The stand-in node as a real process: start-up, files, RPC, peers, and its end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../sandbox_accuser/support.rs"]
#[expect(dead_code, reason = "the tests of the accuser use the rest")]
mod support;

mod http;

mod branches;
mod crowds;
mod garbage;
mod lifecycle;
mod operations;
mod peers;
mod rpc;
mod upgrades;
