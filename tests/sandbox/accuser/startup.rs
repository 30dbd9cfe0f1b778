//! Command line, start-up sequence, exit codes and signals.

use crate::support::{Daemon, NAME, PROTOCOL, Source, World, told};

#[test]
fn events_and_lines_come_in_the_order_of_octez() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let accuser = world.accuser(&node.endpoint(), &[]);
    let accuser = Daemon::spawn(&world, "accuser", accuser, "?section-prefix=:info");
    accuser.wait_for("daemon_start.v0", |value| value == NAME);
    // The wrapper reports the head beside the agent, whenever it comes to it.
    let names: Vec<String> =
        accuser.names().into_iter().filter(|name| name != "period_status.v0").collect();
    assert_eq!(
        names,
        [
            "uri_loaded_from_env.v0",
            "starting_daemon.v0",
            "starting_agent.v0",
            "agent_running.v0",
            "daemon_setup.v0",
            "daemon_start.v0",
        ]
    );
    accuser.stdout.wait_for("started.");
    assert_eq!(
        accuser.stdout.all(),
        [
            "Node is bootstrapped.".to_owned(),
            format!("Waiting for protocol {NAME} to start..."),
            "Accuser 25.1 (1a2b3c4d) for PsUshuai9Qap started.".to_owned(),
        ]
    );
}

#[test]
fn on_genesis_the_accuser_waits_for_a_protocol() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    let accuser = world.accuser(&node.endpoint(), &[]);
    let accuser = Daemon::spawn(&world, "accuser", accuser, "");
    accuser.wait_for("protocol_encountered.v0", |value| value["status"] == "frozen");
    accuser.wait_for("waiting_for_active_protocol.v0", |_| true);
    assert!(accuser.stdout.all().is_empty());
    node.activate();
    accuser.wait_for("starting_agent.v0", |value| value["proto"] == PROTOCOL);
    accuser.wait_for("daemon_start.v0", |_| true);
}

#[test]
fn on_a_node_that_is_not_bootstrapped_it_names_the_head_and_waits() {
    let world = World::new();
    let node = world.node_with("node", &["--synchronisation-threshold", "1"]);
    let peer = world.node("peer");
    let _running = node.run();
    let _peer_running = peer.run();
    node.activate();
    let accuser = world.accuser(&node.endpoint(), &[]);
    let accuser = Daemon::spawn(&world, "accuser", accuser, "");
    accuser.stdout.wait_for("Waiting for the node to be bootstrapped...");
    accuser.stdout.wait_for("Current head: ");
    node.connect(&peer);
    accuser.stdout.wait_for("Node is bootstrapped.");
    accuser.wait_for("daemon_start.v0", |_| true);
}

#[test]
fn a_pidfile_that_is_locked_is_refused() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let pidfile = world.path("pid");
    let options = ["--pidfile", pidfile.to_str().unwrap()];
    let first = Daemon::spawn(&world, "a", world.accuser(&node.endpoint(), &options), "");
    first.wait_for("daemon_start.v0", |_| true);
    assert_eq!(std::fs::read_to_string(&pidfile).unwrap(), first.pid().to_string());
    let output = world.accuser(&node.endpoint(), &options).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("Failed to create the pidfile"), "{stderr}");
}

#[test]
fn without_the_variable_there_is_only_the_users_log() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let accuser = Daemon::spawn_with(world.accuser(&node.endpoint(), &[]), Source::None);
    accuser.stdout.wait_for("Accuser 25.1");
    accuser.stderr.wait_for("NOTICE │ ");
    assert_eq!(accuser.terminate(), Some(127));
}
