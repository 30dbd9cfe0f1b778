//! Whatever a daemon does at its end, ending it neither hangs nor leaves anything.

use std::time::Duration;

use tribunal::daemon::ExitStatus;
use tribunal::harness::Grace;

use crate::support::{TIMEOUT, assert_dies, create, is_alive, spec, with_harness};

#[test]
fn a_daemon_that_ignores_sigterm_is_killed_after_the_grace() {
    with_harness(|harness| async move {
        let verbs = ["ignore-term", "event", "up.v0", "1", "forever"];
        let daemon = create(&harness, "stubborn", &verbs).await;
        let up = daemon.wait_for("up.v0");
        daemon.run().await.unwrap();
        up.within(TIMEOUT).await.unwrap();
        let done = daemon.terminate(Grace(Duration::from_millis(50))).await.unwrap().unwrap();
        assert_eq!(done.exit.unwrap().status, ExitStatus::Signal(9));
    });
}

#[test]
fn a_grandchild_that_holds_stdout_open_does_not_hang_terminate() {
    with_harness(|harness| async move {
        let verbs = ["grandchild", "hold-stdout", "event up.v0 1 forever", "forever"];
        let daemon = create(&harness, "parent", &verbs).await;
        let up = daemon.wait_for("up.v0");
        daemon.run().await.unwrap();
        up.within(TIMEOUT).await.unwrap();
        let pids = crate::support::marked(harness.run_id());
        assert!(pids.len() >= 2, "{pids:?}");
        daemon.terminate(Grace::default()).await.unwrap();
        // It has been killed by now; when it is gone is up to the kernel.
        pids.into_iter().for_each(assert_dies);
    });
}

#[test]
fn two_hundred_megabytes_written_while_being_terminated_are_drained() {
    with_harness(|harness| async move {
        let verbs = ["on-term", "flood", "200000000", "event", "up.v0", "1", "forever"];
        let daemon = create(&harness, "chatty", &verbs).await;
        let up = daemon.wait_for("up.v0");
        daemon.run().await.unwrap();
        up.within(TIMEOUT).await.unwrap();
        let done = daemon.terminate(Grace(TIMEOUT)).await.unwrap().unwrap();
        assert_eq!(done.exit.unwrap().status, ExitStatus::Code(0), "it was not killed");
        // A survey flushes what is recorded.
        harness.survey().await;
        let recorded = std::fs::metadata(harness.run_dir().join("events/chatty.jsonl")).unwrap();
        assert!(recorded.len() >= 200_000_000);
    });
}

#[test]
fn a_paused_daemon_is_terminated_all_the_same() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "paused", &["event", "up.v0", "1", "forever"]).await;
        let up = daemon.wait_for("up.v0");
        daemon.run().await.unwrap();
        up.within(TIMEOUT).await.unwrap();
        daemon.pause().await.unwrap();
        let done = daemon.terminate(Grace(TIMEOUT)).await.unwrap().unwrap();
        assert_eq!(done.exit.unwrap().status, ExitStatus::Signal(15));
    });
}

#[test]
fn dropping_the_harness_kills_what_it_started() {
    let pid = crate::support::block_on(async {
        let harness = tribunal::harness::Harness::builder().start().await.unwrap();
        let daemon = create(&harness, "dropped", &["forever"]).await;
        daemon.run().await.unwrap().pid.unwrap()
    });
    assert!(!is_alive(pid));
}

#[test]
fn half_a_line_on_a_pipe_that_was_closed_early_delays_no_death() {
    with_harness(|harness| async move {
        let script = "printf hello; exec 1>&-; echo up >&2; sleep 1000";
        let mut spec = spec("closing", &[]);
        spec.command = tribunal::daemon::CommandLine::new(["sh", "-c", script]);
        let line = regex::Regex::new("^up$").unwrap();
        spec.ready = tribunal::daemon::Readiness::Stdout(line);
        let daemon = harness.create(spec).await.unwrap();
        daemon.run().await.unwrap();
        daemon.wait_for_ready().await.unwrap();
        tokio::time::timeout(TIMEOUT, harness.settle()).await.expect("it settles");
        let done = tokio::time::timeout(TIMEOUT, daemon.kill()).await.expect("it ends");
        assert!(done.unwrap().is_some());
        let seen = harness.survey().await;
        assert!(seen.daemons[daemon.name()].last_lines.contains(&"hello".to_owned()));
    });
}

#[test]
fn a_shutdown_does_not_wait_for_a_longer_grace_that_is_running() {
    crate::support::block_on(async {
        let harness = tribunal::harness::Harness::builder().start().await.unwrap();
        let verbs = ["ignore-term", "event", "up.v0", "1", "forever"];
        let daemon = create(&harness, "stubborn", &verbs).await;
        let up = daemon.wait_for("up.v0");
        daemon.run().await.unwrap();
        up.within(TIMEOUT).await.unwrap();
        let hour = Grace(Duration::from_hours(1));
        let slow = tokio::spawn({
            let daemon = daemon.clone();
            async move { daemon.terminate(hour).await }
        });
        tokio::task::yield_now().await;
        let down = harness.shutdown_within(Duration::from_millis(50), std::future::pending());
        tokio::time::timeout(TIMEOUT, down).await.expect("it ends").unwrap();
        assert!(slow.await.unwrap().is_ok());
    });
}
