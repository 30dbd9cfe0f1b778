use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Miss;
use crate::daemon::{DaemonName, Incarnation};
use crate::event::waiters::Bound;
use crate::event::{Event, EventName, Seq};
use crate::predicate::{Predicate, Truth};

fn event(seq: u64, value: Value) -> Event {
    Event {
        daemon: DaemonName::new("node").unwrap(),
        incarnation: Incarnation(1),
        seq: Seq(seq),
        name: "level.v0".into(),
        time: None,
        section: Arc::default(),
        value: Arc::new(value),
        late: false,
    }
}

fn bound(source: &str) -> Bound {
    let variables = Arc::new(BTreeMap::from([("k".to_owned(), json!(10))]));
    Bound { predicate: Predicate::parse(source).unwrap(), variables }
}

#[test]
fn those_with_more_true_clauses_are_nearer_and_of_equals_the_later() {
    let mut miss = Miss::default();
    let wanted = bound("level >= $k && hash == \"B\" && ok");
    for (seq, value) in [
        (1, json!({ "level": 9, "hash": "A", "ok": false })),
        (2, json!({ "level": 11, "hash": "A", "ok": true })),
        (3, json!({ "level": 9, "hash": "B", "ok": false })),
        (4, json!({ "level": 9, "hash": "B", "ok": true })),
        (5, json!({ "level": 9, "hash": "A", "ok": false })),
        (6, json!({ "level": 11, "hash": "A", "ok": false })),
    ] {
        miss.consider(&event(seq, value), Some(&wanted), 0);
    }
    let nearest: Vec<_> =
        miss.nearest.iter().map(|near| (near.seq.0, near.clauses_true, near.clauses)).collect();
    assert_eq!(nearest, [(4, 2, 3), (2, 2, 3), (6, 1, 3)]);
    assert!(miss.nearest[0].explanation.contains("9 >= 10"), "{}", miss.nearest[0].explanation);
    assert_eq!((miss.same_name, miss.unknown), (6, 0));
}

#[test]
fn unknowns_are_counted_and_matches_that_were_passed_over_are_not_near() {
    let mut miss = Miss::default();
    let wanted = bound("level >= 10");
    for value in
        [json!({}), json!({ "level": "10" }), json!({ "level": 12 }), json!({ "level": 9 })]
    {
        miss.consider(&event(1, value), Some(&wanted), 0);
    }
    assert_eq!((miss.same_name, miss.unknown, miss.nearest.len()), (4, 2, 3));
    // A wait without predicate, or with a closure, has no clauses to tell of.
    miss.consider(&event(9, json!(null)), None, 0);
    assert_eq!((miss.same_name, miss.nearest.len()), (5, 3));
}

#[test]
fn names_are_counted_up_to_a_limit_and_events_without_one() {
    let mut miss = Miss::default();
    for number in 0..3000 {
        miss.count(&EventName::from(format!("n{}", number % 1500)));
    }
    assert_eq!((miss.events, miss.names.len()), (3000, Miss::NAMES));
    assert_eq!(miss.names.get("n0"), Some(&2));
}

/// An event of the wanted name in an incarnation, before the cursor.
fn passed_over(miss: &mut Miss, seq: u64, incarnation: u32, wanted: Option<&Bound>, level: u64) {
    let event =
        Event { incarnation: Incarnation(incarnation), ..event(seq, json!({ "level": level })) };
    miss.name(&event.name);
    miss.pass_over(&event, wanted, Seq(131), seq * 1000);
}

#[test]
fn what_came_before_the_cursor_is_told_with_its_incarnation() {
    let newest =
        |incarnation| Miss { incarnation: Some(Incarnation(incarnation)), ..Miss::default() };
    let mut miss = newest(2);
    passed_over(&mut miss, 118, 1, None, 0);
    let text =
        "never seen in this incarnation (once in incarnation 1, seq 118, before the cursor at 131)";
    assert_eq!(miss.reason(1), text);

    let mut miss = newest(1);
    passed_over(&mut miss, 118, 1, Some(&bound("level > 1")), 0);
    let text = "never seen since the cursor (once in incarnation 1, not as wanted, seq 118, before the cursor at 131)";
    assert_eq!(miss.reason(1), text);

    let mut miss = newest(3);
    for (seq, incarnation, level) in [(4, 1, 9), (5, 1, 0), (90, 2, 9)] {
        passed_over(&mut miss, seq, incarnation, Some(&bound("level > 1")), level);
    }
    let text = "never seen in this incarnation (twice in incarnation 1, not always as wanted, once in incarnation 2, \
                last at seq 90, before the cursor at 131)";
    assert_eq!(miss.reason(1), text);
    // The last that matched, not the last that came.
    assert_eq!((miss.passed[0].last, miss.passed[0].last_at_us), (Seq(4), 4000));
}

#[test]
fn the_reason_tells_nothing_at_all_from_not_as_wanted_and_from_too_few() {
    let mut miss = Miss::default();
    assert_eq!(miss.reason(1), "never seen: no event at all has come");
    miss.count(&"other.v0".into());
    assert_eq!(miss.reason(1), "never seen");
    let wanted = bound("level >= 10");
    miss.consider(&event(140, json!({ "level": 9 })), Some(&wanted), 0);
    passed_over(&mut miss, 118, 1, Some(&wanted), 9);
    assert_eq!(miss.reason(1), "seen once, but `where` was never true");
    passed_over(&mut miss, 119, 1, Some(&wanted), 12);
    let text = "seen once, but `where` was never true (twice in incarnation 1, not always as wanted, last at seq 119, \
                before the cursor at 131)";
    assert_eq!(miss.reason(1), text);
    miss.passed.clear();
    miss.consider(&event(141, json!({ "level": 10 })), Some(&wanted), 0);
    assert_eq!(miss.reason(2), "seen once as wanted, and it takes 2");
    miss.is_partial = true;
    let text = "seen once as wanted, and it takes 2; only the newest records are counted here";
    assert_eq!(miss.reason(2), text);
}

#[test]
fn a_near_miss_keeps_its_payload_and_the_value_of_every_clause() {
    let mut miss = Miss::default();
    let wanted = bound("level >= $k && ok && has(hash)");
    miss.consider(&event(7, json!({ "level": 9, "ok": true })), Some(&wanted), 1_500_000);
    let near = &miss.nearest[0];
    assert_eq!((near.payload.as_str(), near.at_us), ("{\"level\":9,\"ok\":true}", 1_500_000));
    let values: Vec<_> =
        near.values.iter().map(|clause| (clause.source.as_str(), clause.truth)).collect();
    let expected =
        [("level >= $k", Truth::False), ("ok", Truth::True), ("has(hash)", Truth::False)];
    assert_eq!(values, expected);
    assert!(super::shortened(&"é".repeat(1000)).len() <= 204);
}
