//! What came of checking a record again: a line for each step, and the block that explains what fails.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::failure::{self, Surroundings};
use super::text::{BAD, DIM, GOOD, ODD, STRONG, WIDTH, harmless, styled, wrapped};
use crate::scenario::recheck::{JudgedStep, Recheck, Verdict};
use crate::scenario::result::ScenarioResult;

/// How many steps of each verdict there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub hold: usize,
    pub fail: usize,
    pub as_recorded: usize,
    pub not_judged: usize,
}

impl Tally {
    pub fn of(steps: &[JudgedStep]) -> Self {
        let mut tally = Self::default();
        for step in steps {
            *match step.verdict {
                Verdict::Holds => &mut tally.hold,
                Verdict::Fails { .. } => &mut tally.fail,
                Verdict::AsRecorded => &mut tally.as_recorded,
                Verdict::NotJudged { .. } => &mut tally.not_judged,
            } += 1;
        }
        tally
    }
}

/// What a program reads.
#[derive(Debug, Serialize)]
struct Report<'a> {
    version: u32,
    steps: &'a [JudgedStep],
    result: &'a ScenarioResult,
    tally: Tally,
    damage: &'a [String],
}

/// As one JSON object.
pub fn json(recheck: &Recheck) -> serde_json::Result<String> {
    let Recheck { steps, result, damage, .. } = recheck;
    let report = Report { version: 1, steps, result, tally: Tally::of(steps), damage };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

/// As text, each line ended.
pub fn text(recheck: &Recheck, run_dir: &Path) -> String {
    let Recheck { steps, result, source, is_edited, .. } = recheck;
    let mut text = String::new();
    for step in steps {
        text.push_str(&line(step));
    }
    if result.failure.is_some() {
        if !steps.is_empty() {
            text.push('\n');
        }
        let surroundings = Surroundings { source: Some(source), run_dir: Some(run_dir) };
        text.push_str(&failure::block(result, surroundings));
        text.push('\n');
    }
    let Tally { hold, fail, as_recorded, not_judged } = Tally::of(steps);
    let parts = [
        (hold, "hold", GOOD),
        (fail, "fail", BAD),
        (as_recorded, "as recorded", DIM),
        (not_judged, "not judged", ODD),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, style)| styled(style, format_args!("{count} {what}")).to_string())
        .collect();
    let parts = if parts.is_empty() { "nothing to judge".to_owned() } else { parts.join(", ") };
    let by = if *is_edited { format!("by {}", result.file) } else { "as it was played".to_owned() };
    let name = styled(STRONG, harmless(&result.scenario));
    put(&mut text, format_args!("{name}, {}: {parts}", harmless(&by)));
    text
}

/// `holds   steps[3]  expect  seq 77, daemon_start.v0 of accuser`
fn line(step: &JudgedStep) -> String {
    let (style, word) = match step.verdict {
        Verdict::Holds => (GOOD, "holds"),
        Verdict::Fails { .. } => (BAD, "FAILS"),
        Verdict::AsRecorded => (DIM, "as was"),
        Verdict::NotJudged { .. } => (ODD, "?"),
    };
    let mut path = step.path.clone();
    if !step.rounds.is_empty() {
        let rounds: Vec<String> = step.rounds.iter().map(ToString::to_string).collect();
        write!(path, " i={}", rounds.join(",")).expect("a string takes all text");
    }
    let head = format!("{path:<10} {:<9}", step.verb);
    let detail = harmless(&detail(step));
    let mut text = String::new();
    let column = 8 + head.chars().count() + 1;
    let first = WIDTH.saturating_sub(column).max(24);
    let lines = wrapped(&detail, if column > 40 { WIDTH - 8 } else { first });
    let indent = if column > 40 { 8 } else { column };
    let mut lines = lines.into_iter();
    let beside = if column > 40 { String::new() } else { lines.next().unwrap_or_default() };
    let shown = format!("{:<7} {head} {beside}", styled(style, format!("{word:<7}")));
    put(&mut text, format_args!("{}", shown.trim_end()));
    for more in lines.filter(|line| !line.is_empty()) {
        put(&mut text, format_args!("{:indent$}{more}", ""));
    }
    text
}

/// What was matched, what is wrong, and what is other than it was.
fn detail(step: &JudgedStep) -> String {
    let matched = step.matched.as_ref();
    let was = step.was.as_ref();
    let before = was.and_then(|was| was.matched.as_ref());
    match &step.verdict {
        Verdict::NotJudged { reason } => format!("not judged: {reason}"),
        Verdict::AsRecorded => String::new(),
        Verdict::Fails { message } => match (was, before) {
            (Some(was), Some(before)) if was.passed => {
                format!("no longer matches (it did: seq {}): {message}", before.seq)
            }
            (Some(was), None) if was.passed => format!("no longer holds: {message}"),
            _ => message.clone(),
        },
        Verdict::Holds => {
            let passed = was.is_some_and(|was| was.passed);
            match matched {
                Some(now) => {
                    let what = format!("seq {}, {} of {}", now.seq, now.event, now.daemon);
                    match before {
                        _ if !passed => format!("now matches {what}"),
                        Some(before) if before.seq != now.seq => {
                            format!("now matches {what}; it was seq {}", before.seq)
                        }
                        _ => what,
                    }
                }
                None if !passed => "now holds".to_owned(),
                None => String::new(),
            }
        }
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::recheck::Was;
    use crate::scenario::result::Match;

    fn matched(seq: u64) -> Match {
        Match { daemon: "a".to_owned(), event: "up.v0".to_owned(), seq, incarnation: 1 }
    }

    fn step(verdict: Verdict, now: Option<u64>, was: Option<(bool, Option<u64>)>) -> JudgedStep {
        JudgedStep {
            path: "steps[3]".to_owned(),
            verb: "expect".to_owned(),
            text: String::new(),
            line: 7,
            rounds: Vec::new(),
            verdict,
            matched: now.map(matched),
            was: was.map(|(passed, seq)| Was { passed, matched: seq.map(matched), is_same: false }),
        }
    }

    #[test]
    fn what_is_other_than_it_was_is_said() {
        let fails = || Verdict::Fails { message: "no such event".to_owned() };
        let table = [
            (step(Verdict::Holds, Some(7), Some((true, Some(7)))), "seq 7, up.v0 of a"),
            (
                step(Verdict::Holds, Some(7), Some((true, Some(9)))),
                "now matches seq 7, up.v0 of a; it was seq 9",
            ),
            (step(Verdict::Holds, Some(7), Some((false, None))), "now matches seq 7, up.v0 of a"),
            (step(Verdict::Holds, Some(7), None), "now matches seq 7, up.v0 of a"),
            (step(Verdict::Holds, None, Some((false, None))), "now holds"),
            (step(Verdict::Holds, None, Some((true, None))), ""),
            (step(fails(), None, Some((false, None))), "no such event"),
            (
                step(fails(), None, Some((true, Some(9)))),
                "no longer matches (it did: seq 9): no such event",
            ),
            (step(fails(), None, Some((true, None))), "no longer holds: no such event"),
            (step(Verdict::AsRecorded, None, Some((true, None))), ""),
            (step(Verdict::NotJudged { reason: "why".to_owned() }, None, None), "not judged: why"),
        ];
        for (step, expected) in table {
            assert_eq!(detail(&step), expected, "{step:?}");
        }
    }

    #[test]
    fn a_line_is_never_wider_than_a_terminal_and_harmless() {
        let message = format!("\u{1b}[31m{}", "many words ".repeat(40));
        let mut long = step(Verdict::Fails { message }, None, None);
        long.path = "steps[12].parallel[0][1].repeat[3].use[4]".to_owned();
        for step in [step(Verdict::Fails { message: "w ".repeat(99) }, None, None), long] {
            let text = anstream::adapter::strip_str(&line(&step)).to_string();
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }
}
