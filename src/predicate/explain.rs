//! What made a predicate true, false or unknown, clause by clause: the nearest miss of a wait.

use std::ops::Range;

use super::ast::{Compiled, Expr, Macro, Node};
use super::error::{Fault, shortened};
use super::eval::{Evaluation, Scope, Scopes};
use super::value::Val;
use super::{Subject, Truth, Variables};

/// How many parts of a disjunction or clauses of a conjunction a line of text names.
const NAMED: usize = 3;

/// A predicate's truth for one subject, and that of its clauses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub truth: Truth,
    /// The operands of the outermost `&&`, in the order of the source; the whole predicate if there is none.
    pub clauses: Vec<Clause>,
}

/// One clause and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Bytes of the predicate's source.
    pub span: Range<usize>,
    pub source: String,
    pub truth: Truth,
    /// The values that decided: `level >= 10: 9 >= 10 is false`, or what was not there: `hash: no such field`.
    pub text: String,
}

impl Explanation {
    /// How many of the clauses that `&&` joins are true.
    pub fn clauses_true(&self) -> usize {
        self.clauses.iter().filter(|clause| clause.truth.is_true()).count()
    }

    /// The first clauses that are not true, on one line; all clauses if every one is true.
    pub fn text(&self) -> String {
        let missed = self.clauses.iter().filter(|clause| !clause.truth.is_true());
        let missed: Vec<_> = missed.map(|clause| clause.text.as_str()).collect();
        if missed.is_empty() {
            let all: Vec<_> = self.clauses.iter().map(|clause| clause.text.as_str()).collect();
            return listed(&all, "; ");
        }
        listed(&missed, "; ")
    }
}

pub(super) fn explain(
    compiled: &Compiled,
    subject: &Subject<'_>,
    vars: &dyn Variables,
) -> Explanation {
    let truth = Evaluation::new(subject, vars).truth(&compiled.root, None).into();
    let clause = |expr: &Expr| {
        let evaluation = Evaluation::new(subject, vars);
        let explainer = Explainer { source: &compiled.source, evaluation: &evaluation };
        explainer.clause(expr)
    };
    Explanation { truth, clauses: compiled.root.conjuncts().into_iter().map(clause).collect() }
}

struct Explainer<'e, 'a> {
    source: &'e str,
    evaluation: &'e Evaluation<'a>,
}

impl<'a> Explainer<'_, 'a> {
    fn clause(&self, expr: &'a Expr) -> Clause {
        let truth = self.evaluation.truth(expr, None).into();
        let source = expr.span.of(self.source);
        let facts = self.facts(expr, None);
        let text = match &facts {
            // These name the part of the source that they are about.
            Facts::Fault(text) | Facts::Named(text) => text.clone(),
            Facts::Values(text) if text.starts_with(source) => text.clone(),
            Facts::Values(text) => format!("{}: {text}", shortened(source)),
        };
        Clause { span: expr.span.range(), source: source.to_owned(), truth, text }
    }

    fn facts(&self, expr: &'a Expr, scope: Scopes<'_, 'a>) -> Facts {
        match &expr.node {
            Node::And(items) | Node::Or(items) => self.parts(expr, items, scope),
            Node::Not(inner) => self.facts(inner, scope),
            Node::Compare { op, left, right } => self.infix(expr, left, op.as_str(), right, scope),
            Node::In { item, container } => self.infix(expr, item, "in", container, scope),
            Node::TextTest { function, text, argument } => {
                self.method(expr, text, function.as_str(), argument, scope)
            }
            Node::Matches { text, pattern, .. } => {
                self.method(expr, text, "matches", pattern, scope)
            }
            Node::Macro { kind: kind @ (Macro::Exists | Macro::All), list, body, .. } => {
                self.quantified(expr, *kind, list, body, scope)
            }
            Node::Conditional { condition, then, otherwise } => {
                match self.evaluation.truth(condition, scope) {
                    Ok(true) => self.facts(then, scope),
                    Ok(false) => self.facts(otherwise, scope),
                    Err(fault) => self.fault(fault),
                }
            }
            _ => match self.evaluation.truth(expr, scope) {
                Ok(holds) => Facts::Named(format!("{} is {holds}", self.shown(expr))),
                Err(fault) => self.fault(fault),
            },
        }
    }

    /// Of the operands of `&&` and `||`, those that have the truth of the whole: they made it so.
    fn parts(&self, whole: &'a Expr, items: &'a [Expr], scope: Scopes<'_, 'a>) -> Facts {
        let truth = |expr| Truth::from(self.evaluation.truth(expr, scope));
        let wanted = truth(whole);
        let deciding = items.iter().filter(|item| truth(item) == wanted);
        let texts: Vec<_> = deciding.map(|item| self.facts(item, scope).into_text()).collect();
        Facts::Values(listed(&texts, ", "))
    }

    fn infix(
        &self,
        whole: &'a Expr,
        left: &'a Expr,
        symbol: &str,
        right: &'a Expr,
        scope: Scopes<'_, 'a>,
    ) -> Facts {
        self.decided(whole, scope, || {
            let (left, right) = (self.value(left, scope)?, self.value(right, scope)?);
            Ok(format!("{left} {symbol} {right}"))
        })
    }

    fn method(
        &self,
        whole: &'a Expr,
        text: &'a Expr,
        name: &str,
        argument: &'a Expr,
        scope: Scopes<'_, 'a>,
    ) -> Facts {
        self.decided(whole, scope, || {
            let (text, argument) = (self.value(text, scope)?, self.value(argument, scope)?);
            Ok(format!("{text}.{name}({argument})"))
        })
    }

    fn decided(
        &self,
        whole: &'a Expr,
        scope: Scopes<'_, 'a>,
        with_values: impl FnOnce() -> Result<String, Fault>,
    ) -> Facts {
        let outcome = self.evaluation.truth(whole, scope);
        match outcome.and_then(|holds| Ok((holds, with_values()?))) {
            Ok((holds, text)) => Facts::Values(format!("{text} is {holds}")),
            Err(fault) => self.fault(fault),
        }
    }

    /// The element that decided, or how many there were if none did.
    fn quantified(
        &self,
        whole: &'a Expr,
        kind: Macro,
        list: &'a Expr,
        body: &'a Expr,
        scope: Scopes<'_, 'a>,
    ) -> Facts {
        let outcome = self.evaluation.truth(whole, scope);
        let undecided = kind == Macro::All;
        if outcome != Ok(undecided)
            && let Some(facts) = self.deciding_element(outcome.into(), list, body, scope)
        {
            return facts;
        }
        if let Err(fault) = outcome {
            self.fault(fault)
        } else {
            let list_value = self.evaluation.value(list, scope).ok();
            let elements = list_value.as_ref().and_then(Val::elements);
            let count = elements.map_or(0, |elements| elements.count_left());
            let share = if undecided { "all" } else { "none" };
            Facts::Values(format!("{share} of {count} elements"))
        }
    }

    fn deciding_element(
        &self,
        truth: Truth,
        list: &'a Expr,
        body: &'a Expr,
        scope: Scopes<'_, 'a>,
    ) -> Option<Facts> {
        let list_value = self.evaluation.value(list, scope).ok()?;
        list_value.elements()?.enumerate().find_map(|(position, element)| {
            let inner = Scope { element, outer: scope };
            if Truth::from(self.evaluation.truth(body, Some(&inner))) != truth {
                return None;
            }
            let facts = self.facts(body, Some(&inner)).into_text();
            Some(Facts::Values(format!("element {position}: {facts}")))
        })
    }

    fn value(&self, expr: &'a Expr, scope: Scopes<'_, 'a>) -> Result<String, Fault> {
        self.evaluation.value(expr, scope).map(|value| value.to_string())
    }

    fn shown(&self, expr: &Expr) -> String {
        shortened(expr.span.of(self.source))
    }

    fn fault(&self, fault: Fault) -> Facts {
        Facts::Fault(fault.describe(self.source).to_string())
    }
}

enum Facts {
    /// Why it is unknown.
    Fault(String),
    /// `ok is false`
    Named(String),
    /// `9 >= 10 is false`
    Values(String),
}

impl Facts {
    fn into_text(self) -> String {
        match self {
            Self::Fault(text) | Self::Named(text) | Self::Values(text) => text,
        }
    }
}

/// The first few, and how many more there are.
fn listed(texts: &[impl AsRef<str>], separator: &str) -> String {
    let named: Vec<_> = texts.iter().take(NAMED).map(AsRef::as_ref).collect();
    match texts.len().saturating_sub(NAMED) {
        0 => named.join(separator),
        more => format!("{}{separator}and {more} more", named.join(separator)),
    }
}

#[cfg(test)]
mod tests;
