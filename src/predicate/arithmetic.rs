//! Arithmetic: exact on integers, on floats where one of the two is one; `+` also joins strings and lists.

use super::ast::ArithmeticOp;
use super::error::UnknownReason;
use super::eval::Work;
use super::value::{Val, ValueKind};

/// Which operand a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
    Both,
}

pub(super) fn arithmetic<'a>(
    op: ArithmeticOp,
    left: &Val<'a>,
    right: &Val<'a>,
    work: &Work,
) -> Result<Val<'a>, (Side, UnknownReason)> {
    match (left, right) {
        (Val::Int(left), Val::Int(right)) => {
            integers(op, *left, *right).map_err(|reason| (Side::Both, reason))
        }
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => floats(op, left, right),
            _ if op == ArithmeticOp::Add => join(left, right, work),
            (None, _) => Err((Side::Left, left.no_number("a number"))),
            (_, None) => Err((Side::Right, right.no_number("a number"))),
        },
    }
}

fn integers<'a>(op: ArithmeticOp, left: i128, right: i128) -> Result<Val<'a>, UnknownReason> {
    use ArithmeticOp::{Add, Divide, Multiply, Remainder, Subtract};
    if matches!(op, Divide | Remainder) && right == 0 {
        return Err(UnknownReason::DivisionByZero);
    }
    let result = match op {
        Add => left.checked_add(right),
        Subtract => left.checked_sub(right),
        Multiply => left.checked_mul(right),
        Divide => left.checked_div(right),
        Remainder => left.checked_rem(right),
    };
    result.map(Val::Int).ok_or(UnknownReason::Overflow)
}

fn floats<'a>(op: ArithmeticOp, left: f64, right: f64) -> Result<Val<'a>, (Side, UnknownReason)> {
    use ArithmeticOp::{Add, Divide, Multiply, Remainder, Subtract};
    let result = match op {
        Add => left + right,
        Subtract => left - right,
        Multiply => left * right,
        Divide if right == 0.0 => return Err((Side::Both, UnknownReason::DivisionByZero)),
        Divide => left / right,
        Remainder => {
            let wanted = "two integers";
            let reason = UnknownReason::WrongType { found: ValueKind::Number, wanted };
            return Err((Side::Both, reason));
        }
    };
    finite(result).map_err(|reason| (Side::Both, reason))
}

fn finite<'a>(value: f64) -> Result<Val<'a>, UnknownReason> {
    if value.is_finite() { Ok(Val::Float(value)) } else { Err(UnknownReason::Overflow) }
}

pub(super) fn negated<'a>(value: &Val<'a>) -> Result<Val<'a>, UnknownReason> {
    match value {
        Val::Int(value) => value.checked_neg().map(Val::Int).ok_or(UnknownReason::Overflow),
        Val::Float(value) => Ok(Val::Float(-value)),
        other => Err(other.no_number("a number")),
    }
}

fn join<'a>(
    left: &Val<'a>,
    right: &Val<'a>,
    work: &Work,
) -> Result<Val<'a>, (Side, UnknownReason)> {
    let both = |reason| (Side::Both, reason);
    if let (Some(head), Some(tail)) = (left.as_str(), right.as_str()) {
        work.bytes(head.len() + tail.len()).map_err(both)?;
        return Ok(Val::Text([head, tail].concat().into()));
    }
    if let (Some(head), Some(tail)) = (left.list_length(), right.list_length()) {
        work.steps(head + tail).map_err(both)?;
        let elements = |list| Val::elements(list).into_iter().flatten();
        return Ok(Val::Built(elements(left).chain(elements(right)).collect()));
    }
    Err(match left.kind() {
        ValueKind::Number => (Side::Right, right.no_number("a number")),
        _ if right.kind() == ValueKind::Number => (Side::Left, left.no_number("a number")),
        ValueKind::String | ValueKind::List => {
            let reason =
                UnknownReason::WrongType { found: right.kind(), wanted: left.kind().as_str() };
            (Side::Right, reason)
        }
        found => {
            let wanted = "a number, a string or a list";
            (Side::Left, UnknownReason::WrongType { found, wanted })
        }
    })
}

#[expect(clippy::cast_precision_loss, reason = "a sum with a float is a float")]
fn number(value: &Val<'_>) -> Option<f64> {
    match value {
        Val::Int(value) => Some(*value as f64),
        Val::Float(value) => Some(*value),
        _ => None,
    }
}
