//! Opening what a sink writes to, and writing one line to it whole.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};

use tokio::net::unix::pipe;

use super::config::Destination;

/// An open destination.
#[derive(Debug)]
pub enum Target {
    /// A FIFO: written without blocking the program's other tasks.
    Fifo(pipe::Sender),
    /// A regular file or a device.
    Plain(File),
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

/// Opens it for writing. Blocks until there is a reader where it is a FIFO.
pub fn open_file(destination: &Destination) -> io::Result<Option<File>> {
    let Destination::Path { path, mode, fresh, create_dirs } = destination else {
        return Ok(None);
    };
    if *create_dirs && let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).mode(*mode);
    if *fresh {
        options.write(true).truncate(true);
    } else {
        options.append(true);
    }
    options.open(path).map(Some)
}

impl Target {
    /// Takes the file opened for a path; the standard streams need none. Must be called within the runtime.
    pub fn new(destination: &Destination, file: Option<File>) -> io::Result<Self> {
        let Some(file) = file else {
            return Ok(if *destination == Destination::Stdout {
                Self::Stdout
            } else {
                Self::Stderr
            });
        };
        if file.metadata()?.file_type().is_fifo() {
            // Only now: the blocking open is what waited for the reader.
            return pipe::Sender::from_file(file).map(Self::Fifo);
        }
        Ok(Self::Plain(file))
    }

    /// Writes all of it, waiting for the reader whenever the pipe is full.
    pub async fn write(&self, bytes: &[u8]) -> Result<(), WriteError> {
        let written = match self {
            Self::Fifo(fifo) => write_fifo(fifo, bytes).await,
            Self::Plain(file) => (&mut &*file).write_all(bytes),
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
