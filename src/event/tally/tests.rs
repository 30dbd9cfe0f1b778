use std::sync::Arc;

use serde_json::json;

use super::Tally;
use crate::daemon::{DaemonName, Incarnation};
use crate::event::{EventName, Seq};

#[test]
fn history_is_worth_a_scan_only_where_the_name_was_seen_since() {
    let mut tally = Tally::default();
    tally.count_events(&"a.v0".into(), 3, Seq(7));
    tally.count_events(&"b.v0".into(), 1, Seq(9));
    tally.count_events(&"a.v0".into(), 1, Seq(8));
    assert_eq!(tally.events, 5);
    assert!(tally.may_hold(Seq(8), |name| name == "a.v0"));
    assert!(!tally.may_hold(Seq(9), |name| name == "a.v0"));
    assert!(tally.may_hold(Seq(9), |name| name.starts_with(|c| c < 'c')));
    assert!(!tally.may_hold(Seq(0), |name| name == "c.v0"));
    let mut names: Vec<_> =
        tally.names().map(|(name, tally)| (name.as_str(), tally.count, tally.last.0)).collect();
    names.sort_unstable();
    assert_eq!(names, [("a.v0", 4, 8), ("b.v0", 1, 9)]);
}

#[test]
fn a_daemon_that_invents_names_cannot_fill_the_memory_nor_hide_an_event() {
    let mut tally = Tally::default();
    for number in 0..2 * Tally::NAMES {
        tally.count_events(&EventName::from(format!("n{number}")), 1, Seq(number as u64));
    }
    assert_eq!((tally.names().count(), tally.events), (Tally::NAMES, 2 * Tally::NAMES as u64));
    // A name that is not counted apart may have come all the same.
    assert!(tally.may_hold(Seq(u64::MAX), |_| false));
}

#[test]
fn only_the_end_of_the_output_is_kept_and_long_lines_are_cut() {
    let mut tally = Tally::default();
    let long = "é".repeat(10_000);
    tally.add_output(format!("first\n\nsecond \r\n{long}\n").as_bytes());
    let lines = tally.last_lines();
    assert_eq!(lines[..2], ["first", "second"]);
    assert!(lines[2].starts_with('é') && lines[2].chars().count() <= Tally::LINE_BYTES);
    for number in 0..100 {
        tally.add_output(format!("{number}\n").as_bytes());
    }
    let lines = tally.last_lines();
    assert_eq!((lines.len(), lines[0].as_str()), (Tally::LAST_LINES, "80"));
    tally.add_output(b"\xff\xfe\n");
    assert!(tally.last_lines()[Tally::LAST_LINES - 1].contains('\u{fffd}'));
}

#[test]
fn lifecycle_records_are_found_by_name_and_position() {
    let mut tally = Tally::default();
    let daemon = DaemonName::new("node").unwrap();
    for (seq, name) in [(1, "tribunal.spawned"), (5, "tribunal.exited"), (6, "tribunal.spawned")] {
        tally.add_lifecycle(Seq(seq), Incarnation(1), name.into(), Arc::new(json!(seq)));
    }
    let found = |from| -> Vec<u64> {
        tally.lifecycle(&daemon, "tribunal.spawned", Seq(from)).map(|event| event.seq.0).collect()
    };
    assert_eq!((found(0), found(2), found(7)), (vec![1, 6], vec![6], vec![]));
    assert_eq!(tally.events, 0);
}
