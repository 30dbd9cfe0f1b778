//! The stand-ins are led through everything that makes them emit. Each line is compared with the table, and each event that
//! the table claims for them must have been among the lines.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::table::Table;
use crate::http::{get, request};
use crate::relay::{Meddler, Relay};
use crate::support::{ALPHA, Daemon, NAME, Node, World, hash_in};

const ALL: &str = "?advertise-levels=true&section-prefix=:debug";

/// The lines that daemons have written, checked as they are handed in.
struct Lines {
    table: Table,
    seen: BTreeSet<(String, String)>,
}

impl Lines {
    fn add(&mut self, daemon: &str, lines: &[String]) {
        assert!(!lines.is_empty(), "no line of the {daemon}");
        for line in lines {
            match self.table.check(daemon, line) {
                Ok(row) => self.seen.insert((daemon.to_owned(), row.event.clone())),
                Err(error) => panic!("{error}\n{line}"),
            };
        }
    }

    /// Ends the daemon and takes all that it wrote.
    fn end(&mut self, kind: &str, mut daemon: Daemon) {
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.exited().code(), Some(127));
        self.add(kind, &daemon.lines());
    }
}

#[test]
fn every_line_is_as_octez_writes_it_and_every_event_claimed_is_emitted() {
    let mut lines = Lines { table: Table::read(), seen: BTreeSet::new() };
    let world = World::new();
    start_and_fork(&world, &mut lines);
    meet(&world, &mut lines);
    denounce(&world, &mut lines);
    change_the_protocol(&world, &mut lines);
    lose_the_node(&world, &mut lines);
    meddle(&world, &mut lines);
    assert_eq!(lines.table.unseen(&lines.seen), Vec::<String>::new());
}

fn accuser(world: &World, endpoint: &str, options: &[&str]) -> Daemon {
    Daemon::spawn(world, "accuser", world.accuser(endpoint, options), ALL)
}

/// Waits until the accuser has looked at this block, whatever came of it.
fn looked_at(accuser: &Daemon, block: &str) {
    accuser.wait_for("accuser_processed_block.v0", |value| *value == block);
}

/// A node from its identity on, with heads, forks, and a block and an operation that it refuses.
fn start_and_fork(world: &World, lines: &mut Lines) {
    let mut fresh = world.command("octez-node");
    fresh.arg("run").arg("--data-dir").arg(world.path("fresh"));
    fresh.args(["--net-addr", &format!("127.0.0.1:{}", world.port())]);
    fresh.args(["--rpc-addr", &format!("127.0.0.1:{}", world.port())]);
    let metrics = world.port();
    fresh.args(["--metrics-addr", &format!("127.0.0.1:{metrics}")]);
    let fresh = Daemon::spawn(world, "fresh", fresh, ALL);
    fresh.wait_for("node_is_ready.v0", |_| true);
    let (status, counted) = request(metrics, "GET", "/metrics", "");
    assert_eq!(status, 200);
    assert!(counted.contains("\noctez_validator_chain_head_level 0\n"), "{counted}");
    assert_eq!(request(metrics, "GET", "/", "").0, 404);
    lines.end("node", fresh);

    let node = world.node("forked");
    let running = node.run_with(ALL);
    node.activate();
    node.bake("bootstrap1");
    node.bake("bootstrap1 --parent head~1");
    node.bake("bootstrap2 --parent head~1 --round 1");
    node.client("attest for bootstrap1");
    let refused = node.client_error("attest for bootstrap1 --level 9");
    assert!(refused.contains("is for level 9"), "{refused}");
    assert_eq!(inject_forged_block(&node), 500);
    lines.end("node", running);
}

/// A copy of the head with another signature, which is nobody's.
fn inject_forged_block(node: &Node<'_>) -> u16 {
    let header = get(node.rpc, "/chains/main/blocks/head/header/raw");
    let mut data = header.as_str().unwrap().to_owned();
    data.replace_range(data.len() - 8.., "00000000");
    let body = json!({ "data": data, "operations": [[], [], [], []] }).to_string();
    request(node.rpc, "POST", "/injection/block", &body).0
}

/// Two nodes that connect, one of which waits for that to be bootstrapped, and that tell each other operations. An accuser
/// on the one with the shorter chain sees another chain activate its protocol.
fn meet(world: &World, lines: &mut Lines) {
    let [node, other] = [("met", "0"), ("other", "1")].map(|(name, threshold)| {
        world.node_with(name, &["--synchronisation-threshold", threshold])
    });
    let (running, other_running) = (node.run_with(ALL), other.run_with(ALL));
    node.activate();
    let watching = accuser(world, &node.endpoint(), &[]);
    watching.wait_for("daemon_start.v0", |_| true);
    other.client(&other.activation().replace("2025-08", "2025-09"));
    let rival = other.bake("bootstrap1");
    node.connect(&other);
    other_running.wait_for("connection.v0", |_| true);
    watching.wait_for("protocol_change_detected.v0", |_| true);
    looked_at(&watching, &rival);
    let vote = hash_in(&node.client("attest for bootstrap2"));
    other_running.wait_for("operation_classified.v0", |value| *value == vote);
    other_running
        .wait_for("request_completed_debug.v0", |value| value["view"]["operation_hash"] == vote);
    lines.end("accuser", watching);
    lines.end("node", running);
    other_running.wait_for("disconnection.v0", |_| true);
    lines.end("node", other_running);
}

/// Every misbehaviour, and votes that are too old or too new; from genesis on.
fn denounce(world: &World, lines: &mut Lines) {
    let node = world.node("denounced");
    let running = node.run_with(ALL);
    let accuser = accuser(world, &node.endpoint(), &["--preserved-levels", "0"]);
    accuser.wait_for("waiting_for_active_protocol.v0", |_| true);
    node.activate();
    accuser.wait_for("daemon_start.v0", |_| true);
    for _ in 0..4 {
        node.bake("bootstrap1");
    }
    looked_at(&accuser, &node.bake("bootstrap1 --parent head~1"));
    // The first evidence waits for a block: another of the same offence is refused.
    let third = node.bake("bootstrap1 --parent head~1");
    accuser.wait_for("accuser_block_error.v0", |value| value["hash"] == third);
    for (kind, word) in [("attest", "attestation"), ("preattest", "preattestation")] {
        node.client(&format!("{kind} for bootstrap1 --force"));
        for conflict in ["--payload head~2", "--branch head~1"] {
            node.client(&format!("{kind} for bootstrap1 --force {conflict}"));
            accuser.wait_for(&format!("double_{word}_denounced.v0"), |_| true);
        }
    }
    node.client("attest for bootstrap1 --force --level 9");
    accuser.wait_for("consensus_operation_too_far_in_future.v0", |_| true);
    node.client("attest for bootstrap1 --force --level 4 --round 3");
    accuser.wait_for("consensus_operation_too_old.v0", |_| true);
    lines.end("accuser", accuser);
    lines.end("node", running);
}

/// A protocol change that an accuser crosses, up to the end of its old agent.
fn change_the_protocol(world: &World, lines: &mut Lines) {
    let node = world.node("changed");
    node.upgrade(2, ALPHA);
    let running = node.run_with(ALL);
    node.activate();
    let accuser = accuser(world, &node.endpoint(), &[]);
    accuser.wait_for("daemon_start.v0", |value| value == NAME);
    node.bake("bootstrap1");
    accuser.wait_for("daemon_start.v0", |value| value == "alpha");
    for _ in 3..=5 {
        node.bake("bootstrap1");
    }
    accuser.wait_for("stopping_agent.v0", |_| true);
    lines.end("accuser", accuser);
    lines.end("node", running);
}

/// A node that is killed under an accuser and comes back.
fn lose_the_node(world: &World, lines: &mut Lines) {
    let node = world.node("lost");
    let mut running = node.run_with(ALL);
    node.activate();
    let accuser = accuser(world, &node.endpoint(), &["--keep-alive"]);
    accuser.wait_for("period_status.v0", |_| true);
    accuser.wait_for("daemon_start.v0", |_| true);
    running.signal(Signal::SIGKILL);
    running.exited();
    lines.add("node", &running.lines());
    accuser.wait_for("retry_on_disconnection.v0", |_| true);
    let running = node.run_with(ALL);
    accuser.wait_for("agnostic_daemon_skipping_lower_or_equal_level.v0", |_| true);
    lines.end("accuser", accuser);
    lines.end("node", running);
}

/// What a node alone never brings about: a gateway without a node behind it, blocks and votes told twice, an injection
/// that fails outside a block.
#[derive(Default)]
struct Mischief {
    refusals: AtomicU8,
}

impl Meddler for Mischief {
    fn answer(&self, path: &str) -> Option<(&'static str, String)> {
        if path.ends_with("/context/constants") && self.refusals.fetch_add(1, Ordering::SeqCst) < 2
        {
            return Some(("502 Bad Gateway", "nobody there".to_owned()));
        }
        let error = json!([{ "kind": "temporary", "id": "failure", "msg": "not now" }]);
        path.starts_with("/private/injection/operation")
            .then(|| ("500 Internal Server Error", error.to_string()))
    }

    fn items(&self, path: &str, item: Value) -> Vec<Value> {
        if path.starts_with("/monitor/applied_blocks") {
            return vec![item.clone(), item];
        }
        if !path.contains("/mempool/") || item == json!([]) {
            return vec![item];
        }
        // The same votes under another hash; the first two bytes make it the hash of an operation.
        let other = bs58::encode([&[5, 116][..], &[7; 32]].concat()).with_check().into_string();
        let mut again = item.clone();
        for operation in again.as_array_mut().unwrap() {
            operation["hash"] = json!(other);
        }
        vec![item, again]
    }
}

fn meddle(world: &World, lines: &mut Lines) {
    let node = world.node("meddled");
    let running = node.run_with(ALL);
    node.activate();
    let relay = Relay::start(node.rpc, Mischief::default());
    let accuser = accuser(world, &relay.endpoint(), &[]);
    accuser.wait_for("daemon_start.v0", |_| true);
    let attempts: Vec<Value> = accuser
        .lines()
        .iter()
        .map(|line| crate::support::event(line).1)
        .filter(|event| event["attempt"].is_number())
        .collect();
    let attempt =
        |number, delay| json!({ "attempt": number, "delay": delay, "text": "nobody there" });
    assert_eq!(attempts, [attempt(1, json!(0)), attempt(2, json!(0.1))]);
    node.bake("bootstrap1");
    accuser.wait_for("double_baking_but_not.v0", |_| true);
    for (kind, word) in [("attest", "attestation"), ("preattest", "preattestation")] {
        node.client(&format!("{kind} for bootstrap1 --force"));
        accuser.wait_for(&format!("{word}_conflict_ignored.v0"), |_| true);
        node.client(&format!("{kind} for bootstrap1 --force --branch head~1"));
        accuser.wait_for("daemon_error.v0", |_| true);
    }
    lines.end("accuser", accuser);
    lines.end("node", running);
}
