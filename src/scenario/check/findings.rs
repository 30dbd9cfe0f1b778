//! The passes, and what they found.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{chain, daemons, events, lifecycle, marks, names, variables};
use crate::daemon::Kind;
use crate::scenario::diagnostic::{Diagnostic, MAX_FINDINGS};
use crate::scenario::model::{DaemonDeclaration, Scenario, Step};
use crate::scenario::source::{Source, Span};
use crate::scenario::values::Text;

/// Errors and warnings about a scenario, in the order of its file; those in used files come last.
pub fn check(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut findings = Findings::new(scenario);
    daemons::check(scenario, &mut findings);
    names::check(scenario, &mut findings);
    events::check(scenario, &mut findings);
    chain::check(scenario, &mut findings);
    variables::check(scenario, &mut findings);
    marks::check(scenario, &mut findings);
    lifecycle::check(scenario, &mut findings);
    findings.sorted(&scenario.source)
}

/// What was found, and what every pass has to know.
pub(super) struct Findings<'s> {
    daemons: BTreeMap<&'s str, &'s DaemonDeclaration>,
    /// The file of the step that is looked at.
    source: Arc<Source>,
    found: Vec<Diagnostic>,
}

impl<'s> Findings<'s> {
    pub(super) fn new(scenario: &'s Scenario) -> Self {
        let daemons =
            scenario.daemons.iter().map(|daemon| (daemon.name.as_str(), daemon)).collect();
        Self { daemons, source: Arc::clone(&scenario.source), found: Vec::new() }
    }

    /// Findings from here on are about this file.
    pub(super) fn look_at(&mut self, source: &Arc<Source>) {
        if !Arc::ptr_eq(&self.source, source) {
            self.source = Arc::clone(source);
        }
    }

    pub(super) fn source(&self) -> Arc<Source> {
        Arc::clone(&self.source)
    }

    pub(super) fn error(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.source, span, message)
    }

    pub(super) fn warning(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(&self.source, span, message)
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < MAX_FINDINGS {
            self.found.push(diagnostic);
        }
    }

    pub(super) fn daemon(&self, name: &str) -> Option<&'s DaemonDeclaration> {
        self.daemons.get(name).copied()
    }

    pub(super) fn declared(&self) -> impl Iterator<Item = &'s DaemonDeclaration> {
        self.daemons.values().copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'s str> + Clone {
        self.daemons.keys().copied()
    }

    pub(super) fn names_of(&self, kind: Kind) -> impl Iterator<Item = &'s str> + Clone {
        self.daemons.iter().filter(move |(_, daemon)| daemon.kind == kind).map(|(name, _)| *name)
    }

    /// The daemons that a `from` names, as far as that is known before the run.
    pub(super) fn meant(&self, from: &[Text]) -> Vec<&'s DaemonDeclaration> {
        let mut meant: Vec<&DaemonDeclaration> = Vec::new();
        for name in from.iter().filter_map(Text::literal) {
            let pattern = is_glob(name).then(|| glob::Pattern::new(name).ok()).flatten();
            let fits = |declared: &str| match &pattern {
                Some(pattern) => pattern.matches(declared),
                None => declared == name,
            };
            meant.extend(self.declared().filter(|daemon| fits(daemon.name.as_str())));
        }
        meant
    }

    pub(super) fn sorted(mut self, main: &Arc<Source>) -> Vec<Diagnostic> {
        let place = |found: &Diagnostic| {
            let path = found.source.path();
            let path = if path == main.path() { None } else { Some(path.to_owned()) };
            (path, found.span.map(|span| span.start))
        };
        // A file that is used twice is looked at twice, and its mistakes are told once.
        self.found.sort_by_cached_key(place);
        self.found.dedup();
        self.found
    }
}

/// As for events: a name with `*`, `?` or `[` in it is a glob.
pub(super) fn is_glob(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Every step, those below before the next one.
pub(super) fn each_step<'s>(steps: &'s [Step], visit: &mut dyn FnMut(&'s Step)) {
    for step in steps {
        visit(step);
        for block in step.action.blocks() {
            each_step(block, visit);
        }
    }
}
