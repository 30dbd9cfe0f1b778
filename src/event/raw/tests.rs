use proptest::prelude::*;
use serde_json::Value;

use super::{Field, FieldFinder, field, is_plain};
use crate::predicate::{PathElement, Predicate};

#[test]
fn ordinary_values_are_walked_over_and_what_no_value_can_hold_is_not() {
    let long = "1".repeat(400);
    let deep = "[".repeat(200) + &"]".repeat(200);
    for plain in [
        "0",
        "-1.5e-05",
        "\"\"",
        "\"a\\n\\u00e9é\"",
        "[]",
        "{}",
        " [1 , {\"a\" : null}] ",
        "true",
        "{\"a\":{\"b\":[false,\"\\\"\"]}}",
    ] {
        assert!(is_plain(plain), "{plain}");
        serde_json::from_str::<Value>(plain).unwrap();
    }
    for odd in [
        "",
        "01",
        "1.",
        "1e",
        ".5",
        "+1",
        "-",
        "tru",
        "nul",
        "\"",
        "\"\n\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":1,}",
        "{a:1}",
        "1 2",
        "1e999",
        &long,
        &deep,
    ] {
        assert!(!is_plain(odd), "{odd}");
    }
}

#[test]
fn a_field_is_found_where_the_parser_would_find_it() {
    let path = |names: &[&str]| -> Vec<PathElement> {
        names.iter().map(|name| PathElement::Field((*name).into())).collect()
    };
    let payload = r#"{"a":1,"b":{"c":"x","n":null},"a":-7,"s":"\t","f":1.5,"z":-0,"big":18446744073709551616}"#;
    let look = |names: &[&str]| field(payload, &path(names));
    assert_eq!(look(&["a"]), Some(Field::Int(-7)));
    assert_eq!(look(&["b", "c"]), Some(Field::Str("x")));
    assert_eq!(look(&["b", "n"]), Some(Field::Nothing));
    assert_eq!(look(&["a", "c"]), Some(Field::Nothing));
    assert_eq!(look(&["none"]), Some(Field::Nothing));
    for undecided in ["s", "f", "z", "big"] {
        assert_eq!(look(&[undecided]), None, "{undecided}");
    }
    assert_eq!(field("42", &[]), Some(Field::Int(42)));
    assert_eq!(field("{\"a\\n\":1,\"a\":2}", &path(&["a"])), None);
}

#[test]
fn a_name_in_front_is_found_without_a_walk_and_one_that_may_be_something_else_is_not() {
    let finder = FieldFinder::new(&[PathElement::Field("level".into())]);
    for (payload, wanted) in [
        (r#"{"level":7,"a":"x"}"#, Some(Field::Int(7))),
        (r#"{"level":"x"}"#, Some(Field::Str("x"))),
        (r#"{"level":[1]}"#, Some(Field::Nothing)),
        (r#"{"level":7,"level":8}"#, Some(Field::Int(8))),
        (r#"{"level":7,"a":"level"}"#, Some(Field::Int(7))),
        (r#"{"a":{"level":7}}"#, Some(Field::Nothing)),
        (r#"{"a":7,"level":8}"#, Some(Field::Int(8))),
        (r#"["level"]"#, Some(Field::Nothing)),
        (r#""level""#, Some(Field::Nothing)),
        ("{\"lev\\u0065l\":7}", None),
        (r#"{"level":7.0}"#, None),
    ] {
        assert_eq!(finder.find(payload), wanted, "{payload}");
    }
}

/// JSON texts, and such with a few bytes changed.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|i| i.to_string()),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| format!("{f:e}")),
        "[a-z\\\\\"\u{1}é/]{0,12}".prop_map(|s| Value::String(s).to_string()),
        "\\PC{0,6}".prop_map(|s| format!("\"{s}\"")),
        "\\\\u[0-9a-fA-F]{4}".prop_map(|s| format!("\"{s}\"")),
        "-?[0-9.eE+-]{1,6}",
    ];
    let value = leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|v| format!("[{}]", v.join(" ,"))),
            prop::collection::vec(("[ab]{1,2}", inner), 0..5).prop_map(|fields| {
                let fields: Vec<_> = fields
                    .into_iter()
                    .map(|(name, value)| format!("\"{name}\": {value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    });
    (value, prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 0..2)).prop_map(
        |(text, changes)| {
            let mut chars: Vec<char> = text.chars().collect();
            for (at, with) in changes {
                let at = at.index(chars.len());
                chars[at] = with;
            }
            chars.into_iter().collect()
        },
    )
}

proptest! {
    #[test]
    fn what_is_plain_is_a_value(text in texts()) {
        if is_plain(&text) {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn a_field_is_what_the_parser_says(text in texts(), name in "[ab]{1,2}", deeper in any::<bool>()) {
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            return Ok(());
        };
        let source = if deeper { format!("{name}.a == 1") } else { format!("{name} == 1") };
        let comparison = Predicate::parse(&source).unwrap().comparison(&()).unwrap();
        let wanted = comparison.field(&value);
        for found in [field(&text, &comparison.path), FieldFinder::new(&comparison.path).find(&text)] {
            match found {
                Some(Field::Int(int)) => {
                    prop_assert_eq!(wanted.and_then(Value::as_number).and_then(serde_json::Number::as_i128), Some(int));
                }
                Some(Field::Str(text)) => prop_assert_eq!(wanted.and_then(Value::as_str), Some(text)),
                Some(Field::Nothing) => {
                    prop_assert!(!wanted.is_some_and(|found| found.is_number() || found.is_string()));
                }
                None => {}
            }
        }
    }
}
