//! What comes to a run from outside: Ctrl-C and its like, the loss of the front process, a question.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{keys, readiness};

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

/// Something that is asked of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To end before its time.
    End(Interrupt),
    /// To tell what it is doing: SIGUSR1, or a key.
    State,
}

/// What the front writes for a question: the number of SIGUSR1 on most machines. Any other byte is an interrupt.
pub(super) const QUESTION: u8 = 10;

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

/// What is asked of this process, as it comes.
///
/// Creating it replaces the default effect of SIGINT, SIGTERM, SIGHUP and SIGUSR1 for the rest of the process's life. It handles
/// them, as opposed to ignoring them, because children inherit what is ignored.
#[derive(Debug)]
pub struct Interrupts {
    source: Source,
    /// Asked of this process itself, also if it has a front.
    questions: Signal,
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
        Ok(Self { source, questions: questions()?, seen: 0 })
    }

    /// The next one. May be dropped and called again without loss. Pending for ever after [`Interrupt::FrontLost`].
    pub async fn next(&mut self) -> Asked {
        let heard = tokio::select! {
            heard = self.source.hear() => heard,
            _ = self.questions.recv() => Some(QUESTION),
        };
        match heard {
            Some(QUESTION) => return Asked::State,
            Some(_) => {}
            None => {
                self.source = Source::Ended;
                keys::restore();
                return Asked::End(Interrupt::FrontLost);
            }
        }
        self.seen = self.seen.saturating_add(1);
        Asked::End(if self.seen == 1 { Interrupt::Graceful } else { Interrupt::Now })
    }
}

impl Source {
    /// A signal's number; `None` when the front is lost.
    async fn hear(&mut self) -> Option<u8> {
        match self {
            Self::Front(fd) => hear(fd).await,
            Self::Signals(signals) => Some(signals.recv().await),
            Self::Ended => std::future::pending().await,
        }
    }
}

/// What stands for one signal, or `None` for the end of the line.
async fn hear(fd: &AsyncFd<OwnedFd>) -> Option<u8> {
    loop {
        let mut guard = fd.readable().await.ok()?;
        let mut byte = [0];
        match guard.try_io(|fd| Ok(rustix::io::read(fd, &mut byte)?)) {
            Ok(Ok(0)) => return None,
            Ok(Ok(_)) => return Some(byte[0]),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(_)) => return None,
            // Not readable after all; the guard has noted that.
            Err(_) => {}
        }
    }
}

/// Those that ask for the state.
pub(super) fn questions() -> io::Result<Signal> {
    signal(SignalKind::user_defined1())
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
