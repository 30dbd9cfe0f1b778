//! Finding and killing what carries the run's marker: what left its process group but kept its environment.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid as RawPid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::marker::RunId;
use super::procfs::{self, Pid};

/// A process that was left over, and was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    pub pid: Pid,
    /// The program's name, cut to 15 bytes.
    pub comm: String,
}

/// A sweep that keeps finding something ends after this time: something multiplies faster than it can be killed, or the
/// kernel does not let go of it.
const AT_MOST: Duration = Duration::from_secs(5);

/// A process in the middle of an exec shows no environment for some microseconds, so one look is not enough.
const CLEAN_ROUNDS: u32 = 2;
const BETWEEN_CLEAN_ROUNDS: Duration = Duration::from_millis(5);

/// Kills every process that carries the run's marker, except those named, until none is left. Answers what it found.
///
/// To be called when nothing of the run is meant to live any more. Blocks while the killed ones end, 5 s at most.
pub fn sweep(run: &RunId, except: &[Pid]) -> Vec<Leak> {
    let marker = run.marker();
    let deadline = Instant::now() + AT_MOST;
    let mut leaks: Vec<Leak> = Vec::new();
    let mut clean = 0;
    let mut dying_may_end = true;
    loop {
        let round: Vec<Pid> = procfs::pids()
            .into_iter()
            .filter(|pid| !except.contains(pid) && procfs::has_environment_entry(*pid, &marker))
            .collect();
        clean = if round.is_empty() { clean + 1 } else { 0 };
        if clean == CLEAN_ROUNDS || Instant::now() >= deadline {
            return leaks;
        }
        if round.is_empty() {
            std::thread::sleep(BETWEEN_CLEAN_ROUNDS);
        }
        if !round.is_empty() && std::mem::take(&mut dying_may_end) {
            // One that was killed with its group may not have ended yet: that is no leak.
            await_any_ends(&round);
            continue;
        }
        let mut killed = Vec::new();
        for pid in round {
            let comm = procfs::stat(pid).map(|stat| stat.comm).unwrap_or_default();
            if let Some(pidfd) = kill(pid, &marker) {
                killed.push(pidfd);
                if !leaks.iter().any(|leak| leak.pid == pid) {
                    leaks.push(Leak { pid, comm });
                }
            }
        }
        await_ends(&killed);
    }
}

/// Sends SIGKILL to a process that carries the marker.
fn kill(pid: Pid, marker: &str) -> Option<OwnedFd> {
    let pidfd = pidfd_open(RawPid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    // The number may have been given to somebody else before the pidfd was opened; from here on it cannot be.
    if !procfs::has_environment_entry(pid, marker) {
        return None;
    }
    pidfd_send_signal(&pidfd, Signal::KILL).ok()?;
    Some(pidfd)
}

/// A moment for all of them together.
fn await_any_ends(pids: &[Pid]) {
    let until = Instant::now() + Duration::from_millis(50);
    let open = |pid: &Pid| pidfd_open(RawPid::from_raw(*pid)?, PidfdFlags::empty()).ok();
    for pidfd in pids.iter().filter_map(open) {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
        // One that does not end is found again by the next round.
        let _ = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left));
    }
}

/// Gives killed processes the moment that they need to end; else the next round would only find them again.
pub(super) fn await_ends(pidfds: &[OwnedFd]) {
    const A_MOMENT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    for pidfd in pidfds {
        let _ = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&A_MOMENT));
    }
}
