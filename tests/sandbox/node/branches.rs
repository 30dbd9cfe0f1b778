//! Which branch a node follows, and what it says of the others.

use serde_json::{Value, json};

use crate::http::get;
use crate::support::{Daemon, World};

fn head(rpc: u16) -> Value {
    get(rpc, "/chains/main/blocks/head/hash")
}

fn reaches(daemon: &Daemon, level: u64) {
    daemon.wait_for("set_head.v0", |value| value[1] == level);
}

#[test]
fn a_baked_block_is_told_as_head_with_the_shapes_of_octez() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    node.activate();
    let activated = running.wait_for("head_increment.v0", |value| value["level"] == 1);
    let hash = node.bake("bootstrap1");
    let applied =
        running.wait_for("validation_and_application_success.v0", |value| value["block"] == hash);
    for moment in ["pushed", "treated", "completed"] {
        assert!(applied["worker_status"][moment].as_str().unwrap().ends_with("-00:00"));
    }
    assert_eq!(running.wait_for("set_head.v0", |_| true), json!([hash, 2]));
    let view = running.wait_for("head_increment.v0", |_| true);
    assert_eq!(view, json!({ "view": { "hash": hash }, "level": 2 }));
    let flush = running.wait_for("request_completed_info.v0", |_| true);
    assert_eq!(flush["view"], json!({ "request": "flush", "block": hash, "event": "increment" }));
    let header = get(node.rpc, "/chains/main/blocks/head/header");
    assert_eq!(header["predecessor"], activated["view"]["hash"]);
    assert_eq!(header["fitness"], json!(["02", "00000002", "", "ffffffff", "00000000"]));
}

#[test]
fn nodes_that_meet_converge_on_the_fitter_branch_and_tell_of_the_loser() {
    let world = World::new();
    let [one, other] = ["one", "other"].map(|name| world.node(name));
    let (running_one, running_other) = (one.run(), other.run());
    one.activate();
    one.bake("bootstrap1");
    one.bake("bootstrap1");
    other.activate();
    other.bake("bootstrap2");
    let abandoned = head(other.rpc);
    one.connect(&other);
    let longer = head(one.rpc);
    let ignored = running_other.wait_for("ignore_head.v0", |_| true);
    assert_eq!(ignored["view"]["hash"], get(one.rpc, "/chains/main/blocks/head~1/hash"));
    let switch = running_other.wait_for("branch_switch.v0", |_| true);
    assert_eq!(switch, json!({ "view": { "hash": longer }, "level": 3 }));
    let flush = running_other.wait_for("request_completed_info.v0", |_| true);
    assert_eq!(flush["view"]["event"], "branch");
    assert_eq!(head(other.rpc), longer);
    // The block that lost is still there, on its branch.
    let path = format!("/chains/main/blocks/{}/header", abandoned.as_str().unwrap());
    assert_eq!(get(other.rpc, &path)["level"], 2);

    let next = other.bake("bootstrap3");
    reaches(&running_one, 4);
    assert_eq!(head(one.rpc), next);
}

#[test]
fn a_rival_block_of_equal_fitness_is_applied_and_ignored() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    node.activate();
    let winner = node.bake("bootstrap1");
    let rival = node.bake("bootstrap1 --parent head~1");
    assert_ne!(winner, rival);
    let ignored = running.wait_for("ignore_head.v0", |_| true);
    assert_eq!(ignored, json!({ "view": { "hash": rival }, "level": 2 }));
    assert_eq!(head(node.rpc), winner);
    let fitter = node.bake("bootstrap2 --parent head~1 --round 1");
    running.wait_for("branch_switch.v0", |value| value["view"]["hash"] == fitter);
}

#[test]
fn a_restarted_node_catches_up_and_passes_on_what_it_learns() {
    let world = World::new();
    let [first, middle, last] = ["first", "middle", "last"].map(|name| world.node(name));
    let running = [first.run(), middle.run(), last.run()];
    first.connect(&middle);
    middle.connect(&last);
    first.activate();
    reaches(&running[2], 1);
    let [_running, middle_running, last_running] = running;
    assert_eq!(last_running.terminate(), Some(127));
    for _ in 0..12 {
        first.bake("bootstrap1");
    }
    reaches(&middle_running, 13);
    let last_running = last.run();
    // Its peer remembers it and dials until it is trusted again.
    last.admin(&format!("trust address 127.0.0.1:{}", middle.net));
    reaches(&last_running, 13);
    let tip = first.bake("bootstrap2");
    reaches(&last_running, 14);
    assert_eq!(head(last.rpc), tip);
    let applied = last_running.names();
    let applied = applied.iter().filter(|name| *name == "store_block.v0").count();
    assert_eq!(applied, 13, "only what it lacked");
}
