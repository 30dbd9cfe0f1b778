//! Marks: set under a name of their own, and before they are used.

use std::collections::BTreeSet;

use super::findings::{Findings, each_step};
use crate::scenario::diagnostic::nearest;
use crate::scenario::model::{Action, Scenario, Since};
use crate::scenario::values::Text;

/// What `since` understands by itself.
const RESERVED: [&str; 3] = ["beginning", "start", "now"];

pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    let mut set = BTreeSet::new();
    let mut decidable = true;
    for steps in [&scenario.steps, &scenario.finally] {
        each_step(steps, &mut |step| {
            if let Action::Mark(mark) = &step.action {
                findings.look_at(&step.source);
                match mark.literal() {
                    Some(name) => {
                        reserved(name, mark, findings);
                        set.insert(name);
                    }
                    None => decidable = false,
                }
            }
        });
    }
    if !decidable {
        return;
    }
    for steps in [&scenario.steps, &scenario.finally] {
        each_step(steps, &mut |step| {
            findings.look_at(&step.source);
            let marks: Vec<Option<&Since>> = match &step.action {
                Action::Expect(expects) => {
                    expects.iter().map(|expect| expect.since.as_ref()).collect()
                }
                Action::Never(never) => vec![never.since.as_ref()],
                _ => Vec::new(),
            };
            for since in marks.into_iter().flatten() {
                if let Since::Mark(mark) = since {
                    used(mark, &set, findings);
                }
            }
        });
    }
    findings.look_at(&scenario.source);
}

fn reserved(name: &str, mark: &Text, findings: &mut Findings<'_>) {
    if RESERVED.contains(&name) {
        let error = findings.error(mark.span, format!("`{name}` cannot be the name of a mark"));
        findings.report(
            error.help(format!("`since: {name}` has a meaning already; choose another name")),
        );
    }
}

fn used(mark: &Text, set: &BTreeSet<&str>, findings: &mut Findings<'_>) {
    let Some(name) = mark.literal() else { return };
    if set.contains(name) {
        return;
    }
    let known = set.iter().copied().chain(RESERVED);
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            format!("set it before with `- mark: {name}`, or use `beginning`, `start` or `now`")
        }
    };
    let error = findings.error(mark.span, format!("no step sets the mark `{name}`"));
    findings.report(error.help(help));
}
