//! What no client and no peer would say: it is answered with an error, and the node lives on.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::http::{dial, get, request, talk};
use crate::support::{Daemon, World};

/// A message as peers cut them: its length, then JSON.
fn frame(message: &Value) -> Vec<u8> {
    let json = message.to_string();
    let length = u32::try_from(json.len()).unwrap();
    [&length.to_be_bytes()[..], json.as_bytes()].concat()
}

pub fn hello(id: &Value, chain_name: &str, port: u16) -> Vec<u8> {
    frame(&json!({
        "peer_id": id, "chain_name": chain_name, "chain_id": "NetXdQprcVkpaWU",
        "port": port, "private": false,
    }))
}

pub fn lives(daemon: &Daemon, rpc: u16) {
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
        ("PUT", "/config/logging", r#"{"active_sinks":[1]}"#, 400),
        ("PUT", "/config/logging", r#"{"active_sinks":["carrier-pigeon:///tmp"]}"#, 500),
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
    let id = get(peer.rpc, "/network/self");
    let stranger = hello(&id, "TEZOS", 1);
    let elsewhere = hello(&id, "ELSEWHERE", peer.net);
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &vec![0xff; 100_000],
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

/// An open node admits anybody, who may then say anything.
#[test]
fn an_admitted_peer_that_talks_nonsense_is_dropped() {
    let world = World::new();
    let identity = |name: &str| {
        world.node(name);
        let text = std::fs::read(world.path(name).join("identity.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()["peer_id"].clone()
    };
    let id = identity("liar");
    let mut command = world.command("octez-node");
    let (net, rpc) = (world.port(), world.port());
    command.arg("run").arg("--data-dir").arg(world.path("open"));
    command.args(["--net-addr", &format!("127.0.0.1:{net}")]);
    command.args(["--rpc-addr", &format!("127.0.0.1:{rpc}")]);
    let running = Daemon::spawn(&world, "open", command, "?section-prefix=:info");
    running.wait_for("node_is_ready.v0", |_| true);
    let header = "00".repeat(100);
    let nonsense = [
        b"nonsense".to_vec(),
        frame(&json!({ "dance": {} })),
        frame(&json!({ "head": { "header": "zz" } })),
        frame(&json!({ "head": { "header": header } })),
        frame(&json!({ "block": { "header": header, "operations": [["00"]] } })),
        frame(&json!({ "operations": { "operations": ["00"] } })),
        frame(&json!({ "get_branch": { "target": "B", "locator": [] } })),
        vec![0xff; 16],
    ];
    for bytes in nonsense {
        let mut stream = dial(net);
        stream.write_all(&[hello(&id, "TEZOS", 1), frame(&json!("accepted"))].concat()).unwrap();
        running.wait_for("connection.v0", |value| *value == id);
        stream.write_all(&bytes).unwrap();
        running.wait_for("disconnection.v0", |value| *value == id);
        // Whatever it had said before; then it hung up.
        stream.read_to_end(&mut Vec::new()).unwrap_or_default();
    }
    lives(&running, rpc);
}
