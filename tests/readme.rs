use std::time::Duration;

use tribunal::harness::{Grace, Harness};
use tribunal::octez::BakeOptions;

#[tokio::test]
async fn a_double_baking_is_denounced() -> Result<(), Box<dyn std::error::Error>> {
    let harness = Harness::builder().start().await?;
    let node = harness.node("node").synchronisation_threshold(0).init().await?;
    let client = harness.client(&node);
    let first = client.activate().await?;
    let accuser = harness.accuser("accuser", &node).init().await?;

    // The wait counts from here on, whenever it is awaited.
    let denounced = accuser.wait_for("double_baking_denounced.v0");
    let denounced = denounced.matching(r#"hash.startsWith("o")"#)?;

    // One baker bakes level 2 twice.
    client.bake_for("bootstrap1").await?;
    let again = BakeOptions { parent: Some(first), ..BakeOptions::for_key("bootstrap1") };
    client.bake_with(&again, Duration::from_secs(10)).await?;

    let event = denounced.within(Duration::from_secs(30)).await?;
    let pending = node.get("/chains/main/mempool/pending_operations?version=2").await?;
    assert_eq!(pending["validated"][0]["hash"], event.value["hash"]);

    accuser.terminate(Grace::default()).await?;
    harness.shutdown().await?;
    Ok(())
}
