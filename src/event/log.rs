//! Positions in the log, and the scan over what was recorded.
//!
//! The log is one sequence of records for all daemons of a harness. Their bytes stand in one file for each daemon, with
//! an index of fixed-size entries, one for a batch; memory holds neither.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::Seq;
use super::decode::{Batch, Envelope, Names, Record};
use crate::daemon::{DaemonName, Incarnation};

/// One batch in a daemon's index: a run of consecutive records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    pub first: Seq,
    /// Records in it; blank lines are none.
    pub records: u32,
    pub incarnation: Incarnation,
    /// Where its bytes begin in the daemon's file, and how many there are.
    pub offset: u64,
    pub bytes: u64,
    /// Microseconds since the run began.
    pub monotonic_us: u64,
    /// Microseconds since the epoch.
    pub wall_us: u64,
    /// Written by what had escaped the group of an incarnation that had ended.
    pub late: bool,
    /// A single line over the cap: a malformed record that is not read back.
    pub overlong: bool,
}

impl IndexEntry {
    /// Bytes of one entry in an index file.
    pub const SIZE: usize = 64;
    /// A batch grows no further than this, so that a scan stays in small steps.
    const MERGE_BYTES: u64 = 64 * 1024;
    /// No batch is larger, unless it is a line over the cap: a line at the cap, and what was read with it.
    pub const LARGEST: u64 = 64 * 1024 * 1024;
    /// Batches this close in time share an entry: the index tells time to the millisecond.
    const MERGE_US: u64 = 1000;

    const LATE: u32 = 1;
    const OVERLONG: u32 = 2;

    /// The position just past its last record.
    pub fn end(&self) -> Seq {
        Seq(self.first.0.saturating_add(u64::from(self.records)))
    }

    /// Seconds since the run began.
    pub fn at_s(&self) -> f64 {
        Duration::from_micros(self.monotonic_us).as_secs_f64()
    }

    /// Takes the next batch into this entry, if the two are one run of one incarnation.
    pub fn merge(&mut self, next: &Self) -> bool {
        let one_run = next.first == self.end()
            && next.offset == self.offset + self.bytes
            && next.incarnation == self.incarnation
            && next.late == self.late
            && !next.overlong
            && !self.overlong
            && self.bytes + next.bytes <= Self::MERGE_BYTES
            && next.monotonic_us.saturating_sub(self.monotonic_us) < Self::MERGE_US;
        if one_run {
            self.records += next.records;
            self.bytes += next.bytes;
        }
        one_run
    }

    /// Little endian: five u64, four u32, eight bytes of zero.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let flags =
            if self.late { Self::LATE } else { 0 } | if self.overlong { Self::OVERLONG } else { 0 };
        let mut out = [0; Self::SIZE];
        let long = [self.first.0, self.offset, self.bytes, self.monotonic_us, self.wall_us];
        for (slot, value) in out[..40].chunks_exact_mut(8).zip(long) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        for (slot, value) in
            out[40..52].chunks_exact_mut(4).zip([self.records, self.incarnation.0, flags])
        {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        out
    }

    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let long = |at: usize| {
            let mut value = [0; 8];
            value.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(value)
        };
        let short = |at: usize| {
            let mut value = [0; 4];
            value.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(value)
        };
        Self {
            first: Seq(long(0)),
            offset: long(8),
            bytes: long(16),
            monotonic_us: long(24),
            wall_us: long(32),
            records: short(40),
            incarnation: Incarnation(short(44)),
            late: short(48) & Self::LATE != 0,
            overlong: short(48) & Self::OVERLONG != 0,
        }
    }
}

/// Where recorded batches are read back from.
pub trait Lines {
    type Error;

    /// Some entries of a daemon's index in order, beginning with the one that holds `from` or follows it.
    ///
    /// Empty only when there is none yet.
    fn entries(&mut self, daemon: &DaemonName, from: Seq) -> Result<Vec<IndexEntry>, Self::Error>;

    fn bytes(&mut self, daemon: &DaemonName, entry: &IndexEntry) -> Result<Bytes, Self::Error>;
}

/// One daemon's part of a scan.
#[derive(Clone, Debug)]
pub struct ScanSource {
    pub daemon: DaemonName,
    pub envelope: Envelope,
    /// The first position that counts; moves on as the scan does.
    pub from: Seq,
}

/// A walk over the records of several daemons, in the order of the log, batch by batch.
///
/// It ends where the log ends now, and can go on later from there.
#[derive(Debug)]
pub struct Scan {
    sources: Vec<(ScanSource, VecDeque<IndexEntry>)>,
    names: Names,
}

/// One batch of a scan, cut to the positions that count.
#[derive(Debug)]
pub struct Scanned {
    /// Which source it is of, in the order they were given.
    pub source: usize,
    pub entry: IndexEntry,
    pub batch: Batch,
    from: Seq,
}

impl Scanned {
    pub fn records(&self) -> impl Iterator<Item = (Seq, &Record)> {
        let seqs = (self.entry.first.0..).map(Seq);
        seqs.zip(&self.batch.records).filter(|(seq, _)| *seq >= self.from)
    }
}

impl Scan {
    pub fn new(sources: Vec<ScanSource>) -> Self {
        let sources = sources.into_iter().map(|source| (source, VecDeque::new())).collect();
        Self { sources, names: Names::default() }
    }

    /// The next batch in the order of the log; `None` when all that is recorded has been seen.
    pub fn next<L: Lines>(&mut self, lines: &mut L) -> Result<Option<Scanned>, L::Error> {
        for (source, queue) in &mut self.sources {
            if queue.is_empty() {
                queue.extend(lines.entries(&source.daemon, source.from)?);
            }
        }
        let earliest = self.sources.iter().enumerate().filter_map(|(index, (source, queue))| {
            queue.front().map(|entry| (entry.first.max(source.from), index))
        });
        let Some((_, index)) = earliest.min() else {
            return Ok(None);
        };
        let (source, queue) = &mut self.sources[index];
        let Some(entry) = queue.pop_front() else {
            return Ok(None);
        };
        let from = source.from;
        source.from = from.max(entry.end());
        let batch = if entry.overlong {
            Batch::default()
        } else {
            Batch::decode(lines.bytes(&source.daemon, &entry)?, &source.envelope, &mut self.names)
        };
        Ok(Some(Scanned { source: index, entry, batch, from }))
    }
}

/// Every so many entries of an index, one is kept in memory, to begin a search from.
#[derive(Clone, Debug, Default)]
pub struct SparseIndex {
    marks: Vec<(Seq, u64)>,
    entries: u64,
}

impl SparseIndex {
    const STRIDE: u64 = 256;

    /// Counts one more entry of the index file.
    pub fn push(&mut self, entry: &IndexEntry) {
        if self.entries.is_multiple_of(Self::STRIDE) {
            self.marks.push((entry.first, self.entries));
        }
        self.entries += 1;
    }

    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The number of an entry that is not after the one that holds `from`, at most a stride before it.
    pub fn start(&self, from: Seq) -> u64 {
        let after = self.marks.partition_point(|(first, _)| *first <= from);
        after.checked_sub(1).map_or(0, |at| self.marks[at].1)
    }
}

#[cfg(test)]
mod tests;
