//! What a payload is made of: the notation of the table of events, and whether a value fits.

use std::collections::HashMap;

use serde_json::Value;

/// A payload, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A type by its name: a built-in one, or one that the table defines.
    Named(String),
    /// This very string.
    Word(String),
    /// These fields, in this order, and no others unless it goes on.
    Fields(Vec<(String, Shape)>, GoesOn),
    /// These items.
    Items(Vec<Shape>),
    /// Any number of these.
    Many(Box<Shape>),
    Either(Vec<Shape>),
}

/// Whether there may be more fields, after those that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoesOn {
    Yes,
    No,
}

/// The types that a table defines for itself.
pub type Types = HashMap<String, Shape>;

impl Shape {
    pub fn parse(text: &str) -> Self {
        let mut rest = text;
        let shape = alternatives(&mut rest);
        assert!(rest.is_empty(), "{text}: what is {rest:?}?");
        shape
    }

    /// Nothing, or the path of the first part that does not fit and what it is.
    pub fn misfit(&self, value: &Value, types: &Types) -> Option<String> {
        match self {
            Self::Named(name) => match types.get(name) {
                Some(shape) => shape.misfit(value, types),
                None => (!is_of(name, value)).then(|| format!(" is no {name}: {value}")),
            },
            Self::Word(word) => (value != word).then(|| format!(" is not '{word}': {value}")),
            Self::Fields(wanted, goes_on) => {
                let Value::Object(fields) = value else {
                    return Some(format!(" is no object: {value}"));
                };
                let compared = if *goes_on == GoesOn::Yes { wanted.len() } else { usize::MAX };
                if !fields.keys().take(compared).eq(wanted.iter().map(|(name, _)| name)) {
                    return Some(format!(" has other fields: {value}"));
                }
                wanted.iter().find_map(|(name, shape)| {
                    Some(format!(".{name}{}", shape.misfit(&fields[name], types)?))
                })
            }
            Self::Items(wanted) => match value.as_array() {
                Some(items) if items.len() == wanted.len() => {
                    items.iter().zip(wanted).find_map(|(item, shape)| shape.misfit(item, types))
                }
                _ => Some(format!(" is not a list of {}: {value}", wanted.len())),
            },
            Self::Many(shape) => match value.as_array() {
                Some(items) => items.iter().find_map(|item| shape.misfit(item, types)),
                None => Some(format!(" is no list: {value}")),
            },
            Self::Either(shapes) => {
                let misfits: Option<Vec<_>> =
                    shapes.iter().map(|shape| shape.misfit(value, types)).collect();
                Some(misfits?.join(", and"))
            }
        }
    }
}

fn alternatives(rest: &mut &str) -> Shape {
    let mut shapes = vec![single(rest)];
    while eat(rest, '|') {
        shapes.push(single(rest));
    }
    if shapes.len() == 1 { shapes.remove(0) } else { Shape::Either(shapes) }
}

fn single(rest: &mut &str) -> Shape {
    if eat(rest, '\'') {
        let word = Shape::Word(name(rest));
        assert!(eat(rest, '\''), "no end of a word before {rest:?}");
        return word;
    }
    if eat(rest, '{') {
        let mut fields = Vec::new();
        while !eat(rest, '}') {
            if eat(rest, '.') {
                assert_eq!(&rest[..2], ".}", "it goes on, and does not end");
                *rest = &rest[2..];
                return Shape::Fields(fields, GoesOn::Yes);
            }
            let field = name(rest);
            assert!(eat(rest, ':'), "no colon before {rest:?}");
            fields.push((field, alternatives(rest)));
            eat(rest, ',');
        }
        return Shape::Fields(fields, GoesOn::No);
    }
    if eat(rest, '[') {
        if eat(rest, ']') {
            return Shape::Items(Vec::new());
        }
        let mut items = vec![alternatives(rest)];
        let many = eat(rest, '*');
        while eat(rest, ',') {
            items.push(alternatives(rest));
        }
        assert!(eat(rest, ']'), "no end of a list before {rest:?}");
        return if many { Shape::Many(Box::new(items.remove(0))) } else { Shape::Items(items) };
    }
    Shape::Named(name(rest))
}

fn eat(rest: &mut &str, wanted: char) -> bool {
    let after = rest.strip_prefix(wanted);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

fn name(rest: &mut &str) -> String {
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
    let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
    assert!(!name.is_empty(), "a name is wanted before {rest:?}");
    *rest = after;
    name.to_owned()
}

/// Whether a value is of a built-in type.
fn is_of(name: &str, value: &Value) -> bool {
    let text = value.as_str();
    let hash = |prefix, length| text.is_some_and(|text| is_hash(text, prefix, length));
    let matches = |pattern| text.is_some_and(|text| matches(text, pattern));
    match name {
        "block" => hash("B", 51),
        "operation" => hash("o", 51),
        "protocol" => hash("P", 51),
        "chain" => hash("Net", 15),
        "peer" => hash("id", 30),
        "context" => hash("Co", 52),
        "operations" => hash("LLo", 53),
        "payload" => hash("vh", 52),
        "key" => ["tz1", "tz2", "tz3", "tz4"].iter().any(|prefix| hash(prefix, 36)),
        "signature" => hash("sig", 96),
        "hex" => text.is_some_and(is_hex),
        "evidence" => text.is_some_and(|text| is_hex(text) && text.ends_with(&"00".repeat(64))),
        "int" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        "bool" => value.is_boolean(),
        "null" => value.is_null(),
        "text" => text.is_some(),
        "time" => matches(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"),
        "instant" => matches(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}-00:00$"),
        "list" => value.is_array(),
        "trace" => value.as_array().is_some_and(|errors| {
            !errors.is_empty()
                && errors.iter().all(|error| error["kind"].is_string() && error["id"].is_string())
        }),
        "any" => true,
        other => panic!("the table has no type {other:?}"),
    }
}

fn is_hash(text: &str, prefix: &str, length: usize) -> bool {
    let checked = bs58::decode(text).with_check(None).into_vec();
    text.starts_with(prefix) && text.len() == length && checked.is_ok()
}

fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
}

pub fn matches(text: &str, pattern: &str) -> bool {
    regex::Regex::new(pattern).unwrap().is_match(text)
}

#[test]
fn a_payload_that_differs_in_any_part_is_told_by_its_path() {
    let types = Types::from([("point".to_owned(), Shape::parse("[int,int]"))]);
    let shape = Shape::parse("{kind:'a'|'b',at:{now:point,then:[hex*]}}");
    let fits = |json: &str| {
        let value: Value = serde_json::from_str(json).unwrap();
        shape.misfit(&value, &types)
    };
    assert_eq!(fits(r#"{"kind":"b","at":{"now":[1,2],"then":["","0a"]}}"#), None);
    for (json, told) in [
        (r#"{"at":{"now":[1,2],"then":[]},"kind":"b"}"#, "other fields"),
        (r#"{"kind":"b","at":{"now":[1,2],"then":[]},"more":1}"#, "other fields"),
        (r#"{"kind":"c","at":{"now":[1,2],"then":[]}}"#, ".kind is not 'a'"),
        (r#"{"kind":"a","at":{"now":[1],"then":[]}}"#, ".at.now is not a list of 2"),
        (r#"{"kind":"a","at":{"now":[1,2.5],"then":[]}}"#, ".at.now is no int"),
        (r#"{"kind":"a","at":{"now":[1,2],"then":["0A"]}}"#, ".at.then is no hex"),
        ("[]", "no object"),
    ] {
        let misfit = fits(json).unwrap_or_else(|| panic!("{json} fits"));
        assert!(misfit.contains(told), "{json}: {misfit}");
    }
}

#[test]
fn an_open_object_may_have_more_fields_at_its_end_only() {
    let open = Shape::parse("{a:int,..}");
    let misfit = |value| open.misfit(&value, &Types::new());
    assert_eq!(misfit(serde_json::json!({"a": 1, "b": 2})), None);
    assert!(misfit(serde_json::json!({"b": 2, "a": 1})).is_some());
    assert!(misfit(serde_json::json!({})).is_some());
}

#[test]
fn a_hash_with_one_wrong_letter_is_none() {
    let good = "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2";
    assert!(is_hash(good, "B", 51));
    assert!(!is_hash(&good.replace("f79", "f78"), "B", 51));
    assert!(!is_hash(good, "o", 51));
}
