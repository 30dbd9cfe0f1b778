//! The functions.

use super::ast::{Convert, Expr, Pattern, TextTest};
use super::call::computed_regex;
use super::compare::int_part;
use super::error::{Fault, UnknownReason};
use super::eval::{Evaluation, Scope};
use super::value::{Val, ValueKind};

/// A pattern that is computed is compiled for each use, which may take as long as this many steps.
const REGEX_STEPS: usize = 20_000;

impl<'a> Evaluation<'a> {
    pub(super) fn text_test(
        &self,
        function: TextTest,
        text: &'a Expr,
        argument: &'a Expr,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Result<bool, Fault> {
        let (whole, part) = (self.value(text, scope)?, self.value(argument, scope)?);
        let (whole, part) = (string(&whole, text)?, string(&part, argument)?);
        Ok(match function {
            TextTest::StartsWith => whole.starts_with(part),
            TextTest::EndsWith => whole.ends_with(part),
            TextTest::Contains => {
                self.bytes(whole.len(), text)?;
                whole.contains(part)
            }
        })
    }

    pub(super) fn matches(
        &self,
        text: &'a Expr,
        pattern: &'a Expr,
        compiled: Option<&Pattern>,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Result<bool, Fault> {
        let subject = self.value(text, scope)?;
        let subject = string(&subject, text)?;
        self.bytes(subject.len(), text)?;
        if let Some(Pattern(regex)) = compiled {
            return Ok(regex.is_match(subject));
        }
        let source = self.value(pattern, scope)?;
        let source = string(&source, pattern)?;
        let steps = REGEX_STEPS + source.len();
        self.work.steps(steps).map_err(|reason| Fault::new(pattern.span, reason))?;
        match computed_regex(source) {
            Ok(regex) => Ok(regex.is_match(subject)),
            Err(_) => Err(Fault::new(pattern.span, UnknownReason::InvalidRegex)),
        }
    }

    pub(super) fn convert(
        &self,
        function: Convert,
        argument: &'a Expr,
        whole: &Expr,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Result<Val<'a>, Fault> {
        let value = self.value(argument, scope)?;
        if let Some(text) = value.as_str() {
            self.bytes(text.len(), argument)?;
        }
        let result = match function {
            Convert::Size => size(&value),
            Convert::Int => int(&value),
            Convert::Double => double(&value),
            Convert::String => to_string(value),
        };
        result.map_err(|reason| match reason {
            UnknownReason::Overflow => Fault::new(whole.span, reason),
            _ => Fault::new(argument.span, reason),
        })
    }

    fn bytes(&self, bytes: usize, expr: &Expr) -> Result<(), Fault> {
        self.work.bytes(bytes).map_err(|reason| Fault::new(expr.span, reason))
    }
}

fn string<'v>(value: &'v Val<'_>, expr: &Expr) -> Result<&'v str, Fault> {
    value.as_str().ok_or(Fault::wrong_type(expr.span, value.kind(), ValueKind::String.as_str()))
}

/// Characters of a string, elements of a list, fields of an object.
fn size<'a>(value: &Val<'a>) -> Result<Val<'a>, UnknownReason> {
    let size = match (value.as_str(), value.elements()) {
        (Some(text), _) => text.chars().count(),
        (_, Some(elements)) => elements.count_left(),
        _ => {
            let wanted = "a string, a list or an object";
            return Err(UnknownReason::WrongType { found: value.kind(), wanted });
        }
    };
    i128::try_from(size).map(Val::Int).map_err(|_| UnknownReason::Overflow)
}

fn int<'a>(value: &Val<'a>) -> Result<Val<'a>, UnknownReason> {
    match value {
        Val::Int(value) => Ok(Val::Int(*value)),
        Val::Float(value) => int_part(*value).map(Val::Int).ok_or(UnknownReason::Overflow),
        other => match other.as_str() {
            Some(text) => text
                .parse()
                .map(Val::Int)
                .map_err(|_| UnknownReason::NotNumeric { wanted: "an integer" }),
            None => Err(no_conversion(other, "a number or a string")),
        },
    }
}

fn double<'a>(value: &Val<'a>) -> Result<Val<'a>, UnknownReason> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "the nearest float is what is asked for")]
        Val::Int(value) => Ok(Val::Float(*value as f64)),
        Val::Float(value) => Ok(Val::Float(*value)),
        other => match other.as_str() {
            Some(text) => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(Val::Float(value)),
                _ => Err(UnknownReason::NotNumeric { wanted: "a number" }),
            },
            None => Err(no_conversion(other, "a number or a string")),
        },
    }
}

fn to_string(value: Val<'_>) -> Result<Val<'_>, UnknownReason> {
    let text = match value {
        Val::Str(_) | Val::Text(_) => return Ok(value),
        Val::Bool(value) => value.to_string(),
        Val::Int(value) => value.to_string(),
        Val::Float(value) => value.to_string(),
        other => return Err(no_conversion(&other, "a string, a number or a boolean")),
    };
    Ok(Val::Text(text.into()))
}

fn no_conversion(value: &Val<'_>, wanted: &'static str) -> UnknownReason {
    UnknownReason::WrongType { found: value.kind(), wanted }
}
