//! Waiting is a scan from a position: when it was registered makes no difference.

use std::time::Duration;

use tribunal::event::Seq;
use tribunal::harness::WaitError;

use crate::support::{TIMEOUT, create, with_harness};

#[test]
fn a_wait_that_begins_in_the_past_finds_the_event_there() {
    with_harness(|harness| async move {
        let verbs = ["events", "5000", "tick.v0", "event", "done.v0", "{}", "forever"];
        let daemon = create(&harness, "past", &verbs).await;
        let start = daemon.mark();
        let done = daemon.wait_for("done.v0");
        daemon.run().await.unwrap();
        done.within(TIMEOUT).await.unwrap();
        for i in [1, 2500, 5000] {
            let past = daemon.wait_for("tick.v0").matching(&format!("i >= {i}")).unwrap();
            let event = past.since(start).within(Duration::ZERO).await.unwrap();
            assert_eq!(event.value["i"], i);
        }
        let glob = daemon.wait_for("d*").since(start).within(Duration::ZERO).await.unwrap();
        assert_eq!(glob.name.as_str(), "done.v0");
    });
}

#[test]
fn a_wait_that_times_out_says_what_came_nearest() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "near", &["events", "9", "level.v0", "forever"]).await;
        let start = daemon.mark();
        let never = daemon.wait_for("level.v0").matching("i >= 10 && has(i)").unwrap().since(start);
        let nine = daemon.wait_for("level.v0").matching("i == 9").unwrap();
        daemon.run().await.unwrap();
        nine.within(TIMEOUT).await.unwrap();
        let error = never.within(Duration::from_millis(50)).await.unwrap_err();
        let WaitError::TimedOut { miss, wanted, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(wanted.r#where.as_deref(), Some("i >= 10 && has(i)"));
        assert_eq!((miss.events, miss.same_name, miss.unknown), (9, 9, 0));
        let nearest = &miss.nearest[0];
        assert_eq!((nearest.clauses_true, nearest.clauses), (1, 2));
        assert!(error.to_string().contains("9 >= 10"), "{error}");
    });
}

#[test]
fn a_wait_on_a_dead_daemon_fails_at_once_with_its_exit_and_last_lines() {
    with_harness(|harness| async move {
        let verbs = ["stdout", "going down", "event", "last.v0", "1", "exit", "3"];
        let daemon = create(&harness, "dead", &verbs).await;
        daemon.run().await.unwrap();
        daemon.wait_for_exit(Seq::default(), TIMEOUT).await.unwrap();
        let error = daemon.wait_for("more.v0").await.unwrap_err();
        let WaitError::TerminatedBeforeEvent { exit, last_lines, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(exit.status.code(), Some(3));
        assert_eq!(last_lines, ["going down"]);
        // History still satisfies a wait on it.
        let last = daemon.wait_for("last.v0").since(Seq::default()).await.unwrap();
        assert_eq!(last.value.as_i64(), Some(1));
    });
}

#[test]
fn a_wait_on_a_daemon_that_has_never_run_is_pending_until_it_does() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "later", &["event", "x.v0", "1", "forever"]).await;
        let mut pending = Box::pin(daemon.wait_for("x.v0").within(TIMEOUT));
        let early = tokio::time::timeout(Duration::from_millis(20), &mut pending).await;
        assert!(early.is_err(), "it was decided before the daemon ran");
        daemon.run().await.unwrap();
        pending.await.unwrap();
    });
}

#[test]
fn closures_filter_and_extract_and_a_panic_in_one_fails_only_its_wait() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "mapped", &["events", "10", "t.v0", "forever"]).await;
        let start = daemon.mark();
        let seventh = daemon
            .wait_for("t.v0")
            .filter_map(|event| event.value["i"].as_i64().filter(|i| *i == 7).map(|i| i * 6));
        daemon.run().await.unwrap();
        assert_eq!(seventh.within(TIMEOUT).await.unwrap(), 42);
        let panicking = daemon.wait_for("t.v0").since(start).filter_map::<()>(|_| panic!("mine"));
        let error = panicking.within(TIMEOUT).await.unwrap_err();
        assert!(matches!(error, WaitError::ClosurePanicked { .. }));
    });
}

#[test]
fn an_observer_on_a_blocking_thread_sees_every_event_or_counts_what_it_missed() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "seen", &["events", "500", "t.v0", "forever"]).await;
        let all = daemon.events(1000);
        let few = daemon.events(10);
        let done = daemon.wait_for("t.v0").matching("i == 500").unwrap();
        daemon.run().await.unwrap();
        done.within(TIMEOUT).await.unwrap();
        let seen = std::thread::spawn(move || {
            (0..500)
                .map(|_| all.recv_timeout(TIMEOUT).unwrap().value["i"].clone())
                .collect::<Vec<_>>()
        });
        let seen = seen.join().unwrap();
        assert_eq!(seen, (1..=500).map(serde_json::Value::from).collect::<Vec<_>>());
        assert_eq!(few.len() as u64 + few.dropped(), 500);
    });
}

#[test]
fn shutting_down_ends_pending_waits_as_such() {
    crate::support::block_on(async {
        let harness = tribunal::harness::Harness::builder().start().await.unwrap();
        let daemon = create(&harness, "pending", &["forever"]).await;
        daemon.run().await.unwrap();
        let other = create(&harness, "never-run", &["forever"]).await;
        let waiting = tokio::spawn(async move { other.wait_for("x.v0").await });
        tokio::task::yield_now().await;
        harness.shutdown().await.unwrap();
        assert!(matches!(waiting.await.unwrap(), Err(WaitError::ShuttingDown)));
    });
}

#[test]
fn a_wait_that_fails_looks_for_the_nearest_among_the_last_records_of_a_long_log() {
    with_harness(|harness| async move {
        let verbs = ["sized-events", "120000", "level.v0", "120", "forever"];
        let daemon = create(&harness, "long", &verbs).await;
        let start = daemon.mark();
        let last = daemon.wait_for("level.v0").matching("i == 120000").unwrap();
        let never = daemon.wait_for("level.v0").matching("i > 120000").unwrap().since(start);
        daemon.run().await.unwrap();
        last.within(TIMEOUT).await.unwrap();
        let error = never.within(Duration::ZERO).await.unwrap_err();
        let WaitError::TimedOut { miss, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(miss.to.0 - miss.from.0, 100_000);
        assert_eq!(miss.same_name, 100_000);
        assert!(error.to_string().contains("120000 > 120000"), "{error}");
    });
}
