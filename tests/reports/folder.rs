//! Scenarios of every outcome, and runs of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

pub const PASSES: &str = r#"
name: a passing one
daemons:
  talker: { kind: process, command: [sh, -c, 'echo "{\"name\":\"hello.v0\",\"value\":{\"level\":1}}"; echo no event; exec sleep 100'],
            events_from: stdout, envelope: { name: name, value: value }, ready: { event: hello.v0 }, restart: { policy: on-failure } }
steps:
  - start: talker
  - parallel:
      - [ { expect: { from: talker, event: hello.v0 } } ]
      - [ { log: beside }, { repeat: { times: 2, steps: [ { log: again } ] } } ]
  - crash: talker
  - ready: talker
  - never: { from: talker, event: hello.v1 }
  - terminate: talker
  - exited: { daemon: talker }
"#;

pub const FAILS: &str = r#"
name: "bad <luck> & \"quotes\""
daemons:
  talker: { kind: process, command: [sh, -c, 'printf "\033[31mred\001\n"; echo "{\"name\":\"hello.v0\",\"value\":{\"level\":1}}" > "$$TRIBUNAL_EVENT_PIPE"; exec sleep 100'],
            envelope: { name: name, value: value }, ready: { event: hello.v0 } }
steps:
  - start: talker
  - expect: { from: talker, event: hello.v0, where: level >= 10 && has(peer), within: 200ms }
  - log: never reached
"#;

/// Cannot be judged: its program is missing.
pub const ERRS: &str = r"
name: nothing to run
daemons: { gone: { kind: process, command: [/no/such/program], ready: { event: hello.v0 } } }
steps: [ { start: gone } ]
";

/// Fails once.
pub const FLAKY: &str = r"
name: fails once
steps:
  - exec: { command: [sh, -c, 'test -e flag || { touch flag; exit 1; }'] }
";

pub const INVALID: &str = "name: invalid\nsteps: [ { dance: now } ]\n";

/// A folder with scenarios, in which the program is run.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("temporary folder"));
        std::fs::create_dir(folder.path().join("scenarios")).expect("writable");
        for (name, text) in files {
            std::fs::write(folder.path().join("scenarios").join(name), text).expect("writable");
        }
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("TRIBUNAL_OCTEZ").env_remove("NO_COLOR");
        command
    }

    /// Runs the program; it must end with this code.
    #[track_caller]
    pub fn run(&self, arguments: &[&str], code: i32) -> Output {
        let output = self.command(arguments).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(code), "{output:#?}");
        output
    }

    /// Runs until a scenario says that it is there, then interrupts the run.
    pub fn run_interrupted(&self, arguments: &[&str]) {
        let fifo = self.path().join("there");
        mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO can be made");
        let scenario = format!(
            "name: too long\nsteps: [ {{ exec: {{ command: [sh, -c, 'echo > {}'] }} }}, {{ sleep: 1h }} ]\n",
            fifo.display()
        );
        std::fs::write(self.path().join("scenarios/a_long_one.yaml"), scenario).expect("writable");
        let run = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut run = run.expect("the program runs");
        std::fs::read(&fifo).expect("the scenario says so");
        kill(Pid::from_raw(i32::try_from(run.id()).expect("a pid")), Signal::SIGINT)
            .expect("it lives");
        assert_eq!(run.wait().expect("it ends").code(), Some(130));
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub fn run_dirs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path().join("tribunal-runs")).into_iter().flatten();
        let paths = entries.map(|entry| entry.expect("readable").path());
        paths.filter(|path| path.is_dir()).collect()
    }
}
