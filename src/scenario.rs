//! Scenarios: files that say which daemons there are and what is done with them, and what came of playing one.

pub mod job;
pub mod result;
