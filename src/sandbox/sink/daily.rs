//! A log that begins a new file each day: `name-20260821.ext`, the oldest ones removed.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::target::OpenMode;

/// Today's file.
#[derive(Debug)]
pub struct Daily {
    /// The name without a day in it.
    path: PathBuf,
    mode: OpenMode,
    /// How many files stay.
    days: usize,
    day: String,
    file: File,
}

impl Daily {
    pub fn open(path: PathBuf, mode: OpenMode, days: usize) -> io::Result<Self> {
        let day = day_of(SystemTime::now());
        let file = mode.open(&dated(&path, &day))?;
        remove_old(&path, days)?;
        Ok(Self { path, mode, days, day, file })
    }

    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let today = day_of(SystemTime::now());
        if today != self.day {
            self.file = self.mode.open(&dated(&self.path, &today))?;
            self.day = today;
            remove_old(&self.path, self.days)?;
        }
        self.file.write_all(bytes)
    }
}

/// The day of a time as `20260821`, in UTC.
fn day_of(time: SystemTime) -> String {
    let stamp = humantime::format_rfc3339_seconds(time).to_string();
    stamp.chars().take_while(|c| *c != 'T').filter(char::is_ascii_digit).collect()
}

fn dated(path: &Path, day: &str) -> PathBuf {
    let (stem, ending) = name_parts(path);
    path.with_file_name(format!("{stem}-{day}{ending}"))
}

/// The name before its ending, and the ending with its dot.
fn name_parts(path: &Path) -> (String, String) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
    (stem, ending.unwrap_or_default())
}

/// Removes all files of this log but those of the last days.
fn remove_old(path: &Path, days: usize) -> io::Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    let (stem, ending) = name_parts(path);
    let is_ours = |name: &str| {
        let day = name.strip_prefix(&stem).and_then(|rest| rest.strip_prefix('-'));
        let day = day.and_then(|rest| rest.strip_suffix(&*ending));
        day.is_some_and(|day| day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        names.extend(name.into_string().ok().filter(|name| is_ours(name)));
    }
    // Days written like this are in order when their names are.
    names.sort_unstable();
    let old = names.len().saturating_sub(days.max(1));
    names.iter().take(old).try_for_each(|name| std::fs::remove_file(directory.join(name)))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_day_stands_before_the_ending() {
        let day = day_of(UNIX_EPOCH + Duration::from_secs(1_787_318_689));
        assert_eq!(day, "20260821");
        for (path, wanted) in [
            ("/a/daily.log", "/a/daily-20260821.log"),
            ("/a/daily", "/a/daily-20260821"),
            ("/a/x.y.log", "/a/x.y-20260821.log"),
        ] {
            assert_eq!(dated(Path::new(path), &day), Path::new(wanted));
        }
    }

    #[test]
    fn the_oldest_files_of_the_log_are_removed_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let old = ["daily-20200101.log", "daily-20200102.log", "daily-20200103.log"];
        let others = ["daily-2020010.log", "daily-20200101.txt", "mine-20200101.log"];
        for name in old.iter().chain(&others) {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let mode = OpenMode { mode: 0o600, fresh: false, create_dirs: false };
        let mut daily = Daily::open(directory.path().join("daily.log"), mode, 2).unwrap();
        daily.write_all(b"line\n").unwrap();
        let there = |name: &&&str| directory.path().join(name).exists();
        assert_eq!(old.iter().filter(there).count(), 1, "the last one beside today's");
        assert!(directory.path().join(old[2]).exists());
        assert_eq!(others.iter().filter(there).count(), others.len());
        let today = directory.path().join(format!("daily-{}.log", daily.day));
        assert_eq!(std::fs::read_to_string(today).unwrap(), "line\n");
    }

    #[test]
    fn a_new_day_begins_a_new_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("daily.log");
        let mode = OpenMode { mode: 0o600, fresh: false, create_dirs: false };
        let mut daily = Daily::open(path.clone(), mode, 7).unwrap();
        let oldest = dated(&path, "20191231");
        std::fs::write(&oldest, "").unwrap();
        daily.days = 2;
        // As if it had been opened long ago.
        daily.day = "20200101".to_owned();
        daily.file = mode.open(&dated(&path, &daily.day)).unwrap();
        daily.write_all(b"line\n").unwrap();
        assert_ne!(daily.day, "20200101");
        assert!(!oldest.exists(), "two days are kept");
        assert_eq!(std::fs::read_to_string(dated(&path, "20200101")).unwrap(), "");
        assert_eq!(std::fs::read_to_string(dated(&path, &daily.day)).unwrap(), "line\n");
    }
}
