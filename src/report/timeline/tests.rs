use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::pack::pack_at_most;
use crate::daemon::{DaemonName, Incarnation};
use crate::event::Seq;
use crate::event::log::IndexEntry;
use crate::record::{EnvelopeNote, Note, Recorder, RunDir, What};
use crate::report::chronicle::Chronicle;
use crate::run::player::unplayed;
use crate::scenario::result::{
    DaemonState, Failure, FailureKind, HostPressure, PassedOver, SeenName, Wanted,
};

/// A run of one daemon that said these payloads.
fn run_of(payloads: &[Value]) -> (tempfile::TempDir, Chronicle) {
    run_with("said.v0", payloads)
}

/// The same, with events of this name.
fn run_with(name: &str, payloads: &[Value]) -> (tempfile::TempDir, Chronicle) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let dir = RunDir::new(folder.path().join("run"));
    let talker = DaemonName::new("talker").expect("a name");
    let mut recorder = Recorder::create(dir.clone()).expect("writable");
    let (daemon, kind) = (talker.clone(), "process".to_owned());
    let what = What::Daemon { daemon, kind, envelope: EnvelopeNote::default() };
    recorder.note(&Note { at_s: 0.0, what });
    for (seq, payload) in (0..).zip(payloads) {
        let entry = IndexEntry {
            first: Seq(seq),
            records: 1,
            incarnation: Incarnation(1),
            offset: 0,
            bytes: 0,
            monotonic_us: seq * 5000,
            wall_us: seq * 5000,
            late: false,
            overlong: false,
        };
        let line = json!({ "fd-sink-item.v0": { "event": { name: payload } } });
        recorder.events(&talker, entry, format!("{line}\n").as_bytes());
    }
    recorder.flush();
    let chronicle = Chronicle::open(dir).expect("readable");
    (folder, chronicle)
}

/// The payloads and what describes them.
fn unpacked(base64: &str) -> (Vec<String>, Value) {
    let packed = STANDARD.decode(base64).expect("base64");
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(&packed[..]).read_to_string(&mut text).expect("deflated");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let told = lines.pop().expect("the last line describes the others");
    (lines, serde_json::from_str(&told).expect("JSON"))
}

#[test]
fn columns_hold_differences_and_payloads_stand_as_they_came() {
    let (_folder, mut run) = run_of(&[json!({ "text": "</script>" }), json!(null), json!("é")]);
    let packed = pack_at_most(&mut run, 10).expect("packable");
    let (lines, told) = unpacked(&packed.base64);
    assert_eq!(lines, [r#"{"text":"</script>"}"#, "null", r#""é""#]);
    assert_eq!(told["events"]["seq"], json!([0, 1, 1]));
    assert_eq!(told["events"]["t"], json!([0, 5000, 5000]));
    assert_eq!(told["events"]["k"], json!([0, 0, 0]));
    assert_eq!((&told["names"], &told["left_out"]), (&json!(["said.v0"]), &json!(0)));
}

#[test]
fn of_a_run_that_is_too_long_the_newest_events_are_shown() {
    let (_folder, mut run) = run_of(&[1, 2, 3, 4, 5].map(Value::from));
    let packed = pack_at_most(&mut run, 2).expect("packable");
    let (lines, told) = unpacked(&packed.base64);
    assert_eq!(lines, ["4", "5"]);
    assert_eq!((&told["left_out"], packed.events), (&json!(3), 5));
    assert_eq!(told["events"]["seq"], json!([3, 1]));
}

#[test]
fn a_payload_that_is_too_long_is_cut_between_two_characters() {
    let (_folder, mut run) = run_of(&[json!("é".repeat(20_000))]);
    let packed = pack_at_most(&mut run, 10).expect("packable");
    let (lines, told) = unpacked(&packed.base64);
    assert_eq!(lines[0].len(), 16 * 1024 - 1);
    assert_eq!(told["events"]["k"], json!([8]));
}

#[test]
fn the_box_of_a_failure_tells_what_the_terminal_tells() {
    let dead = DaemonState {
        name: "node".to_owned(),
        incarnation: 1,
        last_lines: vec!["bye </pre>".to_owned()],
        role: Some("the node of talker".to_owned()),
        ..DaemonState::default()
    };
    let failure = Failure {
        wanted: Some(Wanted { daemon: "talker".into(), event: "a.v0".into(), r#where: None }),
        passed_over: vec![PassedOver {
            daemon: "talker".to_owned(),
            incarnation: 1,
            cursor: 31,
            count: 2,
            matched: 1,
            last_seq: 19,
            last_s: 1.5,
        }],
        names_seen: vec![SeenName { event: "b.v0".to_owned(), count: 3 }],
        others: vec![dead],
        host: Some(HostPressure { cpu: Some(4.0), processors: 2, ..HostPressure::default() }),
        replay: Some("tribunal recheck run".to_owned()),
        ..Failure::new(FailureKind::TimedOut, "never seen since the cursor")
    };
    let result = unplayed("a", "a.yaml", 42);
    let page = super::failure::why(&result, &failure).into_string();
    for part in [
        "2 times in incarnation 1, as wanted once, last <a href=\"#\" data-seq=\"19\">seq 19</a> at +1.5 s, \
         before the cursor at 31",
        "<dt>seen</dt><dd>b.v0 (3 times)</dd>",
        "the node of talker; dead, incarnation 1; no event yet",
        "its last line</summary><pre>bye &lt;/pre&gt;</pre>",
        "<dt>host</dt><dd>pressure cpu 4 %</dd>",
        "<dt>replay</dt><dd><code>tribunal recheck run</code></dd>",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn a_name_that_is_too_long_is_cut() {
    let (_folder, mut run) = run_with(&"n".repeat(400), &[json!(1)]);
    let packed = pack_at_most(&mut run, 10).expect("packable");
    let (_, told) = unpacked(&packed.base64);
    assert_eq!(told["names"], json!(["n".repeat(300)]));
}
