//! What all tests need: a harness, a daemon that does what it is told, and a look at what is left behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use tribunal::daemon::{CommandLine, DaemonName, DaemonSpec};
use tribunal::harness::{Daemon, Harness, Summary};

/// The one deadline of all tests. Far beyond what a busy machine needs.
pub const TIMEOUT: Duration = Duration::from_mins(1);

pub const FAKE_DAEMON: &str = env!("CARGO_BIN_EXE_fake-daemon");
pub const TRIBUNAL: &str = env!("CARGO_BIN_EXE_tribunal");

/// Runs a test's body with a harness of its own, then shuts that down and checks that nothing was left.
pub fn with_harness<F: Future<Output = ()>>(test: impl FnOnce(std::sync::Arc<Harness>) -> F) {
    block_on(async {
        let harness = Harness::builder().sandbox(TRIBUNAL).start().await.unwrap();
        let run_id = harness.run_id().to_owned();
        let harness = std::sync::Arc::new(harness);
        test(std::sync::Arc::clone(&harness)).await;
        let harness = std::sync::Arc::into_inner(harness).expect("the test kept the harness");
        let summary = harness.shutdown_now().await.unwrap();
        assert_clean(&summary, &run_id);
    });
}

pub fn assert_clean(summary: &Summary, run_id: &str) {
    assert_eq!(summary.panicked, None);
    assert_eq!(summary.recording_failure, None);
    assert!(summary.leaks.is_empty(), "left their groups: {:?}", summary.leaks);
    assert_eq!(marked(run_id), Vec::<i32>::new(), "alive after the shutdown");
    let temp = std::env::temp_dir().join(format!("tribunal-{run_id}"));
    assert!(!temp.exists(), "temporary files stay behind in {}", temp.display());
}

/// Living processes that carry a run's marker in their environment.
pub fn marked(run_id: &str) -> Vec<i32> {
    let marker = format!("TRIBUNAL_RUN={run_id}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environ.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// A runtime of the test's own: handles must work whatever it is.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The specification of a fake daemon that plays these verbs.
pub fn spec(name: &str, verbs: &[&str]) -> DaemonSpec {
    let words = std::iter::once(FAKE_DAEMON).chain(verbs.iter().copied());
    DaemonSpec::process(DaemonName::new(name).unwrap(), CommandLine::new(words))
}

pub async fn create(harness: &Harness, name: &str, verbs: &[&str]) -> Daemon {
    harness.create(spec(name, verbs)).await.unwrap()
}

/// Waits for the end of a process that was killed, whoever its parent is.
pub fn assert_dies(pid: i32) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) else { return };
    let timeout = Timespec { tv_sec: TIMEOUT.as_secs().try_into().unwrap(), tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)).unwrap();
    assert_eq!(ended, 1, "process {pid} lives on");
}

pub fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.starts_with(" Z")))
}
