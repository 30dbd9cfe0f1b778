//! Errors in the form in which Octez's RPCs and events tell them: a list, outermost first.

use serde_json::{Value, json};

use super::chain::InvalidBlock;

/// What `failwith` makes.
pub fn failure(message: &str) -> Value {
    json!({ "kind": "temporary", "id": "failure", "msg": message })
}

/// An error and the chain of its causes.
pub fn of_error(id: &str, error: &dyn std::error::Error) -> Value {
    let outermost = json!({ "kind": "permanent", "id": id, "msg": error.to_string() });
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(outermost).chain(causes.map(|cause| failure(&cause.to_string()))).collect()
}

impl InvalidBlock {
    pub fn trace(&self) -> Value {
        let id = match self {
            Self::UnknownPredecessor { .. } => "validator.missing_predecessor",
            Self::Unexpected { .. } | Self::NoActivation | Self::Parameters => {
                "validator.invalid_block"
            }
            Self::ProtocolData { .. } => "block_header.invalid_protocol_data",
            Self::UnavailableProtocol { .. } => "validator.unavailable_protocol",
            Self::ForbiddenDelegate { .. } => "validate.temporarily_forbidden_delegate",
            Self::UnknownBaker => "block_header.invalid_signature",
            Self::Operation { .. } => "validator.invalid_operation_in_block",
        };
        of_error(id, self)
    }
}
