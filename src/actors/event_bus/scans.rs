//! Scans of recorded history, in slices: for waits that begin in the past, and for the report of waits that failed.

use std::time::{Duration, Instant};

use actix::{AsyncContext, Context, Handler, Message};

use super::EventBus;
use super::waits::{Port, Why};
use crate::daemon::DaemonName;
use crate::event::Seq;
use crate::event::history::{consider, judge};
use crate::event::log::{Scan, ScanSource};
use crate::event::miss::Miss;
use crate::event::tally::Tally;
use crate::event::waiters::{Wait, WaiterId};
use crate::record::RecordError;

/// The work of one slice. Everything else in the harness's thread waits for as long.
const SLICE: Duration = Duration::from_millis(1);

/// A wait that fails is told what came nearest among so many of the last records, which are read in a fraction of a
/// second. Waits that fail together share them, so that a thousand do not take minutes.
const LOOK_BACK: u64 = 100_000;
const LEAST_LOOK_BACK: u64 = 200;

#[derive(Debug)]
pub(super) struct ScanJob {
    scan: Scan,
    purpose: Purpose,
}

#[derive(Debug)]
enum Purpose {
    /// Offers history to a wait.
    Judge { id: WaiterId, wait: Wait },
    /// Finds what came nearest, up to `until`, and then fails the wait.
    Explain { port: Box<Port>, why: Why, miss: Miss, until: Seq },
}

/// Goes on with the scans.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StepScans;

impl Handler<StepScans> for EventBus {
    type Result = ();

    fn handle(&mut self, _: StepScans, ctx: &mut Context<Self>) {
        self.step_scheduled = false;
        self.step_scans(ctx);
    }
}

impl EventBus {
    pub(super) fn is_scanning(&self, id: WaiterId) -> bool {
        self.scans.iter().any(
            |job| matches!(&job.purpose, Purpose::Judge { id: scanning, .. } if *scanning == id),
        )
    }

    pub(super) fn scan_history(&mut self, id: WaiterId, wait: Wait, ctx: &mut Context<Self>) {
        let sources = self.scan_sources(&wait.sources);
        let purpose = Purpose::Judge { id, wait };
        self.scans.push_back(ScanJob { scan: Scan::new(sources), purpose });
        self.step_scans(ctx);
    }

    /// Fails a wait, as soon as it is known what came nearest of what came last.
    pub(super) fn explain(&mut self, port: Port, why: Why, ctx: &mut Context<Self>) {
        let until = self.next_seq();
        let share = (LOOK_BACK / (self.scans.len() as u64 + 1)).max(LEAST_LOOK_BACK);
        let earliest = Seq(until.0.saturating_sub(share));
        let from = port.sources.iter().map(|(_, from)| earliest.max(*from)).min().unwrap_or(until);
        let is_partial = earliest > Seq::default();
        let incarnation = match &port.sources[..] {
            [(daemon, _)] => self.tallies.get(daemon).and_then(Tally::incarnation),
            _ => None,
        };
        let miss = Miss { from, to: until, is_partial, incarnation, ..Miss::default() };
        // Also what stands before the position of the wait: an event that came too early explains much. Who only looks
        // back, as `never` does again and again, is not to be told of that.
        let since = |from: Seq| if port.is_look_back() { earliest.max(from) } else { earliest };
        let sources: Vec<_> =
            port.sources.iter().map(|(daemon, from)| (daemon.clone(), since(*from))).collect();
        let has_events = |(daemon, from): &(DaemonName, Seq)| {
            self.tallies.get(daemon).is_some_and(|tally| tally.may_hold(*from, |_| true))
        };
        if !sources.iter().any(has_events) {
            port.fail(why, Some(miss));
            return;
        }
        let scan = Scan::new(self.scan_sources(&sources));
        let purpose = Purpose::Explain { port: Box::new(port), why, miss, until };
        self.scans.push_back(ScanJob { scan, purpose });
        self.step_scans(ctx);
    }

    fn scan_sources(&self, sources: &[(DaemonName, Seq)]) -> Vec<ScanSource> {
        let source = |(daemon, from): &(DaemonName, Seq)| ScanSource {
            daemon: daemon.clone(),
            envelope: self
                .tallies
                .get(daemon)
                .map(|tally| tally.envelope.clone())
                .unwrap_or_default(),
            from: *from,
        };
        sources.iter().map(source).collect()
    }

    fn step_scans(&mut self, ctx: &mut Context<Self>) {
        let began = Instant::now();
        while let Some(job) = self.scans.pop_front() {
            if let Some(job) = self.step(job, ctx) {
                self.scans.push_back(job);
            }
            if began.elapsed() >= SLICE {
                break;
            }
        }
        if !self.scans.is_empty() && !self.step_scheduled {
            self.step_scheduled = true;
            ctx.notify(StepScans);
        }
    }

    /// One batch of one job; gives it back if there is more to do.
    fn step(&mut self, mut job: ScanJob, ctx: &mut Context<Self>) -> Option<ScanJob> {
        let scanned = job.scan.next(&mut self.recorder);
        match job.purpose {
            Purpose::Judge { id, .. } if !self.ports.contains_key(&id) => None,
            Purpose::Judge { id, mut wait } => match scanned {
                Ok(Some(scanned)) if scanned.entry.first >= self.too_late(id) => {
                    self.go_live(id, wait, ctx);
                    None
                }
                Ok(Some(scanned)) => match judge(&mut wait, &scanned, self.too_late(id)) {
                    Some(event) => {
                        self.resolve(id, event);
                        None
                    }
                    None => Some(ScanJob { purpose: Purpose::Judge { id, wait }, ..job }),
                },
                Ok(None) => {
                    self.go_live(id, wait, ctx);
                    None
                }
                Err(error) => {
                    self.fail_unreadable(id, &error);
                    None
                }
            },
            Purpose::Explain { port, why, mut miss, until } => match scanned {
                Ok(Some(scanned)) if scanned.entry.first < until => {
                    consider(port.missed(), &mut miss, &scanned, until);
                    let purpose = Purpose::Explain { port, why, miss, until };
                    Some(ScanJob { purpose, ..job })
                }
                Ok(_) | Err(_) => {
                    port.fail(why, Some(miss));
                    None
                }
            },
        }
    }

    /// The first position that comes after the wait's deadline.
    fn too_late(&self, id: WaiterId) -> Seq {
        self.ports.get(&id).and_then(|port| port.expired).unwrap_or(Seq(u64::MAX))
    }

    fn fail_unreadable(&mut self, id: WaiterId, error: &RecordError) {
        if let Some(port) = self.take_port(id) {
            port.fail(Why::Recording { reason: error.to_string() }, None);
        }
    }
}
