use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use bytes::BytesMut;
use libtest_mimic::Trial;
use tribunal::daemon::ExitStatus;
use tribunal::host::pipe::{ENLARGED, PipeBudget, PipeError, PipeReader, ReadOutcome};

use crate::support::{Run, drain, eventually, lines, read, trials};

pub fn trials() -> Vec<Trial> {
    trials![
        last_words_are_in_the_pipe_when_the_exit_is_seen,
        last_words_before_a_sigkill_are_in_the_pipe_too,
        a_fifo_outlives_its_writers,
        a_read_that_was_not_waited_for_finds_what_is_there,
        a_wait_after_a_drain_hears_of_what_comes_later,
        draining_ends_although_something_escaped_goes_on_writing,
        a_fifo_is_closed_when_nobody_holds_it_any_more,
        a_fifo_that_something_escaped_holds_is_not_closed,
        a_flood_passes_in_order_and_complete,
        the_budget_enlarges_pipes_until_it_is_spent_and_gets_its_parts_back,
        a_fifo_is_ours_alone_and_not_inherited,
        a_fifo_whose_path_octez_could_not_read_is_refused,
    ]
}

async fn last_words_are_in_the_pipe_when_the_exit_is_seen() {
    let run = Run::new();
    let fifo = run.fifo("events");
    for _ in 0..50 {
        let process = run.spawn(&["burst-then-exit", "1000", "last.v0", "0"]).process;
        let mut exited = std::pin::pin!(process.exited());
        let mut seen = BytesMut::new();
        loop {
            tokio::select! {
                status = &mut exited => {
                    assert_eq!(status, ExitStatus::Code(0));
                    break;
                }
                _ = fifo.readable() => drop(fifo.try_read(&mut seen)),
            }
        }
        seen.extend_from_slice(&drain(&fifo));
        assert_eq!(lines(&seen), 1000);
        assert!(seen.ends_with(b"\"last.v0\":{\"i\":1000}}}}\n"));
    }
}

async fn last_words_before_a_sigkill_are_in_the_pipe_too() {
    let run = Run::new();
    let fifo = run.fifo("events");
    for _ in 0..50 {
        let process = run.spawn(&["events", "100", "last.v0", "kill-self", "9"]).process;
        // Nothing is read before the death: the pipe has room for all of it.
        assert_eq!(process.exited().await, ExitStatus::Signal(9));
        assert_eq!(lines(&drain(&fifo)), 100);
    }
}

async fn a_fifo_outlives_its_writers() {
    let run = Run::new();
    let fifo = run.fifo("events");
    let process = run.spawn(&["line", "one", "close-pipe", "reopen-pipe", "line", "two"]).process;
    process.exited().await;
    run.spawn(&["split", "th", "1", "ree"]).process.exited().await;
    let mut seen = BytesMut::from(&drain(&fifo)[..]);
    assert_eq!(&seen[..], b"one\ntwo\nthree\n");
    assert_eq!(fifo.try_read(&mut seen).expect("it can be read"), ReadOutcome::WouldBlock);
}

async fn a_read_that_was_not_waited_for_finds_what_is_there() {
    let run = Run::new();
    let fifo = run.fifo("events");
    // Nobody has let the runtime look at the pipe since this was written.
    let mut writer = OpenOptions::new().append(true).open(run.path("events")).expect("a reader");
    writer.write_all(b"there").expect("there is room");
    let mut buffer = BytesMut::new();
    assert_eq!(fifo.try_read(&mut buffer).expect("it can be read"), ReadOutcome::Read(5));
    assert_eq!(fifo.try_read(&mut buffer).expect("it can be read"), ReadOutcome::WouldBlock);
}

async fn a_wait_after_a_drain_hears_of_what_comes_later() {
    let run = Run::new();
    let fifo = run.fifo("events");
    let mut writer = OpenOptions::new().append(true).open(run.path("events")).expect("a reader");
    for round in 0..1000_usize {
        // Read by waiting, by not waiting, and by trying once too often, in turn.
        writer.write_all(b"some\n").expect("there is room");
        assert_eq!(read(&fifo, 5).await, b"some\n");
        if round % 2 == 0 {
            let outcome = fifo.try_read(&mut BytesMut::new()).expect("it can be read");
            assert_eq!(outcome, ReadOutcome::WouldBlock);
        }
        if round % 3 == 0 {
            writer.write_all(b"more\n").expect("there is room");
            assert_eq!(drain(&fifo), b"more\n");
        }
    }
}

async fn draining_ends_although_something_escaped_goes_on_writing() {
    let run = Run::new();
    let fifo = run.fifo("events");
    let process = run.spawn(&["line", "first", "grandchild", "setsid", "stream", "exit", "0"]);
    assert_eq!(process.process.exited().await, ExitStatus::Code(0));
    eventually("the pipe is full", || (fifo.available() > ENLARGED / 2).then_some(())).await;
    let available = fifo.available();
    let mut buffer = BytesMut::new();
    let mut reads = 0;
    while buffer.len() < available {
        fifo.try_read(&mut buffer).expect("it can be read");
        reads += 1;
        assert!(reads < 10_000, "the drain does not end");
    }
    assert!(buffer.starts_with(b"first\n"));
}

async fn a_fifo_is_closed_when_nobody_holds_it_any_more() {
    let run = Run::new();
    let mut fifo = run.fifo("events");
    run.spawn(&["line", "bye"]).process.exited().await;
    let mut buffer = BytesMut::new();
    fifo.release_writer();
    assert_eq!(fifo.try_read(&mut buffer).expect("it can be read"), ReadOutcome::Read(4));
    fifo.readable().await.expect("the end can be waited for");
    assert_eq!(fifo.try_read(&mut buffer).expect("it can be read"), ReadOutcome::Closed);
    assert_eq!(fifo.try_read(&mut buffer).expect("it can be read"), ReadOutcome::Closed);
}

async fn a_fifo_that_something_escaped_holds_is_not_closed() {
    let run = Run::new();
    let mut fifo = run.fifo("events");
    let verbs = format!("line held pid-file {} forever", run.path("escaped").display());
    let process = run.spawn(&["grandchild", "setsid", &verbs]).process;
    process.exited().await;
    let escaped = run.life("escaped").await;
    process.reap();
    fifo.release_writer();
    assert_eq!(drain(&fifo), b"held\n");
    let mut buffer = BytesMut::new();
    assert_eq!(fifo.try_read(&mut buffer).expect("it can be read"), ReadOutcome::WouldBlock);
    tribunal::host::sweep::sweep(&run.id, &[]);
    escaped.over().await;
    assert_eq!(read(&fifo, 1).await, b"");
}

async fn a_flood_passes_in_order_and_complete() {
    let run = Run::new();
    let fifo = run.fifo("events");
    let process = run.spawn(&["flood", "20000000", "event", "end.v0", "1"]).process;
    let mut exited = std::pin::pin!(process.exited());
    let mut seen = BytesMut::new();
    loop {
        tokio::select! {
            biased;
            _ = &mut exited => break,
            _ = fifo.readable() => drop(fifo.try_read(&mut seen)),
        }
    }
    seen.extend_from_slice(&drain(&fifo));
    let mut lines = seen[..].split(|byte| *byte == b'\n');
    let flood = 20_000_000_usize.div_ceil(1024);
    assert!(lines.by_ref().take(flood).all(|line| line.len() == 1023));
    let rest: Vec<_> = lines.map(String::from_utf8_lossy).collect();
    assert_eq!(rest.len(), 2, "{rest:?}");
    assert!(rest[0].contains("end.v0") && rest[1].is_empty(), "{rest:?}");
}

async fn the_budget_enlarges_pipes_until_it_is_spent_and_gets_its_parts_back() {
    let run = Run::new();
    let budget = PipeBudget::new(2 * ENLARGED + 1);
    let fifo = |name| PipeReader::fifo(&run.path(name), &budget).expect("a FIFO");
    let (first, second) = (fifo("1"), fifo("2"));
    assert_eq!(budget.left(), 1);
    let third = fifo("3");
    assert_eq!(budget.left(), 1, "the third is as large as the kernel made it");
    drop((first, third));
    assert_eq!(budget.left(), ENLARGED + 1);
    let (_stdout, _) = PipeReader::anonymous(&budget).expect("a pipe");
    assert_eq!(budget.left(), 1);
    drop(second);
}

async fn a_fifo_is_ours_alone_and_not_inherited() {
    let run = Run::new();
    let mut fifo = run.fifo("events");
    let mode = fs::metadata(run.path("events")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let _other = run.spawn(&["forever"]);
    fifo.release_writer();
    // The other daemon would hold a writing end if it had inherited one.
    assert_eq!(read(&fifo, 1).await, b"");
}

async fn a_fifo_whose_path_octez_could_not_read_is_refused() {
    let run = Run::new();
    for name in ["a b", "a%20b", "a?b", "é", "a\nb"] {
        let refused = PipeReader::fifo(&run.path(name), &run.budget);
        assert!(matches!(refused, Err(PipeError::Path(_))), "{name:?}");
        assert!(!run.path(name).exists());
    }
    let _fifo = run.fifo("events");
    let taken = PipeReader::fifo(&run.path("events"), &run.budget);
    assert!(matches!(taken, Err(PipeError::Create { .. })), "a name is used once");
}
