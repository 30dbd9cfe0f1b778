//! What is other in one catalogue than in another: two versions of a daemon, as a rule.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Catalogue, Entry};
use crate::event::likeness;

/// All changes from one catalogue to the other, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    Added {
        event: String,
    },
    Removed {
        event: String,
    },
    /// Names that are alike, of events that have the same fields.
    ProbablyRenamed {
        from: String,
        to: String,
    },
    FieldAdded {
        event: String,
        path: String,
        types: String,
    },
    FieldRemoved {
        event: String,
        path: String,
        types: String,
    },
    TypeChanged {
        event: String,
        path: String,
        from: String,
        to: String,
    },
}

/// How alike names must be to be those of one event.
const LIKE: f64 = 0.8;
/// Of the fields of two events, so many must be the same.
const SHARED: f64 = 0.75;
/// More pairs are not compared: then the two have nothing to do with each other.
const PAIRS: usize = 1_000_000;

/// What `after` has, and `before` has not, and the other way round.
pub fn difference(before: &Catalogue, after: &Catalogue) -> Difference {
    let mut removed: Vec<&String> =
        before.events.keys().filter(|name| !after.events.contains_key(*name)).collect();
    let mut added: Vec<&String> =
        after.events.keys().filter(|name| !before.events.contains_key(*name)).collect();
    let mut changes = Vec::new();
    for (from, to) in renamed(&removed, &added, before, after) {
        removed.retain(|name| *name != from);
        added.retain(|name| *name != to);
        changes.push(Change::ProbablyRenamed { from: from.clone(), to: to.clone() });
        fields(to, &before.events[from], &after.events[to], &mut changes);
    }
    changes.extend(removed.into_iter().map(|event| Change::Removed { event: event.clone() }));
    changes.extend(added.into_iter().map(|event| Change::Added { event: event.clone() }));
    for (name, entry) in &before.events {
        if let Some(now) = after.events.get(name) {
            fields(name, entry, now, &mut changes);
        }
    }
    Difference { changes }
}

/// The likeliest pairs first; each name once.
fn renamed<'c>(
    removed: &[&'c String],
    added: &[&'c String],
    before: &Catalogue,
    after: &Catalogue,
) -> Vec<(&'c String, &'c String)> {
    if removed.len().saturating_mul(added.len()) > PAIRS {
        return Vec::new();
    }
    let mut pairs = Vec::new();
    for from in removed {
        for to in added {
            let like = likeness(from, to);
            if like >= LIKE && shared(&before.events[*from], &after.events[*to]) >= SHARED {
                pairs.push((like, *from, *to));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
    let (mut gone, mut come) = (BTreeSet::new(), BTreeSet::new());
    let once = |(_, from, to): (f64, &'c String, &'c String)| {
        let is_free = !gone.contains(from) && !come.contains(to);
        is_free.then(|| {
            gone.insert(from);
            come.insert(to);
            (from, to)
        })
    };
    pairs.into_iter().filter_map(once).collect()
}

/// The part of both events' fields that they have in common.
fn shared(one: &Entry, other: &Entry) -> f64 {
    let common = one.fields.keys().filter(|path| other.fields.contains_key(*path)).count();
    let all = one.fields.len() + other.fields.len() - common;
    #[expect(clippy::cast_precision_loss, reason = "a share of some thousands")]
    let share = common as f64 / all.max(1) as f64;
    share
}

fn fields(event: &str, before: &Entry, after: &Entry, changes: &mut Vec<Change>) {
    let event = || event.to_owned();
    for (path, field) in &before.fields {
        let was = field.types_in_words();
        match after.fields.get(path) {
            None if after.is_partial => {}
            None => {
                let (event, path) = (event(), path.clone());
                changes.push(Change::FieldRemoved { event, path, types: was });
            }
            Some(now) if now.types_in_words() != was => {
                let (event, path, to) = (event(), path.clone(), now.types_in_words());
                changes.push(Change::TypeChanged { event, path, from: was, to });
            }
            Some(_) => {}
        }
    }
    for (path, field) in &after.fields {
        if !before.fields.contains_key(path) && !before.is_partial {
            let (event, path, types) = (event(), path.clone(), field.types_in_words());
            changes.push(Change::FieldAdded { event, path, types });
        }
    }
}
