//! Scenarios on real processes, each a test: those that ship, those that show what passes, those that must fail.
//!
//! A file of `tests/scenarios/fail` and `pass` says in comments how it is played and what comes of it:
//!
//! ```text
//! # args: --strict                          more arguments of `tribunal run`
//! # expect: exit 1, kind timed-out, step steps[2]
//! # warns: text                             a part of each warning, in order; no others are given
//! # text: varies                            what is read of it is not compared
//! # noted: text                             a part of a line of `log.jsonl`, in this order
//! ```
//! What a user reads of a failure stands beside the file (`NAME.stdout`), without what differs from run to run;
//! `BLESS=1` writes these anew.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use regex::Regex;
use serde_json::Value;

/// How long a scenario may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(90);

fn main() {
    let mut trials = Vec::new();
    for (folder, kind) in [
        ("scenarios", "shipped"),
        ("tests/scenarios/pass", "pass"),
        ("tests/scenarios/fail", "fail"),
    ] {
        for path in files(folder) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            trials.push(Trial::test(name, move || play(&path)).with_kind(kind));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of the repository");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder of the repository can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// What the head of a file says of it.
#[derive(Debug, Default)]
struct Header {
    args: Vec<String>,
    exit: i32,
    kind: Option<String>,
    step: Option<String>,
    warns: Vec<String>,
    noted: Vec<String>,
    varies: bool,
}

impl Header {
    fn of(text: &str) -> Result<Self, Failed> {
        let mut header = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix("# ")) {
            if let Some(args) = line.strip_prefix("args: ") {
                header.args.extend(args.split_whitespace().map(ToOwned::to_owned));
            } else if let Some(text) = line.strip_prefix("warns: ") {
                header.warns.push(text.to_owned());
            } else if let Some(text) = line.strip_prefix("noted: ") {
                header.noted.push(text.to_owned());
            } else if line == "text: varies" {
                header.varies = true;
            } else if let Some(expected) = line.strip_prefix("expect: ") {
                for part in expected.split(", ") {
                    match part.split_once(' ') {
                        Some(("exit", code)) => header.exit = code.parse()?,
                        Some(("kind", kind)) => header.kind = Some(kind.to_owned()),
                        Some(("step", step)) => header.step = Some(step.to_owned()),
                        _ => return Err(format!("`{part}` is not understood").into()),
                    }
                }
            }
        }
        Ok(header)
    }
}

fn play(path: &Path) -> Result<(), Failed> {
    let header = Header::of(&std::fs::read_to_string(path)?)?;
    let out = tempfile::tempdir()?;
    let temporary = out.path().join("tmp");
    std::fs::create_dir(&temporary)?;
    let report = out.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
    command
        .arg("run")
        .arg(path)
        .arg("--json")
        .arg(&report)
        .arg("--out")
        .arg(out.path().join("runs"));
    command.args(["--keep", "always", "--color", "never"]).args(&header.args);
    if !header.args.iter().any(|arg| arg == "--seed") {
        command.args(["--seed", "42"]);
    }
    command.env("TMPDIR", &temporary).env("FAKE_DAEMON", env!("CARGO_BIN_EXE_fake-daemon"));
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "RUST_LOG", "TRIBUNAL_LOG", "TRIBUNAL_OCTEZ"] {
        command.env_remove(variable);
    }
    let output = output_of(command)?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    if output.status.code() != Some(header.exit) {
        return Err(format!("{}, not exit code {}:\n{said}", output.status, header.exit).into());
    }
    let report: Value = serde_json::from_slice(&std::fs::read(&report)?)?;
    let result = &report["scenarios"][0];
    judge(&header, result).map_err(|wrong| format!("{wrong}:\n{said}"))?;
    judge_notes(&header, &out.path().join("runs"))?;
    judge_again(result, &out.path().join("runs"))?;
    let left: Vec<_> = std::fs::read_dir(&temporary)?.collect();
    if !left.is_empty() {
        return Err(format!("temporary files are left: {left:?}").into());
    }
    if header.exit == 0 || header.varies { Ok(()) } else { compare(path, &stdout, out.path()) }
}

/// The program is killed, and so is all that it started, if it takes too long.
fn output_of(mut command: Command) -> Result<Output, Failed> {
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = i32::try_from(child.id())?;
    let (ended, wait) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    if let Ok(output) = wait.recv_timeout(TIMEOUT) {
        return Ok(output?);
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)?;
    let output = wait.recv_timeout(TIMEOUT)??;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Err(format!("it hangs:\n{said}").into())
}

fn judge(header: &Header, result: &Value) -> Result<(), String> {
    let failure = &result["failure"];
    if let Some(kind) = &header.kind
        && failure["kind"] != kind.as_str()
    {
        return Err(format!("the failure is no {kind}"));
    }
    if let Some(step) = &header.step
        && failure["step"] != step.as_str()
    {
        return Err(format!("the failure is not at {step}"));
    }
    let warnings = result["warnings"].as_array().ok_or("there are no warnings")?;
    let warnings: Vec<&str> = warnings.iter().filter_map(Value::as_str).collect();
    let as_wanted = warnings.len() == header.warns.len()
        && warnings.iter().zip(&header.warns).all(|(warning, part)| warning.contains(part));
    if as_wanted { Ok(()) } else { Err(format!("the warnings are {warnings:#?}")) }
}

fn judge_notes(header: &Header, runs: &Path) -> Result<(), Failed> {
    if header.noted.is_empty() {
        return Ok(());
    }
    let entries = std::fs::read_dir(runs)?.filter_map(Result::ok).map(|entry| entry.path());
    let run = entries.into_iter().find(|path| path.is_dir()).ok_or("no run directory is left")?;
    let log = std::fs::read_to_string(run.join("log.jsonl"))?;
    let mut lines = log.lines();
    for part in &header.noted {
        if !lines.any(|line| line.contains(part)) {
            return Err(format!("`{part}` is not noted, or not at its place:\n{log}").into());
        }
    }
    Ok(())
}

/// The record of the play says what the play itself said: of each step that can be judged, of its match, of the failure.
fn judge_again(result: &Value, runs: &Path) -> Result<(), Failed> {
    let entries = std::fs::read_dir(runs)?.filter_map(Result::ok).map(|entry| entry.path());
    let run = entries.into_iter().find(|path| path.is_dir()).ok_or("no run directory is left")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
    command.arg("recheck").arg(&run).args(["--format", "json", "--color", "never"]);
    command.env("FAKE_DAEMON", env!("CARGO_BIN_EXE_fake-daemon"));
    let output = output_of(command)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let again: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("recheck: {error}: {}:\n{said}", output.status))?;
    let wrong = |what: &str, again: &Value| {
        let log = std::fs::read_to_string(run.join("log.jsonl")).unwrap_or_default();
        Failed::from(format!("recheck: {what}:\n{again:#}\n{said}\n{log}"))
    };
    if again["damage"] != serde_json::json!([]) {
        return Err(wrong("the record is damaged", &again));
    }
    let played = result["steps"].as_array().ok_or("no steps")?;
    for judged in again["steps"].as_array().ok_or("no steps are judged")? {
        let mut rounds = played.iter().filter(|step| step["path"] == judged["path"]);
        let is = judged["verdict"]["is"].as_str().unwrap_or_default();
        let agrees = |step: &Value| match is {
            "holds" => step["outcome"] == "passed" && step["match"] == judged["match"],
            "as-recorded" => step["outcome"] == "passed",
            "fails" => step["outcome"] == "failed",
            // What was cancelled, never begun, or cut off by a limit of all steps.
            _ => step["outcome"] != "passed" || result["failure"]["kind"] == "timeout",
        };
        let is_invariant = judged["path"].as_str().is_some_and(|path| path.starts_with("inv"));
        if !is_invariant && !rounds.any(agrees) {
            return Err(wrong("a step ends otherwise than it did", judged));
        }
    }
    let told = |of: &Value, key: &str| of["failure"][key].clone();
    let same =
        ["step", "kind", "line"].iter().all(|key| told(result, key) == told(&again["result"], key));
    if !same || again["result"]["outcome"] != result["outcome"] {
        return Err(wrong("the failure is another one", &again["result"]));
    }
    Ok(())
}

/// What is read of a failure, without what differs from run to run.
fn compare(path: &Path, stdout: &str, out: &Path) -> Result<(), Failed> {
    let mut text = stdout.replace(&*out.to_string_lossy(), "OUT");
    for (pattern, replacement) in [
        (r"(?m)^  host .*\n", ""),
        (r"(?m)^ {12}\| .*(NOTICE|WARNING|Retrying).*\n( {12}\|   .*\n)*", ""),
        // Where a line is broken depends on what is masked.
        (r"\n {12}([^| +?-])", " $1"),
        (r"\n {6}\| {5}([^\s^])", " $1"),
        (r#"PATH "[^"]*""#, "PATH …"),
        (r"(?m)^playing .*\n", ""),
        (r"pid \d+", "pid N"),
        (r"seq \d+", "seq N"),
        (r"[1-9]\d* events searched", "N events searched"),
        (r#""B[0-9A-Za-z]{8,}…?""#, r#""B…""#),
        // What else was seen, and which was the last, is a race.
        (r"(?m)^  seen      .*$", "  seen      NAMES"),
        (r"(last event [\d.]+ s ago), [\w.-]+", "$1, EVENT"),
        (r"\d+(\.\d+)? (s|ms)\b", "N s"),
        (r"(?m)^  (replay|rerun|events|run dir|timeline|state) .*\n", ""),
        (r"tribunal-[0-9a-f]{8,}", "tribunal-ID"),
        (r"(?m) +(seed 42)$", "  $1"),
    ] {
        let pattern = Regex::new(pattern).expect("a valid pattern");
        text = pattern.replace_all(&text, replacement).into_owned();
    }
    let expected_path = path.with_extension("stdout");
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(&expected_path, text).map_err(Failed::from);
    }
    let expected = std::fs::read_to_string(&expected_path)
        .map_err(|error| format!("{}: {error}; BLESS=1 writes it", expected_path.display()))?;
    if text == expected {
        return Ok(());
    }
    Err(format!("expected:\n{expected}\nfound:\n{text}").into())
}
