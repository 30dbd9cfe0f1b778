//! Making an evidence and handing it to the node.

use serde_json::{Value, json};

use crate::sandbox::hash::Signature;
use crate::sandbox::rpc_client::{RpcClient, RpcError};

/// Where an evidence is handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/injection/operation`, open to everyone.
    Public,
    /// `/private/injection/operation`, which the denunciation of votes uses.
    Private,
}

/// An evidence ready to be injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Hexadecimal, the signature of zeros included.
    pub bytes: String,
}

/// Has the node lay out the operation. Nobody signs it: two accusers that choose one branch make one and the same operation.
///
/// The branch is the block five below the head, which is considered final; lower down it is the first block after genesis,
/// since genesis itself has no protocol that knows of operations.
pub async fn forge(client: &RpcClient, level: u32, contents: Value) -> Result<Evidence, RpcError> {
    let block = if level <= 5 { "1" } else { "head~5" };
    let base = format!("/chains/main/blocks/{block}");
    let branch = client.get_string(&format!("{base}/hash"), "block hash").await?;
    let path = format!("{base}/helpers/forge/operations");
    let forged = client.post(&path, &json!({"branch": branch, "contents": [contents]})).await?;
    let Value::String(unsigned) = forged else {
        return Err(client.unexpected(&path, "operation"));
    };
    Ok(Evidence { bytes: unsigned + &hex::encode(Signature::ZERO) })
}

/// Injects it and gives the operation's hash.
pub async fn inject(
    client: &RpcClient,
    route: Route,
    evidence: &Evidence,
) -> Result<String, RpcError> {
    let path = match route {
        Route::Public => "/injection/operation?chain=main",
        Route::Private => "/private/injection/operation?chain=main",
    };
    match client.post(path, &json!(evidence.bytes)).await? {
        Value::String(hash) => Ok(hash),
        _ => Err(client.unexpected(path, "operation hash")),
    }
}

/// The evidence of two blocks, in the order of their hashes: hashes of one length compare as their base58 does.
pub fn double_baking(one: (&str, Value), other: (&str, Value)) -> Value {
    let (first, second) = if one.0 < other.0 { (one.1, other.1) } else { (other.1, one.1) };
    json!({"kind": "double_baking_evidence", "bh1": bare(first), "bh2": bare(second)})
}

/// A header as it stands in an evidence: without what the RPC adds.
fn bare(mut header: Value) -> Value {
    if let Some(fields) = header.as_object_mut() {
        for added in ["protocol", "chain_id", "hash"] {
            fields.shift_remove(added);
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::double_baking;

    #[test]
    fn the_block_with_the_smaller_hash_comes_first() {
        let header = |level| json!({"protocol": "P", "chain_id": "N", "hash": "B", "level": level});
        let evidence = json!({
            "kind": "double_baking_evidence", "bh1": {"level": 1}, "bh2": {"level": 2},
        });
        assert_eq!(double_baking(("BLa", header(1)), ("BLb", header(2))), evidence);
        assert_eq!(double_baking(("BLb", header(2)), ("BLa", header(1))), evidence);
    }
}
