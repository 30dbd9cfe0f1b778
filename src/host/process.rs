//! One process and its group: spawned, signalled, watched and reaped.
//!
//! The order at an end is always: exit seen by pidfd, rest of the group killed, pipes drained, *then* reaped. Until the
//! leader is reaped its number, which is also the group's, cannot be given to anybody else, so a signal to the group
//! cannot hit a stranger. `reap` consumes the [`Process`], and with it the means to signal.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, Once, OnceLock, PoisonError};

use rustix::io::Errno;
use rustix::process::{
    Pid as RawPid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open,
    pidfd_send_signal, waitid,
};
use tokio::io::unix::AsyncFd;

use super::guardian::{Guardian, Registration};
use super::interrupts;
use super::pipe::{PipeBudget, PipeError, PipeReader, Writer};
use super::procfs::{self, Pid};
use super::program::{self, ProgramError};
use super::readiness;
use crate::daemon::{CommandLine, ExitStatus};

/// What becomes of a process's standard output and error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Each goes through a pipe of its own to us.
    Piped,
    /// To /dev/null.
    Discarded,
}

/// What a process reads on its standard input.
#[derive(Debug)]
pub enum Input {
    /// /dev/null.
    Nothing,
    /// This file, from where it stands.
    File(std::fs::File),
}

/// What is needed to spawn, apart from the command line.
#[derive(Debug)]
pub struct Surroundings<'a> {
    pub output: Output,
    pub input: Input,
    pub budget: &'a PipeBudget,
    /// Told of the group as long as it lives.
    pub guardian: Option<&'a Guardian>,
}

/// Why a process did not come about.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("the working directory {cwd:?} is not there")]
    WorkingDirectory {
        cwd: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a pipe for the output of {program:?}")]
    Pipe {
        program: OsString,
        #[source]
        source: PipeError,
    },
    /// The file is there and executable, yet the kernel will not run it: a missing interpreter, a foreign binary, no memory.
    #[error("{path:?} cannot be run")]
    Refused {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("process {pid} cannot be watched, and was killed")]
    Watch {
        pid: Pid,
        #[source]
        source: io::Error,
    },
}

/// A signal that could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    #[error("{signal} is no signal")]
    NoSuchSignal { signal: i32 },
    #[error("signal {signal} to process {pid}")]
    Refused {
        signal: i32,
        pid: Pid,
        #[source]
        source: io::Error,
    },
}

/// A process with the reading ends of its pipes; both ends are `None` where the output is discarded.
#[derive(Debug)]
pub struct Spawned {
    pub process: Process,
    pub stdout: Option<PipeReader>,
    pub stderr: Option<PipeReader>,
}

/// A process of ours that has not been reaped, leader of a group of its own.
///
/// Dropping it kills the group and reaps the leader; that blocks for as long as the kernel needs to end a killed process.
pub struct Process {
    watch: Arc<Watch>,
    registration: Option<Registration>,
    reaped: bool,
}

#[derive(Debug)]
struct Watch {
    pid: RawPid,
    pidfd: AsyncFd<OwnedFd>,
    status: OnceLock<ExitStatus>,
}

/// Children that have not been reaped by their owner. Whoever reaps adopted processes leaves these alone.
static OWNED: LazyLock<Mutex<HashSet<Pid>>> = LazyLock::new(Mutex::default);

/// Runs `spawn`, which answers a new child's id, such that [`reap_adopted`] cannot see the child before it is known as owned.
pub(super) fn owning<T>(
    spawn: impl FnOnce() -> io::Result<T>,
    pid: impl FnOnce(&T) -> Pid,
) -> io::Result<T> {
    let mut owned = OWNED.lock().unwrap_or_else(PoisonError::into_inner);
    let spawned = spawn()?;
    owned.insert(pid(&spawned));
    Ok(spawned)
}

pub(super) fn disown(pid: Pid) {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
}

/// Reaps dead children that nobody here spawned: those that a subreaper was given. Only for a process that owns all of
/// its children through this module.
pub fn reap_adopted() {
    let owned = OWNED.lock().unwrap_or_else(PoisonError::into_inner);
    for (pid, stat) in procfs::children(id(std::process::id())) {
        if !stat.is_alive()
            && !owned.contains(&pid)
            && let Some(pid) = RawPid::from_raw(pid)
        {
            // Somebody else may have been faster; then there is nothing left to do.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
}

/// Spawns a process in a group of its own, with its environment added to ours.
///
/// By posix_spawn(3), whose cost does not grow with our memory: there must be no `pre_exec` here. Signals that are
/// ignored or blocked on this thread are so in the child, except SIGPIPE.
pub fn spawn(command: &CommandLine, around: Surroundings<'_>) -> Result<Spawned, SpawnError> {
    let path = program::find(command)?;
    let mut os = Command::new(&path);
    os.arg0(&command.program).args(&command.args).envs(&command.env).process_group(0);
    os.env_remove(interrupts::FRONT_VARIABLE);
    if let Some(cwd) = &command.cwd {
        let missing = |source| SpawnError::WorkingDirectory { cwd: cwd.clone(), source };
        std::fs::read_dir(cwd).map_err(missing)?;
        os.current_dir(cwd);
    }
    os.stdin(match around.input {
        Input::Nothing => Stdio::null(),
        Input::File(file) => file.into(),
    });
    let pipe = || {
        PipeReader::anonymous(around.budget)
            .map_err(|source| SpawnError::Pipe { program: command.program.clone(), source })
    };
    let (stdout, stderr) = match around.output {
        Output::Piped => (Some(pipe()?), Some(pipe()?)),
        Output::Discarded => (None, None),
    };
    let (stdout, stdout_end) = split(stdout);
    let (stderr, stderr_end) = split(stderr);
    os.stdout(stdout_end).stderr(stderr_end);

    unignore_child_signal();
    let child = owning(|| os.spawn(), |child| id(child.id()))
        .map_err(|source| SpawnError::Refused { path, source })?;
    // `os` holds our copies of the writing ends; the pipes must end when the child's do.
    drop(os);
    let process = Process::adopt(id(child.id()), around.guardian)?;
    Ok(Spawned { process, stdout, stderr })
}

fn split(pipe: Option<(PipeReader, Writer)>) -> (Option<PipeReader>, Stdio) {
    match pipe {
        Some((reader, writer)) => (Some(reader), OwnedFd::from(writer).into()),
        None => (None, Stdio::null()),
    }
}

fn id(pid: u32) -> Pid {
    Pid::try_from(pid).expect("a process id fits pid_t")
}

impl Process {
    /// Takes charge of a child that leads its own group and that nobody has waited for.
    fn adopt(pid: Pid, guardian: Option<&Guardian>) -> Result<Self, SpawnError> {
        let raw = RawPid::from_raw(pid).expect("a child's id is positive");
        let registration = guardian.map(|guardian| guardian.register(pid));
        let watched = pidfd_open(raw, PidfdFlags::NONBLOCK)
            .map_err(io::Error::from)
            .and_then(readiness::watch);
        match watched {
            Ok(pidfd) => {
                let watch = Arc::new(Watch { pid: raw, pidfd, status: OnceLock::new() });
                Ok(Self { watch, registration, reaped: false })
            }
            Err(source) => {
                let _ = rustix::process::kill_process_group(raw, Signal::KILL);
                let _ = waitid(WaitId::Pid(raw), WaitIdOptions::EXITED);
                disown(pid);
                Err(SpawnError::Watch { pid, source })
            }
        }
    }

    /// The process's id, which is also its group's.
    pub fn pid(&self) -> Pid {
        self.watch.pid.as_raw_nonzero().get()
    }

    /// Resolves when the leader has exited, which it may have long ago; it is not reaped by that. The future keeps nothing
    /// of the process but its pidfd, may be dropped and made again, and still answers after [`Process::reap`].
    pub fn exited(&self) -> impl Future<Output = ExitStatus> + Send + use<> {
        let watch = Arc::clone(&self.watch);
        async move { watch.exited().await }
    }

    /// How the leader has ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        self.watch.peek()
    }

    /// The state letter of proc(5): `R`, `S`, `D`, `T` stopped, `Z` exited.
    pub fn state(&self) -> Option<char> {
        procfs::stat(self.pid()).map(|stat| stat.state)
    }

    /// Members of the group that live, the leader included.
    pub fn living_members(&self) -> Vec<Pid> {
        procfs::members(self.pid())
    }

    /// SIGKILL to the whole group. A group that is empty but for the exited leader is no error.
    pub fn kill_group(&self) -> Result<(), SignalError> {
        self.signal_group(Signal::KILL.as_raw())
    }

    /// A signal to every process of the group.
    pub fn signal_group(&self, signal: i32) -> Result<(), SignalError> {
        let raw = raw_signal(signal)?;
        match rustix::process::kill_process_group(self.watch.pid, raw) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(source) => {
                Err(SignalError::Refused { signal, pid: self.pid(), source: source.into() })
            }
        }
    }

    /// A signal to the leader alone. One that has exited is no error.
    pub fn signal_leader(&self, signal: i32) -> Result<(), SignalError> {
        let raw = raw_signal(signal)?;
        match pidfd_send_signal(&self.watch.pidfd, raw) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(source) => {
                Err(SignalError::Refused { signal, pid: self.pid(), source: source.into() })
            }
        }
    }

    /// Kills what is left of the group and frees the process's number.
    ///
    /// Does not block once [`Process::exited`] has resolved; before that it ends the process and waits for its end.
    pub fn reap(mut self) -> ExitStatus {
        self.end()
    }

    fn end(&mut self) -> ExitStatus {
        self.reaped = true;
        if let Err(error) = self.kill_group() {
            tracing::warn!(pid = self.pid(), %error, "the group was not killed before the reaping");
        }
        // The group is dead by now. Told later, the guardian might kill the group's number when it is somebody else's.
        self.registration = None;
        let status = self.watch.reap();
        disown(self.pid());
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.reaped {
            self.end();
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("pid", &self.pid())
            .field("status", &self.watch.status.get())
            .finish_non_exhaustive()
    }
}

impl Watch {
    async fn exited(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.peek() {
                return status;
            }
            // A pidfd becomes readable when the process exits and stays so.
            match self.pidfd.readable().await {
                Ok(mut guard) => {
                    if let Some(status) = self.peek() {
                        return status;
                    }
                    guard.clear_ready();
                }
                // The runtime is shutting down: nobody will poll this again.
                Err(_) => std::future::pending().await,
            }
        }
    }

    fn peek(&self) -> Option<ExitStatus> {
        if let Some(status) = self.status.get() {
            return Some(*status);
        }
        self.wait(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG)
    }

    fn reap(&self) -> ExitStatus {
        let known = self.status.get().copied();
        let reaped = self.wait(WaitIdOptions::EXITED);
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
                    tracing::error!(pid = self.pid.as_raw_nonzero().get(), %error,
                        "somebody else in this process has waited for the daemon");
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

fn raw_signal(signal: i32) -> Result<Signal, SignalError> {
    match signal {
        // Real-time signals have no names; 32 and 33 are the C library's own (signal(7)).
        34..=64 => {
            #[expect(unsafe_code, reason = "a signal that the C library does not reserve")]
            // SAFETY: the range is that of the real-time signals that programs may use.
            Ok(unsafe { Signal::from_raw_unchecked(signal) })
        }
        _ => Signal::from_named_raw(signal).ok_or(SignalError::NoSuchSignal { signal }),
    }
}

/// Sees to it that the ends of children can be waited for. A parent that ignores SIGCHLD hands that down to us, and the
/// kernel then reaps children itself (wait(2)).
fn unignore_child_signal() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ignored = procfs::ignored_signals(id(std::process::id()));
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
