//! What is started, whether it runs already, and steps that do nothing or too little.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::findings::{Findings, each_step};
use crate::daemon::Kind;
use crate::scenario::model::{Act, Action, DaemonDeclaration, Lifecycle, Scenario, Step};
use crate::scenario::source::{Source, Span};
use crate::scenario::values::{Data, Setting};

pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    for steps in [&scenario.steps, &scenario.finally] {
        each_step(steps, &mut |step| {
            findings.look_at(&step.source);
            idle(step, findings);
        });
    }
    findings.look_at(&scenario.source);
    never_started(scenario, findings);
    let mut running = Running::default();
    running.steps(&scenario.steps, findings);
    findings.look_at(&scenario.source);
}

/// Steps and keys that do not do what they seem to.
fn idle(step: &Step, findings: &mut Findings<'_>) {
    match &step.action {
        Action::Sleep(_) => {
            let warning = findings.warning(step.span, "a sleep is either too short or too long");
            findings
                .report(warning.help(
                    "wait for an event with `expect`, or for a state with `rpc: { within }`",
                ));
        }
        Action::Lifecycle(lifecycle) => useless_keys(step, lifecycle, findings),
        _ => {}
    }
}

fn useless_keys(step: &Step, lifecycle: &Lifecycle, findings: &mut Findings<'_>) {
    let runs = matches!(lifecycle.act, Act::Start | Act::Run | Act::Restart);
    let terminates = matches!(lifecycle.act, Act::Terminate | Act::Restart);
    let mut useless = Vec::new();
    if lifecycle.with.is_some() && !runs {
        useless.push(("with", "it belongs to `start`, `run` or `restart`"));
    }
    if lifecycle.grace.is_some() && !terminates {
        useless.push(("grace", "it belongs to `terminate` or `restart`"));
    }
    for (key, help) in useless {
        let warning =
            findings.warning(step.span, format!("`{key}` does nothing in a `{}`", step.verb));
        findings.report(warning.help(help));
    }
}

/// Declared daemons that no step starts: a wait for one would take its whole time.
fn never_started(scenario: &Scenario, findings: &mut Findings<'_>) {
    let mut started = Vec::new();
    let mut decidable = true;
    for steps in [&scenario.steps, &scenario.finally] {
        each_step(steps, &mut |step| {
            if let Action::Lifecycle(lifecycle) = &step.action
                && matches!(lifecycle.act, Act::Start | Act::Run | Act::Restart)
            {
                decidable &= lifecycle.daemons.iter().all(|daemon| daemon.literal().is_some());
                started.extend(lifecycle.daemons.iter().filter_map(|daemon| daemon.literal()));
            }
        });
    }
    if !decidable {
        return;
    }
    for daemon in &scenario.daemons {
        if !started.contains(&daemon.name.as_str()) {
            let warning = findings
                .warning(daemon.span, format!("no step starts `{}`", daemon.name))
                .help(format!("add `- start: {}`, or remove it", daemon.name));
            findings.report(warning);
        }
    }
}

/// The daemons that are evidently running, with the step that started each.
#[derive(Clone, Default)]
struct Running {
    since: BTreeMap<String, (Arc<Source>, Span)>,
}

impl Running {
    fn steps(&mut self, steps: &[Step], findings: &mut Findings<'_>) {
        for step in steps {
            findings.look_at(&step.source);
            self.step(step, findings);
        }
    }

    fn step(&mut self, step: &Step, findings: &mut Findings<'_>) {
        match &step.action {
            Action::Lifecycle(lifecycle) => self.lifecycle(lifecycle, findings),
            Action::Signal { daemon, .. } => self.forget(daemon.literal()),
            Action::Exited(exited) => self.forget(exited.daemon.literal()),
            Action::Parallel(branches) => {
                let before = self.clone();
                for branch in branches {
                    before.clone().steps(branch, findings);
                    self.forget_touched(branch);
                }
            }
            Action::Repeat(repeat) => {
                let times = match repeat.times {
                    Setting::Fixed(times) => times,
                    Setting::Text(_) => 0,
                };
                self.repeated(&repeat.steps, times, findings);
            }
            Action::For(each) => {
                let times = match &each.items {
                    Data::List(items) => u32::try_from(items.len()).unwrap_or(u32::MAX),
                    _ => 0,
                };
                self.repeated(&each.steps, times, findings);
            }
            Action::Use(used) => {
                let mut inner = self.clone();
                inner.steps(&used.fragment.steps, findings);
                self.forget_touched(&used.fragment.steps);
            }
            _ => {}
        }
    }

    /// The second time shows what the first leaves behind.
    fn repeated(&mut self, body: &[Step], times: u32, findings: &mut Findings<'_>) {
        let mut inner = self.clone();
        for _ in 0..times.min(2) {
            inner.steps(body, findings);
        }
        self.forget_touched(body);
    }

    fn lifecycle(&mut self, lifecycle: &Lifecycle, findings: &mut Findings<'_>) {
        for daemon in &lifecycle.daemons {
            let Some(name) = daemon.literal() else {
                self.forget(None);
                continue;
            };
            let Some(declaration) = findings.daemon(name) else { continue };
            match lifecycle.act {
                Act::Start | Act::Run => {
                    self.twice(name, daemon.span, findings);
                    self.started(declaration, daemon.span, findings);
                }
                Act::Restart => self.started(declaration, daemon.span, findings),
                // After a crash the policy may bring it back, or not.
                Act::Terminate | Act::Kill | Act::Crash => self.forget(Some(name)),
                Act::Ready | Act::Pause | Act::Resume => {}
            }
        }
    }

    fn twice(&self, name: &str, span: Span, findings: &mut Findings<'_>) {
        if let Some((source, first)) = self.since.get(name) {
            let warning = findings
                .warning(span, format!("`{name}` is running already: this step will fail"))
                .also_in(source, *first, "started here");
            findings.report(warning.help("`terminate` it before, or `restart` it"));
        }
    }

    fn started(&mut self, daemon: &DaemonDeclaration, span: Span, findings: &Findings<'_>) {
        // Another process may be a command that ends by itself.
        if daemon.kind != Kind::Process {
            let place = (findings.source(), span);
            self.since.insert(daemon.name.as_str().to_owned(), place);
        }
    }

    /// It may have ended; any may have, if the name is not known before the run.
    fn forget(&mut self, name: Option<&str>) {
        match name {
            Some(name) => {
                self.since.remove(name);
            }
            None => self.since.clear(),
        }
    }

    fn forget_touched(&mut self, steps: &[Step]) {
        each_step(steps, &mut |step| match &step.action {
            Action::Lifecycle(lifecycle) => {
                lifecycle.daemons.iter().for_each(|daemon| self.forget(daemon.literal()));
            }
            Action::Signal { daemon, .. } => self.forget(daemon.literal()),
            Action::Exited(exited) => self.forget(exited.daemon.literal()),
            _ => {}
        });
    }
}
