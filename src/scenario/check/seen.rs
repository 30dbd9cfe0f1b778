//! Names and fields that no recorded run has ever shown.

use super::findings::{Findings, each_step, is_glob};
use crate::daemon::Kind;
use crate::event::catalogue::{Catalogue, Entry};
use crate::event::{NamePattern, lifecycle_names};
use crate::predicate::PathElement;
use crate::scenario::diagnostic::{Diagnostic, nearest};
use crate::scenario::model::{Action, Condition, DaemonDeclaration, EventPattern, Scenario};

/// Warns of events, and of fields in a `where`, that are not in the catalogue.
pub fn unseen(scenario: &Scenario, catalogue: &Catalogue) -> Vec<Diagnostic> {
    let mut findings = Findings::new(scenario);
    for invariant in &scenario.invariants {
        pattern(&invariant.pattern, catalogue, &mut findings);
    }
    for steps in [&scenario.steps, &scenario.finally] {
        each_step(steps, &mut |step| {
            findings.look_at(&step.source);
            match &step.action {
                Action::Expect(expects) => {
                    for one in expects {
                        pattern(&one.pattern, catalogue, &mut findings);
                    }
                }
                Action::Never(never) => {
                    pattern(&never.pattern, catalogue, &mut findings);
                    if let Some(until) = &never.until {
                        pattern(&until.pattern, catalogue, &mut findings);
                    }
                }
                _ => {}
            }
        });
    }
    findings.sorted(&scenario.source)
}

fn pattern(pattern: &EventPattern, catalogue: &Catalogue, findings: &mut Findings<'_>) {
    let Some(name) = pattern.event.literal() else { return };
    let Ok(event) = NamePattern::new(name) else { return };
    let meant = findings.meant(&pattern.from);
    let is_ours = lifecycle_names::include(name);
    if is_ours || catalogue.is_partial || meant.iter().any(|daemon| knows(daemon, name)) {
        return;
    }
    let entries: Vec<&Entry> = catalogue
        .events
        .iter()
        .filter(|(known, _)| event.matches(known))
        .map(|(_, entry)| entry)
        .collect();
    if entries.is_empty() {
        let what = if is_glob(name) { "no event whose name fits" } else { "no event" };
        let warning = findings
            .warning(pattern.event.span, format!("{what} `{name}` has been seen in any run"));
        let names = catalogue.events.keys().map(String::as_str);
        findings.report(match nearest(name, names).filter(|_| !is_glob(name)) {
            Some(near) => warning.help(format!("did you mean `{near}`?")),
            None => warning.help("`tribunal events --catalogue` lists those that were"),
        });
        return;
    }
    of_another_kind(pattern, name, &entries, &meant, findings);
    if let Some(condition) = &pattern.condition {
        fields(condition, name, catalogue, &entries, findings);
    }
}

fn knows(daemon: &DaemonDeclaration, name: &str) -> bool {
    let globs = daemon.settings.knows.iter().flatten();
    let mut patterns = globs.filter_map(|glob| glob::Pattern::new(&glob.value).ok());
    patterns.any(|pattern| pattern.matches(name))
}

/// The event was seen, and never of such a daemon.
fn of_another_kind(
    pattern: &EventPattern,
    name: &str,
    entries: &[&Entry],
    meant: &[&DaemonDeclaration],
    findings: &mut Findings<'_>,
) {
    let is_seen = |daemon: &&DaemonDeclaration| {
        daemon.kind == Kind::Process
            || entries
                .iter()
                .any(|entry| entry.kinds.is_empty() || entry.kinds.contains_key(daemon.kind.word()))
    };
    let (Some(first), false) = (meant.first(), meant.iter().any(is_seen)) else { return };
    let mut kinds: Vec<&str> =
        entries.iter().flat_map(|entry| entry.kinds.keys().map(String::as_str)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let warning = findings.warning(
        pattern.event.span,
        format!("`{name}` has been seen in no run of an `{}`", first.kind.word()),
    );
    findings.report(warning.help(format!("it was seen of: {}", kinds.join(", "))));
}

fn fields(
    condition: &Condition,
    name: &str,
    catalogue: &Catalogue,
    entries: &[&Entry],
    findings: &mut Findings<'_>,
) {
    for path in &condition.predicate.references().fields {
        if path.is_empty() || entries.iter().any(|entry| catalogue.shows(entry, path)) {
            continue;
        }
        let written: String = path.iter().map(PathElement::to_string).collect();
        let written = written.strip_prefix('.').unwrap_or(&written);
        let known = entries.iter().flat_map(|entry| entry.fields.keys().map(String::as_str));
        let warning = findings
            .warning(condition.span, format!("no run has shown a field `{written}` in `{name}`"));
        let mut all: Vec<&str> = known.clone().filter(|path| *path != "self").collect();
        all.sort_unstable();
        all.dedup();
        findings.report(match nearest(written, known) {
            Some(near) => warning.help(format!("did you mean `{near}`?")),
            None if all.is_empty() => warning.help("its payload is a bare value: `self`"),
            None => warning.help(format!("it has {}", all[..all.len().min(8)].join(", "))),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::event::catalogue::Collector;
    use crate::scenario::{Overrides, Source, load_source};

    /// What is said of an `expect` with these words.
    fn said(expect: &str) -> Vec<(usize, String, Option<String>)> {
        let mut seen = Collector::default();
        seen.add("octez-node", "n", "head_increment.v0", &json!({ "level": 1, "hash": "B" }));
        seen.add("octez-accuser", "a", "daemon_start.v0", &json!("x"));
        let text = format!(
            "daemons:\n  n: {{ kind: octez-node, knows: [known.v0] }}\n  p: {{ kind: process, command: [x] }}\n\
             steps:\n  - expect: {{ {expect} }}\n"
        );
        let source = Arc::new(Source::new("a.yaml", text));
        let scenario = load_source(&source, &Overrides::default()).expect("valid").scenario;
        let found = unseen(&scenario, &seen.finish());
        let line = |found: &Diagnostic| found.span.map_or(0, |span| span.line);
        found.iter().map(|one| (line(one), one.message.clone(), one.help.clone())).collect()
    }

    fn one(expect: &str, message: &str, help: &str) {
        let found = said(expect);
        assert_eq!(found, [(5, message.to_owned(), Some(help.to_owned()))], "{expect}");
    }

    #[test]
    fn what_was_seen_or_is_known_is_fine() {
        for fine in [
            "from: n, event: head_increment.v0, where: level >= 1 && hash == 'B'",
            "from: n, event: 'head_*'",
            "from: n, event: known.v0, where: x == 1",
            "from: n, event: tribunal.ready",
            "from: p, event: daemon_start.v0, where: self == 'x'",
        ] {
            assert_eq!(said(fine), [], "{fine}");
        }
    }

    #[test]
    fn what_no_run_has_shown_is_told_with_its_place_and_what_is_near() {
        one(
            "from: p, event: head_incremnt.v0",
            "no event `head_incremnt.v0` has been seen in any run",
            "did you mean `head_increment.v0`?",
        );
        one(
            "from: n, event: head_increment.v0, where: levl >= 1",
            "no run has shown a field `levl` in `head_increment.v0`",
            "did you mean `level`?",
        );
        one(
            "from: n, event: head_increment.v0, where: protocol_of_the_block == 1",
            "no run has shown a field `protocol_of_the_block` in `head_increment.v0`",
            "it has hash, level",
        );
        one(
            "from: p, event: daemon_start.v0, where: zzzzzzzz == 1",
            "no run has shown a field `zzzzzzzz` in `daemon_start.v0`",
            "its payload is a bare value: `self`",
        );
        one(
            "from: n, event: daemon_start.v0",
            "`daemon_start.v0` has been seen in no run of an `octez-node`",
            "it was seen of: octez-accuser",
        );
        one(
            "from: n, event: 'zz*'",
            "no event whose name fits `zz*` has been seen in any run",
            "`tribunal events --catalogue` lists those that were",
        );
    }
}
