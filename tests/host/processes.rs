use std::fs;
use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;
use tribunal::daemon::{CommandLine, ExitStatus};
use tribunal::host::process::{SignalError, SpawnError};
use tribunal::host::procfs;
use tribunal::host::program::ProgramError;

use crate::scenes;
use crate::support::{Life, Run, eventually, read, trials};

pub fn trials() -> Vec<Trial> {
    trials![
        an_exit_is_seen_before_it_is_reaped,
        codes_and_signals_are_told_apart,
        an_exit_is_told_again_to_who_asks_later,
        killing_the_group_reaches_grandchildren,
        signals_reach_the_group_or_the_leader_alone,
        real_time_signals_are_sent_and_numbers_that_are_no_signal_refused,
        a_paused_process_is_seen_as_stopped,
        dropping_a_process_kills_its_group,
        reaping_a_living_process_ends_it,
        what_cannot_be_run_is_told_by_name,
        the_program_is_searched_in_the_path_of_the_daemon,
        a_relative_program_counts_from_the_working_directory,
        the_environment_is_added_and_standard_input_is_empty,
        a_process_leads_a_group_of_its_own,
        an_exit_is_seen_even_if_the_harness_was_made_to_ignore_children,
    ]
}

async fn an_exit_is_seen_before_it_is_reaped() {
    let run = Run::new();
    let process = run.spawn(&["exit", "3"]).process;
    assert_eq!(process.exited().await, ExitStatus::Code(3));
    assert_eq!(process.state(), Some('Z'), "its number is still taken");
    assert_eq!(process.status(), Some(ExitStatus::Code(3)));
    let pid = process.pid();
    assert_eq!(process.reap(), ExitStatus::Code(3));
    assert_ne!(procfs::stat(pid).map(|stat| stat.state), Some('Z'));
}

async fn codes_and_signals_are_told_apart() {
    let run = Run::new();
    let cases: [(&[&str], ExitStatus); 4] = [
        (&[], ExitStatus::Code(0)),
        (&["exit", "127"], ExitStatus::Code(127)),
        (&["abort"], ExitStatus::Signal(6)),
        (&["kill-self", "9"], ExitStatus::Signal(9)),
    ];
    for (verbs, status) in cases {
        let process = run.spawn(verbs).process;
        assert_eq!(process.exited().await, status, "{verbs:?}");
        assert_eq!(process.reap(), status, "{verbs:?}");
    }
}

async fn an_exit_is_told_again_to_who_asks_later() {
    let run = Run::new();
    let process = run.spawn(&["exit", "5"]).process;
    let asked_before = process.exited();
    process.exited().await;
    let asked_in_between = process.exited();
    process.reap();
    assert_eq!(asked_before.await, ExitStatus::Code(5));
    assert_eq!(asked_in_between.await, ExitStatus::Code(5));
}

async fn killing_the_group_reaches_grandchildren() {
    let run = Run::new();
    let grandchild = format!("pid-file {} forever", run.path("grandchild").display());
    let process = run.spawn(&["grandchild", "plain", &grandchild, "forever"]).process;
    let grandchild = run.life("grandchild").await;
    assert_eq!(process.living_members().len(), 2);
    process.kill_group().expect("the group is there");
    assert_eq!(process.exited().await, ExitStatus::Signal(9));
    grandchild.over().await;
    eventually("the group is empty", || process.living_members().is_empty().then_some(())).await;
    process.kill_group().expect("an empty group is no error");
}

async fn signals_reach_the_group_or_the_leader_alone() {
    let run = Run::new();
    let grandchild = format!("pid-file {} forever", run.path("grandchild").display());
    let process = run.spawn(&["grandchild", "plain", &grandchild, "forever"]).process;
    let grandchild = run.life("grandchild").await;
    process.signal_leader(10).expect("it lives");
    assert_eq!(process.exited().await, ExitStatus::Signal(10));
    assert!(!grandchild.is_over());
    process.signal_leader(10).expect("one that has exited is no error");
    process.signal_group(15).expect("the group lives on in the grandchild");
    grandchild.over().await;
}

async fn real_time_signals_are_sent_and_numbers_that_are_no_signal_refused() {
    let run = Run::new();
    let process = run.spawn(&["forever"]).process;
    for signal in [0, -9, 32, 65, i32::MAX] {
        let refused = process.signal_group(signal);
        assert!(matches!(refused, Err(SignalError::NoSuchSignal { .. })), "{refused:?}");
    }
    process.signal_group(40).expect("a real-time signal");
    assert_eq!(process.exited().await, ExitStatus::Signal(40));
}

async fn a_paused_process_is_seen_as_stopped() {
    let run = Run::new();
    let process = run.spawn(&["forever"]).process;
    process.signal_group(19).expect("it lives");
    eventually("it is stopped", || (process.state() == Some('T')).then_some(())).await;
    process.signal_group(18).expect("it lives");
    eventually("it goes on", || (process.state() == Some('S')).then_some(())).await;
}

async fn dropping_a_process_kills_its_group() {
    let run = Run::new();
    let grandchild = format!("pid-file {} forever", run.path("grandchild").display());
    let process = run.spawn(&["grandchild", "plain", &grandchild, "forever"]).process;
    let (leader, grandchild) = (Life::of(process.pid()), run.life("grandchild").await);
    drop(process);
    assert!(leader.is_over());
    assert!(procfs::stat(leader.pid).is_none_or(|stat| stat.state != 'Z'));
    grandchild.over().await;
}

async fn reaping_a_living_process_ends_it() {
    let run = Run::new();
    assert_eq!(run.spawn(&["forever"]).process.reap(), ExitStatus::Signal(9));
}

async fn what_cannot_be_run_is_told_by_name() {
    let run = Run::new();
    let program = |name: &str| CommandLine { program: name.into(), ..CommandLine::default() };
    let spawn = |command: &CommandLine| run.try_spawn(command).expect_err("it cannot be run");

    let error = spawn(&program("no-such-program-anywhere"));
    assert!(matches!(&error, SpawnError::Program(ProgramError::NotOnPath { .. })));
    assert!(error.to_string().contains("no-such-program-anywhere"), "{error}");
    let path = std::env::var("PATH").expect("tests have a PATH");
    assert!(error.to_string().contains(&path), "{error}");

    let error = spawn(&program("/no/such/program"));
    assert!(matches!(error, SpawnError::Program(ProgramError::NoSuchFile { .. })), "{error}");
    let error = spawn(&program(""));
    assert!(matches!(error, SpawnError::Program(ProgramError::Empty)), "{error}");

    let file = run.path("not-executable");
    fs::write(&file, "exit 0").expect("the directory is ours");
    for path in [file.to_str().expect("plain characters"), "/", "/etc/passwd"] {
        let error = spawn(&program(path));
        let right = matches!(error, SpawnError::Program(ProgramError::NotExecutable { .. }));
        assert!(right, "{error}");
    }
    let mut command = program("not-executable");
    command.env.insert("PATH".into(), run.dir.path().into());
    let error = spawn(&command);
    assert!(matches!(error, SpawnError::Program(ProgramError::NotExecutable { .. })), "{error}");

    fs::write(&file, "#!/no/such/interpreter\n").expect("the directory is ours");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).expect("the file is ours");
    let error = spawn(&command);
    assert!(matches!(error, SpawnError::Refused { .. }), "{error}");

    let mut command = run.fake(&[]);
    command.cwd = Some("/no/such/directory".into());
    let error = spawn(&command);
    assert!(matches!(error, SpawnError::WorkingDirectory { .. }), "{error}");
}

async fn the_program_is_searched_in_the_path_of_the_daemon() {
    let run = Run::new();
    let link = run.path("a-program-of-ours");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-daemon"), &link).expect("a link");
    let mut command = run.fake(&["exit", "7"]);
    command.program = "a-program-of-ours".into();
    assert!(run.try_spawn(&command).is_err(), "it is not on our own PATH");
    command.env.insert("PATH".into(), format!("/nowhere:{}", run.dir.path().display()).into());
    let process = run.try_spawn(&command).expect("it is on the daemon's").process;
    assert_eq!(process.exited().await, ExitStatus::Code(7));
    let name = procfs::stat(process.pid()).expect("it has not been reaped").comm;
    assert_eq!(name, "a-program-of-ou", "the program is told the name it was called by");
}

async fn a_relative_program_counts_from_the_working_directory() {
    let run = Run::new();
    let link = run.path("here");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-daemon"), link).expect("a link");
    let mut command = run.fake(&["exit", "7"]);
    command.program = "./here".into();
    command.cwd = Some(run.dir.path().into());
    let process = run.try_spawn(&command).expect("it is there").process;
    assert_eq!(process.exited().await, ExitStatus::Code(7));
}

async fn the_environment_is_added_and_standard_input_is_empty() {
    let run = Run::new();
    let verbs = ["env", "HOST_TEST_ADDED", "env", "CARGO_MANIFEST_DIR", "cat", "stderr", "oops"];
    let mut command = run.fake(&verbs);
    command.env.insert("HOST_TEST_ADDED".into(), "added".into());
    let spawned = run.try_spawn(&command).expect("it can be spawned");
    assert_eq!(spawned.process.exited().await, ExitStatus::Code(0));
    let (stdout, stderr) = (spawned.stdout.expect("piped"), spawned.stderr.expect("piped"));
    let inherited = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let said = String::from_utf8(read(&stdout, usize::MAX).await).expect("text");
    assert_eq!(said, format!("added\n{inherited}\n"));
    assert_eq!(read(&stderr, usize::MAX).await, b"oops\n");
}

async fn a_process_leads_a_group_of_its_own() {
    let run = Run::new();
    let process = run.spawn(&["forever"]).process;
    let stat = procfs::stat(process.pid()).expect("it lives");
    assert_eq!(stat.group, process.pid());
}

async fn an_exit_is_seen_even_if_the_harness_was_made_to_ignore_children() {
    let run = Run::new();
    let mut harness = scenes::start_ignoring_children("one-daemon", run.dir.path());
    let ended = || harness.try_wait().expect("it is our child");
    let status = eventually("it has ended", ended).await;
    assert_eq!(status.code(), Some(3), "the exit code of its daemon");
}
