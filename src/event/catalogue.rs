//! What events there are: names, the paths in their payloads, and the JSON types that were seen there.
//!
//! Built from any number of runs in bounded memory: what is too deep or too much is left out, and that it was is told.
//! Objects that are used as maps (`{"BLx…": …, "BLy…": …}`) count as one path with `*` in the place of the key.

mod difference;
mod shape;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::difference::{Change, Difference, difference};
use self::shape::Shape;
use crate::predicate::PathElement;

/// The version that a catalogue's file carries.
pub const VERSION: u32 = 1;

/// A catalogue as it stands in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    pub version: u32,
    /// By name.
    pub events: BTreeMap<String, Entry>,
    /// There were more names than are listed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self { version: VERSION, events: BTreeMap::new(), is_partial: false }
    }
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub count: u64,
    /// How often each kind of daemon, and each daemon, emitted it.
    #[serde(default)]
    pub kinds: BTreeMap<String, u64>,
    #[serde(default)]
    pub daemons: BTreeMap<String, u64>,
    /// By path; the payload itself is `self`, an element of a list `[]`, a value of a map `*`.
    pub fields: BTreeMap<String, Field>,
    /// There were more paths than are listed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

/// One path in a payload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Field {
    pub count: u64,
    /// JSON types and how often each was seen.
    pub types: BTreeMap<String, u64>,
    /// A value, as JSON, shortened; none for what has parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

impl Field {
    /// `integer or null`
    pub fn types_in_words(&self) -> String {
        self.types.keys().map(String::as_str).collect::<Vec<_>>().join(" or ")
    }
}

impl Catalogue {
    /// So many names have daemons and names of their own.
    const NAMES: usize = 10_000;
    const DAEMONS: usize = 1_000;

    /// Takes the events of another one in.
    pub fn merge(&mut self, other: Self) {
        self.is_partial |= other.is_partial;
        for (name, entry) in other.events {
            let mine = self.events.entry(name).or_default();
            mine.count += entry.count;
            mine.is_partial |= entry.is_partial;
            add_counts(&mut mine.kinds, entry.kinds);
            add_counts(&mut mine.daemons, entry.daemons);
            for (path, field) in entry.fields {
                let known = mine.fields.entry(path).or_default();
                known.count += field.count;
                known.example = known.example.take().or(field.example);
                add_counts(&mut known.types, field.types);
            }
        }
    }

    /// Whether any event of these has the field that a predicate reads; true where that cannot be told.
    pub fn shows(&self, entry: &Entry, path: &[PathElement]) -> bool {
        entry.is_partial || entry.fields.keys().any(|known| shape::leads_to(known, path))
    }
}

fn add_counts(mine: &mut BTreeMap<String, u64>, others: BTreeMap<String, u64>) {
    for (key, count) in others {
        *mine.entry(key).or_default() += count;
    }
}

/// Counts events until they make a catalogue.
#[derive(Debug, Default)]
pub struct Collector {
    events: BTreeMap<String, Collected>,
    is_partial: bool,
}

#[derive(Debug, Default)]
struct Collected {
    kinds: BTreeMap<String, u64>,
    daemons: BTreeMap<String, u64>,
    shape: Shape,
}

impl Collector {
    /// Takes note of an event of a daemon.
    pub fn add(&mut self, kind: &str, daemon: &str, name: &str, payload: &Value) {
        if !self.events.contains_key(name) {
            if self.events.len() >= Catalogue::NAMES {
                self.is_partial = true;
                return;
            }
            self.events.insert(name.to_owned(), Collected::default());
        }
        let Some(event) = self.events.get_mut(name) else { return };
        count(&mut event.kinds, kind);
        count(&mut event.daemons, daemon);
        event.shape.add(payload);
    }

    pub fn finish(self) -> Catalogue {
        let events = self.events.into_iter().map(|(name, event)| {
            let (count, is_partial) = (event.shape.count(), event.shape.is_partial());
            let Collected { kinds, daemons, shape } = event;
            (name, Entry { count, kinds, daemons, fields: shape.into_fields(), is_partial })
        });
        Catalogue { version: VERSION, events: events.collect(), is_partial: self.is_partial }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count += 1;
    } else if counts.len() < Catalogue::DAEMONS {
        counts.insert(key.to_owned(), 1);
    }
}

#[cfg(test)]
mod tests;
