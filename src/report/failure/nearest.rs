//! What came nearest to the wanted event, and which other names were seen.

use super::line;
use super::times;
use crate::report::text::{BAD, DIM, GOOD, INDENT, ODD, STRONG, WIDTH, harmless, labelled, styled};
use crate::report::text::{readable, wrapped};
use crate::scenario::result::{ClauseTruth, ClauseValue, Failure, Nearest};

/// Clauses of one near miss that are shown; of more, those that are true are only counted.
const MAX_CLAUSES: usize = 8;

/// Names that were seen, where none of them is close to the wanted one.
const MAX_NAMES: usize = 6;

pub(super) fn nearest(failure: &Failure) -> String {
    failure.nearest.iter().map(|near| one(near, failure)).collect()
}

fn one(near: &Nearest, failure: &Failure) -> String {
    let at = near.at_s.map(|at| format!("+{at:.1} s"));
    let waited_for = failure.wanted.as_ref().map(|wanted| wanted.daemon.as_str());
    let is_others = !near.daemon.is_empty() && waited_for != Some(near.daemon.as_str());
    let of = is_others.then(|| format!("of {}", near.daemon));
    let parts = [Some(format!("seq {}", near.seq)), at, Some(near.event.clone()), of];
    let payload = (!near.payload.is_empty()).then(|| readable(&near.payload));
    let head: Vec<String> = parts.into_iter().chain([payload]).flatten().collect();
    let head = head.join(" ");
    let mut block = labelled("nearest", DIM, &harmless(&head));
    let is_other = failure.wanted.as_ref().is_some_and(|wanted| wanted.event != near.event);
    let is_as_wanted = near.values.iter().all(|value| value.truth == ClauseTruth::True);
    if is_other && is_as_wanted && !near.values.is_empty() {
        indented(&mut block, "", "its payload is as wanted, only the name is another");
        return block;
    }
    if near.values.is_empty() {
        if !near.explanation.is_empty() {
            indented(&mut block, "", &near.explanation);
        }
        return block;
    }
    if let [only] = &near.values[..] {
        indented(&mut block, "", &only.text);
        return block;
    }
    clauses(&mut block, &near.values);
    block
}

fn clauses(block: &mut String, values: &[ClauseValue]) {
    let is_short = values.len() <= MAX_CLAUSES;
    let shown = values.iter().filter(|value| is_short || value.truth != ClauseTruth::True);
    for value in shown.take(MAX_CLAUSES) {
        let (mark, style) = match value.truth {
            ClauseTruth::True => ("+", GOOD),
            ClauseTruth::False => ("-", BAD),
            ClauseTruth::Unknown => ("?", ODD),
        };
        // What holds is not worth more than a line.
        let is_long = value.text.chars().count() > WIDTH - INDENT - 2;
        let shown = match value.truth {
            ClauseTruth::True if is_long => format!("{} is true", value.clause),
            _ => value.text.clone(),
        };
        indented(block, &format!("{} ", styled(style, mark)), &shown);
    }
    if !is_short {
        let held = values.iter().filter(|value| value.truth == ClauseTruth::True).count();
        indented(block, "", &format!("{held} of {} clauses are true", values.len()));
    }
}

/// Text below a label, wrapped; `mark` stands before it once.
fn indented(block: &mut String, mark: &str, text: &str) {
    let hang = anstream::adapter::strip_str(mark).to_string().chars().count();
    let text = harmless(text);
    for (index, part) in wrapped(&text, WIDTH - INDENT - hang).iter().enumerate() {
        if index == 0 {
            line(block, format_args!("{:INDENT$}{mark}{part}", ""));
        } else {
            line(block, format_args!("{:INDENT$}{:hang$}{part}", "", ""));
        }
    }
}

/// `did you mean double_baking_detected.v0 (seen 3 times)?`, or what was seen at all.
pub(super) fn names(failure: &Failure) -> String {
    let count = |name: &str| {
        let seen = failure.names_seen.iter().find(|seen| seen.event == name);
        seen.map_or_else(String::new, |seen| format!(" (seen {})", times(seen.count)))
    };
    let mut block = String::new();
    if !failure.did_you_mean.is_empty() {
        let names = failure.did_you_mean.iter();
        let names: Vec<_> =
            names.map(|name| format!("{}{}", harmless(name), count(name))).collect();
        for text in wrapped(&format!("did you mean {}?", names.join(" or ")), WIDTH - 2) {
            line(&mut block, format_args!("  {}", styled(STRONG, text)));
        }
        return block;
    }
    let seen = failure.names_seen.iter().take(MAX_NAMES);
    let seen: Vec<_> =
        seen.map(|seen| format!("{} ({})", harmless(&seen.event), times(seen.count))).collect();
    if !seen.is_empty() {
        let more = if failure.names_seen.len() > MAX_NAMES { ", …" } else { "" };
        block.push_str(&labelled("seen", DIM, &format!("{}{more}", seen.join(", "))));
    }
    block
}
