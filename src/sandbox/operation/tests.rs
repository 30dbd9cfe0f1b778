use super::*;
use crate::sandbox::block::{Contents as BlockContents, Fitness, PASSES, operations_hash};
use crate::sandbox::hash::ContextHash;
use crate::sandbox::keys::DELEGATES;

/// The denunciations in Octez's own regression files, with the signature an accuser puts there.
const DOUBLE_BAKING: &str = "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a803000000f100000533010e5751c026e5\
43b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8000000005e9dcbb00442e9bc4583d4f9fa6ba422733f\
45d3a44397141a953d2237bf8df62e5046eef700000011000000010100000008000000000000000a4c7319284b55068b\
b7c4e0b9f8585729db7fb27ab4ca9cff2038a1fc324f650c000000000000000000000000000000000000000000000000\
000000000000000000000000101895ca00000000000166804fe735e06e97e26da8236b6341b91c625d5e82b3524ec0a8\
8cc982365e70f8a5b9bc65df2ea6d21ee244cc3a96fb33031c394c78b1179ff1b8a44237740c000000f100000533010e\
5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8000000005e9dcbb00442e9bc4583d4f9fa\
6ba422733f45d3a44397141a953d2237bf8df62e5046eef700000011000000010100000008000000000000000a4c7319\
284b55068bb7c4e0b9f8585729db7fb27ab4ca9cff2038a1fc324f650c00000000000000000000000000000000000000\
0000000000000000000000000000000000101895ca00000000000166804fe735e06e97e26da8236b6341b91c625d5e82\
b3524ec0a88cc982365e70f8a5b9bc65df2ea6d21ee244cc3a96fb33031c394c78b1179ff1b8a44237740c0000000000\
000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
0000000000000000000000";
const DOUBLE_CONSENSUS: &str = "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a80200000000008b0e5751c026e543b2e8\
ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a815000000000533000000000000000000000000000000000000\
00000000000000000000000000000000000066804fe735e06e97e26da8236b6341b91c625d5e82b3524ec0a88cc98236\
5e70f8a5b9bc65df2ea6d21ee244cc3a96fb33031c394c78b1179ff1b8a44237740c0000008b0e5751c026e543b2e8ab\
2eb06099daa1d1e5df47778f7787faab45cdf12fe3a81400000000053300000000000000000000000000000000000000\
000000000000000000000000000000000066804fe735e06e97e26da8236b6341b91c625d5e82b3524ec0a88cc982365e\
70f8a5b9bc65df2ea6d21ee244cc3a96fb33031c394c78b1179ff1b8a44237740c000000000000000000000000000000\
000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
00";

fn header(timestamp: i64, level: u32, baker: &Identity) -> Header {
    let contents = BlockContents {
        payload_hash: PayloadHash([1; 32]),
        payload_round: 0,
        proof_of_work_nonce: [2; 8],
        seed_nonce_hash: None,
        per_block_votes: BlockContents::PASS,
        signature: Signature::ZERO,
    };
    Header {
        level,
        proto: 1,
        predecessor: BlockHash([3; 32]),
        timestamp,
        validation_pass: 4,
        operations_hash: operations_hash(&vec![Vec::new(); PASSES]),
        fitness: Fitness::tenderbake(level, None, 0, 0),
        context: ContextHash([4; 32]),
        protocol_data: contents.encode(),
    }
    .signed_by(baker)
}

fn attestation(level: u32, payload: u8, branch: u8, signer: &Identity) -> Operation {
    let vote = Vote { slot: 0, level, round: 0, payload_hash: PayloadHash([payload; 32]) };
    Operation::signed(BlockHash([branch; 32]), Contents::Attestation(vote), signer)
}

fn double_baking(bh1: &Header, bh2: &Header) -> Contents {
    Contents::DoubleBaking { bh1: Box::new(bh1.clone()), bh2: Box::new(bh2.clone()) }
}

fn double_consensus(op1: &Operation, op2: &Operation) -> Contents {
    Contents::DoubleConsensus { slot: 0, op1: Box::new(op1.clone()), op2: Box::new(op2.clone()) }
}

fn accusation(contents: Contents) -> Option<Offence> {
    Operation::unsigned(BlockHash([9; 32]), contents).offence()
}

#[test]
fn denunciations_of_octez_are_read_and_written_byte_for_byte() {
    for (bytes, hash) in [
        (DOUBLE_BAKING, "onhoVNcdRFr5fJjHmp5Y597w87vcwyKVTdMSVqtbmvxRknmPin4"),
        (DOUBLE_CONSENSUS, "ooQdtKpVFGeXTxn7Mg8m1x8ci6zmReHUXFUdjZT5kB2DymmujRn"),
    ] {
        let operation = Operation::from_hex(bytes).unwrap();
        assert_eq!(operation.to_hex(), bytes);
        assert_eq!(operation.hash().to_string(), hash);
        assert_eq!(operation.pass(), 2);
        let json = operation.contents.to_json();
        assert_eq!(Contents::from_json(&json), Some(operation.contents));
    }
}

#[test]
fn cut_or_lengthened_operations_are_refused() {
    for text in [DOUBLE_BAKING, DOUBLE_CONSENSUS] {
        let bytes = hex::decode(text).unwrap();
        for end in 0..bytes.len() {
            assert!(Operation::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(
            Operation::decode(&longer),
            Err(DecodeError::Trailing { what: "operation", left: 1 })
        );
    }
    assert_eq!(Operation::from_hex("zz"), Err(DecodeError::NotHex { what: "operation" }));
}

#[test]
fn evidence_within_evidence_is_refused_at_any_depth() {
    let mut bytes = hex::decode(DOUBLE_CONSENSUS).unwrap();
    for _ in 0..1000 {
        let mut outer = vec![0; BlockHash::SIZE];
        outer.push(TAG_DOUBLE_CONSENSUS);
        outer.extend_from_slice(&[0, 0]);
        put_sized(&mut outer, &bytes);
        put_sized(&mut outer, &[]);
        outer.extend_from_slice(Signature::ZERO.as_ref());
        bytes = outer;
    }
    let what = "operation contents";
    assert_eq!(
        Operation::decode(&bytes),
        Err(DecodeError::UnknownTag { what, tag: TAG_DOUBLE_CONSENSUS })
    );
}

#[test]
fn two_blocks_of_one_baker_at_one_level_are_an_offence() {
    let (one, other) = (header(1, 3, &DELEGATES[0]), header(2, 3, &DELEGATES[0]));
    let offence = accusation(double_baking(&one, &other)).unwrap();
    assert_eq!((offence.level, offence.delegate), (3, DELEGATES[0].pkh()));
    assert_eq!(accusation(double_baking(&other, &one)), Some(offence), "in either order");
    assert_eq!(accusation(double_baking(&one, &one)), None);
    assert_eq!(accusation(double_baking(&one, &header(2, 3, &DELEGATES[1]))), None);
    assert_eq!(accusation(double_baking(&one, &header(2, 4, &DELEGATES[0]))), None);
}

#[test]
fn two_attestations_of_one_slot_are_an_offence_when_payload_or_branch_differ() {
    let first = attestation(5, 1, 1, &DELEGATES[0]);
    let expected = Offence {
        level: 5,
        round: 0,
        delegate: DELEGATES[0].pkh(),
        vote: Some(VoteKind::Attestation),
    };
    for second in [attestation(5, 2, 1, &DELEGATES[0]), attestation(5, 1, 2, &DELEGATES[0])] {
        assert_eq!(accusation(double_consensus(&first, &second)), Some(expected.clone()));
    }
    for second in
        [first.clone(), attestation(5, 2, 1, &DELEGATES[1]), attestation(6, 2, 1, &DELEGATES[0])]
    {
        assert_eq!(accusation(double_consensus(&first, &second)), None);
    }
}

#[test]
fn the_raw_form_is_branch_and_the_bytes_after_it() {
    let operation = attestation(5, 1, 7, &DELEGATES[2]);
    let raw = operation.raw_json();
    assert_eq!(raw["branch"], BlockHash([7; 32]).to_string());
    let data = raw["data"].as_str().unwrap();
    assert_eq!(operation.to_hex(), format!("{}{data}", "07".repeat(32)));
}
