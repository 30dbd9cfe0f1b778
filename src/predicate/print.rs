//! The canonical source of a tree: what parses back to it, with no bracket that is not needed.

use std::fmt::{self, Formatter};

use super::ast::{ArithmeticOp, Expr, Literal, Node};
use super::lex::is_name;
use super::literal::Quoted;
use super::parse::{KEYWORDS, RESERVED};

/// How tightly the outermost operator of a tree binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Conditional,
    Or,
    And,
    Relation,
    Sum,
    Product,
    Unary,
    Postfix,
}

impl Level {
    fn of(node: &Node) -> Self {
        match node {
            Node::Conditional { .. } => Self::Conditional,
            Node::Or(_) => Self::Or,
            Node::And(_) => Self::And,
            Node::Compare { .. } | Node::In { .. } => Self::Relation,
            Node::Arithmetic { op: ArithmeticOp::Add | ArithmeticOp::Subtract, .. } => Self::Sum,
            Node::Arithmetic { .. } => Self::Product,
            // A number may have a minus, and a dot after it would be its own.
            Node::Not(_) | Node::Negate(_) | Node::Literal(Literal::Int(_) | Literal::Float(_)) => {
                Self::Unary
            }
            _ => Self::Postfix,
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Printer { f, bound: Vec::new() }.expr(self, Level::Conditional)
    }
}

struct Printer<'p, 'f> {
    f: &'p mut Formatter<'f>,
    /// The names that macros bind around this place, which hide fields of the payload.
    bound: Vec<&'p str>,
}

impl<'p> Printer<'p, '_> {
    fn expr(&mut self, expr: &'p Expr, least: Level) -> fmt::Result {
        if Level::of(&expr.node) < least {
            self.f.write_str("(")?;
            self.node(&expr.node)?;
            self.f.write_str(")")
        } else {
            self.node(&expr.node)
        }
    }

    fn node(&mut self, node: &'p Node) -> fmt::Result {
        match node {
            Node::Literal(literal) => self.literal(literal),
            Node::List { items, .. } => {
                self.f.write_str("[")?;
                self.joined(items, ", ", Level::Conditional)?;
                self.f.write_str("]")
            }
            Node::Payload => self.f.write_str("self"),
            Node::Event(field) => write!(self.f, "event.{}", field.as_str()),
            Node::Variable(name) => write!(self.f, "${name}"),
            Node::Bound { name, .. } => self.f.write_str(name),
            Node::Member { base, field } => self.member(base, field),
            Node::Index { base, index } => {
                self.expr(base, Level::Postfix)?;
                self.f.write_str("[")?;
                self.expr(index, Level::Conditional)?;
                self.f.write_str("]")
            }
            Node::Not(inner) => self.prefixed("!", inner),
            Node::Negate(inner) => self.prefixed("-", inner),
            Node::And(items) => self.joined(items, " && ", Level::Relation),
            Node::Or(items) => self.joined(items, " || ", Level::And),
            Node::Compare { op, left, right } => {
                self.infix(left, op.as_str(), right, Level::Sum, Level::Sum)
            }
            Node::In { item, container } => {
                self.infix(item, "in", container, Level::Sum, Level::Sum)
            }
            Node::Arithmetic { op, left, right } => {
                let (left_level, right_level) = match op {
                    ArithmeticOp::Add | ArithmeticOp::Subtract => (Level::Sum, Level::Product),
                    _ => (Level::Product, Level::Unary),
                };
                self.infix(left, op.as_str(), right, left_level, right_level)
            }
            Node::Conditional { condition, then, otherwise } => {
                self.infix(condition, "?", then, Level::Or, Level::Or)?;
                self.f.write_str(" : ")?;
                self.expr(otherwise, Level::Conditional)
            }
            Node::Has(place) => self.call("has", place),
            Node::Convert { function, argument } => self.call(function.as_str(), argument),
            Node::TextTest { function, text, argument } => {
                self.method(text, function.as_str(), argument)
            }
            Node::Matches { text, pattern, .. } => self.method(text, "matches", pattern),
            Node::Macro { kind, list, name, body } => {
                self.expr(list, Level::Postfix)?;
                write!(self.f, ".{}({name}, ", kind.as_str())?;
                self.bound.push(name);
                self.expr(body, Level::Conditional)?;
                self.bound.pop();
                self.f.write_str(")")
            }
        }
    }

    fn literal(&mut self, literal: &Literal) -> fmt::Result {
        match literal {
            Literal::Null => self.f.write_str("null"),
            Literal::Bool(value) => write!(self.f, "{value}"),
            Literal::Int(value) => write!(self.f, "{value}"),
            Literal::Float(value) => write!(self.f, "{value:?}"),
            Literal::Str(text) => write!(self.f, "{}", Quoted(text)),
        }
    }

    fn member(&mut self, base: &'p Expr, field: &str) -> fmt::Result {
        let hidden = RESERVED.contains(&field)
            || ["self", "event"].contains(&field)
            || self.bound.contains(&field);
        if base.node == Node::Payload && is_name(field) && !hidden {
            return self.f.write_str(field);
        }
        self.expr(base, Level::Postfix)?;
        if is_name(field) && !KEYWORDS.contains(&field) {
            write!(self.f, ".{field}")
        } else {
            write!(self.f, "[{}]", Quoted(field))
        }
    }

    fn prefixed(&mut self, sign: &str, inner: &'p Expr) -> fmt::Result {
        self.f.write_str(sign)?;
        self.expr(inner, Level::Unary)
    }

    fn infix(
        &mut self,
        left: &'p Expr,
        symbol: &str,
        right: &'p Expr,
        left_level: Level,
        right_level: Level,
    ) -> fmt::Result {
        self.expr(left, left_level)?;
        write!(self.f, " {symbol} ")?;
        self.expr(right, right_level)
    }

    fn joined(&mut self, items: &'p [Expr], separator: &str, least: Level) -> fmt::Result {
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.f.write_str(separator)?;
            }
            self.expr(item, least)?;
        }
        Ok(())
    }

    fn call(&mut self, name: &str, argument: &'p Expr) -> fmt::Result {
        write!(self.f, "{name}(")?;
        self.expr(argument, Level::Conditional)?;
        self.f.write_str(")")
    }

    fn method(&mut self, text: &'p Expr, name: &str, argument: &'p Expr) -> fmt::Result {
        self.expr(text, Level::Postfix)?;
        write!(self.f, ".{name}(")?;
        self.expr(argument, Level::Conditional)?;
        self.f.write_str(")")
    }
}

#[cfg(test)]
mod tests;
