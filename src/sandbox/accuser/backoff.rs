//! Delays between two attempts to reach the node: 1 s, then half as much again each time, at most 10 s.

use std::time::Duration;

/// The delays in a row, without end.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: 1.0 }
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let delay = self.next;
        self.next = (delay * 1.5).min(10.0);
        Some(Duration::from_secs_f64(delay))
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;

    #[test]
    fn delays_grow_by_half_up_to_ten_seconds() {
        let delays: Vec<String> =
            Backoff::default().take(8).map(|delay| format!("{:.2}", delay.as_secs_f64())).collect();
        assert_eq!(delays, ["1.00", "1.50", "2.25", "3.38", "5.06", "7.59", "10.00", "10.00"]);
    }
}
