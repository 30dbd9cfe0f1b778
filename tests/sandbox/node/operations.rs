//! Operations on their way: injection, the mempools of peers, and the block that includes them.

use serde_json::{Value, json};

use crate::http::{Stream, get, json as call, request};
use crate::support::{Node, World};

const PENDING: &str = "/chains/main/mempool/pending_operations?version=2";

fn validated(node: &Node<'_>) -> Vec<Value> {
    let list = get(node.rpc, PENDING)["validated"].as_array().unwrap().clone();
    list.into_iter().map(|operation| operation["hash"].clone()).collect()
}

/// Two blocks of bootstrap1 at level 2.
fn double_bake(node: &Node<'_>) -> [String; 2] {
    [node.bake("bootstrap1"), node.bake("bootstrap1 --parent head~1")]
}

/// The evidence of these blocks in hexadecimal, unsigned as an accuser's, on this branch.
fn evidence(node: &Node<'_>, blocks: &[String; 2], branch: &str) -> String {
    let header = |hash: &String| {
        let mut header = get(node.rpc, &format!("/chains/main/blocks/{hash}/header"));
        let fields = header.as_object_mut().unwrap();
        for field in ["protocol", "chain_id", "hash"] {
            fields.remove(field);
        }
        header
    };
    let branch = get(node.rpc, &format!("/chains/main/blocks/{branch}/hash"));
    let contents = json!([{
        "kind": "double_baking_evidence",
        "bh1": header(&blocks[0]),
        "bh2": header(&blocks[1]),
    }]);
    let body = json!({ "branch": branch, "contents": contents }).to_string();
    let path = "/chains/main/blocks/head/helpers/forge/operations";
    let forged = call(node.rpc, "POST", path, &body);
    forged.as_str().unwrap().to_owned() + &"00".repeat(64)
}

fn inject(node: &Node<'_>, bytes: &str) -> (u16, Value) {
    let (status, body) =
        request(node.rpc, "POST", "/injection/operation?chain=main", &json!(bytes).to_string());
    (status, serde_json::from_str(&body).unwrap())
}

#[test]
fn an_injected_denunciation_is_told_streamed_and_included_in_the_next_block() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    node.activate();
    let blocks = double_bake(&node);
    let bytes = evidence(&node, &blocks, "1");
    let mut stream = Stream::open(node.rpc, "/chains/main/mempool/monitor_operations");
    assert_eq!(stream.next(), Some(json!([])));
    let (status, hash) = inject(&node, &bytes);
    assert_eq!(status, 200, "{hash}");
    assert_eq!(running.wait_for("operation_injected.v0", |_| true), hash);
    let request =
        running.wait_for("request_completed_info.v0", |value| value["view"]["request"] == "inject");
    assert_eq!(request["view"]["force"], false);
    assert_eq!(request["view"]["operation"]["data"], bytes[64..]);
    let item = stream.next().unwrap();
    assert_eq!(item[0]["hash"], hash);
    assert_eq!(item[0]["contents"][0]["kind"], "double_baking_evidence");
    assert_eq!(validated(&node), std::slice::from_ref(&hash));

    node.bake("bootstrap3");
    assert_eq!(stream.next(), None, "the stream ends with the head");
    assert_eq!(validated(&node), Vec::<Value>::new());
    let path = "/chains/main/blocks/head/operation_hashes";
    assert_eq!(get(node.rpc, path), json!([[], [], [hash], []]));
    let operation = get(node.rpc, "/chains/main/blocks/head/operations/2/0");
    assert_eq!(operation["contents"][0]["bh1"]["level"], 2);
    let forbidden = "/chains/main/blocks/head/context/delegates/\
                     tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx/is_forbidden";
    assert_eq!(get(node.rpc, forbidden), true);
}

#[test]
fn the_same_operation_is_taken_twice_and_another_of_the_same_offence_never() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    node.activate();
    let blocks = double_bake(&node);
    let bytes = evidence(&node, &blocks, "1");
    let other_branch = evidence(&node, &blocks, "head");
    let (_, hash) = inject(&node, &bytes);
    assert_eq!(inject(&node, &bytes), (200, hash.clone()));
    let (status, trace) = inject(&node, &other_branch);
    assert_eq!(status, 500);
    assert!(trace[0]["msg"].as_str().unwrap().starts_with("Error while applying operation o"));
    assert_eq!(trace[1]["id"], "prevalidation.operation_conflict");
    running.wait_for("request_failed.v0", |value| value["view"]["request"] == "inject");
    assert_eq!(validated(&node), [hash]);
    node.bake("bootstrap3");
    let (status, trace) = inject(&node, &other_branch);
    assert_eq!((status, &trace[1]["kind"]), (500, &json!("branch")));
}

#[test]
fn operations_reach_peers_when_they_connect_and_when_they_come() {
    let world = World::new();
    let [node, peer] = ["node", "peer"].map(|name| world.node(name));
    let (_running, _peer_running) = (node.run(), peer.run());
    node.activate();
    let first = double_bake(&node);
    let parent = get(node.rpc, "/chains/main/blocks/1/hash");
    let third = node.bake(&format!("bootstrap2 --parent {}", parent.as_str().unwrap()));
    let fourth = node.bake(&format!("bootstrap2 --parent {}", parent.as_str().unwrap()));
    let (_, early) = inject(&node, &evidence(&node, &first, "1"));
    let mut stream = Stream::open(peer.rpc, "/monitor/heads/main");
    stream.next();
    node.connect(&peer);
    while stream.next().is_some_and(|head| head["level"] != 2) {}
    let (_, late) = inject(&node, &evidence(&node, &[third, fourth], "1"));

    // One stream may end with the head that comes with the connection; another begins where it stopped.
    let mut seen: Vec<Value> = Vec::new();
    while ![&early, &late].iter().all(|hash| seen.contains(hash)) {
        let path = "/chains/main/mempool/monitor_operations";
        let mut stream = Stream::open(peer.rpc, path);
        while let Some(item) = stream.next() {
            seen.extend(item.as_array().unwrap().iter().map(|operation| operation["hash"].clone()));
            if [&early, &late].iter().all(|hash| seen.contains(hash)) {
                break;
            }
        }
    }
    let block = peer.bake("bootstrap4");
    let path = format!("/chains/main/blocks/{block}/operation_hashes/2");
    assert_eq!(get(peer.rpc, &path).as_array().unwrap().len(), 2);
}

#[test]
fn votes_that_a_client_forces_are_listed_by_class() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    node.bake("bootstrap1");
    node.client("attest for bootstrap1 --force");
    node.client("attest for bootstrap1 --force --payload head~0 --level 9");
    let pending = get(node.rpc, PENDING);
    assert_eq!(pending["validated"][0]["contents"][0]["kind"], "attestation");
    let delayed = &pending["branch_delayed"][0];
    assert_eq!(delayed["error"][0]["id"], "validate.consensus_operation_for_future_level");
    let listed = get(node.rpc, &format!("{PENDING}&branch_delayed=false"));
    assert_eq!(listed["branch_delayed"], json!([]));
    node.bake("bootstrap2");
    assert_eq!(get(node.rpc, "/chains/main/blocks/head/operations/0").as_array().unwrap().len(), 1);
}
