use serde_json::{Value as Json, json};

use crate::predicate::{Explanation, Predicate, Subject, Truth};

fn explain_on(source: &str, payload: &Json) -> Explanation {
    let predicate = Predicate::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    predicate.explain(&Subject::payload(payload), &())
}

fn explain(source: &str) -> Explanation {
    let payload = json!({
        "level": 9,
        "hash": "BLxyz",
        "ok": false,
        "count": "12",
        "ops": [{"n": 1}, {"n": 5}, {"m": 3}],
        "long": "x".repeat(500),
        "many": vec![1; 1000],
        "obj": {"a": [1, null], "b": "c\n"}
    });
    explain_on(source, &payload)
}

#[test]
fn a_clause_shows_the_values_that_decided() {
    for (source, expected) in [
        ("level >= 10", "level >= 10: 9 >= 10 is false"),
        ("level >= 9", "level >= 9: 9 >= 9 is true"),
        ("!(level >= 9)", "!(level >= 9): 9 >= 9 is true"),
        ("ok", "ok is false"),
        ("!ok", "ok is false"),
        ("has(hsah)", "has(hsah) is false"),
        ("1 == 2", "1 == 2 is false"),
        ("level in [1, 2]", "level in [1, 2]: 9 in [1,2] is false"),
        ("hash.startsWith('o')", "hash.startsWith('o'): \"BLxyz\".startsWith(\"o\") is false"),
        ("hash.matches('^o')", "hash.matches('^o'): \"BLxyz\".matches(\"^o\") is false"),
        ("level > 10 || ok", "level > 10 || ok: 9 > 10 is false, ok is false"),
        ("level > 1 || ok", "level > 1 || ok: 9 > 1 is true"),
        ("ok ? level > 1 : level > 10", "ok ? level > 1 : level > 10: 9 > 10 is false"),
        (
            "ops.exists(o, has(o.n) && o.n > 7)",
            "ops.exists(o, has(o.n) && o.n > 7): none of 3 elements",
        ),
        ("ops.all(o, o.n < 3)", "ops.all(o, o.n < 3): element 1: 5 < 3 is false"),
        ("ops.exists(o, o.n > 3)", "ops.exists(o, o.n > 3): element 1: 5 > 3 is true"),
        ("[].all(x, x)", "[].all(x, x): all of 0 elements"),
        ("obj == null", "obj == null: {\"a\":[1,null],\"b\":\"c\\n\"} == null is false"),
    ] {
        let explanation = explain(source);
        assert_eq!(explanation.clauses.len(), 1, "{source}");
        assert_eq!(explanation.clauses[0].text, expected, "{source}");
    }
}

#[test]
fn a_clause_that_is_unknown_says_what_was_missing() {
    for (source, expected) in [
        ("hsah == 'x'", "hsah: no such field"),
        ("!(hsah == 'x')", "hsah: no such field"),
        ("count >= 3", "count: a string, not a number (use int(count))"),
        ("level > 10 || hsah == 'x'", "level > 10 || hsah == 'x': hsah: no such field"),
        ("ops.exists(o, o.k == 1)", "ops.exists(o, o.k == 1): element 0: o.k: no such field"),
        ("$tip == hash", "$tip: no such variable"),
        ("level.exists(x, true)", "level: a number, not a list or an object"),
        ("hsah ? true : true", "hsah: no such field"),
    ] {
        let explanation = explain(source);
        assert_eq!(explanation.truth, Truth::Unknown, "{source}");
        assert_eq!(explanation.clauses[0].text, expected, "{source}");
    }
}

#[test]
fn clauses_are_counted_and_the_first_that_miss_are_named() {
    let source =
        "level >= 10 && (hash.startsWith('B') && hsah == 1) && ok && level < 3 && level > 20";
    let explanation = explain(source);
    assert_eq!(explanation.truth, Truth::False);
    let truths: Vec<_> = explanation.clauses.iter().map(|clause| clause.truth).collect();
    assert_eq!(
        truths,
        [Truth::False, Truth::True, Truth::Unknown, Truth::False, Truth::False, Truth::False]
    );
    for clause in &explanation.clauses {
        assert_eq!(source[clause.span.clone()], clause.source);
    }
    assert_eq!(explanation.clauses_true(), 1);
    assert_eq!(
        explanation.text(),
        "level >= 10: 9 >= 10 is false; hsah: no such field; ok is false; and 2 more"
    );
    assert_eq!(explain("level == 9 && !ok").text(), "level == 9: 9 == 9 is true; ok is false");
}

#[test]
fn long_values_are_shortened() {
    for source in ["long == 'y'", "many == null", "self == null", "long + long == long"] {
        let text = explain(source).text();
        assert!(text.chars().count() < 200, "{source}: {} in {text}", text.chars().count());
        assert!(text.contains('…'), "{source}: {text}");
    }
    let nested = (0..100).fold(json!(1), |inner, _| json!([inner, "a long string in a list"]));
    assert!(explain_on("self == null", &nested).text().len() < 200);
}
