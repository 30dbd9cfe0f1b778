//! What a block's protocol is asked: metadata, constants, committee, votes, and the forging of operations.

use serde_json::{Value, json};

use super::answer::Answer;
use super::server::Call;
use crate::sandbox::hash::{BlockHash, PublicKeyHash};
use crate::sandbox::keys::{DELEGATES, Identity};
use crate::sandbox::node::chain::{Block, Chain};
use crate::sandbox::node::mempool::OPERATIONS_TIME_TO_LIVE;
use crate::sandbox::operation::{Contents, Operation};

/// Lengths that the sandbox parameters of Octez have.
const BLOCKS_PER_CYCLE: u32 = 8;
const BLOCKS_PER_VOTING_PERIOD: u32 = 16;

pub fn answer(chain: &Chain, block: &Block, call: &Call, path: &[&str]) -> Answer {
    if !block.is_protocol_active() {
        return Answer::not_found();
    }
    match path {
        ["context", "constants"] => Answer::Json(constants(block)),
        ["context", "delegates"] => {
            Answer::Json(DELEGATES.iter().map(|delegate| delegate.public_key_hash).collect())
        }
        ["context", "delegates", delegate, "is_forbidden"] => is_forbidden(block, delegate),
        ["votes", "current_period"] => Answer::Json(period(block.level())),
        ["votes", "successor_period"] => Answer::Json(period(block.level().saturating_add(1))),
        ["helpers", "round"] => Answer::Json(json!(block.header.round())),
        ["helpers", "current_level"] => Answer::Json(level_info(block.level())),
        ["helpers", "validators"] => validators(block, call),
        ["minimal_valid_time"] => {
            let earliest = chain.predecessor(block).unwrap_or(chain.genesis()).header.timestamp;
            Answer::Json(crate::sandbox::block::rfc3339(earliest.saturating_add(1)).into())
        }
        _ => Answer::not_found(),
    }
}

/// `POST …/helpers/…`
pub fn post_helper(block: &Block, path: &[&str], body: &Value) -> Answer {
    match path {
        ["forge", "operations"] if block.is_protocol_active() => forge(body),
        _ => Answer::not_found(),
    }
}

/// The bytes that a signer signs: branch and contents, in hexadecimal.
fn forge(body: &Value) -> Answer {
    let Some(branch) = body["branch"].as_str().and_then(|text| text.parse::<BlockHash>().ok())
    else {
        return Answer::bad_body("branch is no block hash");
    };
    let contents = match body["contents"].as_array().map(Vec::as_slice) {
        Some([one]) => Contents::from_json(one),
        _ => None,
    };
    match contents {
        Some(contents) => {
            let operation = Operation::unsigned(branch, contents);
            Answer::Json(hex::encode(operation.unsigned_bytes()).into())
        }
        None => Answer::bad_body("contents is not a list of one operation that the sandbox knows"),
    }
}

/// The constants of Octez's sandbox parameters, overridden by those that the protocol was activated with.
fn constants(block: &Block) -> Value {
    let mut constants = json!({
        "proof_of_work_nonce_size": 8,
        "nonce_length": 32,
        "max_anon_ops_per_block": 132,
        "max_operation_data_length": 32768,
        "max_denunciations_per_block": 132,
        "consensus_rights_delay": 2,
        "blocks_preservation_cycles": 1,
        "delegate_parameters_activation_delay": 3,
        "blocks_per_cycle": BLOCKS_PER_CYCLE,
        "blocks_per_commitment": 4,
        "nonce_revelation_threshold": 4,
        "cycles_per_voting_period": BLOCKS_PER_VOTING_PERIOD / BLOCKS_PER_CYCLE,
        "hard_gas_limit_per_operation": "1040000",
        "hard_gas_limit_per_block": "1386666",
        "proof_of_work_threshold": "-1",
        "minimal_stake": "6000000000",
        "minimal_frozen_stake": "600000000",
        "cost_per_byte": "250",
        "quorum_min": 2000,
        "quorum_max": 7000,
        "min_proposal_quorum": 500,
        "minimal_block_delay": "1",
        "delay_increment_per_round": "1",
        "consensus_committee_size": 256,
        "consensus_threshold_size": 0,
        "max_operations_time_to_live": OPERATIONS_TIME_TO_LIVE,
        "max_slashing_per_block": 10000,
        "max_slashing_threshold": { "numerator": 1, "denominator": 3 },
        "denunciation_period": 1,
        "slashing_delay": 1,
    });
    if let Some(constants) = constants.as_object_mut() {
        let given = block.parameters.iter();
        let given = given.filter(|(name, _)| {
            !name.starts_with("bootstrap_") && !matches!(name.as_str(), "commitments")
        });
        constants.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    }
    constants
}

fn is_forbidden(block: &Block, delegate: &str) -> Answer {
    match delegate.parse::<PublicKeyHash>() {
        Ok(delegate) => {
            let mut offences = block.denounced.iter();
            Answer::Json(offences.any(|offence| offence.delegate == delegate).into())
        }
        Err(error) => Answer::bad_argument("pkh", &error.to_string()),
    }
}

/// The committee of the levels `?level=` (default: the block's own): every delegate has as much power, its slot is its
/// place in the table, and it may bake at any round that is its turn.
fn validators(block: &Block, call: &Call) -> Answer {
    let mut levels = Vec::new();
    for (_, value) in call.query.iter().filter(|(name, _)| name == "level") {
        match value.parse::<i32>().map(u32::try_from) {
            Ok(Ok(level)) => levels.push(level),
            _ => return Answer::bad_query("level is no level"),
        }
    }
    if levels.is_empty() {
        levels.push(block.level());
    }
    let wanted = |delegate: &Identity| {
        let mut named = call.query.iter().filter(|(name, _)| name == "delegates").peekable();
        named.peek().is_none() || named.any(|(_, pkh)| pkh == delegate.public_key_hash)
    };
    let committee = |level: &u32| {
        let delegates = DELEGATES.iter().enumerate().filter(|(_, delegate)| wanted(delegate));
        json!({
            "level": level,
            "consensus_threshold": "0",
            "consensus_committee": "256",
            "all_bakers_attest_activated": false,
            "delegates": delegates.map(|(slot, delegate)| seat(slot, delegate)).collect::<Value>(),
        })
    };
    Answer::Json(levels.iter().map(committee).collect())
}

fn seat(slot: usize, delegate: &Identity) -> Value {
    /// How many rounds are listed for each delegate.
    const ROUNDS: usize = 50;
    let rounds: Vec<usize> = (slot..ROUNDS * DELEGATES.len()).step_by(DELEGATES.len()).collect();
    json!({
        "delegate": delegate.public_key_hash,
        "rounds": rounds,
        "consensus_key": delegate.public_key_hash,
        "attesting_power": ROUNDS.to_string(),
        "attestation_slot": slot,
    })
}

fn level_info(level: u32) -> Value {
    let position = level.saturating_sub(1);
    json!({
        "level": level,
        "level_position": position,
        "cycle": position / BLOCKS_PER_CYCLE,
        "cycle_position": position % BLOCKS_PER_CYCLE,
        "expected_commitment": false,
    })
}

fn period(level: u32) -> Value {
    let position = level.saturating_sub(1);
    let index = position / BLOCKS_PER_VOTING_PERIOD;
    let within = position % BLOCKS_PER_VOTING_PERIOD;
    json!({
        "voting_period": {
            "index": index,
            "kind": "proposal",
            "start_position": index * BLOCKS_PER_VOTING_PERIOD,
        },
        "position": within,
        "remaining": BLOCKS_PER_VOTING_PERIOD - 1 - within,
    })
}

/// What a block's application has shown; before a protocol is active, only which protocol that is.
pub fn metadata(block: &Block) -> Value {
    let list = |size: usize, count: usize| json!({ "max_size": size, "max_op": count });
    let mut metadata = json!({
        "protocol": block.protocol,
        "next_protocol": block.next_protocol,
        "test_chain_status": { "status": "not_running" },
        "max_operations_ttl": OPERATIONS_TIME_TO_LIVE,
        "max_operation_data_length": 32768,
        "max_block_header_length": 289,
        "max_operation_list_length": [
            list(4_194_304, 2048), list(32_768, 8192), list(135_168, 132), list(524_288, 4_095),
        ],
    });
    if let Some(baker) = block.baker {
        let pkh = baker.public_key_hash;
        metadata["proposer"] = pkh.into();
        metadata["baker"] = pkh.into();
        metadata["proposer_consensus_key"] = pkh.into();
        metadata["baker_consensus_key"] = pkh.into();
    }
    if block.is_protocol_active() {
        metadata["level_info"] = level_info(block.level());
        metadata["voting_period_info"] = period(block.level());
        metadata["nonce_hash"] = Value::Null;
        metadata["deactivated"] = json!([]);
        metadata["balance_updates"] = json!([]);
        metadata["liquidity_baking_toggle_ema"] = json!(0);
        metadata["consumed_milligas"] = json!("0");
    }
    metadata
}
