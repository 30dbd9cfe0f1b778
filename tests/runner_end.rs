//! How a run ends that does not end by itself: killed, interrupted, out of disk, without its programs. Nothing is left of it.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use serde_json::Value;
use tribunal::host::procfs;

/// How long anything here may take on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

const DOUBLE_BAKING: &str = include_str!("../scenarios/double_baking.yaml");

/// `double_baking.yaml` with one more daemon, whose grandchildren leave its group and session, and with a `finally`.
fn with_strays(folder: &Path, options: &str) -> String {
    let stray = |name: &str| format!("pid-file {} forever", folder.join(name).display());
    let daemon = format!(
        "daemons:\n  stray:\n    kind: process\n    command:\n      - \"{}\"\n      - grandchild\n      - setsid\n      - {}\n      \
         - grandchild\n      - {options}\n      - {}\n      - event\n      - up.v0\n      - \"{{}}\"\n      - forever\n    \
         ready: {{ event: up.v0 }}\n",
        env!("CARGO_BIN_EXE_fake-daemon"),
        stray("stray"),
        stray("other"),
    );
    let text = DOUBLE_BAKING.replacen("daemons:\n", &daemon, 1);
    let text = text.replacen("steps:\n", "steps:\n  - start: stray\n", 1);
    // It stays in the middle until it is ended from outside.
    let text = text.replacen("  - mark: watching\n", "  - mark: watching\n  - sleep: 1h\n", 1);
    format!("{text}finally:\n  - log: goodbye\n  - exec: {{ command: [sleep, \"$pause\"], within: 1h }}\n")
        .replacen("timeout: 2m\n", "timeout: 2m\nvars: { pause: 0 }\n", 1)
}

/// A process that was alive when this was made. No other process can be taken for it.
struct Life {
    name: String,
    pidfd: OwnedFd,
}

impl Life {
    /// `None` if it has ended meanwhile.
    fn of(pid: i32) -> Option<Self> {
        let name = format!("{pid} {}", procfs::command_line(pid).join(" "));
        let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        Some(Self { name, pidfd })
    }

    fn ends_before(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).expect("a short time");
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut fds, Some(&left)).is_ok_and(|ready| ready > 0)
    }
}

/// A run in the background, in a process group of its own, as a shell starts one.
struct Run {
    folder: tempfile::TempDir,
    front: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Run {
    fn start(scenario: impl FnOnce(&Path) -> String, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = scenario(folder.path());
        std::fs::write(folder.path().join("scenario.yaml"), text).expect("writable");
        let mut command = command(folder.path());
        command.args(["run", "-v", "--color", "never", "scenario.yaml"]).args(arguments);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut front = command.spawn().expect("the program starts");
        let (tell, lines) = channel();
        let stdout = BufReader::new(front.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            let mut lines = stdout.lines().map_while(Result::ok);
            lines.all(|line| tell.send(line).is_ok())
        });
        Self { folder, front, lines, said: Vec::new() }
    }

    /// Waits until it has said this.
    fn says(&mut self, text: &str) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line =
                line.unwrap_or_else(|_| panic!("it does not say `{text}`: {:#?}", self.said));
            let found = line.contains(text);
            self.said.push(line);
            if found {
                return;
            }
        }
    }

    fn front(&self) -> Pid {
        Pid::from_child(&self.front)
    }

    fn worker(&self) -> Pid {
        let front = self.front().as_raw_nonzero().get();
        let mut children = procfs::children(front).into_iter().map(|(pid, _)| pid);
        let worker = children.find(|pid| {
            procfs::command_line(*pid).first().is_some_and(|program| program.ends_with("tribunal"))
        });
        worker.and_then(Pid::from_raw).expect("the front has a worker")
    }

    /// All that it has started by now, itself included.
    fn lives(&self) -> Vec<Life> {
        let front = self.front().as_raw_nonzero().get();
        let family = procfs::descendants(front).into_iter().map(|(pid, _)| pid);
        let strays = ["stray", "other"].iter().map(|name| {
            let path = self.folder.path().join(name);
            let deadline = Instant::now() + TIMEOUT;
            loop {
                if let Ok(text) = std::fs::read_to_string(&path) {
                    break text.trim().parse().expect("a process number");
                }
                assert!(Instant::now() < deadline, "{} does not come", path.display());
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let lives: Vec<Life> = family.chain(strays).chain([front]).filter_map(Life::of).collect();
        assert!(lives.len() > 8, "front, worker, guardian, nodes, strays: {}", lives.len());
        lives
    }

    /// How the front ended, when nothing of the run is alive any more and its temporary files are gone.
    fn ends(mut self, lives: &[Life]) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + TIMEOUT;
        // The front stays a zombie until it is waited for, which its pidfd does not mind.
        for life in lives {
            assert!(life.ends_before(deadline), "{} lives on", life.name);
        }
        let temporary = self.folder.path().join("tmp");
        let is_empty = || std::fs::read_dir(&temporary).expect("readable").next().is_none();
        while !is_empty() {
            assert!(Instant::now() < deadline, "temporary files stay");
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = self.front.wait().expect("it is our child");
        self.said.extend(self.lines.iter());
        (status, self.said)
    }
}

fn command(folder: &Path) -> Command {
    let temporary = folder.join("tmp");
    std::fs::create_dir_all(&temporary).expect("writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
    command.current_dir(folder).stdin(Stdio::null()).env("TMPDIR", temporary);
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "RUST_LOG", "TRIBUNAL_LOG", "TRIBUNAL_OCTEZ"] {
        command.env_remove(variable);
    }
    command
}

/// In the middle: two nodes run, one is dead, the accuser has just begun.
fn in_the_middle(options: &str, arguments: &[&str]) -> Run {
    let mut run = Run::start(|folder| with_strays(folder, options), arguments);
    run.says("sleep: 1h");
    run
}

fn exit_code(status: ExitStatus) -> Option<i32> {
    status.code()
}

#[test]
fn a_front_that_is_killed_leaves_nothing() {
    let run = in_the_middle("setsid,clearenv", &[]);
    let lives = run.lives();
    kill_process(run.front(), Signal::KILL).expect("it lives");
    let (status, _) = run.ends(&lives);
    assert_eq!(status.signal(), Some(9));
}

#[test]
fn a_worker_that_is_killed_leaves_nothing_and_is_a_bug() {
    let run = in_the_middle("setsid,clearenv", &[]);
    let lives = run.lives();
    kill_process(run.worker(), Signal::KILL).expect("it lives");
    let (status, said) = run.ends(&lives);
    assert_eq!(exit_code(status), Some(70), "{said:#?}");
}

#[test]
fn a_front_and_a_worker_killed_at_once_leave_nothing() {
    let run = in_the_middle("setsid", &[]);
    let lives = run.lives();
    let worker = run.worker();
    kill_process(run.front(), Signal::KILL).expect("it lives");
    // The front's death may have been noticed, and have ended the worker.
    let _ = kill_process(worker, Signal::KILL);
    let (status, _) = run.ends(&lives);
    assert_eq!(status.signal(), Some(9));
}

#[test]
fn ctrl_c_plays_finally_and_leaves_nothing() {
    let run = in_the_middle("setsid,clearenv", &[]);
    let lives = run.lives();
    kill_process_group(run.front(), Signal::INT).expect("it lives");
    let (status, said) = run.ends(&lives);
    assert_eq!(exit_code(status), Some(130), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("goodbye")), "`finally` is played: {said:#?}");
    assert!(said.iter().any(|line| line.contains("1 interrupted")), "{said:#?}");
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_finally() {
    let mut run = in_the_middle("setsid,clearenv", &["--var", "pause=1000"]);
    let lives = run.lives();
    kill_process_group(run.front(), Signal::INT).expect("it lives");
    run.says("finally[1]");
    kill_process_group(run.front(), Signal::INT).expect("it lives");
    let (status, said) = run.ends(&lives);
    assert_eq!(exit_code(status), Some(130), "{said:#?}");
}

#[test]
fn a_program_of_octez_that_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("empty")).expect("writable");
    let scenario = folder.path().join("scenario.yaml");
    std::fs::write(scenario, "daemons:\n  n: { kind: octez-node }\nsteps:\n  - start: n\n")
        .expect("writable");
    let mut command = command(folder.path());
    command.args(["run", "scenario.yaml", "--octez", "empty", "--keep", "never"]);
    let output = command.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("octez-node") && said.contains("empty"), "{said}");
}

/// The sandbox stands in the folder, but for all the runner knows it may be real.
#[test]
fn what_only_the_sandbox_can_is_exit_4_elsewhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let installed = command(folder.path()).args(["sandbox", "install", "octez"]).status();
    assert!(installed.expect("the program runs").success());
    let text = "daemons:\n  n: { kind: octez-node, synchronisation_threshold: 0 }\nsteps:\n  - start: n\n  \
                - activate: { node: n }\n  - bake: { node: n }\n  - bake: { node: n, parent: head~1 }\n";
    std::fs::write(folder.path().join("scenario.yaml"), text).expect("writable");
    for (octez, code) in [("sandbox", 0), ("octez", 4)] {
        let mut command = command(folder.path());
        command.args(["run", "scenario.yaml", "--octez", octez, "--keep", "never"]);
        let output = command.output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert_eq!(said.contains("in the sandbox only"), code == 4, "{said}");
    }
}

/// Writes 64 MB of events, and then the file `done`.
fn writes_much(folder: &Path) -> String {
    format!(
        "daemons:\n  a:\n    kind: process\n    command: [sh, -c, '\"{}\" flood 64000000; echo x > {}; exec sleep 1000']\n\
         steps:\n  - start: a\n  - expect: {{ from: a, event: never.v0, within: 10m }}\n\
         finally:\n  - exec: {{ command: [sh, -c, 'until test -e {1}; do sleep 0.02; done'] }}\n",
        env!("CARGO_BIN_EXE_fake-daemon"),
        folder.join("tmp/done").display(),
    )
}

/// The scenario ends with exit 4, the pipes have been drained, and nothing is left.
fn ends_for_want_of_space(mut wrapped: Command, folder: &Path, reason: &str) {
    let tribunal = command(folder);
    let environment = tribunal.get_envs().filter_map(|(key, value)| Some((key, value?)));
    wrapped.envs(environment).current_dir(folder).stdin(Stdio::null());
    let output = wrapped.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}{errors}");
    // Long lines are wrapped, anywhere.
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("recording stopped") && words.contains(reason), "{said}{errors}");
    assert!(!errors.contains("not the result of a run"), "{errors}");
    let done = folder.join("tmp/done");
    std::fs::remove_file(done).expect("the daemon could write on");
    let left: Vec<_> = std::fs::read_dir(folder.join("tmp")).expect("readable").collect();
    assert!(left.is_empty(), "{left:?}");
    let report = std::fs::read(folder.join("report.json")).expect("it is written");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let result = &report["scenarios"][0];
    assert_eq!(
        (&result["outcome"], &result["failure"]["kind"]),
        (&"error".into(), &"environment".into())
    );
}

const ARGUMENTS: [&str; 6] = ["run", "scenario.yaml", "--json", "report.json", "--out", "full"];

fn folder_of(scenario: fn(&Path) -> String) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_owned();
    std::fs::create_dir(path.join("full")).expect("writable");
    std::fs::write(path.join("scenario.yaml"), scenario(&path)).expect("writable");
    (folder, path)
}

/// A limit on the size of files needs no rights.
#[test]
fn a_run_directory_that_takes_no_more_is_exit_4() {
    let (_folder, path) = folder_of(writes_much);
    let mut wrapped = Command::new("sh");
    // Ignored signals stay ignored: the write fails, as it does on a full disk.
    wrapped.args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "sh"]);
    wrapped.arg(env!("CARGO_BIN_EXE_tribunal")).args(ARGUMENTS);
    ends_for_want_of_space(wrapped, &path, "too large");
}

/// A small file system of our own; where nobody may have one, the test above stands alone.
#[test]
fn a_full_disk_is_exit_4() {
    let namespaces = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let (_folder, path) = folder_of(writes_much);
    let mount = format!("mount -t tmpfs -o size=8m none {}", path.join("full").display());
    let permitted = Command::new("unshare").args([namespaces, "sh", "-c", &mount]).output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        eprintln!("no file system may be mounted here: a limit on the size of files stands in");
        return;
    }
    let mut wrapped = Command::new("unshare");
    wrapped.args([namespaces, "sh", "-c", &format!("{mount} && exec \"$@\""), "sh"]);
    wrapped.arg(env!("CARGO_BIN_EXE_tribunal")).args(ARGUMENTS);
    ends_for_want_of_space(wrapped, &path, "No space left on device");
}
