//! `--trace`: a run in Chrome's trace event format, for Perfetto and the like.
//!
//! A JSON object with `traceEvents`. Each play has a process for its steps and one for each daemon; a branch, the lives,
//! the waits and the events are threads. Waits can overlap as a stack cannot: they are spread over several threads. What a
//! play has is sorted by time; several plays follow each other in the file, and stand on the axis where they began. The
//! format: "Trace Event Format" of the Catapult project; times are microseconds.

mod tracks;

use std::io::{self, Write};
use std::time::SystemTime;

use self::tracks::Tracks;
use super::chronicle::{Chronicle, ChronicleError};
use super::sink::{Sink, WriteReportError};

/// A play's newest events, so that its trace fits into memory and into a viewer.
const MAX_EVENTS: u64 = 1_000_000;

#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error(transparent)]
    Write(#[from] WriteReportError),
    #[error(transparent)]
    Chronicle(#[from] ChronicleError),
}

/// A trace that is being written, play by play.
#[derive(Debug)]
pub struct Trace {
    sink: Sink,
    /// When the first play began, by the wall clock.
    origin: Option<SystemTime>,
    next_process: u64,
    written: bool,
}

impl Trace {
    pub fn begin(mut sink: Sink) -> Result<Self, WriteReportError> {
        sink.write(|out| out.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":["))?;
        Ok(Self { sink, origin: None, next_process: 1, written: false })
    }

    /// Adds a play below those that are there.
    pub fn add(&mut self, chronicle: &mut Chronicle) -> Result<(), TraceError> {
        let offset_us = self.offset_us(chronicle);
        let mut tracks = Tracks::of(chronicle, self.next_process, offset_us);
        self.next_process += chronicle.daemons.len() as u64 + 1;
        let left_out = chronicle.count()?.saturating_sub(MAX_EVENTS);
        tracks.left_out(left_out);
        let mut number = 0;
        chronicle.tell(&mut |told| {
            number += 1;
            if number > left_out {
                tracks.event(told);
            }
        })?;
        for line in tracks.into_lines() {
            self.put(&line).map_err(|source| self.sink.failed(source))?;
        }
        Ok(())
    }

    pub fn end(mut self) -> Result<(), WriteReportError> {
        self.sink.write(|out| out.write_all(b"\n]}\n"))
    }

    fn put(&mut self, line: &str) -> io::Result<()> {
        let before: &[u8] = if self.written { b",\n" } else { b"\n" };
        self.written = true;
        self.sink.write_all(before)?;
        self.sink.write_all(line.as_bytes())
    }

    /// How long after the first play this one began.
    fn offset_us(&mut self, chronicle: &Chronicle) -> u64 {
        let started = chronicle.result.as_ref().map(|result| result.started.as_str());
        let Some(started) = started.and_then(|text| humantime::parse_rfc3339(text).ok()) else {
            return 0;
        };
        let origin = *self.origin.get_or_insert(started);
        let after = started.duration_since(origin).unwrap_or_default();
        u64::try_from(after.as_micros()).unwrap_or(0)
    }
}
