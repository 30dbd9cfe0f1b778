//! Values during an evaluation: borrowed from the payload, the variables or the source wherever possible.

use std::fmt;
use std::rc::Rc;

use serde_json::{Map, Number, Value as Json};

use super::ast::Literal;
use super::error::{SHOWN, UnknownReason, shortened};
use super::literal::Quoted;

/// What a value is, as a message says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    Null,
    Boolean,
    Number,
    String,
    List,
    Object,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ValueKind {
    /// With its article.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i128),
    /// Always finite.
    Float(f64),
    Str(&'a str),
    /// A string that the evaluation made.
    Text(Rc<str>),
    List(&'a [Json]),
    Strings(&'a [String]),
    /// A list that the evaluation made.
    Built(Rc<[Val<'a>]>),
    Object(&'a Map<String, Json>),
}

impl<'a> Val<'a> {
    pub(super) fn of(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::of_number(number),
            Json::String(text) => Self::Str(text),
            Json::Array(list) => Self::List(list),
            Json::Object(map) => Self::Object(map),
        }
    }

    fn of_number(number: &Number) -> Self {
        if let Some(value) = number.as_i64() {
            Self::Int(value.into())
        } else if let Some(value) = number.as_u64() {
            Self::Int(value.into())
        } else {
            Self::Float(number.as_f64().expect("a JSON number is an integer of 64 bits or a float"))
        }
    }

    pub(super) fn of_literal(literal: &'a Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Bool(value) => Self::Bool(*value),
            Literal::Int(value) => Self::Int(*value),
            Literal::Float(value) => Self::Float(*value),
            Literal::Str(text) => Self::Str(text),
        }
    }

    pub(super) fn kind(&self) -> ValueKind {
        match self {
            Self::Null => ValueKind::Null,
            Self::Bool(_) => ValueKind::Boolean,
            Self::Int(_) | Self::Float(_) => ValueKind::Number,
            Self::Str(_) | Self::Text(_) => ValueKind::String,
            Self::List(_) | Self::Strings(_) | Self::Built(_) => ValueKind::List,
            Self::Object(_) => ValueKind::Object,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of elements of a list.
    pub(super) fn list_length(&self) -> Option<usize> {
        match self {
            Self::List(list) => Some(list.len()),
            Self::Strings(list) => Some(list.len()),
            Self::Built(list) => Some(list.len()),
            _ => None,
        }
    }

    pub(super) fn element(&self, index: usize) -> Option<Self> {
        match self {
            Self::List(list) => list.get(index).map(Self::of),
            Self::Strings(list) => list.get(index).map(|text| Self::Str(text)),
            Self::Built(list) => list.get(index).cloned(),
            _ => None,
        }
    }

    /// The elements of a list, or the keys of an object.
    pub(super) fn elements(&self) -> Option<Elements<'_, 'a>> {
        match self {
            Self::Object(map) => Some(Elements::Keys(map.keys())),
            _ => self.list_length().map(|length| Elements::List { list: self, next: 0, length }),
        }
    }

    /// What is wrong with a value that should have been a number.
    pub(super) fn no_number(&self, wanted: &'static str) -> UnknownReason {
        match self.as_str() {
            Some(text) if text.parse::<i128>().is_ok() => UnknownReason::NumberInString,
            _ => UnknownReason::WrongType { found: self.kind(), wanted },
        }
    }
}

pub(super) enum Elements<'v, 'a> {
    List { list: &'v Val<'a>, next: usize, length: usize },
    Keys(serde_json::map::Keys<'a>),
}

impl Elements<'_, '_> {
    pub(super) fn count_left(&self) -> usize {
        match self {
            Self::List { next, length, .. } => length - next,
            Self::Keys(keys) => keys.len(),
        }
    }
}

impl<'a> Iterator for Elements<'_, 'a> {
    type Item = Val<'a>;

    fn next(&mut self) -> Option<Val<'a>> {
        match self {
            Self::List { list, next, .. } => {
                let element = list.element(*next)?;
                *next += 1;
                Some(element)
            }
            Self::Keys(keys) => keys.next().map(|key| Val::Str(key)),
        }
    }
}

/// As JSON, cut when it gets long.
impl fmt::Display for Val<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = Shown::default();
        // The only error is that of having seen enough.
        let complete = shown.value(self).is_ok();
        f.write_str(&shortened(&shown.0))?;
        if complete { Ok(()) } else { f.write_str("…") }
    }
}

/// Collects what is shown of a value, and refuses more: values may be megabytes.
#[derive(Default)]
struct Shown(String);

struct Enough;

impl Shown {
    fn push(&mut self, text: &str) -> Result<(), Enough> {
        let left = SHOWN.saturating_sub(self.0.chars().count());
        self.0.extend(text.chars().take(left));
        if text.chars().nth(left).is_some() { Err(Enough) } else { Ok(()) }
    }

    fn value(&mut self, value: &Val<'_>) -> Result<(), Enough> {
        match value {
            Val::Null => self.push("null"),
            Val::Bool(value) => self.push(if *value { "true" } else { "false" }),
            Val::Int(value) => self.push(&value.to_string()),
            Val::Float(value) => self.push(&format!("{value:?}")),
            Val::Str(text) => self.string(text),
            Val::Text(text) => self.string(text),
            Val::Object(map) => {
                self.push("{")?;
                for (position, (key, value)) in map.iter().enumerate() {
                    self.push(if position == 0 { "" } else { "," })?;
                    self.string(key)?;
                    self.push(":")?;
                    self.value(&Val::of(value))?;
                }
                self.push("}")
            }
            Val::List(_) | Val::Strings(_) | Val::Built(_) => {
                self.push("[")?;
                for (position, element) in value.elements().into_iter().flatten().enumerate() {
                    self.push(if position == 0 { "" } else { "," })?;
                    self.value(&element)?;
                }
                self.push("]")
            }
        }
    }

    /// The end of a hash or a path says as much as its beginning.
    fn string(&mut self, text: &str) -> Result<(), Enough> {
        const LONG: usize = 4 * SHOWN;
        let cut = match (text.char_indices().nth(LONG / 8), text.char_indices().nth_back(LONG / 16))
        {
            (Some((head, _)), Some((tail, _))) if text.len() > LONG / 4 && head < tail => {
                &format!("{}…{}", &text[..head], &text[tail..])
            }
            _ => text,
        };
        self.push(&Quoted(cut).to_string())
    }
}
