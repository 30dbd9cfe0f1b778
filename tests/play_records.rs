//! What a run leaves behind: every field of `result.json`, and the order of `log.jsonl`.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Everything that a result can tell: matches, a crash that the policy answers, one that hits nothing, malformed lines, a
/// warning, cancelled and skipped steps, a wait that fails with something near.
const SCENARIO: &str = r#"
name: all of it
daemons:
  a:
    kind: process
    command: ["${env.FAKE_DAEMON}", stderr, hello, event, up.v0, "{}", line, "no JSON", event, block_seen.v0, '{"level":9,"ok":true}', forever]
    ready: { event: up.v0 }
    restart: { policy: on-failure, backoff: { initial: 1ms } }
  never_run: { kind: process, command: [sleep, "1000"] }
steps:
  - start: a
  - crash: a
  - ready: a
  - expect: { from: a, event: block_seen.v0, where: event.incarnation == 2, count: 1 }
  - parallel:
      - - log: one
        - expect: { from: a, event: block_saw.v0, where: level >= 10 && ok, since: start, within: 100ms }
        - log: two
      - - expect: { from: a, event: other.v0, within: 1h }
finally:
  - kill: a
  - crash: a
"#;

struct Played {
    _folder: tempfile::TempDir,
    result: Value,
    log: Vec<Value>,
    events: Vec<u8>,
    output: String,
    kept: String,
}

fn play(scenario: &str) -> Played {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("scenario.yaml");
    std::fs::write(&path, scenario).expect("writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
    command.args(["run", "scenario.yaml", "--out", "runs", "--keep", "always", "--seed", "42"]);
    command.current_dir(folder.path()).stdin(Stdio::null());
    command.env("FAKE_DAEMON", env!("CARGO_BIN_EXE_fake-daemon")).env_remove("TRIBUNAL_OCTEZ");
    let output = command.output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let runs = std::fs::read_dir(folder.path().join("runs")).expect("run directories");
    let mut runs = runs.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir());
    let run = runs.next().expect("it is kept");
    let read = |name: &str| std::fs::read(run.join(name)).unwrap_or_else(|_| panic!("{name}"));
    let text = |name: &str| String::from_utf8(read(name)).expect("UTF-8");
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    Played {
        result: serde_json::from_slice(&read("result.json")).expect("JSON"),
        log: text("log.jsonl").lines().map(line).collect(),
        events: read("events/a.jsonl"),
        output: text("output/a.log"),
        kept: text("scenario.yaml"),
        _folder: folder,
    }
}

/// Replaces what differs from run to run by what kind of thing it is.
fn normalised(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                let is_time = ["_s", "pid"].iter().any(|end| key.ends_with(end));
                *field = match field.take() {
                    Value::Number(_) if is_time => json!("N"),
                    Value::String(_) if key == "started" => json!("RFC 3339"),
                    field => normalised(field),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = normalised(item.take())),
        _ => {}
    }
    value
}

#[test]
fn a_result_has_every_field_of_the_contract() {
    let played = play(SCENARIO);
    let result = normalised(played.result);
    let plain = |key: &str| result[key].clone();
    assert_eq!(
        (plain("version"), plain("scenario"), plain("file"), plain("outcome"), plain("seed")),
        (json!(1), json!("all of it"), json!("scenario.yaml"), json!("failed"), json!(42))
    );
    assert_eq!((plain("started"), plain("duration_s")), (json!("RFC 3339"), json!("N")));

    let steps: Vec<(String, String)> = result["steps"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|step| {
            let word = |key: &str| step[key].as_str().expect("text").to_owned();
            (format!("{} {}", word("path"), word("verb")), word("outcome"))
        })
        .collect();
    let expected = [
        ("steps[0] start", "passed"),
        ("steps[1] crash", "passed"),
        ("steps[2] ready", "passed"),
        ("steps[3] expect", "passed"),
        ("steps[4] parallel", "failed"),
        ("steps[4].parallel[0][0] log", "passed"),
        ("steps[4].parallel[1][0] expect", "skipped"),
        ("steps[4].parallel[0][1] expect", "failed"),
        ("steps[4].parallel[0][2] log", "skipped"),
        ("finally[0] kill", "passed"),
        ("finally[1] crash", "passed"),
    ];
    let expected = expected.map(|(step, outcome)| (step.to_owned(), outcome.to_owned()));
    let (mut steps, mut expected) = (steps, expected.to_vec());
    // Which of the branches' steps begins first is up to them.
    steps.sort();
    expected.sort();
    assert_eq!(steps, expected);

    let third = &result["steps"][3];
    let seq = &third["match"]["seq"];
    assert_eq!(
        third,
        &json!({
            "path": "steps[3]", "verb": "expect", "line": 14, "column": 5, "outcome": "passed",
            "text": "expect: { from: a, event: block_seen.v0, where: event.incarnation == 2, count: 1 }",
            "started_s": "N", "duration_s": "N",
            "match": { "daemon": "a", "event": "block_seen.v0", "seq": seq, "incarnation": 2 },
        })
    );
    let incarnation = |number: u32, cause: &str| {
        json!({ "number": number, "pid": "N", "started_s": "N", "exited_s": "N",
                "exit": { "code": null, "signal": 9 }, "cause": cause })
    };
    let daemon = &result["daemons"][0];
    let (events, malformed) = (&daemon["events"], &daemon["malformed"]);
    assert!(malformed.as_u64().is_some_and(|count| (1..=2).contains(&count)), "{daemon:#}");
    assert_eq!(
        result["daemons"],
        json!([
            { "name": "a", "kind": "process", "host": "local", "events": events, "malformed": malformed,
              "incarnations": [incarnation(1, "crash"), incarnation(2, "kill")] },
            { "name": "never_run", "kind": "process", "host": "local", "events": 0, "malformed": 0, "incarnations": [] },
        ])
    );
    assert_eq!(
        result["faults"],
        json!([
            { "number": 1, "kind": "crash", "target": "a", "at_s": "N", "delayed_s": "N", "hit": true },
            { "number": 2, "kind": "crash", "target": "a", "at_s": "N", "delayed_s": "N", "hit": false },
        ])
    );
    assert!(result["warnings"].as_array().expect("a list").iter().any(|warning| {
        warning.as_str().is_some_and(|text| text.starts_with("fault #2 hit nothing"))
    }));
}

#[test]
fn a_failure_has_every_field_of_the_contract() {
    let scenario = SCENARIO.replace("block_saw.v0", "block_seen.v0");
    let failure = normalised(play(&scenario).result)["failure"].take();
    let searched = &failure["searched"];
    assert!(searched["from_seq"].as_u64() < searched["to_seq"].as_u64(), "{searched}");
    assert_eq!(searched["events"], 2);
    let nearest = &failure["nearest"][0];
    assert_eq!(
        nearest,
        &json!({ "seq": nearest["seq"], "event": "block_seen.v0", "clauses_true": 1, "clauses": 2,
                 "explanation": "level >= 10: 9 >= 10 is false" })
    );
    let fields =
        ["step", "kind", "line", "column", "wanted", "did_you_mean", "daemon_state", "rerun"];
    let told: serde_json::Map<String, Value> =
        fields.iter().map(|field| ((*field).to_owned(), failure[field].clone())).collect();
    assert_eq!(
        Value::Object(told),
        json!({
            "step": "steps[4].parallel[0][1]", "kind": "timed-out", "line": 17, "column": 11,
            "wanted": { "daemon": "a", "event": "block_seen.v0", "where": "level >= 10 && ok" },
            "did_you_mean": [],
            // As it was at the time of the failure: `finally` has killed it since.
            "daemon_state": { "name": "a", "alive": true, "incarnation": 2, "last_event_age_s": "N",
                              "last_lines": ["hello", "hello"] },
            "rerun": "tribunal run scenario.yaml --seed 42",
        })
    );
    assert_eq!(failure["message"], "seen once, but `where` was never true");
}

#[test]
fn a_name_that_never_came_is_compared_with_those_that_did() {
    let failure = play(SCENARIO).result["failure"].take();
    assert_eq!(failure["did_you_mean"], json!(["block_seen.v0"]));
    assert_eq!(failure["nearest"], json!([]));
}

#[test]
fn the_log_tells_what_happened_in_order() {
    let log = play(SCENARIO).log;
    let text = |note: &Value, key: &str| note[key].as_str().unwrap_or_default().to_owned();
    let told: Vec<String> = log
        .iter()
        .map(|note| match text(note, "what").as_str() {
            "lifecycle" => format!("{} {}", text(note, "event"), note["incarnation"]),
            "step" => format!("{} {}", text(note, "path"), text(note, "outcome")),
            "match" => format!("match {} {}", text(note, "path"), text(note, "event")),
            "fault" => format!("fault {} {}", note["number"], note["hit"]),
            other => other.to_owned(),
        })
        .collect();
    let mut rest = told.iter();
    for wanted in [
        "steps[0] began",
        "daemon",
        "tribunal.spawned 1",
        "tribunal.ready 1",
        "steps[0] passed",
        "steps[1] began",
        "tribunal.exited 1",
        "fault 1 true",
        "steps[1] passed",
        "tribunal.ready 2",
        "match steps[3] block_seen.v0",
        "steps[3] passed",
        "text",
        "steps[4].parallel[0][1] failed",
        "steps[4] failed",
        "finally[0] began",
        "tribunal.exited 2",
        "fault 2 false",
        "finally[1] passed",
    ] {
        assert!(rest.any(|told| told == wanted), "{wanted}, at its place: {told:#?}");
    }
    assert!(told.iter().any(|told| told == "malformed"), "{told:#?}");
    let times: Vec<f64> = log.iter().filter_map(|note| note["at_s"].as_f64()).collect();
    assert!(times.is_sorted() && times.len() == log.len());
}

#[test]
fn lines_output_and_the_scenario_are_kept_byte_for_byte() {
    let played = play(SCENARIO);
    let events = String::from_utf8(played.events).expect("UTF-8");
    assert!(events.contains("\nno JSON\n"), "{events}");
    assert_eq!(played.output.matches("hello\n").count(), 2);
    assert_eq!(played.kept, SCENARIO);
}
