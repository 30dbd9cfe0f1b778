use crate::predicate::{EventField, Expression, References};

fn references(source: &str) -> References {
    let expression = Expression::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    expression.references().clone()
}

#[test]
fn the_fields_that_a_source_reads_are_known_before_any_event() {
    for (source, expected) in [
        ("level >= 10", "self.level"),
        ("self.level >= 10 && level < 20", "self.level"),
        ("a.b[0].c == a.d", "self.a.b[0].c self.a.d"),
        ("self['fd-sink-item.v0'].x == 1", "self[\"fd-sink-item.v0\"].x"),
        ("self == 1", "self"),
        ("a[b] == 1", "self.a self.b"),
        ("a[-1] == 1", "self.a"),
        ("ops.exists(o, o.hash == tip)", "self.ops self.tip"),
        ("ops.exists(level, level == self.level)", "self.ops self.level"),
        ("has(a.b)", "self.a.b"),
        ("hash.matches(pattern)", "self.hash self.pattern"),
        ("ok ? x : [y, -z]", "self.ok self.x self.y self.z"),
        ("event.name == $name", ""),
    ] {
        let paths: Vec<_> = references(source)
            .fields
            .iter()
            .map(|path| format!("self{}", path.iter().map(ToString::to_string).collect::<String>()))
            .collect();
        assert_eq!(paths.join(" "), expected, "{source}");
    }
}

#[test]
fn what_is_read_of_the_event_and_which_variables_stand_where() {
    let source = "event.seq > $a[0].x && event.seq < 9 && event.daemon in [$b, $a]";
    let references = references(source);
    assert_eq!(references.event, [EventField::Seq, EventField::Daemon]);
    let variables: Vec<_> = references
        .variables
        .iter()
        .map(|variable| (variable.name.as_str(), &source[variable.span.clone()]))
        .collect();
    assert_eq!(variables, [("a", "$a"), ("b", "$b"), ("a", "$a")]);
}
