//! What an expression reads, known without evaluating it.

use std::fmt;
use std::ops::Range;

use super::ast::{EventField, Expr, Literal, Node};
use super::lex::is_name;
use super::literal::Quoted;

/// A step from a value into a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathElement {
    Field(String),
    Index(usize),
}

/// As it stands in a source, after what it goes into: `.hash`, `["fd-sink-item.v0"]`, `[0]`.
impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) if is_name(name) => write!(f, ".{name}"),
            Self::Field(name) => write!(f, "[{}]", Quoted(name)),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A `$name` in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableReference {
    pub name: String,
    /// Bytes of the source, the dollar included.
    pub span: Range<usize>,
}

/// What an expression reads, in the order of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Paths into the payload, each once; the empty path is the whole payload. A path ends before what is only known at
    /// evaluation: a computed index, the element of a macro.
    pub fields: Vec<Vec<PathElement>>,
    /// Each once.
    pub event: Vec<EventField>,
    /// Each place where one stands.
    pub variables: Vec<VariableReference>,
}

impl References {
    pub(super) fn of(root: &Expr) -> Self {
        let mut references = Self::default();
        references.collect(root);
        references
    }

    fn collect(&mut self, expr: &Expr) {
        if let Some(path) = payload_path(expr) {
            if !self.fields.contains(&path) {
                self.fields.push(path);
            }
            return;
        }
        match &expr.node {
            Node::Event(field) if !self.event.contains(field) => self.event.push(*field),
            Node::Variable(name) => {
                let name = name.to_string();
                self.variables.push(VariableReference { name, span: expr.span.range() });
            }
            node => node.for_each_child(&mut |child| self.collect(child)),
        }
    }
}

/// The path of an expression that is a field of the payload at fixed names and positions.
pub(super) fn payload_path(expr: &Expr) -> Option<Vec<PathElement>> {
    match &expr.node {
        Node::Payload => Some(Vec::new()),
        Node::Member { base, field } => {
            let mut path = payload_path(base)?;
            path.push(PathElement::Field(field.to_string()));
            Some(path)
        }
        Node::Index { base, index } => {
            let Node::Literal(Literal::Int(position)) = index.node else { return None };
            let mut path = payload_path(base)?;
            path.push(PathElement::Index(usize::try_from(position).ok()?));
            Some(path)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
