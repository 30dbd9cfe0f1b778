//! Comparisons of a field with a constant, as data: an index over many waiters asks each field once.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde_json::Value as Json;

use super::ast::{CompareOp, Expr, Node};
use super::compare::{compare, int_part};
use super::eval::{Evaluation, Work};
use super::references::{PathElement, payload_path};
use super::value::Val;
use super::{Subject, Truth, Variables};

/// `field OP constant`, which holds wherever the predicate it was taken from holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The field; empty is the payload itself.
    pub path: Vec<PathElement>,
    pub op: ComparisonOp,
    pub constant: Constant,
    /// The comparison is the entire predicate: where it holds, the predicate does.
    pub whole: bool,
}

/// How a field is compared with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComparisonOp {
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
}

/// A scalar in one form for each value, so that `==` and `Hash` agree with what a predicate calls equal: a float that is
/// a whole number is an [`Constant::Int`].
#[derive(Clone, Debug)]
pub enum Constant {
    Null,
    Bool(bool),
    Int(i128),
    /// Finite, and not a whole number within 128 bits.
    Float(f64),
    Str(String),
}

impl Comparison {
    pub(super) fn of(root: &Expr, vars: &dyn Variables) -> Option<Self> {
        let whole = !matches!(root.node, Node::And(_));
        root.conjuncts().into_iter().find_map(|clause| Self::of_clause(clause, vars, whole))
    }

    fn of_clause(clause: &Expr, vars: &dyn Variables, whole: bool) -> Option<Self> {
        let boolean = |field: &Expr, value| {
            let (path, constant) = (payload_path(field)?, Constant::Bool(value));
            Some(Self { path, op: ComparisonOp::Eq, constant, whole })
        };
        match &clause.node {
            Node::Compare { op, left, right } => {
                let (path, op, constant) = match (payload_path(left), payload_path(right)) {
                    (Some(path), None) => (path, *op, right),
                    (None, Some(path)) => (path, op.exchanged(), left),
                    _ => return None,
                };
                let op = ComparisonOp::of(op)?;
                Some(Self { path, op, constant: Constant::of_expr(constant, vars)?, whole })
            }
            Node::Not(field) => boolean(field, false),
            _ => boolean(clause, true),
        }
    }

    /// The field of a payload; `None` where there is no such field.
    pub fn field<'a>(&self, payload: &'a Json) -> Option<&'a Json> {
        self.path.iter().try_fold(payload, |value, step| match step {
            PathElement::Field(name) => value.as_object()?.get(name),
            PathElement::Index(index) => value.as_array()?.get(*index),
        })
    }

    /// Whether the comparison holds for this value of the field, as the predicate would answer.
    pub fn test(&self, field: &Json) -> Truth {
        let constant = self.constant.as_value();
        compare(self.op.operator(), &Val::of(field), &constant, &Work::new()).into()
    }
}

impl ComparisonOp {
    fn of(op: CompareOp) -> Option<Self> {
        Some(match op {
            CompareOp::Eq => Self::Eq,
            CompareOp::Lt => Self::Lt,
            CompareOp::Le => Self::Le,
            CompareOp::Gt => Self::Gt,
            CompareOp::Ge => Self::Ge,
            CompareOp::Ne => return None,
        })
    }

    fn operator(self) -> CompareOp {
        match self {
            Self::Eq => CompareOp::Eq,
            Self::Lt => CompareOp::Lt,
            Self::Le => CompareOp::Le,
            Self::Gt => CompareOp::Gt,
            Self::Ge => CompareOp::Ge,
        }
    }
}

impl Constant {
    /// `None` for a list or an object.
    pub fn of(value: &Json) -> Option<Self> {
        Self::of_value(&Val::of(value))
    }

    fn of_value(value: &Val<'_>) -> Option<Self> {
        Some(match value {
            Val::Null => Self::Null,
            Val::Bool(value) => Self::Bool(*value),
            Val::Int(value) => Self::Int(*value),
            Val::Float(value) => match int_part(*value) {
                Some(whole) if value.fract() == 0.0 => Self::Int(whole),
                _ => Self::Float(*value),
            },
            other => Self::Str(other.as_str()?.to_owned()),
        })
    }

    /// The value of an expression that reads nothing but variables.
    fn of_expr(expr: &Expr, vars: &dyn Variables) -> Option<Self> {
        if !is_constant(expr) {
            return None;
        }
        let nothing = Json::Null;
        let evaluation = Evaluation::new(&Subject::payload(&nothing), vars);
        Self::of_value(&evaluation.value(expr, None).ok()?)
    }

    fn as_value(&self) -> Val<'_> {
        match self {
            Self::Null => Val::Null,
            Self::Bool(value) => Val::Bool(*value),
            Self::Int(value) => Val::Int(*value),
            Self::Float(value) => Val::Float(*value),
            Self::Str(text) => Val::Str(text),
        }
    }

    /// How a field's value stands to this constant, for a search in a sorted list; `None` where the two do not compare.
    pub fn order_of(&self, field: &Json) -> Option<Ordering> {
        super::compare::order(&Val::of(field), &self.as_value(), &Work::new()).ok()
    }
}

fn is_constant(expr: &Expr) -> bool {
    if matches!(expr.node, Node::Payload | Node::Event(_) | Node::Bound { .. }) {
        return false;
    }
    let mut constant = true;
    expr.node.for_each_child(&mut |child| constant &= is_constant(child));
    constant
}

impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left.to_bits() == right.to_bits(),
            (Self::Str(left), Self::Str(right)) => left == right,
            _ => false,
        }
    }
}

impl Eq for Constant {}

impl Hash for Constant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Bool(value) => value.hash(state),
            Self::Int(value) => value.hash(state),
            Self::Float(value) => value.to_bits().hash(state),
            Self::Str(text) => text.hash(state),
        }
    }
}

/// Numbers by value, strings by their bytes; constants of different types have no order.
impl PartialOrd for Constant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, Self::Null) => Some(Ordering::Equal),
            _ => super::compare::order(&self.as_value(), &other.as_value(), &Work::new()).ok(),
        }
    }
}

#[cfg(test)]
mod tests;
