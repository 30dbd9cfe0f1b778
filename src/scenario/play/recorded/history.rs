//! Scans of what was recorded, for one wait after the other.

use std::collections::HashMap;
use std::time::Duration;

use super::Moment;
use crate::daemon::DaemonName;
use crate::event::history::{Missed, consider, judge};
use crate::event::log::{Scan, ScanSource};
use crate::event::miss::Miss;
use crate::event::waiters::Test;
use crate::event::{Envelope, Event, NamePattern, Seq, lifecycle_names};
use crate::harness::{SurveyedDaemon, Wanted};
use crate::record::{RecordError, RecordedRun};

pub(super) struct History<'r> {
    pub(super) run: &'r mut RecordedRun,
    pub(super) envelopes: &'r HashMap<DaemonName, Envelope>,
    pub(super) lifecycle: &'r [(f64, Event)],
}

/// Where the log ends, and when.
pub(super) fn end<'d>(
    run: &mut RecordedRun,
    daemons: impl Iterator<Item = &'d DaemonName>,
    lifecycle: &[(f64, Event)],
) -> Result<Moment, RecordError> {
    let last = lifecycle.last().map(|(at_s, event)| Moment { seq: event.seq.next(), at_s: *at_s });
    let mut end = last.unwrap_or_default();
    for daemon in daemons {
        if let Some(entry) = run.index(daemon)?.last() {
            end = end.later(Moment { seq: entry.end(), at_s: entry.at_s() });
        }
    }
    Ok(end)
}

impl History<'_> {
    fn scan(&self, sources: &[(DaemonName, Seq)]) -> Scan {
        let source = |(daemon, from): &(DaemonName, Seq)| ScanSource {
            daemon: daemon.clone(),
            envelope: self.envelopes.get(daemon).cloned().unwrap_or_default(),
            from: *from,
        };
        Scan::new(sources.iter().map(source).collect())
    }

    /// The event that ends the wait, of those before `until`.
    pub(super) fn first_match(
        &mut self,
        wanted: &Wanted,
        until: Seq,
    ) -> Result<Option<Event>, RecordError> {
        let Some(mut wait) = wanted.to_wait() else { return Ok(None) };
        if is_lifecycle(&wanted.event) {
            let mut past = self.lifecycle.iter().map(|(_, event)| event);
            let found = past.find(|event| event.seq < until && wait.judge(event));
            return Ok(found.cloned());
        }
        let mut scan = self.scan(&wanted.sources);
        while let Some(scanned) = scan.next(self.run)? {
            if scanned.entry.first >= until {
                break;
            }
            if let Some(event) = judge(&mut wait, &scanned, until) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// What came nearest before `until`.
    pub(super) fn miss(&mut self, wanted: &Wanted, until: Seq) -> Result<Miss, RecordError> {
        let from = wanted.sources.iter().map(|(_, from)| *from).min().unwrap_or(until);
        let mut miss = Miss { from, to: until, ..Miss::default() };
        let bound = match &wanted.test {
            Test::Predicate(bound) => Some(bound),
            Test::Any | Test::Closure(_) => None,
        };
        let missed = Missed { sources: &wanted.sources, event: &wanted.event, bound };
        // Also what stands before the position of the wait: an event that came too early explains much.
        let all: Vec<_> =
            wanted.sources.iter().map(|(daemon, _)| (daemon.clone(), Seq::default())).collect();
        let mut scan = self.scan(&all);
        while let Some(scanned) = scan.next(self.run)? {
            if scanned.entry.first >= until {
                break;
            }
            consider(missed, &mut miss, &scanned, until);
        }
        Ok(miss)
    }
}

fn is_lifecycle(event: &NamePattern) -> bool {
    matches!(event, NamePattern::Exact(name) if lifecycle_names::include(name.as_str()))
}

/// How many events of each name a daemon had written by then.
pub(super) fn seen(
    run: &mut RecordedRun,
    daemon: &DaemonName,
    envelope: &Envelope,
    until: Moment,
) -> Result<SurveyedDaemon, RecordError> {
    const NAMES: usize = 10_000;
    let source =
        ScanSource { daemon: daemon.clone(), envelope: envelope.clone(), from: Seq::default() };
    let mut scan = Scan::new(vec![source]);
    let mut seen = SurveyedDaemon::default();
    while let Some(scanned) = scan.next(run)? {
        if scanned.entry.first >= until.seq {
            break;
        }
        let age = (until.at_s - scanned.entry.at_s()).max(0.0);
        seen.last_event_age = Duration::try_from_secs_f64(age).ok();
        for (_, record) in scanned.records().take_while(|(seq, _)| *seq < until.seq) {
            let Ok(content) = &record.content else { continue };
            seen.events += 1;
            if let Some(count) = seen.names.get_mut(&content.name) {
                *count += 1;
            } else if seen.names.len() < NAMES {
                seen.names.insert(content.name.clone(), 1);
            }
        }
    }
    Ok(seen)
}
