//! SIGUSR1, and what is kept of a play that ran out of time or was interrupted.

use rustix::process::{Signal, kill_process_group};

use crate::support::{Folder, Run, TRIBUNAL, signal, until_stopped};

#[test]
fn sigusr1_tells_what_is_waited_for_and_how_the_daemons_are() {
    let folder = Folder::new();
    folder.waiting("waiting");
    let arguments = ["run", "-v", "--color", "never", "waiting.yaml"];
    let mut run = Run::piped(folder.command(TRIBUNAL, &arguments));
    run.says("steps[1] expect");
    let (front, worker) = run.front_and_worker();
    signal(front, Signal::USR1);
    // The last of the state is the daemon's line.
    run.says("state of `waiting` after");
    run.says("bytes of events unread");
    let said = run.says(" event\n");
    let said = said.replace("\n            ", " ");
    for part in [
        "  steps[1]  line 8, for 0.",
        "waits for up.v0 of a where n > 3, for 0.",
        " left; from seq ",
        "1 record searched",
        "  a         running, incarnation 1, pid ",
        " MB, cpu ",
        " thread",
        "; 0 bytes of events unread; last event ",
        "up.v0; 1 event\n",
    ] {
        assert!(said.contains(part), "`{part}` is not told:\n{said}");
    }
    // Also of a process that was paused, and when the worker itself is asked.
    run.said.clear();
    let daemon = said.rsplit_once("incarnation 1, pid ").expect("told").1;
    let daemon = daemon.split(',').next().and_then(|pid| pid.trim().parse().ok());
    let daemon = daemon.and_then(rustix::process::Pid::from_raw).expect("a process id");
    signal(daemon, Signal::STOP);
    until_stopped(daemon);
    signal(worker, Signal::USR1);
    run.says("stopped by a signal");
    signal(daemon, Signal::CONT);

    kill_process_group(front, Signal::INT).expect("it lives");
    let (status, said) = run.ends();
    assert_eq!(status.code(), Some(130), "{said}");
    let state = folder.kept("state.txt").expect("an interrupted play leaves its state");
    assert!(state.contains(": interrupted\n"), "{state}");
    assert!(state.contains("waits for up.v0 of a where n > 3"), "{state}");
    assert!(!state.contains('\u{1b}'), "{state}");
}

#[test]
fn a_scenario_that_runs_out_of_time_keeps_the_state_and_explains_the_wait() {
    let folder = Folder::new();
    folder.waiting("waiting");
    let arguments = ["run", "--color", "never", "--timeout", "300ms", "waiting.yaml"];
    let (status, said) = Run::piped(folder.command(TRIBUNAL, &arguments)).ends();
    assert_eq!(status.code(), Some(1), "{said}");
    let state = folder.kept("state.txt").expect("it is kept");
    assert!(state.contains(": the scenario took longer than 300ms\n"), "{state}");
    assert!(state.contains("waits for up.v0 of a where n > 3"), "{state}");
    // The wait did not run out of time itself, and is explained all the same.
    assert!(said.contains("time limit of the scenario"), "{said}");
    assert!(said.contains("n > 3: 1 > 3 is false"), "{said}");
    let line = said.lines().find(|line| line.starts_with("  state     ")).expect("a line");
    assert!(line.ends_with("/state.txt"), "{said}");
}

#[test]
fn a_step_that_runs_out_of_time_keeps_the_state_and_a_failed_assertion_does_not() {
    let folder = Folder::new();
    folder.waiting("waiting");
    let arguments = ["run", "--timeout-scale", "0.0001", "--timeout", "10000m", "waiting.yaml"];
    let (status, said) = Run::piped(folder.command(TRIBUNAL, &arguments)).ends();
    assert_eq!(status.code(), Some(1), "{said}");
    let state = folder.kept("state.txt").expect("it is kept");
    assert!(state.contains("ran out of time"), "{state}");

    let folder = Folder::new();
    folder.scenario("false", "steps:\n  - assert: 1 == 2\n");
    let (status, said) = Run::piped(folder.command(TRIBUNAL, &["run", "false.yaml"])).ends();
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(folder.kept("state.txt"), None);
}
