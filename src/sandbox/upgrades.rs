//! Protocol changes that the users of a network have agreed on: at which level which protocol takes over
//! (`src/lib_base/user_activated.ml`).
//!
//! The block at such a level is the migration block. It is still of the old protocol, and what it leaves behind is the
//! new one's: its `next_protocol` differs from its `protocol`, and its protocol number is one higher than before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hash::ProtocolHash;

/// The agreed changes, by level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrades(BTreeMap<u32, ProtocolHash>);

/// One of them, as `config.json` and the RPC have it.
#[derive(Serialize, Deserialize)]
struct Upgrade {
    level: u32,
    replacement_protocol: ProtocolHash,
}

impl Upgrades {
    /// Reads the list that [`Self::to_json`] makes. Of two for one level the first one counts, as in Octez, which looks
    /// it up in the list.
    pub fn from_json(json: &Value) -> Result<Self, serde_json::Error> {
        let list = Vec::<Upgrade>::deserialize(json)?;
        let pairs = list.into_iter().rev().map(|one| (one.level, one.replacement_protocol));
        Ok(Self(pairs.collect()))
    }

    pub fn to_json(&self) -> Value {
        let one = |(level, protocol): (&u32, &ProtocolHash)| {
            json!(Upgrade { level: *level, replacement_protocol: *protocol })
        };
        self.0.iter().map(one).collect()
    }

    /// One change.
    pub fn at(level: u32, protocol: ProtocolHash) -> Self {
        Self(BTreeMap::from([(level, protocol)]))
    }

    /// The protocol after the block at this level, if `current` is the one before it.
    pub fn after(&self, level: u32, current: ProtocolHash) -> ProtocolHash {
        self.0.get(&level).copied().unwrap_or(current)
    }
}

/// The protocol number of a block that leaves `next` behind, on a predecessor with this number that left `protocol`.
pub fn proto_level(before: u8, protocol: &ProtocolHash, next: &ProtocolHash) -> u8 {
    if protocol == next { before } else { before.wrapping_add(1) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Upgrades, proto_level};
    use crate::sandbox::protocol::ACTIVE;

    #[test]
    fn a_protocol_takes_over_after_its_level_and_nowhere_else() {
        let [stable, alpha] = ACTIVE.map(|protocol| protocol.hash.parse().unwrap());
        let list = json!([{ "level": 4, "replacement_protocol": alpha }]);
        let upgrades = Upgrades::from_json(&list).unwrap();
        assert_eq!([3, 4, 5].map(|level| upgrades.after(level, stable)), [stable, alpha, stable]);
        assert_eq!(upgrades.to_json(), list);
        assert_eq!([stable, alpha].map(|next| proto_level(255, &stable, &next)), [255, 0]);
    }

    #[test]
    fn the_first_of_two_for_one_level_counts() {
        let [stable, alpha] = ACTIVE.map(|protocol| protocol.hash.parse().unwrap());
        let one = |hash| json!({ "level": 4, "replacement_protocol": hash });
        let upgrades = Upgrades::from_json(&json!([one(alpha), one(stable)])).unwrap();
        assert_eq!(upgrades.after(4, stable), alpha);
    }

    #[test]
    fn what_is_no_list_of_upgrades_is_refused() {
        for json in [
            json!({}),
            json!([{ "level": 4 }]),
            json!([{ "level": -1, "replacement_protocol": ACTIVE[0].hash }]),
            json!([{ "level": 4, "replacement_protocol": "PsUshuai" }]),
        ] {
            assert!(Upgrades::from_json(&json).is_err(), "{json}");
        }
    }
}
