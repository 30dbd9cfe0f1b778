//! What asks a run to end before its time: Ctrl-C and its like, or the loss of the front process.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::readiness;

/// The variable that tells a worker the number of the descriptor on which its front speaks. Not for daemons.
pub(super) const FRONT_VARIABLE: &str = "TRIBUNAL_FRONT_FD";

/// A reason to end the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The first Ctrl-C, SIGTERM or SIGHUP: end gracefully.
    Graceful,
    /// One more of them: end at once.
    Now,
    /// The front process is gone: end at once, nobody else will clean up.
    FrontLost,
}

/// A worker's end of the line to its front process.
#[derive(Debug)]
pub struct FrontLink(OwnedFd);

impl FrontLink {
    /// `None` in a process that was not spawned by a front. To be called once, before any thread or process is made.
    pub fn from_environment() -> Option<Self> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let number: RawFd = std::env::var(FRONT_VARIABLE).ok()?.parse().ok()?;
        if number <= 2 || TAKEN.swap(true, Ordering::Relaxed) {
            return None;
        }
        // A variable that has strayed here from elsewhere names nothing of ours.
        let open = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
        if !open.as_os_str().as_encoded_bytes().starts_with(b"pipe:") {
            return None;
        }
        #[expect(unsafe_code, reason = "an inherited descriptor is known by its number alone")]
        // SAFETY: it is open, whoever set the variable passed it for us to own, and it is taken once, before anything in
        // this process could have opened one of this number.
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        fcntl_setfd(&fd, FdFlags::CLOEXEC).ok()?;
        fcntl_setfl(&fd, OFlags::NONBLOCK).ok()?;
        Some(Self(fd))
    }
}

/// The interrupts of this process, as they come.
///
/// Creating it replaces the default effect of SIGINT, SIGTERM and SIGHUP for the rest of the process's life. It handles
/// them, as opposed to ignoring them, because children inherit what is ignored.
#[derive(Debug)]
pub struct Interrupts {
    source: Source,
    seen: u32,
}

#[derive(Debug)]
enum Source {
    /// The front forwards its signals as bytes. Our own, which a terminal sends us too, are disregarded.
    Front(AsyncFd<OwnedFd>),
    Signals(Terminators),
    /// Nothing more will come.
    Ended,
}

impl Interrupts {
    /// Listens to the front if there is one, to signals otherwise. Wants a Tokio runtime.
    pub fn listen(front: Option<FrontLink>) -> io::Result<Self> {
        let signals = Terminators::new()?;
        let source = match front {
            Some(FrontLink(fd)) => Source::Front(readiness::watch(fd)?),
            None => Source::Signals(signals),
        };
        Ok(Self { source, seen: 0 })
    }

    /// The next one. May be dropped and called again without loss. Pending for ever after [`Interrupt::FrontLost`].
    pub async fn next(&mut self) -> Interrupt {
        let heard = match &mut self.source {
            Source::Front(fd) => hear(fd).await,
            Source::Signals(signals) => {
                signals.recv().await;
                true
            }
            Source::Ended => std::future::pending().await,
        };
        if !heard {
            self.source = Source::Ended;
            return Interrupt::FrontLost;
        }
        self.seen = self.seen.saturating_add(1);
        if self.seen == 1 { Interrupt::Graceful } else { Interrupt::Now }
    }
}

/// True for one forwarded signal, false for the end of the line.
async fn hear(fd: &AsyncFd<OwnedFd>) -> bool {
    loop {
        let Ok(mut guard) = fd.readable().await else {
            return false;
        };
        let mut byte = [0];
        match guard.try_io(|fd| Ok(rustix::io::read(fd, &mut byte)?)) {
            Ok(Ok(0)) => return false,
            Ok(Ok(_)) => return true,
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(_)) => return false,
            // Not readable after all; the guard has noted that.
            Err(_) => {}
        }
    }
}

/// SIGINT, SIGTERM and SIGHUP.
#[derive(Debug)]
pub(super) struct Terminators {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Terminators {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next of them, by its number.
    pub(super) async fn recv(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = self.hangup.recv() => 1,
        }
    }
}
