use serde_json::json;

use super::told::Clock;
use super::*;
use crate::daemon::Incarnation;
use crate::event::Seq;
use crate::event::log::IndexEntry;
use crate::record::{EnvelopeNote, Note, Recorder, WaitSource, What};

fn talker() -> DaemonName {
    DaemonName::new("talker").expect("a name")
}

fn entry(first: u64, monotonic_us: u64) -> IndexEntry {
    IndexEntry {
        first: Seq(first),
        records: 1,
        incarnation: Incarnation(1),
        offset: 0,
        bytes: 0,
        monotonic_us,
        wall_us: 5_000_000 + monotonic_us,
        late: false,
        overlong: false,
    }
}

/// A run with these notes and events of one daemon, each with its number and the time at which it was read.
fn recorded(
    notes: Vec<(f64, What)>,
    events: &[(u64, u64, &str)],
) -> (tempfile::TempDir, Chronicle) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let dir = RunDir::new(folder.path().join("run"));
    let mut recorder = Recorder::create(dir.clone()).expect("writable");
    let (daemon, kind) = (talker(), "process".to_owned());
    let daemon = What::Daemon { daemon, kind, envelope: EnvelopeNote::default() };
    recorder.note(&Note { at_s: 0.0, what: daemon });
    for (at_s, what) in notes {
        recorder.note(&Note { at_s, what });
    }
    for (seq, at_us, name) in events {
        let line = json!({ "fd-sink-item.v0": { "event": { *name: { "seq": seq } } } });
        recorder.events(&talker(), entry(*seq, *at_us), format!("{line}\n").as_bytes());
    }
    recorder.flush();
    let chronicle = Chronicle::open(dir).expect("readable");
    (folder, chronicle)
}

fn lifecycle(seq: u64, incarnation: u32, event: &str, value: serde_json::Value) -> What {
    let (seq, incarnation) = (Seq(seq), Incarnation(incarnation));
    What::Lifecycle { seq, daemon: talker(), incarnation, event: event.into(), value }
}

fn step(path: &str, outcome: &str) -> What {
    let more = json!({ "verb": "expect" }).as_object().cloned().unwrap_or_default();
    What::Step { path: path.to_owned(), outcome: outcome.to_owned(), more }
}

fn wait(path: &str, event: &str, seq: u64) -> What {
    What::Wait {
        path: path.to_owned(),
        from: vec![WaitSource { daemon: talker(), seq: Seq(seq) }],
        event: event.to_owned(),
        predicate: None,
        count: 1,
        never: false,
    }
}

fn matched(path: &str, event: &str, seq: u64) -> What {
    let (path, event) = (path.to_owned(), event.into());
    What::Match { path, daemon: talker(), event, seq: Seq(seq), incarnation: Incarnation(1) }
}

#[test]
fn a_step_belongs_to_the_innermost_branch() {
    let table = [
        ("steps[3]", "steps", 0),
        ("finally[0]", "finally", 0),
        ("steps[3].repeat[1]", "steps", 1),
        ("steps[3].use[0].for[2]", "steps", 2),
        ("steps[7].parallel[0][1]", "steps[7].parallel[0]", 0),
        ("steps[7].parallel[12][1].repeat[0]", "steps[7].parallel[12]", 1),
        ("steps[7].parallel[0][1].parallel[1][0]", "steps[7].parallel[0][1].parallel[1]", 0),
    ];
    for (path, branch, depth) in table {
        let step = StepSpan {
            path: path.to_owned(),
            verb: String::new(),
            text: String::new(),
            line: 0,
            column: 0,
            outcome: StepOutcome::Passed,
            from_us: 0,
            to_us: 0,
            detail: String::new(),
        };
        assert_eq!((step.branch(), step.depth()), (branch, depth), "{path}");
    }
}

#[test]
fn what_a_daemon_says_of_the_time_is_believed_between_two_arrivals() {
    let mut clock = Clock::default();
    let first = entry(0, 1_000);
    assert_eq!(clock.time_of(&first, Some(5.000_4)), 400, "it was on its way");
    assert_eq!(clock.time_of(&first, Some(5.000_2)), 400, "time does not go back");
    assert_eq!(clock.time_of(&first, None), 1_000);
    let second = entry(2, 9_000);
    assert_eq!(clock.time_of(&second, Some(1.0)), 1_000, "a clock that is slow");
    assert_eq!(clock.time_of(&second, Some(1e12)), 9_000, "a clock that is fast");
    assert_eq!(clock.time_of(&second, Some(f64::NAN)), 9_000);
}

#[test]
fn lifecycle_records_stand_among_the_events_in_the_order_of_the_log() {
    let notes = vec![
        (0.1, lifecycle(0, 1, "tribunal.spawned", json!({ "pid": 7 }))),
        (0.2, lifecycle(2, 1, "tribunal.ready", json!({}))),
        (0.5, lifecycle(4, 1, "tribunal.exited", json!({ "signal": 9, "cause": "crash" }))),
        (0.6, lifecycle(5, 2, "tribunal.spawned", json!({ "pid": 8 }))),
        (0.6, lifecycle(6, 2, "tribunal.restarted", json!({}))),
    ];
    let (_folder, mut chronicle) = recorded(notes, &[(1, 150_000, "a.v0"), (3, 300_000, "b.v0")]);
    let mut told = Vec::new();
    let hear = &mut |one: Told<'_>| told.push((one.seq, one.at_us, one.name.to_owned()));
    chronicle.tell(hear).expect("readable");
    let names: Vec<&str> = told.iter().map(|(_, _, name)| name.as_str()).collect();
    let expected = ["tribunal.spawned", "a.v0", "tribunal.ready", "b.v0", "tribunal.exited"];
    assert_eq!(names[..5], expected);
    assert_eq!(told[3], (3, 300_000, "b.v0".to_owned()));
    assert_eq!(chronicle.count().expect("readable"), 7);

    let [first, second] = &chronicle.daemons[0].incarnations[..] else { panic!("two lives") };
    assert_eq!((first.pid, first.ready_us, first.to_us), (Some(7), Some(200_000), Some(500_000)));
    assert_eq!((first.exit.as_str(), first.cause.as_str()), ("SIGKILL", "crash"));
    assert_eq!((second.number, second.to_us, second.by_policy), (2, None, true));
}

#[test]
fn a_wait_is_that_of_its_round_and_ends_with_its_step() {
    let path = "steps[0].repeat[0]";
    let notes = vec![
        (0.1, step(path, "began")),
        (0.1, wait(path, "a.v0", 0)),
        (0.1, wait(path, "b.*", 0)),
        (0.2, matched(path, "b.v0", 4)),
        (0.2, matched(path, "a.v0", 3)),
        (0.3, step(path, "passed")),
        (0.4, step(path, "began")),
        (0.4, wait(path, "a.v0", 5)),
        (0.9, What::Text { text: "the runner was killed after this".to_owned() }),
    ];
    let (_folder, chronicle) = recorded(notes, &[]);
    let waits = chronicle.waits.iter().map(|wait| (wait.step, wait.matched, wait.to_us));
    let expected = [(0, Some((0, 3)), 300_000), (0, Some((0, 4)), 300_000), (1, None, 900_000)];
    assert_eq!(waits.collect::<Vec<_>>(), expected);
    assert!(chronicle.result.is_none());
    assert_eq!((chronicle.name.as_str(), chronicle.end_us), ("run", 900_000));
}

#[test]
fn a_folder_that_is_no_run_and_a_result_that_is_none_are_told_apart() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let error = Chronicle::open(RunDir::new(folder.path())).expect_err("no run");
    assert!(error.to_string().contains("is no run directory"), "{error}");
    std::fs::write(folder.path().join("log.jsonl"), "").expect("writable");
    std::fs::write(folder.path().join("result.json"), "{}").expect("writable");
    let error = Chronicle::open(RunDir::new(folder.path())).expect_err("no result");
    assert!(error.to_string().ends_with("result.json is not the result of a run"), "{error}");
}

#[test]
fn a_life_begins_when_the_daemon_was_spawned_not_when_that_was_heard_of() {
    let notes = vec![(0.5, lifecycle(0, 1, "tribunal.spawned", json!({ "pid": 7 })))];
    let (folder, heard) = recorded(notes, &[]);
    assert_eq!(heard.daemons[0].incarnations[0].from_us, 500_000);
    let result = json!({
        "version": 1, "scenario": "a", "file": "a.yaml", "outcome": "passed", "seed": 1,
        "started": "2026-11-23T16:00:00Z", "duration_s": 1.0,
        "daemons": [{ "name": "talker", "kind": "process", "host": "local", "events": 0, "malformed": 0,
                      "incarnations": [{ "number": 1, "pid": 7, "started_s": 0.2 }] }]
    });
    let dir = RunDir::new(folder.path().join("run"));
    std::fs::write(dir.result(), result.to_string()).expect("writable");
    let chronicle = Chronicle::open(dir).expect("readable");
    assert_eq!(chronicle.daemons[0].incarnations[0].from_us, 200_000);
}
