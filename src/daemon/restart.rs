//! What follows a death: the pure restart decision.

use std::time::Duration;

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
    pub max: Duration,
    /// Part of the delay that is drawn: 0.1 spreads it over ±10 %.
    pub jitter: f64,
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
