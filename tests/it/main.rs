//! The harness as a test author uses it: real processes, real pipes, real signals.

mod death;
mod events;
mod full_disk;
mod lifecycle;
mod support;
mod waits;
