//! `attest for` and `preattest for`: a vote for a block, true or false as the test wants it.

use serde_json::{Value, json};

use super::ClientError;
use super::command::Vote;
use crate::sandbox::hash::{BlockHash, PayloadHash};
use crate::sandbox::keys::Identity;
use crate::sandbox::keys::consensus::ConsensusKey;
use crate::sandbox::operation::{self, Contents, Operation};
use crate::sandbox::rpc_client::{RpcClient, RpcError};

/// How far below the block the branch of its votes is.
const BRANCH_BELOW: u32 = 2;

/// A vote that the node took.
#[derive(Debug)]
pub struct Cast {
    pub hash: String,
    pub vote: operation::Vote,
    pub branch: BlockHash,
}

/// Signs and injects the vote.
pub async fn vote(
    client: &RpcClient,
    vote: &Vote,
    voter: &'static Identity,
) -> Result<Cast, ClientError> {
    let (operation, body) = prepare(client, vote, voter).await?;
    let branch = operation.branch;
    let path = if vote.force {
        "/private/injection/operation?chain=main"
    } else {
        "/injection/operation?chain=main"
    };
    match client.post(path, &json!(operation.to_hex())).await? {
        Value::String(hash) => Ok(Cast { hash, vote: body, branch }),
        _ => Err(client.unexpected(path, "operation hash").into()),
    }
}

/// Signs the vote with the key that the voter votes with at its level: its consensus key, if that counts by then.
pub async fn prepare(
    client: &RpcClient,
    vote: &Vote,
    voter: &'static Identity,
) -> Result<(Operation, operation::Vote), ClientError> {
    let header = client.get(&format!("/chains/main/blocks/{}/header", vote.of)).await?;
    let level = match vote.level {
        Some(level) => level,
        None => natural(client, &header, "level")?,
    };
    let seat = seat(client, level, voter).await?;
    let body = operation::Vote {
        slot: vote.slot.unwrap_or(seat.slot),
        level,
        round: match vote.round {
            Some(round) => round,
            None => round(client, &header)?,
        },
        payload_hash: match &vote.payload {
            Some(payload) => payload_hash(client, payload).await?,
            None => payload_of(client, &header)?,
        },
    };
    let branch = branch(client, vote, &header).await?;
    let operation = match seat.key {
        Some(key) => Operation::voted(branch, vote.kind, body, key),
        None => Operation::signed(branch, Contents::vote(vote.kind, body), voter),
    };
    Ok((operation, body))
}

async fn branch(client: &RpcClient, vote: &Vote, header: &Value) -> Result<BlockHash, RpcError> {
    let block = if let Some(branch) = &vote.branch {
        branch.clone()
    } else {
        let level = natural(client, header, "level")?;
        let hash = header["hash"].as_str().unwrap_or("head");
        format!("{hash}~{}", BRANCH_BELOW.min(level))
    };
    let path = format!("/chains/main/blocks/{block}/hash");
    let hash = client.get_string(&path, "block hash").await?;
    hash.parse().map_err(|_| client.unexpected(&path, "block hash"))
}

/// A payload hash as it is, or that of a block.
async fn payload_hash(client: &RpcClient, text: &str) -> Result<PayloadHash, RpcError> {
    if let Ok(hash) = text.parse() {
        return Ok(hash);
    }
    let header = client.get(&format!("/chains/main/blocks/{text}/header")).await?;
    payload_of(client, &header)
}

fn payload_of(client: &RpcClient, header: &Value) -> Result<PayloadHash, RpcError> {
    let hash = header["payload_hash"].as_str().and_then(|hash| hash.parse().ok());
    hash.ok_or_else(|| client.unexpected("/header", "payload hash"))
}

fn round(client: &RpcClient, header: &Value) -> Result<u32, RpcError> {
    let last = header["fitness"].as_array().and_then(|fitness| fitness.last()?.as_str());
    last.and_then(|round| u32::from_str_radix(round, 16).ok())
        .ok_or_else(|| client.unexpected("/header", "round"))
}

fn natural(client: &RpcClient, header: &Value, field: &'static str) -> Result<u32, RpcError> {
    let number = header[field].as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| client.unexpected("/header", field))
}

/// A delegate's place in the committee of a level.
struct Seat {
    slot: u16,
    /// The consensus key that it votes with, if not with its own.
    key: Option<&'static ConsensusKey>,
}

async fn seat(client: &RpcClient, level: u32, voter: &Identity) -> Result<Seat, RpcError> {
    let path = format!("/chains/main/blocks/head/helpers/validators?level={level}");
    let validators = client.get(&path).await?;
    let delegates = validators[0]["delegates"].as_array();
    let found = delegates.and_then(|delegates| {
        delegates.iter().find(|delegate| delegate["delegate"] == voter.public_key_hash)
    });
    let read = |seat: &Value| {
        let slot = u16::try_from(seat["attestation_slot"].as_u64()?).ok()?;
        let key = ConsensusKey::find(seat["consensus_key"].as_str()?).map(|(key, _)| key);
        Some(Seat { slot, key })
    };
    found.and_then(read).ok_or_else(|| client.unexpected(&path, "slot of the delegate"))
}
