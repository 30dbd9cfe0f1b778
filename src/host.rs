//! The machine that daemons run on: processes and their groups, pipes, ports, and the promise that nothing stays behind.
//!
//! All `nix`, `rustix` and `unsafe` code of the harness is here. What is `async` wants a Tokio runtime with I/O and time
//! enabled, on one thread or several; nothing here spawns tasks.
//!
//! Who cleans up what, from the inside out:
//! - [`process::Process`] kills its group and reaps its leader when dropped;
//! - [`sweep`] finds what carries the run's [`marker`] after the groups are gone: what left its group;
//! - [`guardian::Guardian`] does both when this process has died without a chance to;
//! - [`front`] stands over the runner and has [`descendants`] killed, marker or not.

mod child;
pub mod descendants;
pub mod exec;
pub mod front;
pub mod guardian;
pub mod http;
pub mod interrupts;
mod keys;
pub mod marker;
pub mod pipe;
pub mod ports;
pub mod pressure;
pub mod process;
pub mod procfs;
pub mod program;
mod readiness;
pub mod sweep;
pub mod tail;
pub mod tempdir;
pub mod usage;
