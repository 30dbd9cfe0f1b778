use serde_json::json;

use super::*;
use crate::predicate::Predicate;

fn catalogue(events: &[(&str, Value)]) -> Catalogue {
    let mut collector = Collector::default();
    for (name, payload) in events {
        collector.add("octez-node", "node", name, payload);
    }
    collector.finish()
}

fn paths(catalogue: &Catalogue, event: &str) -> Vec<String> {
    let fields = catalogue.events[event].fields.iter();
    fields.map(|(path, field)| format!("{path}: {}", field.types_in_words())).collect()
}

#[test]
fn paths_and_types_are_those_that_were_seen() {
    let seen = catalogue(&[
        ("a.v0", json!({ "level": 3, "header": { "fitness": ["02", 1] }, "odd key": true })),
        ("a.v0", json!({ "level": "4", "header": null })),
        ("bare.v0", json!("BLx")),
    ]);
    let expected = [
        "header: null or object",
        "header.fitness: list",
        "header.fitness[]: integer or string",
        "level: integer or string",
        "self: object",
        "self[\"odd key\"]: boolean",
    ];
    assert_eq!(paths(&seen, "a.v0"), expected);
    assert_eq!(paths(&seen, "bare.v0"), ["self: string"]);
    let level = &seen.events["a.v0"].fields["level"];
    assert_eq!((level.count, level.example.as_deref()), (2, Some("3")));
    assert_eq!(seen.events["a.v0"].kinds["octez-node"], 2);
}

#[test]
fn objects_that_are_maps_are_one_path() {
    let many: Value = (0..500).map(|n| (format!("key_{n}x"), json!({ "n": n }))).collect();
    let hashes = json!({ "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2": 1, "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx": 2, "17": 3 });
    let numbers = json!({ "17": 3, "18": 4 });
    let seen = catalogue(&[("a.v0", many), ("b.v0", hashes), ("c.v0", numbers)]);
    assert_eq!(paths(&seen, "a.v0"), ["*: object", "*.n: integer", "self: object"]);
    assert_eq!(paths(&seen, "b.v0"), ["*: integer", "self: object"]);
    assert_eq!(paths(&seen, "c.v0"), ["*: integer", "self: object"]);
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let deep = (0..200).fold(json!(1), |inner, n| json!({ "in": [inner], "list": [[n]] }));
    let mut wide = Collector::default();
    for n in 0..20_000 {
        // Nested names that are no map at any level.
        let payload = json!({ format!("f{}", n % 39): { format!("g{}", n % 37): { format!("h{}", n % 31): n } } });
        wide.add("k", "d", "wide.v0", &payload);
        wide.add("k", "d", &format!("name{n}"), &Value::Null);
    }
    let wide = wide.finish();
    assert!(wide.is_partial && wide.events.len() == 10_000);
    assert!(wide.events["wide.v0"].is_partial && wide.events["wide.v0"].fields.len() <= 2_001);
    let deep = catalogue(&[("deep.v0", deep)]);
    assert!(deep.events["deep.v0"].is_partial);
    assert!(deep.events["deep.v0"].fields.len() <= 2_001);
}

#[test]
fn a_predicates_fields_are_found_or_not() {
    let seen = catalogue(&[(
        "a.v0",
        json!({ "level": 3, "ops": [{ "hash": "o" }], "x y": 1, "map": { "BLockGenesisGenesisGenesisGenesis1": { "n": 1 } } }),
    )]);
    let entry = &seen.events["a.v0"];
    let shows = |source: &str| {
        let references = Predicate::parse(source).expect(source).references().fields.clone();
        references.iter().all(|path| seen.shows(entry, path))
    };
    for source in [
        "level >= 4",
        "ops[0].hash == 'o'",
        "self == 1",
        "self['x y'] == 1",
        "map.anything.n > 0",
        "size(ops) == 1",
    ] {
        assert!(shows(source), "{source}");
    }
    for source in [
        "levels >= 4",
        "ops[0].hsh == 'o'",
        "level.more == 1",
        "map.x.m > 0",
        "map[0].n > 0",
        "lev > 1",
    ] {
        assert!(!shows(source), "{source}");
    }
}

#[test]
fn two_catalogues_add_up() {
    let mut one = catalogue(&[("a.v0", json!({ "x": 1 }))]);
    one.merge(catalogue(&[("a.v0", json!({ "x": "s", "y": 1 })), ("b.v0", json!(1))]));
    assert_eq!(one.events["a.v0"].count, 2);
    assert_eq!(paths(&one, "a.v0"), ["self: object", "x: integer or string", "y: integer"]);
    assert!(one.events.contains_key("b.v0"));
}

#[test]
fn a_difference_names_what_came_went_and_was_renamed() {
    let before = catalogue(&[
        ("double_baking_detected.v0", json!({ "level": 1, "hash": "o" })),
        ("gone.v0", json!(1)),
        ("same.v0", json!({ "level": 1, "old": 1 })),
    ]);
    let after = catalogue(&[
        ("double_baking_detected.v1", json!({ "level": 1, "hash": "o" })),
        ("totally_new.v0", json!(1)),
        ("same.v0", json!({ "level": "1", "new": 1 })),
    ]);
    let text = |text: &str| text.to_owned();
    let expected = vec![
        Change::ProbablyRenamed {
            from: text("double_baking_detected.v0"),
            to: text("double_baking_detected.v1"),
        },
        Change::Removed { event: text("gone.v0") },
        Change::Added { event: text("totally_new.v0") },
        Change::TypeChanged {
            event: text("same.v0"),
            path: text("level"),
            from: text("integer"),
            to: text("string"),
        },
        Change::FieldRemoved { event: text("same.v0"), path: text("old"), types: text("integer") },
        Change::FieldAdded { event: text("same.v0"), path: text("new"), types: text("integer") },
    ];
    assert_eq!(difference(&before, &after).changes, expected);
    assert_eq!(difference(&before, &before), Difference::default());
}

#[test]
fn names_that_are_alike_are_no_renaming_where_the_fields_are_others() {
    let before = catalogue(&[("block_seen.v0", json!({ "hash": "o", "level": 1 }))]);
    let after = catalogue(&[("block_seen.v1", json!({ "peer": "p", "score": 1 }))]);
    let expected = vec![
        Change::Removed { event: "block_seen.v0".to_owned() },
        Change::Added { event: "block_seen.v1".to_owned() },
    ];
    assert_eq!(difference(&before, &after).changes, expected);
}

#[test]
fn a_catalogue_reads_as_it_was_written() {
    let seen = catalogue(&[("a.v0", json!({ "x": [1.5, null] }))]);
    let text = serde_json::to_string(&seen).expect("serialisable");
    assert_eq!(serde_json::from_str::<Catalogue>(&text).expect("readable"), seen);
}
