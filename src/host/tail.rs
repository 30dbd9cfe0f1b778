//! Reading a file that a daemon appends to, as if it were a pipe.

use std::fs::{self, File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::pipe::ReadOutcome;
use super::readiness;

const MOST_READ: usize = 64 * 1024;

/// How often the file is looked at when the kernel does not tell of changes: its directory is not there yet, or on a
/// file system of another machine.
const UNTOLD: Duration = Duration::from_millis(20);

/// How often it is looked at all the same.
const TOLD: Duration = Duration::from_millis(250);

/// The reading end of a file that a daemon appends to; [`super::pipe::PipeReader`] has the same methods.
///
/// Begins at the file's end at the time of creation, for what is there has not been written by the incarnation to come.
/// The file may be missing, and may be truncated or replaced: then it is read from its beginning, and a line that was left
/// incomplete is ended. Content that is cut off before it was read is lost, as it is for `tail -F`.
#[derive(Debug)]
pub struct FileTail {
    path: PathBuf,
    open: Option<Open>,
    /// Where to begin in the file that was there when this was made; nothing of a later one is skipped.
    skip: Option<Position>,
    changes: Option<AsyncFd<OwnedFd>>,
    writer_released: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    device: u64,
    inode: u64,
    offset: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    offset: u64,
    mid_line: bool,
}

impl FileTail {
    pub fn new(path: &Path) -> Self {
        let position =
            |file: Metadata| Position { device: file.dev(), inode: file.ino(), offset: file.len() };
        Self {
            path: path.to_owned(),
            open: None,
            skip: fs::metadata(path).ok().map(position),
            changes: changes(path),
            writer_released: false,
        }
    }

    /// Resolves when there may be something new; also from time to time for nothing. May be dropped.
    pub async fn readable(&self) -> io::Result<()> {
        if self.available() > 0 {
            return Ok(());
        }
        let Some(changes) = &self.changes else {
            tokio::time::sleep(UNTOLD).await;
            return Ok(());
        };
        if let Ok(changed) = tokio::time::timeout(TOLD, changes.readable()).await {
            let mut guard = changed?;
            // What has changed is seen by looking; the notes only need to be out of the way.
            let mut notes = [MaybeUninit::uninit(); 4096];
            while guard.try_io(|fd| Ok(rustix::io::read(fd, &mut notes[..]).map(|_| ())?)).is_ok() {
            }
        }
        Ok(())
    }

    /// Reads what there is, at most 64 KiB. Closed is answered at the end of the file once the writer has been released.
    pub fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<ReadOutcome> {
        self.follow(buffer)?;
        let at_end =
            if self.writer_released { ReadOutcome::Closed } else { ReadOutcome::WouldBlock };
        let Some(open) = &mut self.open else {
            return Ok(at_end);
        };
        let mut chunk = vec![0; MOST_READ.min(open.unread())];
        let read = open.file.read_at(&mut chunk, open.offset)?;
        let Some(last) = chunk[..read].last() else {
            return Ok(at_end);
        };
        open.offset += read as u64;
        open.mid_line = *last != b'\n';
        buffer.put_slice(&chunk[..read]);
        Ok(ReadOutcome::Read(read))
    }

    /// The bytes between here and the end of the file.
    pub fn available(&self) -> usize {
        match &self.open {
            Some(open) => open.unread(),
            None => fs::metadata(&self.path).map_or(0, |file| {
                let begin = self.skip.filter(|s| s.is_of(&file)).map_or(0, |s| s.offset);
                saturate(file.len().saturating_sub(begin))
            }),
        }
    }

    /// From then on the end of the file is its end.
    pub fn release_writer(&mut self) {
        self.writer_released = true;
    }

    /// Opens the file, or what has taken its place once the old one has been read to its end.
    fn follow(&mut self, buffer: &mut BytesMut) -> io::Result<()> {
        if let Some(open) = &mut self.open {
            if open.file.metadata()?.len() < open.offset {
                open.begin_again(buffer);
            }
            if open.unread() > 0 || !self.is_replaced() {
                return Ok(());
            }
        }
        // Without the flag, opening a FIFO would wait for its writer, and everything else with it.
        let file = match open(&self.path, OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let now = file.metadata()?;
        if !now.is_file() {
            let what = format!("{} is no regular file", self.path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        // A file that is smaller than it was when we first saw it has been truncated since.
        let skip = self.skip.take().filter(|s| s.is_of(&now) && s.offset <= now.len());
        let new = Open { file, offset: skip.map_or(0, |s| s.offset), mid_line: false };
        if let Some(old) = &mut self.open {
            old.begin_again(buffer);
        }
        self.open = Some(new);
        Ok(())
    }

    fn is_replaced(&self) -> bool {
        let Some(open) = &self.open else { return false };
        match (fs::metadata(&self.path), open.file.metadata()) {
            (Ok(there), Ok(ours)) => (there.dev(), there.ino()) != (ours.dev(), ours.ino()),
            _ => false,
        }
    }
}

impl Position {
    fn is_of(&self, file: &Metadata) -> bool {
        (self.device, self.inode) == (file.dev(), file.ino())
    }
}

impl Open {
    fn unread(&self) -> usize {
        let length = self.file.metadata().map_or(0, |file| file.len());
        saturate(length.saturating_sub(self.offset))
    }

    /// What comes next does not continue the line that was being written.
    fn begin_again(&mut self, buffer: &mut BytesMut) {
        self.offset = 0;
        if std::mem::take(&mut self.mid_line) {
            buffer.put_u8(b'\n');
        }
    }
}

fn saturate(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// The kernel's notes on a file's directory; `None` where there are none to be had.
fn changes(path: &Path) -> Option<AsyncFd<OwnedFd>> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let fd = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
    let of_interest = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO;
    add_watch(&fd, directory, of_interest).ok()?;
    readiness::watch(fd).ok()
}
