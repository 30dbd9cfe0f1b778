//! Names of events: well-formed, and not hidden by the level at which their daemon writes events.

use super::findings::{Findings, each_step, is_glob};
use crate::daemon::{EventLevels, Kind, Level};
use crate::event::{NamePattern, lifecycle_names};
use crate::octez::events::{known_event, known_events};
use crate::scenario::diagnostic::{listed, nearest};
use crate::scenario::model::{
    Action, DaemonDeclaration, EventPattern, ReadyWhen, Scenario, Settings,
};
use crate::scenario::values::Text;

pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    findings.look_at(&scenario.source);
    let overridden = overridden(scenario);
    for invariant in &scenario.invariants {
        pattern(&invariant.pattern, &overridden, findings);
    }
    for daemon in &scenario.daemons {
        if let Some(ReadyWhen::Event { event, .. }) = &daemon.settings.process.ready {
            well_formed(event, findings);
        }
    }
    for steps in [&scenario.steps, &scenario.finally] {
        each_step(steps, &mut |step| {
            findings.look_at(&step.source);
            match &step.action {
                Action::Expect(expects) => {
                    for expect in expects {
                        pattern(&expect.pattern, &overridden, findings);
                    }
                }
                Action::Never(never) => {
                    pattern(&never.pattern, &overridden, findings);
                    if let Some(until) = &never.until {
                        pattern(&until.pattern, &overridden, findings);
                    }
                }
                _ => {}
            }
        });
    }
    findings.look_at(&scenario.source);
}

/// The `events` that steps give daemons with `with`: which of them holds at a step is not decided here.
fn overridden(scenario: &Scenario) -> Vec<(&Text, &Settings)> {
    let mut overridden = Vec::new();
    for steps in [&scenario.steps, &scenario.finally] {
        each_step(steps, &mut |step| {
            if let Action::Lifecycle(lifecycle) = &step.action
                && let Some(with) = &lifecycle.with
                && with.events.is_some()
            {
                overridden.extend(lifecycle.daemons.iter().map(|daemon| (daemon, &**with)));
            }
        });
    }
    overridden
}

fn pattern(pattern: &EventPattern, with: &[(&Text, &Settings)], findings: &mut Findings<'_>) {
    if !well_formed(&pattern.event, findings) {
        return;
    }
    let Some(name) = pattern.event.literal() else { return };
    if is_glob(name) || lifecycle_names::include(name) {
        return;
    }
    let meant = findings.meant(&pattern.from);
    // One daemon that can emit it is enough, unless `each` wants one from all; then the step itself tells.
    let all_hide = !meant.is_empty() && meant.iter().all(|daemon| hides(daemon, name, with));
    if all_hide {
        let level = known_event(meant[0].kind, name).map_or(Level::Debug, |event| event.level);
        let error = findings
            .error(pattern.event.span, format!("`{name}` would never be seen: it is of level `{}`, and `events` of `{}` hides it", level.word(), meant[0].name))
            .help(format!("declare `{}` with `events: {}`", meant[0].name, level.word()));
        findings.report(error);
        return;
    }
    if let [daemon] = meant.as_slice() {
        slip(daemon, name, &pattern.event, findings);
    }
}

/// A name that no event of an Octez kind has, and that is nearly one.
fn slip(daemon: &DaemonDeclaration, name: &str, text: &Text, findings: &mut Findings<'_>) {
    let known = |name: &str| {
        let globs = daemon.settings.knows.iter().flatten();
        let mut patterns = globs.filter_map(|glob| glob::Pattern::new(&glob.value).ok());
        patterns.any(|pattern| pattern.matches(name))
    };
    if daemon.kind == Kind::Process || known_event(daemon.kind, name).is_some() || known(name) {
        return;
    }
    let names = known_events(daemon.kind).iter().map(|event| event.name);
    let versioned = format!("{name}.v0");
    let near = match known_event(daemon.kind, &versioned) {
        Some(event) => Some(event.name),
        None => nearest(name, names),
    };
    if let Some(near) = near {
        let warning = findings
            .warning(
                text.span,
                format!("`{name}` is no known event of an `{}`", daemon.kind.word()),
            )
            .help(format!("did you mean `{near}`? If not, add it to the daemon's `knows`"));
        findings.report(warning);
    }
}

fn well_formed(event: &Text, findings: &mut Findings<'_>) -> bool {
    let Some(name) = event.literal() else { return true };
    let names = lifecycle_names::ALL;
    if let Err(error) = NamePattern::new(name) {
        let error = findings.error(event.span, format!("`{name}` is no glob: {}", error.msg));
        findings.report(error.help("`*` is any text, `?` one character, `[ab]` one of these"));
        return false;
    }
    if !lifecycle_names::include(name) || names.contains(&name) {
        return true;
    }
    let (message, help) = if is_glob(name) {
        (
            format!("`{name}` is a glob, and a glob never matches a lifecycle record"),
            format!("name it in full: {}", listed(names)),
        )
    } else {
        let help = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", listed(names).replace(" or ", " and ")),
        };
        (format!("there is no lifecycle record `{name}`"), help)
    };
    findings.report(findings.error(event.span, message).help(help));
    false
}

/// Whether the daemon's own `events` and those of every `with` keep the event from being written.
fn hides(daemon: &DaemonDeclaration, name: &str, with: &[(&Text, &Settings)]) -> bool {
    let Some(event) = known_event(daemon.kind, name) else { return false };
    let default = EventLevels::default();
    let own = daemon.settings.events.as_ref().unwrap_or(&default);
    // A daemon whose name is not known before the run could be this one.
    let of_this = |text: &Text| text.literal().is_none_or(|name| name == daemon.name.as_str());
    let others = with.iter().filter(|(text, _)| of_this(text));
    let mut levels = others.filter_map(|(_, with)| with.events.as_ref()).chain([own]);
    levels.all(|levels| !event.is_shown(levels))
}
