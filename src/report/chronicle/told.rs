//! The events of a run, one after the other, each with a time of its own.

use std::iter::Peekable;
use std::slice::Iter;

use super::DaemonLane;
use crate::event::Seq;
use crate::event::decode::{Excerpt, Malformed, Record};
use crate::event::log::{IndexEntry, Scan, ScanSource, Scanned};
use crate::record::{RecordError, RecordedRun};

/// One record of the log.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub seq: u64,
    pub at_us: u64,
    /// Which of the daemons.
    pub daemon: usize,
    pub incarnation: u32,
    /// For a malformed line the reason.
    pub name: &'a str,
    /// JSON on one line; for a malformed line an excerpt of it.
    pub payload: &'a str,
    pub kind: ToldKind,
    pub late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldKind {
    Event,
    /// Ours: `tribunal.spawned` and the like.
    Lifecycle,
    Malformed,
}

/// A lifecycle record of `log.jsonl`.
#[derive(Debug)]
pub(super) struct Lifecycle {
    pub at_us: u64,
    pub seq: Seq,
    pub daemon: usize,
    pub incarnation: u32,
    pub name: String,
    pub value: String,
}

pub(super) fn tell(
    run: &mut RecordedRun,
    daemons: &[DaemonLane],
    lifecycle: &[Lifecycle],
    hear: &mut dyn FnMut(Told<'_>),
) -> Result<(), RecordError> {
    let source = |lane: &DaemonLane| ScanSource {
        daemon: lane.name.clone(),
        envelope: lane.envelope.clone(),
        from: Seq(0),
    };
    let mut scan = Scan::new(daemons.iter().map(source).collect());
    let mut clocks = vec![Clock::default(); daemons.len()];
    let mut ours = lifecycle.iter().peekable();
    while let Some(scanned) = scan.next(run)? {
        let clock = &mut clocks[scanned.source];
        if scanned.entry.overlong {
            ours_before(&mut ours, scanned.entry.first, hear);
            overlong(&scanned, clock, hear);
        }
        for (seq, record) in scanned.records() {
            ours_before(&mut ours, seq, hear);
            one(&scanned, seq, record, clock, hear);
        }
        clock.last_us = clock.last_us.max(scanned.entry.monotonic_us);
    }
    ours_before(&mut ours, Seq(u64::MAX), hear);
    Ok(())
}

fn ours_before(ours: &mut Peekable<Iter<'_, Lifecycle>>, seq: Seq, hear: &mut dyn FnMut(Told<'_>)) {
    while let Some(record) = ours.next_if(|record| record.seq < seq) {
        hear(Told {
            seq: record.seq.0,
            at_us: record.at_us,
            daemon: record.daemon,
            incarnation: record.incarnation,
            name: &record.name,
            payload: &record.value,
            kind: ToldKind::Lifecycle,
            late: false,
        });
    }
}

fn one(
    scanned: &Scanned,
    seq: Seq,
    record: &Record,
    clock: &mut Clock,
    hear: &mut dyn FnMut(Told<'_>),
) {
    let told = Told {
        seq: seq.0,
        at_us: 0,
        daemon: scanned.source,
        incarnation: scanned.entry.incarnation.0,
        name: "",
        payload: "",
        kind: ToldKind::Event,
        late: scanned.entry.late,
    };
    match &record.content {
        Ok(content) => hear(Told {
            at_us: clock.time_of(&scanned.entry, content.time),
            name: content.name.as_str(),
            payload: scanned.batch.text(&content.payload),
            ..told
        }),
        Err(reason) => {
            let line = Excerpt(&scanned.batch.bytes[record.line.clone()]).to_string();
            let (at_us, name) = (clock.time_of(&scanned.entry, None), reason.to_string());
            hear(Told { at_us, name: &name, payload: &line, kind: ToldKind::Malformed, ..told });
        }
    }
}

/// A line over the cap is not read back; that there was one is told.
fn overlong(scanned: &Scanned, clock: &mut Clock, hear: &mut dyn FnMut(Told<'_>)) {
    let reason = Malformed::TooLong { bytes: scanned.entry.bytes }.to_string();
    hear(Told {
        seq: scanned.entry.first.0,
        at_us: clock.time_of(&scanned.entry, None),
        daemon: scanned.source,
        incarnation: scanned.entry.incarnation.0,
        name: &reason,
        payload: "…",
        kind: ToldKind::Malformed,
        late: scanned.entry.late,
    });
}

/// Times of one daemon's events; they never go back.
///
/// A batch has one time of arrival. Where the daemon says a time that lies between that and the batch before, it is
/// believed: it is finer. A clock that is wrong changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    pub last_us: u64,
}

impl Clock {
    pub fn time_of(&mut self, entry: &IndexEntry, said_s: Option<f64>) -> u64 {
        let arrived = entry.monotonic_us.max(self.last_us);
        let began_wall_us = entry.wall_us.saturating_sub(entry.monotonic_us);
        let said = said_s.filter(|said| said.is_finite() && *said > 0.0).map(super::micros);
        let at = said.map_or(arrived, |said| {
            said.saturating_sub(began_wall_us).clamp(self.last_us, arrived)
        });
        self.last_us = at;
        at
    }
}
