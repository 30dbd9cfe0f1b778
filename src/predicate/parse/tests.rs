use proptest::prelude::*;

use crate::predicate::{Expression, MAX_DEPTH, MAX_SOURCE_BYTES, ParseError, Predicate};

fn error(source: &str) -> ParseError {
    match Predicate::parse(source) {
        Ok(predicate) => panic!("{source} parsed as {predicate}"),
        Err(error) => error,
    }
}

#[test]
fn an_error_points_at_its_place_and_says_what_would_be_right() {
    for (source, place, message) in [
        ("", "", "there is no expression"),
        ("  // nothing", "", "there is no expression"),
        ("level = 10", "=", "`=` is not known here; write `==`"),
        ("level === 10", "===", "`===` is not known here; write `==`"),
        ("level <> 10", "<>", "`<>` is not known here; write `!=`"),
        ("level => 10", "=>", "`=>` is not known here; write `>=`"),
        ("hash =~ 'x'", "=~", "`=~` is not known here; write `text.matches(\"regex\")`"),
        ("a and b", "and", "`and` is no operator; write `&&`"),
        ("(a and b)", "and", "`and` is no operator; write `&&`"),
        ("a or b", "or", "`or` is no operator; write `||`"),
        ("not a", "not", "`not` is no operator; write `!`"),
        ("not(a)", "not", "there is no function `not`; write `!(…)`"),
        ("a not in b", "not", "`not` is no operator; write `!` in front: `!(x in list)`"),
        ("a is b", "is", "`is` is no operator; write `==`"),
        ("a & b", "&", "`&` is not known here; write `&&`"),
        ("a | b", "|", "`|` is not known here; write `||`"),
        (
            "hash contains 'x'",
            "contains",
            "`contains` is no operator; write `text.contains(\"…\")`",
        ),
        ("a == 'x", "'x", "this string has no end; close it with `'`"),
        ("a == \"x\ny\"", "\"x", "this string has no end; close it with `\"`"),
        ("'", "'", "this string has no end; close it with `'`"),
        (
            r"a == '\q'",
            r"\q",
            "`\\q` is no escape sequence; write `\\\\` for a backslash, or a raw string: `r\"…\"`",
        ),
        (r"a == '\u12'", r"\u12", "this escape sequence needs 4 digits that name a character"),
        (r"a == '\uD800'", r"\uD800", "this escape sequence needs 4 digits that name a character"),
        ("a == b'x'", "b", "bytes are not JSON; leave out the `b`"),
        (
            "a == 5u",
            "5u",
            "`5u` is neither a number nor a name; write it without the `u`, integers have no separate unsigned type",
        ),
        ("a > 10ms", "10ms", "`10ms` is neither a number nor a name"),
        ("a > 1.", "1.", "a digit is missing after the point; write `1.0`"),
        (
            "a > .5",
            ".",
            "a value is missing before `.`; write `0.5`, or the name that the dot belongs to",
        ),
        ("a > 1e999", "1e999", "this number is too large"),
        ("a > 0x", "0x", "`0x` without digits"),
        (
            "a > 170141183460469231731687303715884105728",
            "170141183460469231731687303715884105728",
            "this number is too large",
        ),
        ("level >=", "", "something is missing after `>=`; an expression is such as `level >= 4`"),
        ("level >= && a", "&&", "a value is missing before `&&`"),
        ("level >= 1 2", "2", "an operator is missing before `2`"),
        ("hash 'x'", "'x'", "an operator is missing before `'x'`"),
        ("a < b < c", "<", "comparisons do not chain; write `a < b && b < c`, or brackets"),
        ("(a", "(", "this `(` has no `)`"),
        ("a)", ")", "nothing is open for this `)`"),
        ("a[0", "[", "this `[` has no `]`"),
        ("a == [1, 2", "[", "this `[` has no `]`"),
        ("a == {}", "{", "`{` is not known here; objects cannot be written here, only lists"),
        ("a.", ".", "a field is missing after the dot"),
        ("a.0 == 1", "0", "an operator is missing before `0`; write `[0]`"),
        (
            "a.in == 1",
            "in",
            "`in` is a word of CEL; write the field as `[\"in\"]`, without the dot",
        ),
        (
            "package == 1",
            "package",
            "`package` is a reserved word of CEL; write the field as `self[\"package\"]`",
        ),
        ("in == 1", "in", "a value is missing before `in`"),
        ("a ? b", "?", "this `?` has no `:`"),
        (
            "startsWith(hash, 'x')",
            "startsWith",
            "`startsWith` is not called like this; write `text.startsWith(prefix)`",
        ),
        ("hash.int() == 1", "int", "`int` is not called like this; write `int(x)`"),
        (
            "hash.startWith('x')",
            "startWith",
            "there is no function `startWith`; did you mean `startsWith`?",
        ),
        (
            "hash.startsWidth('x')",
            "startsWidth",
            "there is no function `startsWidth`; did you mean `startsWith`?",
        ),
        ("len(a) == 1", "len", "there is no function `len`; write `size(x)`"),
        (
            "hash.startsWith()",
            "startsWith()",
            "`startsWith` takes one argument, not 0; write `text.startsWith(prefix)`",
        ),
        (
            "hash.startsWith('a', 'b')",
            "startsWith('a', 'b')",
            "`startsWith` takes one argument, not 2; write `text.startsWith(prefix)`",
        ),
        ("hash.startsWith(5)", "5", "`startsWith` takes a string"),
        ("size() == 1", "size()", "`size` takes one argument, not 0; write `size(x)`"),
        ("a.size(1) == 1", "size(1)", "`size` takes no argument, not 1; write `size(x)`"),
        ("has(1)", "1", "`has` asks for a field; write `has(a.b)`"),
        ("has(a == 1)", "a == 1", "`has` asks for a field; write `has(a.b)`"),
        (
            "a.exists(x)",
            "exists",
            "`exists` takes a name and an expression; write `list.exists(x, condition)`",
        ),
        (
            "a.exists(1, x)",
            "exists",
            "`exists` takes a name and an expression; write `list.exists(x, condition)`",
        ),
        (
            "a.map(x, y, z) == []",
            "map",
            "`map` takes a name and an expression; write `list.map(x, value)`",
        ),
        (
            "a.exists(self, true)",
            "self",
            "`self` has a meaning of its own; give the element another name",
        ),
        ("hash.matches('(')", "'('", "not a regular expression: unclosed group"),
        (
            "hash.matches('(\\\\w{200}){200}')",
            "'(\\\\w{200}){200}'",
            "this regular expression is too large",
        ),
        (
            "event == 1",
            "event",
            "`event` alone is no value; write `event.name` or the like; a field of the payload with that name is `self.event`",
        ),
        (
            "event.level == 1",
            "level",
            "`event` has no `level`; it has name, daemon, time, section, seq, incarnation; a field of the payload with that name is `self.event`",
        ),
        ("$ == 1", "$", "`$` without a name; write a variable as `$name`"),
        ("${x} == 1", "$", "`$` without a name; write a variable as `$name`"),
        (
            "größe == 1",
            "ö",
            "`ö` is not known here; names are ASCII letters, digits and `_`; any other field is `self[\"name\"]`",
        ),
        ("a == “x”", "“", "`“` is not known here; write `\"`"),
        ("a == \u{1b}", "\u{1b}", "`\\u{1b}` is not known here"),
        ("level", "never", "never"),
        (
            "10",
            "10",
            "this is a number, neither true nor false; a predicate compares: `level >= 10`",
        ),
        (
            "level + 1",
            "level + 1",
            "this is a value, neither true nor false; a predicate compares: `level >= 10`",
        ),
        ("a && 'x'", "'x'", "this is a string, neither true nor false"),
        ("!5", "5", "this is a number, neither true nor false"),
        (
            "a.filter(x, true)",
            "a.filter(x, true)",
            "this is a list, neither true nor false; a predicate compares: `level >= 10`",
        ),
    ] {
        if message == "never" {
            Predicate::parse(source).expect("a field may be a boolean");
            continue;
        }
        let error = error(source);
        assert_eq!(error.to_string(), message, "{source}");
        assert_eq!(&source[error.span.clone()], place, "{source}: {message}");
    }
}

#[test]
fn strings_are_read_as_cel_writes_them() {
    for (source, expected) in [
        (r#""a""#, "a"),
        (r#"'say "hi"'"#, "say \"hi\""),
        (r#""it's""#, "it's"),
        (r"'\a\b\f\n\r\t\v\\\?\'\`'", "\x07\x08\x0c\n\r\t\x0b\\?'`"),
        (r#""\"""#, "\""),
        (r"'\x41\X42\u00e9\U0001F600\101'", "ABé😀A"),
        (r"r'\n'", "\\n"),
        (r#"R"\d+""#, "\\d+"),
        ("'''a'b\nc'''", "a'b\nc"),
        ("\"\"\"a\"b\"\"\"", "a\"b"),
        (r"r'''\n'''", "\\n"),
        ("''", ""),
        ("'日本'", "日本"),
    ] {
        let expression = Expression::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        let nothing = serde_json::Value::Null;
        let value = expression.evaluate(&crate::predicate::Subject::payload(&nothing), &());
        assert_eq!(value, Ok(expected.into()), "{source}");
    }
}

#[test]
fn blanks_and_comments_do_not_matter() {
    let plain = Predicate::parse("level >= 10 && hash.startsWith(\"o\")").expect("it parses");
    let spread = "\n  level>=10 // high enough\n\t&& (hash) . startsWith ( 'o' ) // ours";
    assert_eq!(Predicate::parse(spread).expect("it parses"), plain);
}

#[test]
fn nesting_beyond_the_limit_is_an_error_even_on_a_small_stack() {
    let deep = [
        "(".repeat(10_000),
        format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000)),
        "[".repeat(10_000),
        format!("a == {}1{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{}a", "!".repeat(60_000)),
        format!("a == {}a", "-".repeat(60_000)),
        format!("a{}", ".b".repeat(30_000)),
        format!("a{}", "[0]".repeat(20_000)),
        format!("a == a{}", "+a".repeat(30_000)),
        format!("a{} == 1", " - 1".repeat(10_000)),
        "a ? ".repeat(10_000),
        format!("{}a", "a ? b : ".repeat(8_000)),
        "int(".repeat(10_000),
        "a.exists(x, ".repeat(5_000),
        "has(".repeat(10_000),
        format!("{}a", "!(".repeat(10_000)),
    ];
    let parse_all = move || {
        for source in &deep {
            let error = error(source);
            assert!(error.message.contains("nested deeper"), "{}…: {error}", &source[..10]);
        }
    };
    on_a_stack_of(1024 * 1024, parse_all);
}

#[test]
fn the_deepest_trees_are_parsed_printed_and_evaluated_on_a_small_stack() {
    let depth = MAX_DEPTH - 2;
    let brackets = format!("{}a{}", "(".repeat(depth + 1), ")".repeat(depth + 1));
    let lists = format!("b == {}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let sum = format!("a || 1{} == 0", " + 1".repeat(depth - 3));
    let conditional = format!("{}a", "a ? a : ".repeat(depth));
    let macros = format!("{}a{}", "b.exists(x, ".repeat(depth), ")".repeat(depth));
    let nots = format!("{}a", "!".repeat(depth));
    on_a_stack_of(1024 * 1024, move || {
        let payload = serde_json::json!({"a": true, "b": [true]});
        let subject = crate::predicate::Subject::payload(&payload);
        for source in [brackets, lists, sum, conditional, macros, nots] {
            let predicate = Predicate::parse(&source).unwrap_or_else(|e| panic!("{source}: {e}"));
            let explanation = predicate.explain(&subject, &());
            assert_eq!(explanation.truth, predicate.test(&subject, &()), "{source}");
            let printed = predicate.to_string();
            let again = Predicate::parse(&printed).unwrap_or_else(|e| panic!("{printed}: {e}"));
            assert_eq!(again, predicate, "{source}");
        }
    });
}

#[test]
fn long_chains_of_conditions_are_no_deep_trees() {
    let chain = vec!["level == 1"; 4000].join(" || ");
    let predicate = Predicate::parse(&chain).expect("a long disjunction parses");
    let payload = serde_json::json!({"level": 2});
    let subject = crate::predicate::Subject::payload(&payload);
    assert_eq!(predicate.test(&subject, &()), crate::predicate::Truth::False);
    assert_eq!(predicate.to_string(), chain);
}

#[test]
fn a_source_beyond_the_limit_is_an_error() {
    let long = format!("a == '{}'", "x".repeat(MAX_SOURCE_BYTES));
    assert_eq!(error(&long).message, "longer than 65536 bytes");
}

fn on_a_stack_of(bytes: usize, work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(bytes).spawn(work);
    thread.expect("a thread can be made").join().expect("it ends without a panic");
}

/// Sources that get far into the parser more often than random text does.
fn plausible() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a",
        "level",
        "self",
        "event",
        ".name",
        "$x",
        "true",
        "null",
        "in",
        "1",
        "0x1",
        "1.5",
        "1e9",
        "'s'",
        "\"t\"",
        "r'\\d'",
        "'",
        "\"",
        "(",
        ")",
        "[",
        "]",
        "{",
        ".",
        ",",
        "?",
        ":",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        "<=",
        "&&",
        "||",
        "=",
        "&",
        " ",
        "\n",
        "//",
        "has(",
        "size(",
        ".exists(x, ",
        ".all(x,",
        ".map(x,",
        ".matches(",
        ".startsWith(",
        "\\",
        "é",
        "\u{0}",
        "as",
        "$",
        "x",
        "not ",
        "and ",
    ]);
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(source in ".*") {
        accepted_or_explained(&source);
    }

    #[test]
    fn any_mixture_of_tokens_is_parsed_or_refused(source in plausible()) {
        accepted_or_explained(&source);
    }
}

/// What parses prints as what parses to the same; what does not has an error that can be shown.
fn accepted_or_explained(source: &str) {
    match Expression::parse(source) {
        Ok(expression) => {
            let printed = expression.to_string();
            let again = Expression::parse(&printed);
            assert_eq!(again, Ok(expression), "{source} printed as {printed}");
        }
        Err(error) => {
            assert!(source.get(error.span.clone()).is_some(), "{source}: {error:?}");
            assert!(!error.message.is_empty());
        }
    }
}
