//! Which seed each play gets.

use super::Case;

/// Where seeds come from: the command line before the file before chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    base: u64,
    drawn: bool,
}

impl Seeds {
    /// `--seed N`: repetition k of any scenario gets N + k, whatever its file says.
    pub fn given(seed: u64) -> Self {
        Self { base: seed, drawn: false }
    }

    /// One seed for the whole run, so that one number repeats it. Short enough to be typed.
    pub fn drawn() -> Self {
        Self { base: fastrand::u64(1..1_000_000_000), drawn: true }
    }

    /// The seed that `--seed` repeats this run with.
    pub fn base(self) -> u64 {
        self.base
    }

    /// The seed of repetition k (from 0). A seed that the file pins is the same for each.
    pub fn of(self, case: &Case, repetition: u32) -> u64 {
        match case.seed {
            Some(pinned) if self.drawn => pinned,
            _ => self.base.wrapping_add(repetition.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_comes_before_the_file_before_chance() {
        let drawn = Seeds::drawn();
        let table = [
            (Seeds::given(7), None, 0, 7),
            (Seeds::given(7), None, 3, 10),
            (Seeds::given(7), Some(42), 3, 10),
            (drawn, Some(42), 0, 42),
            (drawn, Some(42), 3, 42),
            (drawn, None, 0, drawn.base()),
            (drawn, None, 3, drawn.base() + 3),
            (Seeds::given(u64::MAX), None, 1, 0),
        ];
        for (seeds, pinned, repetition, expected) in table {
            let case = Case {
                file: "a.yaml".into(),
                name: "a".to_owned(),
                tags: Vec::new(),
                description: None,
                seed: pinned,
            };
            assert_eq!(seeds.of(&case, repetition), expected, "{seeds:?} {pinned:?} {repetition}");
        }
    }
}
