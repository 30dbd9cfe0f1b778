use serde_json::json;

use super::*;
use crate::event::EventName;
use crate::event::decode::Envelope;
use crate::event::log::IndexEntry;
use crate::record::{EnvelopeNote, Note, Recorder, RunDir};

fn name(text: &str) -> DaemonName {
    DaemonName::new(text).expect(text)
}

/// A run with two daemons: seq 0 node, 1 node's lifecycle, 2 accuser, 3 a line that is no event, 4 node.
fn recorded(folder: &tempfile::TempDir) -> RecordedRun {
    let dir = RunDir::new(folder.path().join("run"));
    let mut recorder = Recorder::create(dir.clone()).expect("writable");
    for daemon in ["node", "accuser"] {
        let envelope = EnvelopeNote::from(&Envelope::Fields {
            name: vec!["msg".to_owned()],
            value: Vec::new(),
            time: Some(vec!["ts".to_owned()]),
        });
        let what = What::Daemon { daemon: name(daemon), kind: "process".to_owned(), envelope };
        recorder.note(&Note { at_s: 0.0, what });
    }
    let what = What::Lifecycle {
        seq: Seq(1),
        daemon: name("node"),
        incarnation: Incarnation(1),
        event: EventName::from("tribunal.ready"),
        value: json!({}),
    };
    recorder.note(&Note { at_s: 0.15, what });
    let lines = [
        ("node", 0, "{\"msg\":\"level.v0\",\"level\":3,\"ts\":7}\n"),
        ("accuser", 2, "{\"msg\":\"seen.v0\",\"level\":4}\n"),
        ("accuser", 3, "not json\n"),
        ("node", 4, "{\"msg\":\"level.v0\",\"level\":5}\n"),
    ];
    for (daemon, seq, line) in lines {
        let entry = IndexEntry {
            first: Seq(seq),
            records: 1,
            incarnation: Incarnation(1),
            offset: 0,
            bytes: 0,
            monotonic_us: 100_000 * seq,
            wall_us: 0,
            late: seq == 4,
            overlong: false,
        };
        recorder.events(&name(daemon), entry, line.as_bytes());
    }
    recorder.flush();
    assert_eq!(recorder.failure(), None);
    RecordedRun::open(dir).expect("readable")
}

fn written(filter: &Filter, format: Format) -> Result<String, EventsError> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut out = Vec::new();
    let number = write_events(&mut recorded(&folder), filter, format, &mut out)?;
    let text = String::from_utf8(out).expect("UTF-8");
    assert_eq!(text.lines().count() as u64, number);
    Ok(anstream::adapter::strip_str(&text).to_string())
}

#[test]
fn all_daemons_are_shown_in_the_order_of_the_log() {
    let text = written(&Filter::default(), Format::Table).expect("readable");
    let expected =
        "      0     +0.000 s  node 1     level.v0 {\"msg\":\"level.v0\",\"level\":3,\"ts\":7}
      1     +0.150 s  node 1     tribunal.ready {}
      2     +0.200 s  accuser 1  seen.v0 {\"msg\":\"seen.v0\",\"level\":4}
      3     +0.300 s  accuser 1  malformed not JSON: expected ident at line 1 c…
      4     +0.400 s  node 1     level.v0 {\"msg\":\"level.v0\",\"level\":5}  (late)
";
    assert_eq!(text, expected);
}

#[test]
fn json_lines_have_the_payload_as_it_was_written() {
    let text = written(&Filter::default(), Format::JsonLines).expect("readable");
    let rows: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let first = json!({"seq": 0, "daemon": "node", "incarnation": 1, "at_s": 0.0, "name": "level.v0",
                       "time": 7.0, "value": {"msg": "level.v0", "level": 3, "ts": 7}});
    assert_eq!(rows[0], first);
    assert_eq!(rows[3]["line"], "not json");
    assert_eq!(rows[4]["late"], true);
}

#[test]
fn daemon_name_and_predicate_choose() {
    let seqs = |filter: Filter| -> Vec<u64> {
        let text = written(&filter, Format::JsonLines).expect("readable");
        let row = |line| serde_json::from_str::<Value>(line).expect("JSON");
        text.lines().map(|line| row(line)["seq"].as_u64().expect("a number")).collect()
    };
    let from = |daemon: &str| Filter { from: vec![daemon.to_owned()], ..Filter::default() };
    let event = |pattern: &str| Filter {
        event: Some(NamePattern::new(pattern).expect("a pattern")),
        ..Filter::default()
    };
    let holds = |source: &str| Filter {
        predicate: Some(Predicate::parse(source).expect(source)),
        ..Filter::default()
    };
    assert_eq!(seqs(from("accuser")), [2, 3]);
    assert_eq!(seqs(event("level.v0")), [0, 4]);
    assert_eq!(seqs(event("*")), [0, 2, 4], "a glob matches no lifecycle record");
    assert_eq!(seqs(event("tribunal.ready")), [1]);
    assert_eq!(seqs(holds("level >= 4")), [2, 4]);
    assert_eq!(seqs(holds("event.daemon == \"node\" && event.seq > 0")), [1, 4]);
    let all = Filter { event: event("level.v0").event, ..holds("level >= 4") };
    assert_eq!(seqs(Filter { from: from("node").from, ..all }), [4]);
}

#[test]
fn a_daemon_that_is_not_there_is_said_with_those_that_are() {
    let filter = Filter { from: vec!["nod".to_owned()], ..Filter::default() };
    let error = written(&filter, Format::Table).expect_err("no such daemon");
    assert_eq!(error.to_string(), "no daemon `nod` in this run; it has node, accuser");
}

#[test]
fn a_line_is_cut_at_the_terminals_width_unless_all_is_wanted() {
    let table = written(&Filter::default(), Format::Table).expect("readable");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let wide = written(&Filter::default(), Format::Wide).expect("readable");
    assert!(wide.contains("expected ident at line 1 column 2: not json"), "{wide}");
}

#[test]
fn time_incarnation_and_amount_choose() {
    let seqs = |filter: Filter| -> Vec<u64> {
        let text = written(&filter, Format::JsonLines).expect("readable");
        let row = |line| serde_json::from_str::<Value>(line).expect("JSON");
        text.lines().map(|line| row(line)["seq"].as_u64().expect("a number")).collect()
    };
    let amount = |amount| Filter { amount, ..Filter::default() };
    let at = |after: Option<f64>, before: Option<f64>| Filter {
        after: after.map(When::At),
        before: before.map(When::At),
        ..Filter::default()
    };
    assert_eq!(seqs(amount(Amount::First(2))), [0, 1]);
    assert_eq!(seqs(amount(Amount::Last(2))), [3, 4]);
    assert_eq!(seqs(amount(Amount::Last(0))), [] as [u64; 0]);
    assert_eq!(seqs(amount(Amount::Last(99))), [0, 1, 2, 3, 4]);
    assert_eq!(seqs(at(Some(0.15), Some(0.3))), [1, 2, 3]);
    assert_eq!(seqs(at(None, Some(0.1))), [0]);
    let wall = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(250);
    let since = Filter { after: Some(When::Wall(wall)), ..Filter::default() };
    assert_eq!(seqs(since), [3, 4], "the index says that the run began with the epoch");
    let second = Filter { incarnation: Some(Incarnation(2)), ..Filter::default() };
    assert_eq!(seqs(second), [] as [u64; 0]);
    assert_eq!(seqs(Filter { malformed_only: true, ..Filter::default() }), [3]);
    let globs = Filter { from: vec!["acc*".to_owned()], ..Filter::default() };
    assert_eq!(seqs(globs), [2, 3]);
}
