//! One process and its group: spawned, signalled, watched and reaped.
//!
//! The order at an end is always: exit seen by pidfd, rest of the group killed, pipes drained, *then* reaped. Until the
//! leader is reaped its number, which is also the group's, cannot be given to anybody else, so a signal to the group
//! cannot hit a stranger. `reap` consumes the [`Process`], and with it the means to signal.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::Signal;

use super::child::{Child, ChildError};
use super::guardian::{Guardian, Registration};
use super::interrupts;
use super::pipe::{PipeBudget, PipeError, PipeReader, Writer};
use super::procfs::{self, Pid};
use super::program::{self, ProgramError};
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
    child: Arc<Child>,
    registration: Option<Registration>,
    reaped: bool,
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

    let child = Child::spawn(&mut os).map_err(|error| match error {
        ChildError::Refused(source) => SpawnError::Refused { path, source },
        ChildError::Unwatched(pid, source) => SpawnError::Watch { pid, source },
    })?;
    // The command holds our copies of the writing ends; the pipes must end when the child's copies do.
    drop(os);
    let registration = around.guardian.map(|guardian| guardian.register(child.pid()));
    let process = Process { child: Arc::new(child), registration, reaped: false };
    Ok(Spawned { process, stdout, stderr })
}

fn split(pipe: Option<(PipeReader, Writer)>) -> (Option<PipeReader>, Stdio) {
    match pipe {
        Some((reader, writer)) => (Some(reader), OwnedFd::from(writer).into()),
        None => (None, Stdio::null()),
    }
}

impl Process {
    /// The process's id, which is also its group's.
    pub fn pid(&self) -> Pid {
        self.child.pid()
    }

    /// Resolves when the leader has exited, which it may have long ago; it is not reaped by that. The future keeps nothing
    /// of the process but its pidfd, may be dropped and made again, and still answers after [`Process::reap`].
    pub fn exited(&self) -> impl Future<Output = ExitStatus> + Send + use<> {
        let child = Arc::clone(&self.child);
        async move { child.exited().await }
    }

    /// How the leader has ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        self.child.status()
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
        match rustix::process::kill_process_group(self.child.raw_pid(), raw) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(source) => {
                Err(SignalError::Refused { signal, pid: self.pid(), source: source.into() })
            }
        }
    }

    /// A signal to the leader alone. One that has exited is no error.
    pub fn signal_leader(&self, signal: i32) -> Result<(), SignalError> {
        let raw = raw_signal(signal)?;
        let refused = |source| SignalError::Refused { signal, pid: self.pid(), source };
        self.child.signal(raw).map_err(refused)
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
        self.child.reap()
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
            .field("status", &self.status())
            .finish_non_exhaustive()
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
