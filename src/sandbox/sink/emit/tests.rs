use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;
use tokio::net::unix::pipe;

use super::*;

const LIMIT: Duration = Duration::from_mins(1);
const SECTION: &[&str] = &["node", "main"];

fn run<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, future).await.expect("in time") })
}

async fn open(value: &str) -> Sink {
    Sink::open(Some(value), "host".to_owned()).await.unwrap_or_else(|error| panic!("{error}"))
}

fn fifo(directory: &tempfile::TempDir) -> PathBuf {
    let path = directory.path().join("pipe");
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    path
}

fn names(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let event = line["fd-sink-item.v0"]["event"].as_object().unwrap().clone();
        event.keys().next().unwrap().clone()
    };
    text.lines().map(name).collect()
}

#[test]
fn the_first_line_tells_the_variable_and_the_filter_holds_for_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/events.jsonl");
    let value = format!(
        "file-descriptor-path://{}?create-dirs=true&chmod=0o640&section-prefix=node.main.secret:none&section-prefix=:info",
        path.display()
    );
    run(async {
        let sink = open(&value).await;
        sink.emit(Level::Notice, SECTION, "bye", &127).await;
        sink.emit(Level::Debug, SECTION, "hidden", &()).await;
        sink.emit(Level::Fatal, SECTION, "secret", &()).await;
        sink.emit_heavy(Level::Info, &[], "block-seen-alpha", &json!({})).await.unwrap();
    });
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(names(&text), ["uri_loaded_from_env.v0", "bye.v0", "block-seen-alpha.v0"]);
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let event = &first["fd-sink-item.v0"]["event"]["uri_loaded_from_env.v0"];
    assert_eq!(event, &json!({"variable": VARIABLE, "value": value}));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_file_is_appended_to_unless_it_is_to_be_fresh() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    for (options, lines) in [("", 1), ("", 2), ("?fresh=true", 1)] {
        run(open(&format!("file-descriptor-path://{}{options}", path.display())));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), lines, "{options}");
    }
}

#[test]
fn netstrings_say_their_length_and_levels_are_advertised_first() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    run(open(&format!(
        "file-descriptor-path://{}?format=netstring&advertise-levels=true",
        path.display()
    )));
    let text = std::fs::read_to_string(&path).unwrap();
    let (length, rest) = text.split_once(':').unwrap();
    let json = rest.strip_suffix(',').unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), json.len());
    assert!(
        json.starts_with(r#"{"fd-sink-item.v0":{"level":"notice","hostname":"host","time_stamp":"#)
    );
}

#[test]
fn opening_a_fifo_waits_for_its_reader_without_stalling_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let path = fifo(&directory);
    let value = format!("file-descriptor-path://{}", path.display());
    run(async {
        let opening = open(&value);
        tokio::pin!(opening);
        let other_work = tokio::task::yield_now();
        tokio::select! {
            biased;
            _ = &mut opening => panic!("opened although nobody reads"),
            () = other_work => {}
        }
        let reader = pipe::OpenOptions::new().open_receiver(&path).unwrap();
        let sink = opening.await;
        let mut bytes = [0; 1024];
        reader.readable().await.unwrap();
        let count = reader.try_read(&mut bytes).unwrap();
        assert_eq!(
            names(std::str::from_utf8(&bytes[..count]).unwrap()),
            ["uri_loaded_from_env.v0"]
        );
        drop(sink);
    });
}

#[test]
fn a_full_pipe_stalls_whoever_emits_and_loses_nothing() {
    const EVENTS: usize = 400;
    let directory = tempfile::tempdir().unwrap();
    let path = fifo(&directory);
    let value = format!("file-descriptor-path://{}", path.display());
    let text = run(async move {
        let reader = pipe::OpenOptions::new().read_write(true).open_receiver(&path).unwrap();
        let sink = open(&value).await;
        // More than the pipe holds, and each line longer than PIPE_BUF, so lines are cut where the pipe is full.
        let emitting = tokio::spawn({
            let sink = sink.clone();
            async move {
                for number in 0..EVENTS {
                    let filler = "x".repeat(5000);
                    sink.emit(Level::Info, SECTION, "big", &json!([number, filler])).await;
                }
            }
        });
        // The emitter gets all the turns it can use; after them it must be waiting, not done.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(!emitting.is_finished(), "it wrote 2 MB into a pipe that nobody drained");
        let mut text = Vec::new();
        let mut chunk = vec![0; 65536];
        while memchr::memchr_iter(b'\n', &text).count() < EVENTS + 1 {
            reader.readable().await.unwrap();
            if let Ok(count) = reader.try_read(&mut chunk) {
                text.extend_from_slice(&chunk[..count]);
            }
        }
        emitting.await.unwrap();
        String::from_utf8(text).unwrap()
    });
    for (number, line) in text.lines().skip(1).enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["fd-sink-item.v0"]["event"]["big.v0"][0], number);
    }
}

#[test]
fn without_a_reader_a_declared_event_is_dropped_and_a_heavy_one_fails() {
    let directory = tempfile::tempdir().unwrap();
    let path = fifo(&directory);
    let value = format!("file-descriptor-path://{}", path.display());
    run(async move {
        let reader = pipe::OpenOptions::new().open_receiver(&path).unwrap();
        let sink = open(&value).await;
        drop(reader);
        sink.emit(Level::Info, SECTION, "ignored", &()).await;
        let error = sink.emit_heavy(Level::Info, &[], "block-seen-x", &()).await.unwrap_err();
        assert_eq!(error.event, "block-seen-x");
        assert!(matches!(error.source, crate::sandbox::sink::WriteError::NoReader));
    });
}

#[test]
fn a_missing_fifo_becomes_a_regular_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("late");
    run(open(&format!("file-descriptor-path://{}", path.display())));
    let mut text = String::new();
    File::open(&path).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_sink_that_cannot_be_opened_is_an_error() {
    let result = run(Sink::open(Some("file-descriptor-path:///nowhere/at/all"), String::new()));
    assert!(matches!(result, Err(SinkError::Open { .. })), "{result:?}");
}
