//! The harness as a test author uses it: real processes, real pipes, real signals.

mod accuser;
mod death;
mod double_baking;
mod events;
mod full_disk;
mod lifecycle;
mod node;
mod runtimes;
mod support;
mod votes;
mod waits;
