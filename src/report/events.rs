//! `tribunal events`: the recorded events of a run, in the order of its log.

use std::collections::VecDeque;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::text::{BAD, DAEMONS, DIM, STRONG, harmless, styled};
use crate::daemon::{DaemonName, Incarnation};
use crate::event::decode::{Content, Excerpt, Malformed, Record};
use crate::event::log::{Scan, ScanSource, Scanned};
use crate::event::{NamePattern, Seq};
use crate::predicate::{EventMeta, Predicate, Subject};
use crate::record::{RecordError, RecordedRun, What};

/// Which events are wanted; nothing said wants all, malformed lines too.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub from: Option<String>,
    pub event: Option<NamePattern>,
    pub predicate: Option<Predicate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    /// One object on each line.
    JsonLines,
}

#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("no daemon `{name}` in this run; it has {}", known.join(", "))]
    UnknownDaemon { name: String, known: Vec<String> },
    #[error("cannot write the events")]
    Write(#[from] io::Error),
}

/// Writes the wanted events of a run and answers how many they were.
///
/// Reads batch by batch: a run of any length takes little memory.
pub fn write_events(
    run: &mut RecordedRun,
    filter: &Filter,
    format: Format,
    out: &mut dyn Write,
) -> Result<u64, EventsError> {
    let (sources, lifecycle) = contents(run, filter.from.as_deref())?;
    let names: Vec<DaemonName> = sources.iter().map(|source| source.daemon.clone()).collect();
    let mut writer = Writer { filter, format, out, names: &names, written: 0 };
    let mut lifecycle = VecDeque::from(lifecycle);
    let mut scan = Scan::new(sources);
    while let Some(scanned) = scan.next(run)? {
        if scanned.entry.overlong {
            writer.overlong(&scanned)?;
        }
        for (seq, record) in scanned.records() {
            while lifecycle.front().is_some_and(|row| row.seq < seq) {
                writer.lifecycle(lifecycle.pop_front())?;
            }
            writer.record(&scanned, seq, record)?;
        }
    }
    while !lifecycle.is_empty() {
        writer.lifecycle(lifecycle.pop_front())?;
    }
    Ok(writer.written)
}

/// A lifecycle record of `log.jsonl`.
struct Lifecycle {
    at_s: f64,
    seq: Seq,
    daemon: DaemonName,
    incarnation: Incarnation,
    name: String,
    value: Value,
}

/// The daemons to scan and their lifecycle records, in the order of the log.
fn contents(
    run: &RecordedRun,
    from: Option<&str>,
) -> Result<(Vec<ScanSource>, Vec<Lifecycle>), EventsError> {
    let (mut sources, mut lifecycle, mut known) = (Vec::new(), Vec::new(), Vec::new());
    let wanted = |daemon: &DaemonName| from.is_none_or(|from| from == daemon.as_str());
    for note in run.notes()? {
        match note.what {
            What::Daemon { daemon, envelope, .. } => {
                known.push(daemon.to_string());
                if wanted(&daemon) {
                    let envelope = envelope.into();
                    sources.push(ScanSource { daemon, envelope, from: Seq(0) });
                }
            }
            What::Lifecycle { seq, daemon, incarnation, event, value } if wanted(&daemon) => {
                let name = event.to_string();
                let at_s = note.at_s;
                lifecycle.push(Lifecycle { at_s, seq, daemon, incarnation, name, value });
            }
            _ => {}
        }
    }
    match from {
        Some(name) if sources.is_empty() => {
            if known.is_empty() {
                known.push("none".to_owned());
            }
            Err(EventsError::UnknownDaemon { name: name.to_owned(), known })
        }
        _ => {
            lifecycle.sort_by_key(|row| row.seq);
            Ok((sources, lifecycle))
        }
    }
}

struct Writer<'a> {
    filter: &'a Filter,
    format: Format,
    out: &'a mut dyn Write,
    /// In the order of the run, for their colours.
    names: &'a [DaemonName],
    written: u64,
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

impl<'names> Writer<'names> {
    fn record(&mut self, scanned: &Scanned, seq: Seq, record: &Record) -> io::Result<()> {
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
    fn overlong(&mut self, scanned: &Scanned) -> io::Result<()> {
        let row = self.row(scanned, scanned.entry.first);
        let reason = Malformed::TooLong { bytes: scanned.entry.bytes };
        self.malformed(row, &reason.to_string(), "…".to_owned())
    }

    fn row(&self, scanned: &Scanned, seq: Seq) -> Row<'names> {
        #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
        let at_s = scanned.entry.monotonic_us as f64 / 1e6;
        Row {
            seq,
            daemon: &self.names[scanned.source],
            incarnation: scanned.entry.incarnation,
            at_s,
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
        if self.filter.event.as_ref().is_some_and(|pattern| !pattern.matches(name)) {
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

    fn lifecycle(&mut self, lifecycle: Option<Lifecycle>) -> io::Result<()> {
        let Some(lifecycle) = lifecycle else { return Ok(()) };
        let named = self.filter.event.as_ref();
        if named.is_some_and(|pattern| !pattern.matches(&lifecycle.name)) {
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
        if self.filter.event.is_some() || self.filter.predicate.is_some() {
            return Ok(());
        }
        self.put(&Row { malformed: Some(reason), line: Some(line), ..row })
    }

    fn put(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.written += 1;
        if self.format == Format::JsonLines {
            serde_json::to_writer(&mut *self.out, row)?;
            return self.out.write_all(b"\n");
        }
        let index = self.names.iter().position(|name| name == row.daemon).unwrap_or(0);
        let colour = DAEMONS[index % DAEMONS.len()];
        let place = format!("{:>7} {:>+10.3} s", row.seq, row.at_s);
        let daemon = format!("{} {}", row.daemon, row.incarnation);
        write!(self.out, "{}  {}  ", styled(DIM, place), styled(colour, daemon))?;
        if let Some(name) = row.name {
            let value = row.value.map(RawValue::get).unwrap_or_default();
            write!(self.out, "{} {}", styled(STRONG, harmless(name)), harmless(value))?;
        }
        if let (Some(reason), Some(line)) = (row.malformed, &row.line) {
            write!(self.out, "{} {reason}: {line}", styled(BAD, "malformed"))?;
        }
        writeln!(self.out, "{}", if row.late { "  (late)" } else { "" })
    }
}

#[cfg(test)]
mod tests;
