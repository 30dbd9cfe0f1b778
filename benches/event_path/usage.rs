//! What a stretch of work costs this process, and what it holds.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// A stretch of work: its wall time, and the CPU time of all threads of this process (not of its children).
#[derive(Debug)]
pub struct Stretch {
    wall: Instant,
    cpu: Duration,
}

#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: Duration,
    pub cpu: Duration,
}

impl Stretch {
    pub fn begin() -> Self {
        Self { wall: Instant::now(), cpu: cpu_time() }
    }

    pub fn end(&self) -> Cost {
        Cost { wall: self.wall.elapsed(), cpu: cpu_time().saturating_sub(self.cpu) }
    }
}

impl Cost {
    pub fn cpu_us_per(self, events: u64) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count(events)
    }

    pub fn events_per_ms(self, events: u64) -> f64 {
        count(events) / (self.wall.as_secs_f64() * 1e3)
    }
}

fn count(events: u64) -> f64 {
    f64::from(u32::try_from(events.max(1)).unwrap_or(u32::MAX))
}

fn cpu_time() -> Duration {
    getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |usage| {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    })
}

/// Resident memory of this process in MB.
pub fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    field("VmRSS:").unwrap_or(f64::NAN) / 1024.0
}

pub fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 50)
}

/// The value below which so many of a hundred are.
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}
