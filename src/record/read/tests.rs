use serde_json::json;

use super::{EnvelopeNote, Note, RecordedRun, What};
use crate::daemon::{DaemonName, Incarnation};
use crate::event::Seq;
use crate::event::decode::Envelope;
use crate::record::{RecordError, Recorder, RunDir};

fn notes() -> Vec<Note> {
    let daemon = DaemonName::new("node").unwrap();
    let path = |name: &str| vec![name.to_owned()];
    let envelope = Envelope::Fields { name: path("msg"), value: path("data"), time: None };
    let whats = [
        What::Daemon {
            daemon: daemon.clone(),
            kind: "process".into(),
            envelope: (&envelope).into(),
        },
        What::Lifecycle {
            seq: Seq(3),
            daemon: daemon.clone(),
            incarnation: Incarnation(1),
            event: "tribunal.spawned".into(),
            value: json!({ "pid": 7 }),
        },
        What::Malformed {
            seq: Seq(4),
            daemon,
            reason: "not JSON".into(),
            excerpt: "\u{1b}é".into(),
        },
        What::Step {
            path: "steps[0]".into(),
            outcome: "passed".into(),
            more: serde_json::Map::from_iter([("took_s".into(), json!(0.5))]),
        },
        What::Text { text: "two\nlines".into() },
    ];
    (0_u8..).zip(whats).map(|(at, what)| Note { at_s: f64::from(at), what }).collect()
}

#[test]
fn notes_are_read_back_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::create(RunDir::new(dir.path())).unwrap();
    for note in notes() {
        recorder.note(&note);
    }
    recorder.flush();
    let run = RecordedRun::open(RunDir::new(dir.path())).unwrap();
    assert_eq!(run.notes().unwrap(), notes());
    for envelope in
        [Envelope::Octez, Envelope::Fields { name: vec![], value: vec![], time: Some(vec![]) }]
    {
        assert_eq!(Envelope::from(EnvelopeNote::from(&envelope)), envelope);
    }
}

#[test]
fn a_last_line_that_was_cut_short_is_left_out_and_any_other_bad_line_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let log = RunDir::new(dir.path()).log();
    let good = serde_json::to_string(&notes()[4]).unwrap();
    std::fs::write(&log, format!("{good}\n{good}\n{{\"at_s\":1")).unwrap();
    let run = RecordedRun::open(RunDir::new(dir.path())).unwrap();
    assert_eq!(run.notes().unwrap().len(), 2);
    std::fs::write(&log, format!("{good}\n{{\"at_s\":1\n{good}\n")).unwrap();
    assert!(matches!(run.notes(), Err(RecordError::Corrupt { line: 2, .. })));
}

#[test]
fn a_directory_without_a_log_is_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let opened = RecordedRun::open(RunDir::new(dir.path()));
    assert!(matches!(opened, Err(RecordError::NotARun { .. })));
}
