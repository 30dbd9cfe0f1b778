use proptest::prelude::*;

use crate::predicate::ast::{
    ArithmeticOp, CompareOp, Convert, EventField, Expr, Literal, Macro, Node, Pattern, TextTest,
};
use crate::predicate::call::regex;
use crate::predicate::error::Span;
use crate::predicate::{Expression, Predicate};

#[test]
fn the_canonical_form_has_no_needless_bracket_and_parses_to_the_same() {
    for (source, expected) in [
        ("level>=10", "level >= 10"),
        ("((a)) && ((b || c))", "a && (b || c)"),
        ("a && (b && c)", "a && (b && c)"),
        ("(a && b) || c", "a && b || c"),
        ("!(a)", "!a"),
        ("!(a && b)", "!(a && b)"),
        ("!!a", "!!a"),
        ("(a == b) == c", "(a == b) == c"),
        ("-(-5) == 5", "5 == 5"),
        ("- 5 == -x - -5", "-5 == -x - -5"),
        ("(1 + 2) * 3 - (4 - 5) == 6 / (7 * 8)", "(1 + 2) * 3 - (4 - 5) == 6 / (7 * 8)"),
        ("a ? b : c ? d : e", "a ? b : c ? d : e"),
        ("(a ? b : c) ? d : e", "(a ? b : c) ? d : e"),
        ("a ? (b ? c : d) : e", "a ? (b ? c : d) : e"),
        ("self.a['b c'].d[0]['in'].package == 1", "a[\"b c\"].d[0][\"in\"].package == 1"),
        ("self['package'] == self.event", "self.package == self.event"),
        ("self['x'] == self['a-b']", "x == self[\"a-b\"]"),
        ("x.size() == size(y)", "size(x) == size(y)"),
        (r#"'say "hi"\n\x01' == "\\""#, r#""say \"hi\"\n\u0001" == "\\""#),
        ("1e21 == 1.0 && 1.5e-7 == x", "1e21 == 1.0 && 1.5e-7 == x"),
        ("l.exists(x, x == self.x)", "l.exists(x, x == self.x)"),
        ("l.exists(x, l.map(y, x) == [])", "l.exists(x, l.map(y, x) == [])"),
        ("x in [1, 2,]", "x in [1, 2]"),
        ("(5).a == (-5).a", "(5).a == (-5).a"),
        ("hash.matches(r'^o\\d')", "hash.matches(\"^o\\\\d\")"),
    ] {
        let predicate = Predicate::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        assert_eq!(predicate.to_string(), expected, "{source}");
        assert_eq!(Predicate::parse(expected), Ok(predicate), "{source}");
    }
}

fn expr(node: Node) -> Expr {
    Expr::new(node, Span { start: 0, end: 0 })
}

fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

fn text() -> impl Strategy<Value = Box<str>> {
    prop_oneof!["[a-z]{1,3}", ".{0,4}"].prop_map(Into::into)
}

fn field() -> impl Strategy<Value = Box<str>> {
    let odd = ["in", "package", "self", "event", "fd-sink-item.v0", "", "a b", "x0", "as", "é"];
    prop_oneof![
        "[a-z_][a-z0-9_]{0,3}".prop_map(Into::into),
        prop::sample::select(odd.to_vec()).prop_map(Into::into),
        text(),
    ]
}

fn leaf() -> impl Strategy<Value = Expr> {
    let literal = prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Bool),
        any::<i64>().prop_map(|n| Literal::Int(n.into())),
        (-i128::MAX..i128::MAX).prop_map(Literal::Int),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Literal::Float),
        text().prop_map(Literal::Str),
    ];
    prop_oneof![
        literal.prop_map(Node::Literal),
        Just(Node::Payload),
        prop::sample::select(EventField::ALL.to_vec()).prop_map(Node::Event),
        "[a-z_][a-zA-Z0-9_]{0,3}".prop_map(|name| Node::Variable(name.into())),
        field().prop_map(|field| Node::Member { base: boxed(expr(Node::Payload)), field }),
    ]
    .prop_map(expr)
}

/// An expression that the parser takes where it wants a boolean.
fn condition(value: Expr) -> Expr {
    let null = boxed(expr(Node::Literal(Literal::Null)));
    match value.node {
        Node::Literal(Literal::Bool(_))
        | Node::Member { .. }
        | Node::Compare { .. }
        | Node::Has(_)
        | Node::And(_) => value,
        _ => expr(Node::Compare { op: CompareOp::Ne, left: boxed(value), right: null }),
    }
}

/// Whatever `field` reads of the payload becomes the element of the macro.
fn bind(body: Expr, name: &str, up: usize) -> Expr {
    let rebind = |expr: Box<Expr>| Box::new(bind(*expr, name, up));
    let rebind_all =
        |items: Vec<Expr>| items.into_iter().map(|item| bind(item, name, up)).collect();
    let node = match body.node {
        Node::Member { base, .. } if base.node == Node::Payload => {
            Node::Bound { name: name.into(), up }
        }
        Node::Macro { kind, list, name: inner, body } => {
            // An inner macro of the same name would hide the outer one.
            let shift = usize::from(*inner != *name);
            let body = if shift == 1 { Box::new(bind(*body, name, up + 1)) } else { body };
            Node::Macro { kind, list: rebind(list), name: inner, body }
        }
        Node::And(items) => Node::And(rebind_all(items)),
        Node::List { items, .. } => Node::list(rebind_all(items)),
        Node::Compare { op, left, right } => {
            Node::Compare { op, left: rebind(left), right: rebind(right) }
        }
        Node::Arithmetic { op, left, right } => {
            Node::Arithmetic { op, left: rebind(left), right: rebind(right) }
        }
        other => other,
    };
    expr(node)
}

fn negate(inner: Expr) -> Node {
    match inner.node {
        // The parser makes these one literal.
        Node::Literal(Literal::Int(_) | Literal::Float(_)) => Node::Not(boxed(condition(inner))),
        _ => Node::Negate(boxed(inner)),
    }
}

fn index(base: Expr, index: Expr) -> Node {
    let base = boxed(base);
    match index.node {
        Node::Literal(Literal::Str(field)) => Node::Member { base, field },
        _ => Node::Index { base, index: boxed(index) },
    }
}

fn matches(text: Expr, pattern: Expr) -> Node {
    let compiled = match &pattern.node {
        Node::Literal(Literal::Str(source)) => match regex(source) {
            Ok(regex) => Some(Pattern(regex)),
            Err(_) => return Node::Has(boxed(place("bad".into()))),
        },
        Node::Literal(_) => return Node::Has(boxed(place("bad".into()))),
        _ => None,
    };
    Node::Matches { text: boxed(text), pattern: boxed(pattern), regex: compiled }
}

fn place(field: Box<str>) -> Expr {
    expr(Node::Member { base: boxed(expr(Node::Payload)), field })
}

fn text_test(function: TextTest, text: Expr, argument: Expr) -> Node {
    let argument = match argument.node {
        Node::Literal(Literal::Str(_)) => argument,
        Node::Literal(_) => place("part".into()),
        _ => argument,
    };
    Node::TextTest { function, text: boxed(text), argument: boxed(argument) }
}

fn tree() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(6, 48, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let some = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            (inner.clone(), field())
                .prop_map(|(base, field)| Node::Member { base: boxed(base), field }),
            two.clone().prop_map(|(base, at)| index(base, at)),
            inner.clone().prop_map(|e| Node::Not(boxed(condition(e)))),
            inner.clone().prop_map(negate),
            some.clone().prop_map(|items| Node::And(items.into_iter().map(condition).collect())),
            some.clone().prop_map(|items| Node::Or(items.into_iter().map(condition).collect())),
            some.prop_map(Node::list),
            (prop::sample::select(CompareOp::ALL.to_vec()), two.clone()).prop_map(
                |(op, (left, right))| Node::Compare { op, left: boxed(left), right: boxed(right) }
            ),
            two.clone().prop_map(|(item, container)| Node::In {
                item: boxed(item),
                container: boxed(container)
            }),
            (prop::sample::select(ArithmeticOp::ALL.to_vec()), two.clone()).prop_map(
                |(op, (left, right))| {
                    Node::Arithmetic { op, left: boxed(left), right: boxed(right) }
                }
            ),
            (two.clone(), inner.clone()).prop_map(|((condition_, then), otherwise)| {
                Node::Conditional {
                    condition: boxed(condition(condition_)),
                    then: boxed(then),
                    otherwise: boxed(otherwise),
                }
            }),
            field().prop_map(|field| Node::Has(boxed(place(field)))),
            (prop::sample::select(Convert::ALL.to_vec()), inner.clone()).prop_map(
                |(function, argument)| Node::Convert { function, argument: boxed(argument) }
            ),
            (prop::sample::select(TextTest::ALL.to_vec()), two.clone())
                .prop_map(|(function, (text, argument))| text_test(function, text, argument)),
            two.clone().prop_map(|(text, pattern)| matches(text, pattern)),
            (prop::sample::select(Macro::ALL.to_vec()), two, "[xyz]").prop_map(
                |(kind, (list, body), name)| {
                    let body = if kind == Macro::Map { body } else { condition(body) };
                    let body = boxed(bind(body, &name, 0));
                    Node::Macro { kind, list: boxed(list), name: name.into(), body }
                }
            ),
        ]
        .prop_map(expr)
    })
}

proptest! {
    #[test]
    fn every_tree_prints_as_a_source_that_parses_back_to_it(tree in tree()) {
        let printed = tree.to_string();
        let parsed = Expression::parse(&printed);
        prop_assert!(parsed.is_ok(), "{}: {:?}", printed, parsed);
        let parsed = parsed.expect("checked above");
        prop_assert!(parsed.0.root == tree, "{} became {}", printed, parsed);
        prop_assert_eq!(parsed.to_string(), printed);
    }
}
