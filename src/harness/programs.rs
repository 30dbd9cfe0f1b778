//! Where the Octez programs of a run come from.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::daemon::CommandLine;

/// The programs that a harness can stand in for.
const NAMES: [&str; 4] = ["octez-node", "octez-accuser", "octez-client", "octez-admin-client"];

/// Which Octez programs to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OctezSource {
    /// What `TRIBUNAL_OCTEZ` says if that is set, `path` or a directory; else the sandbox.
    #[default]
    Auto,
    /// The stand-ins in the `tribunal` program.
    Sandbox,
    /// What PATH has.
    Path,
    /// What this directory has.
    Directory(PathBuf),
}

/// Programs that are not to be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProgramsError {
    #[error(
        "the sandbox is in the program `tribunal`, which is not on PATH: install it, or name it in TRIBUNAL_BIN"
    )]
    NoTribunal,
    #[error("TRIBUNAL_BIN names {}, which is no file", path.display())]
    NoSuchFile { path: PathBuf },
    #[error("there is no program `{program}` in {}", directory.display())]
    NotInDirectory { program: String, directory: PathBuf },
    #[error("there is no program `{program}` on the PATH {path:?}")]
    NotOnPath { program: String, path: OsString },
    #[error("the links to the sandbox cannot be made in {}: {reason}", directory.display())]
    Link { directory: PathBuf, reason: String },
}

/// What was found, resolved once for a run.
#[derive(Clone, Debug)]
pub(super) enum Programs {
    /// Links to the stand-ins, first in PATH.
    Sandbox(PathBuf),
    /// Real ones, first in PATH.
    In(PathBuf),
    OnPath,
    /// Only a run that needs them fails.
    Missing(ProgramsError),
}

impl Programs {
    /// Resolves the source; the sandbox's links are made in `links`.
    pub(super) fn resolve(source: &OctezSource, sandbox: Option<&Path>, links: &Path) -> Self {
        match source {
            OctezSource::Auto => match std::env::var_os("TRIBUNAL_OCTEZ").unwrap_or_default() {
                word if word.is_empty() || word == "auto" || word == "sandbox" => {
                    Self::sandbox(sandbox, links)
                }
                word if word == "path" => Self::OnPath,
                directory => Self::directory(directory.as_ref()),
            },
            OctezSource::Sandbox => Self::sandbox(sandbox, links),
            OctezSource::Path => Self::OnPath,
            OctezSource::Directory(directory) => Self::directory(directory),
        }
    }

    /// Daemons may run in other folders than we do.
    fn directory(directory: &Path) -> Self {
        Self::In(std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned()))
    }

    fn sandbox(program: Option<&Path>, links: &Path) -> Self {
        let found = program.map_or_else(find_tribunal, |program| Ok(program.to_owned()));
        match found.and_then(|program| link(&program, links)) {
            Ok(()) => Self::Sandbox(links.to_owned()),
            Err(error) => Self::Missing(error),
        }
    }

    /// Where this program is. A folder that lacks it is not made up for by the rest of PATH: the two may not fit.
    pub(super) fn find(&self, program: &str) -> Result<PathBuf, ProgramsError> {
        match self {
            Self::Sandbox(links) => Ok(links.join(program)),
            Self::In(directory) => {
                executable(directory, program).ok_or_else(|| ProgramsError::NotInDirectory {
                    program: program.to_owned(),
                    directory: directory.clone(),
                })
            }
            Self::OnPath => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                std::env::split_paths(&path).find_map(|folder| executable(&folder, program)).ok_or(
                    ProgramsError::NotOnPath { program: program.to_owned(), path: path.clone() },
                )
            }
            Self::Missing(error) => Err(error.clone()),
        }
    }

    pub(super) fn are_real(&self) -> bool {
        matches!(self, Self::In(_) | Self::OnPath)
    }

    /// The PATH of everything that the run starts.
    pub(super) fn search_path(&self) -> Option<OsString> {
        let (Self::Sandbox(directory) | Self::In(directory)) = self else {
            return None;
        };
        let own = std::env::var_os("PATH").unwrap_or_default();
        let rest = std::env::split_paths(&own).collect::<Vec<_>>();
        std::env::join_paths(std::iter::once(directory.clone()).chain(rest)).ok()
    }
}

fn executable(directory: &Path, program: &str) -> Option<PathBuf> {
    let command = CommandLine { program: directory.join(program).into(), ..CommandLine::default() };
    crate::host::program::find(&command).ok()
}

/// `TRIBUNAL_BIN`, or this very program if it is `tribunal`, or the one that cargo built beside this test, or the one on
/// PATH.
fn find_tribunal() -> Result<PathBuf, ProgramsError> {
    if let Some(path) = std::env::var_os("TRIBUNAL_BIN").map(PathBuf::from) {
        return if path.is_file() { Ok(path) } else { Err(ProgramsError::NoSuchFile { path }) };
    }
    if let Ok(own) = std::env::current_exe() {
        if own.file_name().is_some_and(|name| name == "tribunal") {
            return Ok(own);
        }
        if let Some(beside) = beside_test(&own).filter(|beside| beside.is_file()) {
            return Ok(beside);
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join("tribunal"))
        .find(|candidate| candidate.is_file())
        .ok_or(ProgramsError::NoTribunal)
}

/// Cargo puts a test into `deps`, and the programs of the same package into the folder above.
fn beside_test(test: &Path) -> Option<PathBuf> {
    let deps = test.parent().filter(|folder| folder.ends_with("deps"))?;
    Some(deps.parent()?.join("tribunal"))
}

fn link(program: &Path, links: &Path) -> Result<(), ProgramsError> {
    let failed = |error: std::io::Error| ProgramsError::Link {
        directory: links.to_owned(),
        reason: error.to_string(),
    };
    let program = std::path::absolute(program).map_err(failed)?;
    std::fs::create_dir_all(links).map_err(failed)?;
    for name in NAMES {
        std::os::unix::fs::symlink(&program, links.join(name)).map_err(failed)?;
    }
    Ok(())
}
