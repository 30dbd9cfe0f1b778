use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::predicate::Truth::{False, True, Unknown as Dunno};
use crate::predicate::{EventMeta, Expression, Predicate, Subject, Truth};

fn payload() -> Json {
    json!({
        "level": 9,
        "big": u64::MAX,
        "low": i64::MIN,
        "ratio": 0.5,
        "one": 1.0,
        "count": "9007199254740993",
        "hash": "BLockHash",
        "empty": "",
        "ok": true,
        "bad": false,
        "nothing": null,
        "ops": [{"hash": "oo1", "n": 1}, {"hash": "oo2", "n": 2}, {"n": 3}],
        "list": [1, 2, 3],
        "mixed": [1, "a", null],
        "map": {"a": 1, "b": {"c": [10, 20]}},
        "fd-sink-item.v0": {"in": 7},
        "in": 1,
        "event": 5,
        "self": "me",
        "size": 3
    })
}

fn variables() -> BTreeMap<String, Json> {
    BTreeMap::from([
        ("level".to_owned(), json!(9)),
        ("ops".to_owned(), json!([{"hash": "oo1"}])),
        ("none".to_owned(), Json::Null),
    ])
}

fn meta(section: &[String]) -> EventMeta<'_> {
    let (name, daemon) = ("head_increment.v0", "node");
    EventMeta { name, daemon, time: Some(1.5), section, seq: 7, incarnation: 2 }
}

fn test_on(source: &str, payload: &Json) -> Truth {
    let predicate = Predicate::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    let section = ["node".to_owned(), "chain_validator".to_owned()];
    let subject = Subject { payload, event: Some(meta(&section)) };
    let truth = predicate.test(&subject, &variables());
    let explanation = predicate.explain(&subject, &variables());
    assert_eq!(explanation.truth, truth, "{source}: the explanation agrees");
    truth
}

fn check(cases: &[(&str, Truth)]) {
    let payload = payload();
    for (source, expected) in cases {
        assert_eq!(test_on(source, &payload), *expected, "{source}");
    }
}

fn value_of(source: &str) -> Result<Json, String> {
    let expression = Expression::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    let payload = payload();
    expression.evaluate(&Subject::payload(&payload), &variables()).map_err(|e| e.to_string())
}

#[test]
fn fields_compare_with_constants() {
    check(&[
        ("level == 9", True),
        ("level != 9", False),
        ("level >= 10", False),
        ("level >= 9", True),
        ("level < 10", True),
        ("9 <= level", True),
        ("level > 9", False),
        ("hash == 'BLockHash'", True),
        ("hash < 'C'", True),
        ("hash > 'B'", True),
        ("ok", True),
        ("bad", False),
        ("!bad", True),
        ("ok == true", True),
        ("bad < ok", True),
        ("map.b.c[1] == 20", True),
        ("map['b']['c'][0] == 10", True),
        ("self['fd-sink-item.v0']['in'] == 7", True),
        ("self[\"in\"] == 1", True),
        ("self.event == 5", True),
        ("self.self == 'me'", True),
        ("size == 3", True),
    ]);
}

#[test]
fn a_missing_field_is_unknown_and_so_is_what_depends_on_it() {
    check(&[
        ("missing", Dunno),
        ("missing == 1", Dunno),
        ("missing != 1", Dunno),
        ("missing == null", Dunno),
        ("!missing", Dunno),
        ("!(missing == 1)", Dunno),
        ("map.missing.deeper > 1", Dunno),
        ("list[3] == 1", Dunno),
        ("list[-1] == 1", Dunno),
        ("$missing == 1", Dunno),
        ("missing ? true : true", Dunno),
        ("missing in list", Dunno),
        ("missing.startsWith('a')", Dunno),
        ("size(missing) == 0", Dunno),
    ]);
}

#[test]
fn a_wrong_type_is_unknown() {
    check(&[
        ("hash > 1", Dunno),
        ("hash == 1", Dunno),
        ("hash != 1", Dunno),
        ("count == 9007199254740993", Dunno),
        ("ok == 1", Dunno),
        ("map > 1", Dunno),
        ("list < list", Dunno),
        ("nothing < 1", Dunno),
        ("level.x == 1", Dunno),
        ("level[0] == 1", Dunno),
        ("list.x == 1", Dunno),
        ("list['x'] == 1", Dunno),
        ("map[0] == 1", Dunno),
        ("level", Dunno),
        ("hash || false", Dunno),
        ("!hash", Dunno),
        ("level.startsWith('9')", Dunno),
        ("hash.contains(level)", Dunno),
        ("1 in level", Dunno),
        ("1 in map", Dunno),
        ("level.exists(x, x == 1)", Dunno),
        ("hash + 1 == 'x'", Dunno),
        ("-hash == 1", Dunno),
        ("hash ? true : false", Dunno),
    ]);
}

#[test]
fn conjunction_and_disjunction_follow_kleene_on_both_sides() {
    let operands = [("ok", Some(true)), ("bad", Some(false)), ("missing", None), ("hash", None)];
    let truth = |value: Option<bool>| value.map_or(Dunno, Truth::from);
    let payload = payload();
    for (left, left_value) in operands {
        for (right, right_value) in operands {
            let both = match (left_value, right_value) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            let either = match (left_value, right_value) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
            let (and, or) = (format!("{left} && {right}"), format!("{left} || {right}"));
            assert_eq!(test_on(&and, &payload), truth(both), "{and}");
            assert_eq!(test_on(&or, &payload), truth(either), "{or}");
        }
    }
}

#[test]
fn null_compares_with_everything() {
    check(&[
        ("nothing == null", True),
        ("nothing != null", False),
        ("level == null", False),
        ("null != level", True),
        ("map == null", False),
        ("$none == null", True),
        ("nothing == 1", False),
    ]);
}

#[test]
fn integers_compare_exactly_and_floats_by_value() {
    check(&[
        ("big == 18446744073709551615", True),
        ("big == 18446744073709551616", False),
        ("low == -9223372036854775808", True),
        ("int(count) == 9007199254740993", True),
        ("int(count) == 9007199254740992", False),
        ("int(count) > 9007199254740992.0", True),
        ("9007199254740993 == 9007199254740992.0", False),
        ("one == 1", True),
        ("1 == one", True),
        ("level > 8.5", True),
        ("level < 9.5", True),
        ("-1 > -1.5", True),
        ("-2 < -1.5", True),
        ("ratio < 1", True),
        ("big < 1e300", True),
        ("big > -1e300", True),
        (
            "170141183460469231731687303715884105727 < 170141183460469231731687303715884105728.0",
            True,
        ),
        ("0 == -0.0", True),
        ("0x1F == 31", True),
    ]);
}

#[test]
fn arithmetic_is_exact_and_what_cannot_be_is_unknown() {
    check(&[
        ("level + 1 == 10", True),
        ("level - 10 == -1", True),
        ("level * 2 == 18", True),
        ("level / 2 == 4", True),
        ("-level / 2 == -4", True),
        ("level % 4 == 1", True),
        ("-level % 4 == -1", True),
        ("2 + 3 * 4 == 14", True),
        ("(2 + 3) * 4 == 20", True),
        ("10 - 3 - 2 == 5", True),
        ("big + big > big", True),
        ("level + ratio == 9.5", True),
        ("ratio / 2 == 0.25", True),
        ("level / 0 == 1", Dunno),
        ("level % 0 == 1", Dunno),
        ("ratio / 0 == 1", Dunno),
        ("ratio % 2 == 1", Dunno),
        ("1e308 * 10 > 1", Dunno),
        ("170141183460469231731687303715884105727 + 1 > 0", Dunno),
        ("-170141183460469231731687303715884105727 - 2 < 0", Dunno),
        ("(-170141183460469231731687303715884105727 - 1) / -1 > 0", Dunno),
        ("(-170141183460469231731687303715884105727 - 1) % -1 == 0", Dunno),
        ("-(-170141183460469231731687303715884105727 - 1) > 0", Dunno),
        ("big * big * big > 0", Dunno),
        ("int(1e300) > 0", Dunno),
        ("'a' + 'b' == 'ab'", True),
        ("[1] + [2] == [1, 2]", True),
        ("count + 1 == 2", Dunno),
    ]);
}

#[test]
fn lists_and_objects_are_searched_and_compared_element_by_element() {
    check(&[
        ("2 in list", True),
        ("4 in list", False),
        ("2.0 in list", True),
        ("'a' in mixed", True),
        ("null in mixed", True),
        ("'b' in mixed", Dunno),
        ("level in [8, 9]", True),
        ("level in [8, level]", True),
        ("level in [missing, level]", Dunno),
        ("level in [level, '9']", True),
        ("level in [8, '9', level]", True),
        ("level in [8, '9', ok]", Dunno),
        ("level in []", False),
        ("hash in ['x', 'BLockHash']", True),
        ("'a' in map", True),
        ("'z' in map", False),
        ("'chain_validator' in event.section", True),
        ("list == [1, 2, 3]", True),
        ("list == [1, 2]", False),
        ("list == [1, 2.0, 4]", False),
        ("list != [1, 2, 4]", True),
        ("list == ['1', 2, 4]", False),
        ("list == ['1', 2, 3]", Dunno),
        ("map == map", True),
        ("map == map.b", False),
        ("list == map", Dunno),
        ("self == self", True),
        ("map.b == ops[0]", False),
    ]);
}

#[test]
fn has_tells_a_field_that_is_not_there() {
    check(&[
        ("has(level)", True),
        ("has(missing)", False),
        ("has(nothing)", True),
        ("has(map.a)", True),
        ("has(map.z)", False),
        ("has(map['a'])", True),
        ("has(list[2])", True),
        ("has(list[3])", False),
        ("has(missing.a)", Dunno),
        ("has(level.a)", Dunno),
        ("has(list[missing])", Dunno),
        ("has($level)", True),
        ("has($missing)", False),
        ("has($missing.x)", Dunno),
        ("has(self.event)", True),
        ("has(event.time)", True),
        ("!has(missing) && level == 9", True),
    ]);
}

#[test]
fn strings_are_tested_and_measured_in_characters() {
    check(&[
        ("hash.startsWith('BL')", True),
        ("hash.startsWith('o')", False),
        ("hash.endsWith(\"Hash\")", True),
        ("hash.contains('ock')", True),
        ("hash.contains(empty)", True),
        ("hash.matches('^BL[a-z]+H')", True),
        ("hash.matches('ock')", True),
        ("hash.matches('^ock')", False),
        ("hash.matches(r'\\x42L')", True),
        ("hash.matches(empty)", True),
        ("hash.matches('(' + empty)", Dunno),
        ("hash.size() == 9", True),
        ("size('héé') == 3", True),
        ("size(list) == 3", True),
        ("size(map) == 2", True),
        ("size(level) == 1", Dunno),
        ("string(level) == '9'", True),
        ("string(one) == '1'", True),
        ("string(ok) == 'true'", True),
        ("string(hash) == hash", True),
        ("string(list) == ''", Dunno),
        ("int('12') + 1 == 13", True),
        ("int('1.5') == 1", Dunno),
        ("int(1.9) == 1", True),
        ("int(-1.9) == -1", True),
        ("int(nothing) == 1", Dunno),
        ("double('1.5') == ratio + 1", True),
        ("double('inf') > 1", Dunno),
        ("double('x') > 1", Dunno),
        ("double(level) == 9", True),
    ]);
}

#[test]
fn macros_go_over_lists_and_keys() {
    check(&[
        ("ops.exists(o, o.hash == 'oo2')", True),
        ("ops.exists(o, o.hash == 'oo9')", Dunno),
        ("ops.exists(o, o.n == 9)", False),
        ("ops.all(o, o.n > 0)", True),
        ("ops.all(o, o.n > 1)", False),
        ("ops.all(o, o.hash == 'oo1')", False),
        ("ops.all(o, o.hash != 'oo9')", Dunno),
        ("[].exists(x, x)", False),
        ("[].all(x, x)", True),
        ("ops.filter(o, has(o.hash)).size() == 2", True),
        ("ops.filter(o, o.n > 1)[0].hash == 'oo2'", True),
        ("ops.filter(o, o.hash == 'oo1') == []", Dunno),
        ("ops.map(o, o.n) == [1, 2, 3]", True),
        ("ops.map(o, o.hash) == []", Dunno),
        ("list.all(x, list.exists(y, y >= x))", True),
        ("list.exists(x, list.all(y, x >= y) && x == 3)", True),
        ("list.exists(level, level == 2)", True),
        ("list.exists(level, level == self.level)", False),
        ("list.exists(x, x == level - 8)", True),
        ("list.map(x, list.map(x, x)[0]) == [1, 1, 1]", True),
        ("list.map(x, [x].map(y, x * 10 + y)[0]) == [11, 22, 33]", True),
        ("map.exists(k, k == 'b')", True),
        ("map.all(k, has(map[k]))", True),
        ("event.section.exists(s, s.startsWith('chain'))", True),
        ("self.map(k, k).size() == size(self)", True),
    ]);
}

#[test]
fn the_event_and_variables_are_read() {
    check(&[
        ("event.name == 'head_increment.v0'", True),
        ("event.daemon == 'node'", True),
        ("event.time > 1", True),
        ("event.seq == 7", True),
        ("event.incarnation == 2", True),
        ("event.section[0] == 'node'", True),
        ("event.section == ['node', 'chain_validator']", True),
        ("level == $level", True),
        ("ops[0].hash == $ops[0].hash", True),
    ]);
    let nothing = json!({});
    let outside = Predicate::parse("event.name == 'x'").expect("it parses");
    assert_eq!(outside.test(&Subject::payload(&nothing), &()), Dunno);
    let mut timeless = meta(&[]);
    timeless.time = None;
    let subject = Subject { payload: &nothing, event: Some(timeless) };
    let has_time = |source| Predicate::parse(source).expect("it parses").test(&subject, &());
    assert_eq!(has_time("event.time > 0"), Dunno);
    assert_eq!(has_time("has(event.time)"), False);
}

#[test]
fn a_payload_may_be_a_bare_value() {
    for (source, payload, expected) in [
        ("self == 'BL'", json!("BL"), True),
        ("self > 3", json!(4), True),
        ("self", json!(true), True),
        ("self[1] > 3", json!([1, 4]), True),
        ("self.exists(x, x == 4)", json!([1, 4]), True),
        ("level > 3", json!(4), Dunno),
        ("has(level)", json!(4), Dunno),
        ("self == null", Json::Null, True),
    ] {
        assert_eq!(test_on(source, &payload), expected, "{source} on {payload}");
    }
}

#[test]
fn a_conditional_takes_the_branch_that_its_condition_names() {
    check(&[
        ("ok ? level == 9 : missing", True),
        ("bad ? missing : level == 9", True),
        ("ok ? missing : true", Dunno),
        ("bad ? 1 == 2 : ok ? level == 9 : bad", True),
        ("(level > 5 ? 'high' : 'low') == 'high'", True),
    ]);
}

#[test]
fn an_expression_keeps_the_json_type_of_its_value() {
    for (source, expected) in [
        ("level", json!(9)),
        ("big", json!(u64::MAX)),
        ("ratio", json!(0.5)),
        ("one", json!(1.0)),
        ("hash", json!("BLockHash")),
        ("nothing", Json::Null),
        ("map.b", json!({"c": [10, 20]})),
        ("self", payload()),
        ("level >= 9 && ok", json!(true)),
        ("ops.map(o, [o.n, 'x'])", json!([[1, "x"], [2, "x"], [3, "x"]])),
        ("'a' + string(level)", json!("a9")),
        ("$ops[0].hash", json!("oo1")),
        ("[level, null]", json!([9, null])),
    ] {
        assert_eq!(value_of(source), Ok(expected), "{source}");
    }
}

#[test]
fn an_unknown_value_says_why() {
    for (source, expected) in [
        ("missing", "missing: no such field"),
        ("map.b.x.y", "map.b.x: no such field"),
        ("$nope.x", "$nope: no such variable"),
        ("event.name", "event.name: there is no event here"),
        ("level.x", "level: a number, not an object"),
        ("list[7]", "list[7]: no element 7, there are 3"),
        ("hash + 1", "hash: a string, not a number"),
        ("hash + list", "list: a list, not a string"),
        ("level / 0", "level / 0: division by zero"),
        ("big * big", "big * big: the result is too large"),
        ("count + 1", "count: a string, not a number (use int(count))"),
        ("level > hash", "level > hash: a number and a string do not compare"),
        ("level > 'a'", "level: a number, not a string"),
        ("count >= 3", "count: a string, not a number (use int(count))"),
        ("3 >= hash", "hash: a string, not a number"),
        ("int(hash)", "hash: not the text of an integer"),
        ("size(level)", "level: a number, not a string, a list or an object"),
        ("hash.matches('[' + empty)", "'[' + empty: not a regular expression, or too large a one"),
        ("list.map(x, x.y)", "x: a number, not an object"),
    ] {
        assert_eq!(value_of(source), Err(expected.to_owned()), "{source}");
    }
    let bare = Expression::parse("level").expect("it parses");
    let unknown = bare.evaluate(&Subject::payload(&json!("BL")), &()).expect_err("it is unknown");
    assert_eq!(unknown.to_string(), "level: no such field, the payload is a string");
    assert_eq!(unknown.span, 0..5);
}

#[test]
fn an_evaluation_that_would_take_too_long_is_unknown() {
    let payload = Json::from((0..10_000).collect::<Vec<_>>());
    let nested = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))";
    assert_eq!(test_on(nested, &payload), Dunno);
    let predicate = Predicate::parse(nested).expect("it parses");
    let text = predicate.explain(&Subject::payload(&payload), &()).text();
    assert!(text.ends_with("too much work for one evaluation"), "{text}");
}

#[test]
fn a_value_that_grows_by_sharing_does_not_fill_the_memory() {
    // Each level doubles the string, or the list as JSON, while the tree grows by a constant.
    let doubled = |body: &str| {
        let open = "[".repeat(18);
        let close = format!("].map(x, {body})[0]").repeat(18);
        value_of(&format!("{open}string(hash) + hash + hash + hash{close}"))
    };
    for body in ["x + x + x + x", "[x, x, x, x]"] {
        let error = doubled(body).expect_err("4^18 is too much");
        assert!(error.ends_with("too much work for one evaluation"), "{error}");
    }
    let wide: Vec<_> = (0..4000).collect();
    let payload = Json::from(wide);
    let copies = Expression::parse("self.map(x, self)").expect("it parses");
    assert!(copies.evaluate(&Subject::payload(&payload), &()).is_err(), "16 million elements");
}
