//! `--json`: the results of all scenarios and their summary, in one document.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::sink::{Sink, WriteReportError};
use crate::run::player::{broken, unplayed};
use crate::run::{Notice, Observer, Played, RunReport, Summary, Verdict};
use crate::scenario::result::{FailureKind, ScenarioResult, VERSION};

/// Collects what scenarios came to, and writes it at the end.
#[derive(Debug)]
pub struct JsonReport {
    sink: RefCell<Sink>,
    scenarios: RefCell<Vec<Entry>>,
}

/// A result of the attempt that decided, and what the run knows beyond it.
#[derive(Debug, Serialize)]
struct Entry {
    #[serde(flatten)]
    result: ScenarioResult,
    repetition: u32,
    attempts: u32,
    flaky: bool,
    run_dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    scenarios: &'a [Entry],
    summary: &'a Summary,
}

impl JsonReport {
    /// A report that goes there.
    pub fn new(sink: Sink) -> Self {
        Self { sink: RefCell::new(sink), scenarios: RefCell::default() }
    }

    /// Notes a file that cannot be played.
    pub fn refused(&self, file: &Path, why: &str) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let base = unplayed(&name, &file.to_string_lossy(), 0);
        let result = broken(base, FailureKind::Invalid, why);
        let entry = Entry { result, repetition: 0, attempts: 0, flaky: false, run_dir: None };
        self.scenarios.borrow_mut().push(entry);
    }

    /// Writes the document. An error says which file it was.
    pub fn write(&self, report: &RunReport) -> Result<(), WriteReportError> {
        let scenarios = self.scenarios.borrow();
        let document =
            Document { version: VERSION, scenarios: &scenarios, summary: &report.summary };
        self.sink.borrow_mut().write(|out| {
            serde_json::to_writer_pretty(&mut *out, &document)?;
            out.write_all(b"\n")
        })
    }
}

impl Observer for JsonReport {
    fn notice(&self, notice: Notice<'_>) {
        let Notice::PlayEnded { played, .. } = notice else { return };
        let Played { unit, result, run_dir, verdict: Some(verdict) } = played else { return };
        self.scenarios.borrow_mut().push(Entry {
            result: result.clone(),
            repetition: unit.repetition,
            attempts: unit.attempt,
            flaky: *verdict == Verdict::Flaky,
            run_dir: run_dir.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::run::player::unplayed;
    use crate::run::{Case, Exit, Unit};
    use crate::scenario::result::Outcome;

    #[test]
    fn the_document_has_one_object_for_each_verdict() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("report.json");
        let report = JsonReport::new(Sink::create(&path).expect("writable"));
        let case = Case {
            file: "a.yaml".into(),
            name: "a".to_owned(),
            tags: Vec::new(),
            description: None,
            seed: None,
        };
        for (attempt, verdict) in [(1, None), (2, Some(Verdict::Flaky))] {
            let played = Played {
                unit: Unit { case: 0, repetition: 0, attempt },
                result: ScenarioResult {
                    outcome: if attempt == 1 { Outcome::Failed } else { Outcome::Passed },
                    ..unplayed("a", "a.yaml", 42)
                },
                run_dir: None,
                verdict,
            };
            report.notice(Notice::PlayEnded { case: &case, played: &played });
        }
        let summary = Summary { flaky: 1, duration_s: 1.25, ..Summary::default() };
        report.write(&RunReport { summary, exit: Exit::Passed }).expect("writable");

        let text = std::fs::read(&path).expect("written");
        let document: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(document["version"], 1);
        let scenarios = document["scenarios"].as_array().expect("a list");
        assert_eq!(scenarios.len(), 1);
        assert_eq!(scenarios[0]["outcome"], "passed");
        assert_eq!((&scenarios[0]["flaky"], &scenarios[0]["attempts"]), (&json!(true), &json!(2)));
        let _: ScenarioResult = serde_json::from_value(scenarios[0].clone()).expect("a result");
        let summary = json!({"passed": 0, "failed": 0, "flaky": 1, "error": 0, "interrupted": 0,
                             "not_played": 0, "duration_s": 1.25});
        assert_eq!(document["summary"], summary);
    }
}
