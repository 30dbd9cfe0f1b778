//! Steps of steps.

use super::{Shape, Table, optional, required};

pub(crate) static REPEAT: Table = Table {
    name: "repeat",
    example: "{ times: 3, steps: [{ bake: { node: node } }] }",
    doc: "Plays steps several times; `$i` counts from 0.",
    keys: &[&[
        required("times", Shape::Integer(0), "How many times the steps are played."),
        required("steps", Shape::Steps, "What is played each time."),
    ]],
    later: &[],
};

pub(crate) static FOR: Table = Table {
    name: "for",
    example: "{ var: d, in: [a, b], steps: [{ kill: $d }] }",
    doc: "Plays steps for each item of a list; `$i` counts from 0.",
    keys: &[&[
        required("var", Shape::Name, "The variable that holds the item."),
        required(
            "in",
            Shape::OneOf(&[Shape::List(&Shape::Any), Shape::Text]),
            "A list, or a variable that is one.",
        ),
        required("steps", Shape::Steps, "What is played for each."),
    ]],
    later: &[],
};

pub(crate) static USE: Table = Table {
    name: "use",
    example: "{ file: common.yaml, vars: { n: 3 } }",
    doc: "Plays the steps of another file.",
    keys: &[&[
        required("file", Shape::Name, "Its path, relative to this file."),
        optional(
            "vars",
            Shape::Map(&Shape::Any),
            "Variables for these steps; they come before the file's own.",
        ),
    ]],
    later: &[],
};
