//! The stand-in node as a real process: start-up, files, RPC, peers, and its end.

#[path = "../sandbox_accuser/support.rs"]
#[expect(dead_code, reason = "the tests of the accuser use the rest")]
mod support;

mod http;

mod branches;
mod garbage;
mod lifecycle;
mod operations;
mod peers;
mod rpc;
