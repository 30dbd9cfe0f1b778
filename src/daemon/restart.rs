//! What follows a death: the pure restart decision.
//!
//! The budget is a sliding window as in Erlang/OTP's supervisor (`supervisor.erl`, `add_restart/3`): each restart leaves
//! its time, old times are dropped, and the restart that would be one too many is not made.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{ExitCause, ExitReason, ExitStatus};

/// When a death is answered with a new incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartRule {
    #[default]
    Never,
    OnFailure,
    Always,
}

/// How long to wait before the n-th restart in a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    pub initial: Duration,
    pub factor: f64,
    /// No delay is longer, jitter included.
    pub max: Duration,
    /// Part of the delay that is drawn: 0.1 spreads it over ±10 %.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            factor: 2.0,
            max: Duration::from_secs(5),
            jitter: 0.1,
        }
    }
}

impl Backoff {
    /// The delay before a restart that has `in_row` others before it. The same seed draws the same jitter.
    pub fn delay(&self, in_row: u32, seed: u64) -> Duration {
        let max = self.max.as_secs_f64();
        let exponent = i32::try_from(in_row).unwrap_or(i32::MAX);
        let plain = (self.initial.as_secs_f64() * self.factor.powi(exponent)).min(max);
        let drawn = fastrand::Rng::with_seed(seed).f64().mul_add(2.0, -1.0);
        // `max` and `min` also turn a NaN of a senseless factor into a delay.
        let delay = (plain * self.jitter.mul_add(drawn, 1.0)).max(0.0).min(max);
        Duration::try_from_secs_f64(delay).unwrap_or(self.max).min(self.max)
    }
}

/// The rule, its budget in a sliding window, and its delays.
#[derive(Clone, Debug, PartialEq)]
pub struct RestartPolicy {
    pub rule: RestartRule,
    /// Restarts allowed within `window`; one more and the daemon is given up.
    pub max_restarts: u32,
    pub window: Duration,
    pub backoff: Backoff,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            rule: RestartRule::default(),
            max_restarts: 5,
            window: Duration::from_secs(30),
            backoff: Backoff::default(),
        }
    }
}

impl RestartPolicy {
    /// Whether this death asks for a restart, the budget apart.
    fn answers(&self, reason: &ExitReason, success: &[i32]) -> bool {
        let failed = match reason.cause {
            // The test asked for it, or nobody knows whether it is dead at all.
            ExitCause::Terminate | ExitCause::Kill | ExitCause::HostLost => return false,
            ExitCause::Crash { .. } => true,
            ExitCause::Signal | ExitCause::Itself => is_failure(reason.status, success),
        };
        match self.rule {
            RestartRule::Never => false,
            RestartRule::OnFailure => failed,
            RestartRule::Always => true,
        }
    }
}

/// Whether an end that nobody asked for is a failure: a signal always, a code unless it is one of `success`.
pub fn is_failure(status: ExitStatus, success: &[i32]) -> bool {
    status.code().is_none_or(|code| !success.contains(&code))
}

/// One death and when it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    pub reason: ExitReason,
    pub at: Instant,
}

/// What follows a death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it stays dead.
    Final,
    Restart {
        after: Duration,
    },
    /// The budget is spent. The deaths that spent it, oldest first, the last one included.
    GaveUp {
        deaths: Vec<Death>,
    },
}

/// The restarts of one daemon so far, and the decision over the next.
#[derive(Clone, Debug)]
pub struct RestartTracker {
    policy: RestartPolicy,
    success: Vec<i32>,
    seed: u64,
    /// Deaths within the window that were answered with a restart, oldest first.
    restarted: VecDeque<Death>,
    /// Restarts since the window was last empty: the exponent of the back-off.
    in_row: u32,
    /// Restarts ever, so that each draws a jitter of its own.
    drawn: u64,
}

impl RestartTracker {
    /// `success` are the exit codes that are no failure; `seed` decides the jitter of every restart to come.
    pub fn new(policy: RestartPolicy, success: Vec<i32>, seed: u64) -> Self {
        Self { policy, success, seed, restarted: VecDeque::new(), in_row: 0, drawn: 0 }
    }

    /// Decides over a death seen at `now`. A restart is counted as made.
    pub fn decide(&mut self, reason: ExitReason, now: Instant) -> Verdict {
        if !self.policy.answers(&reason, &self.success) {
            return Verdict::Final;
        }
        self.forget_old(now);
        let death = Death { reason, at: now };
        let budget = usize::try_from(self.policy.max_restarts).unwrap_or(usize::MAX);
        if self.restarted.len() >= budget {
            let deaths = self.restarted.drain(..).chain([death]).collect();
            return Verdict::GaveUp { deaths };
        }
        let seed = self.seed ^ self.drawn.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let after = self.policy.backoff.delay(self.in_row, seed);
        self.restarted.push_back(death);
        self.in_row = self.in_row.saturating_add(1);
        self.drawn += 1;
        Verdict::Restart { after }
    }

    fn forget_old(&mut self, now: Instant) {
        let old = |death: &Death| now.saturating_duration_since(death.at) > self.policy.window;
        while self.restarted.front().is_some_and(old) {
            self.restarted.pop_front();
        }
        if self.restarted.is_empty() {
            self.in_row = 0;
        }
    }
}

#[cfg(test)]
mod tests;
