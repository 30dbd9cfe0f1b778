//! Waiting for events, and for none.

use super::{CAPTURE_FIELD, Field, NAMES, Shape, Table, WHERE, WITHIN, optional, required};

const FROM: Field = required(
    "from",
    NAMES,
    "Whose events: a daemon's name, a list of them, or a glob over the declared names.",
);
const EVENT: Field = required(
    "event",
    Shape::Text,
    "The event's name, or a glob; `tribunal.*` records must be named in full.",
);
const SINCE: Field = optional(
    "since",
    Shape::Text,
    "Where the search begins: a mark, or `beginning`, `start` (of this incarnation) or `now`; the cursor if not given.",
);

pub(crate) static EXPECT: Table = Table {
    name: "expect",
    example: "{ from: node, event: head_increment.v0 }",
    doc: "Waits for an event, history first.",
    keys: &[&[
        FROM,
        EVENT,
        WHERE,
        optional(
            "count",
            Shape::Integer(1),
            "Ends at, and captures, the n-th match; 1 if not given.",
        ),
        optional("each", Shape::Flag, "One from every daemon of `from`."),
        WITHIN,
        SINCE,
        CAPTURE_FIELD,
    ]],
    later: &[],
};

pub(crate) static NEVER: Table = Table {
    name: "never",
    example: "{ from: node, event: validation_failure.v0, for: 2s }",
    doc: "No such event until `for` is over, or until `until` has come; with neither, until now.",
    keys: &[&[
        FROM,
        EVENT,
        WHERE,
        SINCE,
        optional("for", Shape::Duration, "How long to watch."),
        optional(
            "until",
            Shape::Table(&UNTIL),
            "The event that ends the watch; it counts as an `expect`.",
        ),
    ]],
    later: &[],
};

pub(crate) static UNTIL: Table = Table {
    name: "until",
    example: "{ from: node, event: head_increment.v0 }",
    doc: "The event that ends the watch.",
    keys: &[&[FROM, EVENT, WHERE, WITHIN]],
    later: &[],
};

pub(crate) static INVARIANT: Table = Table {
    name: "invariant",
    example: "{ never: { from: node, event: validation_failure.v0 } }",
    doc: "What must not happen from the beginning to the end.",
    keys: &[&[required(
        "never",
        Shape::Table(&INVARIANT_NEVER),
        "An event that must not come at any time, from the beginning to the end of the steps.",
    )]],
    later: &[],
};

pub(crate) static INVARIANT_NEVER: Table = Table {
    name: "invariant never",
    example: "{ from: node, event: validation_failure.v0 }",
    doc: "An event that must not come at any time, from the beginning to the end of the steps.",
    keys: &[&[FROM, EVENT, WHERE]],
    later: &[],
};

pub(crate) static EXITED: Table = Table {
    name: "exited",
    example: "{ daemon: accuser, code: 127 }",
    doc: "Waits for the first exit at or after the cursor, and passes it.",
    keys: &[&[
        required("daemon", Shape::Text, "The daemon whose exit is waited for."),
        optional("code", Shape::Integer(0), "It must have exited with this code."),
        optional(
            "signal",
            Shape::OneOf(&[Shape::Text, Shape::Integer(1)]),
            "By this signal: `KILL`, `SIGTERM`, 9.",
        ),
        WITHIN,
    ]],
    later: &[],
};
