//! The daemons at the moment of a failure: whether they live, what each incarnation died of and who had planned that,
//! and what they said last.

use std::fmt::Write;

use super::line;
use crate::daemon::signal_name;
use crate::report::text::{DIM, INDENT, ODD, WIDTH, duration, harmless, labelled, styled, wrapped};
use crate::scenario::result::{
    By, Cause, DaemonResult, DaemonState, Exit, Failure, IncarnationResult, ScenarioResult,
};

/// The last lines of output that are shown; the run directory has all.
const MAX_OUTPUT: usize = 6;

/// The same of a daemon that is not the one that was waited for.
const MAX_OUTPUT_OF_OTHERS: usize = 3;

/// A daemon that restarts without end has many incarnations; the last say enough.
const MAX_DEATHS: usize = 5;

/// What a failure tells of one daemon.
#[derive(Debug)]
pub struct Told<'f> {
    pub name: &'f str,
    /// Whether it lives, how its incarnations ended, what it said last.
    pub parts: Vec<String>,
    /// The last lines of its output, where they explain something.
    pub lines: &'f [String],
    /// How many of them suffice where there is little room.
    shown: usize,
}

/// The daemon that the failure is about, then the others that explain something.
pub fn told<'f>(result: &'f ScenarioResult, failure: &'f Failure) -> Vec<Told<'f>> {
    let mut told = Vec::new();
    if let Some(state) = &failure.daemon_state {
        let wanted = failure.wanted.as_ref().map(|wanted| wanted.daemon.as_str());
        let name = Some(state.name.as_str()).filter(|name| !name.is_empty()).or(wanted);
        let name = name.unwrap_or("daemon");
        let mut parts = parts(result, state, name);
        if let Some(searched) = failure.searched.filter(|_| failure.wanted.is_some()) {
            let events = if searched.events == 1 { "event" } else { "events" };
            parts.push(format!("{} {events} searched", searched.events));
        }
        told.push(Told { name, parts, lines: &state.last_lines, shown: MAX_OUTPUT });
    }
    for state in &failure.others {
        let mut parts = parts(result, state, &state.name);
        if let Some(role) = &state.role {
            parts.insert(0, role.clone());
        }
        let lines = if state.alive { &[] } else { &state.last_lines[..] };
        told.push(Told { name: &state.name, parts, lines, shown: MAX_OUTPUT_OF_OTHERS });
    }
    told
}

pub(super) fn daemons(result: &ScenarioResult, failure: &Failure) -> String {
    let mut block = String::new();
    for Told { name, parts, lines, shown } in told(result, failure) {
        daemon(&mut block, name, &parts, lines, shown);
    }
    block
}

fn daemon(block: &mut String, name: &str, parts: &[String], lines: &[String], shown: usize) {
    block.push_str(&labelled(&harmless(name), ODD, &harmless(&parts.join("; "))));
    for last in &lines[lines.len().saturating_sub(shown)..] {
        let last = harmless(last);
        for (index, part) in wrapped(&last, WIDTH - INDENT - 2).iter().enumerate() {
            let hang = if index == 0 { "" } else { "  " };
            line(block, format_args!("{:INDENT$}{} {hang}{part}", "", styled(DIM, "|")));
        }
    }
}

fn parts(result: &ScenarioResult, state: &DaemonState, name: &str) -> Vec<String> {
    let known = result.daemons.iter().find(|daemon| daemon.name == name);
    let mut parts = vec![life(result, state, known)];
    match (state.last_event_age_s, &state.last_event) {
        (Some(age), Some(event)) => {
            parts.push(format!("last event {} ago, {event}", duration(age)));
        }
        // A line that was no event counts as a sign of life.
        (Some(age), None) if state.malformed > 0 => {
            parts.push(format!("no event yet, last line {} ago", duration(age)));
        }
        (Some(age), None) => parts.push(format!("last event {} ago", duration(age))),
        (None, _) if state.incarnation > 0 => parts.push("no event yet".to_owned()),
        (None, _) => {}
    }
    if state.malformed > 0 {
        let lines = if state.malformed == 1 { "line was" } else { "lines were" };
        let last = state.last_malformed.as_deref();
        let last = last.map_or_else(String::new, |last| format!(" (the last: {last})"));
        parts.push(format!("{} {lines} no event{last}", state.malformed));
    }
    parts
}

/// `alive, pid 4711, incarnation 2 (incarnation 1: SIGKILL at +8.8 s by fault #1, planned by steps[4] (line 12))`
fn life(result: &ScenarioResult, state: &DaemonState, known: Option<&DaemonResult>) -> String {
    let incarnations = known.map_or(&[][..], |daemon| &daemon.incarnations);
    let current = incarnations.iter().find(|one| one.number == state.incarnation);
    if state.incarnation == 0 {
        return match state.state.as_str() {
            "not-spawned" => "could not be spawned".to_owned(),
            "preparing" => "being prepared, not spawned yet".to_owned(),
            _ => "never run: no step has started it".to_owned(),
        };
    }
    let mut text = if state.alive {
        let pid = state.pid.or(current.map(|current| current.pid));
        let pid = pid.map_or_else(String::new, |pid| format!(", pid {pid}"));
        let word = match state.state.as_str() {
            "paused" => "paused",
            "starting" => "alive, not ready",
            "ending" => "ending",
            _ => "alive",
        };
        format!("{word}{pid}")
    } else {
        "dead".to_owned()
    };
    write!(text, ", incarnation {}", state.incarnation).expect("a string takes all text");
    if let (false, Some(current)) = (state.alive, current) {
        write!(text, ": {}", death(result, known, current)).expect("a string takes all text");
    }
    let earlier: Vec<String> = incarnations
        .iter()
        .filter(|one| one.number < state.incarnation && one.exit.is_some())
        .map(|one| format!("incarnation {}: {}", one.number, death(result, known, one)))
        .collect();
    let shown = &earlier[earlier.len().saturating_sub(MAX_DEATHS)..];
    if !shown.is_empty() {
        let more = if shown.len() < earlier.len() { "…; " } else { "" };
        write!(text, " ({more}{})", shown.join("; ")).expect("a string takes all text");
    }
    match state.state.as_str() {
        "given-up" => text.push_str("; given up: its restart budget is spent"),
        "backing-off" => text.push_str("; its restart policy is about to run it again"),
        _ => {}
    }
    text
}

/// `SIGKILL at +8.8 s by fault #1, planned by steps[4] (line 12), restarted by its policy`
fn death(
    result: &ScenarioResult,
    daemon: Option<&DaemonResult>,
    one: &IncarnationResult,
) -> String {
    let mut text = match one.exit {
        Some(Exit { signal: Some(signal), .. }) => signal_name(signal),
        Some(Exit { code: Some(code), .. }) => format!("exit code {code}"),
        _ => "ended".to_owned(),
    };
    if let Some(at) = one.exited_s {
        write!(text, " at +{}", duration(at)).expect("a string takes all text");
    }
    match one.cause {
        Some(Cause::Crash) => match fault_of(result, daemon, one) {
            Some(number) => write!(text, " by fault #{number}"),
            None => write!(text, " by a fault"),
        },
        Some(Cause::Signal) => write!(text, " after a signal"),
        Some(Cause::Itself) => write!(text, " by itself"),
        Some(Cause::HostLost) => write!(text, " with its host"),
        Some(Cause::Kill | Cause::Terminate) | None => Ok(()),
    }
    .expect("a string takes all text");
    let is_planned =
        matches!(one.cause, Some(Cause::Crash | Cause::Kill | Cause::Terminate | Cause::Signal));
    match &one.by {
        Some(by) => write!(text, ", planned by {}", place(by)).expect("a string takes all text"),
        None if is_planned => text.push_str(", planned by the scenario"),
        None => {}
    }
    if one.restarted {
        text.push_str(", restarted by its policy");
    }
    text
}

/// `steps[4] (line 12)`
fn place(by: &By) -> String {
    match by.line {
        0 => by.step.clone(),
        line => format!("{} (line {line})", by.step),
    }
}

/// The last fault that struck the daemon in that incarnation.
fn fault_of(
    result: &ScenarioResult,
    daemon: Option<&DaemonResult>,
    one: &IncarnationResult,
) -> Option<u32> {
    let struck = result.faults.iter().rev().find(|fault| {
        fault.hit
            && Some(&fault.target) == daemon.map(|daemon| &daemon.name)
            && fault.at_s >= one.started_s
            && one.exited_s.is_none_or(|exited| fault.at_s <= exited)
    });
    struck.map(|fault| fault.number)
}
