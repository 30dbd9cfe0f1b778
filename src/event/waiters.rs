//! The registry of one-shot waits, and the judge of which record ends which.
//!
//! Pure: it is told of records and of daemons that are finally dead, and answers which waits that ends. Waits are found
//! by daemon and event name; among those, predicates of the form `field >= constant` stand sorted by their constant, so
//! that a thousand of them cost one look at the field.

mod bucket;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use serde_json::Value;

use self::bucket::Bucket;
use super::{Event, EventName, NamePattern, Seq};
use crate::daemon::DaemonName;
use crate::predicate::{EventMeta, Predicate, Subject, Truth};

/// Identifies a wait within a harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterId(pub u64);

/// A predicate with the variables it was written among; cheap to clone.
#[derive(Clone, Debug)]
pub struct Bound {
    pub predicate: Predicate,
    pub variables: Arc<BTreeMap<String, Value>>,
}

impl Bound {
    pub fn test(&self, event: &Event) -> Truth {
        self.predicate.test(&subject(event), &*self.variables)
    }
}

/// The event as a predicate sees it.
pub fn subject(event: &Event) -> Subject<'_> {
    Subject {
        payload: &event.value,
        event: Some(EventMeta {
            name: event.name.as_str(),
            daemon: event.daemon.as_str(),
            time: event.time,
            section: &event.section,
            seq: event.seq.0,
            incarnation: event.incarnation.0,
        }),
    }
}

/// What, beside its name, makes an event the wanted one.
pub enum Test {
    Any,
    Predicate(Bound),
    Closure(Box<dyn FnMut(&Event) -> bool + Send>),
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::Predicate(bound) => write!(f, "Predicate({})", bound.predicate),
            Self::Closure(_) => f.write_str("Closure"),
        }
    }
}

impl Test {
    fn holds(&mut self, event: &Event) -> bool {
        match self {
            Self::Any => true,
            Self::Predicate(bound) => bound.test(event) == Truth::True,
            Self::Closure(closure) => closure(event),
        }
    }
}

/// One wait: of whom, for which event, and how many of them.
#[derive(Debug)]
pub struct Wait {
    /// Each daemon, and the first position that counts there. Any of them will do.
    pub sources: Vec<(DaemonName, Seq)>,
    pub event: NamePattern,
    pub test: Test,
    /// Matches still missing; the last one ends the wait.
    pub missing: u32,
}

impl Wait {
    /// Whether this event, offered in the order of the log, ends the wait.
    pub fn judge(&mut self, event: &Event) -> bool {
        self.event.matches(event.name.as_str()) && self.test.holds(event) && self.count(event)
    }

    /// Counts an event that is as wanted. A wait may begin at a position that the log has not reached yet.
    fn count(&mut self, event: &Event) -> bool {
        let begun =
            self.sources.iter().any(|(daemon, from)| event.seq >= *from && *daemon == event.daemon);
        if begun {
            self.missing = self.missing.saturating_sub(1);
        }
        begun && self.missing == 0
    }
}

/// All waits that have seen the whole history and now wait for what comes.
#[derive(Debug, Default)]
pub struct Waiters {
    waits: Waits,
    /// Has an entry for a daemon, and in it one for a name, only while somebody waits for that.
    interests: HashMap<DaemonName, Interest>,
    finally_dead: HashSet<DaemonName>,
}

type Waits = HashMap<WaiterId, Wait, BuildHasherDefault<IdHasher>>;

/// Ids are counted, not chosen by anybody who would make them collide: a multiplication spreads them.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[derive(Debug, Default)]
struct Interest {
    names: HashMap<EventName, Bucket>,
    globs: BTreeSet<WaiterId>,
}

impl Interest {
    fn insert(&mut self, id: WaiterId, wait: &Wait) {
        match &wait.event {
            NamePattern::Exact(name) => {
                self.names.entry(name.clone()).or_default().insert(id, &wait.test);
            }
            NamePattern::Glob(_) => drop(self.globs.insert(id)),
        }
    }

    fn remove(&mut self, id: WaiterId, wait: &Wait) {
        match &wait.event {
            NamePattern::Exact(name) => {
                if let Some(bucket) = self.names.get_mut(name) {
                    bucket.remove(id, &wait.test);
                    if bucket.is_empty() {
                        self.names.remove(name);
                    }
                }
            }
            NamePattern::Glob(_) => drop(self.globs.remove(&id)),
        }
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.globs.is_empty()
    }
}

impl Waiters {
    pub fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waits.len()
    }

    /// Registers a wait, or gives it back if all it could wait for is finally dead.
    pub fn insert(&mut self, id: WaiterId, wait: Wait) -> Result<(), Wait> {
        if self.is_hopeless(&wait) {
            return Err(wait);
        }
        for (daemon, _) in &wait.sources {
            self.interests.entry(daemon.clone()).or_default().insert(id, &wait);
        }
        self.waits.insert(id, wait);
        Ok(())
    }

    pub fn remove(&mut self, id: WaiterId) -> Option<Wait> {
        let wait = self.waits.remove(&id)?;
        for (daemon, _) in &wait.sources {
            if let Some(interest) = self.interests.get_mut(daemon) {
                interest.remove(id, &wait);
                if interest.is_empty() {
                    self.interests.remove(daemon);
                }
            }
        }
        Some(wait)
    }

    /// The first of these payloads, of events of one name, that could matter to a wait and is worth parsing.
    pub fn first_wanted<'p>(
        &self,
        daemon: &DaemonName,
        name: &EventName,
        mut payloads: impl Iterator<Item = &'p str>,
    ) -> Option<usize> {
        let interest = self.interests.get(daemon)?;
        let wanted = |id| self.waits.get(id).is_some_and(|wait| wait.event.matches(name.as_str()));
        if interest.globs.iter().any(wanted) {
            return payloads.next().map(|_| 0);
        }
        let bucket = interest.names.get(name)?;
        payloads.position(|payload| bucket.may_want(payload))
    }

    /// Whether any wait is on this daemon at all.
    pub fn listens_to(&self, daemon: &DaemonName) -> bool {
        self.interests.contains_key(daemon)
    }

    /// Offers one event; the waits that it ends are removed and returned, in the order of their ids.
    pub fn offer(&mut self, event: &Event) -> Vec<WaiterId> {
        let mut ended = Vec::new();
        let Some(interest) = self.interests.get(&event.daemon) else {
            return ended;
        };
        if let Some(bucket) = interest.names.get(&event.name) {
            bucket.offer(event, &mut self.waits, &mut ended);
        }
        for id in &interest.globs {
            if self.waits.get_mut(id).is_some_and(|wait| wait.judge(event)) {
                ended.push(*id);
            }
        }
        ended.sort_unstable();
        for id in &ended {
            self.remove(*id);
        }
        ended
    }

    /// A daemon will not run again by itself; the waits that this leaves without hope are removed and returned.
    pub fn finally_dead(&mut self, daemon: &DaemonName) -> Vec<(WaiterId, Wait)> {
        self.finally_dead.insert(daemon.clone());
        let hopeless = self.waits.iter().filter(|(_, wait)| self.is_hopeless(wait));
        let mut ended: Vec<WaiterId> = hopeless.map(|(id, _)| *id).collect();
        ended.sort_unstable();
        ended.into_iter().filter_map(|id| Some((id, self.remove(id)?))).collect()
    }

    /// A daemon that was finally dead has been run again.
    pub fn alive_again(&mut self, daemon: &DaemonName) {
        self.finally_dead.remove(daemon);
    }

    pub fn is_finally_dead(&self, daemon: &DaemonName) -> bool {
        self.finally_dead.contains(daemon)
    }

    /// All waits, removed.
    pub fn drain(&mut self) -> Vec<(WaiterId, Wait)> {
        self.interests.clear();
        let mut all: Vec<_> = self.waits.drain().collect();
        all.sort_by_key(|(id, _)| *id);
        all
    }

    /// Whether all that it could wait for is finally dead.
    pub fn is_hopeless(&self, wait: &Wait) -> bool {
        wait.sources.iter().all(|(daemon, _)| self.finally_dead.contains(daemon))
    }
}

#[cfg(test)]
mod tests;
