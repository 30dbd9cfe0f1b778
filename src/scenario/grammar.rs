//! The keys of every mapping of the format, with their meaning: one table for the parser, the messages and the schema.
//!
//! The parser asks a table what is allowed and looks keys up through it, so that nothing is read that is not described
//! here; a test proves that nothing is described that is not read.

mod control;
#[cfg(test)]
pub(crate) mod coverage;
mod daemons;
mod events;
mod octez;
mod scenario;
mod steps;

pub(crate) use self::control::{FOR, REPEAT, USE};
pub(crate) use self::daemons::{
    ACCUSER, ANY_DAEMON, BACKOFF, BAKER, DEFAULTS, ENVELOPE, EVENT_LEVELS, NODE, PROCESS, READY,
    RESTART, UPGRADE, WITH_ACCUSER, WITH_BAKER, WITH_NODE, WITH_PROCESS,
};
pub(crate) use self::events::{EXITED, EXPECT, INVARIANT, INVARIANT_NEVER, NEVER, UNTIL};
pub(crate) use self::octez::{ACTIVATE, ATTEST, BAKE, EXEC, INJECT, PEERS, PREATTEST, REACH, RPC};
pub(crate) use self::scenario::SCENARIO;
pub(crate) use self::steps::{LIFECYCLE, PAUSE, SIGNAL, STEP};

use super::diagnostic::listed;

/// One kind of mapping.
#[derive(Debug)]
pub(crate) struct Table {
    /// As messages and the schema call it.
    pub(crate) name: &'static str,
    /// What one can look like, for messages.
    pub(crate) example: &'static str,
    pub(crate) doc: &'static str,
    /// In groups, so that tables can share some.
    pub(crate) keys: &'static [&'static [Field]],
    /// Keys and verbs of the format that this version does not have yet.
    pub(crate) later: &'static [&'static str],
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) need: Need,
    pub(crate) shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
}

/// What a value can look like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Text in which variables expand.
    Text,
    /// Text as it stands: a predicate or an expression.
    Formula,
    /// The name of something, without variables.
    Name,
    Duration,
    /// A whole number, at least this.
    Integer(i64),
    Number,
    Boolean,
    /// `true` or `false`, without variables.
    Flag,
    Word(&'static [&'static str]),
    /// Any JSON.
    Any,
    /// A JSON object.
    Object,
    List(&'static Shape),
    /// A list with at least so many items.
    AtLeast(usize, &'static Shape),
    /// Free keys, values of one shape.
    Map(&'static Shape),
    Table(&'static Table),
    OneOf(&'static [Shape]),
    /// Told apart by the key `kind`.
    Daemon,
    /// A list of [`STEP`]s. Not written as one, because steps hold steps.
    Steps,
}

/// A name or several.
pub(crate) const NAMES: Shape = Shape::OneOf(&[Shape::Text, Shape::AtLeast(1, &Shape::Text)]);
pub(crate) const CAPTURE: Shape = Shape::Map(&Shape::Formula);

impl Table {
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static Field> + Clone {
        self.keys.iter().flat_map(|group| group.iter())
    }

    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.fields().map(|field| field.name)
    }
}

impl Shape {
    /// What is expected, in the words of an error message.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Formula => "an expression such as `level >= 4`".to_owned(),
            Self::Name => "a text without variables".to_owned(),
            Self::Duration => "a duration such as `30s`".to_owned(),
            Self::Integer(i64::MIN) => "a whole number".to_owned(),
            Self::Integer(least) => format!("a whole number, at least {least}"),
            Self::Number => "a number such as `1.5`".to_owned(),
            Self::Boolean | Self::Flag => "`true` or `false`".to_owned(),
            Self::Word(words) => listed(words.iter()),
            Self::Any => "a value".to_owned(),
            Self::Object => "a mapping such as `{ key: value }`".to_owned(),
            Self::Steps => format!("a list of steps, each such as `{}`", STEP.example),
            Self::List(Self::Steps) => "a list of lists of steps such as `[[…], […]]`".to_owned(),
            Self::List(Self::Text | Self::Name) => "a list of texts such as `[a, b]`".to_owned(),
            Self::List(shape) => format!("a list of {}", shape.plural()),
            Self::AtLeast(1, shape) => Self::List(shape).expected(),
            Self::AtLeast(least, shape) => {
                format!("{}, at least {least} of them", Self::List(shape).expected())
            }
            Self::Map(shape) => format!("a mapping from names to {}", shape.plural()),
            Self::Table(table) => format!("a mapping such as `{}`", table.example),
            Self::Daemon => format!("a mapping such as `{}`", NODE.example),
            Self::OneOf(shapes) => {
                let all: Vec<String> = shapes.iter().map(Self::expected).collect();
                all.join(", or ")
            }
        }
    }

    fn plural(&self) -> String {
        match self {
            Self::Text => "texts".to_owned(),
            Self::Formula => "expressions".to_owned(),
            Self::Name => "names".to_owned(),
            Self::Integer(_) => "whole numbers".to_owned(),
            Self::Any => "values".to_owned(),
            Self::Table(table) => format!("mappings such as `{}`", table.example),
            other => other.expected(),
        }
    }
}

pub(crate) const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, doc, need: Need::Required, shape }
}

pub(crate) const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, doc, need: Need::Optional, shape }
}

/// The limit that every step that waits has.
pub(crate) const WITHIN: Field =
    optional("within", Shape::Duration, "How long it may take at most; 60s if not given.");
pub(crate) const WHERE: Field = optional(
    "where",
    Shape::Formula,
    "A predicate over the payload, in CEL's syntax: `level >= 4`, `hash.startsWith(\"o\")`, `self == $tip`. \
     Quote it inside `{ … }` if it has a comma or a bracket.",
);
pub(crate) const CAPTURE_FIELD: Field = optional(
    "capture",
    CAPTURE,
    "Variables to set: an expression over the payload for each; the JSON type is kept.",
);
