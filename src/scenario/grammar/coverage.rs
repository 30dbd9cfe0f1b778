//! The proof that the tables and the parser agree: every key that is described is read.

use std::sync::Arc;

use super::{
    ACCUSER, ACTIVATE, ANY_DAEMON, ATTEST, BACKOFF, BAKE, BAKER, DEFAULTS, ENVELOPE, EVENT_LEVELS,
    EXEC, EXITED, EXPECT, FOR, INJECT, INVARIANT, INVARIANT_NEVER, LIFECYCLE, NEVER, NODE, PAUSE,
    PEERS, PREATTEST, PROCESS, REACH, READY, REPEAT, RESTART, RPC, SCENARIO, SIGNAL, STEP, Shape,
    Table, UNTIL, UPGRADE, USE, WITH_ACCUSER, WITH_BAKER, WITH_NODE, WITH_PROCESS,
};
use crate::scenario::{Overrides, ScenarioError, Source, load::load_source};

/// Each table, and a file in which `@` stands where such a mapping can.
const PLACES: &[(&Table, &str)] = &[
    (&SCENARIO, "@"),
    (&STEP, "steps: [@]"),
    (&NODE, "daemons: { d: @octez-node }"),
    (&ACCUSER, "daemons: { d: @octez-accuser }"),
    (&BAKER, "daemons: { d: @octez-baker }"),
    (&PROCESS, "daemons: { d: @process }"),
    (&ANY_DAEMON, "steps: [{ start: { daemons: $d, with: @ } }]"),
    (
        &WITH_NODE,
        "daemons: { d: { kind: octez-node } }\nsteps: [{ start: { daemons: d, with: @ } }]",
    ),
    (&WITH_ACCUSER, "defaults: { octez-accuser: @ }"),
    (&WITH_BAKER, "defaults: { octez-baker: @ }"),
    (&WITH_PROCESS, "defaults: { process: @ }"),
    (&DEFAULTS, "defaults: @"),
    (&RESTART, "defaults: { process: { restart: @ } }"),
    (&UPGRADE, "defaults: { octez-node: { upgrades: [@] } }"),
    (&BACKOFF, "defaults: { process: { restart: { backoff: @ } } }"),
    (&EVENT_LEVELS, "defaults: { octez-node: { events: @ } }"),
    (&READY, "defaults: { process: { ready: @ } }"),
    (&ENVELOPE, "defaults: { process: { envelope: @ } }"),
    (&INVARIANT, "invariants: [@]"),
    (&INVARIANT_NEVER, "invariants: [{ never: @ }]"),
    (&LIFECYCLE, "steps: [{ start: @ }]"),
    (&PAUSE, "steps: [{ pause: @ }]"),
    (&SIGNAL, "steps: [{ signal: @ }]"),
    (&EXITED, "steps: [{ exited: @ }]"),
    (&EXPECT, "steps: [{ expect: @ }]"),
    (&NEVER, "steps: [{ never: @ }]"),
    (&UNTIL, "steps: [{ never: { until: @ } }]"),
    (&REACH, "steps: [{ reach: @ }]"),
    (&ACTIVATE, "steps: [{ activate: @ }]"),
    (&BAKE, "steps: [{ bake: @ }]"),
    (&ATTEST, "steps: [{ attest: @ }]"),
    (&PREATTEST, "steps: [{ preattest: @ }]"),
    (&INJECT, "steps: [{ inject: @ }]"),
    (&PEERS, "steps: [{ connect: @ }]"),
    (&RPC, "steps: [{ rpc: @ }]"),
    (&EXEC, "steps: [{ exec: @ }]"),
    (&REPEAT, "steps: [{ repeat: @ }]"),
    (&FOR, "steps: [{ for: @ }]"),
    (&USE, "steps: [{ use: @ }]"),
];

pub(crate) fn all_tables() -> Vec<&'static Table> {
    PLACES.iter().map(|(table, _)| *table).collect()
}

/// The file with one key in the place, and nothing behind it.
fn file(place: &str, key: &str) -> String {
    for kind in ["octez-node", "octez-accuser", "octez-baker", "process"] {
        let marker = format!("@{kind}");
        if place.contains(&marker) {
            let with_kind = format!("{{ kind: {kind}, {key}: }}");
            let alone = format!("{{ {key}: }}");
            return place.replace(&marker, if key == "kind" { &alone } else { &with_kind });
        }
    }
    place.replace('@', &format!("{{ {key}: }}"))
}

#[test]
fn every_key_of_every_table_is_read() {
    for (table, place) in PLACES {
        for field in table.fields() {
            let text = file(place, field.name);
            let source = Arc::new(Source::new("probe.yaml", text.as_str()));
            let Err(ScenarioError::Invalid { diagnostics }) =
                load_source(&source, &Overrides::default())
            else {
                panic!("an empty value was accepted: {text}");
            };
            let wanted = format!("`{}` has no value", field.name);
            let told = diagnostics.iter().any(|diagnostic| diagnostic.message == wanted);
            assert!(told, "{} is not read: {text}\n{diagnostics:#?}", field.name);
        }
    }
}

#[test]
fn every_example_is_valid_where_it_stands() {
    for (table, place) in PLACES {
        let text = ["octez-node", "octez-accuser", "octez-baker", "process"]
            .iter()
            .fold((*place).to_owned(), |text, kind| text.replace(&format!("@{kind}"), "@"))
            .replace('@', table.example);
        let source = Arc::new(Source::new("probe.yaml", text.as_str()));
        let Err(ScenarioError::Invalid { diagnostics }) =
            load_source(&source, &Overrides::default())
        else {
            continue;
        };
        // The files have nothing but the place: what is missing around it, and the names in it, do not count.
        let allowed =
            ["has no `", "no daemon is called", "cannot read", "has no value here", "needs an"];
        let others: Vec<_> = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error())
            .filter(|diagnostic| !allowed.iter().any(|text| diagnostic.message.contains(text)))
            .collect();
        assert!(others.is_empty(), "{text}\n{others:#?}");
    }
}

#[test]
fn no_table_is_left_out() {
    let mut reached: Vec<&'static str> =
        vec![SCENARIO.name, STEP.name, NODE.name, ACCUSER.name, BAKER.name, PROCESS.name];
    let mut open: Vec<&'static Table> = vec![&SCENARIO, &STEP, &NODE, &ACCUSER, &BAKER, &PROCESS];
    while let Some(table) = open.pop() {
        for below in table.fields().flat_map(|field| tables(field.shape)) {
            if !reached.contains(&below.name) {
                reached.push(below.name);
                open.push(below);
            }
        }
    }
    let mut known: Vec<&str> = all_tables().iter().map(|table| table.name).collect();
    reached.sort_unstable();
    known.sort_unstable();
    assert_eq!(reached, known);
}

fn tables(shape: Shape) -> Vec<&'static Table> {
    match shape {
        Shape::Table(table) => vec![table],
        Shape::List(shape) | Shape::AtLeast(_, shape) | Shape::Map(shape) => tables(*shape),
        Shape::OneOf(shapes) => shapes.iter().flat_map(|shape| tables(*shape)).collect(),
        _ => Vec::new(),
    }
}
