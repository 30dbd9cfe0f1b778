//! Which step of an edited scenario stands in the place of which step that was played.
//!
//! A list of steps is compared as a diff does it: steps that read the same are the same; between those, steps of one verb
//! stand for each other in their order. What is left was added, or removed.

use std::collections::HashMap;

use crate::scenario::model::{Action, Assignment, Scenario, Step};

/// The step that was played in the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::scenario::play) struct Pair {
    /// Its path.
    pub(in crate::scenario::play) played: String,
    /// Both read the same.
    pub(in crate::scenario::play) same: bool,
    /// Variables that both capture by the same expression.
    pub(in crate::scenario::play) captures: Vec<String>,
}

/// For each step of `edited`, by its path, the step of `played` that it stands for.
pub(in crate::scenario::play) fn aligned(
    edited: &Scenario,
    played: &Scenario,
) -> HashMap<String, Pair> {
    let mut pairs = HashMap::new();
    lists(&edited.steps, &played.steps, &mut pairs);
    lists(&edited.finally, &played.finally, &mut pairs);
    pairs
}

fn lists(edited: &[Step], played: &[Step], pairs: &mut HashMap<String, Pair>) {
    for (new, old) in pairing(edited, played) {
        let (new, old) = (&edited[new], &played[old]);
        let pair = Pair {
            played: old.path.clone(),
            same: new.written == old.written,
            captures: common(captures(&new.action), captures(&old.action)),
        };
        pairs.insert(new.path.clone(), pair);
        for (new, old) in new.action.blocks().into_iter().zip(old.action.blocks()) {
            lists(new, old, pairs);
        }
    }
}

/// Pairs of indices, both ascending.
fn pairing(edited: &[Step], played: &[Step]) -> Vec<(usize, usize)> {
    let is_same = |new: usize, old: usize| edited[new].written == played[old].written;
    let is_alike = |new: usize, old: usize| edited[new].verb == played[old].verb;
    let all = (0..edited.len(), 0..played.len());
    let mut pairs = common_subsequence(all.0, all.1, &is_same);
    let mut gaps = Vec::new();
    let mut from = (0, 0);
    for (new, old) in pairs.iter().copied().chain([(edited.len(), played.len())]) {
        gaps.push((from.0..new, from.1..old));
        from = (new + 1, old + 1);
    }
    for (new, old) in gaps {
        pairs.extend(common_subsequence(new, old, &is_alike));
    }
    pairs.sort_unstable();
    pairs
}

/// The longest common subsequence of two ranges of indices; of very long ones, only what they begin and end with.
fn common_subsequence(
    new: std::ops::Range<usize>,
    old: std::ops::Range<usize>,
    is_equal: &dyn Fn(usize, usize) -> bool,
) -> Vec<(usize, usize)> {
    const CELLS: usize = 4_000_000;
    let head: Vec<_> = new.clone().zip(old.clone()).take_while(|(n, o)| is_equal(*n, *o)).collect();
    let (new, old) = (new.start + head.len()..new.end, old.start + head.len()..old.end);
    let tail = new.clone().rev().zip(old.clone().rev()).take_while(|(n, o)| is_equal(*n, *o));
    let mut tail: Vec<_> = tail.collect();
    tail.reverse();
    let (new, old) = (new.start..new.end - tail.len(), old.start..old.end - tail.len());
    let mut pairs = head;
    let width = old.len() + 1;
    if (new.len() + 1).saturating_mul(width) <= CELLS {
        // lengths[i][j]: how many pairs the rests from i and j on have.
        let mut lengths = vec![0_u32; (new.len() + 1) * width];
        for i in (0..new.len()).rev() {
            for j in (0..old.len()).rev() {
                lengths[i * width + j] = if is_equal(new.start + i, old.start + j) {
                    lengths[(i + 1) * width + j + 1] + 1
                } else {
                    lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < new.len() && j < old.len() {
            if is_equal(new.start + i, old.start + j) {
                pairs.push((new.start + i, old.start + j));
                (i, j) = (i + 1, j + 1);
            } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
                i += 1;
            } else {
                j += 1;
            }
        }
    }
    pairs.extend(tail);
    pairs
}

/// What a step that is not judged on a record gives values to.
pub(in crate::scenario::play) fn captures(action: &Action) -> &[Assignment] {
    match action {
        Action::Bake(bake) => &bake.capture,
        Action::Vote(vote) => &vote.capture,
        Action::Inject(inject) => &inject.capture,
        Action::Rpc(rpc) => &rpc.capture,
        Action::Exec(exec) => &exec.capture,
        _ => &[],
    }
}

fn common(edited: &[Assignment], played: &[Assignment]) -> Vec<String> {
    let is_there = |one: &&Assignment| {
        played.iter().any(|other| {
            other.name.value == one.name.value
                && other.formula.expression.source() == one.formula.expression.source()
        })
    };
    edited.iter().filter(is_there).map(|one| one.name.value.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::{Overrides, Source, load_source};

    fn pairs(edited: &str, played: &str) -> Vec<(String, String, bool)> {
        let load = |steps: &str| {
            let text =
                format!("daemons: {{ a: {{ kind: process, command: [x] }} }}\nsteps:\n{steps}");
            let source = Arc::new(Source::new("a.yaml", text));
            load_source(&source, &Overrides::default()).expect("valid").scenario
        };
        let pairs = aligned(&load(edited), &load(played));
        let mut pairs: Vec<_> =
            pairs.into_iter().map(|(new, pair)| (new, pair.played, pair.same)).collect();
        pairs.sort();
        pairs
    }

    fn pair(new: &str, old: &str, same: bool) -> (String, String, bool) {
        (new.to_owned(), old.to_owned(), same)
    }

    #[test]
    fn a_step_that_was_inserted_shifts_the_others_and_stands_for_none() {
        let played = " - start: a\n - expect: { from: a, event: x }\n";
        let edited = " - start: a\n - log: new\n - expect: { from: a, event: x }\n";
        let expected = [pair("steps[0]", "steps[0]", true), pair("steps[2]", "steps[1]", true)];
        assert_eq!(pairs(edited, played), expected);
    }

    #[test]
    fn a_step_that_was_changed_stands_for_the_one_of_its_verb() {
        let played = " - start: a\n - expect: { from: a, event: x }\n - log: end\n";
        let edited = " - start: a\n - expect: { from: a, event: y }\n - log: end\n";
        let expected = [
            pair("steps[0]", "steps[0]", true),
            pair("steps[1]", "steps[1]", false),
            pair("steps[2]", "steps[2]", true),
        ];
        assert_eq!(pairs(edited, played), expected);
    }

    #[test]
    fn blocks_are_compared_inside() {
        let played = " - repeat: { times: 2, steps: [{ log: a }, { log: b }] }\n";
        let edited = " - repeat: { times: 2, steps: [{ log: b }] }\n";
        let expected = [
            pair("steps[0]", "steps[0]", false),
            pair("steps[0].repeat[0]", "steps[0].repeat[1]", true),
        ];
        assert_eq!(pairs(edited, played), expected);
    }

    #[test]
    fn nothing_is_found_twice() {
        let played = " - log: a\n - log: a\n - log: b\n";
        let edited = " - log: a\n - log: b\n - log: a\n";
        let found = pairs(edited, played);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|(_, _, same)| *same), "{found:?}");
    }
}
