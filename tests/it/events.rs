//! No event is lost, and bad lines stop nothing.

use tribunal::daemon::ExitStatus;
use tribunal::event::Seq;
use tribunal::harness::WaitError;

use crate::support::{TIMEOUT, assert_dies, create, with_harness};

#[test]
fn an_event_written_just_before_the_exit_satisfies_its_waiter_every_time() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "burst", &["burst-then-exit", "1000", "tick.v0", "3"]).await;
        for _ in 0..200 {
            let last = daemon.wait_for("tick.v0").matching("i == 1000").unwrap();
            daemon.run().await.unwrap();
            let event = last.within(TIMEOUT).await.unwrap();
            assert_eq!(event.value["i"], 1000);
            daemon.wait_for_exit(event.seq, TIMEOUT).await.unwrap();
        }
        let survey = harness.survey().await;
        let seen = &survey.daemons[daemon.name()];
        assert_eq!((seen.events, seen.malformed), (200_000, 0));
    });
}

#[test]
fn an_event_written_just_before_sigkill_satisfies_its_waiter_every_time() {
    with_harness(|harness| async move {
        let verbs = ["events", "1000", "tick.v0", "kill-self", "9"];
        let daemon = create(&harness, "killed", &verbs).await;
        for _ in 0..200 {
            let last = daemon.wait_for("tick.v0").matching("i == 1000").unwrap();
            daemon.run().await.unwrap();
            let event = last.within(TIMEOUT).await.unwrap();
            let exit = daemon.wait_for_exit(event.seq, TIMEOUT).await.unwrap();
            assert_eq!(exit.value["signal"], 9);
        }
    });
}

#[test]
fn bad_lines_are_counted_and_what_follows_them_is_delivered() {
    with_harness(|harness| async move {
        let verbs = [
            "line",
            "plain text",
            "event",
            "good.v0",
            "1",
            "line",
            "{\"fd-sink-item.v0\":",
            "line",
            "[1,2]",
            "long",
            "100000000",
            "event",
            "good.v0",
            "2",
            "partial",
            "{\"half",
        ];
        let daemon = create(&harness, "noisy", &verbs).await;
        let both = daemon.wait_for("good.v0").at_least(2);
        daemon.run().await.unwrap();
        assert_eq!(both.within(TIMEOUT).await.unwrap().value.as_i64(), Some(2));
        daemon.wait_for_exit(Seq::default(), TIMEOUT).await.unwrap();
        let survey = harness.survey().await;
        let seen = &survey.daemons[daemon.name()];
        assert_eq!((seen.events, seen.malformed), (2, 5));
        let recorded = harness.run_dir().join("events/noisy.jsonl");
        assert!(std::fs::metadata(recorded).unwrap().len() > 100_000_000, "bytes are kept");
    });
}

#[test]
fn a_pipe_that_is_closed_and_reopened_goes_on() {
    with_harness(|harness| async move {
        let verbs = ["event", "a.v0", "1", "close-pipe", "reopen-pipe", "event", "b.v0", "2"];
        let daemon = create(&harness, "rotating", &verbs).await;
        let after = daemon.wait_for("b.v0");
        daemon.run().await.unwrap();
        after.within(TIMEOUT).await.unwrap();
    });
}

#[test]
fn two_waiters_on_one_event_both_get_it() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "one", &["event", "x.v0", "7", "forever"]).await;
        let (first, second) = (daemon.wait_for("x.v0"), daemon.wait_for("x.v0"));
        daemon.run().await.unwrap();
        let (first, second) = tokio::join!(first.within(TIMEOUT), second.within(TIMEOUT));
        assert_eq!(first.unwrap().seq, second.unwrap().seq);
    });
}

#[test]
fn what_an_escaped_grandchild_writes_is_recorded_as_late_and_delays_nobody() {
    with_harness(|harness| async move {
        let verbs = ["grandchild", "setsid", "event up.v0 1 stream", "forever"];
        let daemon = create(&harness, "escaping", &verbs).await;
        let up = daemon.wait_for("up.v0");
        daemon.run().await.unwrap();
        up.within(TIMEOUT).await.unwrap();
        let exit = daemon.kill().await.unwrap().unwrap();
        assert_eq!(exit.exit.map(|exit| exit.status), Some(ExitStatus::Signal(9)));
        // What it streams is still read, and kept.
        let seen = daemon.events(1);
        let late = tokio::task::spawn_blocking(move || seen.recv_timeout(TIMEOUT)).await.unwrap();
        assert!(late.unwrap().late);
        assert!(matches!(
            daemon.wait_for("x.v0").await,
            Err(WaitError::TerminatedBeforeEvent { .. })
        ));
        // The sweep at the end finds the grandchild; that is a leak, and told as one.
        let pids = crate::support::marked(harness.run_id());
        assert!(!pids.is_empty());
        for pid in pids {
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            )
            .unwrap();
            assert_dies(pid);
        }
    });
}
