//! The stand-ins as real processes, compared with what is known of Octez.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../sandbox_node/http.rs"]
#[expect(dead_code, reason = "the tests of the node use the rest")]
mod http;
#[path = "../sandbox_accuser/support.rs"]
#[expect(dead_code, reason = "the tests of the accuser use the rest")]
mod support;

mod fidelity;
mod relay;
