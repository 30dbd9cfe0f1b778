//! What a process is doing just now and has used so far (proc(5)).

use std::fs;
use std::time::Duration;

use super::procfs::{Pid, path};

/// A look at one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// As `/proc/<pid>/stat` has it: `S`, `T`, `Z`.
    pub state: char,
    pub threads: u64,
    /// Memory that is resident.
    pub resident_bytes: u64,
    /// Of processors, in the program and in the kernel.
    pub cpu: Duration,
}

impl Usage {
    /// The state in words.
    pub fn doing(&self) -> &'static str {
        match self.state {
            'R' => "running",
            'S' => "sleeping",
            'D' => "waiting for a device",
            'T' => "stopped by a signal",
            't' => "stopped by a debugger",
            'Z' => "a zombie",
            'X' | 'x' => "dead",
            'I' => "idle",
            _ => "in a state of its own",
        }
    }

    fn parse(stat: &str, ticks_per_second: u64, page_bytes: u64) -> Option<Self> {
        // The name stands in parentheses and may contain any character, parentheses included.
        let (_, after) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_ascii_whitespace().collect();
        // The first field here is the third of proc(5).
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let ticks = number(14)?.saturating_add(number(15)?);
        Some(Self {
            state: fields.first()?.chars().next()?,
            threads: number(20)?,
            resident_bytes: number(24)?.saturating_mul(page_bytes),
            cpu: Duration::from_millis(ticks.saturating_mul(1000) / ticks_per_second.max(1)),
        })
    }
}

/// `None` when there is no such process.
pub fn usage(pid: Pid) -> Option<Usage> {
    let text = fs::read(path(pid, "stat")).ok()?;
    let page = rustix::param::page_size() as u64;
    Usage::parse(&String::from_utf8_lossy(&text), rustix::param::clock_ticks_per_second(), page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::procfs::own_pid;

    #[test]
    fn fields_are_those_of_the_manual_whatever_the_name() {
        let stat =
            "17 (a) S (b) T 3 17 17 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 5 0 999 1048576 300 1844";
        let usage = Usage::parse(stat, 100, 4096).expect("well-formed");
        let expected = Usage {
            state: 'T',
            threads: 5,
            resident_bytes: 300 * 4096,
            cpu: Duration::from_secs(3),
        };
        assert_eq!(usage, expected);
        assert_eq!(usage.doing(), "stopped by a signal");
        for text in ["", "17 (x) S 1", "17 (x", "17 (x) S 3 17 17 0 -1 x"] {
            assert_eq!(Usage::parse(text, 100, 4096), None, "{text:?}");
        }
    }

    #[test]
    fn this_process_runs_and_uses_memory() {
        let own = usage(own_pid()).expect("it lives");
        assert!(own.resident_bytes > 0 && own.threads > 0, "{own:?}");
    }
}
