use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::predicate::{Comparison, Constant, Predicate, Subject, Truth};

fn variables() -> BTreeMap<String, Json> {
    BTreeMap::from([
        ("tip".to_owned(), json!("BL")),
        ("ops".to_owned(), json!([{"n": 3}])),
        ("level".to_owned(), json!(2.0)),
    ])
}

fn comparison(source: &str) -> Option<Comparison> {
    let predicate = Predicate::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    predicate.comparison(&variables())
}

#[test]
fn the_first_comparison_of_a_field_with_a_constant_is_data() {
    for (source, path, op, constant, whole) in [
        ("level >= 10", ".level", "Ge", "Int(10)", true),
        ("10 <= level", ".level", "Ge", "Int(10)", true),
        ("10 > level", ".level", "Lt", "Int(10)", true),
        ("level == 2.0", ".level", "Eq", "Int(2)", true),
        ("level < 2.5", ".level", "Lt", "Float(2.5)", true),
        ("level < 1 + 2 * 3", ".level", "Lt", "Int(7)", true),
        ("self == \"BL\"", "", "Eq", "Str(\"BL\")", true),
        ("a.b[1] == null", ".a.b[1]", "Eq", "Null", true),
        ("ok", ".ok", "Eq", "Bool(true)", true),
        ("!ok", ".ok", "Eq", "Bool(false)", true),
        ("hash == $tip", ".hash", "Eq", "Str(\"BL\")", true),
        ("$ops[0].n < level", ".level", "Gt", "Int(3)", true),
        ("level > $level", ".level", "Gt", "Int(2)", true),
        ("has(a) && level >= 10", ".level", "Ge", "Int(10)", false),
        ("(has(a) && level >= 10) && b == 1", ".level", "Ge", "Int(10)", false),
        ("level != 3 && level > 1", ".level", "Gt", "Int(1)", false),
        ("hash == $missing && level > 1", ".level", "Gt", "Int(1)", false),
    ] {
        let found = comparison(source).unwrap_or_else(|| panic!("{source}: there is one"));
        let shown: String = found.path.iter().map(ToString::to_string).collect();
        assert_eq!(
            (shown.as_str(), format!("{:?}", found.op).as_str(), found.whole),
            (path, op, whole),
            "{source}"
        );
        assert_eq!(format!("{:?}", found.constant), constant, "{source}");
    }
}

#[test]
fn what_is_no_necessary_comparison_is_none() {
    for source in [
        "level != 10",
        "level >= 10 || ok",
        "level >= other",
        "level >= event.seq",
        "event.seq >= 10",
        "level + 1 >= 10",
        "level >= $missing",
        "list == [1]",
        "list[i] == 1",
        "hash.startsWith('o')",
        "level >= 1 / 0",
        "ops.exists(o, o == 1)",
        "!(level >= 10)",
        "level in [1, 2]",
        "1 == 1",
    ] {
        assert_eq!(comparison(source), None, "{source}");
    }
}

#[test]
fn a_field_is_found_along_its_path() {
    let found = comparison("a.b[1].c > 1").expect("it compares");
    assert_eq!(found.field(&json!({"a": {"b": [0, {"c": 5}]}})), Some(&json!(5)));
    assert_eq!(found.field(&json!({"a": {"b": [0]}})), None);
    assert_eq!(found.field(&json!({"a": {"b": {"1": 2}}})), None);
    assert_eq!(found.field(&json!(3)), None);
}

#[test]
fn constants_of_equal_value_are_one_key() {
    let of = |value: Json| Constant::of(&value).expect("it is a scalar");
    let keys: HashSet<_> = [json!(3), json!(3.0), json!("3"), json!(true), json!(0.0), json!(-0.0)]
        .into_iter()
        .map(of)
        .collect();
    assert_eq!(keys.len(), 4, "3 is 3.0, 0.0 is -0.0: {keys:?}");
    assert_eq!(Constant::of(&json!([1])), None);
    assert_eq!(Constant::of(&json!({})), None);
}

#[test]
fn a_value_is_ordered_against_a_constant() {
    let ten = Constant::Int(10);
    assert_eq!(ten.order_of(&json!(9)), Some(Ordering::Less));
    assert_eq!(ten.order_of(&json!(10.0)), Some(Ordering::Equal));
    assert_eq!(ten.order_of(&json!(10.5)), Some(Ordering::Greater));
    assert_eq!(ten.order_of(&json!("10")), None);
    assert!(ten < Constant::Float(10.5));
    assert_eq!(ten.partial_cmp(&Constant::Str("10".to_owned())), None);
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-3..4_i64).prop_map(Json::from),
        (-3..4_i32).prop_map(|n| Json::from(f64::from(n) / 2.0)),
        prop::sample::select(vec!["", "a", "b", "2"]).prop_map(Json::from),
    ]
}

fn clause() -> impl Strategy<Value = String> {
    let op = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let field = prop::sample::select(vec!["a", "b"]);
    prop_oneof![
        (field.clone(), op.clone(), scalar()).prop_map(|(f, op, c)| format!("{f} {op} {c}")),
        (scalar(), op, field.clone()).prop_map(|(c, op, f)| format!("{c} {op} {f}")),
        field.clone().prop_map(|f| format!("has({f})")),
        field.prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn a_predicate_holds_only_where_its_comparison_does(
        clauses in prop::collection::vec(clause(), 1..4),
        a in prop::option::of(scalar()),
        b in prop::option::of(scalar()),
    ) {
        let source = clauses.join(" && ");
        let predicate = Predicate::parse(&source).expect("it parses");
        let Some(comparison) = predicate.comparison(&()) else { return Ok(()) };
        let fields = [("a", a), ("b", b)].into_iter();
        let payload: Json = fields.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let truth = predicate.test(&Subject::payload(&payload), &());
        let field = comparison.field(&payload);
        let compared = field.map_or(Truth::Unknown, |field| comparison.test(field));
        if comparison.whole {
            prop_assert_eq!(compared.is_true(), truth.is_true());
        } else if truth.is_true() {
            prop_assert_eq!(compared, Truth::True);
        }
        let key = field.and_then(Constant::of);
        if comparison.op == crate::predicate::ComparisonOp::Eq {
            prop_assert_eq!(key.as_ref() == Some(&comparison.constant), compared.is_true());
        }
    }
}
