use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use bytes::BytesMut;
use libtest_mimic::Trial;
use tribunal::host::pipe::ReadOutcome;
use tribunal::host::tail::FileTail;

use crate::support::{Run, trials};

pub fn trials() -> Vec<Trial> {
    trials![
        a_file_that_is_not_there_yet_is_read_once_it_is,
        a_directory_that_is_not_there_yet_is_no_obstacle,
        what_stood_in_the_file_before_is_not_read,
        a_truncated_file_is_read_from_its_beginning_and_the_cut_line_is_ended,
        a_replaced_file_is_read_to_its_end_before_the_new_one,
        a_released_file_is_closed_at_its_end,
        what_is_no_regular_file_is_an_error_and_does_not_block,
    ]
}

fn append(path: &Path, text: &str) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("the directory is ours");
}

/// Reads until all of this has come.
async fn expect(tail: &mut FileTail, text: &str) {
    let mut seen = BytesMut::new();
    while seen.len() < text.len() {
        tail.readable().await.expect("it can be watched");
        tail.try_read(&mut seen).expect("it can be read");
    }
    assert_eq!(String::from_utf8_lossy(&seen), text);
}

async fn a_file_that_is_not_there_yet_is_read_once_it_is() {
    let run = Run::new();
    let path = run.path("log");
    let mut tail = FileTail::new(&path);
    assert_eq!(tail.try_read(&mut BytesMut::new()).expect("no error"), ReadOutcome::WouldBlock);
    let file = path.to_str().expect("plain characters");
    let process = run.spawn(&["file-events", file, "line", "one", "line", "two"]).process;
    expect(&mut tail, "one\ntwo\n").await;
    process.exited().await;
    assert_eq!(tail.available(), 0);
}

async fn a_directory_that_is_not_there_yet_is_no_obstacle() {
    let run = Run::new();
    let path = run.path("later/log");
    let mut tail = FileTail::new(&path);
    fs::create_dir(run.path("later")).expect("the directory is ours");
    append(&path, "one\n");
    expect(&mut tail, "one\n").await;
}

async fn what_stood_in_the_file_before_is_not_read() {
    let run = Run::new();
    let path = run.path("log");
    append(&path, "of yesterday\n");
    let mut tail = FileTail::new(&path);
    assert_eq!(tail.available(), 0);
    append(&path, "of today\n");
    assert_eq!(tail.available(), 9);
    expect(&mut tail, "of today\n").await;
}

async fn a_truncated_file_is_read_from_its_beginning_and_the_cut_line_is_ended() {
    let run = Run::new();
    let path = run.path("log");
    let mut tail = FileTail::new(&path);
    append(&path, "a whole line\nhalf a li");
    expect(&mut tail, "a whole line\nhalf a li").await;
    fs::write(&path, "").expect("the file is ours");
    append(&path, "anew\n");
    expect(&mut tail, "\nanew\n").await;
}

async fn a_replaced_file_is_read_to_its_end_before_the_new_one() {
    let run = Run::new();
    let path = run.path("log");
    let mut tail = FileTail::new(&path);
    append(&path, "one\n");
    expect(&mut tail, "one\n").await;
    append(&path, "two\n");
    fs::rename(&path, run.path("log.old")).expect("the file is ours");
    append(&path, "three\n");
    expect(&mut tail, "two\nthree\n").await;
}

async fn a_released_file_is_closed_at_its_end() {
    let run = Run::new();
    let path = run.path("log");
    let mut tail = FileTail::new(&path);
    append(&path, "bye\n");
    tail.release_writer();
    let mut buffer = BytesMut::new();
    assert_eq!(tail.try_read(&mut buffer).expect("it can be read"), ReadOutcome::Read(4));
    assert_eq!(tail.try_read(&mut buffer).expect("it can be read"), ReadOutcome::Closed);
}

async fn what_is_no_regular_file_is_an_error_and_does_not_block() {
    let run = Run::new();
    let _fifo = run.fifo("events");
    for path in [run.path("events"), run.dir.path().to_owned()] {
        let error = FileTail::new(&path).try_read(&mut BytesMut::new()).expect_err("no file");
        assert!(error.to_string().contains("no regular file"), "{error}");
    }
}
