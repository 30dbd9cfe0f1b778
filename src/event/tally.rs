//! What is known of a daemon's log without reading it: counts per name, lifecycle records, the last lines of output.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::decode::Envelope;
use super::{Event, EventName, Seq};
use crate::daemon::{DaemonName, Incarnation};

/// Bounded whatever the daemon does: names and output lines have limits, lifecycle records are few.
#[derive(Debug, Default)]
pub struct Tally {
    pub envelope: Envelope,
    /// Events, without malformed lines and lifecycle records.
    pub events: u64,
    pub malformed: u64,
    pub last_event_at: Option<Instant>,
    /// The last line that was no event, shortened, with the reason.
    pub last_malformed: Option<String>,
    names: HashMap<EventName, NameTally>,
    /// More names came than are counted apart; the absence of one then proves nothing.
    names_overflowed: bool,
    lifecycle: Vec<Lifecycle>,
    last_lines: VecDeque<String>,
}

/// How often a name was seen, and where last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTally {
    pub count: u64,
    pub last: Seq,
}

#[derive(Clone, Debug)]
struct Lifecycle {
    seq: Seq,
    incarnation: Incarnation,
    name: EventName,
    value: Arc<Value>,
}

impl Tally {
    const NAMES: usize = 10_000;
    const LAST_LINES: usize = 20;
    const LINE_BYTES: usize = 500;

    /// Counts some events of one name, of which the last stands at `last`.
    pub fn count_events(&mut self, name: &EventName, count: usize, last: Seq) {
        let count = count as u64;
        self.events += count;
        if let Some(tally) = self.names.get_mut(name) {
            tally.count += count;
            tally.last = last;
        } else if self.names.len() < Self::NAMES {
            self.names.insert(name.clone(), NameTally { count, last });
        } else {
            self.names_overflowed = true;
        }
    }

    pub fn add_lifecycle(
        &mut self,
        seq: Seq,
        incarnation: Incarnation,
        name: EventName,
        value: Arc<Value>,
    ) {
        self.lifecycle.push(Lifecycle { seq, incarnation, name, value });
    }

    /// Lifecycle records of this name from a position on, as events of `daemon`.
    pub fn lifecycle<'a>(
        &'a self,
        daemon: &'a DaemonName,
        name: &'a str,
        from: Seq,
    ) -> impl Iterator<Item = Event> + 'a {
        self.lifecycle
            .iter()
            .filter(move |record| record.seq >= from && record.name.as_str() == name)
            .map(|record| Event {
                daemon: daemon.clone(),
                incarnation: record.incarnation,
                seq: record.seq,
                name: record.name.clone(),
                time: None,
                section: Arc::default(),
                value: Arc::clone(&record.value),
                late: false,
            })
    }

    /// Whether a record from `from` on may have a name that `matches`: a scan is worth it.
    pub fn may_hold(&self, from: Seq, matches: impl Fn(&str) -> bool) -> bool {
        self.names_overflowed
            || self.names.iter().any(|(name, tally)| tally.last >= from && matches(name.as_str()))
    }

    /// Names seen and how often, in no order.
    pub fn names(&self) -> impl Iterator<Item = (&EventName, NameTally)> {
        self.names.iter().map(|(name, tally)| (name, *tally))
    }

    /// The name that was counted last.
    pub fn last_name(&self) -> Option<&EventName> {
        self.names.iter().max_by_key(|(_, tally)| tally.last).map(|(name, _)| name)
    }

    /// The newest incarnation of which there is a record.
    pub fn incarnation(&self) -> Option<Incarnation> {
        self.lifecycle.last().map(|record| record.incarnation)
    }

    /// Keeps the end of the daemon's output for messages, shortened.
    pub fn add_output(&mut self, lines: &[u8]) {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if self.last_lines.len() == Self::LAST_LINES {
                self.last_lines.pop_front();
            }
            let shown = &line[..line.len().min(Self::LINE_BYTES)];
            self.last_lines.push_back(String::from_utf8_lossy(shown).trim_end().to_owned());
        }
    }

    pub fn last_lines(&self) -> Vec<String> {
        self.last_lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
