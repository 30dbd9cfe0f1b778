use proptest::prelude::*;
use serde_json::Value;

use super::{Envelope, Opened, open_octez, open_plain_octez};
use crate::event::decode::Malformed;

fn parts<'a>(opened: &'a Opened<'a>) -> (&'a str, Option<&'a str>, Option<&'a str>, &'a str) {
    (&opened.name, opened.time, opened.section, opened.payload)
}

/// Whether the line was an ordinary one; if so, both ways must have opened it alike.
fn opened_alike(line: &str) -> bool {
    let Some(plain) = open_plain_octez(line) else {
        return false;
    };
    let parsed = open_octez(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    assert_eq!(parts(&plain), parts(&parsed), "{line}");
    serde_json::from_str::<Value>(plain.payload).unwrap_or_else(|error| panic!("{line}: {error}"));
    true
}

const EVENT: &str = r#""event":{"a.v0":{"level":[1,2.5e-07],"text":"\u00e9\n"}}"#;

#[test]
fn lines_as_octez_writes_them_are_ordinary() {
    for item in [
        format!(r#""hostname":"h","time_stamp":1787318689.2017,"section":["a","b"],{EVENT}"#),
        format!(r#" "section" : [] , {EVENT} "#),
        format!(r#"{EVENT},"time_stamp":"2026-08-21T13:31:29Z""#),
        r#""event":{"":null}"#.to_owned(),
        r#""event":{"day.v0":"x"}"#.to_owned(),
    ] {
        let line = format!(r#"{{"fd-sink-item.v0":{{{item}}}}}"#);
        assert!(opened_alike(&line), "{line}");
    }
}

#[test]
fn lines_that_the_parser_takes_in_its_own_way_are_left_to_it() {
    for item in [
        format!("{EVENT},{EVENT}"),
        format!(r#""time_stamp":null,{EVENT}"#),
        format!(r#""section":null,{EVENT}"#),
        r#""event":null"#.to_owned(),
        r#""event":{"a":1,"b":2}"#.to_owned(),
        r#""event":{"\u0061":1}"#.to_owned(),
        r#""event":{}"#.to_owned(),
    ] {
        let line = format!(r#"{{"fd-sink-item.v0":{{{item}}}}}"#);
        assert!(open_plain_octez(&line).is_none(), "{line}");
    }
    for line in
        [format!("{{{EVENT}}}"), "[]".into(), r#"{"fd-sink-item.v0":[null,null,null]}"#.into()]
    {
        assert!(open_plain_octez(&line).is_none(), "{line}");
    }
}

#[test]
fn a_payload_that_no_value_can_hold_makes_the_line_malformed() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for payload in [deep.as_str(), "1e999", "\"\\ud800\""] {
        let octez = format!(r#"{{"fd-sink-item.v0":{{"event":{{"x.v0":{payload}}}}}}}"#);
        let opened = Envelope::Octez.open(&octez);
        assert!(matches!(opened, Err(Malformed::NoValue { .. })), "{opened:?}");
        let other =
            Envelope::Fields { name: vec!["n".into()], value: vec!["v".into()], time: None };
        let line = format!(r#"{{"n":"x","v":{payload}}}"#);
        assert!(matches!(other.open(&line), Err(Malformed::NoValue { .. })));
    }
}

fn lines() -> impl Strategy<Value = String> {
    let payload = prop_oneof![
        "[0-9.eE+-]{1,5}",
        "\"[a-z\\\\\"u0-9é]{0,8}\"",
        Just(r#"{"a":[1,{"b":"c"}]}"#.to_owned()),
        Just("null".to_owned()),
    ];
    let field = prop_oneof![
        3 => ("(a|event|a\\\\n)", payload.clone()).prop_map(|(name, payload)| format!(r#""event":{{"{name}":{payload}}}"#)),
        1 => payload.clone().prop_map(|payload| format!(r#""time_stamp":{payload}"#)),
        1 => payload.clone().prop_map(|payload| format!(r#""section":{payload}"#)),
        1 => payload.prop_map(|payload| format!(r#""x":{payload}"#)),
    ];
    let item = prop::collection::vec(field, 0..4).prop_map(|fields| fields.join(", "));
    let change = (
        any::<prop::sample::Index>(),
        prop_oneof![
            any::<char>(),
            "[{}\\[\\],:\"\\\\ 0]".prop_map(|s| s.chars().next().unwrap_or(' '))
        ],
    );
    (item, prop::collection::vec(change, 0..3)).prop_map(|(item, changes)| {
        let line = format!(r#"{{"fd-sink-item.v0":{{{item}}}}}"#);
        let mut chars: Vec<char> = line.chars().collect();
        for (at, with) in changes {
            let at = at.index(chars.len());
            chars[at] = with;
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn an_ordinary_line_is_opened_as_the_parser_opens_it(line in lines()) {
        opened_alike(&line);
    }
}
