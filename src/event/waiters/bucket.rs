//! The waits for one event name of one daemon, indexed by what their predicates compare.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::{Test, Wait, WaiterId};
use crate::event::Event;
use crate::predicate::{Comparison, ComparisonOp, Constant, PathElement};

#[derive(Debug, Default)]
pub(super) struct Bucket {
    fields: Vec<FieldIndex>,
    /// Waits without a comparison to index by: asked one by one.
    rest: Vec<WaiterId>,
}

/// Waits whose predicate needs a comparison of one field with a constant to be true.
#[derive(Debug)]
struct FieldIndex {
    path: Vec<PathElement>,
    /// A comparison to extract the field with.
    sample: Comparison,
    /// `field >= key`
    at_least: BTreeMap<i128, Vec<Entry>>,
    /// `field <= key`
    at_most: BTreeMap<i128, Vec<Entry>>,
    equal: HashMap<Key, Vec<Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: WaiterId,
    /// The comparison is the whole predicate: no need to evaluate that as well.
    whole: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Int(i128),
    Str(Box<str>),
}

impl Bucket {
    pub(super) fn insert(&mut self, id: WaiterId, test: &Test) {
        let comparison = match test {
            Test::Predicate(bound) => bound.predicate.comparison(&*bound.variables),
            Test::Any | Test::Closure(_) => None,
        };
        if !comparison.is_some_and(|comparison| self.insert_indexed(id, comparison)) {
            self.rest.push(id);
        }
    }

    fn insert_indexed(&mut self, id: WaiterId, comparison: Comparison) -> bool {
        let entry = Entry { id, whole: comparison.whole };
        let place = match (comparison.op, &comparison.constant) {
            (ComparisonOp::Eq, Constant::Int(int)) => Place::Equal(Key::Int(*int)),
            (ComparisonOp::Eq, Constant::Str(text)) => Place::Equal(Key::Str(text.as_str().into())),
            (ComparisonOp::Ge, Constant::Int(int)) => Place::AtLeast(*int),
            (ComparisonOp::Gt, Constant::Int(int)) => Place::AtLeast(int.saturating_add(1)),
            (ComparisonOp::Le, Constant::Int(int)) => Place::AtMost(*int),
            (ComparisonOp::Lt, Constant::Int(int)) => Place::AtMost(int.saturating_sub(1)),
            _ => return false,
        };
        let index = self.field_index(comparison);
        match place {
            Place::AtLeast(key) => index.at_least.entry(key).or_default().push(entry),
            Place::AtMost(key) => index.at_most.entry(key).or_default().push(entry),
            Place::Equal(key) => index.equal.entry(key).or_default().push(entry),
        }
        true
    }

    fn field_index(&mut self, sample: Comparison) -> &mut FieldIndex {
        let known = self.fields.iter().position(|field| field.path == sample.path);
        let at = known.unwrap_or_else(|| {
            self.fields.push(FieldIndex {
                path: sample.path.clone(),
                sample,
                at_least: BTreeMap::new(),
                at_most: BTreeMap::new(),
                equal: HashMap::new(),
            });
            self.fields.len() - 1
        });
        &mut self.fields[at]
    }

    pub(super) fn offer(
        &mut self,
        event: &Event,
        waits: &mut HashMap<WaiterId, Wait>,
        ended: &mut Vec<WaiterId>,
    ) {
        for field in &mut self.fields {
            field.offer(event, waits, ended);
        }
        for id in &self.rest {
            if waits.get_mut(id).is_some_and(|wait| wait.test.holds(event) && wait.count(event)) {
                ended.push(*id);
            }
        }
    }

    /// Drops what has ended; false if nothing is left.
    pub(super) fn retain(&mut self, waits: &HashMap<WaiterId, Wait>) -> bool {
        self.rest.retain(|id| waits.contains_key(id));
        self.fields.retain_mut(|field| field.retain(waits));
        !self.rest.is_empty() || !self.fields.is_empty()
    }
}

enum Place {
    AtLeast(i128),
    AtMost(i128),
    Equal(Key),
}

impl FieldIndex {
    fn offer(
        &mut self,
        event: &Event,
        waits: &mut HashMap<WaiterId, Wait>,
        ended: &mut Vec<WaiterId>,
    ) {
        let judge = |entry: &Entry, exact: bool| -> bool {
            waits.get_mut(&entry.id).is_some_and(|wait| {
                let holds = (exact && entry.whole) || wait.test.holds(event);
                let over = holds && wait.count(event);
                if over {
                    ended.push(entry.id);
                }
                !over
            })
        };
        match self.sample.field(&event.value) {
            Some(Value::Number(number)) => match number.as_i128() {
                Some(int) => self.offer_int(int, judge),
                None => self.offer_to_all(judge),
            },
            Some(Value::String(text)) => {
                visit(&mut self.equal, &Key::Str(text.as_str().into()), judge);
            }
            // The comparison with another type, or with nothing, is unknown.
            Some(_) | None => {}
        }
    }

    fn offer_int(&mut self, int: i128, mut judge: impl FnMut(&Entry, bool) -> bool) {
        let mut keep = |entry: &Entry| judge(entry, true);
        visit_range(&mut self.at_least, ..=int, &mut keep);
        visit_range(&mut self.at_most, int.., &mut keep);
        visit(&mut self.equal, &Key::Int(int), |entry, _| keep(entry));
    }

    /// A float may satisfy any of them; the predicates decide.
    fn offer_to_all(&mut self, mut judge: impl FnMut(&Entry, bool) -> bool) {
        let lists = self.at_least.values_mut().chain(self.at_most.values_mut());
        for list in lists.chain(self.equal.values_mut()) {
            list.retain(|entry| judge(entry, false));
        }
    }

    fn retain(&mut self, waits: &HashMap<WaiterId, Wait>) -> bool {
        let live = |list: &mut Vec<Entry>| {
            list.retain(|entry| waits.contains_key(&entry.id));
            !list.is_empty()
        };
        self.at_least.retain(|_, list| live(list));
        self.at_most.retain(|_, list| live(list));
        self.equal.retain(|_, list| live(list));
        !(self.at_least.is_empty() && self.at_most.is_empty() && self.equal.is_empty())
    }
}

fn visit(
    map: &mut HashMap<Key, Vec<Entry>>,
    key: &Key,
    mut judge: impl FnMut(&Entry, bool) -> bool,
) {
    if let Some(list) = map.get_mut(key) {
        list.retain(|entry| judge(entry, true));
        if list.is_empty() {
            map.remove(key);
        }
    }
}

/// Asks the entries in a range, and drops the keys that this leaves without entry: a satisfied threshold is not met again.
fn visit_range(
    map: &mut BTreeMap<i128, Vec<Entry>>,
    range: impl std::ops::RangeBounds<i128>,
    keep: &mut impl FnMut(&Entry) -> bool,
) {
    let mut empty = Vec::new();
    for (key, list) in map.range_mut(range) {
        list.retain(|entry| keep(entry));
        if list.is_empty() {
            empty.push(*key);
        }
    }
    for key in empty {
        map.remove(&key);
    }
}
