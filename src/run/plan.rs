//! What is played next, and what a result means for the rest: repetitions, retries, stopping early.
//!
//! Plain data that plays nothing and knows no time.

use std::collections::VecDeque;

use super::Verdict;
use crate::scenario::result::Outcome;

/// What a scenario that passed on a retry counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaky {
    #[default]
    Pass,
    Fail,
}

/// How often, and when to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How often each scenario is played; `None`: without end.
    pub repetitions: Option<u32>,
    /// Stop at the first repetition that does not pass.
    pub until_failure: bool,
    /// How often one that failed is tried again.
    pub retries: u32,
    pub flaky: Flaky,
    /// Begin nothing more after the first failure; what is being played is played to its end.
    pub fail_fast: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            repetitions: Some(1),
            until_failure: false,
            retries: 0,
            flaky: Flaky::Pass,
            fail_fast: false,
        }
    }
}

impl Policy {
    /// Whether the run as a whole fails by this.
    pub fn fails(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Passed => false,
            Verdict::Flaky => self.flaky == Flaky::Fail,
            Verdict::Failed | Verdict::Error | Verdict::Interrupted => true,
        }
    }
}

/// One attempt at one repetition of one scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    /// The index of the scenario in the run.
    pub case: usize,
    /// From 0.
    pub repetition: u32,
    /// From 1.
    pub attempt: u32,
}

/// What follows from the result of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It failed and is tried again before anything else.
    Again,
    Finally(Verdict),
}

/// The units of a run: every scenario once, then every scenario again.
#[derive(Debug)]
pub struct Plan {
    cases: usize,
    policy: Policy,
    again: VecDeque<Unit>,
    /// The next unit that is no retry.
    case: usize,
    repetition: u32,
    stopped: bool,
}

impl Plan {
    pub fn new(cases: usize, policy: Policy) -> Self {
        Self { cases, policy, again: VecDeque::new(), case: 0, repetition: 0, stopped: false }
    }

    /// The next unit to begin, `None` if there is none now; a result may bring a retry.
    pub fn next_unit(&mut self) -> Option<Unit> {
        if self.stopped {
            return None;
        }
        if let Some(unit) = self.again.pop_front() {
            return Some(unit);
        }
        let over = self.policy.repetitions.is_some_and(|wanted| self.repetition >= wanted);
        if over || self.cases == 0 {
            return None;
        }
        let unit = Unit { case: self.case, repetition: self.repetition, attempt: 1 };
        self.case += 1;
        if self.case == self.cases {
            self.case = 0;
            self.repetition = self.repetition.saturating_add(1);
        }
        Some(unit)
    }

    /// Takes the result of a unit that [`Plan::next_unit`] gave.
    pub fn ended(&mut self, unit: Unit, outcome: Outcome) -> Settled {
        if outcome == Outcome::Failed && unit.attempt <= self.policy.retries && !self.stopped {
            self.again.push_back(Unit { attempt: unit.attempt + 1, ..unit });
            return Settled::Again;
        }
        let verdict = match outcome {
            Outcome::Passed if unit.attempt > 1 => Verdict::Flaky,
            Outcome::Passed => Verdict::Passed,
            Outcome::Failed => Verdict::Failed,
            Outcome::Error => Verdict::Error,
            Outcome::Interrupted => Verdict::Interrupted,
        };
        if self.policy.fails(verdict) && (self.policy.fail_fast || self.policy.until_failure) {
            self.stopped = true;
        }
        Settled::Finally(verdict)
    }

    /// Begin nothing more.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// How many repetitions of scenarios were never begun; of a run without end, those of the round that it was in.
    pub fn not_played(&self) -> u64 {
        let wanted = self.policy.repetitions.unwrap_or(self.repetition + u32::from(self.case > 0));
        let begun = u64::from(self.repetition) * self.cases as u64 + self.case as u64;
        (u64::from(wanted) * self.cases as u64).saturating_sub(begun)
    }

    /// The retries that were due when the run was stopped and will never begin.
    pub fn abandoned(&self) -> impl Iterator<Item = Unit> {
        self.again.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Error, Failed, Interrupted, Passed};

    /// Plays one unit after the other, each with the next outcome, and tells the units and verdicts.
    fn play(
        cases: usize,
        policy: Policy,
        outcomes: &[Outcome],
    ) -> (Vec<(usize, u32, u32)>, Vec<Verdict>, Plan) {
        let mut plan = Plan::new(cases, policy);
        let mut outcomes = outcomes.iter();
        let (mut units, mut verdicts) = (Vec::new(), Vec::new());
        while let Some(unit) = plan.next_unit() {
            units.push((unit.case, unit.repetition, unit.attempt));
            let Some(&outcome) = outcomes.next() else { break };
            if let Settled::Finally(verdict) = plan.ended(unit, outcome) {
                verdicts.push(verdict);
            }
        }
        (units, verdicts, plan)
    }

    #[test]
    fn each_scenario_is_played_once_and_then_again() {
        let policy = Policy { repetitions: Some(2), ..Policy::default() };
        let (units, verdicts, plan) = play(2, policy, &[Passed, Failed, Passed, Passed]);
        assert_eq!(units, [(0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)]);
        assert_eq!(verdicts, [Verdict::Passed, Verdict::Failed, Verdict::Passed, Verdict::Passed]);
        assert_eq!(plan.not_played(), 0);
    }

    #[test]
    fn only_a_failure_is_retried_and_a_late_pass_is_flaky() {
        let policy = Policy { retries: 2, ..Policy::default() };
        let outcomes = [Failed, Passed, Failed, Failed, Failed, Error, Interrupted];
        let (units, verdicts, _) = play(4, policy, &outcomes);
        let attempts: Vec<_> = units.iter().map(|&(case, _, attempt)| (case, attempt)).collect();
        assert_eq!(attempts, [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]);
        let expected = [Verdict::Flaky, Verdict::Failed, Verdict::Error, Verdict::Interrupted];
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn fail_fast_begins_nothing_after_a_failure() {
        let policy = Policy { fail_fast: true, repetitions: Some(2), ..Policy::default() };
        for bad in [Failed, Error] {
            let (units, _, plan) = play(3, policy, &[Passed, bad]);
            assert_eq!(units.len(), 2);
            assert_eq!(plan.not_played(), 4);
        }
    }

    #[test]
    fn fail_fast_waits_for_the_retries() {
        let policy = Policy { fail_fast: true, retries: 1, ..Policy::default() };
        let (units, verdicts, _) = play(2, policy, &[Failed, Passed, Passed]);
        assert_eq!(units, [(0, 0, 1), (0, 0, 2), (1, 0, 1)]);
        assert_eq!(verdicts, [Verdict::Flaky, Verdict::Passed]);

        let strict = Policy { flaky: Flaky::Fail, ..policy };
        let (units, verdicts, plan) = play(2, strict, &[Failed, Passed]);
        assert_eq!((units.len(), plan.not_played()), (2, 1));
        assert_eq!(verdicts, [Verdict::Flaky]);
    }

    #[test]
    fn until_failure_goes_on_without_end() {
        let policy = Policy { repetitions: None, until_failure: true, ..Policy::default() };
        let mut outcomes = vec![Passed; 1_000];
        outcomes.push(Failed);
        let (units, _, plan) = play(1, policy, &outcomes);
        assert_eq!(units.last(), Some(&(0, 1_000, 1)));
        assert_eq!(units.len(), 1_001);
        assert_eq!(plan.not_played(), 0);
    }

    #[test]
    fn until_failure_ends_with_the_repetitions() {
        let policy = Policy { repetitions: Some(3), until_failure: true, ..Policy::default() };
        assert_eq!(play(1, policy, &[Passed; 3]).0.len(), 3);
    }

    #[test]
    fn after_a_stop_nothing_is_begun_and_nothing_retried() {
        let mut plan = Plan::new(3, Policy { retries: 1, ..Policy::default() });
        let first = plan.next_unit().expect("three are wanted");
        let second = plan.next_unit().expect("three are wanted");
        assert_eq!(plan.ended(first, Failed), Settled::Again);
        plan.stop();
        assert_eq!(plan.ended(second, Failed), Settled::Finally(Verdict::Failed));
        assert_eq!(plan.next_unit(), None);
        assert_eq!(plan.not_played(), 1);
        assert_eq!(plan.abandoned().collect::<Vec<_>>(), [Unit { attempt: 2, ..first }]);
    }

    #[test]
    fn nothing_to_play_is_over_at_once() {
        let policy = Policy { repetitions: None, until_failure: true, ..Policy::default() };
        assert_eq!(Plan::new(0, policy).next_unit(), None);
    }
}
