//! A command run to its end: in a group of its own, within a time, its output captured.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustix::fs::{MemfdFlags, memfd_create};

use super::guardian::Guardian;
use super::pipe::{PipeBudget, PipeReader, ReadOutcome};
use super::process::{self, Input, Output, SpawnError, Spawned, Surroundings};
use crate::daemon::{CommandLine, ExitStatus};

/// What is kept of a command's standard output, and of its standard error.
pub const CAPTURE: usize = 16 * 1024 * 1024;

/// A command with what it reads and how long it may take.
#[derive(Clone, Debug)]
pub struct Execution {
    pub command: CommandLine,
    pub stdin: Vec<u8>,
    pub within: Duration,
}

/// How a command ended, and what it said.
#[derive(Clone, Debug)]
pub struct Executed {
    pub status: ExitStatus,
    pub stdout: Captured,
    pub stderr: Captured,
    pub took: Duration,
}

/// The beginning of what a command wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    pub bytes: Vec<u8>,
    /// Bytes beyond [`CAPTURE`], which were read and dropped.
    pub dropped: u64,
}

impl Captured {
    /// As text, with what is no UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Why a command has no end of its own to report.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error("the standard input of {program:?}")]
    Stdin {
        program: OsString,
        #[source]
        source: io::Error,
    },
    #[error("the output of {program:?}")]
    Read {
        program: OsString,
        #[source]
        source: io::Error,
    },
    #[error("{program:?} was not run: the harness is gone")]
    HarnessGone { program: OsString },
    /// It was killed; here is what it had said by then.
    #[error("{program:?} took longer than {within:?}")]
    TimedOut { program: OsString, within: Duration, stdout: Captured, stderr: Captured },
}

/// Runs a command to its end. At its time limit, and when the future is dropped, its whole group is killed.
///
/// The end is that of the process itself: what it leaves in the background is killed, what that still writes is not waited for.
pub async fn execute(
    execution: Execution,
    budget: &PipeBudget,
    guardian: Option<&Guardian>,
) -> Result<Executed, ExecError> {
    let Execution { command, stdin, within } = execution;
    let program = command.program.clone();
    let failed = |source| ExecError::Stdin { program: program.clone(), source };
    let input = if stdin.is_empty() {
        Input::Nothing
    } else {
        Input::File(in_memory(&stdin).map_err(failed)?)
    };
    let begin = Instant::now();
    let around = Surroundings { output: Output::Piped, input, budget, guardian };
    let Spawned { process, stdout, stderr } = process::spawn(&command, around)?;
    let (mut stdout, mut stderr) = (Capture::new(stdout), Capture::new(stderr));

    let read = |source| ExecError::Read { program: program.clone(), source };
    let mut exited = std::pin::pin!(process.exited());
    let deadline = tokio::time::sleep(within);
    let mut deadline = std::pin::pin!(deadline);
    loop {
        tokio::select! {
            _ = &mut exited => break,
            read_some = stdout.read() => read_some.map_err(read)?,
            read_some = stderr.read() => read_some.map_err(read)?,
            () = &mut deadline => {
                drop(process);
                stdout.drain().map_err(read)?;
                stderr.drain().map_err(read)?;
                let (stdout, stderr) = (stdout.kept, stderr.kept);
                return Err(ExecError::TimedOut { program, within, stdout, stderr });
            }
        }
    }
    let status = process.reap();
    stdout.drain().map_err(read)?;
    stderr.drain().map_err(read)?;
    Ok(Executed { status, stdout: stdout.kept, stderr: stderr.kept, took: begin.elapsed() })
}

/// A file without a name. Unlike a pipe it needs nobody who goes on writing while the command reads.
fn in_memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("stdin", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

struct Capture {
    pipe: Option<PipeReader>,
    buffer: BytesMut,
    kept: Captured,
}

impl Capture {
    fn new(pipe: Option<PipeReader>) -> Self {
        Self { pipe, buffer: BytesMut::new(), kept: Captured::default() }
    }

    /// Reads once when there is something to read. Pending for ever when the pipe has been closed.
    async fn read(&mut self) -> io::Result<()> {
        let Some(pipe) = &self.pipe else {
            return std::future::pending().await;
        };
        pipe.readable().await?;
        if self.read_now()? == ReadOutcome::Closed {
            self.pipe = None;
        }
        Ok(())
    }

    /// Reads what is in the pipe now, and no more: an escaped process may write for ever.
    fn drain(&mut self) -> io::Result<()> {
        let mut left = self.pipe.as_ref().map_or(0, PipeReader::available);
        while left > 0 {
            let ReadOutcome::Read(read) = self.read_now()? else { break };
            left = left.saturating_sub(read);
        }
        Ok(())
    }

    fn read_now(&mut self) -> io::Result<ReadOutcome> {
        let Some(pipe) = &self.pipe else {
            return Ok(ReadOutcome::Closed);
        };
        let outcome = pipe.try_read(&mut self.buffer)?;
        let room = CAPTURE.saturating_sub(self.kept.bytes.len()).min(self.buffer.len());
        self.kept.bytes.extend_from_slice(&self.buffer[..room]);
        self.kept.dropped += (self.buffer.len() - room) as u64;
        self.buffer.clear();
        Ok(outcome)
    }
}
