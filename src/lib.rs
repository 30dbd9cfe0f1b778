//! Tribunal: a test-harness runtime for daemons that report what they do as JSON events.

#![cfg_attr(not(target_os = "linux"), allow(unused))]
#[cfg(not(target_os = "linux"))]
compile_error!("tribunal needs Linux 5.4 or later: it waits for processes by pidfd");

mod actors;
pub mod daemon;
pub mod event;
pub mod harness;
#[doc(hidden)]
pub mod host;
pub mod octez;
pub mod predicate;
pub mod record;
pub mod report;
pub mod run;
#[doc(hidden)]
pub mod sandbox;
pub mod scenario;
