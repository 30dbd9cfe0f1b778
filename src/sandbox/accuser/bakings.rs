//! Who has baked which block at which level and round: double baking, decided on plain data.

use std::collections::{BTreeMap, HashMap};

/// Where a block stands among those that exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub level: u32,
    pub round: u32,
}

/// What a block means, given those seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody has seen this delegate bake here before.
    First,
    /// The same block once more.
    Repeated,
    /// The delegate baked another block here, with this hash.
    DoubleBaking { earlier: String },
}

/// The blocks seen, by position and delegate, within a window of levels. One chain to a table.
#[derive(Debug)]
pub struct Bakings {
    preserved_levels: u32,
    highest_level: u32,
    blocks: BTreeMap<Position, HashMap<String, String>>,
    until_purge: u32,
}

impl Bakings {
    /// Remembers blocks for as many levels below the highest one seen.
    pub fn new(preserved_levels: u32) -> Self {
        Self {
            preserved_levels,
            highest_level: 0,
            blocks: BTreeMap::new(),
            until_purge: purge_frequency(preserved_levels),
        }
    }

    pub fn highest_level(&self) -> u32 {
        self.highest_level
    }

    /// Takes note of a block's level before anything is decided about it.
    pub fn saw_level(&mut self, level: u32) {
        self.highest_level = self.highest_level.max(level);
    }

    /// Whether this block is the delegate's first at its position. Nothing is remembered yet: a block whose denunciation
    /// failed must be found again.
    pub fn judge(&self, position: Position, delegate: &str, hash: &str) -> Verdict {
        let earlier = self.blocks.get(&position).and_then(|bakers| bakers.get(delegate));
        match earlier {
            None => Verdict::First,
            Some(earlier) if earlier == hash => Verdict::Repeated,
            Some(earlier) => Verdict::DoubleBaking { earlier: earlier.clone() },
        }
    }

    /// Remembers the block as its delegate's latest there.
    pub fn remember(&mut self, position: Position, delegate: &str, hash: &str) {
        let bakers = self.blocks.entry(position).or_default();
        bakers.insert(delegate.to_owned(), hash.to_owned());
    }

    /// Called once for each block that was processed: now and then, forgets what is too old.
    /// True when it did.
    pub fn processed(&mut self) -> bool {
        self.until_purge -= 1;
        if self.until_purge > 0 {
            return false;
        }
        self.until_purge = purge_frequency(self.preserved_levels);
        let oldest = self.highest_level.saturating_sub(self.preserved_levels);
        self.blocks = self.blocks.split_off(&Position { level: oldest, round: 0 });
        true
    }
}

fn purge_frequency(preserved_levels: u32) -> u32 {
    (preserved_levels / 10).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Bakings, Position, Verdict};

    fn at(level: u32, round: u32) -> Position {
        Position { level, round }
    }

    #[test]
    fn two_blocks_of_one_delegate_at_one_level_and_round_are_double_baking() {
        let mut bakings = Bakings::new(200);
        bakings.remember(at(3, 0), "b1", "A");
        let cases = [
            (at(3, 0), "b1", "B", Verdict::DoubleBaking { earlier: "A".to_owned() }),
            (at(3, 0), "b1", "A", Verdict::Repeated),
            (at(3, 0), "b2", "B", Verdict::First),
            (at(3, 1), "b1", "B", Verdict::First),
            (at(4, 0), "b1", "B", Verdict::First),
        ];
        for (position, delegate, hash, verdict) in cases {
            assert_eq!(bakings.judge(position, delegate, hash), verdict, "{position:?} {delegate}");
        }
    }

    #[test]
    fn blocks_below_the_window_are_forgotten_at_the_next_purge() {
        let mut bakings = Bakings::new(20);
        for level in [1, 5, 24] {
            bakings.saw_level(level);
            bakings.remember(at(level, 0), "b1", "A");
        }
        assert!(!bakings.processed());
        assert_ne!(bakings.judge(at(1, 0), "b1", "B"), Verdict::First);
        assert!(bakings.processed(), "a window of 20 is purged at every second block");
        assert_eq!(bakings.judge(at(1, 0), "b1", "B"), Verdict::First);
        assert_ne!(bakings.judge(at(5, 0), "b1", "B"), Verdict::First);
    }

    #[test]
    fn a_window_of_no_levels_keeps_the_highest_one() {
        let mut bakings = Bakings::new(0);
        bakings.saw_level(7);
        bakings.remember(at(6, 0), "b1", "A");
        bakings.remember(at(7, 0), "b1", "A");
        assert!(bakings.processed());
        assert_eq!(bakings.judge(at(6, 0), "b1", "B"), Verdict::First);
        assert_ne!(bakings.judge(at(7, 0), "b1", "B"), Verdict::First);
    }
}
