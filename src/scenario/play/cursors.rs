//! A branch's position in the log of each daemon, and which matches are stale.

use std::collections::HashMap;

use crate::daemon::DaemonName;
use crate::event::Seq;

/// Copied where branches part. A position never moves back.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursors {
    positions: HashMap<DaemonName, Seq>,
    /// Where the log ended when each acting step began.
    acts: Vec<Seq>,
    /// How many acts there had been at the last expectation of each daemon.
    expected: HashMap<DaemonName, usize>,
    /// The last death of each daemon that this branch brought about and that may be followed by another run.
    deaths: HashMap<DaemonName, Seq>,
}

impl Cursors {
    pub(super) fn position(&self, daemon: &DaemonName) -> Seq {
        self.positions.get(daemon).copied().unwrap_or_default()
    }

    pub(super) fn move_to(&mut self, daemon: &DaemonName, position: Seq) {
        let at = self.positions.entry(daemon.clone()).or_default();
        *at = position.max(*at);
    }

    /// A step that acts on the world begins.
    pub(super) fn act(&mut self, at: Seq) {
        self.acts.push(at);
    }

    /// Whether a match is older than the first act since the last expectation of its daemon. Counts as an expectation.
    pub(super) fn is_stale(&mut self, daemon: &DaemonName, matched: Seq) -> bool {
        let known = self.expected.insert(daemon.clone(), self.acts.len()).unwrap_or(0);
        self.acts.get(known).is_some_and(|act| matched < *act)
    }

    pub(super) fn died(&mut self, daemon: &DaemonName, at: Seq) {
        self.deaths.insert(daemon.clone(), at);
    }

    pub(super) fn last_death(&self, daemon: &DaemonName) -> Option<Seq> {
        self.deaths.get(daemon).copied()
    }

    /// After branches: the furthest of each.
    pub(super) fn join(&mut self, branch: Self) {
        for (daemon, position) in branch.positions {
            self.move_to(&daemon, position);
        }
        for (daemon, death) in branch.deaths {
            let last = self.deaths.entry(daemon).or_default();
            *last = death.max(*last);
        }
        for (daemon, acts) in branch.expected {
            let seen = self.expected.entry(daemon).or_default();
            *seen = acts.max(*seen);
        }
        if branch.acts.len() > self.acts.len() {
            self.acts = branch.acts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> DaemonName {
        DaemonName::new(name).unwrap()
    }

    #[test]
    fn a_position_never_moves_back() {
        let mut cursors = Cursors::default();
        cursors.move_to(&name("a"), Seq(5));
        cursors.move_to(&name("a"), Seq(3));
        assert_eq!(cursors.position(&name("a")), Seq(5));
        assert_eq!(cursors.position(&name("b")), Seq(0));
    }

    #[test]
    fn a_match_is_stale_if_it_is_older_than_the_first_act_since_the_last_expectation() {
        let (a, b) = (name("a"), name("b"));
        let mut cursors = Cursors::default();
        cursors.act(Seq(0));
        assert!(!cursors.is_stale(&a, Seq(2)), "after the first act");
        assert!(!cursors.is_stale(&a, Seq(1)), "nothing was done since");
        cursors.act(Seq(10));
        cursors.act(Seq(20));
        assert!(cursors.is_stale(&a, Seq(5)));
        assert!(!cursors.is_stale(&b, Seq(5)), "for b the first act counts");
        cursors.act(Seq(30));
        assert!(!cursors.is_stale(&a, Seq(30)));
    }

    #[test]
    fn after_branches_the_furthest_position_counts() {
        let mut cursors = Cursors::default();
        let (mut left, mut right) = (cursors.clone(), cursors.clone());
        left.move_to(&name("a"), Seq(7));
        right.move_to(&name("a"), Seq(4));
        right.move_to(&name("b"), Seq(2));
        cursors.join(left);
        cursors.join(right);
        assert_eq!(cursors.position(&name("a")), Seq(7));
        assert_eq!(cursors.position(&name("b")), Seq(2));
    }
}
