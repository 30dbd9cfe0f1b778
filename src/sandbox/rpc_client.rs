//! Asking a node: JSON over HTTP/1.1, single answers and the streams that never end.

pub mod endpoint;
pub mod lines;
pub mod request;

pub use self::endpoint::{Endpoint, InvalidEndpoint};
pub use self::lines::Lines;

use hyper::{Method, StatusCode};
use serde_json::Value;

/// Asks one node; each request has a connection of its own. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RpcClient {
    endpoint: std::sync::Arc<Endpoint>,
}

/// Why a request has no answer, or one that is no success.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// In the words of Octez's clients.
    #[error("Cannot connect to node. {reason}: {endpoint}")]
    Connect {
        method: Method,
        uri: String,
        endpoint: String,
        reason: String,
        source: std::io::Error,
    },
    /// The connection broke before the answer was complete.
    #[error("{method} {uri}: connection lost")]
    Lost { method: Method, uri: String, source: hyper::Error },
    #[error("{method} {uri}: HTTP {status}: {body}")]
    Status { method: Method, uri: String, status: StatusCode, body: Value },
    #[error("{method} {uri}: not JSON")]
    NotJson { method: Method, uri: String, source: serde_json::Error },
    /// A path that cannot stand in a request.
    #[error("{method} {uri}: not a request")]
    Request { method: Method, uri: String, source: hyper::http::Error },
    /// The answer is JSON, but not what this RPC answers.
    #[error("{uri}: no {wanted} in the answer")]
    Unexpected { uri: String, wanted: &'static str },
}

impl RpcError {
    /// The node is out of reach or went away, as opposed to answering something unwelcome.
    pub fn is_connection(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Lost { .. })
    }
}
