//! Where a program is: the look-up that a shell does, done by us so that a missing program is told as such.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::daemon::CommandLine;

/// What execvp(3) searches where there is no PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why there is no program to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    #[error("no program {program:?} on the PATH {searched:?}")]
    NotOnPath { program: OsString, searched: OsString },
    #[error("no program at {path:?}")]
    NoSuchFile { path: PathBuf },
    #[error("{path:?} is no program: it is not an executable file")]
    NotExecutable { path: PathBuf },
    #[error("an empty program name")]
    Empty,
}

/// The file that a command line runs: searched in the PATH that its process will have, from the directory it will run in.
pub fn find(command: &CommandLine) -> Result<PathBuf, ProgramError> {
    let program = &command.program;
    if program.is_empty() {
        return Err(ProgramError::Empty);
    }
    if program.as_encoded_bytes().contains(&b'/') {
        let path = absolute(command, Path::new(program));
        return match judge(&path) {
            File::Program => Ok(path),
            File::Other => Err(ProgramError::NotExecutable { path }),
            File::Missing => Err(ProgramError::NoSuchFile { path }),
        };
    }
    let searched = search_path(command);
    let mut not_executable = None;
    for directory in env::split_paths(&searched) {
        let path = absolute(command, &directory).join(program);
        match judge(&path) {
            File::Program => return Ok(path),
            File::Other => not_executable = not_executable.or(Some(path)),
            File::Missing => {}
        }
    }
    Err(match not_executable {
        Some(path) => ProgramError::NotExecutable { path },
        None => ProgramError::NotOnPath { program: program.clone(), searched },
    })
}

fn search_path(command: &CommandLine) -> OsString {
    let own = || env::var_os("PATH");
    command.env.get(OsStr::new("PATH")).cloned().or_else(own).unwrap_or_else(|| DEFAULT_PATH.into())
}

/// A relative path counts from where the process will be, as it does in a shell after `cd`.
fn absolute(command: &CommandLine, path: &Path) -> PathBuf {
    let mut base = env::current_dir().unwrap_or_default();
    if let Some(cwd) = &command.cwd {
        base.push(cwd);
    }
    base.push(path);
    base
}

enum File {
    Program,
    Other,
    Missing,
}

fn judge(path: &Path) -> File {
    match std::fs::metadata(path) {
        Ok(file) if file.is_file() && access(path, Access::EXEC_OK).is_ok() => File::Program,
        Ok(_) => File::Other,
        Err(_) => File::Missing,
    }
}
