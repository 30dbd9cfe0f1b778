//! A run in a terminal: the status below it, the key `t`, and the terminal as it was before.

use rustix::process::Signal;

use crate::screen::shown;
use crate::support::{COLUMNS, Folder, Run, TRIBUNAL, signal};

const CTRL_C: u8 = 3;

#[test]
fn the_status_shows_what_is_played_and_leaves_nothing_on_the_screen() {
    let folder = Folder::new();
    for name in ["one", "two"] {
        folder.scenario(name, "steps:\n  - exec: { command: [sleep, '1.2'] }\n  - log: done\n");
    }
    let run = Run::in_terminal(&folder, TRIBUNAL, &["run", "-j", "1", "one.yaml", "two.yaml"]);
    let (status, said) = run.ends();
    assert_eq!(status.code(), Some(0), "{said}");
    for part in ["0 of 2 done, 1 playing", "1 of 2 done, 1 playing", "one", "exec: { command"] {
        assert!(said.contains(part), "`{part}` was not shown:\n{said}");
    }
    // Nothing else than the text that a file would have got.
    let lines = shown(&said);
    let kinds: Vec<&str> =
        lines.iter().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(kinds, ["playing", "ok", "ok", "2"], "{lines:#?}");
    let wide = lines.iter().find(|line| line.chars().count() > usize::from(COLUMNS));
    assert_eq!(wide, None);
}

#[test]
fn there_is_no_status_where_nobody_looks_and_none_with_verbose() {
    let folder = Folder::new();
    folder.scenario("one", "steps:\n  - exec: { command: [sleep, '0.2'] }\n");
    let mut command = folder.command(TRIBUNAL, &["run", "one.yaml"]);
    command.stderr(std::process::Stdio::piped());
    let output = command.output().expect("the program runs");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!output.stdout.contains(&0x1b), "no colours either");

    let run = Run::in_terminal(&folder, TRIBUNAL, &["run", "-v", "one.yaml"]);
    let (_, said) = run.ends();
    assert!(!said.contains("playing,") && !said.contains(" of 1 done"), "{said}");
}

#[test]
fn no_color_is_heeded_in_a_terminal_too() {
    let folder = Folder::new();
    folder.scenario("false", "steps:\n  - assert: 1 == 2\n");
    let coloured = |variable: &str| {
        let run = Run::in_terminal(&folder, "env", &[variable, TRIBUNAL, "run", "false.yaml"]);
        let (status, said) = run.ends();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("FAILED"), "{said}");
        // The end of a colour, and of bold.
        said.contains("\u{1b}[0m")
    };
    assert!(coloured("SOME=1"));
    assert!(!coloured("NO_COLOR=1"));
}

#[test]
fn the_key_t_tells_the_state_and_ctrl_c_still_ends_the_run() {
    let folder = Folder::new();
    folder.waiting("waiting");
    let mut run = Run::in_terminal(&folder, TRIBUNAL, &["run", "waiting.yaml"]);
    run.says("expect: { from: a, event: up.v0");
    assert!(!run.reads_lines(), "keys come one by one");
    run.press(b'x');
    run.press(b't');
    let said = run.says("bytes of events unread");
    assert!(said.contains("waits for up.v0 of a where n > 3"), "{said}");
    run.press(CTRL_C);
    assert_eq!(run.exits().code(), Some(130));
    assert!(run.reads_lines(), "the terminal is as it was");
    let lines = shown(&String::from_utf8_lossy(&run.said));
    let typed = lines.iter().any(|line| ["x", "t", "xt"].contains(&line.trim()));
    assert!(!typed, "keys are not shown: {lines:#?}");
    let state = lines.iter().position(|line| line.starts_with("state of `waiting` after"));
    let state = &lines[state.expect("it was told")..];
    assert!(state[1].starts_with("  steps[1]  line 8, for "), "{state:#?}");
}

#[test]
fn the_terminal_is_put_back_when_the_worker_is_killed() {
    let folder = Folder::new();
    folder.waiting("waiting");
    let mut run = Run::in_terminal(&folder, TRIBUNAL, &["run", "waiting.yaml"]);
    run.says("expect: { from: a, event: up.v0");
    let (_, worker) = run.front_and_worker();
    signal(worker, Signal::KILL);
    assert_eq!(run.exits().code(), Some(70));
    assert!(run.reads_lines(), "the terminal is as it was");
}

/// A shell with job control puts it into a group of its own, which is not the one in front.
#[test]
fn in_the_background_the_terminal_is_left_alone() {
    let folder = Folder::new();
    folder.scenario("one", "steps:\n  - exec: { command: [sleep, '0.5'] }\n");
    let script =
        format!("{TRIBUNAL} run -v one.yaml & wait $!; echo code $?; read line; echo got $line");
    let mut run = Run::in_terminal(&folder, "sh", &["-mc", &script]);
    run.says("steps[0]");
    assert!(run.reads_lines(), "it has not been touched");
    for key in *b"typed\n" {
        run.press(key);
    }
    let (_, said) = run.ends();
    assert!(said.contains("code 0"), "{said}");
    assert!(said.contains("got typed"), "what was typed was not for the run: {said}");
}
