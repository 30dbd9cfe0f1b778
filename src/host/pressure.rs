//! How busy this machine is: a test that fails on a starved machine fails for another reason.

use std::fs;

/// Of the last minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pressure {
    /// Percent of the time in which some task waited for it; `None` where the kernel does not tell.
    pub cpu: Option<f64>,
    pub io: Option<f64>,
    pub memory: Option<f64>,
    /// Tasks that ran or wanted to.
    pub load: Option<f64>,
    pub processors: usize,
}

/// From `/proc/pressure` (Linux, Documentation/accounting/psi.rst) where the kernel has it, and `/proc/loadavg`.
pub fn pressure() -> Pressure {
    let stalled = |what: &str| {
        let text = fs::read_to_string(format!("/proc/pressure/{what}")).ok()?;
        some_of_a_minute(&text)
    };
    let load = fs::read_to_string("/proc/loadavg").ok();
    Pressure {
        cpu: stalled("cpu"),
        io: stalled("io"),
        memory: stalled("memory"),
        load: load.and_then(|text| text.split_whitespace().next()?.parse().ok()),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn some_of_a_minute(text: &str) -> Option<f64> {
    let some = text.lines().find(|line| line.starts_with("some "))?;
    some.split_whitespace().find_map(|field| field.strip_prefix("avg60=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let text = "some avg10=4.00 avg60=12.50 avg300=1.00 total=9\nfull avg10=0.00 avg60=0.10 avg300=0.00 total=1\n";
        assert_eq!(some_of_a_minute(text), Some(12.5));
        for odd in ["", "some", "some avg60=x", "full avg60=1.00"] {
            assert_eq!(some_of_a_minute(odd), None, "{odd:?}");
        }
        assert!(pressure().load.is_some(), "every Linux has /proc/loadavg");
    }
}
