//! The block that explains a failure: where it stands in the file, what was wanted, what came nearest, whether the
//! daemon lived, and how to play it again.

use std::fmt::Write;
use std::path::Path;

use super::text::{BAD, DIM, ODD, STRONG, WIDTH, duration, harmless, labelled, styled, wrapped};
use crate::daemon::signal_name;
use crate::run::rerun;
use crate::scenario::result::{
    Cause, DaemonResult, DaemonState, Exit, Failure, FailureKind, IncarnationResult, Outcome,
    ScenarioResult,
};

/// The last lines of output that are shown; the run directory has all.
const MAX_OUTPUT: usize = 6;

/// Longer lines of a file are shown in part.
const MAX_SOURCE: usize = 120;

/// What the result does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The text of the scenario's file.
    pub source: Option<&'a str>,
    pub run_dir: Option<&'a Path>,
    /// How much of the last minute tasks waited for a processor, in percent.
    pub cpu_pressure: Option<f64>,
}

/// The whole block, each line ended; empty if the result has no failure.
pub fn block(result: &ScenarioResult, surroundings: Surroundings<'_>) -> String {
    let Some(failure) = &result.failure else { return String::new() };
    let mut block = head(result, failure);
    block.push_str(&place(failure, surroundings.source));
    for near in &failure.nearest {
        let tally = if near.clauses > 1 {
            format!(", {} of {} clauses true", near.clauses_true, near.clauses)
        } else {
            String::new()
        };
        let text = format!("seq {}, {}{tally}: {}", near.seq, near.event, near.explanation);
        block.push_str(&labelled("nearest", DIM, &harmless(&text)));
    }
    if !failure.did_you_mean.is_empty() {
        let names = failure.did_you_mean.join(" or ");
        line(&mut block, format_args!("  did you mean {}?", styled(STRONG, harmless(&names))));
    }
    block.push_str(&daemon(result, failure));
    if let Some(pressure) = surroundings.cpu_pressure {
        block.push_str(&labelled("host", DIM, &format!("cpu pressure {pressure:.0} %")));
    }
    let run_dir = surroundings.run_dir.map(|path| path.display().to_string());
    let events = run_dir.as_ref().map(|path| format!("tribunal events {}", rerun::quoted(path)));
    let commands = [
        ("replay", &failure.replay),
        ("rerun", &failure.rerun),
        ("events", &events),
        ("run dir", &run_dir),
    ];
    for (label, text) in commands {
        if let Some(text) = text {
            // Not wrapped: it is there to be copied.
            line(
                &mut block,
                format_args!("  {}{:2$}  {text}", styled(DIM, label), "", 8 - label.len()),
            );
        }
    }
    block
}

/// `file:14:5  expect  FAILED after 30.0 s: no such event          seed 42`
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
    let used = [&place, &what, &failed, reason, &seed].map(|text| text.chars().count());
    // Two blanks and a colon stand between the parts.
    let gap = WIDTH.saturating_sub(used.iter().sum::<usize>() + 4).max(2);
    let (place, failed) = (styled(STRONG, place), styled(BAD, failed));
    format!("{place}{what}  {failed}: {reason}{:gap$}{}\n", "", styled(DIM, seed))
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
        FailureKind::Rpc => "RPC",
        FailureKind::Exec => "command",
        FailureKind::Assert => "not true",
        FailureKind::Invariant => "invariant broken",
        FailureKind::Timeout => "time limit of the scenario",
        FailureKind::HostLost => "host lost",
        FailureKind::Invalid => "invalid file",
        FailureKind::Panic => "a bug of the runner",
        FailureKind::Environment => "environment",
    }
}

/// The line of the file with the blamed part underlined, and the message beside or below it.
fn place(failure: &Failure, source: Option<&str>) -> String {
    let number = failure.line as usize;
    let text = source.and_then(|source| source.lines().nth(number.checked_sub(1)?));
    let message = harmless(&failure.message);
    let mut block = String::new();
    let Some(text) = text else {
        below(&mut block, &message);
        return block;
    };
    let wanted = failure.wanted.as_ref().map_or("", |wanted| wanted.event.as_str());
    let (mut number, mut text) = (number, text);
    let mut column = failure.column;
    if let Some((at, line)) = source.and_then(|source| event_line(source, number, wanted)) {
        let head: Vec<char> = text.chars().collect();
        numbered(&mut block, number, &excerpt(&head, 0).0);
        (number, text, column) = (at, line, 1);
    }
    let text: Vec<char> = text.chars().collect();
    let column = (column.max(1) as usize - 1).min(text.len());
    let (start, length) = blamed(&text, column, failure);
    let (shown, start) = excerpt(&text, start);
    numbered(&mut block, number, &shown);
    let margin = styled(DIM, "      |");
    let length = length.min(MAX_SOURCE.saturating_sub(start)).max(1);
    let carets = styled(BAD, "^".repeat(length));
    let fits = 8 + start + length + 1 + message.chars().count() <= WIDTH;
    if fits {
        line(&mut block, format_args!("{margin} {:start$}{carets} {message}", ""));
    } else {
        line(&mut block, format_args!("{margin} {:start$}{carets}", ""));
        below(&mut block, &message);
    }
    block
}

/// The line of a step of many lines where the wanted event stands, if that is not the step's first, and its number.
fn event_line<'s>(source: &'s str, number: usize, event: &str) -> Option<(usize, &'s str)> {
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut lines = source.lines().enumerate().skip(number.checked_sub(1)?);
    let (_, first) = lines.next()?;
    if event.is_empty() || first.contains(event) {
        return None;
    }
    lines
        .take_while(|(_, line)| line.trim().is_empty() || depth(line) > depth(first))
        .find(|(_, line)| line.contains(event))
        .map(|(index, line)| (index + 1, line))
}

fn numbered(block: &mut String, number: usize, text: &str) {
    line(block, format_args!("{} {}", styled(DIM, format_args!("{number:5} |")), harmless(text)));
}

/// Where the underline starts and how long it is: the name of the wanted event if it stands at or after the column, else
/// the word at the column.
fn blamed(text: &[char], column: usize, failure: &Failure) -> (usize, usize) {
    if let Some(wanted) = &failure.wanted {
        let event: Vec<char> = wanted.event.chars().collect();
        let found = (column..text.len()).find(|&at| text[at..].starts_with(&event));
        if let (Some(at), false) = (found, event.is_empty()) {
            return (at, event.len());
        }
    }
    let word = text[column..].iter().take_while(|c| !c.is_whitespace() && !",:}]".contains(**c));
    (column, word.count().max(1))
}

/// As much of the line as is shown, and where the underline starts in that.
fn excerpt(text: &[char], start: usize) -> (String, usize) {
    if text.len() <= MAX_SOURCE {
        return (text.iter().collect(), start);
    }
    let from = start.saturating_sub(40);
    let to = text.len().min(from + MAX_SOURCE);
    let head = if from > 0 { "…" } else { "" };
    let tail = if to < text.len() { "…" } else { "" };
    let shown: String = text[from..to].iter().collect();
    (format!("{head}{shown}{tail}"), start - from + usize::from(from > 0))
}

fn below(block: &mut String, message: &str) {
    for paragraph in message.lines().filter(|line| !line.trim().is_empty()) {
        for text in wrapped(paragraph, WIDTH - 2) {
            line(block, format_args!("  {text}"));
        }
    }
}

/// Whether the daemon lives, what its earlier incarnations died of, how much was searched, its last output.
fn daemon(result: &ScenarioResult, failure: &Failure) -> String {
    let Some(state) = &failure.daemon_state else { return String::new() };
    let named = Some(state.name.as_str()).filter(|name| !name.is_empty());
    let name = named.or(failure.wanted.as_ref().map(|wanted| wanted.daemon.as_str()));
    let known = result.daemons.iter().find(|daemon| Some(daemon.name.as_str()) == name);
    let mut parts = vec![life(result, state, known)];
    match state.last_event_age_s {
        Some(age) => parts.push(format!("last event {} ago", duration(age))),
        None => parts.push("no event yet".to_owned()),
    }
    if let Some(searched) = &failure.searched {
        parts.push(format!("{} events searched", searched.events));
    }
    let mut block = labelled(&harmless(name.unwrap_or("daemon")), ODD, &parts.join("; "));
    let lines = &state.last_lines[state.last_lines.len().saturating_sub(MAX_OUTPUT)..];
    for last in lines {
        line(&mut block, format_args!("            {} {}", styled(DIM, "|"), harmless(last)));
    }
    block
}

/// `alive, pid 4711, incarnation 2 (incarnation 1: SIGKILL at +8.8 s by fault #1)`
fn life(result: &ScenarioResult, state: &DaemonState, known: Option<&DaemonResult>) -> String {
    let incarnations = known.map_or(&[][..], |daemon| &daemon.incarnations);
    let current = incarnations.iter().find(|one| one.number == state.incarnation);
    let mut text = match (state.alive, current) {
        (true, Some(current)) => format!("alive, pid {}", current.pid),
        (true, None) => "alive".to_owned(),
        (false, _) if state.incarnation == 0 => return "never run".to_owned(),
        (false, Some(current)) => format!("dead: {}", death(result, known, current)),
        (false, None) => "dead".to_owned(),
    };
    write!(text, ", incarnation {}", state.incarnation).expect("a string takes all text");
    let earlier: Vec<String> = incarnations
        .iter()
        .filter(|one| one.number < state.incarnation && one.exit.is_some())
        .map(|one| format!("incarnation {}: {}", one.number, death(result, known, one)))
        .collect();
    // A daemon that restarts without end has many; the last say enough.
    let shown = &earlier[earlier.len().saturating_sub(5)..];
    if !shown.is_empty() {
        let more = if shown.len() < earlier.len() { "…, " } else { "" };
        write!(text, " ({more}{})", shown.join(", ")).expect("a string takes all text");
    }
    text
}

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
        Some(Cause::Kill | Cause::Terminate) => write!(text, " by the scenario"),
        Some(Cause::Signal) => write!(text, " after a signal of the scenario"),
        Some(Cause::Itself) => write!(text, " by itself"),
        Some(Cause::HostLost) => write!(text, " with its host"),
        None => Ok(()),
    }
    .expect("a string takes all text");
    text
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

fn line(block: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(block, "{text}").expect("a string takes all text");
}

#[cfg(test)]
mod tests;
