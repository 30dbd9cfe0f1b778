//! Why a wait found nothing: what was searched, and what came nearest.

use std::collections::BTreeMap;

use super::waiters::{Bound, subject};
use super::{Event, EventName, Seq};
use crate::predicate::Truth;

/// What a wait that failed had looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Miss {
    /// The first position searched, and the one just past the last.
    pub from: Seq,
    pub to: Seq,
    /// Events searched, of any name.
    pub events: u64,
    /// Events of the wanted name.
    pub same_name: u64,
    /// Those on which the predicate was unknown: a missing field or a wrong type.
    pub unknown: u64,
    /// Those that were as wanted: fewer than it takes.
    pub matched: u64,
    /// Best first, at most [`Miss::NEAREST`].
    pub nearest: Vec<NearMiss>,
    /// Names that were searched and how often each stood there.
    pub names: BTreeMap<EventName, u64>,
}

/// An event of the right name that the predicate did not accept.
#[derive(Clone, Debug, PartialEq)]
pub struct NearMiss {
    pub seq: Seq,
    pub daemon: String,
    pub event: EventName,
    pub clauses_true: usize,
    pub clauses: usize,
    /// `level >= 10: 9 >= 10 is false`
    pub explanation: String,
}

impl Miss {
    pub const NEAREST: usize = 3;
    const NAMES: usize = 1000;

    /// Counts an event that was searched but does not have the wanted name.
    pub fn count(&mut self, name: &EventName) {
        self.events += 1;
        if let Some(count) = self.names.get_mut(name) {
            *count += 1;
        } else if self.names.len() < Self::NAMES {
            self.names.insert(name.clone(), 1);
        }
    }

    /// Looks at an event that has the wanted name (and was counted).
    pub fn consider(&mut self, event: &Event, bound: Option<&Bound>) {
        self.same_name += 1;
        let Some(bound) = bound else {
            self.matched += 1;
            return;
        };
        let truth = bound.test(event);
        if truth == Truth::Unknown {
            self.unknown += 1;
        }
        // A match that was passed over (one of several wanted) is no near miss.
        if truth == Truth::True {
            self.matched += 1;
            return;
        }
        let explanation = bound.predicate.explain(&subject(event), &*bound.variables);
        self.keep(NearMiss {
            seq: event.seq,
            daemon: event.daemon.to_string(),
            event: event.name.clone(),
            clauses_true: explanation.clauses_true(),
            clauses: explanation.clauses.len(),
            explanation: explanation.text(),
        });
    }

    /// More true clauses are nearer; among equals, the later.
    fn keep(&mut self, near: NearMiss) {
        let rank = |near: &NearMiss| (near.clauses_true, near.seq);
        let at = self.nearest.partition_point(|other| rank(other) > rank(&near));
        if at < Self::NEAREST {
            self.nearest.insert(at, near);
            self.nearest.truncate(Self::NEAREST);
        }
    }
}

#[cfg(test)]
mod tests;
