//! What the node answers, and the streams that never end.

use serde_json::{Value, json};

use crate::http::{Stream, get};
use crate::support::{PROTOCOL, World, name_of};

const BLOCKS: &str = "/chains/main/blocks";

fn fields(json: &Value) -> Vec<&str> {
    json.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_services_of_daemons_and_clients_answer_in_the_shapes_of_octez() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    assert_eq!(get(node.rpc, &format!("{BLOCKS}/head/header"))["level"], 0);
    let genesis = "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2";
    assert_eq!(get(node.rpc, &format!("{BLOCKS}/head/hash")), genesis);
    let metadata = get(node.rpc, &format!("{BLOCKS}/head/metadata"));
    assert_eq!(metadata["next_protocol"], "ProtoGenesisGenesisGenesisGenesisGenesisGenesk612im");
    node.activate();
    let first = get(node.rpc, &format!("{BLOCKS}/head/protocols"));
    assert_eq!(first["next_protocol"], PROTOCOL);
    assert_ne!(first["protocol"], PROTOCOL);
    let hash = node.bake("bootstrap1");

    assert_eq!(get(node.rpc, "/version")["version"]["major"], 25);
    assert_eq!(get(node.rpc, "/chains/main/chain_id"), "NetXdQprcVkpaWU");
    assert_eq!(get(node.rpc, "/chains/NetXdQprcVkpaWU/chain_id"), "NetXdQprcVkpaWU");
    let bootstrapped = json!({ "bootstrapped": true, "sync_state": "synced" });
    assert_eq!(get(node.rpc, "/chains/main/is_bootstrapped"), bootstrapped);
    let header = get(node.rpc, &format!("{BLOCKS}/{hash}/header"));
    assert_eq!(
        fields(&header),
        [
            "protocol",
            "chain_id",
            "hash",
            "level",
            "proto",
            "predecessor",
            "timestamp",
            "validation_pass",
            "operations_hash",
            "fitness",
            "context",
            "payload_hash",
            "payload_round",
            "proof_of_work_nonce",
            "liquidity_baking_toggle_vote",
            "signature",
        ]
    );
    assert_eq!(header["hash"], hash);
    assert_eq!(get(node.rpc, &format!("{BLOCKS}/head/header/shell"))["level"], 2);
    let metadata = get(node.rpc, &format!("{BLOCKS}/head/metadata"));
    assert_eq!(metadata["baker"], "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx");
    assert_eq!(metadata["level_info"]["level"], 2);
    let block = get(node.rpc, &format!("{BLOCKS}/2"));
    assert_eq!(
        fields(&block),
        ["protocol", "chain_id", "hash", "header", "metadata", "operations"]
    );
    assert_eq!(block["operations"], json!([[], [], [], []]));
    let period = get(node.rpc, &format!("{BLOCKS}/head/votes/current_period"));
    assert_eq!(fields(&period), ["voting_period", "position", "remaining"]);
    let constants = get(node.rpc, &format!("{BLOCKS}/head/context/constants"));
    assert_eq!(constants["minimal_block_delay"], "1");
    let committee = get(node.rpc, &format!("{BLOCKS}/head/helpers/validators?level=7"));
    assert_eq!(committee[0]["level"], 7);
    assert_eq!(committee[0]["delegates"].as_array().unwrap().len(), 5);
    assert_eq!(committee[0]["delegates"][1]["attestation_slot"], 1);
    let hashes = get(node.rpc, &format!("{BLOCKS}?length=2"));
    assert_eq!(hashes[0][0], hash);
    assert_eq!(hashes[0].as_array().unwrap().len(), 2);
}

#[test]
fn the_stream_of_heads_begins_with_the_current_one_and_that_of_applied_blocks_does_not() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let first = get(node.rpc, &format!("{BLOCKS}/head/hash"));
    let filter = format!("next_protocol={PROTOCOL}");
    let mut heads = Stream::open(node.rpc, &format!("/monitor/heads/main?{filter}"));
    let mut applied =
        Stream::open(node.rpc, &format!("/monitor/applied_blocks?{filter}&chain=main"));
    let item = heads.next().unwrap();
    assert_eq!(item["hash"], first);
    assert_eq!(fields(&item).last(), Some(&"protocol_data"));

    let winner = node.bake("bootstrap1");
    let rival = node.bake("bootstrap1 --parent head~1");
    let next = node.bake("bootstrap2");
    for hash in [&winner, &next] {
        assert_eq!(heads.next().unwrap()["hash"], **hash);
    }
    for hash in [&winner, &rival, &next] {
        let item = applied.next().unwrap();
        assert_eq!(fields(&item), ["chain_id", "hash", "header", "operations"]);
        assert_eq!(item["hash"], **hash);
        assert_eq!(item["operations"].as_array().unwrap().len(), 4);
    }
    // A bootstrapped node has nothing to wait for.
    let mut bootstrapped = Stream::open(node.rpc, "/monitor/bootstrapped");
    assert_eq!(bootstrapped.next().unwrap()["block"], next);
    assert_eq!(bootstrapped.next(), None);
    // Clients that hang up are forgotten.
    drop((heads, applied));
    node.bake("bootstrap3");
    assert_eq!(node.level(), 4);
}

#[test]
fn the_parameters_of_the_activation_override_the_constants() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    let parameters = world.path("parameters.json");
    std::fs::write(&parameters, r#"{"blocks_per_cycle": 3, "bootstrap_accounts": []}"#).unwrap();
    node.client(&format!(
        "activate protocol {PROTOCOL} with fitness 1 and key activator and parameters {} \
         --timestamp 2025-08-21T13:31:29Z",
        parameters.display()
    ));
    let constants = get(node.rpc, &format!("{BLOCKS}/head/context/constants"));
    assert_eq!(constants["blocks_per_cycle"], 3);
    assert_eq!(constants["bootstrap_accounts"], Value::Null);
}

#[test]
fn a_stream_shows_only_heads_of_the_protocol_it_is_asked_for() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    let mut heads =
        Stream::open(node.rpc, &format!("/monitor/heads/main?next_protocol={PROTOCOL}"));
    node.activate();
    assert_eq!(heads.next().unwrap()["level"], 1, "genesis is of another");
}

#[test]
fn new_sinks_take_the_place_of_the_event_pipe() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    let file = world.path("events.jsonl");
    let uri = format!("file-descriptor-path://{}?level-at-least=notice", file.display());
    let body = json!({ "active_sinks": [uri] }).to_string();
    assert_eq!(crate::http::json(node.rpc, "PUT", "/config/logging", &body), json!({}));
    node.activate();
    assert_eq!(running.names().last().unwrap(), "node_is_ready.v0");
    assert_eq!(running.terminate(), Some(127));
    let text = std::fs::read_to_string(file).unwrap();
    let names: Vec<String> = text.lines().map(name_of).collect();
    let rest = ["update_protocol_table.v0", "head_increment.v0", "shutting_down_node.v0", "bye.v0"];
    assert_eq!(names, rest);
}
