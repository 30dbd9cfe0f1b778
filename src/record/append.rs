//! Appending to a run directory while the run goes on, and scanning what it has so far.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Serialize;

use super::{RecordError, RunDir};
use crate::daemon::DaemonName;
use crate::event::Seq;
use crate::event::log::{IndexEntry, Lines, SparseIndex};

/// Appends events, output and notes; buffered, so [`flush`](Self::flush) bounds what a crash of ours can lose.
///
/// The first failure (a full disk) ends all recording: it is kept for [`failure`](Self::failure), and what comes later
/// is dropped, so that the pipes can still be drained.
#[derive(Debug)]
pub struct Recorder {
    dir: RunDir,
    log: Appender,
    daemons: HashMap<DaemonName, DaemonFiles>,
    failure: RecordingFailure,
}

/// Why recording stopped, once it has; cheap to clone, and readable from any thread.
#[derive(Clone, Debug, Default)]
pub struct RecordingFailure(Arc<OnceLock<String>>);

impl RecordingFailure {
    /// Why recording stopped; `None` while it works.
    pub fn get(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

#[derive(Debug)]
struct DaemonFiles {
    events: Appender,
    index: Appender,
    output: Option<Appender>,
    sparse: SparseIndex,
    /// The entry that still grows.
    open: Option<IndexEntry>,
}

impl Recorder {
    /// Makes the run directory, which must not hold a run yet.
    pub fn create(dir: RunDir) -> Result<Self, RecordError> {
        dir.create()?;
        let log = Appender::create(dir.log())?;
        Ok(Self { dir, log, daemons: HashMap::new(), failure: RecordingFailure::default() })
    }

    /// Where it records.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Why recording stopped, if it did.
    pub fn failure(&self) -> Option<&str> {
        self.failure.0.get().map(String::as_str)
    }

    /// The same, for somebody who has no recorder at hand.
    pub fn failure_flag(&self) -> RecordingFailure {
        self.failure.clone()
    }

    /// Makes the files for a daemon's events, so that its first event need not wait for that.
    pub fn prepare(&mut self, daemon: &DaemonName) {
        self.attempt(|recorder| recorder.files(daemon).map(drop));
    }

    /// Appends complete lines of a daemon. `entry.offset` and `entry.bytes` are filled in here.
    pub fn events(&mut self, daemon: &DaemonName, entry: IndexEntry, bytes: &[u8]) {
        self.attempt(|recorder| recorder.files(daemon)?.append(entry, bytes));
    }

    /// Appends bytes that a later [`events`](Self::events) entry covers: the parts of a line over the cap.
    pub fn fragment(&mut self, daemon: &DaemonName, bytes: &[u8]) {
        self.attempt(|recorder| {
            let files = recorder.files(daemon)?;
            files.close()?;
            files.events.write(bytes)
        });
    }

    /// Where the next byte of a daemon's events will stand.
    pub fn offset(&mut self, daemon: &DaemonName) -> u64 {
        self.daemons.get(daemon).map_or(0, |files| files.events.end)
    }

    /// Appends to the daemon's output, byte for byte.
    pub fn output(&mut self, daemon: &DaemonName, bytes: &[u8]) {
        self.attempt(|recorder| {
            let path = recorder.dir.output(daemon);
            let files = recorder.files(daemon)?;
            let output = match &mut files.output {
                Some(output) => output,
                empty => empty.insert(Appender::create(path)?),
            };
            output.write(bytes)
        });
    }

    /// Appends one line to `log.jsonl`.
    pub fn note(&mut self, note: &impl Serialize) {
        self.attempt(|recorder| {
            let mut line = serde_json::to_vec(note).unwrap_or_default();
            line.push(b'\n');
            recorder.log.write(&line)
        });
    }

    /// Hands everything to the kernel.
    pub fn flush(&mut self) {
        self.attempt(|recorder| {
            recorder.log.flush()?;
            for files in recorder.daemons.values_mut() {
                files.flush()?;
            }
            Ok(())
        });
    }

    fn files(&mut self, daemon: &DaemonName) -> Result<&mut DaemonFiles, RecordError> {
        if !self.daemons.contains_key(daemon) {
            let files = DaemonFiles {
                events: Appender::create(self.dir.events(daemon))?,
                index: Appender::create(self.dir.index(daemon))?,
                output: None,
                sparse: SparseIndex::default(),
                open: None,
            };
            self.daemons.insert(daemon.clone(), files);
        }
        Ok(self.daemons.get_mut(daemon).expect("inserted above"))
    }

    fn attempt(&mut self, write: impl FnOnce(&mut Self) -> Result<(), RecordError>) {
        if self.failure().is_none()
            && let Err(error) = write(self)
        {
            tracing::error!(%error, "recording stopped");
            // Nobody else writes the flag, and it is empty.
            let _ = self.failure.0.set(crate::cause::chain(&error));
        }
    }
}

impl DaemonFiles {
    fn append(&mut self, mut entry: IndexEntry, bytes: &[u8]) -> Result<(), RecordError> {
        if !entry.overlong {
            entry.offset = self.events.end;
            entry.bytes = bytes.len() as u64;
        }
        self.events.write(bytes)?;
        // The next incarnation must not continue a half line. The newline belongs to no entry.
        if bytes.last().is_some_and(|last| *last != b'\n') {
            self.events.write(b"\n")?;
        }
        if !self.open.as_mut().is_some_and(|open| open.merge(&entry)) {
            self.close()?;
            self.open = Some(entry);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), RecordError> {
        if let Some(entry) = self.open.take() {
            self.sparse.push(&entry);
            self.index.write(&entry.to_bytes())?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        self.close()?;
        self.events.flush()?;
        self.index.flush()?;
        self.output.as_mut().map_or(Ok(()), Appender::flush)
    }
}

/// Scans what has been recorded so far. Flushes first, and so never misses what [`Recorder::events`] was given.
impl Lines for Recorder {
    type Error = RecordError;

    fn entries(&mut self, daemon: &DaemonName, from: Seq) -> Result<Vec<IndexEntry>, RecordError> {
        if let Some(reason) = self.failure.get() {
            return Err(RecordError::Stopped { reason });
        }
        let Some(files) = self.daemons.get_mut(daemon) else {
            return Ok(Vec::new());
        };
        files.flush()?;
        read_entries(&files.index, &files.sparse, from)
    }

    fn bytes(&mut self, daemon: &DaemonName, entry: &IndexEntry) -> Result<Bytes, RecordError> {
        let Some(files) = self.daemons.get(daemon) else {
            return Ok(Bytes::new());
        };
        files.events.read(entry.offset, entry.bytes)
    }
}

/// Entries from `from` on: at most a few strides, so that a scan goes in small steps.
fn read_entries(
    index: &Appender,
    sparse: &SparseIndex,
    from: Seq,
) -> Result<Vec<IndexEntry>, RecordError> {
    const STEP: u64 = 512;
    let mut start = sparse.start(from);
    while start < sparse.entries() {
        let count = STEP.min(sparse.entries() - start);
        let size = IndexEntry::SIZE as u64;
        let bytes = index.read(start * size, count * size)?;
        let (chunks, _) = bytes.as_chunks::<{ IndexEntry::SIZE }>();
        let entries = chunks.iter().map(IndexEntry::from_bytes);
        let wanted: Vec<_> = entries.filter(|entry| entry.end() > from).collect();
        if !wanted.is_empty() {
            return Ok(wanted);
        }
        start += count;
    }
    Ok(Vec::new())
}

/// A file that only grows, with a buffer that is allocated as needed.
#[derive(Debug)]
struct Appender {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// The file's size once the buffer is written.
    end: u64,
}

impl Appender {
    const BUFFER: usize = 64 * 1024;

    fn create(path: PathBuf) -> Result<Self, RecordError> {
        let open =
            |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).open(path);
        match open(&path) {
            Ok(file) => Ok(Self { file, path, buffer: Vec::new(), end: 0 }),
            Err(source) => Err(RecordError::Create { path, source }),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.end += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > Self::BUFFER {
            self.flush()?;
        }
        if bytes.len() > Self::BUFFER {
            return self.put(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.put(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        result
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.file
            .write_all(bytes)
            .map_err(|source| RecordError::Write { path: self.path.clone(), source })
    }

    fn read(&self, offset: u64, length: u64) -> Result<Bytes, RecordError> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|source| RecordError::Read { path: self.path.clone(), source })?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests;
