//! The exit code of the program: a fixed set, never a count.

use crate::scenario::result::{FailureKind, Outcome, ScenarioResult};

/// Ordered by what it says of the run: the greater one wins where several hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: all passed.
    #[default]
    Passed,
    /// 1: a scenario failed.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: a scenario file is invalid.
    Invalid,
    /// 4: a program is missing, a disk is full, nothing is selected.
    Environment,
    /// 130: a signal ended it.
    Interrupted,
    /// 70: a bug of ours.
    Bug,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Invalid => 3,
            Self::Environment => 4,
            Self::Interrupted => 130,
            Self::Bug => 70,
        }
    }

    /// What this one play would end the program with.
    pub fn of(result: &ScenarioResult) -> Self {
        match (result.outcome, result.failure.as_ref().map(|failure| failure.kind)) {
            (Outcome::Passed, _) => Self::Passed,
            (_, Some(FailureKind::Panic)) => Self::Bug,
            (Outcome::Interrupted, _) => Self::Interrupted,
            (Outcome::Error, Some(FailureKind::Invalid)) => Self::Invalid,
            (Outcome::Error, _) => Self::Environment,
            (Outcome::Failed, _) => Self::Failed,
        }
    }

    /// Of two that hold, the one that counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::result::Failure;

    #[test]
    fn a_bug_outweighs_a_signal_outweighs_the_environment_outweighs_a_failure() {
        let order = [(70, Exit::Bug), (130, Exit::Interrupted), (4, Exit::Environment)];
        let order =
            order.into_iter().chain([(3, Exit::Invalid), (1, Exit::Failed), (0, Exit::Passed)]);
        let order: Vec<_> = order.collect();
        for (i, (code, heavy)) in order.iter().enumerate() {
            assert_eq!(heavy.code(), *code);
            for (_, light) in &order[i..] {
                assert_eq!(heavy.and(*light), *heavy);
                assert_eq!(light.and(*heavy), *heavy);
            }
        }
        assert_eq!(Exit::Usage.code(), 2);
    }

    #[test]
    fn a_play_ends_the_program_by_its_outcome_and_kind() {
        let table = [
            (Outcome::Passed, None, Exit::Passed),
            (Outcome::Failed, Some(FailureKind::TimedOut), Exit::Failed),
            (Outcome::Failed, Some(FailureKind::Spawn), Exit::Failed),
            (Outcome::Failed, None, Exit::Failed),
            (Outcome::Error, Some(FailureKind::Spawn), Exit::Environment),
            (Outcome::Error, Some(FailureKind::HostLost), Exit::Environment),
            (Outcome::Error, Some(FailureKind::Environment), Exit::Environment),
            (Outcome::Error, None, Exit::Environment),
            (Outcome::Error, Some(FailureKind::Invalid), Exit::Invalid),
            (Outcome::Error, Some(FailureKind::Panic), Exit::Bug),
            (Outcome::Failed, Some(FailureKind::Panic), Exit::Bug),
            (Outcome::Interrupted, None, Exit::Interrupted),
            (Outcome::Interrupted, Some(FailureKind::TimedOut), Exit::Interrupted),
        ];
        for (outcome, kind, expected) in table {
            let result = ScenarioResult {
                outcome,
                failure: kind.map(|kind| Failure::new(kind, "")),
                ..super::super::player::unplayed("a", "a.yaml", 1)
            };
            assert_eq!(Exit::of(&result), expected, "{outcome:?} {kind:?}");
        }
    }
}
