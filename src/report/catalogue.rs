//! `tribunal events --catalogue`: what events runs have shown, and what is other in other runs.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::text::{BAD, DIM, GOOD, ODD, STRONG, harmless, styled};
use crate::event::Seq;
use crate::event::catalogue::{Catalogue, Change, Collector, Difference, VERSION};
use crate::event::log::{Scan, ScanSource};
use crate::record::{RecordError, RecordedRun, RunDir, What};

/// Why there is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} is no catalogue: `tribunal events --catalogue RUN_DIR --format json` makes one", path.display())]
    NoCatalogue { path: PathBuf, source: serde_json::Error },
    #[error("{} is a catalogue of version {version}, and this tribunal knows version {VERSION}", path.display())]
    Newer { path: PathBuf, version: u64 },
}

/// The catalogue of a run directory, or the one that a file holds, and what of the run is damaged.
pub fn open(path: &Path) -> Result<(Catalogue, Vec<String>), CatalogueError> {
    if path.is_dir() {
        let mut run = RecordedRun::open(RunDir::new(path))?;
        let catalogue = of_run(&mut run)?;
        return Ok((catalogue, run.damage().to_vec()));
    }
    let unreadable = |source| CatalogueError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let wrong = |source| CatalogueError::NoCatalogue { path: path.to_owned(), source };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(wrong)?;
    if let Some(version) = value["version"].as_u64().filter(|version| *version > VERSION.into()) {
        return Err(CatalogueError::Newer { path: path.to_owned(), version });
    }
    Ok((serde_json::from_value(value).map_err(wrong)?, Vec::new()))
}

/// Reads all events of a run, batch by batch.
pub fn of_run(run: &mut RecordedRun) -> Result<Catalogue, RecordError> {
    let (mut sources, mut kinds) = (Vec::new(), Vec::new());
    for note in run.notes()? {
        if let What::Daemon { daemon, kind, envelope } = note.what {
            sources.push(ScanSource {
                daemon: daemon.clone(),
                envelope: envelope.into(),
                from: Seq(0),
            });
            kinds.push((kind, daemon));
        }
    }
    let mut collector = Collector::default();
    let mut scan = Scan::new(sources);
    while let Some(scanned) = scan.next(run)? {
        let (kind, daemon) = &kinds[scanned.source];
        for (_, record) in scanned.records() {
            let Ok(content) = &record.content else { continue };
            let payload = serde_json::from_str(scanned.batch.text(&content.payload));
            // The decoder vouches for it.
            let Ok(payload) = payload else { continue };
            collector.add(kind, daemon.as_str(), content.name.as_str(), &payload);
        }
    }
    Ok(collector.finish())
}

/// Each event with what is in it.
pub fn text(catalogue: &Catalogue) -> String {
    let mut text = String::new();
    for (name, entry) in &catalogue.events {
        let kinds: Vec<&str> = entry.kinds.keys().map(String::as_str).collect();
        let times =
            if entry.count == 1 { "once".to_owned() } else { format!("{} times", entry.count) };
        let of = harmless(&kinds.join(", "));
        put(
            &mut text,
            format_args!(
                "{}  {}",
                styled(STRONG, harmless(name)),
                styled(DIM, format!("{times}, of {of}"))
            ),
        );
        let longest = entry.fields.keys().map(|path| path.chars().count()).max().unwrap_or(0);
        let width = longest.min(36);
        for (path, field) in &entry.fields {
            let types = field.types_in_words();
            // Where the payload has parts, it is they that tell.
            if path == "self" && entry.fields.len() > 1 {
                continue;
            }
            let share = if field.count < entry.count {
                format!("  {}x", field.count)
            } else {
                String::new()
            };
            let example = field.example.as_deref().map(harmless).unwrap_or_default();
            let line = format!("  {:<width$}  {types:<16}  {example}{share}", harmless(path));
            put(&mut text, format_args!("{}", line.trim_end()));
        }
        if entry.is_partial {
            put(&mut text, format_args!("  {}", styled(ODD, "… and more than is listed")));
        }
    }
    let count = catalogue.events.len();
    let more = if catalogue.is_partial { ", and more than is listed" } else { "" };
    put(&mut text, format_args!("{count} event{}{more}", if count == 1 { "" } else { "s" }));
    text
}

/// Each change on a line.
pub fn difference_text(difference: &Difference) -> String {
    let mut text = String::new();
    for change in &difference.changes {
        let (style, sign, line) = match change {
            Change::Added { event } => (GOOD, '+', event.clone()),
            Change::Removed { event } => (BAD, '-', event.clone()),
            Change::ProbablyRenamed { from, to } => {
                (ODD, '~', format!("{from} is now {to}, probably: same fields"))
            }
            Change::FieldAdded { event, path, types } => {
                (GOOD, '+', format!("{event}: {path}, {types}"))
            }
            Change::FieldRemoved { event, path, types } => {
                (BAD, '-', format!("{event}: {path}, {types}"))
            }
            Change::TypeChanged { event, path, from, to } => {
                (ODD, '~', format!("{event}: {path} was {from}, is {to}"))
            }
        };
        put(&mut text, format_args!("{} {}", styled(style, sign), harmless(&line)));
    }
    let count = difference.changes.len();
    let verdict = match count {
        0 => "no difference".to_owned(),
        1 => "1 difference".to_owned(),
        count => format!("{count} differences"),
    };
    put(&mut text, format_args!("{verdict}"));
    text
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all text");
}
