//! Injection of blocks and operations.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::server::{Call, Services};
use crate::sandbox::block::Header;
use crate::sandbox::node::chain::Candidate;
use crate::sandbox::node::worker::ShuttingDown;
use crate::sandbox::operation::Operation;
use crate::sandbox::wire::from_hex;

/// Whether an operation is taken that is not valid on the head; what the private RPC does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    Yes,
    No,
}

/// `POST /injection/block` with `{"data": HEX, "operations": [[{"branch", "data"}, …], …]}`; answers the hash once the
/// block is applied.
pub async fn block(services: &Services, call: &Call) -> Answer {
    let candidate = match call.json().and_then(|body| candidate(&body)) {
        Ok(candidate) => candidate,
        Err(bad) => return bad,
    };
    match services.worker.inject_block(candidate).await {
        Ok(Ok(hash)) => Answer::Json(json!(hash)),
        Ok(Err(error)) => Answer::refused(error.trace()),
        Err(error) => shutting_down(error),
    }
}

fn candidate(body: &Value) -> Result<Candidate, Answer> {
    let data = body["data"].as_str().ok_or_else(|| Answer::bad_body("data is no string"))?;
    let header = Header::from_hex(data).map_err(|error| Answer::bad_body(&error.to_string()))?;
    let passes = body["operations"].as_array();
    let passes = passes.ok_or_else(|| Answer::bad_body("operations is no list"))?;
    let operations = passes.iter().map(|pass| {
        let pass = pass.as_array().ok_or_else(|| Answer::bad_body("a pass is no list"))?;
        pass.iter().map(raw_operation).collect()
    });
    Ok(Candidate { header, operations: operations.collect::<Result<_, Answer>>()? })
}

/// An operation in the shell's form: branch, and the rest in hexadecimal.
fn raw_operation(json: &Value) -> Result<Operation, Answer> {
    let bad = |message: &str| Answer::bad_body(&format!("operation: {message}"));
    let branch = json["branch"].as_str().ok_or_else(|| bad("branch is no string"))?;
    let branch: crate::sandbox::hash::BlockHash =
        branch.parse().map_err(|_| bad("branch is no block hash"))?;
    let data = json["data"].as_str().ok_or_else(|| bad("data is no string"))?;
    let data = from_hex("operation", data).map_err(|error| bad(&error.to_string()))?;
    let bytes = [branch.as_ref(), &data].concat();
    Operation::decode(&bytes).map_err(|error| bad(&error.to_string()))
}

/// `POST /injection/operation` with the bytes as a JSON string; answers the hash.
pub async fn operation(services: &Services, call: &Call, force: Force) -> Answer {
    let text = match call.json() {
        Ok(Value::String(text)) => text,
        Ok(_) => return Answer::bad_body("no string"),
        Err(bad) => return bad,
    };
    let bytes = match from_hex("operation", &text) {
        Ok(bytes) => bytes,
        Err(error) => return Answer::bad_body(&error.to_string()),
    };
    let operation = match Operation::decode(&bytes) {
        Ok(operation) => operation,
        Err(error) => return Answer::failed(&format!("Invalid operation: {error}.")),
    };
    match services.worker.inject_operation(operation, force == Force::Yes).await {
        Ok(Ok(hash)) => Answer::Json(json!(hash)),
        Ok(Err(error)) => Answer::refused(error.trace()),
        Err(error) => shutting_down(error),
    }
}

fn shutting_down(error: ShuttingDown) -> Answer {
    Answer::Text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))
}
