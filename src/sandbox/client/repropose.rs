//! `repropose for`: the head's payload once more, at a later round, with preattestations of its earlier one.

use serde_json::Value;

use super::ClientError;
use super::bake::{self, Proposal};
use super::command::{Repropose, Vote};
use super::vote;
use crate::sandbox::keys::Identity;
use crate::sandbox::operation::aggregate::aggregated;
use crate::sandbox::operation::{Operation, VoteKind};
use crate::sandbox::rpc_client::RpcClient;

/// What there is to know of the head.
struct Head {
    hash: String,
    predecessor: String,
    round: u32,
    payload_round: u32,
    operations: Vec<Vec<Operation>>,
}

/// Has all of these delegates preattest the head, and bakes, by the first of them, the block that takes its place; gives its
/// hash.
pub async fn repropose(
    client: &RpcClient,
    options: &Repropose,
    keys: &[&'static Identity],
) -> Result<String, ClientError> {
    let path = "/chains/main/blocks/head";
    let block = client.get(path).await?;
    let head = read(&block).ok_or_else(|| client.unexpected(path, "baked block"))?;
    let parent = bake::parent(client, Some(&head.predecessor)).await?;
    let preattest = Vote {
        round: Some(head.payload_round),
        ..Vote::of(VoteKind::Preattestation, head.hash.clone())
    };
    let mut operations = head.operations;
    // Those of a head that is a reproposal itself are made again.
    operations[0].retain(|vote| vote.kind() != Some(VoteKind::Preattestation));
    for voter in keys {
        operations[0].push(vote::prepare(client, &preattest, voter).await?.0);
    }
    operations[0] = aggregated(std::mem::take(&mut operations[0]));
    let proposal = Proposal {
        round: options.round.unwrap_or(head.round.saturating_add(1)),
        payload_round: head.payload_round,
        locked_round: Some(head.payload_round),
        minimal_timestamp: options.minimal_timestamp,
    };
    bake::propose(client, &parent, &operations, &proposal, keys[0]).await
}

fn read(block: &Value) -> Option<Head> {
    let header = &block["header"];
    let round = header["fitness"].as_array()?.last()?.as_str()?;
    let passes = block["operations"].as_array()?.iter();
    let pass = |pass: &Value| pass.as_array()?.iter().map(bake::read).collect::<Option<Vec<_>>>();
    Some(Head {
        hash: block["hash"].as_str()?.to_owned(),
        predecessor: header["predecessor"].as_str()?.to_owned(),
        round: u32::from_str_radix(round, 16).ok()?,
        payload_round: u32::try_from(header["payload_round"].as_u64()?).ok()?,
        operations: passes.map(pass).collect::<Option<_>>()?,
    })
}
