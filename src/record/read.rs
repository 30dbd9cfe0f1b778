//! Reading a run directory back, long after the run.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Phase, RecordError, RunDir};
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
    /// What a play was given; the first line of its log.
    Play(PlayNote),
    /// What `${port.NAME}` and the like came to.
    Value { text: String, value: Value },
    /// A part of a play is over, and the log ended there.
    Ended { phase: Phase, end: Seq },
    /// Something that a later version notes.
    #[serde(other)]
    Unknown,
}

/// What a play was given beside its file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlayNote {
    /// The scenario's file, as the runner was given it.
    pub file: PathBuf,
    pub seed: u64,
    #[serde(default)]
    pub vars: Vec<(String, String)>,
    #[serde(default)]
    pub timeout: Option<Duration>,
    pub timeout_scale: f64,
    #[serde(default)]
    pub strict: Option<bool>,
    /// Files that it used, each with the name of its copy below `used/`.
    #[serde(default)]
    pub used: Vec<(PathBuf, String)>,
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
    damage: Vec<String>,
}

impl RecordedRun {
    /// No line of ours is longer; one that is was written by somebody else.
    const LONGEST_NOTE: u64 = 64 * 1024 * 1024;

    /// Opens a run that is over; an error if the directory holds none.
    pub fn open(dir: RunDir) -> Result<Self, RecordError> {
        if !dir.root().exists() {
            return Err(RecordError::NoSuchRun { path: dir.root().to_owned() });
        }
        if !dir.log().is_file() {
            return Err(RecordError::NotARun { path: dir.root().to_owned() });
        }
        Ok(Self { dir, daemons: HashMap::new(), damage: Vec::new() })
    }

    /// Where it was recorded.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// The lines of `log.jsonl`, in order. A last line that a crash cut short is left out.
    pub fn notes(&self) -> Result<Vec<Note>, RecordError> {
        let path = self.dir.log();
        let file = open(&path)?;
        let mut reader = BufReader::new(file);
        let (mut notes, mut line) = (Vec::new(), Vec::new());
        for number in 1.. {
            line.clear();
            let read = (&mut reader).take(Self::LONGEST_NOTE).read_until(b'\n', &mut line);
            if read.map_err(|source| RecordError::Read { path: path.clone(), source })? == 0 {
                break;
            }
            if let Ok(note) = serde_json::from_slice(&line) {
                notes.push(note);
                continue;
            }
            let rest = reader.fill_buf();
            let rest = rest.map_err(|source| RecordError::Read { path: path.clone(), source })?;
            if rest.is_empty() && !notes.is_empty() {
                break;
            }
            return Err(RecordError::Corrupt { path, line: number });
        }
        Ok(notes)
    }

    /// The index of a daemon's events, as far as it fits the file that it is of; empty if it has none.
    pub fn index(&mut self, daemon: &DaemonName) -> Result<&[IndexEntry], RecordError> {
        if !self.dir.index(daemon).exists() {
            return Ok(&[]);
        }
        self.files(daemon).map(|(_, entries)| entries.as_slice())
    }

    /// What of the run could not be read, in words, of the daemons that were asked for so far.
    pub fn damage(&self) -> &[String] {
        &self.damage
    }

    fn files(&mut self, daemon: &DaemonName) -> Result<&(File, Vec<IndexEntry>), RecordError> {
        if !self.daemons.contains_key(daemon) {
            let index = self.dir.index(daemon);
            let bytes = std::fs::read(&index)
                .map_err(|source| RecordError::Read { path: index.clone(), source })?;
            let path = self.dir.events(daemon);
            let file = open(&path)?;
            let length =
                file.metadata().map_err(|source| RecordError::Read { path, source })?.len();
            let (chunks, rest) = bytes.as_chunks::<{ IndexEntry::SIZE }>();
            let entries: Vec<IndexEntry> = chunks.iter().map(IndexEntry::from_bytes).collect();
            let sound = sound(&entries, length);
            if sound < entries.len() || !rest.is_empty() {
                self.damage.push(format!(
                    "{}: {sound} of {} entries fit the events beside it; the rest of them is left out",
                    index.display(),
                    entries.len() + usize::from(!rest.is_empty())
                ));
            }
            self.daemons.insert(daemon.clone(), (file, entries[..sound].to_vec()));
        }
        Ok(&self.daemons[daemon])
    }
}

/// How many of the entries, from the first on, are what a recorder writes of a file of this length.
fn sound(entries: &[IndexEntry], length: u64) -> usize {
    let mut end = Seq::default();
    let fits = |entry: &&IndexEntry| {
        let in_file = entry.offset.checked_add(entry.bytes).is_some_and(|last| last <= length);
        let in_order = entry.first >= end && entry.first.0 < u64::MAX / 2;
        // A line is a byte at least, and only one over the cap is not read into memory.
        let in_size = u64::from(entry.records) <= entry.bytes
            && (entry.overlong || entry.bytes <= IndexEntry::LARGEST);
        end = entry.end();
        in_file && in_order && in_size
    };
    entries.iter().take_while(fits).count()
}

fn open(path: &PathBuf) -> Result<File, RecordError> {
    File::open(path).map_err(|source| RecordError::Read { path: path.clone(), source })
}

impl Lines for RecordedRun {
    type Error = RecordError;

    fn entries(&mut self, daemon: &DaemonName, from: Seq) -> Result<Vec<IndexEntry>, RecordError> {
        let entries = self.index(daemon)?;
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
