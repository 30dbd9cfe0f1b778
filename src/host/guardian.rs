//! The process that cleans up when the harness cannot: a small shell in a session of its own.
//!
//! It reads the groups that live from a pipe of which we hold the other end. When we are gone, however that came about,
//! the pipe ends, and it kills the groups, then everything that carries the run's marker, and removes the run's temporary
//! directory. The script is `guardian.sh`.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::libc;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use super::child::Child;
use super::marker::RunId;
use super::procfs::{self, Pid};

/// What a guardian is called in its argument list.
const NAME: &str = "tribunal-guardian";

const SCRIPT: &str = include_str!("guardian/guardian.sh");

/// How long a guardian may take to end before it is killed itself.
const AT_MOST: Duration = Duration::from_secs(5);

/// Why there is no guardian.
#[derive(Debug, thiserror::Error)]
pub enum GuardianError {
    #[error("no pipe for the guardian")]
    Pipe(#[source] io::Error),
    #[error("the guardian, /bin/sh, could not be spawned")]
    Spawn(#[source] io::Error),
}

/// A run's guardian. Dropping it has the guardian clean up as if we had died, and waits for that, 5 s at most.
pub struct Guardian {
    child: Child,
    pipe: Arc<OwnedFd>,
    ended: bool,
}

impl Guardian {
    /// Starts it. Do so before the first daemon of the run is spawned.
    pub fn start(run: &RunId, temp_dir: &Path) -> Result<Self, GuardianError> {
        let (reader, writer) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|e| GuardianError::Pipe(e.into()))?;
        // A guardian that somebody has stopped must not stop us.
        fcntl_setfl(&writer, OFlags::NONBLOCK).map_err(|e| GuardianError::Pipe(e.into()))?;
        let child = Child::spawn(&mut command(run, temp_dir, reader))
            .map_err(|error| GuardianError::Spawn(error.into()))?;
        Ok(Self { child, pipe: Arc::new(writer), ended: false })
    }

    pub fn pid(&self) -> Pid {
        self.child.pid()
    }

    /// Puts a group under its protection until the registration is dropped.
    ///
    /// Drop it when the group is dead and before its leader is reaped, for then the number may go to somebody else.
    pub fn register(&self, group: Pid) -> Registration {
        tell(&self.pipe, &format!("+{group}\n"));
        Registration { group, pipe: Arc::clone(&self.pipe) }
    }

    /// Ends it without a sweep: nothing is left alive, and the temporary directory is the caller's to remove.
    pub async fn finish(mut self) {
        tell(&self.pipe, "quit\n");
        // Whether it ended or not, it is gone after the reaping.
        let _ = tokio::time::timeout(AT_MOST, self.child.exited()).await;
        self.reap();
    }

    fn reap(&mut self) {
        self.ended = true;
        if let Err(error) = self.child.signal(Signal::KILL) {
            tracing::warn!(%error, "the guardian cannot be killed");
        }
        self.child.reap();
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        tell(&self.pipe, "end\n");
        self.child.block_until_exited(AT_MOST);
        self.reap();
    }
}

impl fmt::Debug for Guardian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guardian").field("pid", &self.pid()).finish_non_exhaustive()
    }
}

/// A group's place on the guardian's list; dropping it takes the group off.
#[derive(Debug)]
pub struct Registration {
    group: Pid,
    pipe: Arc<OwnedFd>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        tell(&self.pipe, &format!("-{}\n", self.group));
    }
}

/// Whether a process is the guardian of some run.
pub(super) fn is_guardian(pid: Pid) -> bool {
    procfs::command_line(pid).get(3).is_some_and(|name| name == NAME)
}

/// The shell, detached from everything of ours: terminal, standard streams, working directory, environment (the marker
/// of a run that this one is part of, above all) and other descriptors that happen to be inheritable. A test runner that
/// waits for the end of our output must not have to wait for the guardian.
fn command(run: &RunId, temp_dir: &Path, pipe: OwnedFd) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args([OsStr::new("-c"), OsStr::new(SCRIPT), OsStr::new(NAME)]);
    shell.arg(run.marker()).arg(temp_dir);
    shell.current_dir("/").stdin(pipe).stdout(Stdio::null()).stderr(Stdio::null());
    shell.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        shell.env("PATH", path);
    }
    let detach = || {
        // It leads no group yet, so this cannot fail.
        let _ = rustix::process::setsid();
        #[expect(unsafe_code, reason = "close_range(2) has no wrapper among our crates")]
        // SAFETY: the flag only makes descriptors close at the exec that follows; nothing is closed here. Kernels
        // before 5.11 refuse the flag, and then the descriptors stay.
        unsafe {
            libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "std has no stable way to make a session")]
    // SAFETY: between fork and exec only two system calls are made, both async-signal-safe; nothing is allocated.
    unsafe {
        shell.pre_exec(detach);
    }
    shell
}

fn tell(pipe: &OwnedFd, line: &str) {
    // Lines this short are written whole or not at all (pipe(7)).
    if let Err(error) = rustix::io::write(pipe, line.as_bytes()) {
        tracing::warn!(line = line.trim_end(), %error, "the guardian does not listen");
    }
}
