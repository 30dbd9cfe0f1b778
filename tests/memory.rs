//! The memory of a harness does not grow with what its daemons say. Alone in its process, whose memory it measures.

use std::time::Duration;

use tribunal::daemon::{CommandLine, DaemonName, DaemonSpec};
use tribunal::harness::Harness;

const TIMEOUT: Duration = Duration::from_mins(5);

/// The whole number takes a debug build half a minute.
const EVENTS: u64 = if cfg!(debug_assertions) { 400_000 } else { 2_000_000 };
const LINE_BYTES: u64 = 200;

/// Resident memory of this process, in KiB.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn millions_of_events_are_in_the_run_directory_and_not_in_memory() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let harness = Harness::builder().start().await.unwrap();
        let events = EVENTS.to_string();
        let size = LINE_BYTES.to_string();
        let words = [env!("CARGO_BIN_EXE_fake-daemon"), "sized-events", &events, "tick.v0", &size];
        let name = DaemonName::new("talkative").unwrap();
        let spec = DaemonSpec::process(name.clone(), CommandLine::new(words));
        let daemon = harness.create(spec).await.unwrap();
        let before = resident_kib().unwrap();
        let last = daemon.wait_for("tick.v0").matching(&format!("i == {EVENTS}")).unwrap();
        daemon.run().await.unwrap();
        last.within(TIMEOUT).await.unwrap();
        let survey = harness.survey().await;
        let grown = resident_kib().unwrap().saturating_sub(before);
        assert!(grown < 50 * 1024, "{EVENTS} events took {grown} KiB");

        assert_eq!(survey.daemons[&name].events, EVENTS);
        let recorded = harness.run_dir().join("events/talkative.jsonl");
        assert_eq!(std::fs::metadata(recorded).unwrap().len(), EVENTS * LINE_BYTES);
        // A wait that begins in the past reads them back.
        let middle = daemon.wait_for("tick.v0").matching(&format!("i == {}", EVENTS / 2)).unwrap();
        let middle = middle.since(daemon.first().unwrap()).within(TIMEOUT).await.unwrap();
        assert_eq!(middle.value["i"], EVENTS / 2);
        let grown = resident_kib().unwrap().saturating_sub(before);
        assert!(grown < 50 * 1024, "reading them back took {grown} KiB");
        harness.shutdown_now().await.unwrap();
    });
}
