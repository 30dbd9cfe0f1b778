//! The page: what a play was and how it ended, as markup; the scripts add the picture.

use std::io::{self, Write};
use std::path::PathBuf;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Picture, failure};
use crate::report::chronicle::Chronicle;
use crate::report::sink::{Sink, WriteReportError};
use crate::report::text::duration;
use crate::run::{Summary, Verdict};
use crate::scenario::result::{Outcome, ScenarioResult};

const STYLE: &str = include_str!("page/timeline.css");

/// In the order in which they build on each other.
const SCRIPTS: [&str; 6] = [
    include_str!("page/data.js"),
    include_str!("page/predicate.js"),
    include_str!("page/picture.js"),
    include_str!("page/pointer.js"),
    include_str!("page/table.js"),
    include_str!("page/app.js"),
];

/// What stands above the picture.
#[derive(Debug)]
pub(super) struct Head {
    name: String,
    result: Option<ScenarioResult>,
    daemons: usize,
    events: u64,
    end_us: u64,
}

impl Head {
    pub(super) fn of(chronicle: &Chronicle, events: u64) -> Self {
        Self {
            name: chronicle.name.clone(),
            result: chronicle.result.clone(),
            daemons: chronicle.daemons.len(),
            events,
            end_us: chronicle.end_us,
        }
    }
}

pub(super) fn write_single(picture: &Picture, out: &mut dyn Write) -> io::Result<()> {
    write_start(out, &picture.head.name)?;
    write_play(out, picture, "play", false)?;
    write_end(out)
}

/// Up to the body. The policy says that the page loads nothing, and the browser sees to it.
fn write_start(out: &mut dyn Write, title: &str) -> io::Result<()> {
    const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
                          base-uri 'none'; form-action 'none'";
    let head = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · tribunal" }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
        }
    };
    let text = head.into_string();
    // The body follows, and may be long: it is written as it comes.
    out.write_all(text.strip_suffix("</html>").unwrap_or(&text).as_bytes())?;
    out.write_all(b"<body>")
}

fn write_end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"<script>\"use strict\";(() => {\n")?;
    for script in SCRIPTS {
        out.write_all(script.as_bytes())?;
    }
    out.write_all(b"})();</script></body></html>\n")
}

fn write_play(out: &mut dyn Write, picture: &Picture, id: &str, in_book: bool) -> io::Result<()> {
    let back = html! { @if in_book { a.back href="#" { "← all scenarios" } } };
    let section = html! {
        section.play id=(id) {
            (back)
            (head(&picture.head))
            div.body {
                p.loading { "Drawing …" }
                noscript { p { "The picture and the tables need JavaScript. Nothing is loaded from anywhere." } }
            }
        }
    };
    let text = section.into_string();
    out.write_all(text.strip_suffix("</section>").unwrap_or(&text).as_bytes())?;
    out.write_all(b"<script type=\"text/plain\" class=\"data\">")?;
    out.write_all(picture.data.as_bytes())?;
    out.write_all(b"</script></section>\n")
}

fn head(head: &Head) -> Markup {
    let Head { name, result, daemons, events, end_us } = head;
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
    let lasted = result.as_ref().map_or(*end_us as f64 / 1e6, |result| result.duration_s);
    html! {
        div.head {
            div.brand { "Tribunal timeline" }
            h1 { (name) }
            @match result {
                Some(result) => span.outcome.(result.outcome.word()) { (result.outcome.word()) },
                None => span.outcome.interrupted { "cut short: it has no result" },
            }
        }
        ul.meta {
            @if let Some(result) = result {
                li { (result.file) }
                li { "seed " b { (result.seed) } }
                li { (result.started) }
            }
            li { "took " b { (duration(lasted)) } }
            li { (counted(*daemons as u64, "daemon")) }
            li { (counted(*events, "event")) }
        }
        @if let Some(result) = result {
            @if let Some(failure) = &result.failure { (failure::why(result, failure)) }
            @if !result.warnings.is_empty() {
                details.more open[result.outcome == Outcome::Passed] {
                    summary { (counted(result.warnings.len() as u64, "warning")) }
                    ul { @for warning in &result.warnings { li { (warning) } } }
                }
            }
        }
    }
}

fn counted(count: u64, what: &str) -> Markup {
    let s = if count == 1 { "" } else { "s" };
    html! { b { (grouped(count)) } " " (what) (s) }
}

/// `200,006`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One line of the overview of a whole run.
#[derive(Debug)]
pub struct Entry {
    pub result: ScenarioResult,
    pub repetition: u32,
    pub attempt: u32,
    /// `None` if it was tried again.
    pub verdict: Option<Verdict>,
    pub run_dir: Option<PathBuf>,
    /// Which of the pictures of the page, if it has one.
    pub picture: Option<usize>,
}

/// A page with the plays of a whole run; it is written as they come, so that it is never in memory.
#[derive(Debug)]
pub struct Book {
    sink: Sink,
    pictures: usize,
}

impl Book {
    pub fn begin(mut sink: Sink) -> Result<Self, WriteReportError> {
        sink.write(|out| write_start(out, "All scenarios of a run"))?;
        Ok(Self { sink, pictures: 0 })
    }

    /// Puts a play into the page and answers which picture it is.
    pub fn add(&mut self, picture: &Picture) -> Result<usize, WriteReportError> {
        self.pictures += 1;
        let id = format!("play-{}", self.pictures);
        self.sink.write(|out| write_play(out, picture, &id, true))?;
        Ok(self.pictures)
    }

    /// Writes the overview, and what brings the page to life.
    pub fn end(&mut self, entries: &[Entry], summary: &Summary) -> Result<(), WriteReportError> {
        self.sink.write(|out| {
            out.write_all(overview(entries, summary).into_string().as_bytes())?;
            write_end(out)
        })
    }
}

fn overview(entries: &[Entry], summary: &Summary) -> Markup {
    let counts = [
        (u64::from(summary.passed), "passed"),
        (u64::from(summary.failed), "failed"),
        (u64::from(summary.flaky), "flaky"),
        (u64::from(summary.error), "error"),
        (u64::from(summary.interrupted), "interrupted"),
        (summary.not_played, "not played"),
    ];
    let some = counts.into_iter().filter(|(count, _)| *count > 0);
    html! {
        main.overview {
            div.head { div.brand { "Tribunal" } h1 { "All scenarios of a run" } }
            ul.meta {
                @for (count, word) in some { li { b { (count) } " " (word) } }
                li { "took " b { (duration(summary.duration_s)) } }
            }
            table {
                thead { tr { th { "outcome" } th { "scenario" } th.file { "file" } th { "seed" } th { "took" } th { "failure" } } }
                tbody { @for entry in entries { (row(entry)) } }
            }
        }
    }
}

fn row(entry: &Entry) -> Markup {
    let result = &entry.result;
    let word = match entry.verdict {
        Some(Verdict::Flaky) => "flaky",
        _ => result.outcome.word(),
    };
    let name = if result.scenario.is_empty() { &result.file } else { &result.scenario };
    html! {
        tr {
            td { span.outcome.(word) { (word) } }
            td {
                @match entry.picture {
                    Some(number) => a href={ "#play-" (number) } { (name) },
                    None => (name),
                }
                @if entry.repetition > 0 { ", repetition " (entry.repetition) }
                @if entry.attempt > 1 || entry.verdict.is_none() { ", attempt " (entry.attempt) }
            }
            td.file { (result.file) }
            td.num { (result.seed) }
            td.num { (duration(result.duration_s)) }
            td.why { @if let Some(failure) = &result.failure { (failure.message) } }
        }
    }
}
