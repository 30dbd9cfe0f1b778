//! A node's handle, as far as tests of accusers need it.

use std::time::Duration;

use tribunal::daemon::CommandLine;
use tribunal::harness::{Grace, Method, WaitError};

use crate::support::{TIMEOUT, with_harness};

#[test]
fn a_level_is_waited_for_and_once_reached_it_is_true_at_once() {
    with_harness(|harness| async move {
        let node = harness.node("node").synchronisation_threshold(0).init().await.unwrap();
        let client = harness.client(&node);
        client.activate().await.unwrap();
        let bake = async {
            for _ in 0..3 {
                client.bake_for("bootstrap1").await.unwrap();
            }
        };
        let (level, ()) = tokio::join!(node.wait_for_level_within(4, TIMEOUT), bake);
        assert_eq!(level.unwrap(), 4);
        assert_eq!(node.wait_for_level_within(2, TIMEOUT).await.unwrap(), 4);
        assert_eq!(node.level().await.unwrap(), 4);
        let error = node.wait_for_level_within(5, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, WaitError::TimedOut { .. }), "{error}");
    });
}

#[test]
fn a_restarted_node_that_announces_no_head_is_asked_for_its_level() {
    with_harness(|harness| async move {
        let node = harness.node("node").synchronisation_threshold(0).init().await.unwrap();
        let client = harness.client(&node);
        client.activate().await.unwrap();
        client.bake_for("bootstrap1").await.unwrap();
        let identity = node.wait_for_identity().await.unwrap();
        assert!(identity.starts_with("id"), "{identity}");

        node.restart().await.unwrap();
        assert_eq!(node.wait_for_level_within(2, TIMEOUT).await.unwrap(), 2);
        assert_eq!(node.wait_for_identity().await.unwrap(), identity, "it is the same node");
        let head = node.wait_for("head_increment.v0").since(node.first().unwrap());
        let head = head.within(Duration::ZERO).await;
        assert!(matches!(head, Err(WaitError::TimedOut { .. })), "{head:?}");
    });
}

#[test]
fn a_dead_node_fails_a_wait_for_its_level() {
    with_harness(|harness| async move {
        let node = harness.node("node").synchronisation_threshold(0).init().await.unwrap();
        let wait = node.wait_for_level_within(2, TIMEOUT);
        let (error, _) = tokio::join!(wait, node.terminate(Grace::default()));
        let error = error.unwrap_err();
        assert!(matches!(error, WaitError::TerminatedBeforeEvent { .. }), "{error}");
    });
}

#[test]
fn requests_are_answered_on_its_port_and_an_error_status_is_an_answer() {
    with_harness(|harness| async move {
        let node = harness.node("node").synchronisation_threshold(0).init().await.unwrap();
        assert_eq!(node.endpoint(), format!("http://127.0.0.1:{}", node.rpc_port()));
        let version = node.get("/version").await.unwrap();
        assert!(version["version"].is_object(), "{version}");
        let answer = node.rpc(Method::Get, "/no/such/path", None).await.unwrap();
        assert_eq!(answer.status, 404);
        let error = node.get("/no/such/path").await.unwrap_err();
        assert!(error.to_string().contains("answered 404"), "{error}");
        assert_ne!(node.rpc_port(), node.net_port());
        assert!(node.data_dir().join("config.json").is_file());
    });
}

#[test]
fn an_exec_is_part_of_the_run_and_finds_its_programs() {
    with_harness(|harness| async move {
        let command = CommandLine::new(["sh", "-c", "octez-node --version; echo $TRIBUNAL_RUN"]);
        let output = harness.exec(command, Vec::new(), TIMEOUT).await.unwrap();
        let text = output.stdout.text();
        assert!(text.contains(harness.run_id()), "{text}");
        assert!(text.lines().count() == 2, "{text}");
    });
}
