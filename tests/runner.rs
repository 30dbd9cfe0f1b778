//! `tribunal run` from end to end: what is played how often, what is shown and left, which exit code it ends with.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, mkfifo};
use serde_json::{Value, json};

/// How long anything here may take on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

const PASSES: &str = "steps: [{ log: hi }]\n";
const FAILS: &str = "name: bad luck\nsteps:\n  - log: hi\n  - assert: 1 == 2\n";

/// A folder with scenarios, in which the program is run.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("temporary folder"));
        std::fs::create_dir(folder.path().join("scenarios")).expect("writable");
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join("scenarios").join(name), text).expect("writable");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
        command.arg("run").args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for variable in ["NO_COLOR", "CLICOLOR_FORCE", "RUST_LOG", "TRIBUNAL_LOG", "TRIBUNAL_OCTEZ"]
        {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program runs"))
    }

    /// Runs with `--json -` and gives the report.
    fn report(&self, arguments: &[&str], code: i32) -> Value {
        let ran = self.run(&[arguments, &["--json", "-"]].concat()).exits(code);
        serde_json::from_str(&ran.out).expect("standard output is JSON alone")
    }

    /// The run directories that are left.
    fn run_dirs(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path().join("tribunal-runs")) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.expect("readable").path());
        paths.filter(|path| path.is_dir()).collect()
    }
}

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

/// A scenario that passes from its second play on, as far as `flag` tells.
fn fails_once(flag: &Path) -> String {
    let flag = flag.display();
    format!(
        "steps:\n  - exec: {{ command: [sh, -c, 'test -e {flag} || {{ touch {flag}; exit 1; }}'] }}\n"
    )
}

#[test]
fn a_run_that_passes_is_a_line_for_each_scenario_and_leaves_nothing() {
    let folder = Folder::with(&[("a.yaml", PASSES), ("b.yaml", PASSES)]);
    let ran = folder.run(&["--seed", "42"]).exits(0);
    assert!(ran.out.starts_with("playing 2 scenarios"), "{}", ran.out);
    assert!(ran.out.contains(", seed 42\n"), "{}", ran.out);
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("ok ")).count(), 2, "{}", ran.out);
    assert!(ran.out.lines().last().is_some_and(|line| line.starts_with("2 passed in ")));
    assert_eq!(ran.err, "");
    assert_eq!(folder.run_dirs(), Vec::<PathBuf>::new());
}

#[test]
fn a_failure_is_explained_and_kept_with_the_command_that_plays_it_again() {
    let folder = Folder::with(&[("bad.yaml", FAILS)]);
    let ran = folder.run(&["--seed", "42"]).exits(1);
    for text in [
        "scenarios/bad.yaml:4:5  assert  FAILED after ",
        "    4 |   - assert: 1 == 2\n",
        "  rerun     tribunal run scenarios/bad.yaml --seed 42\n",
        "1 failed in ",
    ] {
        assert!(ran.out.contains(text), "{text}\n{}", ran.out);
    }
    let [run_dir] = &folder.run_dirs()[..] else { panic!("one is left: {:?}", folder.run_dirs()) };
    let name = run_dir.file_name().expect("it has a name").to_string_lossy();
    assert!(name.ends_with("-bad-luck-42"), "{name}");
    let text = std::fs::read(run_dir.join("result.json")).expect("it was written");
    let result: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(result["outcome"], "failed");
    assert_eq!(result["failure"]["kind"], "assert");
    assert_eq!((&result["seed"], &result["version"]), (&json!(42), &json!(1)));
}

#[test]
fn the_json_report_has_the_results_and_their_summary() {
    let folder = Folder::with(&[("a.yaml", PASSES), ("bad.yaml", FAILS)]);
    let report = folder.report(&["--seed", "42"], 1);
    assert_eq!(report["version"], 1);
    let outcome = |index: usize| report["scenarios"][index]["outcome"].clone();
    assert_eq!((outcome(0), outcome(1)), (json!("passed"), json!("failed")));
    let summary = &report["summary"];
    let counts = ["passed", "failed", "flaky", "error", "interrupted"].map(|word| &summary[word]);
    assert_eq!(counts, [1, 1, 0, 0, 0]);
    assert!(summary["duration_s"].is_number());
}

#[test]
fn a_scenario_that_passes_on_a_retry_is_flaky() {
    for (flaky, code) in [("pass", 0), ("fail", 1)] {
        let folder = Folder::with(&[]);
        folder.write("shaky.yaml", &fails_once(&folder.path().join("flag")));
        let report = folder.report(&["--retries", "2", "--flaky", flaky], code);
        assert_eq!(report["summary"]["flaky"], 1);
        let scenarios = report["scenarios"].as_array().expect("a list");
        assert_eq!(scenarios.len(), 1);
        assert_eq!((&scenarios[0]["flaky"], &scenarios[0]["attempts"]), (&json!(true), &json!(2)));
        assert_eq!(folder.run_dirs().len(), 1, "the attempt that failed is kept");
    }
}

#[test]
fn repetitions_count_the_seed_up_unless_it_is_pinned() {
    let pinned = format!("seed: 7\n{PASSES}");
    let folder = Folder::with(&[("free.yaml", PASSES), ("pinned.yaml", &pinned)]);
    let seeds = |arguments: &[&str], file: &str| -> Vec<u64> {
        let report = folder.report(&[arguments, &["--repeat", "3", "-j", "1"]].concat(), 0);
        let scenarios = report["scenarios"].as_array().expect("a list").clone();
        let of_file = scenarios.iter().filter(|scenario| scenario["file"] == file);
        of_file.map(|scenario| scenario["seed"].as_u64().expect("a number")).collect()
    };
    assert_eq!(seeds(&[], "scenarios/pinned.yaml"), [7, 7, 7]);
    assert_eq!(seeds(&["--seed", "5"], "scenarios/free.yaml"), [5, 6, 7]);
    let drawn = seeds(&[], "scenarios/free.yaml");
    assert_eq!(drawn, [drawn[0], drawn[0] + 1, drawn[0] + 2]);
}

#[test]
fn until_failure_stops_at_the_first_that_does_not_pass() {
    let folder = Folder::with(&[]);
    let count = folder.path().join("count");
    let text = format!(
        "steps:\n  - exec: {{ command: [sh, -c, 'echo x >> {0}; test $$(wc -l < {0}) -lt 4'] }}\n",
        count.display()
    );
    folder.write("fourth.yaml", &text);
    let report = folder.report(&["--until-failure", "-j", "1"], 1);
    assert_eq!(
        (&report["summary"]["passed"], &report["summary"]["failed"]),
        (&json!(3), &json!(1))
    );
}

#[test]
fn fail_fast_begins_no_more_after_a_failure() {
    let folder = Folder::with(&[("a.yaml", PASSES), ("b.yaml", FAILS), ("c.yaml", PASSES)]);
    let report = folder.report(&["--fail-fast", "-j", "1"], 1);
    let summary = &report["summary"];
    let counts = ["passed", "failed", "not_played"].map(|word| &summary[word]);
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn keep_and_out_say_what_is_left_where() {
    let folder = Folder::with(&[("a.yaml", PASSES), ("bad.yaml", FAILS)]);
    folder.run(&["--keep", "never"]).exits(1);
    assert_eq!(folder.run_dirs().len(), 0);
    folder.run(&["--keep", "always"]).exits(1);
    assert_eq!(folder.run_dirs().len(), 2);
    folder.run(&["--out", "elsewhere/runs"]).exits(1);
    assert_eq!(folder.run_dirs().len(), 2);
    assert!(folder.path().join("elsewhere/runs/times.json").is_file());
}

#[test]
fn verbose_shows_steps_and_quiet_only_what_did_not_pass() {
    let folder = Folder::with(&[("a.yaml", PASSES), ("bad.yaml", FAILS)]);
    let verbose = folder.run(&["-v", "-j", "1"]).exits(1).out;
    assert!(verbose.contains("steps[0] log"), "{verbose}");
    let quiet = folder.run(&["-q"]).exits(1).out;
    assert!(!quiet.contains("ok ") && quiet.contains("FAILED"), "{quiet}");
}

#[test]
fn recorded_times_balance_the_shards() {
    let folder = Folder::with(&[("a.yaml", PASSES), ("b.yaml", PASSES), ("c.yaml", PASSES)]);
    folder.run(&[]).exits(0);
    let times = folder.path().join("tribunal-runs/times.json");
    let text = std::fs::read(&times).expect("recorded");
    let recorded: Value = serde_json::from_slice(&text).expect("JSON");
    assert!(recorded["scenarios/a.yaml"].is_number(), "{recorded}");

    let long = json!({"scenarios/a.yaml": 1.0, "scenarios/b.yaml": 60.0, "scenarios/c.yaml": 1.0});
    std::fs::write(&times, long.to_string()).expect("writable");
    let part = |shard: &str| folder.run(&["-l", "--shard", shard]).exits(0).out;
    assert!(part("1/2").contains("b.yaml") && part("1/2").contains("1 scenario\n"));
    assert!(part("2/2").contains("a.yaml") && part("2/2").contains("c.yaml"));
}

/// A run that has begun a scenario which would take an hour.
struct Sleeper {
    folder: Folder,
    child: Child,
}

impl Sleeper {
    fn begin() -> Self {
        let folder = Folder::with(&[("z.yaml", PASSES)]);
        let fifo = folder.path().join("begun");
        mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        let text = format!(
            "timeout: 2h\nsteps:\n  - exec: {{ command: [sh, -c, 'echo go > {}'] }}\n  - sleep: 1h\n",
            fifo.display()
        );
        folder.write("a.yaml", &text);
        let mut command = folder.command(&["-j", "1", "--json", "report.json"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        let (begun, wait) = mpsc::channel();
        std::thread::spawn(move || begun.send(std::fs::read_to_string(fifo)));
        let said = wait.recv_timeout(TIMEOUT).expect("the first step is played");
        assert_eq!(said.expect("readable"), "go\n");
        Self { folder, child }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number");
        kill(Pid::from_raw(pid), signal).expect("it still runs");
    }

    fn ends(self) -> (Ran, Value) {
        let Self { folder, child } = self;
        let (ended, wait) = mpsc::channel();
        std::thread::spawn(move || ended.send(child.wait_with_output()));
        let output = wait.recv_timeout(TIMEOUT).expect("the run ends");
        let report = std::fs::read(folder.path().join("report.json")).expect("written");
        let report = serde_json::from_slice(&report).expect("JSON");
        (Ran::of(output.expect("its output is read")), report)
    }
}

#[test]
fn the_first_signal_ends_the_run_and_the_rest_is_not_played() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let sleeper = Sleeper::begin();
        sleeper.signal(signal);
        let (ran, report) = sleeper.ends();
        let ran = ran.exits(130);
        assert!(ran.out.contains("1 interrupted, 1 not played"), "{signal} {}", ran.out);
        assert_eq!(report["scenarios"][0]["outcome"], "interrupted");
        assert_eq!(report["summary"]["not_played"], 1);
    }
}

#[test]
fn the_second_signal_ends_the_run_at_once() {
    let sleeper = Sleeper::begin();
    sleeper.signal(Signal::SIGINT);
    sleeper.signal(Signal::SIGTERM);
    let (ran, _) = sleeper.ends();
    ran.exits(130);
}
