//! A child of this process: watched by pidfd, reaped by its owner and by nobody else.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::{LazyLock, Mutex, Once, OnceLock, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid as RawPid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open,
    pidfd_send_signal, waitid,
};
use tokio::io::unix::AsyncFd;

use super::procfs::{self, Pid};
use super::readiness;
use crate::daemon::ExitStatus;

/// A child that has been spawned and, until [`Child::reap`], not been waited for.
#[derive(Debug)]
pub(super) struct Child {
    pid: RawPid,
    pidfd: AsyncFd<OwnedFd>,
    status: OnceLock<ExitStatus>,
}

/// Why there is no child to watch.
#[derive(Debug)]
pub(super) enum ChildError {
    Refused(io::Error),
    /// It was spawned, and killed again.
    Unwatched(Pid, io::Error),
}

impl From<ChildError> for io::Error {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::Refused(source) | ChildError::Unwatched(_, source) => source,
        }
    }
}

/// Children that their owners have not reaped. Whoever reaps adopted processes leaves these alone.
static OWNED: LazyLock<Mutex<HashSet<Pid>>> = LazyLock::new(Mutex::default);

/// Reaps dead children that nobody here has spawned: those that a subreaper was given. Only for a process all of whose own
/// children are made in this module.
pub fn reap_adopted() {
    // Held over a spawn too, so that no child is seen here before it is known as owned.
    let owned = OWNED.lock().unwrap_or_else(PoisonError::into_inner);
    for (pid, stat) in procfs::children(procfs::own_pid()) {
        if !stat.is_alive()
            && !owned.contains(&pid)
            && let Some(pid) = RawPid::from_raw(pid)
        {
            // Somebody else may have been faster; then there is nothing left to do.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
}

impl Child {
    pub(super) fn spawn(command: &mut Command) -> Result<Self, ChildError> {
        unignore_child_signal();
        let raw = {
            let mut owned = OWNED.lock().unwrap_or_else(PoisonError::into_inner);
            let child = command.spawn().map_err(ChildError::Refused)?;
            let pid = Pid::try_from(child.id()).expect("a process id fits pid_t");
            owned.insert(pid);
            RawPid::from_raw(pid).expect("a child's id is positive")
        };
        // Not PIDFD_NONBLOCK: it would make waitid(2), not only readiness, answer at once.
        let watched = pidfd_open(raw, PidfdFlags::empty())
            .map_err(io::Error::from)
            .and_then(readiness::watch);
        match watched {
            Ok(pidfd) => Ok(Self { pid: raw, pidfd, status: OnceLock::new() }),
            Err(source) => {
                let _ = rustix::process::kill_process(raw, Signal::KILL);
                let _ = waitid(WaitId::Pid(raw), WaitIdOptions::EXITED);
                let pid = raw.as_raw_nonzero().get();
                disown(pid);
                Err(ChildError::Unwatched(pid, source))
            }
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid.as_raw_nonzero().get()
    }

    pub(super) fn raw_pid(&self) -> RawPid {
        self.pid
    }

    /// Resolves when it has exited, without reaping it. Still answers afterwards.
    pub(super) async fn exited(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.status() {
                return status;
            }
            // A pidfd becomes readable when the process exits, and stays so.
            match self.pidfd.readable().await {
                Ok(mut guard) => {
                    if let Some(status) = self.status() {
                        return status;
                    }
                    guard.clear_ready();
                }
                // The runtime is shutting down: nobody will poll this again.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Blocks until it has exited, or for this long.
    pub(super) fn block_until_exited(&self, at_most: Duration) {
        let timeout = Timespec::try_from(at_most).ok();
        let _ = poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], timeout.as_ref());
    }

    /// How it has ended, if it has.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        if let Some(status) = self.status.get() {
            return Some(*status);
        }
        self.wait(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG)
    }

    /// Sends a signal to it alone; one that has exited is no error.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Frees its number. Blocks until it has exited. To be called once.
    pub(super) fn reap(&self) -> ExitStatus {
        let known = self.status.get().copied();
        let reaped = self.wait(WaitIdOptions::EXITED);
        disown(self.pid());
        known.or(reaped).unwrap_or(STOLEN)
    }

    fn wait(&self, options: WaitIdOptions) -> Option<ExitStatus> {
        let waited = loop {
            match waitid(WaitId::PidFd(self.pidfd.as_fd()), options) {
                Err(Errno::INTR) => {}
                other => break other,
            }
        };
        let status = match waited {
            Ok(Some(status)) => exit_status(&status),
            Ok(None) => return None,
            Err(error) => {
                if self.status.get().is_none() {
                    tracing::error!(pid = self.pid(), %error, "somebody else has waited for our child");
                }
                STOLEN
            }
        };
        Some(*self.status.get_or_init(|| status))
    }
}

/// What is answered for a process whose status somebody else has collected, by `waitpid(-1)` or by ignoring SIGCHLD: a
/// code that no process can exit with.
const STOLEN: ExitStatus = ExitStatus::Code(-1);

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, Some(signal)) => ExitStatus::Signal(signal),
        (None, None) => STOLEN,
    }
}

/// Sees to it that the ends of children can be waited for. A parent that ignores SIGCHLD hands that down to us, and the
/// kernel then reaps children itself (wait(2)).
fn unignore_child_signal() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ignored = procfs::ignored_signals(procfs::own_pid());
        if ignored & (1 << (Signal::CHILD.as_raw() - 1)) != 0 {
            use nix::sys::signal::{SigHandler, Signal, signal};
            #[expect(unsafe_code, reason = "the default disposition runs no code of ours")]
            // SAFETY: SIG_DFL is always a sound disposition.
            let set = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
            if let Err(error) = set {
                tracing::error!(%error, "SIGCHLD stays ignored: the exit status of daemons will be unknown");
            }
        }
    });
}

fn disown(pid: Pid) {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
}
