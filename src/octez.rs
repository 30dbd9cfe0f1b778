//! What is particular to Octez daemons.

pub mod events;
