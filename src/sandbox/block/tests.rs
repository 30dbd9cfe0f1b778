use super::*;
use crate::sandbox::keys::{ACTIVATOR, DELEGATES};

/// The two headers in Octez's regression bytes of a double baking evidence are one and the same.
const REGRESSION: &str = "00000533010e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\
000000005e9dcbb00442e9bc4583d4f9fa6ba422733f45d3a44397141a953d2237bf8df62e5046eef7000000110000000101\
00000008000000000000000a4c7319284b55068bb7c4e0b9f8585729db7fb27ab4ca9cff2038a1fc324f650c000000000000\
000000000000000000000000000000000000000000000000000000000000101895ca00000000000166804fe735e06e97e26d\
a8236b6341b91c625d5e82b3524ec0a88cc982365e70f8a5b9bc65df2ea6d21ee244cc3a96fb33031c394c78b1179ff1b8a4\
4237740c";

fn baked(level: u32, round: u32) -> Header {
    let contents = Contents {
        payload_hash: PayloadHash([1; 32]),
        payload_round: round,
        proof_of_work_nonce: [2; 8],
        seed_nonce_hash: None,
        per_block_votes: Contents::PASS,
        signature: Signature::ZERO,
    };
    Header {
        level,
        proto: 1,
        predecessor: BlockHash([3; 32]),
        timestamp: 1_787_318_691,
        validation_pass: 4,
        operations_hash: operations_hash(&vec![Vec::new(); PASSES]),
        fitness: Fitness::tenderbake(level, None, 0, round),
        context: ContextHash([4; 32]),
        protocol_data: contents.encode(),
    }
}

#[test]
fn a_header_of_octez_is_read_and_written_byte_for_byte() {
    let header = Header::from_hex(REGRESSION).unwrap();
    assert_eq!(hex::encode(header.encode()), REGRESSION);
    assert_eq!(header.level, 1331);
    assert_eq!(header.fitness.to_json(), json!(["01", "000000000000000a"]));
    assert_eq!(Header::from_json(&header.to_json()), Some(header));
}

#[test]
fn the_header_of_a_block_seen_event_has_the_hash_that_the_event_names() {
    let header = Header::from_json(&json!({
        "level": 2, "proto": 1,
        "predecessor": "BKm9tmJUHAae9DSZx6mwtt9tib32NuuioFmw2zt3xG9jnHGavfz",
        "timestamp": "2026-08-21T13:31:31Z", "validation_pass": 4,
        "operations_hash": "LLoa1rSNUriwRxUTpxnkvG5kKQ5R4JvvbBqg9K1JVwjmk1zpQmbCt",
        "fitness": ["02", "00000002", "", "ffffffff", "00000000"],
        "context": "CoWSq5ue7jDNoFxGaQj8UMtzJ1fGso9P4pcPecdsH1imDdxrrxRt",
        "protocol_data": "3cf2d09da453bbdd6b68d8a1acd5f15ba23ba46d4ff087592b3d319432500a5000000000c2d2f0\
e10000000000002682c826cae74c92c0620c9ab73c7e577a37870b4ce42465a4e63b58ee4d240847ad794fab21848401e2d1dac7\
a530058b0f3c06841fe1bb3c4de5513a3ed90f",
    }))
    .unwrap();
    assert_eq!(Header::decode(&header.encode()), Ok(header.clone()));
    assert_eq!(header.fitness, Fitness::tenderbake(2, None, 0, 0));
}

#[test]
fn the_baker_is_recovered_from_a_signed_header() {
    let header = baked(2, 0).signed_by(&DELEGATES[0]);
    assert_eq!(header.baker(), Some(&DELEGATES[0]));
    let read = Header::from_hex(&hex::encode(header.encode())).unwrap();
    assert_eq!(read.baker(), Some(&DELEGATES[0]));
    assert_eq!(Header { timestamp: 1, ..header }.baker(), None);
    assert_eq!(baked(2, 0).baker(), None);
}

#[test]
fn every_cut_of_a_header_is_an_error_or_an_unsigned_header_but_no_panic() {
    let bytes = baked(7, 1).signed_by(&DELEGATES[1]).encode();
    for end in 0..bytes.len() {
        assert_eq!(Header::decode(&bytes[..end]).ok().and_then(|header| header.baker()), None);
    }
}

#[test]
fn an_activation_is_read_back_and_is_no_tenderbake_block() {
    let activation = Activation {
        protocol: "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY".parse().unwrap(),
        fitness: Fitness(vec![vec![0], vec![0, 0, 0, 1]]),
        parameters: b"{}".to_vec(),
        signature: Signature::ZERO,
    };
    let header = Header { protocol_data: activation.encode(), ..baked(1, 0) }.signed_by(&ACTIVATOR);
    let read = Activation::decode(&header.protocol_data).unwrap();
    assert_eq!(read.protocol, activation.protocol);
    assert_eq!(read.signature, ACTIVATOR.sign(&header.unsigned_bytes()));
    assert_eq!(header.baker(), None);
    assert_eq!(header.to_json()["content"]["command"], "activate");
}

#[test]
fn fitness_grows_with_the_level_then_with_the_round() {
    let genesis = Fitness(Vec::new());
    let first = Fitness::tenderbake(1, None, 0, 0);
    let second = Fitness::tenderbake(2, None, 0, 0);
    let later_round = Fitness::tenderbake(2, None, 0, 1);
    let after_a_late_round = Fitness::tenderbake(2, None, 1, 0);
    assert!(genesis < first && first < second && second < later_round);
    assert!(after_a_late_round < second, "a lower predecessor round is fitter");
    assert_eq!(second.to_json(), json!(["02", "00000002", "", "ffffffff", "00000000"]));
    assert_eq!(later_round.round(), 1);
}

#[test]
fn timestamps_are_printed_and_read_in_utc_seconds() {
    assert_eq!(rfc3339(1_530_374_852), "2018-06-30T16:07:32Z");
    assert_eq!(from_rfc3339("2018-06-30T16:07:32Z"), Some(1_530_374_852));
    assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59Z");
    assert_eq!(rfc3339(-1), "1970-01-01T00:00:00Z");
    assert_eq!(from_rfc3339("yesterday"), None);
}
