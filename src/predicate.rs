//! Predicates over JSON in CEL's syntax: parsed once, evaluated three-valued, explained when they miss.
//!
//! A name is a field of the payload, `self` the payload, `event.name` and its siblings are about the event, `$name` is a
//! variable. A missing field or a wrong type makes what depends on it *unknown*, which is neither true nor false:
//! `false && unknown` is false, `true || unknown` is true, everything else that meets an unknown is unknown.
//!
//! Where CEL leaves a choice or JSON asks for another answer, this is what holds:
//!
//! - Integers are exact to 128 bits, an integer and a float compare by value, arithmetic on both gives a float. A result
//!   that overflows, is infinite or is not a number is unknown.
//! - Two values of different types do not compare, so `"1" == 1` is unknown; only `null` may be compared with anything.
//!   `in` and the equality of lists and objects follow from that, element by element.
//! - `has(a.b)` is false where `a` is an object without `b`, and unknown where there is no `a`; `has(a)` asks the payload.
//! - The macros go over the elements of a list or the keys of an object.
//!
//! There are no loops and no recursion; the length of the source, its nesting, regular expressions and the work of one
//! evaluation are limited, so any source and any payload end in an answer.

mod arithmetic;
mod ast;
mod call;
mod compare;
mod error;
mod eval;
mod explain;
mod functions;
mod index;
mod lex;
mod literal;
mod parse;
mod print;
mod references;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::BuildHasher;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;

pub use self::ast::EventField;
pub use self::error::{ParseError, Unknown, UnknownReason};
pub use self::explain::{Clause, Explanation};
pub use self::index::{Comparison, ComparisonOp, Constant};
pub use self::references::{PathElement, References, VariableReference};
pub use self::value::ValueKind;

use self::ast::Compiled;
use self::eval::Evaluation;

/// The longest source that is parsed, in bytes.
pub const MAX_SOURCE_BYTES: usize = 64 * 1024;

/// How deep brackets, calls and operators may nest.
pub const MAX_DEPTH: usize = 64;

/// A test on an event's payload; cheap to clone.
///
/// `Display` prints the canonical form, which parses back to an equal predicate; two predicates are equal if they differ
/// in spacing, quoting and needless brackets only.
#[derive(Clone, PartialEq)]
pub struct Predicate(Arc<Compiled>);

impl Predicate {
    /// Fails on what is no expression, and on an expression whose value is never a boolean.
    /// Compiles it once; the error points at the bytes that are wrong.
    pub fn parse(source: &str) -> Result<Self, ParseError> {
        Ok(Self(Arc::new(parse::predicate(source)?)))
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Whether the predicate holds. Does not allocate, unless the predicate builds a string or a list.
    pub fn test(&self, subject: &Subject<'_>, vars: &dyn Variables) -> Truth {
        Evaluation::new(subject, vars).truth(&self.0.root, None).into()
    }

    /// The truth of each clause, and what made it so.
    pub fn explain(&self, subject: &Subject<'_>, vars: &dyn Variables) -> Explanation {
        explain::explain(&self.0, subject, vars)
    }

    /// What the predicate reads.
    pub fn references(&self) -> &References {
        &self.0.references
    }

    /// The first clause that compares one field with a constant, if there is one: the predicate holds only where it does.
    ///
    /// A variable counts as a constant with the value it has in `vars`.
    pub fn comparison(&self, vars: &dyn Variables) -> Option<Comparison> {
        Comparison::of(&self.0.root, vars)
    }
}

impl FromStr for Predicate {
    type Err = ParseError;

    fn from_str(source: &str) -> Result<Self, ParseError> {
        Self::parse(source)
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.root.fmt(f)
    }
}

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Predicate").field(&self.source()).finish()
    }
}

/// An expression whose value is wanted: what a capture keeps, what a `let` computes; cheap to clone.
#[derive(Clone, PartialEq)]
pub struct Expression(Arc<Compiled>);

impl Expression {
    pub fn parse(source: &str) -> Result<Self, ParseError> {
        Ok(Self(Arc::new(parse::expression(source)?)))
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What the expression reads.
    pub fn references(&self) -> &References {
        &self.0.references
    }

    /// The value with its JSON type. An integer that JSON's 64 bits cannot hold is an overflow.
    pub fn evaluate(&self, subject: &Subject<'_>, vars: &dyn Variables) -> Result<Value, Unknown> {
        let evaluation = Evaluation::new(subject, vars);
        evaluation.json(&self.0.root).map_err(|fault| fault.describe(&self.0.source))
    }
}

impl FromStr for Expression {
    type Err = ParseError;

    fn from_str(source: &str) -> Result<Self, ParseError> {
        Self::parse(source)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.root.fmt(f)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source()).finish()
    }
}

/// The three values of a test. Only [`Truth::True`] is a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    /// Whether it is a match: unknown is none.
    pub fn is_true(self) -> bool {
        self == Self::True
    }

    /// Whether a field was missing or a type wrong.
    pub fn is_unknown(self) -> bool {
        self == Self::Unknown
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl<E> From<Result<bool, E>> for Truth {
    fn from(outcome: Result<bool, E>) -> Self {
        outcome.map_or(Self::Unknown, Self::from)
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown => "unknown",
        })
    }
}

/// What a predicate is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub payload: &'a Value,
    /// `None` where there is no event, as with the body of an RPC answer: `event.*` is then unknown.
    pub event: Option<EventMeta<'a>>,
}

impl<'a> Subject<'a> {
    /// A payload that belongs to no event.
    pub fn payload(payload: &'a Value) -> Self {
        Self { payload, event: None }
    }
}

/// What `event.*` reads.
#[derive(Clone, Copy, Debug)]
pub struct EventMeta<'a> {
    pub name: &'a str,
    pub daemon: &'a str,
    /// Seconds since the epoch, as the daemon said.
    pub time: Option<f64>,
    /// The Octez section, outermost first.
    pub section: &'a [String],
    pub seq: u64,
    pub incarnation: u32,
}

/// Where `$name` is looked up.
pub trait Variables {
    /// The value of `$name`, asked for without its dollar.
    fn get(&self, name: &str) -> Option<&Value>;
}

/// No variables at all.
impl Variables for () {
    fn get(&self, _: &str) -> Option<&Value> {
        None
    }
}

impl Variables for BTreeMap<String, Value> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

impl<S: BuildHasher> Variables for HashMap<String, Value, S> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

impl<V: Variables + ?Sized> Variables for &V {
    fn get(&self, name: &str) -> Option<&Value> {
        (**self).get(name)
    }
}
