//! The reading ends: what a daemon writes, as bytes, without waiting and without losing any.
//!
//! A FIFO is read through one descriptor and held open for writing through another, so that there is no end of file
//! between two writers. When the incarnation has exited [`PipeReader::release_writer`] gives that up: then *closed* tells
//! that nobody else holds the pipe, and its absence that something has escaped.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut, BytesMut};
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, fstat, mkfifoat, open};
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::readiness;
use super::tempdir::{UnsafePath, check_path};

/// The size that pipes are given while the budget lasts; the kernel's own is 64 KiB.
pub const ENLARGED: usize = 256 * 1024;

/// What all enlarged pipes of a harness may take together.
///
/// An unprivileged user who holds more than `pipe-user-pages-soft` (pipe(7), 64 MiB) gets tiny pipes from then on.
pub const BUDGET: usize = 16 * 1024 * 1024;

/// A read asks for this much at most, and for no less than [`LEAST_READ`].
const MOST_READ: usize = 64 * 1024;
const LEAST_READ: usize = 16 * 1024;

/// The memory for enlarged pipes that a harness has left; cheap to clone.
#[derive(Clone, Debug)]
pub struct PipeBudget(Arc<AtomicUsize>);

impl Default for PipeBudget {
    fn default() -> Self {
        Self::new(BUDGET)
    }
}

impl PipeBudget {
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// What is left, in bytes.
    pub fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self) -> Option<Lease> {
        let take = |left: usize| left.checked_sub(ENLARGED);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Lease(self.clone()))
    }
}

/// The part of the budget that one pipe has; given back when dropped.
#[derive(Debug)]
struct Lease(PipeBudget);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.0.fetch_add(ENLARGED, Ordering::Relaxed);
    }
}

/// Why there is no pipe to read.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    #[error(transparent)]
    Path(#[from] UnsafePath),
    #[error("the FIFO {path:?} could not be made")]
    Create {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the FIFO {path:?} could not be opened")]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path:?} is no FIFO")]
    NoFifo { path: PathBuf },
    #[error("no pipe could be made")]
    Anonymous {
        #[source]
        source: io::Error,
    },
    #[error("a pipe could not be watched")]
    Watch {
        #[source]
        source: io::Error,
    },
}

/// What one attempt to read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// This many bytes, at least one, were appended to the buffer.
    Read(usize),
    /// Nothing to read now.
    WouldBlock,
    /// Nothing to read, and nobody left who could write.
    Closed,
}

/// The writing end of an anonymous pipe, for a child. Blocking, as children expect.
#[derive(Debug)]
pub struct Writer(OwnedFd);

impl From<Writer> for OwnedFd {
    fn from(writer: Writer) -> Self {
        writer.0
    }
}

/// The reading end of a FIFO, or of a pipe that is a child's standard output or error. Closed when dropped.
#[derive(Debug)]
pub struct PipeReader {
    fd: AsyncFd<OwnedFd>,
    held: Option<OwnedFd>,
    _lease: Option<Lease>,
}

impl PipeReader {
    /// Makes a FIFO that only we may use, and opens both ends of it.
    ///
    /// To be called before the daemon is spawned: its opening for writing blocks until there is a reader, and where there
    /// is no FIFO it makes a regular file.
    pub fn fifo(path: &Path, budget: &PipeBudget) -> Result<Self, PipeError> {
        check_path(path)?;
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)
            .map_err(|e| PipeError::Create { path: path.into(), source: e.into() })?;
        let opened = |flags| {
            open(path, flags | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
                .map_err(|e| PipeError::Open { path: path.into(), source: e.into() })
        };
        let reader = opened(OFlags::RDONLY)?;
        let is_fifo = fstat(&reader).is_ok_and(|s| FileType::from_raw_mode(s.st_mode).is_fifo());
        if !is_fifo {
            return Err(PipeError::NoFifo { path: path.into() });
        }
        let held = opened(OFlags::WRONLY)?;
        Self::new(reader, Some(held), budget)
    }

    /// A pipe for a child's output. It is closed when the child and all who inherited from it have closed their ends.
    pub fn anonymous(budget: &PipeBudget) -> Result<(Self, Writer), PipeError> {
        let make = || {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            // The flag belongs to this end alone.
            fcntl_setfl(&reader, OFlags::NONBLOCK)?;
            Ok((reader, writer))
        };
        let (reader, writer) =
            make().map_err(|e: Errno| PipeError::Anonymous { source: e.into() })?;
        Ok((Self::new(reader, None, budget)?, Writer(writer)))
    }

    fn new(reader: OwnedFd, held: Option<OwnedFd>, budget: &PipeBudget) -> Result<Self, PipeError> {
        // Beyond the budget, or refused with EPERM, the pipe is as large as the kernel made it.
        let lease = budget.take().filter(|_| fcntl_setpipe_size(&reader, ENLARGED).is_ok());
        let fd = readiness::watch(reader).map_err(|source| PipeError::Watch { source })?;
        Ok(Self { fd, held, _lease: lease })
    }

    /// Resolves when there is something to read or the pipe is closed; it may also resolve for nothing. May be dropped.
    pub async fn readable(&self) -> io::Result<()> {
        // The readiness stays until a read has found the pipe empty.
        self.fd.readable().await.map(|_| ())
    }

    /// Reads what there is, at most 64 KiB, into the spare room of the buffer, which grows if it has little.
    ///
    /// Answers by what is in the pipe now, whether or not [`PipeReader::readable`] has been awaited.
    pub fn try_read(&self, buffer: &mut BytesMut) -> io::Result<ReadOutcome> {
        let mut outcome = None;
        // Tokio runs the closure only if it believes the pipe readable, and clears that belief on `WouldBlock`.
        let tried = self.fd.try_io(Interest::READABLE, |fd| {
            let (read, drained) = read_into(fd, buffer)?;
            outcome = Some(read);
            if drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (outcome, tried) {
            (Some(outcome), _) => Ok(outcome),
            (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            // It believed nothing, or was right. A drain must not lose what has come since it last looked.
            (None, _) => read_into(self.fd.get_ref(), buffer).map(|(read, _)| read),
        }
    }

    /// The bytes that are in the pipe now.
    ///
    /// To drain after a death, read this many and stop: what is written later is written by something that escaped, and
    /// it may never stop.
    pub fn available(&self) -> usize {
        ioctl_fionread(self.fd.get_ref()).map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX))
    }

    /// Gives up our own writing end, if there is one. From then on *closed* means that nobody holds the pipe for writing.
    pub fn release_writer(&mut self) {
        self.held = None;
    }
}

/// One read(2). The flag tells that the pipe is empty now: less has come than there was room for.
fn read_into(fd: &OwnedFd, buffer: &mut BytesMut) -> io::Result<(ReadOutcome, bool)> {
    if buffer.capacity() - buffer.len() < LEAST_READ {
        buffer.reserve(MOST_READ);
    }
    #[expect(unsafe_code, reason = "reading into uninitialised room saves clearing 64 KiB a read")]
    // SAFETY: the kernel writes the slice and never reads it.
    let room = unsafe { buffer.chunk_mut().as_uninit_slice_mut() };
    let room_len = room.len().min(MOST_READ);
    let read = loop {
        match rustix::io::read(fd, &mut room[..room_len]) {
            Ok((filled, _)) => break filled.len(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok((ReadOutcome::WouldBlock, true)),
            Err(error) => return Err(error.into()),
        }
    };
    if read == 0 {
        return Ok((ReadOutcome::Closed, false));
    }
    #[expect(unsafe_code, reason = "these bytes have just been read")]
    // SAFETY: the kernel has initialised the first `read` bytes of the spare room.
    unsafe {
        buffer.advance_mut(read);
    }
    Ok((ReadOutcome::Read(read), read < room_len))
}
