//! The box above the picture that explains a failure: what the terminal tells of it, as markup.

use maud::{Markup, html};

use crate::report::failure::{self, Told, pressure, times, told};
use crate::report::text::{duration, readable};
use crate::scenario::result::{
    ClauseTruth, Failure, Nearest, PassedOver, ScenarioResult, StepResult,
};

/// Names that were seen, where none of them is close to the wanted one.
const MAX_NAMES: usize = 10;

pub(super) fn why(result: &ScenarioResult, failure: &Failure) -> Markup {
    let step = result.steps.iter().find(|step| step.path == failure.step);
    let place = match failure.line {
        0 => result.file.clone(),
        line => format!("{}:{line}:{}", result.file, failure.column),
    };
    html! {
        div.failure role="region" aria-label="failure" {
            p.what {
                (place) " " @if let Some(step) = step { (step.verb) " failed: " }
                (failure::reason(failure))
            }
            p.message { (failure.message) }
            dl {
                (wanted(failure, step))
                @for near in &failure.nearest { (nearest(failure, near)) }
                @for passed in &failure.passed_over { (passed_over(failure, passed)) }
                (names(failure))
                @for told in told(result, failure) { (daemon(&told)) }
                @if let Some(host) = &failure.host { dt { "host" } dd { (pressure(host)) } }
                @for (label, command) in [("replay", &failure.replay), ("rerun", &failure.rerun)] {
                    @if let Some(command) = command { dt { (label) } dd { code { (command) } } }
                }
            }
        }
    }
}

fn wanted(failure: &Failure, step: Option<&StepResult>) -> Markup {
    html! {
        @if let Some(used) = &failure.used {
            dt { "there" }
            dd { (used.file) ":" (used.line) ":" (used.column) pre { (used.text) } }
        } @else if let Some(step) = step { dt { "step" } dd { code { (step.text) } } }
        @if let Some(wanted) = &failure.wanted {
            dt { "wanted" }
            dd {
                (wanted.event) " of " (wanted.daemon)
                @if let Some(predicate) = &wanted.r#where { " where " code { (predicate) } }
            }
        }
    }
}

/// A link to an event of the picture.
fn event(seq: u64) -> Markup {
    html! { a href="#" data-seq=(seq) { "seq " (seq) } }
}

/// Named only where another daemon was waited for, or several.
fn of_another<'f>(failure: &Failure, daemon: &'f str) -> Option<&'f str> {
    let waited_for = failure.wanted.as_ref().map(|wanted| wanted.daemon.as_str());
    Some(daemon).filter(|daemon| !daemon.is_empty() && waited_for != Some(daemon))
}

fn nearest(failure: &Failure, near: &Nearest) -> Markup {
    let is_other = failure.wanted.as_ref().is_some_and(|wanted| wanted.event != near.event);
    let holds = near.values.iter().all(|value| value.truth == ClauseTruth::True);
    html! {
        dt { "nearest" }
        dd {
            (event(near.seq)) ", "
            @if let Some(at_s) = near.at_s { "+" (duration(at_s)) ", " }
            (near.event)
            @if let Some(daemon) = of_another(failure, &near.daemon) { " of " (daemon) }
            @if !near.payload.is_empty() { " " code { (readable(&near.payload)) } }
            @if is_other && holds && !near.values.is_empty() {
                div.clause { "its payload is as wanted, only the name is another" }
            } @else if near.values.is_empty() {
                @if !near.explanation.is_empty() { div.clause { (near.explanation) } }
            } @else {
                @for value in &near.values {
                    div.clause.(word(value.truth)) { (mark(value.truth)) " " code { (value.text) } }
                }
            }
        }
    }
}

fn word(truth: ClauseTruth) -> &'static str {
    match truth {
        ClauseTruth::True => "true",
        ClauseTruth::False => "false",
        ClauseTruth::Unknown => "unknown",
    }
}

fn mark(truth: ClauseTruth) -> &'static str {
    match truth {
        ClauseTruth::True => "✓",
        ClauseTruth::False => "✗",
        ClauseTruth::Unknown => "?",
    }
}

fn passed_over(failure: &Failure, passed: &PassedOver) -> Markup {
    let is_one = passed.count == 1;
    html! {
        dt { "too early" }
        dd {
            (times(passed.count)) " in incarnation " (passed.incarnation)
            @if let Some(daemon) = of_another(failure, &passed.daemon) { " of " (daemon) }
            @if passed.matched == 0 { ", not as wanted" }
            @else if passed.matched < passed.count { ", as wanted " (times(passed.matched)) }
            @if is_one { ": " } @else { ", last " }
            (event(passed.last_seq)) " at +" (duration(passed.last_s))
            ", before the cursor at " (passed.cursor)
        }
    }
}

fn names(failure: &Failure) -> Markup {
    let count = |name: &str| {
        let seen = failure.names_seen.iter().find(|seen| seen.event == name);
        seen.map_or_else(String::new, |seen| format!(" (seen {})", times(seen.count)))
    };
    let close = failure.did_you_mean.iter().map(|name| format!("{name}{}", count(name)));
    let close = close.collect::<Vec<_>>().join(" or ");
    let seen = failure.names_seen.iter().take(MAX_NAMES);
    let seen = seen.map(|seen| format!("{} ({})", seen.event, times(seen.count)));
    let seen = seen.collect::<Vec<_>>().join(", ");
    html! {
        @if !close.is_empty() { dt { "did you mean" } dd { (close) } }
        @else if !seen.is_empty() {
            dt { "seen" }
            dd { (seen) @if failure.names_seen.len() > MAX_NAMES { ", …" } }
        }
    }
}

fn daemon(told: &Told<'_>) -> Markup {
    html! {
        dt { (told.name) }
        dd {
            (told.parts.join("; "))
            @if !told.lines.is_empty() {
                details.lines {
                    summary {
                        @if let [_] = told.lines { "its last line" }
                        @else { "its last " (told.lines.len()) " lines" }
                    }
                    pre { (told.lines.join("\n")) }
                }
            }
        }
    }
}
