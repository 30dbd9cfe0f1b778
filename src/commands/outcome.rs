//! Why a command could not be carried out, and which exit code that is.

use std::io;
use std::path::PathBuf;

use tribunal::cause::chain;
use tribunal::host::front::FrontError;
use tribunal::record::RecordError;
use tribunal::report::archive::ArchiveError;
use tribunal::report::catalogue::CatalogueError;
use tribunal::report::events::EventsError;
use tribunal::report::sink::WriteReportError;
use tribunal::run::Exit;
use tribunal::run::run_dir::RunDirError;
use tribunal::run::select::DiscoverError;
use tribunal::scenario::recheck::RecheckError;

use super::streams::Streams;

#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    #[error("nothing is selected: -k and -t leave none of {of}")]
    NothingSelected { of: usize },
    #[error("no folder of Octez programs: {}", path.display())]
    NoOctezFolder { path: PathBuf },
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    #[error(transparent)]
    Report(#[from] WriteReportError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("the report {} would overwrite a scenario that is to be played", path.display())]
    OverScenario { path: PathBuf },
    #[error("only one report can go to standard output")]
    OneStandardOutput,
    #[error(transparent)]
    Front(#[from] FrontError),
    #[error("cannot begin the run")]
    Begin(#[source] io::Error),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Recheck(RecheckError),
    #[error(transparent)]
    Events(EventsError),
    #[error(transparent)]
    Catalogue(CatalogueError),
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    #[error("cannot find the program that is running")]
    OwnProgram(#[source] io::Error),
    #[error(transparent)]
    Install(#[from] tribunal::sandbox::InstallError),
}

impl CommandError {
    fn exit(&self) -> Exit {
        match self {
            // The reader has seen enough, as in `| head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Passed,
            Self::Report(error) if error.nobody_reads() => Exit::Passed,
            Self::Archive(error) if error.nobody_reads() => Exit::Passed,
            Self::Events(EventsError::UnknownDaemon { .. })
            | Self::OneStandardOutput
            | Self::OverScenario { .. } => Exit::Usage,
            _ => Exit::Environment,
        }
    }

    /// Tells it on standard error, and which exit code it is.
    pub fn tell(&self, streams: Streams) -> Exit {
        let exit = self.exit();
        if exit != Exit::Passed {
            let text = format!("tribunal: {}\n", chain(self));
            streams.tell(&text);
        }
        exit
    }
}

impl From<RecheckError> for CommandError {
    fn from(error: RecheckError) -> Self {
        match error {
            RecheckError::Record(error) => Self::Record(error),
            other => Self::Recheck(other),
        }
    }
}

impl From<CatalogueError> for CommandError {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Record(error) => Self::Record(error),
            other => Self::Catalogue(other),
        }
    }
}

impl From<EventsError> for CommandError {
    fn from(error: EventsError) -> Self {
        match error {
            EventsError::Write(error) => Self::Output(error),
            EventsError::Record(error) => Self::Record(error),
            other @ EventsError::UnknownDaemon { .. } => Self::Events(other),
        }
    }
}
