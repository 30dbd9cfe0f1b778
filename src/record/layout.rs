//! Names of files in a run directory.

use std::path::{Path, PathBuf};

use super::RecordError;
use crate::daemon::DaemonName;

/// A run directory; the paths in it need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// A run directory at this path; nothing is made or read.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes the directory and the folders in it.
    pub fn create(&self) -> Result<(), RecordError> {
        for path in [self.root.join("events"), self.root.join("output")] {
            std::fs::create_dir_all(&path)
                .map_err(|source| RecordError::Create { path, source })?;
        }
        Ok(())
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `log.jsonl`
    pub fn log(&self) -> PathBuf {
        self.root.join("log.jsonl")
    }

    /// `scenario.yaml`
    pub fn scenario(&self) -> PathBuf {
        self.root.join("scenario.yaml")
    }

    /// `result.json`
    pub fn result(&self) -> PathBuf {
        self.root.join("result.json")
    }

    /// `timeline.html`
    pub fn timeline(&self) -> PathBuf {
        self.root.join("timeline.html")
    }

    /// `events/<daemon>.jsonl`
    pub fn events(&self, daemon: &DaemonName) -> PathBuf {
        self.root.join("events").join(format!("{daemon}.jsonl"))
    }

    /// `events/<daemon>.idx`
    pub fn index(&self, daemon: &DaemonName) -> PathBuf {
        self.root.join("events").join(format!("{daemon}.idx"))
    }

    /// `output/<daemon>.log`
    pub fn output(&self, daemon: &DaemonName) -> PathBuf {
        self.root.join("output").join(format!("{daemon}.log"))
    }
}
