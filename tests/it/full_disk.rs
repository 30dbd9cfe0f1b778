//! A run directory on a full disk: recording stops and says so, and everything else goes on.

use std::path::PathBuf;
use std::process::Command;

use tribunal::harness::{Harness, WaitError};

use crate::support::{TIMEOUT, block_on, create};

/// A file system of 128 KiB, unmounted when dropped. Only root may have one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Option<Self> {
        std::fs::create_dir(&path).ok()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=128k", "tribunal-test"]).arg(&path);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_stops_the_recording_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path().join("disk")) else {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    };
    block_on(async {
        let harness = Harness::builder().run_dir(disk.0.join("run")).start().await.unwrap();
        let verbs = ["events", "20000", "tick.v0", "event", "done.v0", "1", "forever"];
        let daemon = create(&harness, "talkative", &verbs).await;
        let done = daemon.wait_for("done.v0");
        let start = daemon.mark();
        daemon.run().await.unwrap();
        // The events go on to those who wait for them.
        done.within(TIMEOUT).await.unwrap();
        let failure = harness.survey().await.recording_failure.expect("20,000 lines fit 128 KiB");
        assert!(failure.contains("No space left"), "{failure}");
        // What needs the record says that there is none.
        let past = daemon.wait_for("tick.v0").since(start).within(TIMEOUT).await;
        let Err(WaitError::Unreadable { reason }) = past else {
            panic!("{past:?}");
        };
        assert!(reason.contains("recording had stopped"), "{reason}");
        daemon.kill().await.unwrap();
        let summary = harness.shutdown_now().await.unwrap();
        assert_eq!(summary.panicked, None);
        assert_eq!(summary.recording_failure.as_deref(), Some(failure.as_str()));
    });
}
