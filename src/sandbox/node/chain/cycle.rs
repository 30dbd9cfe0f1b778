//! Levels by cycle and by voting period, as long as the protocol's parameters make them.

use serde_json::{Map, Value};

/// How long Octez's sandbox parameters make a cycle, and a voting period in cycles.
const BLOCKS_PER_CYCLE: u32 = 8;
const CYCLES_PER_VOTING_PERIOD: u32 = 2;
/// How many whole cycles lie between a change of rights and the cycle that it counts in.
const CONSENSUS_RIGHTS_DELAY: u32 = 2;

/// The lengths of one chain. The first block of all, at level 1, begins cycle 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycles {
    pub blocks_per_cycle: u32,
    /// In cycles.
    pub voting_period: u32,
    pub consensus_rights_delay: u32,
}

impl Cycles {
    pub fn of(parameters: &Map<String, Value>) -> Self {
        let length = |name: &str, default: u32| {
            let given = parameters.get(name).and_then(Value::as_u64);
            let given = given.and_then(|length| u32::try_from(length).ok());
            given.filter(|length| *length > 0).unwrap_or(default)
        };
        Self {
            blocks_per_cycle: length("blocks_per_cycle", BLOCKS_PER_CYCLE),
            voting_period: length("cycles_per_voting_period", CYCLES_PER_VOTING_PERIOD),
            consensus_rights_delay: length("consensus_rights_delay", CONSENSUS_RIGHTS_DELAY),
        }
    }

    /// The cycle of a level, and the level's place in it.
    pub fn cycle(self, level: u32) -> (u32, u32) {
        let position = level.saturating_sub(1);
        (position / self.blocks_per_cycle, position % self.blocks_per_cycle)
    }

    pub fn is_last(self, level: u32) -> bool {
        self.cycle(level).1 == self.blocks_per_cycle - 1
    }

    pub fn blocks_per_voting_period(self) -> u32 {
        self.blocks_per_cycle.saturating_mul(self.voting_period)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Cycles;

    fn cycles(parameters: &serde_json::Value) -> Cycles {
        Cycles::of(parameters.as_object().unwrap())
    }

    #[test]
    fn levels_begin_at_one_and_cycles_at_zero() {
        let cycles = cycles(&json!({ "blocks_per_cycle": 4 }));
        assert_eq!([1, 4, 5, 8].map(|level| cycles.cycle(level)), [(0, 0), (0, 3), (1, 0), (1, 3)]);
        assert_eq!([3, 4, 5].map(|level| cycles.is_last(level)), [false, true, false]);
        assert_eq!(cycles.blocks_per_voting_period(), 8);
    }

    #[test]
    fn what_is_no_length_leaves_the_sandboxs() {
        for wrong in
            [json!({}), json!({ "blocks_per_cycle": 0 }), json!({ "blocks_per_cycle": "9" })]
        {
            assert_eq!(cycles(&wrong).blocks_per_cycle, 8, "{wrong}");
        }
    }
}
