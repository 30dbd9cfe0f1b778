//! Variables: every one that is read has been given a value on every way there.

use std::collections::BTreeSet;

use super::findings::Findings;
use super::texts::{Reads, without_payload};
use crate::scenario::diagnostic::nearest;
use crate::scenario::model::{Action, Assignment, Formula, Scenario, Spanned, Step, Use};
use crate::scenario::source::Span;
use crate::scenario::values::{Builtin, Data, Setting};

/// What counts in loops.
const COUNTER: &str = "i";
/// Built in, and readable in expressions as well.
const SEED: &str = "seed";

pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    findings.look_at(&scenario.source);
    let vars: BTreeSet<String> =
        scenario.vars.iter().map(|variable| variable.name.clone()).collect();
    let constants = Known { set: vars, maybe: BTreeSet::new() };
    for daemon in &scenario.daemons {
        reads(&Reads::of_settings(&daemon.settings), &constants, Place::Daemon, findings);
    }
    for invariant in &scenario.invariants {
        reads(&Reads::of_never(invariant), &constants, Place::Invariant, findings);
    }
    let mut known = constants.clone();
    known.steps(&scenario.steps, findings);
    // It is played after a failure as well: anything may have been set by then.
    let mut last = constants;
    last.maybe = known.set.into_iter().chain(known.maybe).collect();
    last.steps(&scenario.finally, findings);
    findings.look_at(&scenario.source);
}

/// Where a variable stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Step,
    Daemon,
    Invariant,
}

/// What has a value at one point.
#[derive(Clone, Default)]
struct Known {
    set: BTreeSet<String>,
    /// Set on some ways, or on ways that are not known before the run.
    maybe: BTreeSet<String>,
}

impl Known {
    fn has(&self, name: &str) -> bool {
        name == SEED || self.set.contains(name) || self.maybe.contains(name)
    }

    fn assign(&mut self, name: &str) {
        self.set.insert(name.to_owned());
    }

    fn steps(&mut self, steps: &[Step], findings: &mut Findings<'_>) {
        for step in steps {
            findings.look_at(&step.source);
            self.step(step, findings);
        }
    }

    fn step(&mut self, step: &Step, findings: &mut Findings<'_>) {
        reads(&Reads::of(&step.action), self, Place::Step, findings);
        for (formula, verb) in without_payload(&step.action) {
            payload(formula, verb, findings);
        }
        match &step.action {
            Action::Let(assignments) => {
                for assignment in assignments {
                    expression(&assignment.formula, self, findings);
                    self.assign(&assignment.name.value);
                }
            }
            Action::Assert(formula) => expression(formula, self, findings),
            Action::Parallel(branches) => self.parallel(branches, findings),
            Action::Repeat(repeat) => {
                let certain = matches!(repeat.times, Setting::Fixed(times) if times > 0);
                self.repeated(&[], &repeat.steps, certain, findings);
            }
            Action::For(each) => {
                let certain = matches!(&each.items, Data::List(items) if !items.is_empty());
                self.repeated(&[&each.var.value], &each.steps, certain, findings);
            }
            Action::Use(used) => self.used(used, findings),
            action => {
                let captures = Reads::of(action).captures;
                twice(&captures, findings);
                for capture in captures {
                    self.assign(&capture.name.value);
                }
            }
        }
    }

    /// Each branch begins with what is known; what any of them sets is known after all.
    fn parallel(&mut self, branches: &[Vec<Step>], findings: &mut Findings<'_>) {
        let mut others: Vec<(&Step, &Spanned<String>)> = Vec::new();
        let before = self.clone();
        for branch in branches {
            let mut known = before.clone();
            known.steps(branch, findings);
            let own = assigned(branch);
            conflicts(&own, &others, findings);
            others.extend(own);
            self.set.extend(known.set);
            self.maybe.extend(known.maybe);
        }
    }

    /// A body that sees loop variables, which end with it.
    fn repeated(
        &mut self,
        vars: &[&str],
        body: &[Step],
        certain: bool,
        findings: &mut Findings<'_>,
    ) {
        let mut inner = self.clone();
        let locals: Vec<&str> = vars.iter().copied().chain([COUNTER]).collect();
        for name in &locals {
            inner.assign(name);
        }
        inner.steps(body, findings);
        self.leave(inner, &locals, certain);
    }

    fn used(&mut self, used: &Use, findings: &mut Findings<'_>) {
        let mut inner = self.clone();
        let given = used.vars.iter().map(|(name, _)| name.value.as_str());
        let locals: Vec<&str> =
            given.chain(used.defaults().map(|variable| variable.name.as_str())).collect();
        for name in &locals {
            inner.assign(name);
        }
        inner.steps(&used.fragment.steps, findings);
        self.leave(inner, &locals, true);
    }

    /// Takes over what a block set, but for the names that end with it.
    fn leave(&mut self, inner: Self, locals: &[&str], certain: bool) {
        let outlives = |name: &String| !locals.contains(&name.as_str());
        let set = inner.set.into_iter().filter(|name| outlives(name));
        if certain {
            self.set.extend(set);
        } else {
            self.maybe.extend(set);
        }
        self.maybe.extend(inner.maybe.into_iter().filter(|name| outlives(name)));
    }
}

/// Every name that the steps set and that outlives them, each with its step.
fn assigned(steps: &[Step]) -> Vec<(&Step, &Spanned<String>)> {
    let mut names = Vec::new();
    for step in steps {
        match &step.action {
            Action::Let(assignments) => {
                names.extend(assignments.iter().map(|each| (step, &each.name)));
            }
            action => {
                let captures = Reads::of(action).captures;
                names.extend(captures.iter().map(|capture| (step, &capture.name)));
            }
        }
        for block in step.action.blocks() {
            names.extend(assigned(block));
        }
    }
    names
}

/// A name that a branch sets and an earlier one as well; told once for each name.
fn conflicts(
    own: &[(&Step, &Spanned<String>)],
    others: &[(&Step, &Spanned<String>)],
    findings: &mut Findings<'_>,
) {
    let mut told = BTreeSet::new();
    for (step, name) in own {
        let other = others.iter().find(|(_, other)| other.value == name.value);
        if let Some((other_step, other)) = other
            && told.insert(&name.value)
        {
            findings.look_at(&step.source);
            let error = findings
                .error(name.span, format!("two branches give `${}` a value", name.value))
                .also_in(&other_step.source, other.span, "the other")
                .help("which would count is not known: use two names");
            findings.report(error);
        }
    }
}

/// Two captures of one step that set one name: which would count depends on what comes first.
fn twice(captures: &[&Assignment], findings: &mut Findings<'_>) {
    for (index, capture) in captures.iter().enumerate() {
        let first = captures[..index].iter().find(|other| other.name.value == capture.name.value);
        if let Some(first) = first {
            let error = findings
                .error(
                    capture.name.span,
                    format!("one step gives `${}` two values", capture.name.value),
                )
                .also(first.name.span, "the other");
            findings.report(error.help("which would count is not known: use two names"));
        }
    }
}

fn reads(reads: &Reads<'_>, known: &Known, place: Place, findings: &mut Findings<'_>) {
    for (reference, span) in reads.texts.iter().flat_map(|text| text.references()) {
        if let Builtin::Variable(name) = &reference.what
            && !known.has(name)
        {
            let text = format!("write `$${name}` if the text itself is meant");
            unknown(name, span, known, place, Some(&text), findings);
        }
    }
    reads
        .conditions
        .iter()
        .for_each(|condition| variables(&condition.variables, known, place, findings));
    for capture in &reads.captures {
        variables(&capture.formula.variables, known, place, findings);
    }
}

fn expression(formula: &Formula, known: &Known, findings: &mut Findings<'_>) {
    variables(&formula.variables, known, Place::Step, findings);
}

fn variables(
    variables: &[Spanned<String>],
    known: &Known,
    place: Place,
    findings: &mut Findings<'_>,
) {
    for variable in variables.iter().filter(|variable| !known.has(&variable.value)) {
        unknown(&variable.value, variable.span, known, place, None, findings);
    }
}

fn unknown(
    name: &str,
    span: Span,
    known: &Known,
    place: Place,
    remedy: Option<&str>,
    findings: &mut Findings<'_>,
) {
    let message = match place {
        Place::Step => format!("`${name}` has no value here"),
        Place::Daemon => {
            format!("`${name}` is none of `vars`, and a declaration sees no others")
        }
        Place::Invariant => {
            format!(
                "`${name}` is none of `vars`, and an invariant, watched from the beginning, sees no others"
            )
        }
    };
    let giving = match place {
        Place::Step => "give it a value before: `vars`, `capture` or `let`",
        Place::Daemon | Place::Invariant => "add it to `vars`",
    };
    let names = known.set.iter().chain(&known.maybe).map(String::as_str);
    let near = nearest(name, names).map(|near| format!("did you mean `${near}`?"));
    let help = match (near, remedy) {
        (Some(near), Some(remedy)) => format!("{near} Or {remedy}"),
        (Some(near), None) => near,
        (None, Some(remedy)) => format!("{giving}; or {remedy}"),
        (None, None) => giving.to_owned(),
    };
    findings.report(findings.error(span, message).help(help));
}

/// A field in an expression that has no payload.
fn payload(formula: &Formula, verb: &str, findings: &mut Findings<'_>) {
    let references = formula.expression.references();
    let Some(path) = references.fields.first() else {
        if !references.event.is_empty() {
            let error = findings.error(formula.span, format!("`{verb}` has no event to read"));
            findings
                .report(error.help("capture what is needed in the `expect` that sees the event"));
        }
        return;
    };
    let name = path.first().map_or_else(|| "self".to_owned(), ToString::to_string);
    let name = name.trim_start_matches('.');
    let error = findings
        .error(
            formula.span,
            format!("`{name}` is a field of a payload, and `{verb}` has no payload"),
        )
        .help(format!("a variable is `${name}`; a text needs quotes of its own: '\"{name}\"'"));
    findings.report(error);
}
