//! `-v` with a reader that does not keep up.

use std::time::{Duration, Instant};

use crate::support::{Folder, Run, TIMEOUT, TRIBUNAL};

/// As much as is written, and as may be passed on of it at most: the queue, the pipe, and what came in time.
const WRITTEN: usize = 24_000_000;
const QUEUE: usize = 4 << 20;

#[test]
fn what_a_slow_reader_cannot_take_is_left_out_and_counted() {
    let folder = Folder::new();
    let text = format!(
        "daemons:\n  a:\n    kind: process\n    command: [sh, -c, '\"FAKE\" flood {WRITTEN}; echo x > written; exec sleep 1000']\n    \
         events: {{ level: info }}\nsteps:\n  - run: a\n  \
         - exec: {{ command: [sh, -c, 'until test -e written; do sleep 0.02; done'], within: 10m }}\n"
    );
    let text = text.replace("    events: { level: info }\n", "");
    folder.scenario("much", &text);
    let run = Run::piped(folder.command(TRIBUNAL, &["run", "-v", "--color", "never", "much.yaml"]));
    // Nobody reads, and the daemon writes all the same.
    let deadline = Instant::now() + TIMEOUT;
    while !folder.path().join("written").exists() {
        assert!(Instant::now() < deadline, "the daemon is held up by the reader");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (status, said) = run.ends();
    assert_eq!(status.code(), Some(0), "{}", &said[said.len().saturating_sub(2000)..]);
    let counts = said.lines().filter_map(|line| {
        let (count, _) = line.split_once(" events and lines of output are left out here")?;
        count.trim().parse::<usize>().ok()
    });
    let left_out: usize = counts.sum();
    assert!(left_out > 0, "{} bytes were said", said.len());
    assert!(said.len() < WRITTEN - QUEUE, "{} bytes were said", said.len());
}
