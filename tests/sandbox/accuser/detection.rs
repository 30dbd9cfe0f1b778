//! What the accuser finds, denounces and passes over.

use serde_json::{Value, json};

use crate::support::{Daemon, NAME, World, hash_in};

fn spawn(world: &World, endpoint: &str, options: &[&str], levels: &str) -> Daemon {
    let accuser = Daemon::spawn(world, "accuser", world.accuser(endpoint, options), levels);
    accuser.wait_for("daemon_start.v0", |_| true);
    accuser
}

fn is_inject(value: &Value) -> bool {
    value["view"]["request"] == "inject"
}

/// Tezt's double baking: one delegate bakes level 3 on two branches, and a third node sees both.
#[test]
fn double_baking_on_two_branches_is_denounced_and_the_evidence_is_in_the_next_block() {
    let world = World::new();
    let [node1, node2, node3] = ["node1", "node2", "node3"].map(|name| world.node(name));
    let running1 = node1.run();
    let running2 = node2.run();
    node1.connect(&node2);
    node1.activate();
    running2.wait_for("head_increment.v0", |value| value["level"] == 1);
    assert_eq!(running2.terminate(), Some(127));

    for _ in 0..3 {
        node1.bake("bootstrap1");
    }
    assert_eq!(node1.level(), 4);
    assert_eq!(running1.terminate(), Some(127));

    let running2 = node2.run();
    node2.bake("bootstrap2");
    node2.bake("bootstrap1");
    assert_eq!(node2.level(), 3);

    let running3 = node3.run();
    node3.activate();
    let accuser = spawn(&world, &node3.endpoint(), &[], "?section-prefix=:info");
    let second = spawn(&world, &node3.endpoint(), &[], "?section-prefix=:info");

    node2.connect(&node3);
    running3.wait_for("set_head.v0", |value| value[1] == 3);
    let _running1 = node1.run();
    node1.connect(&node3);
    running3.wait_for("set_head.v0", |value| value[1] == 4);
    running3.wait_for("request_completed_info.v0", is_inject);

    let denounced = accuser.wait_for("double_baking_denounced.v0", |_| true);
    let hash = denounced["hash"].as_str().unwrap();
    assert!(hash.starts_with('o') && hash.len() == 51, "{hash}");
    assert!(denounced["bytes"].as_str().unwrap().ends_with(&"00".repeat(64)));
    // One branch and one order make one operation of both accusers.
    let again = second.wait_for("double_baking_denounced.v0", |_| true);
    assert_eq!(again["hash"], hash);
    let pending = node3.get("/chains/main/mempool/pending_operations?version=2");
    let has = |list: &Value| list.as_array().unwrap().iter().any(|op| op["hash"] == hash);
    assert!(has(&pending["validated"]), "{pending}");

    node3.bake("bootstrap1");
    running2.wait_for("set_head.v0", |value| value[1] == 5);
    let operations = node2.get("/chains/main/blocks/head/operations");
    assert!(has(&operations[2]), "{operations}");
    assert_eq!(accuser.terminate(), Some(127));
}

#[test]
fn the_events_of_a_block_come_in_the_order_of_octez() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    let accuser = Daemon::spawn(
        &world,
        "accuser",
        world.accuser(&node.endpoint(), &[]),
        "?section-prefix=:debug",
    );
    accuser.wait_for("waiting_for_active_protocol.v0", |_| true);
    node.activate();
    accuser.wait_for("daemon_start.v0", |_| true);
    node.bake("bootstrap1");
    node.bake("bootstrap1 --parent head~1");
    accuser.wait_for("double_baking_denounced.v0", |_| true);
    accuser.wait_for("accuser_processed_block.v0", |_| true);

    let block = [format!("block-seen-{NAME}.v0"), "accuser_saw_block.v0".to_owned()];
    let found = ["double_baking_detected.v0", "double_baking_denounced.v0"].map(str::to_owned);
    let done = ["accuser_processed_block.v0".to_owned()];
    let agents: Vec<String> = accuser
        .names()
        .into_iter()
        .skip_while(|name| *name != block[0])
        .filter(|name| !name.starts_with("agnostic") && *name != "period_status.v0")
        .collect();
    assert_eq!(agents, [&block[..], &done, &block, &found, &done].concat());
}

#[test]
fn other_rounds_and_other_delegates_are_no_double_baking() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let accuser = spawn(&world, &node.endpoint(), &[], "?section-prefix=:info");
    node.bake("bootstrap1");
    node.bake("bootstrap1 --parent head~1 --round 1");
    node.bake("bootstrap2 --parent head~1");
    let last = node.bake("bootstrap3");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == last);
    assert!(!accuser.names().iter().any(|name| name.starts_with("double_baking")));
}

#[test]
fn debug_events_come_only_when_asked_for() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let quiet = spawn(&world, &node.endpoint(), &[], "?section-prefix=:info");
    let levels = format!("?section-prefix={NAME}.delegate:debug&section-prefix=:info");
    let loud = spawn(&world, &node.endpoint(), &[], &levels);
    let block = node.bake("bootstrap1");
    for accuser in [&quiet, &loud] {
        accuser.wait_for("accuser_processed_block.v0", |value| *value == block);
    }
    let saw = "accuser_saw_block.v0".to_owned();
    assert!(!quiet.names().contains(&saw));
    assert!(loud.names().contains(&saw));
}

#[test]
fn blocks_below_the_preserved_levels_are_forgotten() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let options = ["--preserved-levels", "0"];
    let accuser = spawn(&world, &node.endpoint(), &options, "?section-prefix=:info");
    node.bake("bootstrap1");
    node.bake("bootstrap1");
    let old = node.bake("bootstrap1 --parent head~2");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == old);
    assert!(!accuser.names().contains(&"double_baking_detected.v0".to_owned()));
    // The highest level itself is still remembered.
    node.bake("bootstrap1 --parent head~1");
    accuser.wait_for("double_baking_denounced.v0", |_| true);
}

#[test]
fn a_denunciation_that_the_node_refuses_is_an_error_of_the_block() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let first = spawn(&world, &node.endpoint(), &[], "?section-prefix=:info");
    node.bake("bootstrap1");
    node.bake("bootstrap1 --parent head~1");
    first.wait_for("double_baking_denounced.v0", |_| true);
    // With the evidence in a block, the same offence cannot be denounced again.
    node.bake("bootstrap2");
    let third = node.bake("bootstrap1 --parent head~2");
    let error = first.wait_for("accuser_block_error.v0", |value| value["hash"] == third);
    assert!(error["errors"][0]["id"].is_string(), "{error}");
    assert!(!first.names().last().unwrap().starts_with("accuser_processed"));
}

#[test]
fn double_votes_are_denounced_and_denounced_again() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let accuser = spawn(&world, &node.endpoint(), &[], "?section-prefix=:debug");
    // Each by somebody else: who was denounced in a block has no vote any more.
    let votes =
        [("attest", "attestation", "bootstrap1"), ("preattest", "preattestation", "bootstrap2")];
    for (kind, word, voter) in votes {
        let mut last = String::new();
        for _ in 0..4 {
            last = node.bake("bootstrap3");
        }
        accuser.wait_for("accuser_processed_block.v0", |value| *value == last);
        node.client(&format!("{kind} for {voter} --force"));
        node.client(&format!("{kind} for {voter} --force --payload head~2"));
        let detected = accuser.wait_for(&format!("double_{word}_detected.v0"), |_| true);
        assert_eq!(detected.as_object().map(serde_json::Map::len), Some(2), "{detected}");
        let denounced = accuser.wait_for(&format!("double_{word}_denounced.v0"), |_| true);
        let third = hash_in(&node.client(&format!("{kind} for {voter} --force --branch head~1")));
        let detected = accuser.wait_for(&format!("double_{word}_detected.v0"), |_| true);
        assert_eq!(detected[format!("new_{word}")], third);
        accuser
            .wait_for("double_consensus_already_denounced.v0", |value| *value == denounced["hash"]);
        let again = accuser.wait_for(&format!("double_{word}_denounced.v0"), |_| true);
        assert_ne!(again["hash"], denounced["hash"]);
    }
}

/// One vote waits in the mempool of the accuser's node, the other comes with a block of another node.
#[test]
fn a_vote_in_a_block_is_held_against_one_of_the_mempool_before_the_block_is_processed() {
    let world = World::new();
    let [node, other] = ["node", "other"].map(|name| world.node(name));
    let (running, other_running) = (node.run(), other.run());
    node.connect(&other);
    node.activate();
    node.bake("bootstrap1");
    let head = node.bake("bootstrap1");
    other_running.wait_for("set_head.v0", |value| value[1] == 3);
    for (from, to) in [(&node, &other), (&other, &node)] {
        from.admin(&format!("untrust address 127.0.0.1:{}", to.net));
    }
    let peer = running.wait_for("connection.v0", |_| true);
    node.admin(&format!("kick peer {}", peer.as_str().unwrap()));
    running.wait_for("disconnection.v0", |_| true);

    let accuser = spawn(&world, &node.endpoint(), &[], "?section-prefix=:debug");
    node.bake("bootstrap2");
    let waiting = hash_in(&node.client(&format!("attest for bootstrap3 --of {head} --force")));
    // Told in the order of arrival: once this one is passed over, the first is remembered.
    node.client("attest for bootstrap4 --level 9 --force");
    accuser.wait_for("consensus_operation_too_far_in_future.v0", |_| true);
    let included = hash_in(&other.client("attest for bootstrap3 --payload head~1 --branch head~1"));
    other.bake("bootstrap4");
    let longer = other.bake("bootstrap4");
    node.connect(&other);
    let detected = accuser.wait_for("double_attestation_detected.v0", |_| true);
    assert_eq!(detected, json!({"existing_attestation": waiting, "new_attestation": included}));
    accuser.wait_for("accuser_processed_block.v0", |value| *value == longer);
    let names: Vec<String> = accuser
        .names()
        .into_iter()
        .filter(|name| !name.starts_with("agnostic") && name != "period_status.v0")
        .collect();
    let at = names.iter().position(|name| name == "double_attestation_detected.v0").unwrap();
    let around = [
        &format!("block-seen-{NAME}.v0"),
        "accuser_saw_block.v0",
        "double_attestation_detected.v0",
        "double_attestation_denounced.v0",
        "accuser_processed_block.v0",
    ];
    assert_eq!(names[at - 2..at + 3], around);
}

#[test]
fn votes_outside_the_window_are_passed_over() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let options = ["--preserved-levels", "0"];
    let accuser = spawn(&world, &node.endpoint(), &options, "?section-prefix=:debug");
    node.bake("bootstrap1");
    let head = node.bake("bootstrap1");
    accuser.wait_for("accuser_processed_block.v0", |value| *value == head);
    let hash = |text: String| json!(hash_in(&text));
    let old = hash(node.client("attest for bootstrap1 --force --level 2 --round 3"));
    accuser.wait_for("consensus_operation_too_old.v0", |value| *value == old);
    let future = hash(node.client("attest for bootstrap1 --force --level 6"));
    accuser.wait_for("consensus_operation_too_far_in_future.v0", |value| *value == future);
}
