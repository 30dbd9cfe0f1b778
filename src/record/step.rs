//! What the player notes of a step, beyond its path and how it ended: enough to judge the play again without daemons.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::daemon::DaemonName;
use crate::event::Seq;

/// Written flat into a `step` line of `log.jsonl`. What is missing in an older record reads as nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepFacts {
    #[serde(default)]
    pub verb: String,
    /// Where the log ended at that moment.
    #[serde(default)]
    pub end: Seq,
    /// Which round of each loop around it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<u32>,
    /// Why it failed, and in which word of `result.json`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A wait that failed, or an absence that held, had searched up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched_to: Option<Seq>,
    /// Positions that a step which acts has moved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moved: BTreeMap<DaemonName, Seq>,
    /// Deaths that it brought about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub died: BTreeMap<DaemonName, Seq>,
    /// Variables that it gave a value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub captured: BTreeMap<String, Value>,
}

impl StepFacts {
    /// The fields as they stand beside the others of a line.
    pub fn into_fields(self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }

    /// As far as the fields can be read.
    pub fn from_fields(fields: &Map<String, Value>) -> Option<Self> {
        serde_json::from_value(Value::Object(fields.clone())).ok()
    }
}

/// A part of a play that ends at one moment for all branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The steps: `finally` follows.
    Steps,
    /// All of it: what still runs is ended by us from now on.
    Play,
}
