//! Opening what a sink writes to, and writing one line to it whole.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use tokio::net::unix::pipe;

use super::config::Destination;
use super::daily::Daily;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenMode {
    /// The permissions of a file that is created.
    pub mode: u32,
    /// Truncate instead of append.
    pub fresh: bool,
    pub create_dirs: bool,
}

/// An open destination.
#[derive(Debug)]
pub enum Target {
    /// A FIFO: written without blocking the program's other tasks.
    Fifo(pipe::Sender),
    /// A regular file or a device.
    Plain(File),
    Daily(Daily),
    Stdout,
    Stderr,
}

/// A line could not be written whole.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The reader is gone.
    #[error("Unix.Unix_error(Unix.EPIPE, \"write\", \"\")")]
    NoReader,
    #[error(transparent)]
    Io(io::Error),
}

impl OpenMode {
    pub fn open(self, path: &Path) -> io::Result<File> {
        if self.create_dirs
            && let Some(parent) = path.parent()
        {
            DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).mode(self.mode);
        if self.fresh {
            options.write(true).truncate(true);
        } else {
            options.append(true);
        }
        options.open(path)
    }
}

impl Target {
    /// Opens it for writing. Blocks until there is a reader where it is a FIFO. Must be called within the runtime.
    pub fn open(destination: &Destination) -> io::Result<Self> {
        let file = match destination {
            Destination::Stdout => return Ok(Self::Stdout),
            Destination::Stderr => return Ok(Self::Stderr),
            Destination::Daily { path, mode, days } => {
                return Daily::open(path.clone(), *mode, *days).map(Self::Daily);
            }
            Destination::Path { path, mode } => mode.open(path)?,
        };
        if file.metadata()?.file_type().is_fifo() {
            // Only now: the blocking open is what waited for the reader.
            return pipe::Sender::from_file(file).map(Self::Fifo);
        }
        Ok(Self::Plain(file))
    }

    /// Writes all of it, waiting for the reader whenever the pipe is full.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let written = match self {
            Self::Fifo(fifo) => write_fifo(fifo, bytes).await,
            Self::Plain(file) => file.write_all(bytes),
            Self::Daily(daily) => daily.write_all(bytes),
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Self::Stderr => io::stderr().lock().write_all(bytes),
        };
        match written {
            Ok(()) => Ok(()),
            // Octez takes a closed descriptor for a sink that was closed on purpose.
            Err(error) if error.raw_os_error() == Some(nix::libc::EBADF) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(WriteError::NoReader),
            Err(error) => Err(WriteError::Io(error)),
        }
    }
}

async fn write_fifo(fifo: &pipe::Sender, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        fifo.writable().await?;
        match fifo.try_write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            // A full pipe; or, interrupted, nothing written yet.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
