//! The rules of Chrome's trace event format, as Perfetto reads it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::folder::{FAILS, Folder, PASSES};

/// Checks what every trace must be, and gives its events.
#[track_caller]
fn checked(text: &str) -> Vec<Value> {
    let trace: Value = serde_json::from_str(text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("traceEvents").clone();
    let mut last = BTreeMap::new();
    let mut spans: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for event in &events {
        let number = |key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{key} of {event}"));
        let (ts, pid, tid) = (number("ts"), number("pid"), number("tid"));
        assert!(event["name"].is_string() && event["args"].is_object(), "{event}");
        match event["ph"].as_str() {
            Some("M") => {
                match event["name"].as_str() {
                    Some("process_name" | "thread_name") => {
                        assert!(event["args"]["name"].is_string(), "{event}");
                    }
                    Some("process_sort_index" | "thread_sort_index") => {
                        assert!(event["args"]["sort_index"].is_u64(), "{event}");
                    }
                    _ => panic!("{event}"),
                }
                named.insert((pid, tid));
                continue;
            }
            Some("X") => spans.entry((pid, tid)).or_default().push((ts, ts + number("dur"))),
            Some("i") => assert!(["t", "p", "g"].iter().any(|s| event["s"] == *s), "{event}"),
            _ => panic!("{event}"),
        }
        assert!(named.contains(&(pid, tid)) && named.contains(&(pid, 0)), "no name: {event}");
        let before = last.insert(pid, ts).unwrap_or(0);
        assert!(before <= ts, "not sorted: {event}");
    }
    // A thread is a stack: what begins inside a span ends inside it.
    for (track, mut spans) in spans {
        spans.sort_by_key(|(from, to)| (*from, std::cmp::Reverse(*to)));
        let mut open: Vec<u64> = Vec::new();
        for (from, to) in spans {
            while open.last().is_some_and(|end| *end <= from) {
                open.pop();
            }
            assert!(
                open.last().is_none_or(|end| to <= *end),
                "{track:?}: {from}..{to} in {open:?}"
            );
            open.push(to);
        }
    }
    events
}

fn count(events: &[Value], category: &str) -> usize {
    events.iter().filter(|event| event["cat"] == category).count()
}

#[test]
fn a_recorded_run_becomes_a_complete_trace() {
    let folder = Folder::with(&[("a.yaml", PASSES)]);
    folder.run(&["run", "--keep", "always", "--seed", "7"], 0);
    let [run_dir] = &folder.run_dirs()[..] else { panic!("one is kept") };
    folder.run(&["report", run_dir.to_str().expect("UTF-8"), "--trace", "out.json"], 0);
    let events = checked(&folder.read("out.json"));
    let result = std::fs::read(run_dir.join("result.json")).expect("it was written");
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    let steps = result["steps"].as_array().expect("a list").len();
    assert_eq!(count(&events, "step"), steps);
    assert_eq!(count(&events, "incarnation"), 2);
    assert_eq!(count(&events, "event"), 2, "one hello of each incarnation");
    assert_eq!(count(&events, "malformed"), 2);
    assert_eq!(count(&events, "lifecycle"), 7, "spawned, ready, exited of both, restarted");
    assert_eq!(count(&events, "fault"), 1);
    assert_eq!(count(&events, "log"), 3);
    assert_eq!(count(&events, "wait"), 3, "expect, never, exited");
    let names: Vec<&Value> = events
        .iter()
        .filter(|event| event["name"] == "process_name" || event["name"] == "thread_name")
        .map(|event| &event["args"]["name"])
        .collect();
    for name in ["steps of a passing one", "talker (process)", "steps[1].parallel[1]", "waits"] {
        assert!(names.iter().any(|known| *known == name), "{name} in {names:?}");
    }
}

#[test]
fn the_plays_of_a_run_stand_in_one_trace_side_by_side() {
    let folder = Folder::with(&[("a.yaml", PASSES), ("b.yaml", FAILS)]);
    folder.run(&["run", "-j", "1", "--trace", "out.json"], 1);
    let events = checked(&folder.read("out.json"));
    let processes: BTreeSet<u64> =
        events.iter().filter_map(|event| event["pid"].as_u64()).collect();
    assert_eq!(processes.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(events.iter().any(|event| event["name"] == "expect FAILED"));
    let began = |pid: u64| {
        let of_play = events.iter().filter(|event| event["pid"] == pid && event["ph"] != "M");
        of_play.filter_map(|event| event["ts"].as_u64()).min()
    };
    assert!(began(1) < began(3), "the second play began later");
}
