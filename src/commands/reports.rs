//! The reports of a run: opened before anything is played, written when all is over.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use tribunal::report::archive::Archive;
use tribunal::report::json::JsonReport;
use tribunal::report::junit::JunitReport;
use tribunal::report::sink::{Sink, is_stdout};
use tribunal::run::load::Read;
use tribunal::run::{Archivist, Exit, Observer, RunReport, Summary};

use super::outcome::CommandError;
use super::streams::Streams;
use crate::cli::ReportingArgs;

/// Those that are wanted.
pub struct Reports {
    json: Option<Rc<JsonReport>>,
    junit: Option<Rc<JunitReport>>,
    archive: Arc<Archive>,
}

/// Where reports are to be written to.
pub fn files(args: &ReportingArgs) -> impl Iterator<Item = &Path> {
    [&args.json, &args.junit, &args.html, &args.trace].into_iter().flatten().map(AsRef::as_ref)
}

/// Refuses to write a report over one of the scenarios that are to be played.
pub fn spare(args: &ReportingArgs, scenarios: &[PathBuf]) -> Result<(), CommandError> {
    let place = |path: &Path| std::fs::canonicalize(path).ok();
    for report in files(args) {
        let report_at = place(report);
        if report_at.is_some() && scenarios.iter().any(|scenario| place(scenario) == report_at) {
            return Err(CommandError::OverScenario { path: report.to_owned() });
        }
    }
    Ok(())
}

impl Reports {
    /// Opens the files, so that one that cannot be written is known before anything is played.
    pub fn open(args: &ReportingArgs) -> Result<Self, CommandError> {
        if files(args).filter(|file| is_stdout(file)).count() > 1 {
            return Err(CommandError::OneStandardOutput);
        }
        let open = |file: &Option<_>| file.as_deref().map(Sink::create).transpose();
        let (json, junit) = (open(&args.json)?, open(&args.junit)?);
        Ok(Self {
            json: json.map(JsonReport::new).map(Rc::new),
            junit: junit.map(JunitReport::new).map(Rc::new),
            archive: Arc::new(Archive::new(open(&args.html)?, open(&args.trace)?)?),
        })
    }

    pub fn observer(&self) -> impl Observer + use<> {
        (self.json.clone(), (self.junit.clone(), Arc::clone(&self.archive)))
    }

    pub fn archivist(&self) -> Arc<dyn Archivist> {
        Arc::clone(&self.archive) as Arc<dyn Archivist>
    }

    /// Writes what can be written, tells of what cannot, and answers what the program ends with.
    pub fn finish(&self, report: &RunReport, streams: Streams) -> Exit {
        let json = self.json.as_ref().map_or(Ok(()), |json| json.write(report));
        let junit = self.junit.as_ref().map_or(Ok(()), |junit| junit.write(report));
        let drawn = self.archive.end(report).map_err(CommandError::from);
        let written = [json.map_err(CommandError::from), junit.map_err(CommandError::from), drawn];
        let failed = written.into_iter().filter_map(Result::err);
        failed.fold(report.exit, |exit, error| exit.and(error.tell(streams)))
    }

    /// The reports of a run in which nothing was played because files are invalid.
    pub fn refused(&self, read: &Read, exit: Exit, streams: Streams) -> Exit {
        for refused in &read.refused {
            if let Some(json) = &self.json {
                json.refused(&refused.file, &refused.error.to_string());
            }
            if let Some(junit) = &self.junit {
                junit.refused(refused);
            }
        }
        let error = u32::try_from(read.refused.len()).unwrap_or(u32::MAX);
        let summary = Summary { error, not_played: read.cases.len() as u64, ..Summary::default() };
        self.finish(&RunReport { summary, exit }, streams)
    }
}
