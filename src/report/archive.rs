//! What is drawn of plays while their run directories are there: `timeline.html` in those that are kept, the page of the
//! whole run, the trace.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::chronicle::{Chronicle, ChronicleError};
use super::sink::{Sink, WriteReportError};
use super::timeline::{Book, Entry, Picture, TimelineError, write_beside};
use super::trace::{Trace, TraceError};
use crate::record::RunDir;
use crate::run::{Archivist, Attempt, Notice, Observer, RunReport, Unit};
use crate::scenario::result::Outcome;

/// From here on only what did not pass gets a picture in the page of the whole run: a run may last for days.
const PICTURES: usize = 256 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Chronicle(#[from] ChronicleError),
    #[error(transparent)]
    Timeline(#[from] TimelineError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error(transparent)]
    Write(#[from] WriteReportError),
}

impl ArchiveError {
    /// The reader has seen enough, as in `| head`.
    pub fn nobody_reads(&self) -> bool {
        match self {
            Self::Write(error) | Self::Trace(TraceError::Write(error)) => error.nobody_reads(),
            _ => false,
        }
    }
}

/// Draws one run as it was recorded: its page, its trace.
pub fn draw(dir: RunDir, html: Option<&Path>, trace: Option<&Path>) -> Result<(), ArchiveError> {
    let mut chronicle = Chronicle::open(dir)?;
    let html = html.map(Sink::create).transpose()?;
    let trace = trace.map(Sink::create).transpose()?;
    if let Some(mut sink) = html {
        let picture = Picture::of(&mut chronicle)?;
        sink.write(|out| picture.write_page(out))?;
    }
    if let Some(sink) = trace {
        let mut trace = Trace::begin(sink)?;
        trace.add(&mut chronicle)?;
        trace.end()?;
    }
    Ok(())
}

/// Draws plays as they end, and the page and the trace of the whole run, where these are wanted.
#[derive(Debug, Default)]
pub struct Archive {
    album: Option<Mutex<Album>>,
    trace: Mutex<Option<Trace>>,
    failure: Mutex<Option<ArchiveError>>,
}

/// The page of the whole run.
#[derive(Debug)]
struct Album {
    book: Book,
    numbers: HashMap<Unit, usize>,
    entries: Vec<Entry>,
    bytes: usize,
}

impl Archive {
    pub fn new(html: Option<Sink>, trace: Option<Sink>) -> Result<Self, ArchiveError> {
        let album = html.map(|sink| -> Result<_, WriteReportError> {
            let (numbers, entries) = (HashMap::new(), Vec::new());
            Ok(Mutex::new(Album { book: Book::begin(sink)?, numbers, entries, bytes: 0 }))
        });
        let trace = trace.map(Trace::begin).transpose()?;
        Ok(Self { album: album.transpose()?, trace: Mutex::new(trace), failure: Mutex::default() })
    }

    fn draw(&self, attempt: &Attempt<'_>) -> Result<(), ArchiveError> {
        let wanted = attempt.kept || self.album.is_some() || lock(&self.trace).is_some();
        let dir = RunDir::new(attempt.run_dir);
        // What could not even begin to be played has recorded nothing.
        if !wanted || !dir.log().is_file() {
            return Ok(());
        }
        let mut chronicle = Chronicle::open(dir.clone())?;
        if attempt.kept {
            write_beside(&dir, &mut chronicle)?;
        }
        if let Some(album) = &self.album {
            lock(album).add(attempt, &mut chronicle)?;
        }
        if let Some(trace) = &mut *lock(&self.trace) {
            trace.add(&mut chronicle)?;
        }
        Ok(())
    }

    /// Ends the page and the trace. The first error of all that were met on the way, if there was one.
    pub fn end(&self, report: &RunReport) -> Result<(), ArchiveError> {
        if let Some(album) = &self.album {
            lock(album).end(report)?;
        }
        if let Some(trace) = lock(&self.trace).take() {
            trace.end()?;
        }
        lock(&self.failure).take().map_or(Ok(()), Err)
    }
}

impl Archivist for Archive {
    fn file(&self, attempt: &Attempt<'_>) {
        // A disk that is full does not change how the play ended.
        if let Err(error) = self.draw(attempt) {
            lock(&self.failure).get_or_insert(error);
        }
    }
}

impl Observer for Archive {
    fn notice(&self, notice: Notice<'_>) {
        let (Notice::PlayEnded { played, .. }, Some(album)) = (notice, &self.album) else { return };
        let mut album = lock(album);
        let picture = album.numbers.get(&played.unit).copied();
        let entry = Entry {
            result: played.result.clone(),
            repetition: played.unit.repetition,
            attempt: played.unit.attempt,
            verdict: played.verdict,
            run_dir: played.run_dir.clone(),
            picture,
        };
        // Told once more, as failed, if the run ended before it was tried again.
        if let Some(last) = album.entries.last_mut()
            && picture.is_some()
            && last.picture == picture
        {
            *last = entry;
            return;
        }
        album.entries.push(entry);
    }
}

impl Album {
    fn add(
        &mut self,
        attempt: &Attempt<'_>,
        chronicle: &mut Chronicle,
    ) -> Result<(), ArchiveError> {
        if attempt.result.outcome == Outcome::Passed && self.bytes > PICTURES {
            return Ok(());
        }
        let picture = Picture::of(chronicle)?;
        self.bytes += picture.size();
        let number = self.book.add(&picture)?;
        self.numbers.insert(attempt.unit, number);
        Ok(())
    }

    fn end(&mut self, report: &RunReport) -> Result<(), WriteReportError> {
        self.book.end(&self.entries, &report.summary)
    }
}

/// A picture that was half written when a thread panicked is no worse than none.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_reader_that_goes_away_early_is_no_error_of_a_page_or_trace() {
        let broken = |path: &str, kind: io::ErrorKind| {
            let sink = Sink::create(Path::new(path)).expect("it can be opened");
            sink.failed(kind.into())
        };
        let page = ArchiveError::Write(broken("-", io::ErrorKind::BrokenPipe));
        let trace = TraceError::Write(broken("-", io::ErrorKind::BrokenPipe));
        assert!(page.nobody_reads() && ArchiveError::Trace(trace).nobody_reads());
        assert!(!ArchiveError::Write(broken("-", io::ErrorKind::StorageFull)).nobody_reads());
        let file = broken("/dev/null", io::ErrorKind::BrokenPipe);
        assert!(!ArchiveError::Write(file).nobody_reads());
    }
}
