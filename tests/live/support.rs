//! Runs of scenarios whose standard streams are pipes, or a terminal of our own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tribunal::host::procfs;

/// How long anything here may take on a busy machine.
pub const TIMEOUT: Duration = Duration::from_mins(1);

pub const TRIBUNAL: &str = env!("CARGO_BIN_EXE_tribunal");
const FAKE_DAEMON: &str = env!("CARGO_BIN_EXE_fake-daemon");

pub const COLUMNS: u16 = 90;

/// A folder with scenarios, in which runs leave what they leave.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("tmp")).expect("writable");
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a scenario; `FAKE` in it is the fake daemon.
    pub fn scenario(&self, name: &str, text: &str) {
        let path = self.path().join(format!("{name}.yaml"));
        std::fs::write(path, text.replace("FAKE", FAKE_DAEMON)).expect("writable");
    }

    /// A scenario that waits for what never comes.
    pub fn waiting(&self, name: &str) {
        let text = "daemons:\n  a:\n    kind: process\n    command: [FAKE, event, up.v0, '{\"n\":1}', forever]\n    \
                    ready: { event: up.v0 }\nsteps:\n  - start: a\n  \
                    - expect: { from: a, event: up.v0, where: n > 3, since: start, within: 10m }\n";
        self.scenario(name, text);
    }

    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path());
        command.env("TMPDIR", self.path().join("tmp")).env("TERM", "xterm-256color");
        for variable in ["NO_COLOR", "CLICOLOR_FORCE", "RUST_LOG", "TRIBUNAL_LOG", "TRIBUNAL_OCTEZ"]
        {
            command.env_remove(variable);
        }
        command
    }

    /// The file of this name in the only run directory.
    pub fn kept(&self, name: &str) -> Option<String> {
        let runs = std::fs::read_dir(self.path().join("tribunal-runs")).ok()?;
        let runs: Vec<PathBuf> =
            runs.filter_map(|run| Some(run.ok()?.path())).filter(|run| run.is_dir()).collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        std::fs::read_to_string(runs[0].join(name)).ok()
    }
}

/// Returns when the kernel has stopped a process: SIGSTOP takes until that is run again (signal(7)).
pub fn until_stopped(process: Pid) {
    let deadline = Instant::now() + TIMEOUT;
    while procfs::stat(process.as_raw_nonzero().get()).expect("it lives").state != 'T' {
        assert!(Instant::now() < deadline, "{process:?} was never stopped");
        std::thread::yield_now();
    }
}

pub fn signal(pid: Pid, signal: Signal) {
    kill_process(pid, signal).expect("it lives");
}

/// A run that is going on. What is left of it is killed when this is dropped.
pub struct Run {
    child: Child,
    /// What it writes comes here; for a terminal, what is typed goes here too.
    stream: File,
    pub said: Vec<u8>,
    terminal: Option<OwnedFd>,
}

impl Run {
    /// In a group of its own, with standard output in a pipe.
    pub fn piped(mut command: Command) -> Self {
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout: OwnedFd = child.stdout.take().expect("piped").into();
        Self { child, stream: stdout.into(), said: Vec::new(), terminal: None }
    }

    /// In a session of its own, of which a new terminal is the controlling one.
    pub fn in_terminal(folder: &Folder, program: &str, arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: 30, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).expect("a terminal");
        let mut command = folder.command("setsid", &["--ctty", "--wait", program]);
        command.args(arguments);
        let end = || Stdio::from(slave.try_clone().expect("a descriptor"));
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("setsid of util-linux");
        Self { child, stream: master.into(), said: Vec::new(), terminal: Some(slave) }
    }

    /// Waits until it has said this, and gives all that it has said.
    pub fn says(&mut self, text: &str) -> String {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let said = String::from_utf8_lossy(&self.said).into_owned();
            if said.contains(text) {
                return said;
            }
            let end = said.ceil_char_boundary(said.len().saturating_sub(4000));
            assert!(self.read(deadline), "it does not say `{text}`:\n…{}", &said[end..]);
        }
    }

    /// Reads a little; false at the end.
    fn read(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).expect("a short time");
        let mut fds = [PollFd::new(&self.stream, PollFlags::IN)];
        if !poll(&mut fds, Some(&left)).is_ok_and(|ready| ready > 0) {
            return false;
        }
        let mut buffer = [0; 8 << 10];
        // The last one to have a terminal open is gone: an error, not an end.
        let read = self.stream.read(&mut buffer).unwrap_or(0);
        self.said.extend_from_slice(&buffer[..read]);
        read > 0
    }

    pub fn press(&mut self, key: u8) {
        self.stream.write_all(&[key]).expect("a terminal");
    }

    /// Whether the terminal waits for whole lines and shows what is typed.
    pub fn reads_lines(&self) -> bool {
        let terminal = self.terminal.as_ref().expect("it has one").as_fd();
        let flags = tcgetattr(terminal).expect("a terminal").local_flags;
        flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The first of its processes, from the outside in, that runs the program: the front; then the worker.
    pub fn front_and_worker(&self) -> (Pid, Pid) {
        let own = self.pid().as_raw_nonzero().get();
        let is_ours = |pid: &i32| {
            procfs::command_line(*pid).first().is_some_and(|program| program.ends_with("tribunal"))
        };
        let all = std::iter::once(own).chain(procfs::descendants(own).into_iter().map(|it| it.0));
        let ours: Vec<i32> = all.filter(is_ours).collect();
        let [front, worker, ..] = ours[..] else { panic!("front and worker: {ours:?}") };
        let pid = |raw| Pid::from_raw(raw).expect("a process id");
        (pid(front), pid(worker))
    }

    /// How it ended, and all that it said.
    pub fn ends(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + TIMEOUT;
        // Its own end of the terminal would keep that from ending.
        drop(self.terminal.take());
        while self.read(deadline) {}
        let status = self.child.wait().expect("it is our child");
        (status, String::from_utf8_lossy(&self.said).into_owned())
    }

    /// Waits for its end without giving up the terminal.
    pub fn exits(&mut self) -> ExitStatus {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < deadline, "it goes on");
            // A terminal that nobody reads would stop it.
            self.read(Instant::now() + Duration::from_millis(10));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = kill_process(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
