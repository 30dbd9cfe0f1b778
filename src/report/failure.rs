//! The block that explains a failure: where it stands in the file, what was wanted, what came nearest, whether the
//! daemons lived, and how to play it again.

mod daemons;
mod nearest;
mod place;

use std::fmt::Write;
use std::path::Path;

pub use self::daemons::{Told, told};
use super::text::{BAD, DIM, INDENT, STRONG, WIDTH, duration, labelled, styled};
use crate::run::rerun;
use crate::scenario::result::{Failure, FailureKind, HostPressure, Outcome, ScenarioResult};
use crate::scenario::state::STATE_FILE;

/// What the result does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The text of the scenario's file.
    pub source: Option<&'a str>,
    pub run_dir: Option<&'a Path>,
}

/// The whole block, each line ended; empty if the result has no failure.
pub fn block(result: &ScenarioResult, surroundings: Surroundings<'_>) -> String {
    let Some(failure) = &result.failure else { return String::new() };
    let mut block = head(result, failure);
    block.push_str(&place::place(failure, surroundings.source));
    block.push_str(&nearest::nearest(failure));
    block.push_str(&nearest::names(failure));
    block.push_str(&daemons::daemons(result, failure));
    if let Some(host) = &failure.host {
        block.push_str(&labelled("host", DIM, &pressure(host)));
    }
    block.push_str(&commands(failure, surroundings.run_dir));
    block
}

/// What to do next. Not wrapped: it is there to be copied.
fn commands(failure: &Failure, run_dir: Option<&Path>) -> String {
    let shown = |path: &Path| path.display().to_string();
    let file = |name: &str| {
        let path = run_dir?.join(name);
        path.is_file().then(|| shown(&path))
    };
    let run_dir_text = run_dir.map(shown);
    let events =
        run_dir_text.as_ref().map(|path| format!("tribunal events {}", rerun::quoted(path)));
    let commands = [
        ("replay", failure.replay.clone()),
        ("rerun", failure.rerun.clone()),
        ("events", events),
        ("timeline", file("timeline.html")),
        ("state", file(STATE_FILE)),
        ("run dir", run_dir_text),
    ];
    let mut block = String::new();
    for (label, text) in commands {
        if let Some(text) = text {
            let gap = INDENT - 2 - label.len();
            line(&mut block, format_args!("  {}{:gap$}{text}", styled(DIM, label), ""));
        }
    }
    block
}

/// `cpu pressure 4 %, io 0 %, memory 0 %; load 0.5 on 2 processors`
pub fn pressure(host: &HostPressure) -> String {
    let named = [("cpu", host.cpu), ("io", host.io), ("memory", host.memory)];
    let stalls = named.into_iter().filter_map(|(name, share)| Some((name, share?)));
    let stalls: Vec<String> = stalls.map(|(name, share)| format!("{name} {share:.0} %")).collect();
    let stalls = match &stalls[..] {
        [] => None,
        _ => Some(format!("pressure {}", stalls.join(", "))),
    };
    let processors = if host.processors == 1 { "processor" } else { "processors" };
    let load = host.load.map(|load| format!("load {load:.1} on {} {processors}", host.processors));
    stalls.into_iter().chain(load).collect::<Vec<_>>().join("; ")
}

/// `file:14:5  expect  FAILED after 30.0 s: no such event          seed 42`, on two lines if it is too long for one.
fn head(result: &ScenarioResult, failure: &Failure) -> String {
    let place = match failure.line {
        0 => result.file.clone(),
        line => format!("{}:{line}:{}", result.file, failure.column),
    };
    let step = result.steps.iter().find(|step| step.path == failure.step);
    let what = match step {
        Some(step) => step.verb.clone(),
        None => failure.step.clone(),
    };
    let after = duration(step.map_or(result.duration_s, |step| step.duration_s));
    let what = if what.is_empty() { String::new() } else { format!("  {what}") };
    let word = if result.outcome == Outcome::Error { "ERROR" } else { "FAILED" };
    let failed = format!("{word} after {after}");
    let seed = format!("seed {}", result.seed);
    let reason = reason(failure);
    let length = |texts: &[&str]| texts.iter().map(|text| text.chars().count()).sum::<usize>();
    // Two blanks and a colon stand between the parts.
    let rest = length(&[&what, &failed, reason, &seed]) + 4;
    let on_one_line = length(&[&place]) + rest + 2 <= WIDTH;
    let used = if on_one_line { length(&[&place]) + rest } else { rest };
    let gap = WIDTH.saturating_sub(used).max(2);
    let (place, failed, seed) = (styled(STRONG, place), styled(BAD, failed), styled(DIM, seed));
    let between = if on_one_line { "" } else { "\n" };
    format!("{place}{between}{what}  {failed}: {reason}{:gap$}{seed}\n", "")
}

pub fn reason(failure: &Failure) -> &'static str {
    match failure.kind {
        FailureKind::TimedOut if failure.wanted.is_some() => "no such event",
        FailureKind::TimedOut => "time limit",
        FailureKind::TerminatedBeforeEvent => "the daemon ended before the event",
        FailureKind::GaveUp => "given up by its restart policy",
        FailureKind::UnexpectedEvent => "an event that must not come",
        FailureKind::UnexpectedExit => "a daemon ended by itself",
        FailureKind::ExitMismatch => "ended otherwise than wanted",
        FailureKind::NotReady => "not ready",
        FailureKind::Spawn => "cannot be started",
        FailureKind::AlreadyRunning => "already running",
        FailureKind::NotRunning => "not running",
        FailureKind::Vacuous => "it proves nothing",
        FailureKind::Rpc => "the request failed",
        FailureKind::Exec => "the command failed",
        FailureKind::Assert => "not true",
        FailureKind::Invariant => "invariant broken",
        FailureKind::Timeout => "time limit of the scenario",
        FailureKind::HostLost => "host lost",
        FailureKind::Invalid => "invalid file",
        FailureKind::Panic => "a bug of the runner",
        FailureKind::Environment => "environment",
    }
}

/// `once`, `3 times`
pub fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn line(block: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(block, "{text}").expect("a string takes all text");
}

#[cfg(test)]
mod tests;
