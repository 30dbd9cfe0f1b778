//! The accuser across a protocol change: which agent runs when, what each looks at, and what becomes of two of them.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{ALPHA, Daemon, NAME, Node, PROTOCOL, World, event, name_of};

/// The level of the migration block.
const MIGRATION: u32 = 3;

/// A node that will change its protocol, running, with the block before the migration block for a head.
fn before_migration(node: &Node<'_>) -> Daemon {
    node.upgrade(MIGRATION, ALPHA);
    let running = node.run();
    node.activate();
    node.bake("bootstrap1");
    running
}

fn accuser(world: &World, node: &Node<'_>, options: &[&str]) -> Daemon {
    let command = world.accuser(&node.endpoint(), options);
    let accuser = Daemon::spawn(world, "accuser", command, "?section-prefix=:debug");
    accuser.wait_for("daemon_start.v0", |value| value == NAME);
    accuser
}

/// Bakes the migration block and waits for the new agent to watch.
fn migrate(node: &Node<'_>, accuser: &Daemon) -> String {
    let migration = node.bake("bootstrap1");
    accuser.wait_for("daemon_start.v0", |value| value == "alpha");
    migration
}

/// Names and payloads of the wrapper's notices from the one with this name on.
fn agents(accuser: &Daemon, from: &str) -> Vec<(String, Value)> {
    let lines = accuser.lines();
    let told = lines.iter().filter(|line| event(line).0["section"] == json!(["agnostic-agent"]));
    let all = told.map(|line| (name_of(line), event(line).1[name_of(line)].clone()));
    let agents =
        all.filter(|(name, _)| !name.starts_with("period") && !name.starts_with("agnostic"));
    agents.skip_while(|(name, _)| name != from).collect()
}

/// The sections of every event about this block, the wrapper's aside.
fn sections_that_name(accuser: &Daemon, block: &str) -> Vec<String> {
    let lines = accuser.lines();
    let successor = format!("\"predecessor\":\"{block}\"");
    let naming = lines.iter().filter(|line| line.contains(block) && !line.contains(&successor));
    let sections = naming.map(|line| event(line).0["section"].to_string());
    sections.filter(|section| !section.contains("agnostic")).collect()
}

#[test]
fn the_old_agent_lives_three_levels_longer() {
    let world = World::new();
    let node = world.node("node");
    let _running = before_migration(&node);
    let accuser = accuser(&world, &node, &[]);
    migrate(&node, &accuser);
    for level in [4, 5] {
        node.bake("bootstrap1");
        accuser.wait_for("accuser_saw_block.v0", |value| value["level"] == level);
    }
    let last = node.bake("bootstrap1");
    accuser.wait_for("stopping_agent.v0", |_| true);
    accuser.wait_for("accuser_processed_block.v0", |value| *value == last);
    let agent = |proto: &str| json!({ "agent": "accuser", "proto": proto });
    let wanted = [
        ("protocol_encountered.v0", json!({ "status": "active", "proto_hash": ALPHA })),
        (
            "become_old_agent.v0",
            json!({ "agent": "accuser", "proto_hash": PROTOCOL, "level_to_kill": 6 }),
        ),
        ("starting_agent.v0", agent(ALPHA)),
        ("agent_running.v0", agent(ALPHA)),
        ("stopping_agent.v0", agent(PROTOCOL)),
    ];
    let told = agents(&accuser, "protocol_encountered.v0");
    assert_eq!(told, wanted.map(|(name, value)| (name.to_owned(), value)));
    // A head's period is told before what follows from the head.
    let lines = accuser.lines();
    let own = lines.iter().filter(|line| event(line).0["section"] == json!(["agnostic-agent"]));
    let names: Vec<String> = own.map(|line| name_of(line)).collect();
    let before = |name: &str| {
        let at = names.iter().position(|found| found == name).unwrap();
        names[at - 1].as_str()
    };
    assert_eq!(before("stopping_agent.v0"), "period_status.v0", "{names:#?}");
    assert_eq!(before("protocol_encountered.v0"), "period_status.v0", "{names:#?}");
    assert_eq!(accuser.terminate(), Some(127));
}

#[test]
fn each_agent_looks_at_the_blocks_of_its_protocol_and_neither_at_the_migration_block() {
    let world = World::new();
    let node = world.node("node");
    node.upgrade(MIGRATION, ALPHA);
    let _running = node.run();
    node.activate();
    let accuser = accuser(&world, &node, &[]);
    let second = node.bake("bootstrap1");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == second);
    let migration = migrate(&node, &accuser);
    let fourth = node.bake("bootstrap1");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == fourth);

    let section = |protocol: &str| json!([protocol, "delegate", "denunciation"]).to_string();
    for (block, protocol) in [(&second, NAME), (&fourth, "alpha")] {
        // `block-seen-…` has no section; then it was seen, and processed.
        let wanted = ["[]".to_owned(), section(protocol), section(protocol)];
        assert_eq!(sections_that_name(&accuser, block), wanted, "{block}");
        accuser.line_of(&format!("block-seen-{protocol}.v0"), |value| value["hash"] == **block);
    }
    assert_eq!(sections_that_name(&accuser, &migration), [""; 0]);
    // Each agent waits for its protocol.
    accuser.stdout.wait_for_nth("Waiting for protocol", 2);
}

#[test]
fn the_old_agent_still_denounces_and_a_second_migration_block_is_a_protocol_change() {
    let world = World::new();
    let node = world.node("node");
    node.upgrade(MIGRATION, ALPHA);
    let _running = node.run();
    node.activate();
    let accuser = accuser(&world, &node, &[]);
    let second = node.bake("bootstrap1");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == second);
    migrate(&node, &accuser);
    // Both agents run: one is shown another second block, the other another migration block.
    node.bake(&format!("bootstrap1 --parent {second}~1"));
    let line = accuser.line_of("double_baking_denounced.v0", |_| true);
    assert_eq!(event(&line).0["section"], json!([NAME, "delegate", "denunciation"]));
    let rival = node.bake(&format!("bootstrap2 --parent {second}"));
    accuser.wait_for("accuser_processed_block.v0", |value| *value == rival);
    let line = accuser.line_of("protocol_change_detected.v0", |_| true);
    assert_eq!(event(&line).0["section"], json!(["alpha", "delegate", "denunciation"]));
    let alpha = json!(["alpha", "delegate", "denunciation"]).to_string();
    assert_eq!(sections_that_name(&accuser, &rival), ["[]".to_owned(), alpha]);
}

#[test]
fn two_agents_end_with_the_node_or_come_back_with_it() {
    let world = World::new();
    let node = world.node("node");
    let running = before_migration(&node);
    let patient = accuser(&world, &node, &["--keep-alive"]);
    let mut other = accuser(&world, &node, &[]);
    migrate(&node, &patient);
    other.wait_for("daemon_start.v0", |value| value == "alpha");
    running.signal(Signal::SIGKILL);
    assert_eq!(other.exited().code(), Some(1));
    for name in [NAME, "alpha"] {
        patient.line_of("daemon_connection_lost.v0", |value| value == name);
    }
    drop(running);
    let _running = node.run();
    patient.wait_for("head_stream_reconnected.v0", |_| true);
    patient.stdout.wait_for_nth("for PsUshuai9Qap started.", 2);
    patient.stdout.wait_for_nth("for ProtoALphaAL started.", 2);
    // The streams of the restarted node are watched again, and heads are counted on.
    for _ in 4..=5 {
        node.bake("bootstrap1");
    }
    let sixth = node.bake("bootstrap1");
    patient.wait_for("period_status.v0", |value| value["block"] == sixth);
    let stopped = patient.line_of("stopping_agent.v0", |_| true);
    assert_eq!(event(&stopped).1["stopping_agent.v0"]["proto"], PROTOCOL);
    assert_eq!(patient.terminate(), Some(127));
}

#[test]
fn a_signal_takes_leave_of_every_connection_of_both_agents() {
    let world = World::new();
    let node = world.node("node");
    let _running = before_migration(&node);
    let mut accuser = accuser(&world, &node, &[]);
    migrate(&node, &accuser);
    accuser.signal(Signal::SIGTERM);
    assert_eq!(accuser.exited().code(), Some(127));
    let stdout = accuser.stdout.all();
    let leaves = stdout.iter().filter(|line| *line == "Shutting down the accuser...").count();
    assert_eq!(leaves, 2, "{stdout:#?}");
    assert_eq!(accuser.names().last().map(String::as_str), Some("stopping_daemon.v0"));
}

#[test]
fn restarted_after_the_change_it_begins_with_the_new_protocol() {
    let world = World::new();
    let node = world.node("node");
    let _running = before_migration(&node);
    let first = accuser(&world, &node, &[]);
    migrate(&node, &first);
    assert_eq!(first.terminate(), Some(127));
    let command = world.accuser(&node.endpoint(), &[]);
    let again = Daemon::spawn(&world, "accuser", command, "");
    again.wait_for("daemon_start.v0", |value| value == "alpha");
    let fourth = node.bake("bootstrap1");
    again.wait_for("accuser_processed_block.v0", |value| *value == fourth);
    let names = again.names();
    assert_eq!(names.iter().filter(|name| *name == "starting_agent.v0").count(), 1);
    assert!(!names.contains(&"become_old_agent.v0".to_owned()), "{names:#?}");
    again.line_of("starting_agent.v0", |value| value["proto"] == ALPHA);
}

#[test]
fn votes_under_the_new_protocol_are_none_of_the_old_agents() {
    let world = World::new();
    let node = world.node("node");
    let _running = before_migration(&node);
    let accuser = accuser(&world, &node, &[]);
    migrate(&node, &accuser);
    let fourth = node.bake("bootstrap1");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == fourth);
    node.client("attest for bootstrap1 --force");
    node.client("attest for bootstrap1 --force --branch head~1");
    accuser.line_of("double_attestation_denounced.v0", |_| true);
    // A block more, after which the node has shown both agents another mempool.
    let fifth = node.bake("bootstrap2");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == fifth);
    let lines = accuser.lines();
    let votes = lines.iter().filter(|line| line.contains("attestation_de"));
    let sections: Vec<String> = votes.map(|line| event(line).0["section"].to_string()).collect();
    let alpha = json!(["alpha", "delegate", "denunciation"]).to_string();
    assert!(
        sections.len() >= 2 && sections.iter().all(|section| *section == alpha),
        "{sections:?}"
    );
}
