//! What is particular to Octez: command lines, readiness, sink configuration, the tables of known events.
//!
//! Everything here ends in a [`DaemonSpec`](crate::daemon::DaemonSpec), which the rest of the harness runs without
//! knowing what an accuser is. Facts are from the Octez sources of August 2026, named where they are used.

mod accuser;
mod baker;
mod client;
pub mod events;
mod keys;
mod network;
mod node;
pub mod real;
mod sink;

pub use self::accuser::AccuserOptions;
pub use self::baker::BakerOptions;
pub use self::client::{ActivateOptions, BakeOptions, VoteKind, VoteOptions};
pub use self::keys::{ACTIVATOR, SANDBOX_KEYS, SandboxKey, wallet};
pub use self::network::{Upgrade, is_protocol_hash};
pub use self::node::{NodeOptions, NodePorts};
pub use self::sink::events_config;

/// Exit codes of an Octez daemon that are no failure: 0, and 127 after SIGTERM or SIGINT (`lwt-exit`).
pub const SUCCESS: [i32; 2] = [0, 127];

/// What a chain has before any protocol is activated.
const GENESIS_PROTOCOL: &str = "ProtoGenesisGenesisGenesisGenesisGenesisGenesk612im";

/// The newest protocol that `activate` uses where none is named.
pub const NEWEST_PROTOCOL: &str = "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY";
