//! A protocol change that the node's configuration names: the migration block, what is told of it, and what a restart and
//! a peer make of it.

use serde_json::json;

use crate::http::{Stream, get};
use crate::support::{ALPHA, Node, PROTOCOL, World};

/// The protocol that a block is of, and the one it leaves behind.
fn protocols(node: &Node<'_>, block: &str) -> serde_json::Value {
    get(node.rpc, &format!("/chains/main/blocks/{block}/protocols"))
}

#[test]
fn the_block_at_the_level_is_of_the_old_protocol_and_leaves_the_new_one() {
    let world = World::new();
    let node = world.node("node");
    node.upgrade(3, ALPHA);
    let running = node.run();
    node.activate();
    let blocks: Vec<String> = (2..=4).map(|_| node.bake("bootstrap1")).collect();

    let wanted = [(PROTOCOL, PROTOCOL), (PROTOCOL, ALPHA), (ALPHA, ALPHA)];
    for ((block, (protocol, next)), number) in blocks.iter().zip(wanted).zip([1, 2, 2]) {
        let both = json!({ "protocol": protocol, "next_protocol": next });
        assert_eq!(protocols(&node, block), both);
        let metadata = get(node.rpc, &format!("/chains/main/blocks/{block}/metadata"));
        assert_eq!([&metadata["protocol"], &metadata["next_protocol"]], [protocol, next]);
        let header = get(node.rpc, &format!("/chains/main/blocks/{block}/header"));
        assert_eq!([&header["protocol"], &header["proto"]], [&json!(protocol), &json!(number)]);
    }
    let table = running.wait_for("update_protocol_table.v0", |value| value["proto_hash"] == ALPHA);
    let migration = json!({
        "proto_hash": ALPHA, "proto_level": 2, "block_hash": blocks[1], "block_level": 3,
    });
    assert_eq!(table, migration);
    let upgrades = get(node.rpc, "/config/network/user_activated_upgrades");
    assert_eq!(upgrades, json!([{ "level": 3, "replacement_protocol": ALPHA }]));
}

#[test]
fn streams_show_only_the_blocks_after_which_the_wanted_protocol_goes_on() {
    let world = World::new();
    let node = world.node("node");
    node.upgrade(3, ALPHA);
    let _running = node.run();
    node.activate();
    let second = node.bake("bootstrap1");
    let open = |protocol: &str| {
        ["/monitor/heads/main?", "/monitor/applied_blocks?chain=main&"]
            .map(|path| Stream::open(node.rpc, &format!("{path}next_protocol={protocol}")))
    };
    let [mut old_heads, mut old_blocks] = open(PROTOCOL);
    let [mut new_heads, mut new_blocks] = open(ALPHA);
    assert_eq!(old_heads.next().unwrap()["hash"], second, "the head that is there comes first");
    let migration = node.bake("bootstrap1");
    let fourth = node.bake("bootstrap1");
    for stream in [&mut new_heads, &mut new_blocks] {
        assert_eq!(stream.next().unwrap()["hash"], migration);
        assert_eq!(stream.next().unwrap()["hash"], fourth);
    }
    // Another block of the old protocol, on a branch of its own: the first that these have to show.
    let rival = node.bake(&format!("bootstrap2 --parent {second}~1"));
    assert_eq!(old_blocks.next().unwrap()["hash"], rival);
}

#[test]
fn a_restarted_node_keeps_its_chain_whatever_the_configuration_says_by_then() {
    let world = World::new();
    let node = world.node("node");
    node.upgrade(3, ALPHA);
    let running = node.run();
    node.activate();
    let blocks: Vec<String> = (2..=4).map(|_| node.bake("bootstrap1")).collect();
    assert_eq!(running.terminate(), Some(127));

    // Level 3 has been left behind; what is agreed on now is for blocks to come.
    node.upgrade(6, PROTOCOL);
    let _running = node.run();
    assert_eq!(get(node.rpc, "/chains/main/blocks/head/hash"), json!(blocks[2]));
    assert_eq!(protocols(&node, "3")["next_protocol"], ALPHA);
    let fifth = node.bake("bootstrap1");
    assert_eq!(protocols(&node, &fifth), json!({ "protocol": ALPHA, "next_protocol": ALPHA }));
    let sixth = node.bake("bootstrap1");
    assert_eq!(protocols(&node, &sixth), json!({ "protocol": ALPHA, "next_protocol": PROTOCOL }));
}

#[test]
fn a_peer_that_has_not_agreed_refuses_the_migration_block() {
    let world = World::new();
    let (agreed, other) = (world.node("agreed"), world.node("other"));
    agreed.upgrade(3, ALPHA);
    let (_one, two) = (agreed.run(), other.run());
    agreed.activate();
    let second = agreed.bake("bootstrap1");
    agreed.connect(&other);
    two.wait_for("head_increment.v0", |value| value["level"] == 2);
    let migration = agreed.bake("bootstrap1");
    let failure = two.wait_for("validation_failure.v0", |value| value["block"] == migration);
    assert!(failure["errors"].to_string().contains("proto is 2, but 1 was expected"), "{failure}");
    assert_eq!(get(other.rpc, "/chains/main/blocks/head/hash"), json!(second));
}

#[test]
fn an_upgrade_to_a_protocol_that_nobody_has_stops_the_chain() {
    let world = World::new();
    let node = world.node("node");
    node.upgrade(2, "PtSeouLouXkxhg39oWzjxDWaCydNfR3RxCUrNe4Q9Ro8BTehcbh");
    let _running = node.run();
    node.activate();
    let error = node.client_error("bake for bootstrap1 --minimal-timestamp");
    assert!(error.contains("is not available"), "{error}");
    assert_eq!(node.level(), 1);
}
