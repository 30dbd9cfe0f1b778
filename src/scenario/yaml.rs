//! YAML, strictly: a tree with the place of every node, and none of the language's surprises.
//!
//! [`parse`] builds the tree from the parser's events and refuses what a scenario never needs: tags, anchors and aliases,
//! merge keys, duplicate keys, a second document. [`scalar`] says what a plain scalar is, [`place()`] where a byte of its
//! text stands in the file.

mod build;
mod place;
mod refuse;
mod scalar;

pub(crate) use self::build::parse;
pub(crate) use self::place::place;
pub(crate) use self::scalar::{Plain, Trap, classify};
use super::source::Span;

/// A file larger than this is no scenario.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// Deeper nesting than this is no scenario; it also bounds the recursion of everything that walks the tree.
const MAX_DEPTH: usize = 64;

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// Literal (`|`) or folded (`>`).
    Block,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Mapping),
}

#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
}

#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) entries: Vec<Entry>,
    pub(crate) layout: Layout,
}

/// Whether a mapping stands in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Block,
    Flow,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) value: Node,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) style: Style,
    pub(crate) span: Span,
}

impl Node {
    /// Nothing was written: `key:` and no value.
    pub(crate) fn is_absent(&self) -> bool {
        // A bare scalar has at least one character.
        matches!(&self.content, Content::Scalar(scalar) if scalar.text.is_empty() && scalar.style == Style::Plain)
    }

    /// What it is, in the words of an error message.
    pub(crate) fn describe(&self) -> String {
        match &self.content {
            _ if self.is_absent() => "nothing".to_owned(),
            Content::Sequence(_) => "a list".to_owned(),
            Content::Mapping(_) => "a mapping".to_owned(),
            Content::Scalar(scalar) => scalar.describe(),
        }
    }
}

impl Scalar {
    pub(crate) fn describe(&self) -> String {
        let shown = shortened(&self.text);
        if self.style != Style::Plain {
            return format!("the text `{shown}`");
        }
        match classify(&self.text) {
            Plain::Integer(_) | Plain::Float(_) => format!("the number `{shown}`"),
            Plain::Boolean(_) => format!("the boolean `{shown}`"),
            Plain::Null => "null".to_owned(),
            Plain::Text | Plain::Trap(_) => format!("`{shown}`"),
        }
    }
}

/// At most 40 characters on one line, for messages.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String =
        text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
