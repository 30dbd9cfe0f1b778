//! The accuser's events: which section and level each has.

use serde::Serialize;
use serde_json::{Value, json};

use crate::sandbox::protocol::{self, Protocol};
use crate::sandbox::sink::{EmitError, Level, NoFields, Sink};

/// The events of the wrapper, whatever the protocol.
#[derive(Clone, Debug)]
pub struct WrapperEvents {
    pub sink: Sink,
}

impl WrapperEvents {
    const SECTION: &[&str] = &["agnostic-agent"];

    /// A protocol is seen that was not the chain's before.
    pub async fn protocol_encountered(&self, hash: &str) {
        let status = if protocol::is_frozen(hash) { "frozen" } else { "active" };
        let encountered = json!({"status": status, "proto_hash": hash});
        self.notice("protocol_encountered", &encountered).await;
    }

    pub async fn notice(&self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.sink.emit(Level::Notice, Self::SECTION, name, value).await;
    }

    pub async fn warning(&self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.sink.emit(Level::Warning, Self::SECTION, name, value).await;
    }

    pub async fn debug(&self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.sink.emit(Level::Debug, Self::SECTION, name, value).await;
    }
}

/// The events of the agent for one protocol.
#[derive(Clone, Debug)]
pub struct AgentEvents {
    pub sink: Sink,
    pub protocol: Protocol,
}

impl AgentEvents {
    /// An event about misbehaviour and the blocks it is looked for in.
    pub async fn denunciation(&self, level: Level, name: &str, value: &(impl Serialize + ?Sized)) {
        let section = [self.protocol.name, "delegate", "denunciation"];
        self.sink.emit(level, &section, name, value).await;
    }

    pub async fn denunciation_without_fields(&self, level: Level, name: &str) {
        self.denunciation(level, name, &NoFields {}).await;
    }

    /// An event about the agent itself; its payload is the agent's name.
    pub async fn scheduling(&self, level: Level, name: &str) {
        let section = [self.protocol.name, "delegate", "baking-scheduling"];
        self.sink.emit(level, &section, name, self.protocol.name).await;
    }

    /// What went wrong beside the blocks; `errors` is a trace.
    pub async fn failed(&self, errors: &Value) {
        let section = [self.protocol.name, "delegate", "baking-scheduling"];
        let value = json!({"worker": self.protocol.name, "errors": errors});
        self.sink.emit(Level::Error, &section, "daemon_error", &value).await;
    }

    /// The one event whose failure the accuser hears of.
    pub async fn block_seen(&self, value: &(impl Serialize + ?Sized)) -> Result<(), EmitError> {
        let name = format!("block-seen-{}", self.protocol.name);
        self.sink.emit_heavy(Level::Info, &[], &name, value).await
    }
}
