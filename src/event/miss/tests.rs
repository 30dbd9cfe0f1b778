use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Miss;
use crate::daemon::{DaemonName, Incarnation};
use crate::event::waiters::Bound;
use crate::event::{Event, EventName, Seq};
use crate::predicate::Predicate;

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
        miss.consider(&event(seq, value), Some(&wanted));
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
        miss.consider(&event(1, value), Some(&wanted));
    }
    assert_eq!((miss.same_name, miss.unknown, miss.nearest.len()), (4, 2, 3));
    // A wait without predicate, or with a closure, has no clauses to tell of.
    miss.consider(&event(9, json!(null)), None);
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
