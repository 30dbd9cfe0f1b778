use super::*;
use crate::sandbox::block::{Activation, Contents as BlockContents, PASSES, context_after};
use crate::sandbox::hash::{OperationHash, PayloadHash, Signature};
use crate::sandbox::keys::{ACTIVATOR, DELEGATES};
use crate::sandbox::operation::{Contents, Vote};

impl Chain {
    /// Checks a block against its predecessor and applies it; the head may change. A known block is `Ok(None)`.
    pub fn apply(
        &mut self,
        candidate: Candidate,
    ) -> Result<Option<(Arc<Block>, Adoption)>, InvalidBlock> {
        let checked = self.check(candidate)?;
        Ok(checked.map(|block| (Arc::clone(&block), self.add(block))))
    }
}

/// Makes valid blocks for tests.
#[derive(Debug, Default)]
pub struct Forge {
    /// Distinguishes its blocks from those of other forges.
    pub delay: i64,
}

impl Forge {
    pub fn activation(&self, genesis: &Block) -> Candidate {
        let fitness = Fitness(vec![vec![0], 1_u64.to_be_bytes().to_vec()]);
        let activation = Activation {
            protocol: "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY".parse().unwrap(),
            fitness: fitness.clone(),
            parameters: b"{}".to_vec(),
            signature: Signature::ZERO,
        };
        let header = Header {
            level: 1,
            proto: 1,
            predecessor: genesis.hash,
            timestamp: genesis.header.timestamp + 1 + self.delay,
            validation_pass: 0,
            operations_hash: operations_hash(&[]),
            fitness,
            context: ContextHash([1; 32]),
            protocol_data: activation.encode(),
        };
        Candidate { header: header.signed_by(&ACTIVATOR), operations: Vec::new() }
    }

    pub fn bake(&self, on: &Block, baker: &Identity, evidence: Vec<Operation>) -> Candidate {
        self.bake_at_round(on, baker, 0, evidence)
    }

    pub fn bake_at_round(
        &self,
        on: &Block,
        baker: &Identity,
        round: u32,
        evidence: Vec<Operation>,
    ) -> Candidate {
        let payload: Vec<OperationHash> = evidence.iter().map(Operation::hash).collect();
        let mut operations = vec![Vec::new(); PASSES];
        operations[2] = evidence;
        let mut hashes = vec![Vec::new(); PASSES];
        hashes[2].clone_from(&payload);
        let operations_hash = operations_hash(&hashes);
        let contents = BlockContents {
            payload_hash: PayloadHash::of(&on.hash, round, &payload),
            payload_round: round,
            proof_of_work_nonce: [0; 8],
            seed_nonce_hash: None,
            per_block_votes: BlockContents::PASS,
            signature: Signature::ZERO,
        };
        let header = Header {
            level: on.level() + 1,
            proto: 1,
            predecessor: on.hash,
            timestamp: on.header.timestamp + 1 + self.delay,
            validation_pass: 4,
            operations_hash,
            fitness: Fitness::tenderbake(on.level() + 1, None, on.header.round(), round),
            context: context_after(&on.header.context, &operations_hash),
            protocol_data: contents.encode(),
        };
        Candidate { header: header.signed_by(baker), operations }
    }

    /// Activates on genesis and bakes one block by each of these, applying them all.
    pub fn chain(&self, chain: &mut Chain, bakers: &[&Identity]) -> Vec<Candidate> {
        let mut made = vec![self.activation(chain.genesis())];
        let (mut tip, _) = chain.apply(made[0].clone()).unwrap().unwrap();
        for baker in bakers {
            made.push(self.bake(&tip, baker, Vec::new()));
            (tip, _) = chain.apply(made[made.len() - 1].clone()).unwrap().unwrap();
        }
        made
    }
}

/// The evidence of these two headers.
pub fn double_baking(bh1: &Header, bh2: &Header) -> Contents {
    Contents::DoubleBaking { bh1: Box::new(bh1.clone()), bh2: Box::new(bh2.clone()) }
}

fn apply(chain: &mut Chain, candidate: Candidate) -> (Arc<Block>, Adoption) {
    chain.apply(candidate).unwrap().unwrap()
}

/// Level 1 shared; bootstrap1 bakes levels 2 and 3 twice, on two branches.
fn fork() -> (Chain, Vec<Candidate>, Arc<Block>) {
    let forge = Forge::default();
    let mut chain = Chain::sandbox();
    let first = apply(&mut chain, forge.activation(&Chain::sandbox().genesis)).0;
    let mut other = Chain::sandbox();
    apply(&mut other, forge.activation(&Chain::sandbox().genesis));
    let mut rivals = Vec::new();
    let mut tip = Arc::clone(&first);
    for baker in [&DELEGATES[1], &DELEGATES[0], &DELEGATES[0]] {
        let rival = forge.bake(&tip, baker, Vec::new());
        rivals.push(rival.clone());
        tip = apply(&mut other, rival).0;
    }
    let mut tip = Arc::clone(&first);
    for baker in [&DELEGATES[0], &DELEGATES[0]] {
        tip = apply(&mut chain, forge.bake(&tip, baker, Vec::new())).0;
    }
    (chain, rivals, first)
}

#[test]
fn a_fitter_branch_is_adopted_and_its_earlier_blocks_are_ignored_heads() {
    let (mut chain, rivals, _) = fork();
    let old = chain.head().hash;
    assert!(matches!(apply(&mut chain, rivals[0].clone()).1, Adoption::Ignored));
    assert!(matches!(apply(&mut chain, rivals[1].clone()).1, Adoption::Ignored));
    let (tip, adoption) = apply(&mut chain, rivals[2].clone());
    let Adoption::Switch { abandoned } = adoption else { panic!("{adoption:?}") };
    assert_eq!(abandoned.iter().map(|block| block.level()).collect::<Vec<_>>(), [3, 2]);
    assert_eq!((chain.head().hash, tip.level()), (tip.hash, 4));
    assert!(chain.get(&old).is_some(), "the abandoned branch stays");
    assert!(chain.apply(rivals[0].clone()).unwrap().is_none(), "a known block changes nothing");
}

#[test]
fn a_later_round_at_the_same_level_is_a_switch_and_an_equal_one_is_ignored() {
    let forge = Forge::default();
    let mut chain = Chain::sandbox();
    forge.chain(&mut chain, &[&DELEGATES[0]]);
    let first = Arc::clone(chain.predecessor(chain.head()).unwrap());
    let equal = forge.bake(&first, &DELEGATES[1], Vec::new());
    assert!(matches!(apply(&mut chain, equal).1, Adoption::Ignored));
    let later = forge.bake_at_round(&first, &DELEGATES[1], 1, Vec::new());
    assert!(matches!(apply(&mut chain, later).1, Adoption::Switch { .. }));
    assert_eq!(chain.head().header.round(), 1);
}

#[test]
fn blocks_are_found_by_name_level_hash_and_distance() {
    let (mut chain, rivals, first) = fork();
    let head = Arc::clone(chain.head());
    let level = |chain: &Chain, name: &str| {
        chain.resolve(&name.parse().unwrap()).map(|block| (block.level(), block.hash))
    };
    assert_eq!(level(&chain, "head"), Some((3, head.hash)));
    assert_eq!(level(&chain, "head~2"), Some((1, first.hash)));
    assert_eq!(level(&chain, "head-2"), Some((1, first.hash)));
    assert_eq!(level(&chain, "1"), Some((1, first.hash)));
    assert_eq!(level(&chain, "genesis+3"), Some((3, head.hash)));
    assert_eq!(level(&chain, &format!("{}~1", head.hash)), Some((2, head.header.predecessor)));
    assert_eq!(level(&chain, "head~4"), None);
    assert_eq!(level(&chain, "7"), None);
    let rival = apply(&mut chain, rivals[0].clone()).0;
    assert_eq!(level(&chain, &rival.hash.to_string()), Some((2, rival.hash)));
    assert_eq!(level(&chain, &format!("{}+1", rival.hash)), None);
    for garbage in ["", "heads", "head~", "head~x", "head~-1", "-1", "B", "head~1~1"] {
        assert!(garbage.parse::<BlockReference>().is_err(), "{garbage}");
    }
}

#[test]
fn a_peer_is_sent_what_it_lacks_and_no_more() {
    let (mut chain, rivals, first) = fork();
    let known = chain.locator();
    assert_eq!(known.first(), Some(&chain.head().hash));
    assert_eq!(known.last(), Some(&chain.genesis().hash));
    let mut tip = None;
    for rival in rivals {
        tip = Some(apply(&mut chain, rival).0.hash);
    }
    let branch = chain.branch_above(&known, &tip.unwrap());
    assert_eq!(branch.iter().map(|block| block.level()).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(branch[0].header.predecessor, first.hash);
    assert_eq!(chain.branch_above(&[], &tip.unwrap()).len(), 4, "genesis is never sent");
    assert!(chain.branch_above(&[], &BlockHash([0; 32])).is_empty());
}

#[test]
fn locators_of_long_chains_stay_short() {
    let forge = Forge::default();
    let mut chain = Chain::sandbox();
    forge.chain(&mut chain, &[&DELEGATES[0]; 200]);
    let locator = chain.locator();
    assert!(locator.len() < 20, "{}", locator.len());
    assert_eq!(locator.last(), Some(&chain.genesis().hash));
}

#[test]
fn forged_blocks_are_refused_with_their_reason() {
    let forge = Forge::default();
    let mut chain = Chain::sandbox();
    forge.chain(&mut chain, &[&DELEGATES[0]]);
    let head = Arc::clone(chain.head());
    let good = forge.bake(&head, &DELEGATES[0], Vec::new());
    let forged = |change: &dyn Fn(&mut Header)| {
        let mut candidate = good.clone();
        change(&mut candidate.header);
        Candidate { header: candidate.header.signed_by(&DELEGATES[0]), ..candidate }
    };
    let cases: [(Candidate, &str); 8] = [
        (forged(&|header| header.level = 9), "level is 9, but 3 was expected"),
        (forged(&|header| header.proto = 2), "proto is 2"),
        (forged(&|header| header.timestamp = 0), "timestamp is 0"),
        (forged(&|header| header.fitness = Fitness::tenderbake(4, None, 0, 0)), "fitness is"),
        (forged(&|header| header.context = ContextHash([9; 32])), "context is"),
        (forged(&|header| header.predecessor = BlockHash([9; 32])), "is unknown"),
        (
            Candidate { header: good.header.clone().signed_by(&ACTIVATOR), ..good.clone() },
            "nobody who may bake",
        ),
        (Candidate { operations: Vec::new(), ..good.clone() }, "validation_pass is 4"),
    ];
    for (candidate, reason) in cases {
        let error = chain.apply(candidate).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
    apply(&mut chain, good);
}

#[test]
fn only_the_activator_activates_and_only_on_genesis() {
    let forge = Forge::default();
    let mut chain = Chain::sandbox();
    let mut stolen = forge.activation(chain.genesis());
    stolen.header = stolen.header.signed_by(&DELEGATES[0]);
    assert!(matches!(chain.apply(stolen), Err(InvalidBlock::NoActivation)));
    apply(&mut chain, forge.activation(&Chain::sandbox().genesis));
    let rival = Forge { delay: 5 }.activation(chain.genesis());
    assert!(matches!(apply(&mut chain, rival).1, Adoption::Ignored));
}

#[test]
fn an_offence_is_denounced_once_on_a_branch() {
    let (mut chain, rivals, first) = fork();
    apply(&mut chain, rivals[0].clone());
    let rival = apply(&mut chain, rivals[1].clone()).0;
    let head = Arc::clone(chain.head());
    let contents = double_baking(&head.header, &rival.header);
    let evidence = Operation::unsigned(first.hash, contents.clone());
    let forge = Forge::default();
    let offence = evidence.offence().unwrap();
    let with = apply(&mut chain, forge.bake(&head, &DELEGATES[1], vec![evidence])).0;
    assert!(with.penalties.knows(&offence) && !head.penalties.knows(&offence));
    let again = Operation::unsigned(head.hash, contents);
    let error = chain.apply(forge.bake(&with, &DELEGATES[1], vec![again])).unwrap_err();
    assert!(error.to_string().contains("denounced before"), "{error}");
    let nothing = double_baking(&head.header, &head.header);
    let nothing = Operation::unsigned(first.hash, nothing);
    let error = chain.apply(forge.bake(&with, &DELEGATES[1], vec![nothing])).unwrap_err();
    assert!(error.to_string().contains("proves nothing"), "{error}");
}

#[test]
fn an_offender_bakes_no_more_and_pays_with_the_last_block_of_the_next_cycle() {
    let (mut chain, rivals, first) = fork();
    apply(&mut chain, rivals[0].clone());
    let rival = apply(&mut chain, rivals[1].clone()).0;
    let head = Arc::clone(chain.head());
    let evidence = Operation::unsigned(first.hash, double_baking(&head.header, &rival.header));
    let hash = evidence.hash();
    let forge = Forge::default();
    // The offender may bake the very block that denounces it.
    let mut tip = apply(&mut chain, forge.bake(&head, &DELEGATES[0], vec![evidence])).0;
    let error = chain.apply(forge.bake(&tip, &DELEGATES[0], Vec::new())).unwrap_err().to_string();
    assert!(error.contains("has committed too many misbehaviours"), "{error}");
    let vote = Vote { slot: 0, level: 4, round: 0, payload_hash: PayloadHash([1; 32]) };
    let vote = Operation::signed(head.hash, Contents::Attestation(vote), &DELEGATES[0]);
    let mut with_its_vote = forge.bake(&tip, &DELEGATES[2], Vec::new());
    let mut hashes = vec![Vec::new(); PASSES];
    hashes[0].push(vote.hash());
    with_its_vote.operations[0].push(vote);
    let header = &mut with_its_vote.header;
    header.operations_hash = operations_hash(&hashes);
    header.context = context_after(&tip.header.context, &header.operations_hash);
    with_its_vote.header = with_its_vote.header.signed_by(&DELEGATES[2]);
    let error = chain.apply(with_its_vote).unwrap_err().to_string();
    assert!(error.contains("has committed too many misbehaviours"), "{error}");
    // Level 4 denounced what was done at level 3, both in cycle 0; cycle 1 ends with level 16.
    for level in 5..=17 {
        assert_eq!(tip.slashes.len(), usize::from(level == 17), "level {}", level - 1);
        if let [slash] = tip.slashes.as_slice() {
            assert_eq!((slash.evidence, slash.punished), (hash, DELEGATES[0].pkh()));
        }
        tip = apply(&mut chain, forge.bake(&tip, &DELEGATES[2], Vec::new())).0;
    }
    assert!(tip.slashes.is_empty(), "once");
}

#[test]
fn a_protocol_change_renumbers_the_migration_block_and_no_other() {
    let forge = Forge::default();
    let mut chain = Chain::sandbox();
    let alpha = protocol::ACTIVE[1].hash.parse().unwrap();
    chain.set_upgrades(Upgrades::at(3, alpha));
    forge.chain(&mut chain, &[&DELEGATES[0]]);
    let head = Arc::clone(chain.head());
    let numbered = |on: &Block, proto: u8| {
        let mut candidate = forge.bake(on, &DELEGATES[0], Vec::new());
        candidate.header.proto = proto;
        Candidate { header: candidate.header.signed_by(&DELEGATES[0]), ..candidate }
    };
    let error = chain.apply(numbered(&head, 1)).unwrap_err().to_string();
    assert!(error.contains("proto is 1, but 2 was expected"), "{error}");
    let migration = apply(&mut chain, numbered(&head, 2)).0;
    assert!(migration.changes_protocol() && migration.next_protocol == alpha);
    let after = apply(&mut chain, numbered(&migration, 2)).0;
    assert_eq!((after.protocol, after.next_protocol), (alpha, alpha));
    // Restored by somebody who agreed on nothing, the blocks are what they were.
    let mut other = Chain::sandbox();
    let candidates = chain.branch_above(&[], &after.hash);
    for block in &candidates {
        let (header, operations) = (block.header.clone(), block.operations.clone());
        let next = block.changes_protocol().then_some(block.next_protocol);
        other.restore(Candidate { header, operations }, next).unwrap();
    }
    assert_eq!(other.head().next_protocol, alpha);
    assert_eq!(other.head().hash, after.hash);
}

#[test]
fn a_block_shows_no_preattestations_but_those_of_its_own_payload_at_an_earlier_round() {
    let forge = Forge::default();
    let mut chain = Chain::sandbox();
    forge.chain(&mut chain, &[&DELEGATES[0]]);
    let head = Arc::clone(chain.head());
    let first = forge.bake(&head, &DELEGATES[0], Vec::new());
    let proposed = BlockContents::decode(&first.header.protocol_data).unwrap().payload_hash;
    // The payload of `first`, at this round of level 3, with a preattestation of that payload hash and round.
    let again = |round: u32, payload_hash: PayloadHash, preattested: u32| {
        let vote = Vote { slot: 1, level: 3, round: preattested, payload_hash };
        let vote = Operation::signed(head.hash, Contents::Preattestation(vote), &DELEGATES[1]);
        let mut candidate = first.clone();
        let mut hashes = vec![Vec::new(); PASSES];
        hashes[0].push(vote.hash());
        candidate.operations[0].push(vote);
        let header = &mut candidate.header;
        header.operations_hash = operations_hash(&hashes);
        header.context = context_after(&head.header.context, &header.operations_hash);
        header.fitness = Fitness::tenderbake(3, Some(0), 0, round);
        Candidate { header: candidate.header.signed_by(&DELEGATES[2]), ..candidate }
    };
    for wrong in [again(0, proposed, 0), again(1, PayloadHash([9; 32]), 0), again(1, proposed, 1)] {
        let error = chain.apply(wrong).unwrap_err().to_string();
        assert!(error.contains("it preattests another proposal"), "{error}");
    }
    let mut unlocked = again(1, proposed, 0);
    unlocked.header.fitness = Fitness::tenderbake(3, None, 0, 1);
    unlocked.header = unlocked.header.signed_by(&DELEGATES[2]);
    let error = chain.apply(unlocked).unwrap_err().to_string();
    assert!(error.contains("fitness is"), "{error}");
    apply(&mut chain, first.clone());
    let reproposed = apply(&mut chain, again(1, proposed, 0)).0;
    assert_eq!(chain.head().hash, reproposed.hash, "a locked round is fitter than none");
}
