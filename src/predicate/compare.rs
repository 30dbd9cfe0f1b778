//! Equality and order. Numbers compare by their exact value, whatever their representation.

use std::cmp::Ordering;

use super::ast::CompareOp;
use super::error::UnknownReason;
use super::eval::Work;
use super::value::Val;

impl CompareOp {
    pub(super) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }

    /// The operator that says the same with its sides exchanged.
    pub(super) fn exchanged(self) -> Self {
        match self {
            Self::Eq | Self::Ne => self,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
        }
    }
}

/// Whether `left op right`.
pub(super) fn compare(
    op: CompareOp,
    left: &Val<'_>,
    right: &Val<'_>,
    work: &Work,
) -> Result<bool, UnknownReason> {
    match op {
        CompareOp::Eq => equal(left, right, work),
        CompareOp::Ne => equal(left, right, work).map(|equal| !equal),
        _ => order(left, right, work).map(|ordering| op.holds(ordering)),
    }
}

pub(super) fn order(
    left: &Val<'_>,
    right: &Val<'_>,
    work: &Work,
) -> Result<Ordering, UnknownReason> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        work.bytes(left.len().min(right.len()))?;
        return Ok(left.cmp(right));
    }
    match (left, right) {
        (Val::Bool(left), Val::Bool(right)) => Ok(left.cmp(right)),
        _ => numbers(left, right).ok_or(incomparable(left, right)),
    }
}

pub(super) fn equal(left: &Val<'_>, right: &Val<'_>, work: &Work) -> Result<bool, UnknownReason> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        work.bytes(left.len().min(right.len()))?;
        return Ok(left == right);
    }
    match (left, right) {
        (Val::Null, Val::Null) => Ok(true),
        (Val::Null, _) | (_, Val::Null) => Ok(false),
        (Val::Bool(left), Val::Bool(right)) => Ok(left == right),
        (Val::Object(left), Val::Object(right)) => {
            if left.len() != right.len() || !left.keys().all(|key| right.contains_key(key)) {
                return Ok(false);
            }
            let pairs = left.iter().filter_map(|(key, value)| Some((value, right.get(key)?)));
            all_equal(pairs.map(|(left, right)| (Val::of(left), Val::of(right))), work)
        }
        _ => match (left.list_length(), right.list_length()) {
            (Some(left_length), Some(right_length)) => {
                if left_length != right_length {
                    return Ok(false);
                }
                let elements = |list| Val::elements(list).into_iter().flatten();
                all_equal(elements(left).zip(elements(right)), work)
            }
            _ => numbers(left, right).map(Ordering::is_eq).ok_or(incomparable(left, right)),
        },
    }
}

/// One unequal pair decides, whatever is unknown about the others.
fn all_equal<'a>(
    pairs: impl Iterator<Item = (Val<'a>, Val<'a>)>,
    work: &Work,
) -> Result<bool, UnknownReason> {
    let mut outcome = Ok(true);
    for (left, right) in pairs {
        work.step()?;
        match equal(&left, &right, work) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(reason) => outcome = outcome.and(Err(reason)),
        }
    }
    outcome
}

fn incomparable(left: &Val<'_>, right: &Val<'_>) -> UnknownReason {
    UnknownReason::Incomparable { left: left.kind(), right: right.kind() }
}

/// `None` if one of them is no number.
fn numbers(left: &Val<'_>, right: &Val<'_>) -> Option<Ordering> {
    match (left, right) {
        (Val::Int(left), Val::Int(right)) => Some(left.cmp(right)),
        (Val::Float(left), Val::Float(right)) => left.partial_cmp(right),
        (Val::Int(left), Val::Float(right)) => Some(int_with_float(*left, *right)),
        (Val::Float(left), Val::Int(right)) => Some(int_with_float(*right, *left).reverse()),
        _ => None,
    }
}

/// 2^127, the first float above every `i128`.
pub(super) const INT_LIMIT: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// The order of an integer and a float that is a number.
pub(super) fn int_with_float(int: i128, float: f64) -> Ordering {
    match int_part(float) {
        // Beyond all integers; its sign decides.
        None => {
            if float > 0.0 {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        Some(part) => int.cmp(&part).then_with(|| {
            let fraction = float.fract();
            0.0_f64.partial_cmp(&fraction).unwrap_or(Ordering::Equal)
        }),
    }
}

/// The float without its fraction; `None` if no `i128` can hold that.
pub(super) fn int_part(float: f64) -> Option<i128> {
    let whole = float.trunc();
    #[expect(clippy::cast_possible_truncation, reason = "whole and in range: the cast is exact")]
    (-INT_LIMIT..INT_LIMIT).contains(&whole).then_some(whole as i128)
}

#[cfg(test)]
mod tests;
