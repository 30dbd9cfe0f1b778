//! `rpc get|post|…`: any request, its answer on standard output.

use hyper::Method;
use serde_json::Value;

use super::ClientError;
use crate::sandbox::globals::UsageError;
use crate::sandbox::rpc_client::RpcClient;

/// The answer, laid out over several lines. `body` is JSON, or `file:PATH`.
pub async fn rpc(
    client: &RpcClient,
    method: Method,
    path: &str,
    body: Option<&str>,
) -> Result<String, ClientError> {
    let body = body.map(parse_body).transpose()?;
    let answer = client.call(method, path, body.as_ref()).await?;
    Ok(serde_json::to_string_pretty(&answer).expect("a JSON value can always be printed"))
}

fn parse_body(text: &str) -> Result<Value, ClientError> {
    if let Some(path) = text.strip_prefix("file:") {
        let text = std::fs::read(path)
            .map_err(|source| ClientError::Read { path: path.into(), source })?;
        return serde_json::from_slice(&text)
            .map_err(|source| ClientError::NotJson { path: path.into(), source });
    }
    let bad = |error| UsageError(format!("Failed to parse the provided json: {error}"));
    Ok(serde_json::from_str(text).map_err(bad)?)
}
