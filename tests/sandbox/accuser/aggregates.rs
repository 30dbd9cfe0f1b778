//! Consensus keys, the aggregates that blocks make of their attestations, and what the accuser makes of those.

use serde_json::{Value, json};

use crate::support::{Daemon, Node, World, hash_in};

const EVERYBODY: &str = "bootstrap5 bootstrap1 bootstrap2 bootstrap3 bootstrap4";

/// A node at level 7 whose first three bakers vote with consensus keys, in cycles of two blocks.
fn with_consensus_keys(node: &Node<'_>) -> Daemon {
    let running = node.run();
    node.activate_with(&json!({ "blocks_per_cycle": 2, "consensus_rights_delay": 1 }));
    for n in 1..=3 {
        node.client(&format!("set consensus key for bootstrap{n} to consensus{n}"));
    }
    for _ in 2..=7 {
        node.bake(EVERYBODY);
    }
    running
}

/// The contents of the head's operations of one validation pass.
fn contents(node: &Node<'_>, pass: usize) -> Vec<Value> {
    let operations = node.get(&format!("/chains/main/blocks/head/operations/{pass}"));
    let operations = operations.as_array().unwrap().iter();
    operations.map(|operation| operation["contents"][0].clone()).collect()
}

#[test]
fn consensus_keys_count_after_their_delay_and_their_attestations_become_one_operation() {
    let world = World::new();
    let node = world.node("node");
    let _running = with_consensus_keys(&node);
    // Asked for in level 2, in cycle 0, they count from cycle 2 on: from level 5.
    let key = |level: u32| {
        let path = format!("/chains/main/blocks/head/helpers/validators?level={level}");
        node.get(&path)[0]["delegates"][0]["consensus_key"].as_str().unwrap().to_owned()
    };
    assert!(key(4).starts_with("tz1") && key(5).starts_with("tz4"));
    let kinds = |block: &str| {
        let operations = node.get(&format!("/chains/main/blocks/{block}/operations/0"));
        let operations = operations.as_array().unwrap().iter();
        let kinds = operations.map(|operation| operation["contents"][0]["kind"].to_string());
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(kinds("5").len(), 5, "level 4 was attested with five keys of the bakers' own");
    let [aggregate, own, other] = &contents(&node, 0)[..] else { panic!("three operations") };
    assert_eq!(aggregate["kind"], "attestations_aggregate");
    assert_eq!(aggregate["committee"], json!([{ "slot": 0 }, { "slot": 1 }, { "slot": 2 }]));
    assert_eq!(aggregate["consensus_content"]["level"], 6);
    let voters = aggregate["metadata"]["committee"].as_array().unwrap();
    assert!(voters.iter().all(|voter| voter["consensus_key"].as_str().unwrap().starts_with("tz4")));
    assert_eq!([&own["kind"], &other["kind"]], ["attestation"; 2]);
    // An attestation that waits in the mempool goes into the aggregate, too, and one that is there is not made again.
    node.client("attest for consensus1 --force");
    node.bake(EVERYBODY);
    assert_eq!(contents(&node, 0)[0]["committee"].as_array().unwrap().len(), 3);
}

#[test]
fn a_vote_against_ones_own_part_of_an_aggregate_is_denounced_with_both() {
    let world = World::new();
    let node = world.node("node");
    let _running = with_consensus_keys(&node);
    let accuser = Daemon::spawn(
        &world,
        "accuser",
        world.accuser(&node.endpoint(), &[]),
        "?section-prefix=:debug",
    );
    accuser.wait_for("daemon_start.v0", |_| true);
    let head = node.bake(EVERYBODY);
    accuser.wait_for("accuser_processed_block.v0", |value| *value == head);
    let second = hash_in(&node.client("attest for consensus2 --force --of head~1 --payload 4"));
    let detected = accuser.wait_for("double_attestation_detected.v0", |_| true);
    assert_eq!(detected["new_attestation"], second);
    accuser.wait_for("double_attestation_denounced.v0", |_| true);
    node.bake("bootstrap5");
    let [evidence] = &contents(&node, 2)[..] else { panic!("one evidence") };
    let mut kinds = ["op1", "op2"].map(|op| evidence[op]["operations"]["kind"].to_string());
    kinds.sort();
    assert_eq!(kinds, ["\"attestation\"", "\"attestations_aggregate\""]);
    assert_eq!(evidence["slot"], 1);
    assert_eq!(evidence["metadata"]["punished_delegate"], "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN");
    // Who is forbidden is left out of what everybody attests.
    let error = node.client_error("attest for consensus2");
    assert!(error.contains("has committed too many misbehaviours"), "{error}");
    node.bake(EVERYBODY);
    assert_eq!(contents(&node, 0)[0]["committee"], json!([{ "slot": 0 }, { "slot": 2 }]));
}

#[test]
fn a_consensus_key_is_its_delegates_and_asked_for_by_it() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let error = node.client_error("set consensus key for bootstrap1 to consensus2");
    assert!(error.contains("consensus2 is no consensus key of bootstrap1"), "{error}");
    node.client("set consensus key for bootstrap1 to consensus1");
    node.bake("bootstrap2");
    let [update] = &contents(&node, 3)[..] else { panic!("one operation") };
    assert_eq!(
        [&update["kind"], &update["metadata"]["operation_result"]["status"]],
        ["update_consensus_key", "applied"]
    );
    assert!(update["pk"].as_str().unwrap().starts_with("BLpk"));
}

#[test]
fn the_head_is_proposed_again_with_preattestations_of_its_payload() {
    let world = World::new();
    let node = world.node("node");
    let _running = with_consensus_keys(&node);
    let header = || node.get("/chains/main/blocks/head/header");
    let first = header();
    for round in ["00000001", "00000002"] {
        node.client(&format!("repropose for {EVERYBODY} --minimal-timestamp --force-reproposal"));
        let again = header();
        assert_eq!(again["level"], 7);
        assert_eq!(again["payload_hash"], first["payload_hash"]);
        assert_eq!(again["payload_round"], 0);
        assert_eq!([&again["fitness"][2], &again["fitness"][4]], ["00000000", round]);
        let votes = contents(&node, 0);
        let of = |kind: &str| votes.iter().filter(|vote| vote["kind"] == kind).count();
        assert_eq!([of("preattestations_aggregate"), of("preattestation")], [1, 2]);
        assert_eq!([of("attestations_aggregate"), of("attestation")], [1, 2]);
        let whole = votes.iter().find(|vote| vote["kind"] == "preattestations_aggregate").unwrap();
        assert_eq!(whole["committee"], json!([0, 1, 2]));
    }
    // The chain goes on from there.
    node.bake(EVERYBODY);
    assert_eq!(contents(&node, 0)[0]["consensus_content"]["round"], 2);
    assert_eq!(node.level(), 8);
}
