//! `tribunal events`: the recorded events of a run, in the order of its log.

mod rows;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::SystemTime;

use glob::Pattern;
use serde_json::Value;

use self::rows::Rows;
use crate::daemon::{DaemonName, Incarnation};
use crate::event::log::{Scan, ScanSource};
use crate::event::{NamePattern, Seq};
use crate::predicate::Predicate;
use crate::record::{RecordError, RecordedRun, What};

/// Which events are wanted; nothing said wants all, malformed lines too.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Names and globs; none wants all.
    pub from: Vec<String>,
    pub event: Option<NamePattern>,
    pub predicate: Option<Predicate>,
    pub incarnation: Option<Incarnation>,
    pub after: Option<When>,
    pub before: Option<When>,
    /// Lines that are no events, and nothing else.
    pub malformed_only: bool,
    pub amount: Amount,
}

/// A moment of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// Seconds since it began.
    At(f64),
    Wall(SystemTime),
}

/// How many are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Amount {
    #[default]
    All,
    First(usize),
    Last(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line of at most 80 columns for each.
    Table,
    /// The same with everything.
    Wide,
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
    let (sources, lifecycle) = contents(run, &filter.from)?;
    let (names, window) = (names(&sources), window(run, filter, &sources)?);
    let mut rows = Rows::new(filter, window, format, out, &names);
    let mut lifecycle = VecDeque::from(lifecycle);
    let mut scan = Scan::new(sources);
    while let Some(scanned) = scan.next(run)? {
        if rows.is_over(&scanned.entry) {
            break;
        }
        if scanned.entry.overlong {
            rows.overlong(&scanned)?;
        }
        for (seq, record) in scanned.records() {
            while lifecycle.front().is_some_and(|row| row.seq < seq) {
                rows.lifecycle(lifecycle.pop_front())?;
            }
            rows.record(&scanned, seq, record)?;
        }
    }
    while !lifecycle.is_empty() {
        rows.lifecycle(lifecycle.pop_front())?;
    }
    Ok(rows.finish()?)
}

fn names(sources: &[ScanSource]) -> Vec<DaemonName> {
    sources.iter().map(|source| source.daemon.clone()).collect()
}

/// The seconds since the run began between which a record counts.
fn window(
    run: &mut RecordedRun,
    filter: &Filter,
    sources: &[ScanSource],
) -> Result<(f64, f64), RecordError> {
    let mut began = None;
    for source in sources {
        let first = run.index(&source.daemon)?.first();
        began = began.or(first.map(|entry| entry.wall_us.saturating_sub(entry.monotonic_us)));
    }
    let seconds = |when: When| match when {
        When::At(at_s) => at_s,
        When::Wall(time) => {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let began = std::time::Duration::from_micros(began.unwrap_or_default());
            since.as_secs_f64() - began.as_secs_f64()
        }
    };
    let after = filter.after.map_or(f64::NEG_INFINITY, seconds);
    Ok((after, filter.before.map_or(f64::INFINITY, seconds)))
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
    from: &[String],
) -> Result<(Vec<ScanSource>, Vec<Lifecycle>), EventsError> {
    let (mut sources, mut lifecycle, mut known) = (Vec::new(), Vec::new(), Vec::new());
    let fits = |from: &str, daemon: &str| {
        from == daemon || Pattern::new(from).is_ok_and(|pattern| pattern.matches(daemon))
    };
    let wanted = |daemon: &DaemonName| {
        from.is_empty() || from.iter().any(|from| fits(from, daemon.as_str()))
    };
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
    let unknown = from.iter().find(|from| !known.iter().any(|name| fits(from, name)));
    if let Some(name) = unknown {
        if known.is_empty() {
            known.push("none".to_owned());
        }
        return Err(EventsError::UnknownDaemon { name: name.clone(), known });
    }
    lifecycle.sort_by_key(|row| row.seq);
    Ok((sources, lifecycle))
}

#[cfg(test)]
mod tests;
