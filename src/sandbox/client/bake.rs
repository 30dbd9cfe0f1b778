//! `bake for`: one block on the head, or on any block that the node knows.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::ClientError;
use super::activate::{inject, now};
use super::command::{Bake, Vote};
use super::vote;
use crate::sandbox::block::{Contents, Fitness, Header, PASSES, context_after, operations_hash};
use crate::sandbox::hash::{BlockHash, OperationHash, PayloadHash, ProtocolHash, Signature};
use crate::sandbox::keys::Identity;
use crate::sandbox::operation::aggregate::aggregated;
use crate::sandbox::operation::{self, Operation, VoteKind};
use crate::sandbox::protocol;
use crate::sandbox::rpc_client::RpcClient;
use crate::sandbox::upgrades::{Upgrades, proto_level};

/// The seconds that must lie between two blocks.
const MINIMAL_BLOCK_DELAY: i64 = 1;

/// The block to bake on.
pub struct Parent {
    hash: BlockHash,
    header: Header,
    is_head: bool,
    /// The protocol of the block to bake, and the one it leaves behind.
    protocol: ProtocolHash,
    next_protocol: ProtocolHash,
}

/// Where in its level a block stands, and when.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    pub round: u32,
    /// The round at which the payload was proposed first.
    pub payload_round: u32,
    /// The round at which the block shows preattestations of the payload.
    pub locked_round: Option<u32>,
    pub minimal_timestamp: bool,
}

/// Bakes, signs and injects a block with what the mempool holds for it; gives its hash.
///
/// The first of the keys bakes. Where there are several, all attest the block below, as Octez's `bake for` has them do, and
/// their attestations are in the new block: those of consensus keys as one aggregate.
///
/// Each block carries another nonce, so that baking twice on one parent makes two blocks.
pub async fn bake(
    client: &RpcClient,
    bake: &Bake,
    keys: &[&'static Identity],
) -> Result<String, ClientError> {
    let parent = parent(client, bake.parent.as_deref()).await?;
    let mut operations = operations(client, &parent).await?;
    if keys.len() > 1 {
        attest(client, &parent, keys, &mut operations[0]).await?;
    }
    operations[0] = aggregated(std::mem::take(&mut operations[0]));
    let proposal = Proposal {
        round: bake.round,
        payload_round: bake.round,
        locked_round: None,
        minimal_timestamp: bake.minimal_timestamp,
    };
    propose(client, &parent, &operations, &proposal, keys[0]).await
}

/// Makes, signs and injects the block; gives its hash.
pub async fn propose(
    client: &RpcClient,
    parent: &Parent,
    operations: &[Vec<Operation>],
    proposal: &Proposal,
    baker: &Identity,
) -> Result<String, ClientError> {
    let header = forge(parent, operations, proposal).signed_by(baker);
    let raw: Value = operations
        .iter()
        .map(|pass| pass.iter().map(Operation::raw_json).collect::<Value>())
        .collect();
    inject(client, &header, raw).await
}

/// Adds the attestations of the parent by these delegates, unless one is there already, or they may not vote, or nobody may:
/// the block of the activation has no payload to attest.
async fn attest(
    client: &RpcClient,
    parent: &Parent,
    voters: &[&'static Identity],
    attestations: &mut Vec<Operation>,
) -> Result<(), ClientError> {
    if parent.header.level < 2 {
        return Ok(());
    }
    let base = format!("/chains/main/blocks/{}", parent.hash);
    let vote = Vote::of(VoteKind::Attestation, parent.hash.to_string());
    for voter in voters {
        let known = attestations.iter().any(|known| known.signer() == Some(*voter));
        let path = format!("{base}/context/delegates/{}/is_forbidden", voter.public_key_hash);
        if !known && client.get(&path).await? == false {
            attestations.push(vote::prepare(client, &vote, voter).await?.0);
        }
    }
    Ok(())
}

pub async fn parent(client: &RpcClient, name: Option<&str>) -> Result<Parent, ClientError> {
    let block = name.unwrap_or("head");
    let base = format!("/chains/main/blocks/{block}");
    let protocols = client.get(&format!("{base}/protocols")).await?;
    if protocols["next_protocol"] == protocol::GENESIS {
        return Err(ClientError::NotActive { block: block.to_owned() });
    }
    let path = format!("{base}/header");
    let json = client.get(&path).await?;
    let unexpected = || client.unexpected(&path, "header");
    let hash = json["hash"].as_str().and_then(|hash| hash.parse().ok()).ok_or_else(unexpected)?;
    let header = shell(&json).ok_or_else(unexpected)?;
    let protocol = protocols["next_protocol"].as_str().and_then(|hash| hash.parse().ok());
    let protocol = protocol.ok_or_else(|| client.unexpected(&base, "protocol"))?;
    let next_protocol = upgrades(client).await?.after(header.level.saturating_add(1), protocol);
    let head = client.get_string("/chains/main/blocks/head/hash", "block hash").await?;
    Ok(Parent { hash, header, is_head: json["hash"] == head, protocol, next_protocol })
}

/// What the node's users have agreed on: only so can a baker number the migration block.
async fn upgrades(client: &RpcClient) -> Result<Upgrades, ClientError> {
    let path = "/config/network/user_activated_upgrades";
    let list = client.get(path).await?;
    Ok(Upgrades::from_json(&list).map_err(|_| client.unexpected(path, "list of upgrades"))?)
}

/// A header without the protocol's part, which for an activation block is not a baker's.
fn shell(json: &Value) -> Option<Header> {
    let mut shell = json.clone();
    shell.as_object_mut()?.insert("protocol_data".to_owned(), json!(""));
    Header::from_json(&shell)
}

/// What of the mempool can be in the block, by validation pass. The node has validated it for its head only, so a block
/// on any other parent has no operations.
async fn operations(
    client: &RpcClient,
    parent: &Parent,
) -> Result<Vec<Vec<Operation>>, ClientError> {
    let mut passes = vec![Vec::new(); PASSES];
    if !parent.is_head {
        return Ok(passes);
    }
    let path = "/chains/main/mempool/pending_operations?version=2";
    let pending = client.get(path).await?;
    let validated = pending["validated"].as_array();
    for json in validated.ok_or_else(|| client.unexpected(path, "validated operations"))? {
        // A content that the sandbox has no binary form of cannot be in one of its blocks.
        if let Some(operation) = read(json)
            && fits(&operation, &parent.header)
        {
            passes[operation.pass()].push(operation);
        }
    }
    Ok(passes)
}

/// An operation as RPCs list it.
pub fn read(json: &Value) -> Option<Operation> {
    Some(Operation {
        branch: json["branch"].as_str()?.parse().ok()?,
        contents: operation::Contents::from_json(json["contents"].get(0)?)?,
        signature: json["signature"].as_str()?.parse().ok()?,
    })
}

/// A block holds the attestations of its parent, and no other votes.
fn fits(operation: &Operation, parent: &Header) -> bool {
    operation.vote().is_none_or(|(kind, vote)| {
        kind == VoteKind::Attestation && vote.level == parent.level && vote.round == parent.round()
    })
}

fn forge(parent: &Parent, operations: &[Vec<Operation>], proposal: &Proposal) -> Header {
    let Proposal { round, payload_round, locked_round, minimal_timestamp } = *proposal;
    let hashes: Vec<Vec<OperationHash>> =
        operations.iter().map(|pass| pass.iter().map(Operation::hash).collect()).collect();
    let payload: Vec<OperationHash> = hashes.iter().skip(1).flatten().copied().collect();
    let operations_hash = operations_hash(&hashes);
    let contents = Contents {
        payload_hash: PayloadHash::of(&parent.hash, payload_round, &payload),
        payload_round,
        proof_of_work_nonce: nonce(),
        seed_nonce_hash: None,
        per_block_votes: Contents::PASS,
        signature: Signature::ZERO,
    };
    let header = &parent.header;
    let level = header.level.saturating_add(1);
    let earliest =
        header.timestamp.saturating_add(MINIMAL_BLOCK_DELAY).saturating_add(i64::from(round));
    Header {
        level,
        proto: proto_level(header.proto, &parent.protocol, &parent.next_protocol),
        predecessor: parent.hash,
        timestamp: if minimal_timestamp { earliest } else { now().max(earliest) },
        validation_pass: u8::try_from(PASSES).expect("there are four passes"),
        operations_hash,
        fitness: Fitness::tenderbake(level, locked_round, header.round(), round),
        context: context_after(&header.context, &operations_hash),
        protocol_data: contents.encode(),
    }
}

fn nonce() -> [u8; 8] {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX).to_be_bytes()
}
