//! Why a wait found nothing: what was searched, and what came nearest.

mod reason;

use std::collections::BTreeMap;

use super::waiters::{Bound, subject};
use super::{Event, EventName, Seq};
use crate::daemon::{DaemonName, Incarnation};
use crate::predicate::{Clause, Explanation, Truth};

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
    /// The same of events whose name is only like the wanted one.
    pub similar: Vec<NearMiss>,
    /// Events of the wanted name that stood before the position from which it was searched, oldest incarnation first.
    pub passed: Vec<Passed>,
    /// Names that were looked at, also before that position, and how often each stood there.
    pub names: BTreeMap<EventName, u64>,
    /// The log is longer than what is looked at again for this: the oldest part is not counted here.
    pub is_partial: bool,
    /// The newest incarnation of what was waited for, where that is one daemon.
    pub incarnation: Option<Incarnation>,
}

/// An event that the predicate did not accept, or one without predicate and of another name.
#[derive(Clone, Debug, PartialEq)]
pub struct NearMiss {
    pub seq: Seq,
    pub daemon: String,
    pub incarnation: Incarnation,
    pub event: EventName,
    /// Microseconds since the run began.
    pub at_us: u64,
    /// As JSON, shortened.
    pub payload: String,
    pub clauses_true: usize,
    pub clauses: usize,
    /// `level >= 10: 9 >= 10 is false`
    pub explanation: String,
    /// What each clause came to, in the order of the predicate.
    pub values: Vec<Clause>,
}

/// Events of one incarnation that came too early to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    pub daemon: DaemonName,
    pub incarnation: Incarnation,
    /// The first position that counted.
    pub cursor: Seq,
    pub count: u64,
    /// Those on which the predicate was true.
    pub matched: u64,
    /// The last of them, of the matching ones if there are any.
    pub last: Seq,
    pub last_at_us: u64,
}

impl Miss {
    pub const NEAREST: usize = 3;
    const NAMES: usize = 1000;
    const PASSED: usize = 20;

    /// Counts an event that was searched, of whatever name.
    pub fn count(&mut self, name: &EventName) {
        self.events += 1;
        self.name(name);
    }

    /// Takes note that this name was seen.
    pub fn name(&mut self, name: &EventName) {
        if let Some(count) = self.names.get_mut(name) {
            *count += 1;
        } else if self.names.len() < Self::NAMES {
            self.names.insert(name.clone(), 1);
        }
    }

    /// Looks at an event that has the wanted name (and was counted).
    pub fn consider(&mut self, event: &Event, bound: Option<&Bound>, at_us: u64) {
        self.same_name += 1;
        let Some(bound) = bound else {
            self.matched += 1;
            return;
        };
        match bound.test(event) {
            // A match that was passed over (one of several wanted) is no near miss.
            Truth::True => {
                self.matched += 1;
                return;
            }
            Truth::Unknown => self.unknown += 1,
            Truth::False => {}
        }
        keep(&mut self.nearest, near(event, Some(bound), at_us));
    }

    /// Looks at an event whose name is like the wanted one.
    pub fn consider_similar(&mut self, event: &Event, bound: Option<&Bound>, at_us: u64) {
        keep(&mut self.similar, near(event, bound, at_us));
    }

    /// Looks at an event that has the wanted name and stands before the position from which it was searched.
    pub fn pass_over(&mut self, event: &Event, bound: Option<&Bound>, cursor: Seq, at_us: u64) {
        let matches = bound.is_none_or(|bound| bound.test(event) == Truth::True);
        let (daemon, incarnation) = (&event.daemon, event.incarnation);
        let known = self
            .passed
            .iter()
            .rposition(|passed| passed.incarnation == incarnation && passed.daemon == *daemon);
        let at = known.unwrap_or_else(|| {
            if self.passed.len() == Self::PASSED {
                self.passed.remove(0);
            }
            self.passed.push(Passed {
                daemon: daemon.clone(),
                incarnation,
                cursor,
                count: 0,
                matched: 0,
                last: event.seq,
                last_at_us: at_us,
            });
            self.passed.len() - 1
        });
        let passed = &mut self.passed[at];
        passed.count += 1;
        passed.matched += u64::from(matches);
        if matches || passed.matched == 0 {
            (passed.last, passed.last_at_us) = (event.seq, at_us);
        }
    }
}

fn near(event: &Event, bound: Option<&Bound>, at_us: u64) -> NearMiss {
    let explanation =
        bound.map(|bound| bound.predicate.explain(&subject(event), &*bound.variables));
    NearMiss {
        seq: event.seq,
        daemon: event.daemon.to_string(),
        incarnation: event.incarnation,
        event: event.name.clone(),
        at_us,
        payload: shortened(&event.value.to_string()),
        clauses_true: explanation.as_ref().map_or(0, Explanation::clauses_true),
        clauses: explanation.as_ref().map_or(0, |explanation| explanation.clauses.len()),
        explanation: explanation.as_ref().map(Explanation::text).unwrap_or_default(),
        values: explanation.map(|explanation| explanation.clauses).unwrap_or_default(),
    }
}

/// More true clauses are nearer; among equals, the later.
fn keep(nearest: &mut Vec<NearMiss>, near: NearMiss) {
    let rank = |near: &NearMiss| (near.clauses_true, near.seq);
    let at = nearest.partition_point(|other| rank(other) > rank(&near));
    if at < Miss::NEAREST {
        nearest.insert(at, near);
        nearest.truncate(Miss::NEAREST);
    }
}

/// As much of a payload as a message shows.
pub fn shortened(text: &str) -> String {
    const LIMIT: usize = 200;
    let end = text.floor_char_boundary(LIMIT.min(text.len()));
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

#[cfg(test)]
mod tests;
