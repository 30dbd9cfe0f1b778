//! `--shard I/N`: which scenarios are this machine's part.

use std::str::FromStr;

/// One of several parts, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    part: usize,
    of: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no part I/N with 1 <= I <= N, such as 2/3")]
pub struct InvalidShard {
    text: String,
}

impl FromStr for Shard {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Self, InvalidShard> {
        let parts = text.split_once('/').and_then(|(part, of)| {
            let (part, of) = (part.parse().ok()?, of.parse().ok()?);
            (1..=of).contains(&part).then_some(Self { part, of })
        });
        parts.ok_or_else(|| InvalidShard { text: text.to_owned() })
    }
}

/// The indices of this shard's part, in ascending order.
///
/// `times` are seconds, `None` where none was recorded: such a scenario counts as long as the median of the others, or
/// one second if there are none. The longest goes first, each to the part with the least so far; ties go by index. The
/// parts of all machines are disjoint and complete if they are given the same times.
pub fn part(times: &[Option<f64>], shard: Shard) -> Vec<usize> {
    let usual = median(times).unwrap_or(1.0);
    let time = |index: usize| times[index].unwrap_or(usual);
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|&a, &b| time(b).total_cmp(&time(a)).then(a.cmp(&b)));

    let mut loads = vec![(0.0_f64, 0_usize); shard.of.min(times.len().max(1))];
    let mut mine = Vec::new();
    for index in order {
        let lightest = lightest(&loads);
        loads[lightest].0 += time(index);
        loads[lightest].1 += 1;
        if lightest + 1 == shard.part {
            mine.push(index);
        }
    }
    mine.sort_unstable();
    mine
}

/// By time, then by number, so that scenarios of no length are spread as well; then the first.
fn lightest(loads: &[(f64, usize)]) -> usize {
    let mut lightest = 0;
    for (index, load) in loads.iter().enumerate() {
        if load.0.total_cmp(&loads[lightest].0).then(load.1.cmp(&loads[lightest].1)).is_lt() {
            lightest = index;
        }
    }
    lightest
}

fn median(times: &[Option<f64>]) -> Option<f64> {
    let mut known: Vec<f64> = times.iter().copied().flatten().collect();
    known.sort_by(f64::total_cmp);
    known.get(known.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().expect(text)
    }

    #[test]
    fn parts_are_balanced_by_time_not_by_number() {
        let times = [Some(60.0), Some(5.0), Some(20.0), Some(30.0), Some(5.0)];
        assert_eq!(part(&times, shard("1/2")), [0]);
        assert_eq!(part(&times, shard("2/2")), [1, 2, 3, 4]);
    }

    #[test]
    fn without_recorded_times_the_numbers_are_balanced() {
        assert_eq!(part(&[None; 5], shard("1/2")), [0, 2, 4]);
        assert_eq!(part(&[None; 5], shard("2/2")), [1, 3]);
    }

    #[test]
    fn an_unknown_time_counts_as_the_median() {
        let times = [Some(10.0), None, Some(2.0), Some(30.0)];
        assert_eq!(part(&times, shard("1/2")), [3]);
        assert_eq!(part(&times, shard("2/2")), [0, 1, 2]);
    }

    #[test]
    fn a_part_may_be_empty() {
        assert_eq!(part(&[Some(1.0)], shard("2/2")), Vec::<usize>::new());
        assert_eq!(part(&[], shard("1/1")), Vec::<usize>::new());
        assert_eq!(part(&[None], shard("1/18446744073709551615")), [0]);
    }

    #[test]
    fn malformed_parts_are_refused() {
        for text in ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2", "1 / 2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_scenario_is_in_exactly_one_part(
            times in proptest::collection::vec(proptest::option::of(0.0..100.0_f64), 0..40),
            of in 1..6_usize,
        ) {
            let mut all: Vec<usize> = (1..=of).flat_map(|part_number| part(&times, Shard { part: part_number, of })).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..times.len()).collect::<Vec<_>>());
        }

        /// The bound of the longest-first rule: no part exceeds the mean by more than the longest scenario.
        #[test]
        fn no_part_is_much_longer_than_the_mean(times in proptest::collection::vec(0.0..100.0_f64, 1..40), of in 1..6_usize) {
            let known: Vec<Option<f64>> = times.iter().copied().map(Some).collect();
            let total: f64 = times.iter().sum();
            let longest = times.iter().copied().fold(0.0, f64::max);
            #[expect(clippy::cast_precision_loss, reason = "fewer than six")]
            let mean = total / of as f64;
            for number in 1..=of {
                let load: f64 = part(&known, Shard { part: number, of }).iter().map(|&index| times[index]).sum();
                prop_assert!(load <= mean + longest + 1e-6);
            }
        }
    }
}
