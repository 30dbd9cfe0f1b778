//! Run directories: where they stand, what they are called, which are kept.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::record::RunDir;
use crate::scenario::result::{Outcome, ScenarioResult};
use crate::scenario::state::STATE_FILE;

/// Which run directories outlive the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    Always,
    /// All that did not pass.
    #[default]
    Failed,
    Never,
}

impl Keep {
    pub fn keeps(self, outcome: Outcome) -> bool {
        match self {
            Self::Always => true,
            Self::Failed => outcome != Outcome::Passed,
            Self::Never => false,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    #[error("cannot make the run directory {}", path.display())]
    Create {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot remove the run directory {}", path.display())]
    Remove {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// `target/tribunal` of the cargo project around `folder`, else `./tribunal-runs`.
///
/// Relative where the project's root is `folder` itself, so that what we print can be typed.
pub fn default_out(folder: &Path) -> PathBuf {
    let runs = Path::new("target/tribunal");
    match folder.ancestors().find(|ancestor| ancestor.join("Cargo.toml").is_file()) {
        Some(root) if root == folder => runs.to_owned(),
        Some(root) => root.join(runs),
        None => PathBuf::from("tribunal-runs"),
    }
}

/// Makes the folder of the run directories and proves that it can be written to.
pub fn prepare(out: &Path) -> Result<(), RunDirError> {
    let failed = |source| RunDirError::Create { path: out.to_owned(), source };
    fs::create_dir_all(out).map_err(failed)?;
    tempfile::tempfile_in(out).map_err(failed)?;
    Ok(())
}

/// `20261123T160000Z-an-accuser-42`, with `-r2` for the second attempt.
pub fn name(started: SystemTime, scenario: &str, seed: u64, attempt: u32) -> String {
    let time = humantime::format_rfc3339_seconds(started).to_string().replace(['-', ':'], "");
    let retry = if attempt > 1 { format!("-r{attempt}") } else { String::new() };
    format!("{time}-{}-{seed}{retry}", slug(scenario))
}

/// At most 60 characters of `[a-z0-9-]`: it becomes part of paths that daemons must be able to name.
fn slug(scenario: &str) -> String {
    let mut slug = String::new();
    for c in scenario.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(60);
    let trimmed = slug.trim_end_matches('-');
    if trimmed.is_empty() { "scenario".to_owned() } else { trimmed.to_owned() }
}

/// Makes a directory of this name that nobody else has: `NAME`, or `NAME.2` and so on.
pub fn create(out: &Path, name: &str) -> Result<PathBuf, RunDirError> {
    let mut path = out.join(name);
    for number in 2_u32.. {
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = out.join(format!("{name}.{number}"));
            }
            Err(source) => return Err(RunDirError::Create { path, source }),
        }
    }
    unreachable!("a folder cannot hold so many")
}

/// Writes `result.json`, all of it or none.
pub fn write_result(run_dir: &Path, result: &ScenarioResult) -> Result<(), RunDirError> {
    let path = RunDir::new(run_dir).result();
    let write = || {
        let mut text = serde_json::to_vec_pretty(result)?;
        text.push(b'\n');
        fs::File::create(&path)?.write_all(&text)
    };
    write().map_err(|source| {
        // Half a result would be taken for a damaged one. If it cannot be removed, what cannot be written is told anyway.
        let _ = fs::remove_file(&path);
        RunDirError::Write { path: path.clone(), source }
    })
}

/// Writes what the play was doing when its time was over; of several such moments, the first counts.
pub fn write_state(run_dir: &Path, text: &str) {
    let plain = anstream::adapter::strip_str(text).to_string();
    let path = run_dir.join(STATE_FILE);
    let write = || fs::File::create_new(&path)?.write_all(plain.as_bytes());
    match write() {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        // The failure itself is told and recorded elsewhere.
        Err(error) => tracing::warn!(%error, path = %path.display(), "the state is not kept"),
    }
}

/// Removes the directory with all that is in it; one that is gone already is fine.
pub fn remove(run_dir: &Path) -> Result<(), RunDirError> {
    match fs::remove_dir_all(run_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| RunDirError::Remove { path: run_dir.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_directory_is_named_after_time_scenario_seed_and_attempt() {
        let started = humantime::parse_rfc3339("2026-11-23T16:00:00Z").expect("a time");
        let table = [
            (
                "An accuser, killed: still denounces!",
                1,
                "20261123T160000Z-an-accuser-killed-still-denounces-42",
            ),
            ("x", 2, "20261123T160000Z-x-42-r2"),
            ("../../etc/passwd", 1, "20261123T160000Z-etc-passwd-42"),
            ("…", 1, "20261123T160000Z-scenario-42"),
        ];
        for (scenario, attempt, expected) in table {
            assert_eq!(name(started, scenario, 42, attempt), expected, "{scenario}");
        }
        assert!(name(started, &"long ".repeat(100), 1, 1).len() < 100);
    }

    #[test]
    fn two_plays_of_one_name_get_two_directories() {
        let out = tempfile::tempdir().expect("temporary folder");
        let first = create(out.path(), "a").expect("first");
        let second = create(out.path(), "a").expect("second");
        assert_eq!(first, out.path().join("a"));
        assert_eq!(second, out.path().join("a.2"));
        remove(&second).expect("removable");
        remove(&second).expect("gone is fine");
        assert!(!second.exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
        let out = tempfile::tempdir().expect("temporary folder");
        let file = out.path().join("file");
        fs::write(&file, "").expect("writable");
        let error = prepare(&file.join("runs")).expect_err("a file is in the way");
        assert!(error.to_string().contains("file/runs"), "{error}");
    }

    #[test]
    fn run_directories_stand_below_the_cargo_project() {
        let root = tempfile::tempdir().expect("temporary folder");
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).expect("folders");
        assert_eq!(default_out(&inner), Path::new("tribunal-runs"));
        fs::write(root.path().join("Cargo.toml"), "").expect("writable");
        assert_eq!(default_out(&inner), root.path().join("target/tribunal"));
        assert_eq!(default_out(root.path()), Path::new("target/tribunal"));
    }

    #[test]
    fn what_did_not_pass_is_kept_unless_nothing_is() {
        for outcome in [Outcome::Failed, Outcome::Error, Outcome::Interrupted] {
            assert!(Keep::Failed.keeps(outcome));
        }
        assert!(!Keep::Failed.keeps(Outcome::Passed));
        assert!(Keep::Always.keeps(Outcome::Passed));
        assert!(!Keep::Never.keeps(Outcome::Failed));
    }
}
