//! `tribunal recheck`, and the catalogue of events: a recorded run is asked again, also by an edited scenario, and also
//! when somebody has damaged it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Events of three levels, a crash that the policy answers, and an expectation with a slip of the pen.
const SCENARIO: &str = r#"
name: recorded
vars: { low: 2 }
daemons:
  a:
    kind: process
    command: ["${env.FAKE_DAEMON}", event, up.v0, '{"map":{"1":true,"2":true}}', event, level_seen.v0, '{"level":2}', event, level_seen.v0, '{"level":3}', forever]
    ready: { event: up.v0 }
    restart: { policy: on-failure, backoff: { initial: 1ms } }
invariants:
  - never: { from: a, event: bad.v0 }
steps:
  - start: a
  - exec: { command: [echo, "3"], stdout: json, capture: { wanted: self } }
  - expect: { from: a, event: level_seen.v0, where: level >= $low }
  - mark: before
  - crash: a
  - ready: a
  - expect: { from: a, event: level_seen.v0, where: level == $wanted && event.incarnation == 2 }
  - never: { from: a, event: level_seen.v0, where: level > 9, since: before }
  - expect: { from: a, event: levl_seen.v0, where: level == 2, since: beginning, within: 300ms }
  - expect: { from: a, event: up.v0, since: before }
  - exec: { command: ["true"] }
finally:
  - kill: a
"#;

struct Recorded {
    folder: tempfile::TempDir,
    run: PathBuf,
}

impl Recorded {
    /// Played once for all tests; nobody changes it.
    fn shared() -> &'static Self {
        static PLAYED: OnceLock<Recorded> = OnceLock::new();
        PLAYED.get_or_init(|| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            std::fs::write(folder.path().join("scenario.yaml"), SCENARIO).expect("writable");
            let options = ["run", "scenario.yaml", "--out", "runs", "--seed", "7"];
            let output = tribunal(folder.path(), &options);
            assert_eq!(output.status.code(), Some(1), "{}", told(&output));
            let runs = std::fs::read_dir(folder.path().join("runs")).expect("run directories");
            let mut runs = runs.map(|entry| entry.expect("readable").path());
            let run = runs.find(|path| path.is_dir()).expect("it is kept");
            Recorded { folder, run }
        })
    }

    /// A copy that may be damaged.
    fn copy() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("run");
        copy_all(&Self::shared().run, &run);
        Self { folder, run }
    }

    fn recheck(&self, more: &[&str]) -> Output {
        let run = self.run.to_string_lossy();
        tribunal(self.folder.path(), &[&["recheck", &*run], more].concat())
    }

    /// Judged by the scenario with some text replaced.
    fn edited(replacements: &[(&str, &str)]) -> Output {
        let recorded = Self::copy();
        let mut text = SCENARIO.to_owned();
        for (old, new) in replacements {
            assert!(text.contains(old), "{old}");
            text = text.replace(old, new);
        }
        std::fs::write(recorded.folder.path().join("edited.yaml"), text).expect("writable");
        recorded.recheck(&["--scenario", "edited.yaml"])
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("writable");
    for entry in std::fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("writable");
        }
    }
}

fn tribunal(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
    command.args(arguments).args(["--color", "never"]).current_dir(folder).stdin(Stdio::null());
    command.env("FAKE_DAEMON", env!("CARGO_BIN_EXE_fake-daemon"));
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "RUST_LOG", "TRIBUNAL_LOG", "TRIBUNAL_OCTEZ"] {
        command.env_remove(variable);
    }
    command.output().expect("the program runs")
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn exits(output: &Output, code: i32, texts: &[&str]) -> String {
    let said = told(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for text in texts {
        assert!(said.contains(text), "`{text}` is not in\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_record_says_what_the_play_said() {
    let output = Recorded::shared().recheck(&[]);
    let said = exits(
        &output,
        1,
        &[
            "as was  steps[0]   start\n",
            "holds   steps[5]   ready\n",
            "FAILS   steps[8]   expect    ",
            "did you mean level_seen.v0",
            "?       steps[9]   expect    not judged: it comes after steps[8], which fails\n",
            "as was  finally[0] kill\n",
            "holds   invariants[0] never\n",
            "recorded, as it was played: 5 hold, 1 fail, 4 as recorded, 2 not judged\n",
        ],
    );
    assert!(said.contains("level_seen.v0 of a\n"), "{said}");
}

#[test]
fn an_edited_scenario_tells_what_would_now_match() {
    let output = Recorded::edited(&[("levl_seen.v0", "level_seen.v0")]);
    let said = exits(
        &output,
        0,
        &[
            "holds   steps[8]   expect    now matches seq ",
            "holds   steps[9]   expect    now matches seq ",
            "?       steps[10]  exec      not judged: it was not played in the recorded run\n",
            "recorded, by edited.yaml: ",
        ],
    );
    assert!(!said.contains("FAILS"), "{said}");
}

#[test]
fn an_edited_scenario_tells_what_would_no_longer_match() {
    let output = Recorded::edited(&[("level >= $low", "level >= 100")]);
    exits(
        &output,
        1,
        &["FAILS   steps[2]   expect    no longer matches (it did: seq ", "edited.yaml:15:5"],
    );
    let output = Recorded::edited(&[("level > 9, since: before", "level > 1, since: before")]);
    exits(
        &output,
        1,
        &["FAILS   steps[7]   never     no longer holds: level_seen.v0 of a at seq "],
    );
    let output = Recorded::edited(&[("event: bad.v0", "event: up.v0")]);
    exits(&output, 1, &["FAILS   invariants[0] never", "no longer holds: up.v0 of a at seq "]);
    let output = Recorded::edited(&[("level >= $low", "level == 3")]);
    exits(&output, 1, &["holds   steps[2]   expect    now matches seq ", "; it was seq "]);
}

#[test]
fn a_step_that_acts_and_was_changed_is_not_judged_and_what_reads_it_neither() {
    let output = Recorded::edited(&[("[echo, \"3\"]", "[echo, \"4\"]")]);
    exits(
        &output,
        1,
        &["?       steps[1]   exec      not judged: it has been changed since it was played\n"],
    );
    let output =
        Recorded::edited(&[("capture: { wanted: self }", "capture: { wanted: self + 1 }")]);
    exits(
        &output,
        0,
        &[
            "?       steps[6]   expect    not judged: it reads $wanted, which has no value\n",
            "?       steps[7]   never     not judged: it comes after a step that cannot be\n",
        ],
    );
    let output =
        Recorded::edited(&[("  - mark: before\n", "  - terminate: a\n  - mark: before\n")]);
    exits(
        &output,
        0,
        &["?       steps[3]   terminate not judged: it was not played in the recorded run,"],
    );
}

#[test]
fn a_limit_that_is_later_than_the_record_is_not_judged() {
    let output = Recorded::edited(&[("within: 300ms", "within: 10m")]);
    exits(
        &output,
        0,
        &["?       steps[8]   expect    not judged: the record ends before its limit"],
    );
}

/// Clocks and steps are not one: what came just after the last look of a `never` may stand within its time in the record.
#[test]
fn an_absence_counts_as_far_as_the_play_has_looked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = "daemons:\n  a: { kind: process, command: [sleep, '1000'] }\nsteps:\n  - start: a\n\
                    \u{20} - never: { from: a, event: tribunal.exited, for: 1ms }\n  - kill: a\n";
    std::fs::write(folder.path().join("scenario.yaml"), scenario).expect("writable");
    let options = ["run", "scenario.yaml", "--out", "runs", "--keep", "always"];
    exits(&tribunal(folder.path(), &options), 0, &["1 passed"]);
    let runs = std::fs::read_dir(folder.path().join("runs")).expect("run directories");
    let mut runs = runs.map(|entry| entry.expect("readable").path());
    let run = runs.find(|path| path.is_dir()).expect("it is kept");
    // As if a whole day had passed before the step was noted.
    let log = run.join("log.jsonl");
    let text = std::fs::read_to_string(&log).expect("readable");
    let late = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        if line["path"] == "steps[1]" && line["outcome"] == "began" {
            line["at_s"] = 86_400.into();
        }
        format!("{line}\n")
    });
    std::fs::write(&log, late.collect::<String>()).expect("writable");
    let run = run.to_string_lossy().into_owned();
    exits(&tribunal(folder.path(), &["recheck", &run]), 0, &["never", "holds"]);
}

#[test]
fn programs_read_the_same_as_json() {
    let output = Recorded::shared().recheck(&["--format", "json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
    assert_eq!(answer["result"]["failure"]["step"], "steps[8]");
    assert_eq!(answer["tally"]["fail"], 1);
    let failed = answer["steps"].as_array().expect("a list").iter();
    let failed = failed.filter(|step| step["verdict"]["is"] == "fails");
    assert_eq!(failed.map(|step| step["path"].clone()).collect::<Vec<_>>(), ["steps[8]"]);
}

#[test]
fn what_is_no_run_or_a_damaged_one_is_said() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    for command in ["recheck", "events"] {
        let output = tribunal(empty.path(), &[command, "."]);
        exits(&output, 4, &["is no run directory: it has no log.jsonl"]);
        exits(&tribunal(empty.path(), &[command, "nowhere"]), 4, &["nowhere"]);
    }
    let damaged = |damage: &dyn Fn(&Path), code: i32, texts: &[&str]| {
        let recorded = Recorded::copy();
        damage(&recorded.run);
        exits(&recorded.recheck(&[]), code, texts);
        // Whatever is shown, nothing panics.
        let run = recorded.run.to_string_lossy();
        for arguments in [&["events", &*run][..], &["events", "--catalogue", &*run]] {
            let output = tribunal(recorded.folder.path(), arguments);
            assert!([Some(0), Some(4)].contains(&output.status.code()), "{}", told(&output));
        }
    };
    let write = |name: &'static str, bytes: Vec<u8>| {
        move |run: &Path| std::fs::write(run.join(name), &bytes).expect("writable")
    };
    let remove =
        |name: &'static str| move |run: &Path| std::fs::remove_file(run.join(name)).expect("there");
    let truncate = |name: &'static str, by: usize| {
        move |run: &Path| {
            let bytes = std::fs::read(run.join(name)).expect("readable");
            std::fs::write(run.join(name), &bytes[..bytes.len() - by]).expect("writable");
        }
    };
    damaged(&remove("scenario.yaml"), 4, &["scenario.yaml cannot be read", "--scenario FILE"]);
    damaged(&write("scenario.yaml", b"steps: [".to_vec()), 3, &["scenario.yaml"]);
    damaged(&remove("result.json"), 1, &["result.json: ", "what the run came to is not known"]);
    damaged(&write("result.json", vec![0xff; 100]), 1, &["result.json: "]);
    let newer = br#"{"version": 2, "steps": "other"}"#.to_vec();
    damaged(&write("result.json", newer), 1, &["it is of version 2"]);
    damaged(&truncate("log.jsonl", 5), 1, &["FAILS   steps[8]"]);
    damaged(&write("log.jsonl", Vec::new()), 4, &["log.jsonl is empty: nothing was recorded"]);
    let garbage = write("log.jsonl", vec![0xfe; 5000]);
    damaged(&garbage, 4, &["log.jsonl, line 1: not a record of a run"]);
    let not_ours = b"{}\n{}\n".to_vec();
    damaged(&write("log.jsonl", not_ours), 4, &["log.jsonl, line 1: not a record of a run"]);
    damaged(&remove("events/a.idx"), 1, &["FAILS   steps[2]"]);
    damaged(&remove("events/a.jsonl"), 4, &["events/a.jsonl"]);
    damaged(&truncate("events/a.idx", 10), 1, &["a.idx: ", "fit the events beside it"]);
    damaged(&truncate("events/a.jsonl", 10), 1, &["fit the events beside it"]);
    damaged(&write("events/a.idx", vec![0xff; 640]), 1, &["a.idx: 0 of 10 entries fit"]);
    damaged(&write("events/a.idx", vec![b'x'; 77]), 1, &["a.idx: 0 of 2 entries fit"]);
    let length = std::fs::read(Recorded::shared().run.join("events/a.jsonl")).expect("there").len();
    damaged(&write("events/a.jsonl", vec![0xff; length]), 1, &["FAILS"]);
}

#[test]
fn a_catalogue_lists_what_was_seen_and_finds_slips_of_the_pen() {
    let recorded = Recorded::copy();
    let folder = recorded.folder.path();
    let run = recorded.run.to_string_lossy();
    let text = tribunal(folder, &["events", "--catalogue", &run]);
    exits(
        &text,
        0,
        &[
            "level_seen.v0  4 times, of process\n  level  integer           2\n",
            "  map.*  boolean           true\n",
            "2 events\n",
        ],
    );
    let json = tribunal(folder, &["events", "--catalogue", &run, &run, "--format", "json"]);
    exits(&json, 0, &["\"version\": 1"]);
    let catalogue: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(catalogue["events"]["level_seen.v0"]["daemons"]["a"], 8, "of both runs");
    std::fs::write(folder.join("old.json"), &json.stdout).expect("writable");

    let renamed =
        told(&json).replace("level_seen.v0", "level_seen.v1").replace("\"level\"", "\"lvl\"");
    std::fs::write(folder.join("new.json"), renamed).expect("writable");
    let compared = ["events", "--catalogue", "old.json", "--against", "new.json"];
    exits(&tribunal(folder, &compared), 0, &["level_seen.v0", "level_seen.v1"]);
    exits(
        &tribunal(folder, &["events", "--catalogue", &run, "--against", &run]),
        0,
        &["no difference\n"],
    );

    std::fs::write(folder.join("scenario.yaml"), SCENARIO).expect("writable");
    let checked = tribunal(folder, &["check", "--catalogue", "old.json", "scenario.yaml"]);
    exits(
        &checked,
        0,
        &[
            "no event `levl_seen.v0` has been seen in any run",
            "did you mean `level_seen.v0`?",
            "no event `bad.v0` has been seen in any run",
            "1 file: valid",
        ],
    );
    for (text, wrong) in [("{", "is no catalogue"), ("{\"version\": 9}", "of version 9")] {
        std::fs::write(folder.join("bad.json"), text).expect("writable");
        exits(
            &tribunal(folder, &["check", "--catalogue", "bad.json", "scenario.yaml"]),
            4,
            &[wrong],
        );
    }
}

#[test]
fn events_are_chosen_from_the_command_line() {
    let recorded = Recorded::shared();
    let run = recorded.run.to_string_lossy();
    let lines = |more: &[&str]| {
        let output = tribunal(recorded.folder.path(), &[&["events", &*run], more].concat());
        exits(&output, 0, &[]);
        // That there is none is told aside.
        String::from_utf8_lossy(&output.stdout).lines().count()
    };
    assert_eq!(lines(&["--event", "level_*", "--incarnation", "2"]), 2);
    assert_eq!(lines(&["--from", "a*", "--event", "up.v0", "--json"]), 2);
    assert_eq!(lines(&["--where", "level == 2", "--last", "1"]), 1);
    assert_eq!(lines(&["--limit", "3"]), 3);
    assert_eq!(lines(&["--after", "1h"]), 0);
    assert_eq!(lines(&["--malformed"]), 0);
    for wrong in [
        &["--after", "soon"][..],
        &["--limit", "1", "--last", "1"],
        &["--catalogue", "--event", "x"],
        &["--against", "x"],
        &["other"],
        &["--malformed", "--event", "x"],
    ] {
        let output = tribunal(recorded.folder.path(), &[&["events", &*run], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", told(&output));
    }
}
