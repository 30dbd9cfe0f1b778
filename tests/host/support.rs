//! A run to try things in, and the waits that tests share.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use libtest_mimic::Trial;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid as RawPid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tribunal::daemon::CommandLine;
use tribunal::host::guardian::Guardian;
use tribunal::host::marker::{self, RunId};
use tribunal::host::pipe::{PipeBudget, PipeReader, ReadOutcome};
use tribunal::host::process::{Input, Output, SpawnError, Spawned, Surroundings, spawn};
use tribunal::host::procfs::Pid;
use tribunal::host::sweep::sweep;
use tribunal::host::tempdir::TempDir;

/// No wait of a test takes longer; none should take a hundredth of it.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// A test, named as its function is, with spaces.
macro_rules! trials {
    ($($test:ident),* $(,)?) => {
        vec![$(crate::support::trial(stringify!($test), $test)),*]
    };
}
pub(crate) use trials;

pub fn trial<F: Future<Output = ()> + 'static>(name: &str, test: fn() -> F) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let in_time = runtime.block_on(async { tokio::time::timeout(TIMEOUT, test()).await });
        in_time.map_err(|_| "it hangs".into())
    })
}

/// A run with its directory and its guardian; whatever it started is gone when it is dropped.
pub struct Run {
    pub id: RunId,
    pub dir: TempDir,
    pub budget: PipeBudget,
    pub guardian: Option<Guardian>,
}

impl Run {
    pub fn new() -> Self {
        let id = RunId::generate();
        let dir = TempDir::create(&id).expect("a temporary directory");
        let guardian = Guardian::start(&id, dir.path()).expect("a guardian");
        Self { id, dir, budget: PipeBudget::default(), guardian: Some(guardian) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn fifo(&self, name: &str) -> PipeReader {
        PipeReader::fifo(&self.path(name), &self.budget).expect("a FIFO")
    }

    /// A fake daemon of this run, which writes its events to the FIFO `events`.
    pub fn fake(&self, verbs: &[&str]) -> CommandLine {
        let mut command = fake(verbs);
        command.env.insert(marker::VARIABLE.into(), self.id.as_str().into());
        command.env.insert("TRIBUNAL_EVENT_PIPE".into(), self.path("events").into());
        command
    }

    pub fn try_spawn(&self, command: &CommandLine) -> Result<Spawned, SpawnError> {
        let around = Surroundings {
            output: Output::Piped,
            input: Input::Nothing,
            budget: &self.budget,
            guardian: self.guardian.as_ref(),
        };
        spawn(command, around)
    }

    pub fn spawn(&self, verbs: &[&str]) -> Spawned {
        self.try_spawn(&self.fake(verbs)).expect("the fake daemon can be spawned")
    }

    /// The process that has written its id there, as soon as it has.
    pub async fn life(&self, pid_file: &str) -> Life {
        Life::of_file(&self.path(pid_file)).await
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        sweep(&self.id, &[]);
    }
}

pub fn fake(verbs: &[&str]) -> CommandLine {
    CommandLine {
        program: env!("CARGO_BIN_EXE_fake-daemon").into(),
        args: verbs.iter().map(Into::into).collect(),
        ..CommandLine::default()
    }
}

/// A process that was alive when this was made. No other process can be taken for it.
pub struct Life {
    pub pid: Pid,
    pidfd: std::os::fd::OwnedFd,
}

impl Life {
    pub fn of(pid: Pid) -> Self {
        let raw = RawPid::from_raw(pid).expect("a process id");
        Self { pid, pidfd: pidfd_open(raw, PidfdFlags::empty()).expect("it has begun to live") }
    }

    pub async fn of_file(path: &Path) -> Self {
        let name = format!("{} is there", path.display());
        let text = eventually(&name, || fs::read_to_string(path).ok()).await;
        Self::of(text.trim().parse().expect("a process id"))
    }

    /// SIGKILL, if it lives.
    pub fn end(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    pub fn is_over(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&now)) == Ok(1)
    }

    pub async fn over(&self) {
        let name = format!("process {} has ended", self.pid);
        eventually(&name, || self.is_over().then_some(())).await;
    }
}

/// Looks again and again, for what nobody can be told of.
pub async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begin.elapsed() < TIMEOUT, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Reads until there are this many bytes, or the pipe is closed.
pub async fn read(pipe: &PipeReader, at_least: usize) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    while buffer.len() < at_least {
        pipe.readable().await.expect("a pipe can be watched");
        if pipe.try_read(&mut buffer).expect("a pipe can be read") == ReadOutcome::Closed {
            break;
        }
    }
    buffer.to_vec()
}

/// Reads what is there now, as after a death.
pub fn drain(pipe: &PipeReader) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    let available = pipe.available();
    while buffer.len() < available {
        let outcome = pipe.try_read(&mut buffer).expect("a pipe can be read");
        assert!(matches!(outcome, ReadOutcome::Read(_)), "{outcome:?} before all was read");
    }
    buffer.to_vec()
}

pub fn lines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}
