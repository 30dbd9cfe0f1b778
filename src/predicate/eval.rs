//! Three-valued evaluation: `Err` is unknown, and says what was missing.

use std::cell::Cell;

use serde_json::{Number, Value as Json};

use super::arithmetic::{Side, arithmetic, negated};
use super::ast::{ArithmeticOp, CompareOp, EventField, Expr, Macro, Node};
use super::compare::{compare, equal};
use super::error::{Fault, UnknownReason};
use super::value::{Elements, Val, ValueKind};
use super::{EventMeta, Subject, Variables};

/// What one evaluation may do, so that macros in macros over a long list come to an end: about 0.1 s.
const MAX_STEPS: usize = 1 << 21;

/// Bytes that are handled in the time of a step.
const BYTES_PER_STEP: usize = 64;

/// The steps that are left.
#[derive(Debug)]
pub(super) struct Work(Cell<usize>);

impl Work {
    pub(super) fn new() -> Self {
        Self(Cell::new(MAX_STEPS))
    }

    pub(super) fn steps(&self, steps: usize) -> Result<(), UnknownReason> {
        if let Some(left) = self.0.get().checked_sub(steps) {
            self.0.set(left);
            Ok(())
        } else {
            // Nothing that costs anything works after this.
            self.0.set(0);
            Err(UnknownReason::TooMuchWork)
        }
    }

    pub(super) fn step(&self) -> Result<(), UnknownReason> {
        self.steps(1)
    }

    pub(super) fn bytes(&self, bytes: usize) -> Result<(), UnknownReason> {
        self.steps(bytes / BYTES_PER_STEP)
    }
}

/// The elements that the macros around an expression are at, innermost first.
#[derive(Debug)]
pub(super) struct Scope<'s, 'a> {
    pub(super) element: Val<'a>,
    pub(super) outer: Option<&'s Scope<'s, 'a>>,
}

#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    payload: &'a Json,
    event: Option<EventMeta<'a>>,
    vars: VariablesRef<'a>,
    pub(super) work: Work,
}

#[derive(Clone, Copy)]
struct VariablesRef<'a>(&'a dyn Variables);

impl std::fmt::Debug for VariablesRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Variables")
    }
}

pub(super) type Scopes<'s, 'a> = Option<&'s Scope<'s, 'a>>;

impl<'a> Evaluation<'a> {
    pub(super) fn new(subject: &Subject<'a>, vars: &'a dyn Variables) -> Self {
        let work = Work::new();
        Self { payload: subject.payload, event: subject.event, vars: VariablesRef(vars), work }
    }

    /// Whether the expression holds.
    pub(super) fn truth(&self, expr: &'a Expr, scope: Scopes<'_, 'a>) -> Result<bool, Fault> {
        self.work.step().map_err(|reason| Fault::new(expr.span, reason))?;
        match &expr.node {
            Node::And(items) => self.fold(items, scope, false),
            Node::Or(items) => self.fold(items, scope, true),
            Node::Not(inner) => self.truth(inner, scope).map(|holds| !holds),
            Node::Compare { op, left, right } => self.compare(*op, left, right, expr, scope),
            Node::In { item, container } => self.contained(item, container, expr, scope),
            Node::Has(place) => self.has(place, scope),
            Node::TextTest { function, text, argument } => {
                self.text_test(*function, text, argument, scope)
            }
            Node::Matches { text, pattern, regex } => {
                self.matches(text, pattern, regex.as_ref(), scope)
            }
            Node::Macro { kind: Macro::Exists, list, body, .. } => {
                self.quantified(list, body, scope, true)
            }
            Node::Macro { kind: Macro::All, list, body, .. } => {
                self.quantified(list, body, scope, false)
            }
            Node::Conditional { condition, then, otherwise } => {
                let chosen = if self.truth(condition, scope)? { then } else { otherwise };
                self.truth(chosen, scope)
            }
            _ => match self.value(expr, scope)? {
                Val::Bool(holds) => Ok(holds),
                other => Err(Fault::wrong_type(expr.span, other.kind(), "a boolean")),
            },
        }
    }

    pub(super) fn value(&self, expr: &'a Expr, scope: Scopes<'_, 'a>) -> Result<Val<'a>, Fault> {
        self.work.step().map_err(|reason| Fault::new(expr.span, reason))?;
        match &expr.node {
            Node::Literal(literal) => Ok(Val::of_literal(literal)),
            Node::Payload => Ok(Val::of(self.payload)),
            Node::Member { base, field } => match self.place(expr) {
                Some(value) => Ok(Val::of(value)),
                None => self.member(base, field, expr, scope),
            },
            Node::Index { base, index } => self.index(base, index, expr, scope),
            Node::Event(field) => self.event_field(*field, expr),
            Node::Variable(name) => match self.vars.0.get(name) {
                Some(value) => Ok(Val::of(value)),
                None => Err(Fault::new(expr.span, UnknownReason::NoSuchVariable)),
            },
            Node::Bound { up, .. } => Ok(bound(scope, *up)),
            Node::List { items, constant } => self.list(items, constant.as_deref(), scope),
            Node::Arithmetic { op, left, right } => self.arithmetic(*op, left, right, expr, scope),
            Node::Negate(inner) => {
                let value = self.value(inner, scope)?;
                negated(&value).map_err(|reason| Fault::new(inner.span, reason))
            }
            Node::Convert { function, argument } => self.convert(*function, argument, expr, scope),
            Node::Macro { kind: Macro::Filter, list, body, .. } => self.filter(list, body, scope),
            Node::Macro { kind: Macro::Map, list, body, .. } => self.map(list, body, scope),
            Node::Conditional { condition, then, otherwise } => {
                let chosen = if self.truth(condition, scope)? { then } else { otherwise };
                self.value(chosen, scope)
            }
            Node::And(_)
            | Node::Or(_)
            | Node::Not(_)
            | Node::Compare { .. }
            | Node::In { .. }
            | Node::Has(_)
            | Node::TextTest { .. }
            | Node::Matches { .. }
            | Node::Macro { kind: Macro::Exists | Macro::All, .. } => {
                self.truth(expr, scope).map(Val::Bool)
            }
        }
    }

    /// The value as JSON.
    pub(super) fn json(&self, expr: &'a Expr) -> Result<Json, Fault> {
        let value = self.value(expr, None)?;
        self.to_json(&value).map_err(|reason| Fault::new(expr.span, reason))
    }

    /// `&&` is decided by one that is false, `||` by one that is true, in whatever order they stand.
    fn fold(
        &self,
        items: &'a [Expr],
        scope: Scopes<'_, 'a>,
        decisive: bool,
    ) -> Result<bool, Fault> {
        kleene(items.iter().map(|item| self.truth(item, scope)), decisive)
    }

    fn quantified(
        &self,
        list: &'a Expr,
        body: &'a Expr,
        scope: Scopes<'_, 'a>,
        decisive: bool,
    ) -> Result<bool, Fault> {
        let list_value = self.value(list, scope)?;
        let elements = elements(&list_value, list)?;
        let holds = |element| self.truth(body, Some(&Scope { element, outer: scope }));
        kleene(elements.map(holds), decisive)
    }

    fn filter(
        &self,
        list: &'a Expr,
        body: &'a Expr,
        scope: Scopes<'_, 'a>,
    ) -> Result<Val<'a>, Fault> {
        let list_value = self.value(list, scope)?;
        let mut kept = Vec::new();
        for element in elements(&list_value, list)? {
            if self.truth(body, Some(&Scope { element: element.clone(), outer: scope }))? {
                kept.push(element);
            }
        }
        Ok(Val::Built(kept.into()))
    }

    fn map(&self, list: &'a Expr, body: &'a Expr, scope: Scopes<'_, 'a>) -> Result<Val<'a>, Fault> {
        let list_value = self.value(list, scope)?;
        let of_element = |element| self.value(body, Some(&Scope { element, outer: scope }));
        elements(&list_value, list)?.map(of_element).collect::<Result<_, _>>().map(Val::Built)
    }

    fn compare(
        &self,
        op: CompareOp,
        left: &'a Expr,
        right: &'a Expr,
        whole: &Expr,
        scope: Scopes<'_, 'a>,
    ) -> Result<bool, Fault> {
        let (left_value, right_value) = (self.value(left, scope)?, self.value(right, scope)?);
        compare(op, &left_value, &right_value, &self.work).map_err(|reason| {
            incomparable((left, &left_value), (right, &right_value), reason)
                .unwrap_or(Fault::new(whole.span, reason))
        })
    }

    fn contained(
        &self,
        item: &'a Expr,
        container: &'a Expr,
        whole: &Expr,
        scope: Scopes<'_, 'a>,
    ) -> Result<bool, Fault> {
        let item_value = self.value(item, scope)?;
        let is_item = |element: Val<'a>| {
            self.work
                .step()
                .and_then(|()| equal(&item_value, &element, &self.work))
                .map_err(|reason| Fault::new(whole.span, reason))
        };
        // Elements that are written out need no list to be made of them, but all of them must be known.
        if let Node::List { items, constant: None } = &container.node {
            let mut found = Ok(false);
            for element in items {
                let element = self.value(element, scope)?;
                found = kleene([found, is_item(element)].into_iter(), true);
            }
            return found;
        }
        let container_value = self.value(container, scope)?;
        if let Val::Object(map) = container_value {
            return match item_value.as_str() {
                Some(key) => Ok(map.contains_key(key)),
                None => Err(Fault::wrong_type(item.span, item_value.kind(), "a string")),
            };
        }
        kleene(elements(&container_value, container)?.map(is_item), true)
    }

    /// The place must be in something that is known.
    fn has(&self, place: &'a Expr, scope: Scopes<'_, 'a>) -> Result<bool, Fault> {
        match self.value(place, scope) {
            Ok(_) => Ok(true),
            Err(fault) if fault.span != place.span => Err(fault),
            Err(fault) => match fault.reason {
                UnknownReason::NoSuchField
                | UnknownReason::NoSuchVariable
                | UnknownReason::NoTime
                | UnknownReason::OutOfRange { .. } => Ok(false),
                _ => Err(fault),
            },
        }
    }

    /// The short way to a field of the payload or of a variable that is there, as most are.
    fn place(&self, expr: &Expr) -> Option<&'a Json> {
        match &expr.node {
            Node::Payload => Some(self.payload),
            Node::Variable(name) => self.vars.0.get(name),
            Node::Member { base, field } => self.place(base)?.as_object()?.get(&**field),
            _ => None,
        }
    }

    fn member(
        &self,
        base: &'a Expr,
        field: &str,
        whole: &Expr,
        scope: Scopes<'_, 'a>,
    ) -> Result<Val<'a>, Fault> {
        let object = match self.value(base, scope)? {
            Val::Object(object) => object,
            // `level` means `self.level`, but does not say so.
            other if base.node == Node::Payload && base.span == whole.span => {
                let reason = UnknownReason::PayloadWithoutFields { payload: other.kind() };
                return Err(Fault::new(whole.span, reason));
            }
            other => return Err(Fault::wrong_type(base.span, other.kind(), "an object")),
        };
        match object.get(field) {
            Some(value) => Ok(Val::of(value)),
            None => Err(Fault::new(whole.span, UnknownReason::NoSuchField)),
        }
    }

    fn index(
        &self,
        base: &'a Expr,
        index: &'a Expr,
        whole: &Expr,
        scope: Scopes<'_, 'a>,
    ) -> Result<Val<'a>, Fault> {
        let (base_value, index_value) = (self.value(base, scope)?, self.value(index, scope)?);
        if let Val::Object(object) = base_value {
            let Some(key) = index_value.as_str() else {
                return Err(Fault::wrong_type(index.span, index_value.kind(), "a string"));
            };
            return match object.get(key) {
                Some(value) => Ok(Val::of(value)),
                None => Err(Fault::new(whole.span, UnknownReason::NoSuchField)),
            };
        }
        let Some(length) = base_value.list_length() else {
            let found = base_value.kind();
            return Err(Fault::wrong_type(base.span, found, "a list or an object"));
        };
        let Val::Int(position) = index_value else {
            return Err(Fault::new(index.span, index_value.no_number("an integer")));
        };
        let element = usize::try_from(position).ok().and_then(|at| base_value.element(at));
        element.ok_or_else(|| {
            let farthest = if position < 0 { i64::MIN } else { i64::MAX };
            let index = i64::try_from(position).unwrap_or(farthest);
            Fault::new(whole.span, UnknownReason::OutOfRange { index, length })
        })
    }

    fn event_field(&self, field: EventField, whole: &Expr) -> Result<Val<'a>, Fault> {
        let Some(event) = self.event else {
            return Err(Fault::new(whole.span, UnknownReason::NoEvent));
        };
        match field {
            EventField::Name => Ok(Val::Str(event.name)),
            EventField::Daemon => Ok(Val::Str(event.daemon)),
            EventField::Section => Ok(Val::Strings(event.section)),
            EventField::Seq => Ok(Val::Int(event.seq.into())),
            EventField::Incarnation => Ok(Val::Int(event.incarnation.into())),
            EventField::Time => match event.time {
                Some(time) if time.is_finite() => Ok(Val::Float(time)),
                _ => Err(Fault::new(whole.span, UnknownReason::NoTime)),
            },
        }
    }

    fn list(
        &self,
        items: &'a [Expr],
        constant: Option<&'a [Json]>,
        scope: Scopes<'_, 'a>,
    ) -> Result<Val<'a>, Fault> {
        match constant {
            Some(list) => Ok(Val::List(list)),
            None => items
                .iter()
                .map(|item| self.value(item, scope))
                .collect::<Result<_, _>>()
                .map(Val::Built),
        }
    }

    fn arithmetic(
        &self,
        op: ArithmeticOp,
        left: &'a Expr,
        right: &'a Expr,
        whole: &Expr,
        scope: Scopes<'_, 'a>,
    ) -> Result<Val<'a>, Fault> {
        let (left_value, right_value) = (self.value(left, scope)?, self.value(right, scope)?);
        arithmetic(op, &left_value, &right_value, &self.work).map_err(|(side, reason)| {
            let span = match side {
                Side::Left => left.span,
                Side::Right => right.span,
                Side::Both => whole.span,
            };
            Fault::new(span, reason)
        })
    }

    /// A list that shares its elements may be far larger as JSON, so each copy counts.
    fn to_json(&self, value: &Val<'_>) -> Result<Json, UnknownReason> {
        self.work.step()?;
        Ok(match value {
            Val::Null => Json::Null,
            Val::Bool(value) => Json::Bool(*value),
            Val::Int(value) => Number::from_i128(*value).ok_or(UnknownReason::Overflow)?.into(),
            Val::Float(value) => Number::from_f64(*value).ok_or(UnknownReason::Overflow)?.into(),
            Val::Str(text) => self.text_to_json(text)?,
            Val::Text(text) => self.text_to_json(text)?,
            Val::List(_) | Val::Strings(_) | Val::Built(_) => {
                let elements = value.elements().into_iter().flatten();
                elements.map(|element| self.to_json(&element)).collect::<Result<_, _>>()?
            }
            Val::Object(map) => {
                let field = |(key, value): (&String, &_)| {
                    self.work.bytes(key.len())?;
                    Ok((key.clone(), self.to_json(&Val::of(value))?))
                };
                Json::Object(map.iter().map(field).collect::<Result<_, _>>()?)
            }
        })
    }

    fn text_to_json(&self, text: &str) -> Result<Json, UnknownReason> {
        self.work.bytes(text.len())?;
        Ok(Json::String(text.to_owned()))
    }
}

fn bound<'a>(scope: Scopes<'_, 'a>, up: usize) -> Val<'a> {
    let scopes = std::iter::successors(scope, |scope| scope.outer);
    let scope = scopes.into_iter().nth(up);
    scope.expect("the parser counted the macros around the name").element.clone()
}

/// Decided by the first outcome that is `decisive`; else unknown if one is, and that one is told.
fn kleene(
    outcomes: impl Iterator<Item = Result<bool, Fault>>,
    decisive: bool,
) -> Result<bool, Fault> {
    let mut undecided = Ok(!decisive);
    for outcome in outcomes {
        match outcome {
            Ok(holds) if holds == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(fault) => undecided = undecided.and(Err(fault)),
        }
    }
    undecided
}

fn elements<'v, 'a>(value: &'v Val<'a>, list: &Expr) -> Result<Elements<'v, 'a>, Fault> {
    let found = value.kind();
    value.elements().ok_or(Fault::wrong_type(list.span, found, "a list or an object"))
}

/// A comparison with a constant is the fault of what it was compared with.
fn incomparable(
    left: (&Expr, &Val<'_>),
    right: (&Expr, &Val<'_>),
    reason: UnknownReason,
) -> Option<Fault> {
    if !matches!(reason, UnknownReason::Incomparable { .. }) {
        return None;
    }
    let given = |expr: &Expr| matches!(expr.node, Node::Literal(_) | Node::Variable(_));
    let ((blamed, value), (_, wanted)) = match (given(left.0), given(right.0)) {
        (false, true) => (left, right),
        (true, false) => (right, left),
        _ => return None,
    };
    // Lists and objects differ inside, and what has no order has none with anything.
    if value.kind() == wanted.kind() {
        return None;
    }
    let reason = match wanted.kind() {
        ValueKind::Number => value.no_number("a number"),
        kind => UnknownReason::WrongType { found: value.kind(), wanted: kind.as_str() },
    };
    Some(Fault::new(blamed.span, reason))
}

#[cfg(test)]
mod tests;
