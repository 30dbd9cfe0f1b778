//! Recorded batches as events: offered to a wait, or looked at for what came nearest to it.
//!
//! The event bus and the offline check use the same functions, so that a wait finds in a recorded log what it found in
//! the log as it grew.

use std::sync::Arc;

use serde_json::Value;

use super::decode::{Batch, Content};
use super::log::Scanned;
use super::miss::Miss;
use super::waiters::{Bound, Wait};
use super::{Event, NamePattern, Seq};
use crate::daemon::{DaemonName, Incarnation};

/// Where the records of a batch are from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    pub daemon: &'a DaemonName,
    pub incarnation: Incarnation,
    pub late: bool,
}

impl<'a> Origin<'a> {
    /// Of a batch that was read back.
    pub fn of(daemon: &'a DaemonName, scanned: &Scanned) -> Self {
        let entry = &scanned.entry;
        Self { daemon, incarnation: entry.incarnation, late: entry.late }
    }
}

/// The section of the event before: as a rule, that of the next as well.
#[derive(Debug, Default)]
pub struct Sections {
    text: String,
    parsed: Arc<[String]>,
}

impl Sections {
    fn parse(&mut self, text: &str) -> Arc<[String]> {
        if self.text != text {
            self.parsed = serde_json::from_str::<Vec<String>>(text).unwrap_or_default().into();
            text.clone_into(&mut self.text);
        }
        Arc::clone(&self.parsed)
    }
}

/// A record as an event, its payload parsed. The decoder vouches for the payload: should no value be able to hold it
/// nevertheless, there is no event.
pub fn open(
    origin: &Origin<'_>,
    batch: &Batch,
    content: &Content,
    seq: Seq,
    sections: &mut Sections,
) -> Option<Event> {
    let value: Value = serde_json::from_str(batch.text(&content.payload)).ok()?;
    Some(Event {
        daemon: origin.daemon.clone(),
        incarnation: origin.incarnation,
        seq,
        name: content.name.clone(),
        time: content.time,
        section: sections.parse(batch.text(&content.section)),
        value: Arc::new(value),
        late: origin.late,
    })
}

/// Offers a batch of history to a wait, in order, up to `until`; gives the event that ends it.
pub fn judge(wait: &mut Wait, scanned: &Scanned, until: Seq) -> Option<Event> {
    let (daemon, _) = wait.sources.get(scanned.source)?.clone();
    let origin = Origin::of(&daemon, scanned);
    let mut sections = Sections::default();
    let in_time = scanned.records().take_while(|(seq, _)| *seq < until);
    in_time.into_iter().find_map(|(seq, record)| {
        let content = record.content.as_ref().ok()?;
        if !wait.event.matches(content.name.as_str()) {
            return None;
        }
        let event = open(&origin, &scanned.batch, content, seq, &mut sections)?;
        wait.judge(&event).then_some(event)
    })
}

/// What a wait that failed was for.
#[derive(Clone, Copy, Debug)]
pub struct Missed<'a> {
    pub sources: &'a [(DaemonName, Seq)],
    pub event: &'a NamePattern,
    pub bound: Option<&'a Bound>,
}

/// Looks at a batch, up to `until`, for what came nearest; before the position of the wait, for what came too early.
pub fn consider(missed: Missed<'_>, miss: &mut Miss, scanned: &Scanned, until: Seq) {
    let Some((daemon, cursor)) = missed.sources.get(scanned.source) else {
        return;
    };
    let origin = Origin::of(daemon, scanned);
    let at_us = scanned.entry.monotonic_us;
    let mut sections = Sections::default();
    for (seq, record) in scanned.records().take_while(|(seq, _)| *seq < until) {
        let Ok(content) = &record.content else {
            continue;
        };
        let counts = seq >= *cursor;
        if counts {
            miss.count(&content.name);
        } else {
            miss.name(&content.name);
        }
        let is_wanted = missed.event.matches(content.name.as_str());
        // Names that are only like it matter as long as it has not come itself.
        let is_like =
            || counts && miss.same_name == 0 && missed.event.resembles(content.name.as_str());
        if !is_wanted && !is_like() {
            continue;
        }
        let Some(event) = open(&origin, &scanned.batch, content, seq, &mut sections) else {
            continue;
        };
        match (is_wanted, counts) {
            (true, true) => miss.consider(&event, missed.bound, at_us),
            (true, false) => miss.pass_over(&event, missed.bound, *cursor, at_us),
            (false, _) => miss.consider_similar(&event, missed.bound, at_us),
        }
    }
}
