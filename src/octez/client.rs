//! Command lines of `octez-client`, as Tezt calls them (`tezt/lib_tezos/client.ml`).

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::NEWEST_PROTOCOL;

/// What `activate` takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActivateOptions {
    /// A protocol hash; `None` is the newest.
    pub protocol: Option<String>,
    /// Merged over the sandbox's parameters.
    pub parameters: Option<Value>,
    /// RFC 3339; `None` is a year ago, so that blocks can be baked without waiting for their time.
    pub timestamp: Option<String>,
}

impl ActivateOptions {
    /// The parameters file.
    pub fn parameters_text(&self) -> String {
        let mut parameters = sandbox_parameters();
        if let (Some(into), Some(Value::Object(more))) =
            (parameters.as_object_mut(), self.parameters.as_ref())
        {
            for (key, value) in more {
                into.insert(key.clone(), value.clone());
            }
        }
        parameters.to_string()
    }

    /// What follows the global options; the file holds [`parameters_text`](Self::parameters_text).
    pub fn args(&self, parameters: &Path) -> Vec<String> {
        const YEAR: Duration = Duration::from_hours(365 * 24);
        let protocol = self.protocol.as_deref().unwrap_or(NEWEST_PROTOCOL);
        let timestamp = self.timestamp.clone().unwrap_or_else(|| {
            humantime::format_rfc3339_seconds(SystemTime::now() - YEAR).to_string()
        });
        let words = ["activate", "protocol", protocol, "with", "fitness", "1", "and", "key"];
        let mut args: Vec<String> = words.map(Into::into).into();
        args.extend(["activator", "and", "parameters"].map(Into::into));
        args.push(parameters.to_string_lossy().into_owned());
        args.extend(["--timestamp".into(), timestamp]);
        args
    }
}

/// The few parameters that a sandbox of short cycles and quick blocks needs.
fn sandbox_parameters() -> Value {
    json!({
        "preserved_cycles": 2,
        "blocks_per_cycle": 8,
        "minimal_block_delay": "1",
        "delay_increment_per_round": "1",
    })
}

/// What `bake` takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BakeOptions {
    /// The first one bakes.
    pub keys: Vec<String>,
    /// The block to bake on; the head where it is not given. Only the sandbox's client knows it.
    pub parent: Option<String>,
    /// Only the sandbox's client knows it.
    pub round: Option<u32>,
}

impl BakeOptions {
    /// One block on the head, baked with this key or alias.
    pub fn for_key(key: &str) -> Self {
        Self { keys: vec![key.to_owned()], ..Self::default() }
    }

    /// Whether only the sandbox's client can do this.
    pub fn needs_sandbox(&self) -> bool {
        self.parent.is_some() || self.round.is_some()
    }

    /// What follows the global options.
    pub fn args(&self) -> Vec<String> {
        let mut args: Vec<String> = vec!["bake".into(), "for".into()];
        args.extend(self.keys.iter().cloned());
        args.push("--minimal-timestamp".into());
        if let Some(parent) = &self.parent {
            args.extend(["--parent".into(), parent.clone()]);
        }
        if let Some(round) = self.round {
            args.extend(["--round".into(), round.to_string()]);
        }
        args
    }
}
