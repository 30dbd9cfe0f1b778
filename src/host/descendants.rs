//! Killing everything that descends from this process, whatever it has done to its group and its environment.
//!
//! Complete only in a subreaper (prctl(2)): elsewhere a process whose parent has ended is no descendant any more.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Pid as RawPid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::guardian::is_guardian;
use super::procfs::{self, Pid};
use super::sweep::{Leak, await_ends};

pub use super::child::reap_adopted;

/// Guardians end by themselves once they have cleaned up. This is how long they may take.
const GUARDIANS_GRACE: Duration = Duration::from_secs(3);

/// Something that multiplies faster than it can be killed is left alone after this time.
const AT_MOST: Duration = Duration::from_secs(10);

/// Makes this process the one that its descendants come back to when their parents have ended.
pub fn become_subreaper() -> io::Result<()> {
    // Any process id means "yes".
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(io::Error::from)
}

/// Kills and reaps all descendants, except the children named and what descends from those. Answers what it killed.
///
/// A guardian is left to do its work, which begins when the process that started it is gone, for 3 s; one of a process that
/// still lives belongs among the exceptions. Blocks until all is done, 10 s at most.
pub fn kill_all(except: &[Pid]) -> Vec<Leak> {
    let begin = Instant::now();
    let mut leaks: Vec<Leak> = Vec::new();
    loop {
        let waits_for_guardians = begin.elapsed() < GUARDIANS_GRACE;
        let living = living_descendants(except);
        if living.is_empty() || begin.elapsed() > AT_MOST {
            reap_adopted();
            return leaks;
        }
        let mut ending = Vec::new();
        for (pid, comm, parent) in living {
            let Some(pidfd) = open(pid) else { continue };
            if waits_for_guardians && guards(pid, parent) {
                ending.push(pidfd);
            } else if kill(&pidfd, pid, parent) {
                ending.push(pidfd);
                if !leaks.iter().any(|leak| leak.pid == pid) {
                    leaks.push(Leak { pid, comm });
                }
            }
        }
        await_ends(&ending);
        reap_adopted();
    }
}

/// A guardian, or one of the programs that it runs.
fn guards(pid: Pid, parent: Pid) -> bool {
    is_guardian(pid) || is_guardian(parent)
}

fn living_descendants(except: &[Pid]) -> Vec<(Pid, String, Pid)> {
    let mut spared = except.to_vec();
    let mut living = Vec::new();
    // Parents come before their children.
    for (pid, stat) in procfs::descendants(procfs::own_pid()) {
        if spared.contains(&pid) || spared.contains(&stat.parent) {
            spared.push(pid);
        } else if stat.is_alive() {
            living.push((pid, stat.comm, stat.parent));
        }
    }
    living
}

fn open(pid: Pid) -> Option<OwnedFd> {
    pidfd_open(RawPid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Sends SIGKILL if the number is still that of the process that was found.
fn kill(pidfd: &OwnedFd, pid: Pid, parent: Pid) -> bool {
    // Its parent may have ended meanwhile; then it has come to us, and is found in the next round.
    let is_same = procfs::stat(pid).is_some_and(|stat| stat.parent == parent);
    is_same && pidfd_send_signal(pidfd, Signal::KILL).is_ok()
}
