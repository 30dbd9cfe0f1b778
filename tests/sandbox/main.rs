//! The stand-ins for Octez as real processes: what each does, and whether a harness could tell it from the original.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod http;
mod relay;
mod support;

mod accuser;
mod fidelity;
mod node;
