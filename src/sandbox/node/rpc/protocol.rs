//! What a block's protocol is asked: metadata, constants, committee, votes, and the forging of operations.

use serde_json::{Value, json};

use super::answer::Answer;
use super::server::Call;
use crate::sandbox::hash::{BlockHash, PublicKeyHash};
use crate::sandbox::keys::{DELEGATES, Identity};
use crate::sandbox::node::chain::penalties::{DOUBLE_BAKING, STAKING_OVER_BAKING, THRESHOLD};
use crate::sandbox::node::chain::{Block, Chain, Cycles, Slash};
use crate::sandbox::node::mempool::OPERATIONS_TIME_TO_LIVE;
use crate::sandbox::operation::{Contents, Operation};

pub fn answer(chain: &Chain, block: &Block, call: &Call, path: &[&str]) -> Answer {
    if !block.is_protocol_active() {
        return Answer::not_found();
    }
    match path {
        ["context", "constants"] => Answer::Json(constants(block)),
        ["context", "delegates"] => {
            Answer::Json(DELEGATES.iter().map(|delegate| delegate.public_key_hash).collect())
        }
        ["context", "delegates", delegate, rest @ ..] => about_delegate(block, delegate, rest),
        ["votes", "current_period"] => Answer::Json(period(block.cycles(), block.level())),
        ["votes", "successor_period"] => {
            Answer::Json(period(block.cycles(), block.level().saturating_add(1)))
        }
        ["helpers", "round"] => Answer::Json(json!(block.header.round())),
        ["helpers", "current_level"] => Answer::Json(level_info(block.cycles(), block.level())),
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
    let cycles = block.cycles();
    let mut constants = json!({
        "proof_of_work_nonce_size": 8,
        "nonce_length": 32,
        "max_anon_ops_per_block": 132,
        "max_operation_data_length": 32768,
        "max_denunciations_per_block": 132,
        "consensus_rights_delay": cycles.consensus_rights_delay,
        "blocks_preservation_cycles": 1,
        "delegate_parameters_activation_delay": 3,
        "blocks_per_cycle": cycles.blocks_per_cycle,
        "blocks_per_commitment": 4,
        "nonce_revelation_threshold": 4,
        "cycles_per_voting_period": cycles.voting_period,
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
        "max_slashing_threshold": { "numerator": THRESHOLD.0, "denominator": THRESHOLD.1 },
        "percentage_of_frozen_deposits_slashed_per_double_baking": DOUBLE_BAKING,
        "global_limit_of_staking_over_baking": STAKING_OVER_BAKING,
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

fn about_delegate(block: &Block, delegate: &str, path: &[&str]) -> Answer {
    let delegate = match delegate.parse::<PublicKeyHash>() {
        Ok(delegate) => delegate,
        Err(error) => return Answer::bad_argument("pkh", &error.to_string()),
    };
    match path {
        ["is_forbidden"] => Answer::Json(block.penalties.is_forbidden(&delegate).into()),
        ["current_frozen_deposits"] => {
            Answer::Json(block.penalties.deposit(&delegate).to_string().into())
        }
        _ => Answer::not_found(),
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
            "delegates": delegates.map(|(slot, delegate)| seat(block, *level, slot, delegate)).collect::<Value>(),
        })
    };
    Answer::Json(levels.iter().map(committee).collect())
}

fn seat(block: &Block, level: u32, slot: usize, delegate: &Identity) -> Value {
    /// How many rounds are listed for each delegate.
    const ROUNDS: usize = 50;
    let rounds: Vec<usize> = (slot..ROUNDS * DELEGATES.len()).step_by(DELEGATES.len()).collect();
    json!({
        "delegate": delegate.public_key_hash,
        "rounds": rounds,
        "consensus_key": block.voters.key(delegate, block.cycles().cycle(level).0),
        "attesting_power": ROUNDS.to_string(),
        "attestation_slot": slot,
    })
}

fn level_info(cycles: Cycles, level: u32) -> Value {
    let (cycle, position) = cycles.cycle(level);
    json!({
        "level": level,
        "level_position": level.saturating_sub(1),
        "cycle": cycle,
        "cycle_position": position,
        "expected_commitment": false,
    })
}

fn period(cycles: Cycles, level: u32) -> Value {
    let length = cycles.blocks_per_voting_period();
    let position = level.saturating_sub(1);
    let (index, within) = (position / length, position % length);
    json!({
        "voting_period": {
            "index": index,
            "kind": "proposal",
            "start_position": index * length,
        },
        "position": within,
        "remaining": length - 1 - within,
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
        metadata["level_info"] = level_info(block.cycles(), block.level());
        metadata["voting_period_info"] = period(block.cycles(), block.level());
        metadata["nonce_hash"] = Value::Null;
        metadata["deactivated"] = json!([]);
        metadata["balance_updates"] =
            block.slashes.iter().flat_map(Slash::balance_updates).collect();
        metadata["liquidity_baking_toggle_ema"] = json!(0);
        metadata["consumed_milligas"] = json!("0");
    }
    metadata
}
