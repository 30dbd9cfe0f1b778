//! Connections: trust, private mode, bans, and finding a lost peer again.

use serde_json::{Value, json};

use crate::http::{get, json as call, request};
use crate::support::{Daemon, Node, World};

fn id(node: &Node<'_>) -> String {
    get(node.rpc, "/network/self").as_str().unwrap().to_owned()
}

fn point(node: &Node<'_>) -> String {
    format!("/network/points/127.0.0.1:{}", node.net)
}

fn connections(node: &Node<'_>) -> Vec<Value> {
    get(node.rpc, "/network/connections").as_array().unwrap().clone()
}

fn set_acl(node: &Node<'_>, of: &Node<'_>, word: &str) {
    call(node.rpc, "PATCH", &point(of), &json!({ "acl": word }).to_string());
}

/// Asks for a connection; the identifier of the error if there is none.
fn connect(from: &Node<'_>, to: &Node<'_>) -> Result<(), String> {
    dial(from.rpc, to.net)
}

fn dial(rpc: u16, net: u16) -> Result<(), String> {
    let path = format!("/network/points/127.0.0.1:{net}?timeout=10");
    let (status, body) = request(rpc, "PUT", &path, "{}");
    let body: Value = serde_json::from_str(&body).unwrap();
    match status {
        200 => Ok(()),
        500 => Err(body[0]["id"].as_str().unwrap().to_owned()),
        _ => panic!("{status}: {body}"),
    }
}

#[test]
fn private_nodes_connect_only_when_both_trust() {
    let world = World::new();
    let [one, other] = ["one", "other"].map(|name| world.node(name));
    let (running_one, running_other) = (one.run(), other.run());
    assert_eq!(connect(&one, &other), Err("node.p2p_pool.private_mode".to_owned()));
    set_acl(&one, &other, "trust");
    assert_eq!(connect(&one, &other), Err("node.p2p_pool.rejected".to_owned()));
    set_acl(&other, &one, "trust");
    assert_eq!(connect(&one, &other), Ok(()));
    let peer = running_one.wait_for("connection.v0", |_| true);
    assert_eq!(peer, id(&other));
    running_other.wait_for("connection.v0", |value| *value == id(&one));
    assert_eq!(connect(&one, &other), Err("node.p2p_pool.connected".to_owned()));

    let listed = connections(&other);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["peer_id"], id(&one));
    assert_eq!(listed[0]["incoming"], true);
    assert_eq!(listed[0]["id_point"], json!({ "addr": "::ffff:127.0.0.1", "port": one.net }));
    assert_eq!(get(other.rpc, &point(&one))["state"]["event_kind"], "running");
}

#[test]
fn a_kicked_peer_is_gone_on_both_sides_and_a_banned_one_stays_out() {
    let world = World::new();
    let [one, other] = ["one", "other"].map(|name| world.node(name));
    let (running_one, running_other) = (one.run(), other.run());
    one.connect(&other);
    running_other.wait_for("connection.v0", |_| true);
    let path = format!("/network/connections/{}", id(&other));
    set_acl(&other, &one, "open");
    set_acl(&one, &other, "open");
    assert_eq!(request(one.rpc, "DELETE", &path, "").0, 200);
    running_one.wait_for("disconnection.v0", |value| *value == id(&other));
    running_other.wait_for("disconnection.v0", |value| *value == id(&one));
    assert_eq!((connections(&one), connections(&other)), (vec![], vec![]));
    assert_eq!(request(one.rpc, "DELETE", &path, "").0, 404);

    one.connect(&other);
    running_other.wait_for("connection.v0", |_| true);
    set_acl(&other, &one, "ban");
    running_one.wait_for("disconnection.v0", |_| true);
    running_other.wait_for("disconnection.v0", |_| true);
    assert_eq!(connect(&other, &one), Err("node.p2p_pool.point_banned".to_owned()));
    assert_eq!(get(other.rpc, &format!("{}/banned", point(&one))), true);
}

#[test]
fn a_trusted_peer_that_was_killed_is_found_again() {
    let world = World::new();
    let [one, other] = ["one", "other"].map(|name| world.node(name));
    let (running_one, mut running_other) = (one.run(), other.run());
    one.connect(&other);
    running_one.wait_for("connection.v0", |_| true);
    running_other.wait_for("connection.v0", |_| true);
    running_other.signal(nix::sys::signal::Signal::SIGKILL);
    running_other.exited();
    running_one.wait_for("disconnection.v0", |_| true);
    let running_other = other.run();
    // It has forgotten whom it trusted, and refuses until it is told again.
    set_acl(&other, &one, "trust");
    running_one.wait_for("connection.v0", |value| *value == id(&other));
    running_other.wait_for("connection.v0", |_| true);
}

#[test]
fn peers_of_the_command_line_are_dialled_by_themselves() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    let data_dir = world.path("open");
    let mut command = world.command("octez-node");
    command.arg("run").arg("--data-dir").arg(&data_dir);
    command.args(["--net-addr", &format!("127.0.0.1:{}", world.port())]);
    let rpc = world.port();
    command.args(["--rpc-addr", &format!("127.0.0.1:{rpc}")]);
    command.args(["--peer", &format!("127.0.0.1:{}#{}", node.net, id(&node))]);
    let open = Daemon::spawn(&world, "open", command, "?section-prefix=:info");
    open.wait_for("node_is_ready.v0", |_| true);
    let peer = get(rpc, "/network/self");
    let path = format!("/network/peers/{}", peer.as_str().unwrap());
    call(node.rpc, "PATCH", &path, r#"{"acl":"trust"}"#);
    assert_eq!(running.wait_for("connection.v0", |_| true), peer);
    open.wait_for("connection.v0", |_| true);
}

#[test]
fn nodes_that_dial_each_other_at_once_end_with_one_connection() {
    let world = World::new();
    let [one, other] = ["one", "other"].map(|name| world.node(name));
    let (running_one, running_other) = (one.run(), other.run());
    set_acl(&one, &other, "trust");
    set_acl(&other, &one, "trust");
    let ends = [(one.rpc, other.net), (other.rpc, one.net)];
    let dials = ends.map(|(rpc, net)| std::thread::spawn(move || dial(rpc, net)));
    let made = dials.map(|dial| dial.join().unwrap());
    assert!(made.iter().any(Result::is_ok), "{made:?}");
    running_one.wait_for("connection.v0", |_| true);
    running_other.wait_for("connection.v0", |_| true);
    assert_eq!((connections(&one).len(), connections(&other).len()), (1, 1));
}

#[test]
fn a_node_does_not_connect_to_itself_or_to_nobody() {
    let world = World::new();
    let [one, absent] = ["one", "absent"].map(|name| world.node(name));
    let _running = one.run();
    set_acl(&one, &one, "trust");
    set_acl(&one, &absent, "trust");
    assert_eq!(connect(&one, &one), Err("node.p2p_conn.myself".to_owned()));
    assert_eq!(connect(&one, &absent), Err("node.p2p_pool.connection_refused".to_owned()));
}

#[test]
fn a_peer_that_is_trusted_by_its_identifier_is_trusted_after_a_restart() {
    let world = World::new();
    let [one, other] = ["one", "other"].map(|name| world.node(name));
    let (running_one, _running_other) = (one.run(), other.run());
    let path = format!("/network/peers/{}", id(&other));
    call(one.rpc, "PATCH", &path, r#"{"acl":"trust"}"#);
    assert_eq!(running_one.terminate(), Some(127));
    let running_one = one.run();
    assert_eq!(get(one.rpc, &path)["trusted"], true);
    set_acl(&other, &one, "trust");
    assert_eq!(connect(&other, &one), Ok(()));
    running_one.wait_for("connection.v0", |value| *value == id(&other));
}
