//! The small process that stands over the runner.
//!
//! ```text
//!   front (subreaper) ── control pipe ──► worker (the runner, subreaper too) ──► daemons, guardian
//! ```
//!
//! The front runs the same program again as its worker, forwards signals and the key `t` to it, and waits. When the worker has ended,
//! however that came about, everything that still descends from the front is killed: processes that left their group, were
//! orphaned or cleared their environment included. When the front is lost, the control pipe ends, and the worker hears
//! [`super::interrupts::Interrupt::FrontLost`].

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::child::{Child, reap_adopted};
use super::descendants;
use super::interrupts::{FRONT_VARIABLE, FrontLink, QUESTION, Terminators, questions};
use super::keys::Keys;
use super::procfs;
use crate::daemon::ExitStatus;

/// The exit code of a run whose worker was ended by a signal: a bug of the harness.
const BUG: u8 = 70;

/// The exit code of a run that was interrupted.
const INTERRUPTED: u8 = 130;

/// How long the worker may take after the second interrupt.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    #[error("the runner cannot listen to signals")]
    Signals(#[source] io::Error),
    #[error("the runner cannot adopt what its daemons leave behind")]
    Subreaper(#[source] io::Error),
    #[error("the runner could not be spawned a second time, as the worker")]
    Spawn(#[source] io::Error),
}

/// Which of the two processes of a run this is.
#[derive(Debug)]
pub enum Role {
    /// Nobody stands over this process: call [`run`], or do without.
    Front,
    /// This process was spawned by [`run`].
    Worker(FrontLink),
}

impl Role {
    /// To be asked once, at the very beginning. A worker has become a subreaper by the answer.
    pub fn take() -> Result<Self, FrontError> {
        match FrontLink::from_environment() {
            None => Ok(Self::Front),
            Some(link) => {
                descendants::become_subreaper().map_err(FrontError::Subreaper)?;
                Ok(Self::Worker(link))
            }
        }
    }
}

/// Runs this program again, with these arguments (the first is its name), as a worker; answers the worker's exit code when
/// nothing is left of the run. To be called before any other process or thread is made.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<u8, FrontError> {
    descendants::become_subreaper().map_err(FrontError::Subreaper)?;
    // A shell that became this program by `exec` may have left us children of its own.
    let not_ours: Vec<_> =
        procfs::children(procfs::own_pid()).into_iter().map(|(pid, _)| pid).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(FrontError::Signals)?;
    let end = runtime.block_on(attend(arguments.into_iter().collect()))?;
    descendants::kill_all(&not_ours);
    Ok(code(end))
}

/// How the worker ended.
struct End {
    status: ExitStatus,
    /// It did not end when told to, and was killed.
    was_late: bool,
}

async fn attend(arguments: Vec<OsString>) -> Result<End, FrontError> {
    // Listening comes first, so that no signal can end us once there is a worker.
    let mut terminators = Terminators::new().map_err(FrontError::Signals)?;
    let mut children = signal(SignalKind::child()).map_err(FrontError::Signals)?;
    let mut questions = questions().map_err(FrontError::Signals)?;
    let mut continued =
        signal(SignalKind::from_raw(Signal::CONT.as_raw())).map_err(FrontError::Signals)?;
    let (worker, control) = spawn_worker(arguments)?;
    let mut keys = Keys::listen();
    let mut exited = std::pin::pin!(worker.exited());
    let mut interrupts = 0_u32;
    let mut too_late: Option<Instant> = None;
    let mut was_late = false;
    loop {
        let last_grace = async {
            match too_late {
                Some(instant) => sleep_until(instant).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = &mut exited => break,
            number = terminators.recv() => {
                interrupts += 1;
                // The worker may have closed its end, being about to exit.
                let _ = rustix::io::write(&control, &[number]);
                if interrupts == 2 {
                    too_late = Some(Instant::now() + LAST_GRACE);
                }
            }
            _ = questions.recv() => ask(&control),
            () = keys.asked() => ask(&control),
            _ = continued.recv() => keys.resume(),
            _ = children.recv() => reap_adopted(),
            () = last_grace => {
                too_late = None;
                was_late = true;
                let _ = worker.signal(Signal::KILL);
            }
        }
    }
    Ok(End { status: worker.reap(), was_late })
}

/// Has the worker tell what it is doing.
fn ask(control: &OwnedFd) {
    // As above.
    let _ = rustix::io::write(control, &[QUESTION]);
}

fn spawn_worker(arguments: Vec<OsString>) -> Result<(Child, OwnedFd), FrontError> {
    let (theirs, ours) = control_pipe().map_err(FrontError::Spawn)?;
    let mut arguments = arguments.into_iter();
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(FRONT_VARIABLE, theirs.as_raw_fd().to_string());
    let worker = Child::spawn(&mut command).map_err(|error| FrontError::Spawn(error.into()))?;
    Ok((worker, ours))
}

/// A pipe of which the reading end is inherited.
fn control_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC)?;
    // A worker that does not listen must not stop the front.
    fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    fcntl_setfd(&theirs, FdFlags::empty())?;
    Ok((theirs, ours))
}

fn code(end: End) -> u8 {
    if end.was_late {
        return INTERRUPTED;
    }
    match end.status {
        ExitStatus::Code(code) => u8::try_from(code).unwrap_or(BUG),
        ExitStatus::Signal(_) => {
            eprintln!("tribunal: the runner was ended by {}; its daemons are killed", end.status);
            BUG
        }
    }
}
