use std::sync::Arc;

use super::*;
use crate::sandbox::hash::PayloadHash;
use crate::sandbox::keys::DELEGATES;
use crate::sandbox::node::chain::Adoption;
use crate::sandbox::node::chain::tests::{Forge, double_baking};
use crate::sandbox::operation::Contents;

/// A chain at level 3 with a rival of its level-2 block, and two evidences of that.
struct Scene {
    chain: Chain,
    forge: Forge,
    first: Arc<Block>,
    evidence: Operation,
    same_offence: Operation,
}

fn scene() -> Scene {
    let forge = Forge::default();
    let mut chain = Chain::sandbox();
    forge.chain(&mut chain, &[&DELEGATES[0], &DELEGATES[1]]);
    let first = Arc::clone(chain.resolve(&"1".parse().unwrap()).unwrap());
    let second = Arc::clone(chain.resolve(&"2".parse().unwrap()).unwrap());
    let rival = Forge { delay: 1 }.bake(&first, &DELEGATES[0], Vec::new());
    let rival = chain.apply(rival).unwrap().unwrap().0;
    let contents = double_baking(&second.header, &rival.header);
    Scene {
        evidence: Operation::unsigned(first.hash, contents.clone()),
        same_offence: Operation::unsigned(second.hash, contents),
        chain,
        forge,
        first,
    }
}

fn hashes(mempool: &Mempool, class: Class) -> Vec<OperationHash> {
    mempool.of_class(class).map(|pending| pending.hash).collect()
}

fn bake(scene: &mut Scene, mempool: &Mempool) {
    let evidence = mempool.of_class(Class::Validated).map(|op| op.operation.clone()).collect();
    let head = Arc::clone(scene.chain.head());
    let candidate = scene.forge.bake(&head, &DELEGATES[2], evidence);
    scene.chain.apply(candidate).unwrap();
}

#[test]
fn a_denunciation_waits_in_the_mempool_and_leaves_it_with_the_block_that_has_it() {
    let mut scene = scene();
    let mut mempool = Mempool::default();
    let hash = scene.evidence.hash();
    let injected = mempool.inject(&scene.chain, scene.evidence.clone(), false);
    assert_eq!(injected.unwrap(), Injection::Added);
    let again = mempool.inject(&scene.chain, scene.evidence.clone(), false);
    assert_eq!(again.unwrap(), Injection::Known);
    assert_eq!(hashes(&mempool, Class::Validated), [hash]);
    bake(&mut scene, &mempool);
    mempool.flush(&scene.chain, &[]);
    assert_eq!(mempool.iter().count(), 0);
    assert_eq!(scene.chain.head().operations[2][0].hash(), hash);
    let again = mempool.inject(&scene.chain, scene.evidence.clone(), false);
    assert_eq!(again.unwrap(), Injection::Known);
    assert!(mempool.receive(&scene.chain, scene.evidence).is_none());
    assert_eq!(mempool.iter().count(), 0, "what is in a block does not come back");
}

#[test]
fn a_second_evidence_of_one_offence_is_refused_while_pending_and_once_included() {
    let mut scene = scene();
    let mut mempool = Mempool::default();
    mempool.inject(&scene.chain, scene.evidence.clone(), false).unwrap();
    let error = mempool.inject(&scene.chain, scene.same_offence.clone(), false).unwrap_err();
    assert_eq!(error.source, Refusal::Conflict { existing: scene.evidence.hash() });
    assert_eq!(error.trace()[1]["id"], "prevalidation.operation_conflict");
    bake(&mut scene, &mempool);
    mempool.flush(&scene.chain, &[]);
    let error = mempool.inject(&scene.chain, scene.same_offence.clone(), false).unwrap_err();
    assert!(matches!(error.source, Refusal::AlreadyDenounced { level: 2, .. }), "{error:?}");
    assert_eq!(mempool.iter().count(), 0);
}

#[test]
fn an_operation_of_an_abandoned_block_comes_back_and_stays_valid_on_the_new_branch() {
    let mut scene = scene();
    let mut mempool = Mempool::default();
    mempool.inject(&scene.chain, scene.evidence.clone(), false).unwrap();
    bake(&mut scene, &mempool);
    mempool.flush(&scene.chain, &[]);
    let mut tip = Arc::clone(&scene.first);
    let mut adoption = None;
    for _ in 0..4 {
        let candidate = scene.forge.bake(&tip, &DELEGATES[3], Vec::new());
        let (block, adopted) = scene.chain.apply(candidate).unwrap().unwrap();
        (tip, adoption) = (block, Some(adopted));
    }
    let Some(Adoption::Switch { abandoned }) = adoption else { panic!("the longer branch wins") };
    mempool.flush(&scene.chain, &abandoned);
    assert_eq!(hashes(&mempool, Class::Validated), [scene.evidence.hash()]);
}

#[test]
fn an_operation_whose_branch_left_the_chain_is_refused_for_its_branch() {
    let mut scene = scene();
    let mut mempool = Mempool::default();
    mempool.inject(&scene.chain, scene.same_offence.clone(), false).unwrap();
    let mut tip = Arc::clone(&scene.first);
    for _ in 0..3 {
        let candidate = scene.forge.bake(&tip, &DELEGATES[3], Vec::new());
        tip = scene.chain.apply(candidate).unwrap().unwrap().0;
    }
    mempool.flush(&scene.chain, &[]);
    assert_eq!(hashes(&mempool, Class::BranchRefused), [scene.same_offence.hash()]);
    let listed = mempool.iter().next().unwrap().to_json(None);
    assert_eq!(listed["error"][0]["kind"], "branch");
}

#[test]
fn votes_are_sorted_by_level_signature_and_conflict() {
    let scene = scene();
    let head = scene.chain.head().hash;
    let mut mempool = Mempool::default();
    let vote = |level, payload| {
        let payload_hash = PayloadHash([payload; 32]);
        let vote = Vote { slot: 0, level, round: 0, payload_hash };
        Operation::signed(head, Contents::Attestation(vote), &DELEGATES[0])
    };
    let cases = [
        (vote(3, 1), Class::Validated),
        (vote(3, 2), Class::BranchDelayed),
        (vote(4, 1), Class::Validated),
        (vote(2, 1), Class::Validated),
        (vote(1, 1), Class::Outdated),
        (vote(5, 1), Class::BranchDelayed),
        (Operation::unsigned(head, vote(3, 9).contents), Class::Refused),
    ];
    for (operation, class) in cases {
        assert_eq!(mempool.receive(&scene.chain, operation).unwrap().class(), class);
    }
    assert!(mempool.inject(&scene.chain, vote(3, 3), false).is_err());
    assert_eq!(mempool.inject(&scene.chain, vote(3, 3), true).unwrap(), Injection::Added);
}

#[test]
fn nothing_is_valid_before_a_protocol_is_active() {
    let scene = scene();
    let genesis = Chain::sandbox();
    let error = Mempool::default().inject(&genesis, scene.evidence, false).unwrap_err();
    assert_eq!(error.source, Refusal::NoProtocol);
}

#[test]
fn who_is_forbidden_has_no_vote() {
    let mut scene = scene();
    let mut mempool = Mempool::default();
    mempool.inject(&scene.chain, scene.evidence.clone(), false).unwrap();
    bake(&mut scene, &mempool);
    mempool.flush(&scene.chain, &[]);
    let head = scene.chain.head();
    let payload_hash = PayloadHash([1; 32]);
    let vote = Vote { slot: 0, level: head.level(), round: 0, payload_hash };
    let vote = |voter| Operation::signed(head.hash, Contents::Attestation(vote), voter);
    let error = mempool.inject(&scene.chain, vote(&DELEGATES[0]), false).unwrap_err();
    assert_eq!(error.source, Refusal::ForbiddenDelegate { delegate: DELEGATES[0].pkh() });
    assert_eq!(error.trace()[1]["id"], "validate.temporarily_forbidden_delegate");
    assert!(mempool.inject(&scene.chain, vote(&DELEGATES[1]), false).is_ok());
}
