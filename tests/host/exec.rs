use std::time::Duration;

use libtest_mimic::Trial;
use tribunal::daemon::{CommandLine, ExitStatus};
use tribunal::host::exec::{CAPTURE, ExecError, Executed, Execution, execute};
use tribunal::host::procfs;

use crate::support::{Run, TIMEOUT, trials};

pub fn trials() -> Vec<Trial> {
    trials![
        a_command_is_given_its_input_and_its_output_is_captured,
        output_beyond_the_limit_is_counted_and_dropped,
        a_grandchild_that_holds_the_output_is_not_waited_for,
        a_command_that_is_too_slow_is_killed_with_its_group_and_what_it_said_is_told,
        a_command_that_nobody_waits_for_is_killed,
        a_command_that_is_missing_is_told_as_such,
    ]
}

async fn run_to_end(run: &Run, command: CommandLine, stdin: &[u8]) -> Executed {
    let execution = Execution { command, stdin: stdin.to_vec(), within: TIMEOUT };
    execute(execution, &run.budget, run.guardian.as_ref()).await.expect("it ends by itself")
}

async fn a_command_is_given_its_input_and_its_output_is_captured() {
    let run = Run::new();
    let input = "input ".repeat(100_000);
    let executed =
        run_to_end(&run, run.fake(&["cat", "stderr", "warning", "exit", "9"]), input.as_bytes());
    let executed = executed.await;
    assert_eq!(executed.status, ExitStatus::Code(9));
    assert_eq!(executed.stdout.text(), input);
    assert_eq!(executed.stderr.text(), "warning\n");
    assert_eq!((executed.stdout.dropped, executed.stderr.dropped), (0, 0));
}

async fn output_beyond_the_limit_is_counted_and_dropped() {
    let run = Run::new();
    let more = (CAPTURE + 5 * 1024).to_string();
    let executed = run_to_end(&run, run.fake(&["stdout-events", "flood", &more]), b"").await;
    assert_eq!(executed.status, ExitStatus::Code(0));
    assert_eq!(executed.stdout.bytes.len(), CAPTURE);
    assert_eq!(executed.stdout.dropped, 5 * 1024);
}

async fn a_grandchild_that_holds_the_output_is_not_waited_for() {
    let run = Run::new();
    for options in ["hold-stdout", "hold-stdout,setsid"] {
        let verbs = format!("pid-file {} forever", run.path(options).display());
        let command = run.fake(&["stdout", "done", "grandchild", options, &verbs]);
        let executed = run_to_end(&run, command, b"").await;
        assert_eq!(executed.status, ExitStatus::Code(0));
        assert_eq!(executed.stdout.text(), "done\n");
    }
}

async fn a_command_that_is_too_slow_is_killed_with_its_group_and_what_it_said_is_told() {
    let run = Run::new();
    let grandchild = format!("pid-file {} forever", run.path("grandchild").display());
    let command = run.fake(&["stdout", "so far", "grandchild", "plain", &grandchild, "forever"]);
    // However short the time is, the command is killed: only what it has said by then depends on it.
    let within = Duration::from_secs(2);
    let execution = Execution { command, stdin: Vec::new(), within };
    let late = execute(execution, &run.budget, run.guardian.as_ref()).await;
    let Err(ExecError::TimedOut { stdout, .. }) = late else {
        panic!("it ended by itself: {late:?}");
    };
    assert_eq!(stdout.text(), "so far\n");
    let marker = run.id.marker();
    let left = |pid: &i32| procfs::has_environment_entry(*pid, &marker);
    crate::support::eventually("nothing of it is left", || {
        (!procfs::pids().iter().any(left)).then_some(())
    })
    .await;
}

async fn a_command_that_nobody_waits_for_is_killed() {
    let run = Run::new();
    let pid_file = run.path("pid");
    let command = run.fake(&["pid-file", pid_file.to_str().expect("plain characters"), "forever"]);
    let execution = Execution { command, stdin: Vec::new(), within: TIMEOUT };
    let executed = execute(execution, &run.budget, run.guardian.as_ref());
    let life = tokio::select! {
        ended = executed => panic!("it ended: {ended:?}"),
        life = run.life("pid") => life,
    };
    assert!(life.is_over());
}

async fn a_command_that_is_missing_is_told_as_such() {
    let run = Run::new();
    let command = CommandLine { program: "no-such-program".into(), ..CommandLine::default() };
    let execution = Execution { command, stdin: Vec::new(), within: TIMEOUT };
    let missing = execute(execution, &run.budget, None).await;
    assert!(matches!(missing, Err(ExecError::Spawn(_))), "{missing:?}");
}
