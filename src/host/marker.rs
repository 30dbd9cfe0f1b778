//! What tells the processes of one run from all others: an entry in their environment, which children inherit.

use std::fmt;

/// The variable that carries the run's id in the environment of everything a run starts.
pub const VARIABLE: &str = "TRIBUNAL_RUN";

/// The id of a run: 16 hexadecimal digits, so that none is the beginning of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunId(String);

impl RunId {
    /// A new one. This process's id is part of it, and a random number the rest.
    pub fn generate() -> Self {
        Self(format!("{:08x}{:08x}", std::process::id(), fastrand::Rng::new().u32(..)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The environment entry, as it stands in `/proc/<pid>/environ`.
    pub fn marker(&self) -> String {
        format!("{VARIABLE}={}", self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
