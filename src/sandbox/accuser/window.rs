//! The span of levels that the accuser remembers: so many below the highest one seen, two above it.

/// How far ahead of the highest level a vote may be.
const FUTURE: u32 = 2;

/// Which levels count, and when to forget those that no longer do.
#[derive(Clone, Debug)]
pub struct Window {
    preserved_levels: u32,
    highest_level: u32,
    until_purge: u32,
}

/// Where a level is, seen from the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    TooOld,
    Within,
    TooFarInFuture,
}

impl Window {
    pub fn new(preserved_levels: u32) -> Self {
        Self { preserved_levels, highest_level: 0, until_purge: frequency(preserved_levels) }
    }

    /// Takes note of a block's level.
    pub fn saw_level(&mut self, level: u32) {
        self.highest_level = self.highest_level.max(level);
    }

    pub fn place(&self, level: u32) -> Place {
        if level > self.highest_level.saturating_add(FUTURE) {
            Place::TooFarInFuture
        } else if level < self.oldest() {
            Place::TooOld
        } else {
            Place::Within
        }
    }

    /// Called once for each block that was processed. Now and then it is time to forget: then this is the oldest level to keep.
    pub fn processed(&mut self) -> Option<u32> {
        self.until_purge -= 1;
        if self.until_purge > 0 {
            return None;
        }
        self.until_purge = frequency(self.preserved_levels);
        Some(self.oldest())
    }

    fn oldest(&self) -> u32 {
        self.highest_level.saturating_sub(self.preserved_levels)
    }
}

/// Every how many blocks memory is purged.
fn frequency(preserved_levels: u32) -> u32 {
    (preserved_levels / 10).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Place, Window};

    #[test]
    fn the_window_reaches_from_the_preserved_levels_to_two_above_the_highest() {
        let mut window = Window::new(5);
        window.saw_level(20);
        window.saw_level(12);
        let places = [14, 15, 20, 22, 23].map(|level| window.place(level));
        use Place::{TooFarInFuture, TooOld, Within};
        assert_eq!(places, [TooOld, Within, Within, Within, TooFarInFuture]);
    }

    #[test]
    fn a_window_of_no_levels_still_has_the_highest() {
        let mut window = Window::new(0);
        window.saw_level(7);
        assert_eq!(window.place(6), Place::TooOld);
        assert_eq!(window.place(7), Place::Within);
    }

    #[test]
    fn memory_is_purged_at_every_tenth_part_of_the_window() {
        let mut window = Window::new(20);
        window.saw_level(30);
        assert_eq!([(); 4].map(|()| window.processed()), [None, Some(10), None, Some(10)]);
        assert_eq!(Window::new(0).processed(), Some(0));
    }
}
