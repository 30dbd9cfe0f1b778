//! The shape of the payloads of one event: a tree of what was seen at each path.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Field;
use crate::predicate::PathElement;

/// An object with more names than this is a map: its names are data.
const NAMES: usize = 40;
/// What lies deeper is not looked at.
const DEPTH: usize = 12;
/// Places of one event.
const PLACES: usize = 2_000;
const EXAMPLE: usize = 60;

/// What was seen in the payloads of one event.
#[derive(Debug, Default)]
pub(super) struct Shape {
    root: Place,
    places: usize,
    is_partial: bool,
}

#[derive(Debug, Default)]
struct Place {
    count: u64,
    types: BTreeMap<&'static str, u64>,
    example: Option<String>,
    fields: BTreeMap<String, Place>,
    /// Elements of lists.
    items: Option<Box<Place>>,
    /// Values of objects that are maps.
    values: Option<Box<Place>>,
}

impl Shape {
    pub(super) fn add(&mut self, payload: &Value) {
        let Self { root, places, is_partial } = self;
        root.add(payload, DEPTH, &mut Room { places, is_partial });
    }

    pub(super) fn count(&self) -> u64 {
        self.root.count
    }

    pub(super) fn is_partial(&self) -> bool {
        self.is_partial
    }

    pub(super) fn into_fields(self) -> BTreeMap<String, Field> {
        let mut fields = BTreeMap::new();
        self.root.flatten("self", &mut fields);
        fields
    }
}

/// What may still be made.
struct Room<'r> {
    places: &'r mut usize,
    is_partial: &'r mut bool,
}

impl Room<'_> {
    fn take(&mut self) -> bool {
        let is_left = *self.places < PLACES;
        *self.places += usize::from(is_left);
        *self.is_partial |= !is_left;
        is_left
    }
}

impl Place {
    fn add(&mut self, value: &Value, depth: usize, room: &mut Room<'_>) {
        self.count += 1;
        *self.types.entry(type_of(value)).or_default() += 1;
        match value {
            Value::Array(_) | Value::Object(_) if depth == 0 => *room.is_partial = true,
            Value::Array(items) => {
                for item in items {
                    if let Some(place) = child(&mut self.items, room) {
                        place.add(item, depth - 1, room);
                    }
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    if let Some(place) = self.field(name, room) {
                        place.add(value, depth - 1, room);
                    }
                }
            }
            Value::Null => {}
            _ => drop(self.example.get_or_insert_with(|| shortened(&value.to_string()))),
        }
    }

    fn field(&mut self, name: &str, room: &mut Room<'_>) -> Option<&mut Self> {
        if self.values.is_none() && self.fields.len() >= NAMES && !self.fields.contains_key(name) {
            let mut values = Self::default();
            for (_, place) in std::mem::take(&mut self.fields) {
                values.merge(place);
            }
            self.values = Some(Box::new(values));
        }
        // Once it is known to be a map, names are not told apart.
        if self.fields.is_empty() && self.values.is_some() || is_data(name) {
            return child(&mut self.values, room);
        }
        if !self.fields.contains_key(name) {
            if !room.take() {
                return None;
            }
            self.fields.insert(name.to_owned(), Self::default());
        }
        self.fields.get_mut(name)
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        for (name, count) in other.types {
            *self.types.entry(name).or_default() += count;
        }
        self.example = self.example.take().or(other.example);
        for (name, place) in other.fields {
            self.fields.entry(name).or_default().merge(place);
        }
        for (mine, others) in [(&mut self.items, other.items), (&mut self.values, other.values)] {
            if let Some(others) = others {
                mine.get_or_insert_default().merge(*others);
            }
        }
    }

    fn flatten(self, path: &str, fields: &mut BTreeMap<String, Field>) {
        let inside = |name: &str| {
            if path == "self" { name.to_owned() } else { format!("{path}.{name}") }
        };
        for (name, place) in self.fields {
            let element = PathElement::Field(name).to_string();
            let path = match element.strip_prefix('.') {
                Some(name) => inside(name),
                None => format!("{path}{element}"),
            };
            place.flatten(&path, fields);
        }
        if let Some(place) = self.values {
            place.flatten(&inside("*"), fields);
        }
        if let Some(place) = self.items {
            place.flatten(&format!("{path}[]"), fields);
        }
        let types = self.types.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        let field = Field { count: self.count, types, example: self.example };
        fields.insert(path.to_owned(), field);
    }
}

fn child<'p>(place: &'p mut Option<Box<Place>>, room: &mut Room<'_>) -> Option<&'p mut Place> {
    if place.is_none() && !room.take() {
        return None;
    }
    Some(place.get_or_insert_default())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Whether a key is a number or looks like a hash, so that it is no name that somebody thought of.
fn is_data(name: &str) -> bool {
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let is_hash = name.len() >= 20
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().any(|byte| byte.is_ascii_digit());
    is_number || is_hash
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(EXAMPLE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Whether a path of a catalogue is, or leads through, the one that a predicate reads.
pub(super) fn leads_to(known: &str, path: &[PathElement]) -> bool {
    let inside = known.strip_prefix("self").filter(|rest| rest.is_empty() || rest.starts_with('['));
    let mut rest = inside.unwrap_or(known);
    let mut is_first = inside.is_none();
    for element in path {
        let written = element.to_string();
        let written = match element {
            PathElement::Index(_) => "[]",
            PathElement::Field(_) if is_first => written.strip_prefix('.').unwrap_or(&written),
            PathElement::Field(_) => &written,
        };
        let is_key = matches!(element, PathElement::Field(_));
        let map = rest.strip_prefix(".*").or_else(|| rest.strip_prefix('*')).filter(|_| is_key);
        let direct = rest
            .strip_prefix(written)
            .filter(|after| after.is_empty() || after.starts_with(['.', '[']));
        match direct.or(map) {
            Some(after) => rest = after,
            None => return false,
        }
        is_first = false;
    }
    true
}
