//! The story that accusers are for, through the library: a double baking on two branches, found, denounced, included.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use serde_json::Value;
use tribunal::daemon::ExitStatus;
use tribunal::harness::{Grace, Harness, Node};

use crate::support::{TIMEOUT, with_harness};

async fn private_node(harness: &Harness, name: &str) -> Node {
    let node = harness.node(name).synchronisation_threshold(0).private_mode(true);
    node.init().await.unwrap()
}

async fn run_again(node: &Node) {
    node.run().await.unwrap();
    node.wait_for_ready().await.unwrap();
}

fn hashes(operations: &Value) -> Vec<&str> {
    let operations = operations.as_array().into_iter().flatten();
    operations.filter_map(|operation| operation["hash"].as_str()).collect()
}

#[test]
fn a_double_baking_on_two_branches_is_denounced_and_the_denunciation_enters_a_block() {
    with_harness(|harness| async move {
        // One chain, which the second node leaves at level 1.
        let (node1, node2) =
            tokio::join!(private_node(&harness, "node1"), private_node(&harness, "node2"));
        let [client1, client2] = [&node1, &node2].map(|node| harness.client(node));
        harness.connect(&[node1.clone(), node2.clone()], TIMEOUT).await.unwrap();
        client1.activate().await.unwrap();
        let (one, two) = tokio::join!(node1.wait_for_level(1), node2.wait_for_level(1));
        assert_eq!((one.unwrap(), two.unwrap()), (1, 1));
        node2.terminate(Grace::default()).await.unwrap();

        // The first branch reaches level 4, the second one level 3; bootstrap1 bakes level 3 on both.
        for _ in 0..3 {
            client1.bake_for("bootstrap1").await.unwrap();
        }
        node1.wait_for_level(4).await.unwrap();
        node1.terminate(Grace::default()).await.unwrap();
        run_again(&node2).await;
        client2.bake_for("bootstrap2").await.unwrap();
        let second_branch = client2.bake_for("bootstrap1").await.unwrap();
        assert_eq!(second_branch.level, 3);

        // The accuser's node meets the second branch, then the first.
        let node3 = private_node(&harness, "node3").await;
        let client3 = harness.client(&node3);
        client3.activate().await.unwrap();
        let accuser = harness.accuser("accuser", &node3).init().await.unwrap();
        let denounced = accuser
            .wait_for("double_baking_denounced.v0")
            .filter_map(|event| event.value["hash"].as_str().map(str::to_owned));
        let injected = node3.wait_for("request_completed_info.v0");
        let injected = injected.matching(r#"view.request == "inject""#).unwrap();
        harness.connect(&[node2.clone(), node3.clone()], TIMEOUT).await.unwrap();
        node3.wait_for_level(3).await.unwrap();
        let seen = accuser.wait_for("accuser_processed_block.v0").since(accuser.first().unwrap());
        let seen = seen.matching(&format!("self == {:?}", second_branch.hash)).unwrap();
        seen.within(TIMEOUT).await.unwrap();
        run_again(&node1).await;
        harness.connect(&[node1.clone(), node3.clone()], TIMEOUT).await.unwrap();
        node3.wait_for_level(4).await.unwrap();

        // The denunciation is in the mempool.
        injected.within(TIMEOUT).await.unwrap();
        let denunciation = denounced.within(TIMEOUT).await.unwrap();
        let pending = "/chains/main/mempool/pending_operations?version=2";
        let pending = node3.get(pending).await.unwrap();
        assert_eq!(hashes(&pending["validated"]), [denunciation.as_str()]);

        // And then in everybody's next block, among the anonymous operations.
        client3.bake_for("bootstrap1").await.unwrap();
        for node in [&node1, &node2, &node3] {
            node.wait_for_level(5).await.unwrap();
        }
        let operations = node1.get("/chains/main/blocks/head/operations").await.unwrap();
        assert_eq!(hashes(&operations[2]), [denunciation.as_str()]);
        let done = accuser.terminate(Grace::default()).await.unwrap().unwrap();
        assert_eq!(done.exit.unwrap().status, ExitStatus::Code(127));
    });
}
