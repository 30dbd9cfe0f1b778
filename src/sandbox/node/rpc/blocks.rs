//! What a block is asked: `/chains/main/blocks/…`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::protocol;
use super::server::{Call, Services};
use crate::sandbox::hash::ChainId;
use crate::sandbox::keys::Identity;
use crate::sandbox::node::chain::{Block, BlockReference, Chain};
use crate::sandbox::node::mempool::OPERATIONS_TIME_TO_LIVE;
use crate::sandbox::operation::{Contents, Operation, VoteKind};

/// Hashes of the last blocks: `?length=N` of them, head first, as a list of one branch.
pub fn list(services: &Services, call: &Call) -> Answer {
    let Ok(length) = call.query("length").map_or(Ok(1), str::parse) else {
        return Answer::bad_query("length is no number");
    };
    services.chain(|chain| {
        let hashes: Vec<_> =
            chain.ancestry(chain.head()).take(length).map(|block| block.hash).collect();
        Answer::Json(json!([hashes]))
    })
}

pub fn get(services: &Services, call: &Call, block: &str, path: &[&str]) -> Answer {
    with_block(services, block, |chain, block| answer(chain, block, call, path))
}

pub fn post(services: &Services, call: &Call, block: &str, path: &[&str]) -> Answer {
    let body = match call.json() {
        Ok(body) => body,
        Err(bad) => return bad,
    };
    with_block(services, block, |_, block| match path {
        ["helpers", rest @ ..] => protocol::post_helper(block, rest, &body),
        _ => Answer::not_found(),
    })
}

fn with_block(
    services: &Services,
    name: &str,
    look: impl FnOnce(&Chain, &Arc<Block>) -> Answer,
) -> Answer {
    let reference: BlockReference = match name.parse() {
        Ok(reference) => reference,
        Err(error) => return Answer::bad_argument("block_id", &format!("{error}")),
    };
    services.chain(|chain| match chain.resolve(&reference) {
        Some(block) => look(chain, block),
        None => Answer::unknown(&format!("block {name} is unknown")),
    })
}

fn answer(chain: &Chain, block: &Arc<Block>, call: &Call, path: &[&str]) -> Answer {
    match path {
        [] => Answer::Json(block_json(chain.id(), block)),
        ["hash"] => Answer::Json(json!(block.hash)),
        ["header"] => Answer::Json(header_json(chain.id(), block)),
        ["header", "shell"] => Answer::Json(block.header.shell_json()),
        ["header", "raw"] => Answer::Json(hex::encode(block.header.encode()).into()),
        ["header", "protocol_data"] => Answer::Json(protocol_data_json(block)),
        ["header", "protocol_data", "raw"] => {
            Answer::Json(hex::encode(&block.header.protocol_data).into())
        }
        ["protocols"] => Answer::Json(json!({
            "protocol": block.protocol,
            "next_protocol": block.next_protocol,
        })),
        ["metadata"] => Answer::Json(protocol::metadata(block)),
        ["operations"] => Answer::Json(operations_json(chain.id(), block)),
        ["operations", rest @ ..] => at(operations_json(chain.id(), block), rest),
        ["operation_hashes", rest @ ..] => at(operation_hashes(block), rest),
        ["live_blocks"] => {
            let live = chain.ancestry(block).take(OPERATIONS_TIME_TO_LIVE);
            Answer::Json(live.map(|block| json!(block.hash)).collect())
        }
        _ => protocol::answer(chain, block, call, path),
    }
}

/// The element at these indices.
fn at(list: Value, indices: &[&str]) -> Answer {
    let mut value = list;
    for index in indices {
        let Ok(index) = index.parse::<usize>() else {
            return Answer::bad_argument("index", "no number");
        };
        match value.get_mut(index) {
            Some(element) => value = element.take(),
            None => return Answer::unknown("no such operation"),
        }
    }
    Answer::Json(value)
}

fn header_json(chain: ChainId, block: &Block) -> Value {
    let mut json = Map::new();
    json.insert("protocol".into(), json!(block.protocol));
    json.insert("chain_id".into(), json!(chain));
    json.insert("hash".into(), json!(block.hash));
    if let Value::Object(header) = block.header.to_json() {
        json.extend(header);
    }
    json.into()
}

fn protocol_data_json(block: &Block) -> Value {
    let mut json = block.header.to_json();
    let shell = block.header.shell_json();
    if let (Some(json), Some(shell)) = (json.as_object_mut(), shell.as_object()) {
        json.retain(|field, _| !shell.contains_key(field));
    }
    json
}

fn block_json(chain: ChainId, block: &Block) -> Value {
    json!({
        "protocol": block.protocol,
        "chain_id": chain,
        "hash": block.hash,
        "header": block.header.to_json(),
        "metadata": protocol::metadata(block),
        "operations": operations_json(chain, block),
    })
}

fn operations_json(chain: ChainId, block: &Block) -> Value {
    let one = |operation: &Operation| {
        let mut contents = operation.contents.to_json();
        contents["metadata"] = operation_metadata(block, operation);
        json!({
            "protocol": block.protocol,
            "chain_id": chain,
            "hash": operation.hash(),
            "branch": operation.branch,
            "contents": [contents],
            "signature": operation.signature,
        })
    };
    block.operations.iter().map(|pass| pass.iter().map(one).collect::<Value>()).collect()
}

/// What a block says of an operation in it: who has voted; of an evidence, whom it has cost and brought what.
fn operation_metadata(block: &Block, operation: &Operation) -> Value {
    let voter = |delegate: &&Identity| {
        let (cycle, _) = block.cycles().cycle(block.level().saturating_sub(1));
        let key = block.voters.key(delegate, cycle);
        json!({ "delegate": delegate.public_key_hash, "consensus_key": key })
    };
    match (&operation.contents, operation.offence(), block.baker) {
        (Contents::Aggregate(_), ..) => {
            json!({ "committee": operation.signers().iter().map(voter).collect::<Value>() })
        }
        (Contents::Attestation(_) | Contents::Preattestation(_), ..) => {
            operation.signer().as_ref().map_or_else(|| json!({}), voter)
        }
        (_, Some(offence), Some(baker)) => json!({
            "punished_delegate": offence.delegate,
            "rewarded_delegate": baker.public_key_hash,
            "misbehaviour": {
                "level": offence.level,
                "round": offence.round,
                "kind": offence.vote.map_or("block", VoteKind::word),
            },
        }),
        (Contents::UpdateConsensusKey { .. }, ..) => {
            json!({ "balance_updates": [], "operation_result": { "status": "applied" } })
        }
        _ => json!({}),
    }
}

fn operation_hashes(block: &Block) -> Value {
    let one = |operation: &Operation| json!(operation.hash());
    block.operations.iter().map(|pass| pass.iter().map(one).collect::<Value>()).collect()
}

/// A block as `/monitor/heads` tells it.
pub fn head_item(block: &Block) -> Value {
    let mut json = Map::new();
    json.insert("hash".into(), json!(block.hash));
    if let Value::Object(header) = block.header.raw_json() {
        json.extend(header);
    }
    json.into()
}

/// A block as `/monitor/applied_blocks` tells it.
pub fn applied_item(chain: ChainId, block: &Block) -> Value {
    let raw = |pass: &Vec<Operation>| pass.iter().map(Operation::raw_json).collect::<Value>();
    json!({
        "chain_id": chain,
        "hash": block.hash,
        "header": block.header.raw_json(),
        "operations": block.operations.iter().map(raw).collect::<Value>(),
    })
}
