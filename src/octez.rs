//! What is particular to Octez: command lines, readiness, sink configuration, the tables of known events.
//!
//! Everything here ends in a [`DaemonSpec`](crate::daemon::DaemonSpec), which the rest of the harness runs without
//! knowing what an accuser is. Facts are from the Octez sources of August 2026, named where they are used.

mod accuser;
mod client;
pub mod events;
mod network;
mod node;
mod sink;

pub use self::accuser::AccuserOptions;
pub use self::client::{ActivateOptions, BakeOptions, VoteKind, VoteOptions};
pub use self::network::{Upgrade, is_protocol_hash};
pub use self::node::{NodeOptions, NodePorts};
pub use self::sink::events_config;

/// Exit codes of an Octez daemon that are no failure: 0, and 127 after SIGTERM or SIGINT (`lwt-exit`).
pub const SUCCESS: [i32; 2] = [0, 127];

/// Public key hashes of the keys that every sandbox knows (`tezt/lib_tezos/account.ml`).
pub const SANDBOX_KEYS: [(&str, &str); 5] = [
    ("bootstrap1", "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx"),
    ("bootstrap2", "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN"),
    ("bootstrap3", "tz1faswCTDciRzE4oJ9jn2Vm2dvjeyA9fUzU"),
    ("bootstrap4", "tz1b7tUupMgCNw2cCLpKTkSD1NZzB5TkP2sv"),
    ("bootstrap5", "tz1ddb9NMYHZi5UzPdzTZMYQQZoMub195zgv"),
];

/// What a chain has before any protocol is activated.
const GENESIS_PROTOCOL: &str = "ProtoGenesisGenesisGenesisGenesisGenesisGenesk612im";

/// The public key of the account that may activate the sandbox's first protocol (`tezt/lib_tezos/constant.ml`).
const ACTIVATOR_KEY: &str = "edpkuSLWfVU1Vq7Jg9FucPyKmma6otcMHac9zG4oU1KMHSTBpJuGQ2";

/// The newest protocol that `activate` uses where none is named.
pub const NEWEST_PROTOCOL: &str = "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY";
