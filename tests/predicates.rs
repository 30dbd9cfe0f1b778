//! The predicate evaluator against the `cel` crate, an implementation of the same language by others, on what the two share.
//!
//! Not shared, and not generated here: equality of values of different types, unsigned integers, overflow, missing fields,
//! division of floats, arithmetic that mixes integers and floats.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::parser::PrattParser;
use cel::{Context, Env, ExecutionError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value as Json, json};
use tribunal::predicate::{Expression, Predicate, Subject, Truth};

fn pick(words: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(words).prop_map(str::to_owned).boxed()
}

/// `a op b op c`, without brackets, so that precedence and association are compared too.
fn chain(operand: BoxedStrategy<String>, ops: &'static [&'static str]) -> BoxedStrategy<String> {
    let tail = prop::collection::vec((prop::sample::select(ops), operand.clone()), 1..4);
    (operand, tail)
        .prop_map(|(first, tail)| {
            tail.into_iter().fold(first, |chain, (op, next)| format!("{chain} {op} {next}"))
        })
        .boxed()
}

fn bracketed(inner: BoxedStrategy<String>) -> BoxedStrategy<String> {
    inner.prop_map(|inner| format!("({inner})")).boxed()
}

fn conditional(depth: u32, value: fn(u32) -> BoxedStrategy<String>) -> BoxedStrategy<String> {
    (boolean(depth), value(depth), value(depth))
        .prop_map(|(condition, then, otherwise)| format!("({condition} ? {then} : {otherwise})"))
        .boxed()
}

fn integer(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        4 => pick(&["i", "j", "k", "m.a", "self.i", "m[\"a\"]", "l[0]", "$v"]),
        2 => (-20..20_i64).prop_map(|n| n.to_string()),
        1 => pick(&["l[7]", "0x10", "r[1].n"]),
    ]
    .boxed();
    if depth == 0 {
        return leaf;
    }
    let smaller = || integer(depth - 1);
    prop_oneof![
        3 => leaf,
        3 => bracketed(chain(smaller(), &["+", "-", "*", "/", "%"])),
        1 => conditional(depth - 1, integer),
        1 => smaller().prop_map(|n| format!("-({n})")),
        1 => text(depth - 1).prop_map(|s| format!("size({s})")),
        1 => list(depth - 1).prop_map(|l| format!("{l}.size()")),
        1 => pick(&["size(m)", "int('12')", "int('-7')", "int('x')", "int(f)", "int(2.9)", "int(-2.9)"]),
        1 => smaller().prop_map(|n| format!("int(string({n}))")),
    ]
    .boxed()
}

fn float(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        pick(&["f", "g", "-f", "m.f", "double(i)", "double('2.5')"]),
        (-8..8_i32).prop_map(|n| format!("{:?}", f64::from(n) / 4.0)),
    ]
    .boxed();
    if depth == 0 {
        return leaf;
    }
    prop_oneof![
        3 => leaf,
        1 => bracketed(chain(float(depth - 1), &["+", "-", "*"])),
        1 => conditional(depth - 1, float),
    ]
    .boxed()
}

fn text(depth: u32) -> BoxedStrategy<String> {
    let leaf = pick(&[
        "s",
        "t",
        "m.b",
        "self.s",
        "r[0].s",
        "'ab'",
        "\"b\"",
        "''",
        "r'\\d'",
        "'é\\u00e9'",
        "'a\\tb'",
        "'''x'y'''",
    ]);
    if depth == 0 {
        return leaf;
    }
    prop_oneof![
        3 => leaf,
        1 => bracketed(chain(text(depth - 1), &["+"])),
        1 => conditional(depth - 1, text),
        1 => integer(depth - 1).prop_map(|n| format!("string({n})")),
        1 => pick(&["string(f)", "string(p)", "string(s)"]),
    ]
    .boxed()
}

/// A list of integers.
fn list(depth: u32) -> BoxedStrategy<String> {
    let literal = prop::collection::vec(integer(0), 0..4);
    let literal = literal.prop_map(|items| format!("[{}]", items.join(", ")));
    if depth == 0 {
        return prop_oneof![Just("l".to_owned()), literal].boxed();
    }
    prop_oneof![
        2 => Just("l".to_owned()),
        2 => literal,
        1 => (list(depth - 1), list(depth - 1)).prop_map(|(a, b)| format!("({a} + {b})")),
        1 => (list(depth - 1), over_element()).prop_map(|(l, p)| format!("{l}.filter(x, {p})")),
        1 => (list(depth - 1), pick(&["x", "x + 1", "x * i", "i", "x / j"]))
            .prop_map(|(l, e)| format!("{l}.map(x, {e})")),
        1 => pick(&["r.map(o, o.n)", "r.filter(o, o.n > i).map(o, o.n)", "l.map(i, i * 2)"]),
    ]
    .boxed()
}

/// A condition on the element `x` of a list of integers.
fn over_element() -> BoxedStrategy<String> {
    pick(&[
        "x > 0",
        "x == i",
        "x % 2 == 0",
        "x in l",
        "x < i && x > j",
        "1 / x > 0",
        "l.exists(y, y > x)",
        "l.all(y, y >= x)",
        "!(x > 1) || p",
        "l.exists(x, x == i)",
    ])
}

fn boolean(depth: u32) -> BoxedStrategy<String> {
    const EQUALITY: &[&str] = &["==", "!="];
    const ORDER: &[&str] = &["==", "!=", "<", "<=", ">", ">="];
    let leaf = pick(&[
        "p",
        "q",
        "true",
        "false",
        "m.c",
        "has(m.a)",
        "has(m.nope)",
        "z == null",
        "i == null",
        "null != s",
    ]);
    if depth == 0 {
        return leaf;
    }
    let compared = |ops: &'static [&'static str], value: fn(u32) -> BoxedStrategy<String>| {
        (value(depth - 1), prop::sample::select(ops), value(depth - 1))
            .prop_map(|(left, op, right)| format!("{left} {op} {right}"))
    };
    let flat_sums =
        (chain(integer(0), &["+", "-", "*", "/", "%"]), prop::sample::select(ORDER), integer(0));
    let in_list = (integer(depth - 1), list(depth - 1));
    let quantified = (list(depth - 1), pick(&["exists", "all"]), over_element());
    let tested = (text(depth - 1), pick(&["startsWith", "endsWith", "contains"]), text(0));
    let pattern = pick(&["a", "^a", "b$", "[a-c]+", "^\\\\d+$", "(a|b){2}", "é"]);
    prop_oneof![
        2 => leaf,
        3 => compared(ORDER, integer),
        2 => flat_sums.prop_map(|(left, op, right)| format!("{left} {op} {right}")),
        2 => compared(ORDER, float),
        1 => (integer(0), prop::sample::select(ORDER), float(0)).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => compared(ORDER, text),
        1 => compared(EQUALITY, list),
        2 => bracketed(chain(boolean(depth - 1), &["&&", "||"])),
        1 => boolean(depth - 1).prop_map(|b| format!("!({b})")),
        1 => conditional(depth - 1, boolean),
        1 => in_list.prop_map(|(n, l)| format!("{n} in {l}")),
        1 => (text(0), pick(&["m", "['a', 'b']", "[s, t]"])).prop_map(|(s, m)| format!("{s} in {m}")),
        2 => quantified.prop_map(|(l, kind, p)| format!("{l}.{kind}(x, {p})")),
        1 => pick(&["r.exists(o, o.n == i)", "r.all(o, o.s != t)", "m.exists(key, key == 'a')"]),
        1 => tested.prop_map(|(s, test, part)| format!("{s}.{test}({part})")),
        1 => (text(depth - 1), pattern).prop_map(|(s, p)| format!("{s}.matches('{p}')")),
    ]
    .boxed()
}

fn payload() -> impl Strategy<Value = Json> {
    let small = -10..10_i64;
    let quarter = || (-8..8_i32).prop_map(|n| f64::from(n) / 4.0);
    let word = || prop::sample::select(&["", "a", "ab", "b", "é", "7", "abc"][..]);
    let object = (small.clone(), word()).prop_map(|(n, s)| json!({"n": n, "s": s}));
    (
        (small.clone(), small.clone(), small.clone(), quarter(), quarter()),
        (word(), word(), any::<bool>(), any::<bool>()),
        prop::collection::vec(small, 0..4),
        prop::collection::vec(object, 0..3),
    )
        .prop_map(|((i, j, k, f, g), (s, t, p, q), l, r)| {
            json!({
                "i": i, "j": j, "k": k, "f": f, "g": g, "s": s, "t": t, "p": p, "q": q, "z": null,
                "l": l, "r": r, "m": {"a": j, "b": t, "c": p, "f": g}
            })
        })
}

/// Integers become CEL's `int`; on its own, the crate would make `uint` of them, which does not mix with `int`.
fn to_cel(json: &Json) -> cel::Value {
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(value) => cel::Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(int) => cel::Value::Int(int),
            None => cel::Value::Float(number.as_f64().expect("a float")),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(list) => list.iter().map(to_cel).collect::<Vec<_>>().into(),
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), to_cel(value)))
            .collect::<HashMap<_, _>>()
            .into(),
    }
}

fn by_cel(source: &str, payload: &Json, env: &Arc<Env>) -> Result<cel::Value, ExecutionError> {
    let mut context = Context::with_env(env.clone());
    for (name, value) in payload.as_object().expect("the payload is an object") {
        context.add_variable_from_value(name.as_str(), to_cel(value));
    }
    context.add_variable_from_value("self", to_cel(payload));
    context.add_variable_from_value("v", cel::Value::Int(3));
    // CEL has no dollar; the name is free there.
    let source = source.replace("$v", "v");
    let parsed = PrattParser::new().max_recursion_depth(64).parse(&source);
    let parsed = parsed.unwrap_or_else(|error| panic!("cel refuses {source}: {error}"));
    cel::Value::resolve(&parsed, &context)
}

fn variables() -> BTreeMap<String, Json> {
    BTreeMap::from([("v".to_owned(), json!(3))])
}

/// Runs on a stack of its own: the other evaluator's recursion takes much of it in a debug build.
fn check<S>(
    strategy: impl Fn() -> S + Send + 'static,
    test: fn(&S::Value, &Arc<Env>) -> Result<(), TestCaseError>,
) where
    S: Strategy,
    S::Value: 'static,
{
    let run = move || {
        let env = Arc::new(Env::stdlib());
        let mut runner =
            TestRunner::new(Config { cases: 1500, failure_persistence: None, ..Config::default() });
        if let Err(error) = runner.run(&strategy(), |input| test(&input, &env)) {
            panic!("{error}");
        }
    };
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(run);
    thread.expect("a thread can be made").join().expect("the two agree");
}

#[test]
fn predicates_agree_with_another_implementation_of_cel() {
    check(
        || (boolean(3), payload()),
        |(source, payload), env| {
            let predicate = Predicate::parse(source);
            prop_assert!(predicate.is_ok(), "{}: {:?}", source, predicate);
            let predicate = predicate.expect("checked above");
            let ours = predicate.test(&Subject::payload(payload), &variables());
            let printed = Predicate::parse(&predicate.to_string());
            prop_assert_eq!(printed.as_ref(), Ok(&predicate));
            match by_cel(source, payload, env) {
                Ok(cel::Value::Bool(holds)) => {
                    prop_assert_eq!(ours, Truth::from(holds), "{}", source);
                }
                Ok(other) => prop_assert!(false, "{} is {:?} for cel", source, other),
                Err(ExecutionError::Overflow { .. }) => {}
                Err(error) => {
                    prop_assert_eq!(ours, Truth::Unknown, "{}: cel says {}", source, error);
                }
            }
            Ok(())
        },
    );
}

#[test]
fn values_agree_with_another_implementation_of_cel() {
    check(
        || (prop_oneof![integer(3), text(3), list(3), float(3)], payload()),
        |(source, payload), env| {
            let expression = Expression::parse(source);
            prop_assert!(expression.is_ok(), "{}: {:?}", source, expression);
            let ours = expression
                .expect("checked above")
                .evaluate(&Subject::payload(payload), &variables())
                .map(|value| to_cel(&value));
            match by_cel(source, payload, env) {
                Ok(theirs) => prop_assert_eq!(ours, Ok(theirs), "{}", source),
                Err(ExecutionError::Overflow { .. }) => {}
                Err(error) => {
                    prop_assert!(ours.is_err(), "{}: {:?}, cel says {}", source, ours, error);
                }
            }
            Ok(())
        },
    );
}

/// JSON of any shape under the names that the generated sources read, the extremes of numbers included.
fn odd_payload() -> impl Strategy<Value = Json> {
    let numbers =
        [json!(i64::MIN), json!(u64::MAX), json!(f64::MAX), json!(f64::MIN_POSITIVE), json!(0)];
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        prop::sample::select(numbers.to_vec()),
        any::<f64>().prop_map(Json::from),
        ".{0,3}".prop_map(Json::from),
    ];
    let names =
        || prop::sample::select(&["i", "j", "f", "s", "p", "l", "r", "m", "n", "a", "b"][..]);
    let value = scalar.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((names(), inner), 0..4).prop_map(|fields| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    });
    let object = prop::collection::vec((names(), value.clone()), 0..11).prop_map(|fields| {
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    });
    prop_oneof![1 => value, 4 => object]
}

#[test]
fn any_predicate_on_any_payload_ends_in_an_answer_that_is_explained() {
    check(
        || (prop::collection::vec(boolean(3), 1..4), odd_payload()),
        |(clauses, payload), _| {
            let source = clauses.join(" && ");
            let predicate = Predicate::parse(&source).expect("what is generated parses");
            let subject = Subject::payload(payload);
            let truth = predicate.test(&subject, &());
            let explanation = predicate.explain(&subject, &());
            prop_assert_eq!(explanation.truth, truth);
            let all_true = explanation.clauses_true() == explanation.clauses.len();
            prop_assert_eq!(all_true, truth.is_true(), "{}", explanation.text());
            let one_false = explanation.clauses.iter().any(|clause| clause.truth == Truth::False);
            prop_assert_eq!(one_false, truth == Truth::False, "{}", explanation.text());
            prop_assert!(explanation.clauses.iter().all(|clause| !clause.text.is_empty()));
            Ok(())
        },
    );
}

#[test]
fn any_expression_on_any_payload_ends_in_a_value_or_a_reason() {
    check(
        || (prop_oneof![integer(3), text(3), list(3), float(3)], odd_payload()),
        |(source, payload), _| {
            let expression = Expression::parse(source).expect("what is generated parses");
            if let Err(unknown) = expression.evaluate(&Subject::payload(payload), &()) {
                prop_assert!(source.get(unknown.span.clone()).is_some());
                prop_assert!(!unknown.to_string().is_empty());
            }
            Ok(())
        },
    );
}
