//! What is wrong with a source, and why a value is unknown.

use std::fmt;
use std::ops::Range;

use super::value::ValueKind;

/// The source is no expression; `span` points at the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", Help(help.as_deref()))]
pub struct ParseError {
    /// Bytes of the source; empty at its end where something is missing there.
    pub span: Range<usize>,
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// A [`ParseError`] on its way up. It is thin, because each of the parser's many frames has room for one.
#[derive(Debug)]
pub(super) struct Refusal(Box<ParseError>);

impl Refusal {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        ParseError { span: span.range(), message: message.into(), help: None }.into()
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(super) fn has_help(&self) -> bool {
        self.0.help.is_some()
    }
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        Self(Box::new(error))
    }
}

impl From<Refusal> for ParseError {
    fn from(refusal: Refusal) -> Self {
        *refusal.0
    }
}

struct Help<'a>(Option<&'a str>);

impl fmt::Display for Help<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// Why an expression has no value, and which part of it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}: {reason}{}", Remedy { reason: *reason, text })]
pub struct Unknown {
    /// Bytes of the source.
    pub span: Range<usize>,
    /// The source at `span`, shortened if it is long.
    pub text: String,
    pub reason: UnknownReason,
}

/// What kept a value from being known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownReason {
    #[error("no such field")]
    NoSuchField,
    #[error("no such field, the payload is {payload}")]
    PayloadWithoutFields { payload: ValueKind },
    #[error("no such variable")]
    NoSuchVariable,
    #[error("there is no event here")]
    NoEvent,
    #[error("the event has no time")]
    NoTime,
    /// The index saturates.
    #[error("no element {index}, there are {length}")]
    OutOfRange { index: i64, length: usize },
    #[error("{found}, not {wanted}")]
    WrongType { found: ValueKind, wanted: &'static str },
    /// Octez prints 64-bit integers as strings.
    #[error("a string, not a number")]
    NumberInString,
    #[error("{left} and {right} do not compare")]
    Incomparable { left: ValueKind, right: ValueKind },
    #[error("not the text of {wanted}")]
    NotNumeric { wanted: &'static str },
    #[error("the result is too large")]
    Overflow,
    #[error("division by zero")]
    DivisionByZero,
    #[error("not a regular expression, or too large a one")]
    InvalidRegex,
    #[error("too much work for one evaluation")]
    TooMuchWork,
}

struct Remedy<'a> {
    reason: UnknownReason,
    text: &'a str,
}

impl fmt::Display for Remedy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            UnknownReason::NumberInString => write!(f, " (use int({}))", self.text),
            _ => Ok(()),
        }
    }
}

/// A place in the source; its length limit keeps offsets within 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        let offset = |at| u32::try_from(at).expect("the source is at most 64 KiB long");
        Self { start: offset(start), end: offset(end) }
    }

    pub(super) fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) fn of(self, source: &str) -> &str {
        &source[self.range()]
    }
}

/// An [`Unknown`] before anyone asks for its text; evaluation makes many of them and must not allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) span: Span,
    pub(super) reason: UnknownReason,
}

impl Fault {
    pub(super) fn new(span: Span, reason: UnknownReason) -> Self {
        Self { span, reason }
    }

    pub(super) fn wrong_type(span: Span, found: ValueKind, wanted: &'static str) -> Self {
        Self { span, reason: UnknownReason::WrongType { found, wanted } }
    }

    pub(super) fn describe(self, source: &str) -> Unknown {
        Unknown {
            span: self.span.range(),
            text: shortened(self.span.of(source)),
            reason: self.reason,
        }
    }
}

/// How much of a source or a value a message shows, in characters.
pub(super) const SHOWN: usize = 60;

/// The text, its middle left out if it is long.
pub(super) fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= SHOWN {
        return text.to_owned();
    }
    let head: String = text.chars().take(SHOWN * 2 / 3).collect();
    let tail: String = text.chars().skip(count - SHOWN / 3 + 1).collect();
    format!("{head}…{tail}")
}
