//! Files that reports are written to.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
#[error("cannot write the report {}", path.display())]
pub struct WriteReportError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl WriteReportError {
    /// The reader has seen enough, as in `| head`.
    pub fn nobody_reads(&self) -> bool {
        is_stdout(&self.path) && self.source.kind() == io::ErrorKind::BrokenPipe
    }
}

/// A file that a report is written to, or standard output.
pub struct Sink {
    path: PathBuf,
    out: Box<dyn Write + Send>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sink {
    /// Opens the file, so that one that cannot be written is known before anything is played; `-` is standard output.
    pub fn create(path: &Path) -> Result<Self, WriteReportError> {
        let out: Box<dyn Write + Send> = if is_stdout(path) {
            Box::new(BufWriter::new(io::stdout()))
        } else {
            let failed = |source| WriteReportError { path: path.to_owned(), source };
            Box::new(BufWriter::new(File::create(path).map_err(failed)?))
        };
        Ok(Self { path: path.to_owned(), out })
    }

    /// Writes, and hands all that was written on to the kernel. An error says which file it was.
    pub fn write(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), WriteReportError> {
        write(&mut *self.out).and_then(|()| self.out.flush()).map_err(|source| self.failed(source))
    }

    /// That error, with the name of this file.
    pub fn failed(&self, source: io::Error) -> WriteReportError {
        WriteReportError { path: self.path.clone(), source }
    }
}

/// For those that write piece by piece.
impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether a report goes to standard output.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_known_at_once() {
        let error = Sink::create(Path::new("/nowhere/report.json")).expect_err("no folder");
        assert_eq!(error.to_string(), "cannot write the report /nowhere/report.json");
        let folder = tempfile::tempdir().expect("temporary folder");
        Sink::create(folder.path()).expect_err("a folder is no file");
    }
}
