//! How long scenarios took the last time they passed, kept in the folder of the run directories for `--shard`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name of the file.
pub const FILE: &str = "times.json";

/// Seconds by the scenario's file, as it was named on the command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times(BTreeMap<String, f64>);

#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct WriteTimesError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Times {
    /// What was recorded in this folder. Times are a hint: a file that is missing or unreadable counts as empty.
    pub fn read(out: &Path) -> Self {
        let Ok(bytes) = std::fs::read(out.join(FILE)) else { return Self::default() };
        match serde_json::from_slice::<BTreeMap<String, f64>>(&bytes) {
            Ok(times) => Self(times.into_iter().filter(|(_, time)| *time >= 0.0).collect()),
            Err(error) => {
                tracing::debug!(%error, out = %out.display(), "recorded times are unreadable");
                Self::default()
            }
        }
    }

    pub fn of(&self, file: &Path) -> Option<f64> {
        self.0.get(&key(file)).copied()
    }

    pub fn record(&mut self, file: &Path, seconds: f64) {
        self.0.insert(key(file), (seconds * 1e3).round() / 1e3);
    }

    /// Adds these to what the folder has recorded, all at once: a reader sees the old file or the new one.
    pub fn merge_into(&self, out: &Path) -> Result<(), WriteTimesError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut all = Self::read(out);
        all.0.extend(self.0.clone());
        let path = out.join(FILE);
        write_whole(out, &path, &all.0).map_err(|source| WriteTimesError { path, source })
    }
}

fn write_whole(out: &Path, path: &Path, times: &BTreeMap<String, f64>) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(out)?;
    serde_json::to_writer_pretty(&mut file, times)?;
    file.write_all(b"\n")?;
    file.persist(path)?;
    Ok(())
}

fn key(file: &Path) -> String {
    let file = file.strip_prefix(".").unwrap_or(file);
    file.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_merged_with_what_was_there() {
        let out = tempfile::tempdir().expect("temporary folder");
        let mut first = Times::default();
        first.record(Path::new("./scenarios/a.yaml"), 1.234_567);
        first.record(Path::new("scenarios/b.yaml"), 2.0);
        first.merge_into(out.path()).expect("writable");
        let mut second = Times::default();
        second.record(Path::new("scenarios/b.yaml"), 3.0);
        second.merge_into(out.path()).expect("writable");

        let times = Times::read(out.path());
        assert_eq!(times.of(Path::new("scenarios/a.yaml")), Some(1.235));
        assert_eq!(times.of(Path::new("scenarios/b.yaml")), Some(3.0));
        assert_eq!(times.of(Path::new("scenarios/c.yaml")), None);
        let left: Vec<_> = std::fs::read_dir(out.path()).expect("there").collect();
        assert_eq!(left.len(), 1, "no temporary file is left: {left:?}");
    }

    #[test]
    fn an_unreadable_file_counts_as_empty() {
        let out = tempfile::tempdir().expect("temporary folder");
        for content in ["", "[]", "{\"a\": \"x\"}", "\0\u{1}"] {
            std::fs::write(out.path().join(FILE), content).expect("writable");
            assert_eq!(Times::read(out.path()), Times::default(), "{content:?}");
        }
    }
}
