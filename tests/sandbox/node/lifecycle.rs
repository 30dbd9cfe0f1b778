//! Start-up, exit codes, the data directory, and what a restart keeps.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Output};

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::http::{get, request};
use crate::support::{Daemon, Source, World, event, fifo, told};

/// Runs to the end.
fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn succeeded(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{}", told(&output));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn run_arguments(world: &World, data_dir: &Path) -> Command {
    let mut command = world.command("octez-node");
    let (net, rpc) = (world.port(), world.port());
    command.arg("run").arg("--data-dir").arg(data_dir);
    command.args(["--net-addr", &format!("127.0.0.1:{net}")]);
    command.args(["--rpc-addr", &format!("127.0.0.1:{rpc}")]);
    command
}

#[test]
fn the_start_up_sequence_ends_with_a_ready_node_that_answers() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    assert_eq!(get(node.rpc, "/health/ready"), json!({ "ready": true }));
    assert_eq!(
        running.names(),
        [
            "uri_loaded_from_env.v0",
            "config_validation_success.v0",
            "read_identity.v0",
            "starting_node.v0",
            "disabled_discovery_addr.v0",
            "p2p-initialization.v0",
            "p2p-initialization.v0",
            "activate_chain.v0",
            "bootstrapped.v0",
            "synchronisation_status.v0",
            "starting_local_rpc_server.v0",
            "node_is_ready.v0",
        ]
    );
    let identity = get(node.rpc, "/network/self");
    let lines = running.lines();
    let payload = |name: &str| {
        let found = lines.iter().find_map(|line| event(line).1.get(name).cloned());
        found.unwrap_or_else(|| panic!("{name}"))
    };
    assert_eq!(payload("read_identity.v0"), identity);
    assert_eq!(payload("activate_chain.v0"), "NetXdQprcVkpaWU");
    assert_eq!(payload("node_is_ready.v0"), json!({}));
    assert_eq!(
        payload("starting_local_rpc_server.v0"),
        json!({ "host": "::ffff:127.0.0.1", "port": node.rpc, "acl_policy": "AllowAll" })
    );
    assert_eq!(event(lines.last().unwrap()).0["section"], json!(["node", "main"]));
}

#[test]
fn sigterm_and_sigint_end_it_with_127_and_its_last_events() {
    let world = World::new();
    let node = world.node("node");
    for (signal, name) in [(Signal::SIGTERM, "TERM"), (Signal::SIGINT, "INT")] {
        let mut running = node.run();
        running.signal(signal);
        assert_eq!(running.exited().code(), Some(127));
        let names = running.names();
        let last = ["shutting_down_node.v0", "shutting_down_local_rpc_server.v0", "bye.v0"];
        assert_eq!(names[names.len() - 3..], last);
        assert_eq!(event(running.lines().last().unwrap()).1["bye.v0"], 127);
        running.stderr.wait_for(&format!("octez-node) {name}: triggering shutdown."));
    }
}

/// The node cannot say goodbye to a pipe that is full, and hangs as Octez does, until it is told again.
#[test]
fn a_second_signal_ends_a_node_that_hangs_on_a_full_pipe_with_255() {
    let world = World::new();
    let node = world.node("node");
    let data_dir = world.path("node");
    let (path, reader) = fifo(&world, "events");
    let mut writer = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&path)
        .unwrap();
    let mut command = run_arguments(&world, &data_dir);
    // Nothing is written before the end but the first line.
    let config =
        format!("file-descriptor-path://{}?section-prefix=node.main.bye:notice", path.display());
    command.env("TEZOS_EVENTS_CONFIG", config + "&section-prefix=:fatal");
    command.args(["--rpc-addr", &format!("127.0.0.1:{}", node.rpc)]);
    let mut running = Daemon::spawn_with(command, Source::None);
    running.stderr.wait_for("the Tezos node is now running");
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    while writer.write(b"\n").is_ok() {}
    running.signal(Signal::SIGTERM);
    running.stderr.wait_for("send signal again to force-quit.");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.exited().code(), Some(255));
    drop(reader);
}

#[test]
fn version_help_and_configuration_are_told_with_exit_code_0() {
    let world = World::new();
    let dir = world.path("node");
    let octez_node = |words: &str| {
        let mut command = world.command("octez-node");
        succeeded(command.args(words.split_whitespace()).arg("--data-dir").arg(&dir))
    };
    assert!(octez_node("--version").contains("(Octez 25.1 (build: 0))"));
    assert!(octez_node("--help").contains("octez-node run"));
    assert!(octez_node("identity generate 0").contains("Stored the new identity (id"));
    assert!(octez_node("identity show").contains("id"));
    assert!(octez_node("config init --private-mode --connections 3").contains("Created"));
    octez_node("config update --synchronisation-threshold 0");
    let shown: serde_json::Value = serde_json::from_str(&octez_node("config show")).unwrap();
    assert_eq!(shown["p2p"]["private-mode"], true);
    assert_eq!(shown["p2p"]["limits"]["expected-connections"], 3);
    assert_eq!(shown["shell"]["chain_validator"]["synchronisation_threshold"], 0);
    octez_node("config reset");
    let shown: serde_json::Value = serde_json::from_str(&octez_node("config show")).unwrap();
    assert_eq!(shown["p2p"], json!(null));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&dir).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_node_without_identity_makes_one_and_reads_it_the_next_time() {
    let world = World::new();
    let data_dir = world.path("fresh");
    let levels = "?section-prefix=:info";
    let first = Daemon::spawn(&world, "fresh", run_arguments(&world, &data_dir), levels);
    let made = first.wait_for("identity_generated.v0", |_| true);
    first.wait_for("node_is_ready.v0", |_| true);
    assert!(!first.names().contains(&"read_identity.v0".to_owned()));
    assert_eq!(first.terminate(), Some(127));
    let second = Daemon::spawn(&world, "fresh", run_arguments(&world, &data_dir), levels);
    assert_eq!(second.wait_for("read_identity.v0", |_| true), made);
}

#[test]
fn the_chain_survives_sigkill_and_a_cut_off_record_and_the_mempool_does_not() {
    let world = World::new();
    let node = world.node("node");
    let mut running = node.run();
    node.activate();
    node.bake("bootstrap1");
    let tip = node.bake("bootstrap2");
    node.client("attest for bootstrap1 --force");
    let pending = "/chains/main/mempool/pending_operations?version=2";
    assert_eq!(get(node.rpc, pending)["validated"].as_array().unwrap().len(), 1);
    running.signal(Signal::SIGKILL);
    running.exited();

    let blocks = world.path("node/store/blocks.jsonl");
    let mut file = std::fs::OpenOptions::new().append(true).open(blocks).unwrap();
    file.write_all(br#"{"header":"000000"#).unwrap();
    let _running = node.run();
    assert_eq!(get(node.rpc, "/chains/main/blocks/head/hash"), tip);
    assert_eq!(get(node.rpc, pending)["validated"], json!([]));
    node.bake("bootstrap1");
    assert_eq!(node.level(), 4);
}

#[test]
fn a_node_that_waits_for_peers_is_not_bootstrapped_until_they_come() {
    let world = World::new();
    let node = world.node("node");
    let waiting_dir = world.path("waiting");
    let mut command = run_arguments(&world, &waiting_dir);
    let rpc = world.port();
    command.args(["--rpc-addr", &format!("127.0.0.1:{rpc}"), "--synchronisation-threshold", "1"]);
    command.args(["--peer", &format!("127.0.0.1:{}", node.net)]);
    let waiting = Daemon::spawn(&world, "waiting", command, "?section-prefix=:info");
    waiting.wait_for("node_is_ready.v0", |_| true);
    let mut stream = crate::http::Stream::open(rpc, "/monitor/bootstrapped");
    assert_eq!(stream.next().unwrap()["block"], get(rpc, "/chains/main/blocks/head/hash"));
    let status = get(rpc, "/chains/main/is_bootstrapped");
    assert_eq!(status, json!({ "bootstrapped": false, "sync_state": "unsynced" }));

    let peer = get(rpc, "/network/self");
    let _running = node.run();
    // The node is private, and does not know the newcomer until it is told to.
    let path = format!("/network/peers/{}", peer.as_str().unwrap());
    assert_eq!(request(node.rpc, "PATCH", &path, r#"{"acl":"trust"}"#).0, 200);
    waiting.wait_for("connection.v0", |_| true);
    waiting.wait_for("bootstrapped.v0", |_| true);
    waiting.wait_for("synchronisation_status.v0", |value| value == "synced");
    assert_eq!(stream.next(), None);
}
