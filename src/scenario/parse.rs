//! From the tree of a file to the model: every error of the file is found, not the first only.
//!
//! [`Reader`] walks; what it cannot read it reports and leaves out, so a model is handed on only when nothing was
//! reported. One file per group of verbs.

mod control;
mod daemons;
mod data;
mod events;
mod fields;
mod file;
mod formulas;
mod lifecycle;
mod octez;
mod scalars;
mod settings;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use self::file::{OpenError, open, scenario};
use super::diagnostic::Diagnostic;
use super::source::Source;
use crate::daemon::Kind;

/// Files used by one scenario, counted each time: a bound on what nested `use` can multiply to.
const MAX_USES: usize = 200;

/// One file being read.
struct Reader {
    source: Arc<Source>,
    errors: Vec<Diagnostic>,
    /// The declared daemons, for what depends on their kind.
    kinds: BTreeMap<String, Kind>,
    /// The files that are being read, outermost first, for what uses itself.
    files: Vec<PathBuf>,
    uses: usize,
    /// Files that are not read again: what they held is known.
    kept: Arc<Kept>,
}

/// Files as they were, by the path under which they are used.
pub(crate) type Kept = BTreeMap<PathBuf, Arc<Source>>;
