//! Reading a run directory back, long after the run.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RecordError, RunDir};
use crate::daemon::{DaemonName, Incarnation};
use crate::event::decode::Envelope;
use crate::event::log::{IndexEntry, Lines};
use crate::event::{EventName, Seq};

/// One line of `log.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Seconds since the run began.
    pub at_s: f64,
    #[serde(flatten)]
    pub what: What,
}

/// What a line of `log.jsonl` tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// A lifecycle record, in the log as an event of the daemon.
    Lifecycle {
        seq: Seq,
        daemon: DaemonName,
        incarnation: Incarnation,
        event: EventName,
        value: Value,
    },
    /// A line that is no event; its bytes stand in the daemon's file.
    Malformed { seq: Seq, daemon: DaemonName, reason: String, excerpt: String },
    /// A daemon and how its lines are to be read.
    Daemon { daemon: DaemonName, kind: String, envelope: EnvelopeNote },
    /// Something the player of a scenario tells.
    Step {
        path: String,
        outcome: String,
        #[serde(flatten)]
        more: serde_json::Map<String, Value>,
    },
    /// What a step waits for, and from which positions on.
    Wait {
        path: String,
        from: Vec<WaitSource>,
        event: String,
        #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
        predicate: Option<String>,
        /// How many events end it.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        count: u32,
        /// It is their absence that the step relies on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        never: bool,
    },
    /// The event that a step had waited for.
    Match { path: String, daemon: DaemonName, event: EventName, seq: Seq, incarnation: Incarnation },
    /// Something that was done to a daemon to see what it makes of it.
    Fault { number: u32, kind: String, target: DaemonName, hit: bool },
    /// Free text.
    Text { text: String },
}

/// A daemon that something is waited for from, and the first position that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitSource {
    pub daemon: DaemonName,
    pub seq: Seq,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

/// An envelope as it stands in `log.jsonl`: field paths, or nothing for the Octez one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EnvelopeNote {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<FieldPaths>,
}

/// Where a line keeps its name, payload and time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldPaths {
    pub name: Vec<String>,
    pub value: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Vec<String>>,
}

impl From<&Envelope> for EnvelopeNote {
    fn from(envelope: &Envelope) -> Self {
        match envelope {
            Envelope::Octez => Self { fields: None },
            Envelope::Fields { name, value, time } => {
                let (name, value, time) = (name.clone(), value.clone(), time.clone());
                Self { fields: Some(FieldPaths { name, value, time }) }
            }
        }
    }
}

impl From<EnvelopeNote> for Envelope {
    fn from(note: EnvelopeNote) -> Self {
        note.fields.map_or(Self::Octez, |fields| {
            let FieldPaths { name, value, time } = fields;
            Self::Fields { name, value, time }
        })
    }
}

/// A run directory opened for reading.
#[derive(Debug)]
pub struct RecordedRun {
    dir: RunDir,
    daemons: HashMap<DaemonName, (File, Vec<IndexEntry>)>,
}

impl RecordedRun {
    /// Opens a run that is over; an error if the directory holds none.
    pub fn open(dir: RunDir) -> Result<Self, RecordError> {
        if !dir.log().is_file() {
            return Err(RecordError::NotARun { path: dir.root().to_owned() });
        }
        Ok(Self { dir, daemons: HashMap::new() })
    }

    /// Where it was recorded.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// The lines of `log.jsonl`, in order. A last line that a crash cut short is left out.
    pub fn notes(&self) -> Result<Vec<Note>, RecordError> {
        let path = self.dir.log();
        let file = open(&path)?;
        let mut notes = Vec::new();
        let mut lines = BufReader::new(file).lines().enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            let line = line.map_err(|source| RecordError::Read { path: path.clone(), source })?;
            match serde_json::from_str(&line) {
                Ok(note) => notes.push(note),
                Err(_) if lines.peek().is_none() => {}
                Err(_) => return Err(RecordError::Corrupt { path, line: number + 1 }),
            }
        }
        Ok(notes)
    }

    fn files(&mut self, daemon: &DaemonName) -> Result<&(File, Vec<IndexEntry>), RecordError> {
        if !self.daemons.contains_key(daemon) {
            let index = self.dir.index(daemon);
            let bytes = std::fs::read(&index)
                .map_err(|source| RecordError::Read { path: index, source })?;
            let (chunks, _) = bytes.as_chunks::<{ IndexEntry::SIZE }>();
            let entries = chunks.iter().map(IndexEntry::from_bytes).collect();
            let file = open(&self.dir.events(daemon))?;
            self.daemons.insert(daemon.clone(), (file, entries));
        }
        Ok(&self.daemons[daemon])
    }
}

fn open(path: &PathBuf) -> Result<File, RecordError> {
    File::open(path).map_err(|source| RecordError::Read { path: path.clone(), source })
}

impl Lines for RecordedRun {
    type Error = RecordError;

    fn entries(&mut self, daemon: &DaemonName, from: Seq) -> Result<Vec<IndexEntry>, RecordError> {
        if !self.dir.index(daemon).exists() {
            return Ok(Vec::new());
        }
        let (_, entries) = self.files(daemon)?;
        let start = entries.partition_point(|entry| entry.end() <= from);
        Ok(entries[start..].iter().take(512).copied().collect())
    }

    fn bytes(&mut self, daemon: &DaemonName, entry: &IndexEntry) -> Result<Bytes, RecordError> {
        let path = self.dir.events(daemon);
        let (file, _) = self.files(daemon)?;
        let mut bytes = vec![0; usize::try_from(entry.bytes).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, entry.offset)
            .map_err(|source| RecordError::Read { path, source })?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests;
