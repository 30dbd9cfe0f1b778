//! Asking a node: JSON over HTTP/1.1, single answers and the streams that never end.

pub mod endpoint;
pub mod lines;
pub mod request;

pub use self::endpoint::Endpoint;
pub use self::lines::Lines;

use std::{fmt, io};

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::sink::Sink;

/// Asks one node; each request has a connection of its own. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RpcClient {
    endpoint: std::sync::Arc<Endpoint>,
    /// Where it is told that a gateway found no node; with it, such a request is made again.
    reports: Option<Sink>,
}

/// What was asked, for errors to name.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub uri: String,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri)
    }
}

/// Why a request has no answer, or one that is no success.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// In the words of Octez's clients.
    #[error("Cannot connect to node. {reason}: {endpoint}")]
    Connect { asked: Asked, endpoint: String, reason: String, source: io::Error },
    /// The connection broke before the answer was complete.
    #[error("{asked}: connection lost")]
    Lost { asked: Asked, source: hyper::Error },
    #[error("{asked}: HTTP {status}: {body}")]
    Status { asked: Asked, status: StatusCode, body: Box<Value> },
    #[error("{asked}: not JSON")]
    NotJson { asked: Asked, source: serde_json::Error },
    /// A path that cannot stand in a request.
    #[error("{asked}: not a request")]
    Request { asked: Asked, source: hyper::http::Error },
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
