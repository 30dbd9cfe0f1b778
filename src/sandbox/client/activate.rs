//! `activate protocol`: the block after genesis.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::ClientError;
use crate::sandbox::block::{Activation, Fitness, Header, operations_hash};
use crate::sandbox::hash::{ContextHash, Signature, blake2b};
use crate::sandbox::keys::Identity;
use crate::sandbox::protocol::{self, Protocol};
use crate::sandbox::rpc_client::{RpcClient, RpcError};

/// What to activate, and how.
#[derive(Clone, Copy, Debug)]
pub struct Activate<'a> {
    pub protocol: &'a str,
    pub fitness: u64,
    pub activator: &'static Identity,
    pub parameters: &'a Path,
    /// Seconds since the epoch.
    pub timestamp: Option<i64>,
}

impl Activate<'_> {
    /// Makes the block and injects it; gives its hash.
    pub async fn run(&self, client: &RpcClient) -> Result<String, ClientError> {
        let unknown = || ClientError::UnknownProtocol { text: self.protocol.to_owned() };
        let protocol = Protocol::find(self.protocol).ok_or_else(unknown)?;
        let parameters = self.parameters()?;
        let protocols = client.get("/chains/main/blocks/head/protocols").await?;
        if protocols["next_protocol"] != protocol::GENESIS {
            return Err(ClientError::AlreadyActive);
        }
        let predecessor = head(client).await?;
        let fitness = Fitness(vec![vec![0], self.fitness.to_be_bytes().to_vec()]);
        let activation = Activation {
            protocol: protocol.hash.parse().expect("the table holds valid protocol hashes"),
            fitness: fitness.clone(),
            parameters: parameters.clone(),
            signature: Signature::ZERO,
        };
        let header = Header {
            level: 1,
            proto: predecessor.proto.saturating_add(1),
            predecessor: predecessor.hash,
            timestamp: self.timestamp.unwrap_or_else(now),
            validation_pass: 0,
            operations_hash: operations_hash(&[]),
            fitness,
            context: ContextHash(blake2b(&[protocol.hash.as_bytes(), &parameters])),
            protocol_data: activation.encode(),
        }
        .signed_by(self.activator);
        inject(client, &header, json!([])).await
    }

    fn parameters(&self) -> Result<Vec<u8>, ClientError> {
        let path = || self.parameters.to_owned();
        let text = std::fs::read(self.parameters)
            .map_err(|source| ClientError::Read { path: path(), source })?;
        let json: Value = serde_json::from_slice(&text)
            .map_err(|source| ClientError::NotJson { path: path(), source })?;
        Ok(json.to_string().into_bytes())
    }
}

struct Head {
    hash: crate::sandbox::hash::BlockHash,
    proto: u8,
}

async fn head(client: &RpcClient) -> Result<Head, RpcError> {
    let path = "/chains/main/blocks/head/header";
    let header = client.get(path).await?;
    let read = || {
        Some(Head {
            hash: header["hash"].as_str()?.parse().ok()?,
            proto: u8::try_from(header["proto"].as_u64()?).ok()?,
        })
    };
    read().ok_or_else(|| client.unexpected(path, "header"))
}

/// Hands a block to the node, which answers when it has applied it; gives the block's hash.
pub async fn inject(
    client: &RpcClient,
    header: &Header,
    operations: Value,
) -> Result<String, ClientError> {
    let path = "/injection/block?chain=main";
    let body = json!({"data": hex::encode(header.encode()), "operations": operations});
    match client.post(path, &body).await? {
        Value::String(hash) => Ok(hash),
        _ => Err(client.unexpected(path, "block hash").into()),
    }
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
