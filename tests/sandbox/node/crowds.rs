//! More clients and peers than a node expects, and those that begin something and never end it.

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::garbage::{hello, lives};
use crate::http::{Stream, dial, get, talk};
use crate::support::{Daemon, Node, World};

/// A thousand connections have a thousand ends here, too.
fn raise_descriptor_limit() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard >= 4096, "the tests need 4096 descriptors, and may have {hard}");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

fn begin(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = dial(port);
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn a_thousand_clients_that_never_finish_their_request_keep_nobody_waiting() {
    raise_descriptor_limit();
    let world = World::new();
    let node = world.node("node");
    // It starts with the limit of a common shell, and has to help itself.
    let running = run_with_descriptors(&world, &node, "-Sn 256");
    node.activate();
    let halves: [&[u8]; 5] = [
        b"",
        b"GET /chains/main/bl",
        b"GET /version HTTP/1.1\r\nHost: n\r\n",
        b"POST /injection/operation HTTP/1.1\r\nHost: n\r\nContent-Length: 100\r\n\r\n\"00",
        b"POST /injection/block HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{",
    ];
    let crowd: Vec<_> = halves.iter().cycle().take(900).map(|half| begin(node.rpc, half)).collect();
    let mut streams: Vec<Stream> =
        (0..100).map(|_| Stream::open(node.rpc, "/monitor/heads/main")).collect();
    for stream in &mut streams {
        assert_eq!(stream.next().unwrap()["level"], 1);
    }
    let head = node.bake("bootstrap1");
    for stream in &mut streams {
        assert_eq!(stream.next().unwrap()["hash"], head);
    }
    lives(&running, node.rpc);
    drop((crowd, streams));
    assert_eq!(running.terminate(), Some(127));
}

#[test]
fn without_descriptors_clients_wait_for_others_to_leave() {
    let world = World::new();
    let node = world.node("node");
    let running = run_with_descriptors(&world, &node, "-n 40");
    let crowd: Vec<TcpStream> = (0..100).map(|_| dial(node.rpc)).collect();
    let mut late =
        begin(node.rpc, b"GET /health/ready HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
    // Whoever is served already is served still.
    drop(crowd);
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("{\"ready\":true}\n"), "{answer}");
    assert_eq!(get(node.rpc, "/network/connections"), json!([]));
    lives(&running, node.rpc);
}

#[test]
fn heads_and_bodies_without_measure_are_refused() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    let long_line =
        format!("GET /version HTTP/1.1\r\nHost: n\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let many_lines = format!("GET /version HTTP/1.1\r\nHost: n\r\n{}\r\n", "X: y\r\n".repeat(5000));
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: n\r\n\r\n", "x".repeat(1 << 20));
    for head in [long_line, many_lines, long_path] {
        let answer = talk(node.rpc, head.as_bytes());
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", head.len());
    }
    let post = "POST /injection/block HTTP/1.1\r\nHost: n\r\n";
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    let endless = format!("{post}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(17));
    let long = format!("{post}Content-Length: 17825792\r\n\r\n{}", " ".repeat(17 << 20));
    for request in [endless, long] {
        let answer = talk(node.rpc, request.as_bytes());
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 413"), "{:?}", answer.get(..20));
    }
    lives(&running, node.rpc);
}

#[test]
fn peers_that_never_finish_their_handshake_are_dropped_and_an_honest_one_is_welcome() {
    raise_descriptor_limit();
    let world = World::new();
    let [node, peer] = ["node", "peer"].map(|name| world.node(name));
    let (running, _peer_running) = (node.run(), peer.run());
    let silent: Vec<TcpStream> = (0..500).map(|_| begin(node.net, b"")).collect();
    let id = get(peer.rpc, "/network/self");
    let half = hello(&id, "TEZOS", peer.net);
    // Some of them pretend to be the honest peer, and go no further.
    node.admin(&format!("trust address 127.0.0.1:{}", peer.net));
    let halves: [&[u8]; 3] = [&half[..3], &half[..half.len() - 1], &half];
    let halves: Vec<TcpStream> = halves.iter().map(|half| begin(node.net, half)).collect();
    for mut stream in silent.into_iter().chain(halves) {
        // What the node says of itself, its refusal, and then the end.
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap_or_default();
        assert!(String::from_utf8_lossy(&said).contains("refused"));
    }
    node.connect(&peer);
    running.wait_for("connection.v0", |value| *value == id);
    lives(&running, node.rpc);
    let connected: Value = get(node.rpc, "/network/connections");
    assert_eq!(connected.as_array().map(Vec::len), Some(1));
}

/// Runs the node from a shell with this limit of descriptors.
fn run_with_descriptors(world: &World, node: &Node<'_>, limit: &str) -> Daemon {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!(r#"ulimit {limit} && exec "$0" "$@""#)]);
    let command = node.run_command();
    shell.arg(command.get_program()).args(command.get_args());
    let running = Daemon::spawn(world, "limited", shell, "?section-prefix=:info");
    running.wait_for("node_is_ready.v0", |_| true);
    running
}
