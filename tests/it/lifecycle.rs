//! Create, run, restart, give up: what the supervisor answers.

use std::time::Duration;

use tribunal::daemon::lifecycle::Refused;
use tribunal::daemon::{Backoff, ExitCause, RestartPolicy, RestartRule};
use tribunal::event::Seq;
use tribunal::harness::{CommandError, Grace, WaitError};

use crate::support::{TIMEOUT, create, spec, with_harness};

fn policy(rule: RestartRule, max_restarts: u32) -> RestartPolicy {
    let backoff = Backoff { initial: Duration::from_millis(1), ..Backoff::default() };
    RestartPolicy { rule, max_restarts, window: TIMEOUT, backoff }
}

#[test]
fn names_are_unique_and_a_running_daemon_is_not_run_again() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "one", &["forever"]).await;
        let second = harness.create(spec("one", &["forever"])).await;
        assert!(matches!(second, Err(CommandError::NameTaken { .. })));
        let done = daemon.run().await.unwrap();
        assert_eq!(daemon.pid(), done.pid);
        let again = daemon.run().await.unwrap_err();
        let CommandError::Refused { refused: Refused::AlreadyRunning { .. }, .. } = again else {
            panic!("{again}");
        };
    });
}

#[test]
fn the_next_run_of_a_dead_daemon_can_be_waited_for() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "again", &["event", "up.v0", "1", "forever"]).await;
        daemon.run().await.unwrap();
        daemon.kill().await.unwrap();
        assert!(daemon.wait_for("up.v0").await.is_err(), "it is finally dead");
        let (next, done) = tokio::join!(daemon.next_run(), daemon.run());
        done.unwrap();
        let next = next.unwrap();
        let up = next.wait_for("up.v0").since(next.first().unwrap()).await.unwrap();
        assert_eq!(up.incarnation.0, 2);
    });
}

#[test]
fn a_program_that_is_missing_is_told_by_name() {
    with_harness(|harness| async move {
        let mut spec = spec("absent", &[]);
        spec.command.program = "no-such-program".into();
        let daemon = harness.create(spec).await.unwrap();
        let error = daemon.run().await.unwrap_err();
        assert!(matches!(error, CommandError::Spawn { .. }));
        let wait = daemon.wait_for("x.v0").await.unwrap_err();
        assert!(wait.to_string().contains("no-such-program"), "{wait}");
    });
}

#[test]
fn a_crash_is_restarted_until_the_budget_is_spent_and_then_given_up_with_every_death() {
    with_harness(|harness| async move {
        let mut spec = spec("crashing", &["event", "up.v0", "1", "forever"]);
        spec.restart = policy(RestartRule::OnFailure, 2);
        let daemon = harness.create(spec).await.unwrap();
        daemon.run().await.unwrap();
        let mut from = Seq::default();
        for incarnation in 1..=3 {
            let up = daemon.wait_for("up.v0").since(from).await.unwrap();
            assert_eq!(up.incarnation.0, incarnation);
            from = daemon.crash().await.unwrap().position;
        }
        let error = daemon.wait_for("up.v0").await.unwrap_err();
        let WaitError::GaveUp { deaths, .. } = &error else {
            panic!("{error}");
        };
        let causes: Vec<_> = deaths.iter().map(|death| death.cause).collect();
        assert_eq!(causes, [1, 2, 3].map(|fault| ExitCause::Crash { fault }));
        let gave_up = daemon.wait_for("tribunal.gave_up").since(Seq::default());
        gave_up.within(Duration::ZERO).await.unwrap();
    });
}

#[test]
fn a_death_that_the_test_asked_for_is_never_restarted() {
    with_harness(|harness| async move {
        let mut spec = spec("asked", &["forever"]);
        spec.restart = policy(RestartRule::Always, 5);
        let daemon = harness.create(spec).await.unwrap();
        daemon.run().await.unwrap();
        daemon.kill().await.unwrap();
        daemon.run().await.unwrap();
        daemon.terminate(Grace::default()).await.unwrap();
        assert_eq!(daemon.status().incarnations.len(), 2);
        assert!(matches!(
            daemon.wait_for("x.v0").await,
            Err(WaitError::TerminatedBeforeEvent { .. })
        ));
        assert_eq!(daemon.terminate(Grace::default()).await.unwrap(), None, "nothing to do");
    });
}

#[test]
fn terminate_during_a_back_off_cancels_the_restart() {
    with_harness(|harness| async move {
        let mut spec = spec("backing-off", &["exit", "1"]);
        spec.restart = policy(RestartRule::OnFailure, 5);
        spec.restart.backoff.initial = TIMEOUT;
        spec.restart.backoff.max = TIMEOUT;
        let daemon = harness.create(spec).await.unwrap();
        daemon.run().await.unwrap();
        let exit = daemon.wait_for_exit(Seq::default(), TIMEOUT).await.unwrap();
        assert_eq!(exit.value["verdict"], "restarting");
        daemon.terminate(Grace::default()).await.unwrap();
        assert!(daemon.wait_for("x.v0").await.is_err());
        assert_eq!(daemon.status().incarnations.len(), 1);
    });
}

#[test]
fn restart_gives_a_new_incarnation_with_the_same_arguments() {
    with_harness(|harness| async move {
        let daemon = create(&harness, "again", &["event", "up.v0", "1", "forever"]).await;
        let first = daemon.run().await.unwrap();
        let second = daemon.restart().await.unwrap();
        assert_ne!(first.pid, second.pid);
        let up = daemon.wait_for("up.v0").since(second.position).within(TIMEOUT).await.unwrap();
        assert_eq!(up.incarnation.0, 2);
    });
}

#[test]
fn a_server_that_takes_a_held_port_for_a_taken_one_is_tried_again_with_the_port_released() {
    with_harness(|harness| async move {
        let port = harness.port("server").unwrap().to_string();
        let verbs = ["listen-alone", &port, "event", "up.v0", "1", "forever"];
        let daemon = create(&harness, "server", &verbs).await;
        let up = daemon.wait_for("up.v0");
        daemon.run().await.unwrap();
        assert_eq!(up.within(TIMEOUT).await.unwrap().incarnation.0, 2);
    });
}

#[test]
fn a_port_that_somebody_else_has_is_told_with_the_holder() {
    with_harness(|harness| async move {
        let port = harness.port("contested").unwrap();
        let (text, url) = (port.to_string(), format!("127.0.0.1:{port}"));
        let verbs = ["listen", &text, "event", "up.v0", "1", "forever"];
        let holder = create(&harness, "holder", &verbs).await;
        let up = holder.wait_for("up.v0");
        holder.run().await.unwrap();
        up.within(TIMEOUT).await.unwrap();
        let mut spec = spec("late", &["listen-alone", &text, "forever"]);
        spec.ready = tribunal::daemon::Readiness::Stdout(regex::Regex::new("never").unwrap());
        spec.command.env.insert("URL".into(), url.into());
        let late = harness.create(spec).await.unwrap();
        late.run().await.unwrap();
        let first = late.wait_for_exit(Seq::default(), TIMEOUT).await.unwrap();
        assert_eq!(first.value["verdict"], "restarting");
        let second = late.wait_for_exit(first.seq.next(), TIMEOUT).await.unwrap();
        assert_eq!(second.value["verdict"], "final");
        assert_eq!(second.value["address_in_use"]["pid"].as_i64(), holder.pid().map(i64::from));
    });
}

#[test]
fn ready_is_sticky_and_only_the_incarnation_itself_can_say_it() {
    with_harness(|harness| async move {
        let mut spec = spec("ready", &["event", "up.v0", "1", "forever"]);
        let name = "up.v0".into();
        spec.ready = tribunal::daemon::Readiness::Event { name, predicate: None };
        let daemon = harness.create(spec).await.unwrap();
        daemon.run().await.unwrap();
        let first = daemon.wait_for_ready().await.unwrap();
        assert_eq!(daemon.wait_for_ready().await.unwrap().seq, first.seq);
        daemon.restart().await.unwrap();
        assert!(daemon.wait_for_ready().await.unwrap().seq > first.seq);
    });
}

#[test]
fn a_restart_that_a_terminate_overtakes_is_answered() {
    with_harness(|harness| async move {
        let verbs = ["on-term", "flood", "20000000", "event", "up.v0", "1", "forever"];
        let daemon = create(&harness, "overtaken", &verbs).await;
        let up = daemon.wait_for("up.v0");
        daemon.run().await.unwrap();
        up.within(TIMEOUT).await.unwrap();
        let restart = daemon.restart_as(None, None);
        let terminate = daemon.terminate(Grace(TIMEOUT));
        let (restart, terminate) =
            tokio::time::timeout(TIMEOUT, async { tokio::join!(restart, terminate) })
                .await
                .expect("both are answered");
        assert!(matches!(restart, Err(CommandError::Cancelled { .. })), "{restart:?}");
        terminate.unwrap();
    });
}

#[test]
fn readiness_of_a_dead_incarnation_is_not_that_of_the_next() {
    with_harness(|harness| async move {
        let mut spec = spec("next", &["event", "up.v0", "1", "forever"]);
        spec.restart = policy(RestartRule::Always, 5);
        spec.restart.backoff.initial = Duration::from_millis(200);
        let name = "up.v0".into();
        spec.ready = tribunal::daemon::Readiness::Event { name, predicate: None };
        let daemon = harness.create(spec).await.unwrap();
        daemon.run().await.unwrap();
        daemon.wait_for_ready().await.unwrap();
        daemon.crash().await.unwrap();
        assert_eq!(daemon.wait_for_ready().await.unwrap().incarnation.0, 2);
        daemon.kill().await.unwrap();
        assert!(daemon.wait_for_ready().await.is_err());
    });
}

#[test]
fn a_restart_during_a_back_off_leaves_no_timer_behind() {
    with_harness(|harness| async move {
        let mut spec = spec("hurried", &["exit", "1"]);
        spec.restart = policy(RestartRule::OnFailure, 5);
        spec.restart.backoff.initial = Duration::from_millis(300);
        let daemon = harness.create(spec).await.unwrap();
        daemon.run().await.unwrap();
        daemon.wait_for_exit(Seq::default(), TIMEOUT).await.unwrap();
        let again = daemon.restart_as(None, None).await.unwrap();
        assert_eq!(again.incarnation.0, 2);
        let restarted = daemon.wait_for("tribunal.restarted").since(Seq::default());
        let exit = daemon.wait_for_exit(again.position, TIMEOUT).await.unwrap();
        assert_eq!(exit.incarnation.0, 2);
        // The third is the policy's, and the first to be told as such.
        assert_eq!(restarted.within(TIMEOUT).await.unwrap().incarnation.0, 3);
    });
}

#[test]
fn only_a_run_that_was_accepted_gives_a_fresh_restart_budget() {
    with_harness(|harness| async move {
        let mut spec = spec("budgeted", &["event", "up.v0", "1", "forever"]);
        spec.restart = policy(RestartRule::OnFailure, 1);
        let daemon = harness.create(spec.clone()).await.unwrap();
        daemon.run().await.unwrap();
        let first = daemon.crash().await.unwrap().position;
        daemon.wait_for("up.v0").since(first).within(TIMEOUT).await.unwrap();
        assert!(daemon.run_as(spec).await.is_err(), "it runs");
        let second = daemon.crash().await.unwrap().position;
        let gave_up = daemon.wait_for("tribunal.gave_up").since(second);
        gave_up.within(TIMEOUT).await.unwrap();
        daemon.run().await.unwrap();
        let third = daemon.crash().await.unwrap().position;
        let up = daemon.wait_for("up.v0").since(third).within(TIMEOUT).await.unwrap();
        assert_eq!(up.incarnation.0, 4);
    });
}
