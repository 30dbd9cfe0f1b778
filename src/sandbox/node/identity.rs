//! What the node says it is.

use serde_json::{Value, json};

use crate::sandbox::{COMMIT, COMMIT_DATE};

/// The version as events and RPCs tell it.
pub fn octez_version() -> Value {
    json!({ "major": 25, "minor": 1, "build": 0, "additional_info": "release" })
}

/// The version of the peer-to-peer protocols.
pub fn network_version() -> Value {
    json!({ "chain_name": "TEZOS", "distributed_db_version": 2, "p2p_version": 1 })
}

/// The answer of `/version`.
pub fn version_json() -> Value {
    json!({
        "version": octez_version(),
        "network_version": network_version(),
        "commit_info": { "commit_hash": COMMIT, "commit_date": COMMIT_DATE },
    })
}
