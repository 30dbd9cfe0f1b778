//! The file itself.

use super::{DEFAULTS, INVARIANT, Shape, Table, optional, required};

pub(crate) static SCENARIO: Table = Table {
    name: "scenario",
    example: "{ steps: [{ log: hello }] }",
    doc: "One scenario: daemons, and the steps that are played with them.",
    keys: &[&[
        optional("$schema", Shape::Name, "For editors: where the schema of this file is."),
        optional("name", Shape::Name, "What the scenario shows; the file's name if not given."),
        optional(
            "tags",
            Shape::List(&Shape::Name),
            "Words to select it by: `tribunal run -t TAG`.",
        ),
        optional(
            "timeout",
            Shape::Duration,
            "How long the whole scenario may take; 5m if not given.",
        ),
        optional("strict", Shape::Flag, "A pass that proves nothing fails; false if not given."),
        optional(
            "seed",
            Shape::Integer(0),
            "Pins what is drawn at random; else drawn and printed.",
        ),
        optional("vars", Shape::Map(&Shape::Any), "Variables; `--var K=V` comes before them."),
        optional(
            "defaults",
            Shape::Table(&DEFAULTS),
            "What every daemon of a kind has, unless it says something else.",
        ),
        optional("daemons", Shape::Map(&Shape::Daemon), "The daemons, by name."),
        optional(
            "invariants",
            Shape::List(&Shape::Table(&INVARIANT)),
            "What must not happen, watched all along, beside the steps.",
        ),
        required("steps", Shape::Steps, "What is played, in order."),
        optional(
            "finally",
            Shape::Steps,
            "Always played: also after a failure, the time limit and the first Ctrl-C. Has 60 s of its own.",
        ),
    ]],
    later: &["hosts"],
};
