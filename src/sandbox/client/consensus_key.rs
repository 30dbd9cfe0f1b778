//! `set consensus key for`: a delegate will vote with its BLS key.

use serde_json::{Value, json};

use super::ClientError;
use crate::sandbox::keys::Identity;
use crate::sandbox::keys::consensus::ConsensusKey;
use crate::sandbox::operation::{Contents, Operation};
use crate::sandbox::rpc_client::RpcClient;

/// Signs and injects the operation; gives its hash. It counts some cycles after the block that takes it in.
pub async fn set(
    client: &RpcClient,
    delegate: &Identity,
    key: &ConsensusKey,
) -> Result<String, ClientError> {
    let path = "/chains/main/blocks/head/hash";
    let branch = client.get_string(path, "block hash").await?;
    let branch = branch.parse().map_err(|_| client.unexpected(path, "block hash"))?;
    let contents = Contents::UpdateConsensusKey { source: delegate.pkh(), key: key.public_key() };
    let operation = Operation::signed(branch, contents, delegate);
    let path = "/injection/operation?chain=main";
    match client.post(path, &json!(operation.to_hex())).await? {
        Value::String(hash) => Ok(hash),
        _ => Err(client.unexpected(path, "operation hash").into()),
    }
}
