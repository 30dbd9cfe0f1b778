//! The run's directory for FIFOs and other things that must not outlive it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::marker::RunId;

/// A path that Octez would not find: its sink splits at spaces and does not decode percent signs
/// (`internal_event_unix.ml`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {path:?} has characters other than A-Z, a-z, 0-9, `.`, `_`, `/` and `-`")]
pub struct UnsafePath {
    pub path: PathBuf,
}

/// Checks the characters of a path that is to be told to a daemon.
pub fn check_path(path: &Path) -> Result<(), UnsafePath> {
    let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-');
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() || !bytes.iter().all(legal) {
        return Err(UnsafePath { path: path.into() });
    }
    Ok(())
}

/// Why there is no directory.
#[derive(Debug, thiserror::Error)]
pub enum TempDirError {
    #[error("no directory for temporary files; TMPDIR chooses another place")]
    Path(#[source] UnsafePath),
    #[error("the temporary directory {path:?} could not be made")]
    Create {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// `$TMPDIR/tribunal-<id>/`, for this user's eyes only. Removed with all that is in it when dropped.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    pub fn create(run: &RunId) -> Result<Self, TempDirError> {
        Self::create_in(&std::env::temp_dir(), run)
    }

    /// As [`TempDir::create`], with the place of `$TMPDIR` given.
    pub fn create_in(parent: &Path, run: &RunId) -> Result<Self, TempDirError> {
        let failed = |path: &Path, source| TempDirError::Create { path: path.into(), source };
        let parent = std::path::absolute(parent).map_err(|e| failed(parent, e))?;
        let path = parent.join(format!("tribunal-{run}"));
        check_path(&path).map_err(TempDirError::Path)?;
        DirBuilder::new().mode(0o700).create(&path).map_err(|e| failed(&path, e))?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it now, and tells whether that worked.
    pub fn remove(self) -> io::Result<()> {
        let removed = fs::remove_dir_all(&self.path);
        std::mem::forget(self);
        removed
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "temporary files stay behind");
        }
    }
}
