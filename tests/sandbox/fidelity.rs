//! Whether a harness could tell the stand-ins from Octez: every event by a table, every end of a program by another.

mod commands;
mod coverage;
mod rpcs;
mod shape;
mod signals;
mod sinks;
mod table;
