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

/// The blocks seen, by position and delegate. One chain to a table.
#[derive(Debug, Default)]
pub struct Bakings {
    blocks: BTreeMap<Position, HashMap<String, String>>,
}

impl Bakings {
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

    /// Forgets what is below this level.
    pub fn forget_below(&mut self, level: u32) {
        self.blocks = self.blocks.split_off(&Position { level, round: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::{Bakings, Position, Verdict};

    fn at(level: u32, round: u32) -> Position {
        Position { level, round }
    }

    #[test]
    fn two_blocks_of_one_delegate_at_one_level_and_round_are_double_baking() {
        let mut bakings = Bakings::default();
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
    fn forgotten_blocks_are_first_again() {
        let mut bakings = Bakings::default();
        for level in [4, 5] {
            bakings.remember(at(level, 3), "b1", "A");
        }
        bakings.forget_below(5);
        assert_eq!(bakings.judge(at(4, 3), "b1", "B"), Verdict::First);
        assert_ne!(bakings.judge(at(5, 3), "b1", "B"), Verdict::First);
    }
}
