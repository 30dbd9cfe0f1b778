//! The page's predicates are those of scenario files.

use serde_json::{Value, json};
use tribunal::predicate::{EventMeta, Predicate, Subject, Truth};

use crate::browser::Page;
use crate::runs::{Folder, made_up};

const PREDICATES: &[&str] = &[
    "level >= 4",
    "level == 4 || name == 'x'",
    "level > 3 && hash.startsWith(\"BL\")",
    "!(level < 4)",
    "has(level)",
    "has(peer.id)",
    "has(peer.id.x)",
    "!has(nothing)",
    "peer.id == null",
    "peer[\"id\"] != 'a'",
    "list[0] == 1",
    "list[7] == 1",
    "list == [1, 2, 3]",
    "list == [1, 'a', 3]",
    "2 in list",
    "'a' in list",
    "\"id\" in peer",
    "size(list) == 3 && size(hash) > 2",
    "hash.size() == 4",
    "hash.contains('Lx') || hash.endsWith(\"y\")",
    "hash.matches('^B.x')",
    "hash.matches('(?i)bl')",
    "list.exists(x, x > 2)",
    "list.all(x, x > 0)",
    "list.exists(x, x.y > 2)",
    "list.filter(x, x % 2 == 1).size() == 2",
    "list.map(x, x * 2) == [2, 4, 6]",
    "peer.exists(key, key == 'id')",
    "level + 1 == 5 && level - 1 == 3 && level * 2 == 8 && level / 3 == 1",
    "-level == -4",
    "level / 0 == 1",
    "level >= 4 ? true : nothing",
    "nothing || level == 4",
    "nothing == 1 && level == 5",
    "false && nothing",
    "int(number) == 12 && double(number) == 12.0",
    "string(level) == '4'",
    "level == 4.0",
    "level == '4'",
    "self == \"bare\"",
    "self[1] > 3",
    "self.level == 4",
    "text == 'quote\\' \\u0041'",
    "event.name == 'e.v0' && event.incarnation == 1",
    "event.daemon == \"talker\" && event.seq >= 0",
    "true",
    "null == null",
    "level",
    "hash < 'BM' && 'a' < 'b'",
    "0x10 == 16 && 1.5e1 == 15.0",
];

fn payloads() -> Vec<Value> {
    vec![
        json!({ "level": 4, "hash": "BLxy", "list": [1, 2, 3], "peer": { "id": null }, "number": "12", "text": "quote' A" }),
        json!({ "level": 3, "hash": "xBL", "list": [], "peer": {}, "number": "twelve" }),
        json!({ "level": "4", "hash": 7, "list": "abc", "peer": [1] }),
        json!("bare"),
        json!([1, 5, "x"]),
        json!(null),
    ]
}

#[test]
fn the_page_judges_as_scenarios_do() {
    let folder = Folder::new();
    let lines =
        payloads().into_iter().map(|value| json!({ "name": "e.v0", "value": value }).to_string());
    let mut page = Page::open(&folder.report(&made_up(folder.path(), lines)));
    for source in PREDICATES {
        let predicate =
            Predicate::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        for (seq, payload) in payloads().iter().enumerate() {
            let event = EventMeta {
                name: "e.v0",
                daemon: "talker",
                time: None,
                section: &[],
                seq: seq as u64,
                incarnation: 1,
            };
            let here = predicate.test(&Subject { payload, event: Some(event) }, &());
            let there = page.eval(&format!(
                "timeline.predicate({})({payload}, {{ name: 'e.v0', daemon: 'talker', seq: {seq}, incarnation: 1 }}) ?? null",
                Value::from(*source)
            ));
            let here = match here {
                Truth::True => json!(true),
                Truth::False => json!(false),
                Truth::Unknown => Value::Null,
            };
            assert_eq!(there, here, "{source} on {payload}");
        }
    }
}

#[test]
fn what_the_page_cannot_do_is_refused_where_it_stands() {
    let folder = Folder::new();
    let mut page = Page::open(
        &folder.report(&made_up(folder.path(), ["{\"name\":\"e\",\"value\":1}".to_owned()])),
    );
    let table = [
        ("level >=", 8, "a value is expected here"),
        ("level == $tip", 9, "there are no variables here"),
        (
            "event.time > 1",
            0,
            "this page does not know `event.time`; `tribunal events --where` does",
        ),
        ("hash.reverse() == 'x'", 5, "no function `reverse` on a value here"),
        ("nope(level)", 0, "no function `nope` here"),
        ("1 < 2 < 3", 6, "comparisons do not chain; use `&&`"),
        ("hash.matches('(')", 13, "this page cannot use that pattern"),
        ("level # 3", 6, "`#` is not understood here"),
    ];
    for (source, at, message) in table {
        let told = page.eval(&format!(
            "(() => {{ try {{ timeline.predicate({}); return null; }} catch (error) {{ return [error.at, error.message]; }} }})()",
            Value::from(source)
        ));
        assert_eq!(told[0], at, "{source}: {told}");
        assert!(told[1].as_str().is_some_and(|text| text.starts_with(message)), "{source}: {told}");
    }
}
