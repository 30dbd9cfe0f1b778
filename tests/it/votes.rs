//! What a test makes a client vote for and inject, and how a refusal is told.

use tribunal::harness::ClientError;
use tribunal::octez::{VoteKind, VoteOptions};

use crate::support::{TIMEOUT, with_harness};

#[test]
fn a_client_votes_as_it_is_told_and_a_refusal_is_an_error_of_its_own() {
    with_harness(|harness| async move {
        let node = harness.node("node").synchronisation_threshold(0).init().await.unwrap();
        let client = harness.client(&node);
        client.activate().await.unwrap();
        let accuser = harness.accuser("accuser", &node).init().await.unwrap();
        client.bake_for("bootstrap1").await.unwrap();
        let tip = client.bake_for("bootstrap1").await.unwrap();

        // What is not told is that of the block.
        let honest = client.attest_for("bootstrap2").await.unwrap();
        let header = node.get(&format!("/chains/main/blocks/{}/header", tip.hash)).await.unwrap();
        assert_eq!((honest.level, honest.round), (Some(tip.level), Some(0)));
        assert_eq!(honest.payload.as_deref(), header["payload_hash"].as_str());

        // Told not to force, it is refused a second vote in the same slot; forced, it is not.
        let mut double = VoteOptions::new(VoteKind::Attestation, "bootstrap2");
        double.payload = Some("head~1".to_owned());
        double.forced = false;
        let refused = client.vote_with(&double, TIMEOUT).await.unwrap_err();
        assert!(
            matches!(&refused, ClientError::Refused { text } if text.contains(&honest.hash)),
            "{refused:?}"
        );
        double.forced = true;
        let second = client.vote_with(&double, TIMEOUT).await.unwrap();
        assert_eq!(second.slot, honest.slot);
        assert_ne!(second.payload, honest.payload);
        let other = client.preattest_for("bootstrap2").await.unwrap();
        assert_ne!(other.hash, honest.hash);

        // The accuser's evidence is an operation like any other.
        let denounced = accuser.wait_for("double_attestation_denounced.v0");
        let evidence = denounced.since(accuser.first().unwrap()).within(TIMEOUT).await.unwrap();
        let bytes = evidence.value["bytes"].as_str().unwrap();
        let hash = client.inject(bytes, TIMEOUT).await.unwrap();
        assert_eq!(evidence.value["hash"], *hash);
        let broken = client.inject("00", TIMEOUT).await.unwrap_err();
        assert!(matches!(broken, ClientError::Refused { .. }), "{broken:?}");

        // A node that is not there refuses nothing.
        node.kill().await.unwrap();
        let nobody = client.attest_for("bootstrap3").await.unwrap_err();
        assert!(matches!(nobody, ClientError::Rpc(_)), "{nobody:?}");
        let nobody = client.inject(bytes, TIMEOUT).await.unwrap_err();
        assert!(matches!(nobody, ClientError::Rpc(_)), "{nobody:?}");
    });
}
