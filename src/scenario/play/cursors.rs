//! A branch's position in the log of each daemon, and which matches are stale.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::daemon::DaemonName;
use crate::event::Seq;

/// Copied where branches part. A position never moves back.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursors {
    positions: HashMap<DaemonName, Seq>,
    /// What was done since the last expectation of each daemon.
    since: HashMap<DaemonName, Acted>,
    /// The same for a daemon of which nothing has been expected yet.
    ever: Acted,
    /// The last death of each daemon that this branch brought about or saw: what is ready later is another incarnation.
    deaths: HashMap<DaemonName, Seq>,
}

/// What a branch did since it last expected something of a daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Acted {
    /// Where the log ended when the first acting step since then began.
    first: Option<Seq>,
    /// How often something has been expected.
    expectations: u32,
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
        for acted in self.since.values_mut().chain([&mut self.ever]) {
            acted.first.get_or_insert(at);
        }
    }

    /// Whether a match is older than the first act since the last expectation of its daemon.
    pub(super) fn is_stale(&self, daemon: &DaemonName, matched: Seq) -> bool {
        self.acted(daemon).first.is_some_and(|act| matched < act)
    }

    /// An expectation of this daemon has been met.
    pub(super) fn expected(&mut self, daemon: &DaemonName) {
        let expectations = self.acted(daemon).expectations + 1;
        self.since.insert(daemon.clone(), Acted { first: None, expectations });
    }

    fn acted(&self, daemon: &DaemonName) -> Acted {
        self.since.get(daemon).copied().unwrap_or(self.ever)
    }

    pub(super) fn died(&mut self, daemon: &DaemonName, at: Seq) {
        let last = self.deaths.entry(daemon.clone()).or_default();
        *last = at.max(*last);
    }

    pub(super) fn last_death(&self, daemon: &DaemonName) -> Option<Seq> {
        self.deaths.get(daemon).copied()
    }

    /// Positions that are others than they were in an earlier copy.
    pub(super) fn moved_since(&self, before: &Self) -> BTreeMap<DaemonName, Seq> {
        changed(&self.positions, &before.positions)
    }

    /// Deaths that are not known to an earlier copy.
    pub(super) fn died_since(&self, before: &Self) -> BTreeMap<DaemonName, Seq> {
        changed(&self.deaths, &before.deaths)
    }

    /// After branches: the furthest of each.
    pub(super) fn join(&mut self, branches: Vec<Self>) {
        let names: BTreeSet<DaemonName> =
            branches.iter().flat_map(|branch| branch.since.keys().cloned()).collect();
        for name in names {
            let here = self.acted(&name);
            let joined = join_acted(here, branches.iter().map(|branch| branch.acted(&name)));
            self.since.insert(name, joined);
        }
        self.ever = join_acted(self.ever, branches.iter().map(|branch| branch.ever));
        for branch in branches {
            for (daemon, position) in branch.positions {
                self.move_to(&daemon, position);
            }
            for (daemon, death) in branch.deaths {
                self.died(&daemon, death);
            }
        }
    }
}

fn changed(
    now: &HashMap<DaemonName, Seq>,
    before: &HashMap<DaemonName, Seq>,
) -> BTreeMap<DaemonName, Seq> {
    let changed = now.iter().filter(|(name, at)| before.get(*name) != Some(at));
    changed.map(|(name, at)| (name.clone(), *at)).collect()
}

/// Where branches expected something, what they did before that is over; which of several did so last is not known, and
/// the one that did least since is believed. Where none did, the first act of any counts.
fn join_acted(start: Acted, branches: impl Iterator<Item = Acted> + Clone) -> Acted {
    let expecting = branches.clone().filter(|acted| acted.expectations > start.expectations);
    let expectations = branches.clone().map(|acted| acted.expectations).max();
    let expectations = expectations.unwrap_or(start.expectations);
    let first = if expectations > start.expectations {
        let latest = |a: Option<Seq>, b: Option<Seq>| Some(a?.max(b?));
        expecting.map(|acted| acted.first).reduce(latest).flatten()
    } else {
        branches.filter_map(|acted| acted.first).min()
    };
    Acted { first, expectations }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> DaemonName {
        DaemonName::new(name).unwrap()
    }

    /// Judges a match, which counts as an expectation.
    fn expect(cursors: &mut Cursors, daemon: &DaemonName, matched: Seq) -> bool {
        let stale = cursors.is_stale(daemon, matched);
        cursors.expected(daemon);
        stale
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
        assert!(!expect(&mut cursors, &a, Seq(2)), "after the first act");
        assert!(!expect(&mut cursors, &a, Seq(1)), "nothing was done since");
        cursors.act(Seq(10));
        cursors.act(Seq(20));
        assert!(!cursors.is_stale(&a, Seq(10)), "the first of the two counts");
        assert!(expect(&mut cursors, &a, Seq(5)));
        assert!(!expect(&mut cursors, &b, Seq(5)), "for b the first act counts");
        cursors.act(Seq(30));
        assert!(!expect(&mut cursors, &a, Seq(30)));
    }

    #[test]
    fn after_branches_the_furthest_position_counts() {
        let mut cursors = Cursors::default();
        let (mut left, mut right) = (cursors.clone(), cursors.clone());
        left.move_to(&name("a"), Seq(7));
        right.move_to(&name("a"), Seq(4));
        right.move_to(&name("b"), Seq(2));
        cursors.join(vec![left, right]);
        assert_eq!(cursors.position(&name("a")), Seq(7));
        assert_eq!(cursors.position(&name("b")), Seq(2));
    }

    #[test]
    fn after_branches_what_they_did_and_expected_counts() {
        let (a, b, c) = (name("a"), name("b"), name("c"));
        let mut cursors = Cursors::default();
        let (mut left, mut right) = (cursors.clone(), cursors.clone());
        left.act(Seq(10));
        left.expected(&a);
        left.act(Seq(20));
        right.act(Seq(12));
        right.expected(&b);
        cursors.join(vec![left, right]);
        assert!(cursors.is_stale(&a, Seq(19)) && !cursors.is_stale(&a, Seq(20)));
        assert!(!cursors.is_stale(&b, Seq(1)));
        assert!(cursors.is_stale(&c, Seq(9)) && !cursors.is_stale(&c, Seq(10)));
    }
}
