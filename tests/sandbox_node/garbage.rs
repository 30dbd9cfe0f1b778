//! What no client and no peer would say: it is answered with an error, and the node lives on.

use serde_json::{Value, json};

use crate::http::{get, request, talk};
use crate::support::{Daemon, World};

fn lives(daemon: &Daemon, rpc: u16) {
    assert_eq!(get(rpc, "/health/ready"), json!({ "ready": true }));
    assert!(!daemon.names().contains(&"bye.v0".to_owned()));
}

#[test]
fn nonsense_on_the_rpc_port_is_answered_with_a_client_error() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    node.activate();
    let deep = "[".repeat(100_000);
    let requests = [
        ("GET", "/", "", 404),
        ("GET", "/no/such/service", "", 404),
        ("GET", "/chains/other/chain_id", "", 404),
        ("GET", "/chains/main/blocks/nonsense/hash", "", 400),
        ("GET", "/chains/main/blocks/head~99/hash", "", 404),
        ("GET", "/chains/main/blocks/head~99999999999999999999/hash", "", 400),
        ("GET", "/chains/main/blocks/%ff/hash", "", 400),
        ("GET", "/chains/main/blocks/head/operations/9", "", 404),
        ("GET", "/chains/main/blocks/head/operations/x", "", 400),
        ("GET", "/chains/main/blocks/head/helpers/validators?level=-1", "", 400),
        ("GET", "/chains/main/blocks?length=many", "", 400),
        ("GET", "/chains/main/mempool/pending_operations?version=1", "", 400),
        ("GET", "/monitor/heads/main?next_protocol=P", "", 400),
        ("GET", "/monitor/applied_blocks?chain=other", "", 404),
        ("GET", "/injection/operation", "", 405),
        ("POST", "/version", "", 405),
        ("POST", "/injection/operation", "", 400),
        ("POST", "/injection/operation", "{", 400),
        ("POST", "/injection/operation", "\"zz\"", 400),
        ("POST", "/injection/operation", deep.as_str(), 400),
        ("POST", "/injection/operation", "\"00\"", 500),
        ("POST", "/injection/block", "{}", 400),
        ("POST", "/injection/block", r#"{"data":"00","operations":[]}"#, 400),
        ("POST", "/injection/block", r#"{"data":"zz","operations":[[{}]]}"#, 400),
        ("POST", "/chains/main/blocks/head/helpers/forge/operations", "{}", 400),
        ("PUT", "/network/points/nowhere", "{}", 400),
        ("PUT", "/network/points/127.0.0.1:1?timeout=-1", "{}", 400),
        ("PATCH", "/network/points/127.0.0.1:1", r#"{"acl":"love"}"#, 400),
        ("GET", "/network/connections/nobody", "", 400),
        ("POST", "/network/self", "", 405),
        ("BREW", "/version", "", 405),
    ];
    for (method, path, body, status) in requests {
        let shown = &body[..body.len().min(50)];
        assert_eq!(request(node.rpc, method, path, body).0, status, "{method} {path} {shown}");
    }
    for bytes in [&b"\0\x01\x02\x03\r\n\r\n"[..], b"GET", b"GET / HTTP/9.9\r\n\r\n", b""] {
        let answer = talk(node.rpc, bytes);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    }
    let oversized =
        b"POST /injection/block HTTP/1.1\r\nHost: n\r\nContent-Length: 99999999999\r\n\r\n";
    assert!(talk(node.rpc, oversized).starts_with(b"HTTP/1.1 4"));
    lives(&running, node.rpc);
}

#[test]
fn nonsense_on_the_peer_port_ends_that_connection_only() {
    let world = World::new();
    let [node, peer] = ["node", "peer"].map(|name| world.node(name));
    let (running, _peer_running) = (node.run(), peer.run());
    let hello = |fields: Value| {
        let json = fields.to_string();
        let length = u32::try_from(json.len()).unwrap();
        [&length.to_be_bytes()[..], json.as_bytes()].concat()
    };
    let id = get(peer.rpc, "/network/self");
    let stranger = hello(json!({
        "peer_id": id, "chain_name": "TEZOS", "chain_id": "NetXdQprcVkpaWU",
        "port": 1, "private": false,
    }));
    let elsewhere = hello(json!({
        "peer_id": id, "chain_name": "ELSEWHERE", "chain_id": "NetXdQprcVkpaWU",
        "port": peer.net, "private": false,
    }));
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 100_000],
        &[0, 0, 0, 2, b'{', b'}'],
        &[0, 0, 0, 9],
        &stranger,
        &elsewhere,
    ] {
        let answer = String::from_utf8_lossy(&talk(node.net, bytes)).into_owned();
        assert!(answer.contains("refused"), "{answer}");
    }
    // An honest peer is still welcome.
    node.connect(&peer);
    running.wait_for("connection.v0", |value| *value == id);
    node.activate();
    lives(&running, node.rpc);
    assert_eq!(get(node.rpc, "/network/connections").as_array().unwrap().len(), 1);
}
