//! Records as lines: which are wanted, and how they look.

use std::collections::VecDeque;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Amount, Filter, Format, Lifecycle};
use crate::daemon::{DaemonName, Incarnation};
use crate::event::Seq;
use crate::event::decode::{Content, Excerpt, Malformed, Record};
use crate::event::log::{IndexEntry, Scanned};
use crate::predicate::{EventMeta, Subject};
use crate::report::text::{BAD, DAEMONS, DIM, STRONG, WIDTH, harmless, styled};

pub(super) struct Rows<'a> {
    filter: &'a Filter,
    /// Seconds between which a record counts.
    window: (f64, f64),
    format: Format,
    out: &'a mut dyn Write,
    /// In the order of the run, for their colours.
    names: &'a [DaemonName],
    written: u64,
    /// The last ones, where only those are wanted.
    kept: VecDeque<Vec<u8>>,
}

/// One line of the output, as JSON.
#[derive(Serialize)]
struct Row<'a> {
    seq: Seq,
    daemon: &'a DaemonName,
    incarnation: Incarnation,
    /// Seconds since the run began.
    at_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// Seconds since the epoch, as the daemon said.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    /// Why the line is no event, and what it begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        filter: &'a Filter,
        window: (f64, f64),
        format: Format,
        out: &'a mut dyn Write,
        names: &'a [DaemonName],
    ) -> Self {
        Self { filter, window, format, out, names, written: 0, kept: VecDeque::new() }
    }

    /// Whether nothing from this entry on can be wanted.
    pub(super) fn is_over(&self, entry: &IndexEntry) -> bool {
        self.is_full() || entry.at_s() > self.window.1
    }

    fn is_full(&self) -> bool {
        matches!(self.filter.amount, Amount::First(limit) if self.written >= limit as u64)
    }

    pub(super) fn record(
        &mut self,
        scanned: &Scanned,
        seq: Seq,
        record: &Record,
    ) -> io::Result<()> {
        let row = self.row(scanned, seq);
        match &record.content {
            Ok(content) => self.event(row, scanned, content),
            Err(reason) => {
                let line = Excerpt(&scanned.batch.bytes[record.line.clone()]).to_string();
                self.malformed(row, &reason.to_string(), line)
            }
        }
    }

    /// A line over the cap is not read back; that there was one is told.
    pub(super) fn overlong(&mut self, scanned: &Scanned) -> io::Result<()> {
        let row = self.row(scanned, scanned.entry.first);
        let reason = Malformed::TooLong { bytes: scanned.entry.bytes };
        self.malformed(row, &reason.to_string(), "…".to_owned())
    }

    fn row(&self, scanned: &Scanned, seq: Seq) -> Row<'a> {
        Row {
            seq,
            daemon: &self.names[scanned.source],
            incarnation: scanned.entry.incarnation,
            at_s: scanned.entry.at_s(),
            name: None,
            time: None,
            section: None,
            value: None,
            malformed: None,
            line: None,
            late: scanned.entry.late,
        }
    }

    fn event(&mut self, row: Row<'_>, scanned: &Scanned, content: &Content) -> io::Result<()> {
        let name = content.name.as_str();
        if !self.is_named(name) {
            return Ok(());
        }
        let part = |range| scanned.batch.text(range);
        // What the decoder took for JSON is JSON; should it ever not be, it is shown as nothing.
        let raw = |text| serde_json::from_str::<&RawValue>(text).ok();
        let (section, value) = (part(&content.section), part(&content.payload));
        let row = Row {
            name: Some(name),
            time: content.time,
            section: raw(section),
            value: raw(value),
            ..row
        };
        self.wanted(&row)
    }

    pub(super) fn lifecycle(&mut self, lifecycle: Option<Lifecycle>) -> io::Result<()> {
        let Some(lifecycle) = lifecycle else { return Ok(()) };
        if !self.is_named(&lifecycle.name) {
            return Ok(());
        }
        let value = serde_json::value::to_raw_value(&lifecycle.value)?;
        let row = Row {
            seq: lifecycle.seq,
            daemon: &lifecycle.daemon,
            incarnation: lifecycle.incarnation,
            at_s: lifecycle.at_s,
            name: Some(&lifecycle.name),
            time: None,
            section: None,
            value: Some(&value),
            malformed: None,
            line: None,
            late: false,
        };
        self.wanted(&row)
    }

    fn is_named(&self, name: &str) -> bool {
        !self.filter.malformed_only
            && self.filter.event.as_ref().is_none_or(|pattern| pattern.matches(name))
    }

    /// Writes an event whose name is wanted, if the predicate wants it too.
    fn wanted(&mut self, row: &Row<'_>) -> io::Result<()> {
        let holds = self.filter.predicate.as_ref().is_none_or(|predicate| {
            let json = |raw: Option<&RawValue>| {
                raw.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok())
                    .unwrap_or_default()
            };
            let section: Vec<String> =
                serde_json::from_value(json(row.section)).unwrap_or_default();
            let event = EventMeta {
                name: row.name.unwrap_or_default(),
                daemon: row.daemon.as_str(),
                time: row.time,
                section: &section,
                seq: row.seq.0,
                incarnation: row.incarnation.0,
            };
            let payload = json(row.value);
            predicate.test(&Subject { payload: &payload, event: Some(event) }, &()).is_true()
        });
        if holds { self.put(row) } else { Ok(()) }
    }

    fn malformed(&mut self, row: Row<'_>, reason: &str, line: String) -> io::Result<()> {
        let asks_for_events = self.filter.event.is_some() || self.filter.predicate.is_some();
        if asks_for_events && !self.filter.malformed_only {
            return Ok(());
        }
        self.put(&Row { malformed: Some(reason), line: Some(line), ..row })
    }

    fn put(&mut self, row: &Row<'_>) -> io::Result<()> {
        let (after, before) = self.window;
        let is_incarnation = self.filter.incarnation.is_none_or(|wanted| wanted == row.incarnation);
        if self.is_full() || !is_incarnation || row.at_s < after || row.at_s > before {
            return Ok(());
        }
        let Amount::Last(last) = self.filter.amount else {
            self.written += 1;
            return write_row(row, self.format, self.names, self.out);
        };
        let mut line = Vec::new();
        write_row(row, self.format, self.names, &mut line)?;
        if self.kept.len() >= last {
            self.kept.pop_front();
        }
        if last > 0 {
            self.kept.push_back(line);
        }
        Ok(())
    }

    /// Writes what was kept back, and tells how many lines there are.
    pub(super) fn finish(self) -> io::Result<u64> {
        for line in &self.kept {
            self.out.write_all(line)?;
        }
        Ok(self.written + self.kept.len() as u64)
    }
}

fn write_row(
    row: &Row<'_>,
    format: Format,
    names: &[DaemonName],
    out: &mut dyn Write,
) -> io::Result<()> {
    if format == Format::JsonLines {
        serde_json::to_writer(&mut *out, row)?;
        return out.write_all(b"\n");
    }
    let index = names.iter().position(|name| name == row.daemon).unwrap_or(0);
    let colour = DAEMONS[index % DAEMONS.len()];
    let longest = names.iter().map(|name| name.as_str().chars().count()).max().unwrap_or(0);
    let place = format!("{:>7} {:>+10.3} s", row.seq, row.at_s);
    let daemon =
        format!("{:<width$}", format!("{} {}", row.daemon, row.incarnation), width = longest + 2);
    let late = if row.late { "  (late)" } else { "" };
    let (style, head, text) = match (row.name, row.malformed, &row.line) {
        (Some(name), ..) => {
            let value = row.value.map(RawValue::get).unwrap_or_default();
            // What is cut anyway need not be looked at.
            let end = if format == Format::Wide { value.len() } else { value.len().min(8 * WIDTH) };
            let value = &value[..value.floor_char_boundary(end)];
            (STRONG, harmless(name), harmless(value))
        }
        (None, reason, line) => {
            let (reason, line) = (reason.unwrap_or_default(), line.as_deref().unwrap_or_default());
            (BAD, "malformed".to_owned(), format!("{reason}: {line}"))
        }
    };
    let used = [&*place, &*daemon, &*head, late].map(|part| part.chars().count());
    let room = WIDTH.saturating_sub(used.iter().sum::<usize>() + 5);
    let text = if format == Format::Wide { text } else { cut(&text, room) };
    write!(out, "{}  {}  {}", styled(DIM, place), styled(colour, daemon), styled(style, head))?;
    if !text.is_empty() {
        write!(out, " {text}")?;
    }
    writeln!(out, "{late}")
}

/// At most so many characters, the last of them a sign that there are more.
fn cut(text: &str, room: usize) -> String {
    if text.chars().nth(room).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    if room == 0 { String::new() } else { kept + "…" }
}
