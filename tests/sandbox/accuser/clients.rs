//! `octez-client` and `octez-admin-client`.

use crate::support::{PROTOCOL, World};

#[test]
fn an_activation_is_reproducible_and_happens_once() {
    let world = World::new();
    let [node, other] = ["node", "other"].map(|name| world.node(name));
    let (_running, _other_running) = (node.run(), other.run());
    let injected = node.client(&node.activation());
    assert_eq!(injected, other.client(&other.activation()));
    let hash = node.get("/chains/main/blocks/head/hash");
    assert!(injected.starts_with("Injected B"), "{injected}");
    assert!(hash.as_str().unwrap().starts_with(injected.trim().strip_prefix("Injected ").unwrap()));
    let header = node.get("/chains/main/blocks/head/header");
    assert_eq!(header["level"], 1);
    assert_eq!(header["timestamp"], "2025-08-21T13:31:29Z");
    assert_eq!(node.get("/chains/main/blocks/head/protocols")["next_protocol"], PROTOCOL);
    assert!(node.client_error(&node.activation()).contains("a protocol is active already"));
}

#[test]
fn blocks_differ_by_baker_parent_and_attempt() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let mut blocks = vec![
        node.bake("bootstrap1"),
        node.bake("bootstrap1 --parent head~1"),
        node.bake("bootstrap2 --parent head~1"),
        node.bake("bootstrap3 --parent head~1 --round 1"),
    ];
    // The higher round is fitter than the first block.
    assert_eq!(node.get("/chains/main/blocks/head/hash"), blocks[3]);
    assert_eq!(node.get("/chains/main/blocks/head/metadata")["baker"], baker("bootstrap3"));
    let ancestors = [blocks[0].clone(), blocks[1].clone()];
    blocks.extend(ancestors.map(|parent| node.bake(&format!("bootstrap1 --parent {parent}"))));
    blocks.push(node.bake("bootstrap1 --parent head~0"));
    let mut distinct = blocks.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), blocks.len(), "{blocks:#?}");
}

fn baker(alias: &str) -> &'static str {
    match alias {
        "bootstrap3" => "tz1faswCTDciRzE4oJ9jn2Vm2dvjeyA9fUzU",
        other => panic!("{other}"),
    }
}

#[test]
fn what_cannot_be_done_is_an_error_with_its_reason() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    for (words, reason) in [
        ("bake for bootstrap1", "no protocol is active"),
        ("bake for nobody", "no public key hash alias named nobody"),
        ("dance", "Unrecognized command: dance"),
        ("rpc get /nothing/here", "404"),
        ("rpc post /injection/block with {", "Failed to parse the provided json"),
        (
            "activate protocol Pnothing with fitness 1 and key activator and parameters /dev/null",
            "unknown protocol",
        ),
    ] {
        let error = node.client_error(words);
        assert!(error.starts_with("Error:\n  ") && error.contains(reason), "{words}: {error}");
    }
    node.activate();
    let error = node.client_error(
        "activate protocol alpha with fitness 1 and key bootstrap1 and parameters /does/not/exist",
    );
    assert!(error.contains("/does/not/exist"), "{error}");
    node.client("gen keys alice");
    assert!(node.client_error("bake for alice").contains("cannot bake here"));
    let error = node.client_error("bake for bootstrap1 --parent head~9");
    assert!(error.contains("head~9 is unknown"), "{error}");
}

#[test]
fn imported_keys_are_listed_and_bake() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    // The bootstrap3 account of every Octez sandbox.
    let secret = "unencrypted:edsk4ArLQgBTLWG5FJmnGnT689VKoqhXwmDPBuGx3z4cvwU9MmrPZZ";
    node.client(&format!("import secret key baker {secret}"));
    let listed = node.client("list known addresses");
    assert_eq!(listed, format!("baker: {} (unencrypted sk known)\n", baker("bootstrap3")));
    node.bake("baker");
    assert_eq!(node.get("/chains/main/blocks/head/metadata")["baker"], baker("bootstrap3"));
}

#[test]
fn a_plain_vote_is_validated_and_in_the_next_block() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    node.bake("bootstrap1");
    let vote = crate::support::hash_in(&node.client("attest for bootstrap2"));
    let pending = node.get("/chains/main/mempool/pending_operations?version=2");
    assert_eq!(pending["validated"][0]["hash"], vote, "{pending}");
    node.bake("bootstrap1");
    let operations = node.get("/chains/main/blocks/head/operations");
    assert_eq!(operations[0][0]["hash"], vote, "{operations}");
}

#[test]
fn peers_are_trusted_connected_listed_and_kicked() {
    let world = World::new();
    let [node, other] = ["node", "other"].map(|name| world.node(name));
    let (running, _other_running) = (node.run(), other.run());
    node.connect(&other);
    let peer = running.wait_for("connection.v0", |_| true);
    let peer = peer.as_str().unwrap();
    let stat = node.admin("p2p stat");
    assert!(stat.contains(peer) && stat.contains(&format!("127.0.0.1:{}", other.net)), "{stat}");
    node.admin(&format!("untrust address 127.0.0.1:{}", other.net));
    node.admin(&format!("kick peer {peer}"));
    running.wait_for("disconnection.v0", |value| value == peer);
}
