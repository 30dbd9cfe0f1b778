//! The program as it is called: what it prints where, and the exit code.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder with two scenarios, one invalid file apart from them, and what the program does in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("temporary folder"));
        folder.write(
            "scenarios/one.yaml",
            "# Shows one.\nname: the first\ntags: [fast]\nsteps: [{ log: hi }]\n",
        );
        folder.write(
            "scenarios/deep/two.yaml",
            "name: the second\ntags: [slow]\nsteps: [{ log: hi }]\n",
        );
        folder
            .write("invalid/bad.yaml", "name: bad\nsteps:\n  - expcet: { from: node, event: x }\n");
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, content).expect("writable");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for variable in ["NO_COLOR", "CLICOLOR_FORCE", "RUST_LOG", "TRIBUNAL_LOG", "TRIBUNAL_OCTEZ"]
        {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program runs"))
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

#[test]
fn without_arguments_it_says_how_it_is_used() {
    let ran = Folder::new().run(&[]).exits(2);
    assert!(ran.err.contains("tribunal run") && ran.err.contains("Exit codes"), "{}", ran.err);
    assert_eq!(ran.out, "");
}

#[test]
fn help_and_version_are_printed_and_pass() {
    let folder = Folder::new();
    assert!(folder.run(&["--version"]).exits(0).out.starts_with("tribunal "));
    for command in ["run", "check", "recheck", "events", "schema", "sandbox", "completions"] {
        let help = folder.run(&[command, "--help"]).exits(0);
        assert!(help.out.contains(&format!("Usage: tribunal {command}")), "{}", help.out);
        let wide = help.out.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{command}");
    }
    let help = folder.run(&["run", "--help"]).exits(0).out;
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "70 ", "130 "] {
        assert!(help.contains(&format!("\n  {code}")), "{code} {help}");
    }
}

#[test]
fn wrong_arguments_are_exit_2() {
    let folder = Folder::new();
    for arguments in [
        &["play"][..],
        &["run", "--bogus"],
        &["run", "-j", "0"],
        &["run", "--shard", "3/2"],
        &["run", "-k", "a and"],
        &["run", "-v", "-q"],
        &["check"],
        &["completions", "cobol"],
        &["events"],
        &["events", ".", "--where", "level >="],
        &["events", ".", "--where", "level >= $x"],
        &["sandbox"],
    ] {
        let ran = folder.run(arguments).exits(2);
        assert_eq!(ran.out, "", "{arguments:?}");
        assert_ne!(ran.err, "", "{arguments:?}");
    }
}

#[test]
fn a_wrong_predicate_is_pointed_at() {
    let ran = Folder::new().run(&["events", ".", "--where", "level >="]).exits(2);
    assert!(ran.err.contains("\n  level >=\n          ^"), "{}", ran.err);
}

#[test]
fn a_list_names_files_tags_and_what_they_show() {
    let ran = Folder::new().run(&["run", "--list"]).exits(0);
    let expected = "\
scenarios/deep/two.yaml  [slow]
  the second
scenarios/one.yaml  [fast]
  the first
    Shows one.
2 scenarios
";
    assert_eq!(ran.out, expected);
    assert_eq!(ran.err, "");
}

#[test]
fn names_tags_and_paths_select() {
    let folder = Folder::new();
    let table: [(&[&str], &[&str]); 7] = [
        (&["-k", "first"], &["one"]),
        (&["-k", "not (first or third)"], &["two"]),
        (&["-k", "two"], &["two"]),
        (&["-t", "slow"], &["two"]),
        (&["-t", "/slow"], &["one"]),
        (&["scenarios/deep"], &["two"]),
        (&["scenarios/one.yaml", "scenarios"], &["one", "two"]),
    ];
    for (arguments, expected) in table {
        let ran = folder.run(&[&["run", "-l"], arguments].concat()).exits(0);
        let files = ran.out.lines().filter(|line| line.starts_with("scenarios/"));
        let names: Vec<_> =
            files.map(|line| if line.contains("one.yaml") { "one" } else { "two" }).collect();
        assert_eq!(names, expected, "{arguments:?}");
    }
}

#[test]
fn shards_are_disjoint_and_an_empty_one_passes() {
    let folder = Folder::new();
    let part = |shard: &str| folder.run(&["run", "-l", "--shard", shard]).exits(0).out;
    assert!(part("1/3").contains("two.yaml"));
    assert!(part("2/3").contains("one.yaml"));
    assert_eq!(part("3/3"), "0 scenarios\n");
    folder.run(&["run", "--shard", "3/3"]).exits(0);
}

#[test]
fn nothing_to_play_is_exit_4() {
    let folder = Folder::new();
    folder.write("empty/note.txt", "");
    for arguments in [
        &["run", "-k", "nowhere"][..],
        &["run", "-t", "nowhere"],
        &["run", "nowhere.yaml"],
        &["run", "empty"],
        &["check", "nowhere.yaml"],
    ] {
        let ran = folder.run(arguments).exits(4);
        assert!(ran.err.starts_with("tribunal: "), "{arguments:?} {}", ran.err);
    }
    let ran = Ran::of(
        folder.command(&["run"]).current_dir(folder.path().join("empty")).output().expect("runs"),
    );
    assert!(ran.exits(4).err.contains("no folder `scenarios` here"));
}

#[test]
fn one_invalid_file_and_nothing_is_played() {
    let folder = Folder::new();
    let ran = folder.run(&["run", "scenarios", "invalid"]).exits(3);
    assert!(ran.err.contains("invalid/bad.yaml:3:5"), "{}", ran.err);
    assert!(ran.err.contains("expcet"), "{}", ran.err);
    assert_eq!(ran.out, "");
    assert!(!folder.path().join("tribunal-runs").exists());
    folder.run(&["run", "-l", "invalid"]).exits(3);
}

#[test]
fn an_invalid_file_is_in_the_json_report() {
    let folder = Folder::new();
    let ran = folder.run(&["run", "scenarios", "invalid", "--json", "-"]).exits(3);
    let report: Value = serde_json::from_str(&ran.out).expect("standard output is JSON alone");
    let scenario = &report["scenarios"][0];
    assert_eq!(
        (&scenario["outcome"], &scenario["failure"]["kind"]),
        (&"error".into(), &"invalid".into())
    );
    assert_eq!(scenario["file"], "invalid/bad.yaml");
    assert_eq!(
        (&report["summary"]["error"], &report["summary"]["not_played"]),
        (&1.into(), &2.into())
    );
}

#[test]
fn what_is_no_text_is_an_invalid_file_and_no_panic() {
    let folder = Folder::new();
    let binary: Vec<u8> =
        (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    folder.write("odd/binary.yaml", binary);
    folder.write("odd/empty.yaml", "");
    folder.write("odd/deep.yaml", "[".repeat(10_000));
    for file in ["odd/binary.yaml", "odd/empty.yaml", "odd/deep.yaml"] {
        for command in ["check", "run"] {
            let ran = folder.run(&[command, file]).exits(3);
            assert!(ran.err.contains(file) && !ran.err.contains("panicked"), "{}", ran.err);
        }
    }
}

#[test]
fn check_tells_all_files_and_plays_nothing() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["check", "scenarios"]).exits(0).out, "2 files: valid\n");
    let ran = folder.run(&["check", "scenarios", "invalid"]).exits(3);
    assert_eq!(ran.out, "3 files: 1 invalid\n");
    assert!(ran.err.contains("invalid/bad.yaml:3:5"), "{}", ran.err);
}

#[test]
fn an_environment_that_lacks_something_is_exit_4_before_anything_is_played() {
    let folder = Folder::new();
    folder.write("file", "");
    for arguments in [
        &["run", "--out", "file/runs"][..],
        &["run", "--json", "missing/report.json"],
        &["run", "--octez", "missing"],
    ] {
        let ran = folder.run(arguments).exits(4);
        assert!(ran.err.starts_with("tribunal: "), "{arguments:?} {}", ran.err);
        assert!(!ran.out.contains("playing"), "{arguments:?} {}", ran.out);
    }
}

#[test]
fn a_report_that_does_not_fit_on_the_disk_is_exit_4() {
    let ran = Folder::new().run(&["run", "invalid", "--json", "/dev/full"]).exits(4);
    assert!(ran.err.contains("cannot write the report /dev/full: No space left"), "{}", ran.err);
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let folder = Folder::new();
    let coloured = |arguments: &[&str], variable: Option<(&str, &str)>| {
        let mut command = folder.command(arguments);
        command.envs(variable);
        Ran::of(command.output().expect("runs")).out.contains('\u{1b}')
    };
    assert!(!coloured(&["run", "-l"], None));
    assert!(coloured(&["run", "-l", "--color", "always"], None));
    assert!(!coloured(&["run", "-l", "--color", "never"], None));
    assert!(!coloured(&["run", "-l"], Some(("NO_COLOR", "1"))));
    assert!(coloured(&["run", "-l"], Some(("CLICOLOR_FORCE", "1"))));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = Folder::new();
    for arguments in
        [&["run", "-l"][..], &["schema"], &["completions", "zsh"], &["check", "scenarios"]]
    {
        let mut command = folder.command(arguments);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        drop(child.stdout.take());
        let ran = Ran::of(child.wait_with_output().expect("ends"));
        assert_eq!(ran.exits(0).err, "", "{arguments:?}");
    }
}

#[test]
fn completions_are_made_for_every_shell() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            folder.run(&["completions", shell]).exits(0).out.contains("until-failure"),
            "{shell}"
        );
    }
}

#[test]
fn the_schema_is_a_json_schema() {
    let ran = Folder::new().run(&["schema"]).exits(0);
    let schema: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert!(schema["$schema"].is_string() && schema["properties"]["steps"].is_object(), "{schema}");
}

#[test]
fn the_sandbox_is_installed_as_links_to_this_program() {
    let folder = Folder::new();
    folder.run(&["sandbox", "install", "bin"]).exits(0);
    let own = std::fs::canonicalize(env!("CARGO_BIN_EXE_tribunal")).expect("it exists");
    for name in ["octez-node", "octez-accuser", "octez-client", "octez-admin-client"] {
        let link = std::fs::canonicalize(folder.path().join("bin").join(name)).expect(name);
        assert_eq!(link, own);
    }
    folder.write("real/octez-node", "a program of somebody else");
    let ran = folder.run(&["sandbox", "install", "real"]).exits(4);
    assert!(ran.err.contains("octez-node"), "{}", ran.err);
}

#[test]
fn what_is_no_run_directory_is_said() {
    let ran = Folder::new().run(&["events", "scenarios"]).exits(4);
    assert!(ran.err.contains("scenarios is no run directory"), "{}", ran.err);
    let ran = Folder::new().run(&["recheck", "nowhere"]).exits(4);
    assert!(ran.err.contains("no such run directory: nowhere"), "{}", ran.err);
}

#[test]
fn commands_that_do_not_exist_yet_are_not_offered() {
    let folder = Folder::new();
    for command in ["shrink", "agent"] {
        folder.run(&[command, "x"]).exits(2);
    }
    folder.run(&["run", "--on", "x"]).exits(2);
}

#[test]
fn a_log_filter_that_is_wrong_is_told_and_passed_over() {
    let folder = Folder::new();
    let mut command = folder.command(&["run", "-l"]);
    command.env("TRIBUNAL_LOG", "=[=");
    let ran = Ran::of(command.output().expect("runs")).exits(0);
    assert!(ran.err.contains("the log filter `=[=` is ignored"), "{}", ran.err);
}

#[test]
fn ten_thousand_nested_brackets_are_an_error_with_its_place() {
    let folder = Folder::new();
    let deep = format!("{}1{} == 1", "(".repeat(10_000), ")".repeat(10_000));
    let text = format!(
        "daemons:\n  a: {{ kind: process, command: [true] }}\nsteps:\n  - start: a\n  - expect: {{ from: a, event: x, where: \"{deep}\" }}\n"
    );
    folder.write("deep.yaml", text);
    for command in ["check", "run"] {
        let ran = folder.run(&[command, "deep.yaml"]);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        assert!(ran.err.contains("deep.yaml:5:"), "{}", ran.err);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
    }
}
