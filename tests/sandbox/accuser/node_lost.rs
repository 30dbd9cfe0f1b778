//! What the accuser does when its node goes away, and when it comes back.

use nix::sys::signal::Signal;

use crate::support::{Daemon, NAME, World};

#[test]
fn a_lost_node_ends_it_with_1() {
    let world = World::new();
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let node = world.node(&format!("node-{}", signal.as_str()));
        let running = node.run();
        node.activate();
        let mut accuser =
            Daemon::spawn(&world, "accuser", world.accuser(&node.endpoint(), &[]), "");
        accuser.wait_for("daemon_start.v0", |_| true);
        running.signal(signal);
        assert_eq!(accuser.exited().code(), Some(1));
        assert!(accuser.names().contains(&"daemon_connection_lost.v0".to_owned()));
        assert!(!accuser.names().contains(&"stopping_daemon.v0".to_owned()));
        let stderr = accuser.stderr.all().join("\n");
        assert!(stderr.contains("Lost connection with the node"), "{stderr}");
    }
}

#[test]
fn with_keep_alive_it_waits_for_a_node_that_is_not_there_yet() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    node.activate();
    assert_eq!(running.terminate(), Some(127));
    let accuser = world.accuser(&node.endpoint(), &["--keep-alive"]);
    let accuser = Daemon::spawn(&world, "accuser", accuser, "");
    for delay in ["1.00", "1.50"] {
        let text = accuser.wait_for("retry_on_disconnection.v0", |_| true);
        let text = text.as_str().unwrap();
        assert!(text.ends_with(&format!("\nRetrying in {delay} seconds...")), "{text}");
        assert!(text.contains("\nError:\n  Cannot connect to node."), "{text}");
    }
    let _running = node.run();
    accuser.wait_for("daemon_start.v0", |_| true);
    assert_eq!(accuser.terminate(), Some(127));
}

#[test]
fn with_keep_alive_it_comes_back_without_memory() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    node.activate();
    let accuser = world.accuser(&node.endpoint(), &["-K"]);
    let accuser = Daemon::spawn(&world, "accuser", accuser, "");
    accuser.wait_for("daemon_start.v0", |_| true);
    let before = node.bake("bootstrap1");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == before);

    running.signal(Signal::SIGKILL);
    accuser.wait_for("daemon_connection_lost.v0", |value| value == NAME);
    accuser.stdout.wait_for("Connection failed. Retrying in 1.00 seconds...");
    accuser.stderr.wait_for("Lost connection with the node. Retrying to establish connection...");
    drop(running);
    let _running = node.run();
    accuser.wait_for("daemon_setup.v0", |_| true);
    accuser.wait_for("daemon_start.v0", |_| true);
    accuser.stdout.wait_for_nth("Accuser 25.1", 2);
    let stdout = accuser.stdout.all();
    let times = |text: &str| stdout.iter().filter(|line| line.contains(text)).count();
    assert_eq!(times("Waiting for protocol"), 1, "{stdout:#?}");
    assert_eq!(times("Node is bootstrapped."), 2, "{stdout:#?}");
    assert_eq!(times("Accuser 25.1"), 2, "{stdout:#?}");

    // The first block of this level was seen before the connection was lost.
    let rival = node.bake("bootstrap1 --parent head~1");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == rival);
    assert!(!accuser.names().contains(&"double_baking_detected.v0".to_owned()));
    assert_eq!(accuser.terminate(), Some(127));
}
