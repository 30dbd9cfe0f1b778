//! The waits for one event name of one daemon, indexed by what their predicates compare.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{Test, WaiterId, Waits};
use crate::event::Event;
use crate::event::raw::{Field, FieldFinder};
use crate::predicate::{Comparison, ComparisonOp, Constant, PathElement};

#[derive(Debug, Default)]
pub(super) struct Bucket {
    fields: Vec<FieldIndex>,
    /// Waits without a comparison to index by: asked one by one.
    rest: BTreeSet<WaiterId>,
}

/// Waits whose predicate needs a comparison of one field with a constant to be true.
#[derive(Debug)]
struct FieldIndex {
    path: Vec<PathElement>,
    /// Extracts the field from a parsed payload, and from the text of one.
    sample: Comparison,
    finder: FieldFinder,
    /// `field >= key`
    at_least: Thresholds,
    /// `field <= key`
    at_most: Thresholds,
    equal: Thresholds,
    equal_text: HashMap<Box<str>, BTreeMap<WaiterId, Extent>>,
}

/// Waits sorted by their constants.
type Thresholds = BTreeMap<(i128, WaiterId), Extent>;

/// How much of a predicate the comparison is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// All of it: no need to evaluate it as well.
    Whole,
    Part,
}

/// Where a comparison stands in the index of its field.
enum Place {
    AtLeast(i128),
    AtMost(i128),
    Equal(i128),
    EqualText(String),
}

impl Place {
    fn of(comparison: &Comparison) -> Option<Self> {
        Some(match (comparison.op, &comparison.constant) {
            (ComparisonOp::Eq, Constant::Int(int)) => Self::Equal(*int),
            (ComparisonOp::Eq, Constant::Str(text)) => Self::EqualText(text.clone()),
            (ComparisonOp::Ge, Constant::Int(int)) => Self::AtLeast(*int),
            (ComparisonOp::Gt, Constant::Int(int)) => Self::AtLeast(int.checked_add(1)?),
            (ComparisonOp::Le, Constant::Int(int)) => Self::AtMost(*int),
            (ComparisonOp::Lt, Constant::Int(int)) => Self::AtMost(int.checked_sub(1)?),
            _ => return None,
        })
    }
}

/// The comparison that a test is indexed by; `None` if it has to be asked.
fn indexed(test: &Test) -> Option<(Comparison, Place)> {
    let Test::Predicate(bound) = test else {
        return None;
    };
    let comparison = bound.predicate.comparison(&*bound.variables)?;
    let place = Place::of(&comparison)?;
    Some((comparison, place))
}

impl Bucket {
    pub(super) fn insert(&mut self, id: WaiterId, test: &Test) {
        if let Some((comparison, place)) = indexed(test) {
            let extent = if comparison.whole { Extent::Whole } else { Extent::Part };
            self.field_index(comparison).insert(id, place, extent);
        } else {
            self.rest.insert(id);
        }
    }

    /// Removes what was inserted with this test.
    pub(super) fn remove(&mut self, id: WaiterId, test: &Test) {
        if let Some((comparison, place)) = indexed(test) {
            let at = self.fields.iter().position(|field| field.path == comparison.path);
            if let Some(at) = at
                && self.fields[at].remove(id, &place)
            {
                self.fields.swap_remove(at);
            }
        } else {
            self.rest.remove(&id);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.rest.is_empty()
    }

    fn field_index(&mut self, sample: Comparison) -> &mut FieldIndex {
        let known = self.fields.iter().position(|field| field.path == sample.path);
        let at = known.unwrap_or_else(|| {
            self.fields.push(FieldIndex::new(sample));
            self.fields.len() - 1
        });
        &mut self.fields[at]
    }

    /// Whether an event with this payload, which is still text, may be counted by a wait. False is certain.
    pub(super) fn may_want(&self, payload: &str) -> bool {
        !self.rest.is_empty() || self.fields.iter().any(|field| field.may_want(payload))
    }

    /// Offers an event; the waits that it ends are added to `ended`, and stay here until they are removed.
    pub(super) fn offer(&self, event: &Event, waits: &mut Waits, ended: &mut Vec<WaiterId>) {
        for field in &self.fields {
            field.offer(event, waits, ended);
        }
        for id in &self.rest {
            if waits.get_mut(id).is_some_and(|wait| wait.test.holds(event) && wait.count(event)) {
                ended.push(*id);
            }
        }
    }
}

impl FieldIndex {
    fn new(sample: Comparison) -> Self {
        Self {
            path: sample.path.clone(),
            finder: FieldFinder::new(&sample.path),
            sample,
            at_least: Thresholds::new(),
            at_most: Thresholds::new(),
            equal: Thresholds::new(),
            equal_text: HashMap::new(),
        }
    }

    fn insert(&mut self, id: WaiterId, place: Place, extent: Extent) {
        match place {
            Place::AtLeast(key) => self.at_least.insert((key, id), extent),
            Place::AtMost(key) => self.at_most.insert((key, id), extent),
            Place::Equal(key) => self.equal.insert((key, id), extent),
            Place::EqualText(text) => {
                self.equal_text.entry(text.into()).or_default().insert(id, extent)
            }
        };
    }

    /// True if that leaves nothing.
    fn remove(&mut self, id: WaiterId, place: &Place) -> bool {
        match place {
            Place::AtLeast(key) => drop(self.at_least.remove(&(*key, id))),
            Place::AtMost(key) => drop(self.at_most.remove(&(*key, id))),
            Place::Equal(key) => drop(self.equal.remove(&(*key, id))),
            Place::EqualText(text) => {
                if let Some(waits) = self.equal_text.get_mut(text.as_str()) {
                    waits.remove(&id);
                    if waits.is_empty() {
                        self.equal_text.remove(text.as_str());
                    }
                }
            }
        }
        self.at_least.is_empty()
            && self.at_most.is_empty()
            && self.equal.is_empty()
            && self.equal_text.is_empty()
    }

    fn may_want(&self, payload: &str) -> bool {
        match self.finder.find(payload) {
            Some(Field::Int(int)) => self.satisfied_by(int).next().is_some(),
            Some(Field::Str(text)) => self.equal_text.contains_key(text),
            // The comparison with another type, or with nothing, is unknown.
            Some(Field::Nothing) => false,
            None => true,
        }
    }

    /// The waits whose comparison holds for this value of the field.
    fn satisfied_by(&self, int: i128) -> impl Iterator<Item = (WaiterId, Extent)> {
        let (lowest, highest) = ((int, WaiterId(0)), (int, WaiterId(u64::MAX)));
        let at_least = self.at_least.range(..=highest);
        let at_most = self.at_most.range(lowest..);
        let equal = self.equal.range(lowest..=highest);
        at_least.chain(at_most).chain(equal).map(|((_, id), extent)| (*id, *extent))
    }

    fn offer(&self, event: &Event, waits: &mut Waits, ended: &mut Vec<WaiterId>) {
        let judge = |(id, extent): (WaiterId, Extent)| {
            if let Some(wait) = waits.get_mut(&id)
                && (extent == Extent::Whole || wait.test.holds(event))
                && wait.count(event)
            {
                ended.push(id);
            }
        };
        match self.sample.field(&event.value) {
            Some(Value::Number(number)) => match number.as_i128() {
                Some(int) => self.satisfied_by(int).for_each(judge),
                None => self.all_numeric().for_each(judge),
            },
            Some(Value::String(text)) => {
                let waits = self.equal_text.get(text.as_str()).into_iter().flatten();
                waits.map(|(id, extent)| (*id, *extent)).for_each(judge);
            }
            // As above.
            Some(_) | None => {}
        }
    }

    /// A float may satisfy any of them; the predicates decide.
    fn all_numeric(&self) -> impl Iterator<Item = (WaiterId, Extent)> {
        let all = self.at_least.keys().chain(self.at_most.keys()).chain(self.equal.keys());
        all.map(|(_, id)| (*id, Extent::Part))
    }
}
