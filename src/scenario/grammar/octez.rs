//! The chain, RPC and other programs.

use super::{
    CAPTURE, CAPTURE_FIELD, Field, NAMES, Shape, Table, WHERE, WITHIN, optional, required,
};

const ONE_NODE: Field = required("node", Shape::Text, "The node that is asked.");

pub(crate) static REACH: Table = Table {
    name: "reach",
    example: "{ node: node, level: 4 }",
    doc: "Waits until each node's head is at least there.",
    keys: &[&[
        required("node", NAMES, "A node or several."),
        required("level", Shape::Integer(0), "At least this level."),
        WITHIN,
    ]],
    later: &[],
};

pub(crate) static ACTIVATE: Table = Table {
    name: "activate",
    example: "{ node: node }",
    doc: "Activates a protocol; ends at level 1.",
    keys: &[&[
        ONE_NODE,
        optional("protocol", Shape::Text, "The newest if not given."),
        optional("parameters", Shape::Object, "Merged into the sandbox's."),
        optional(
            "timestamp",
            Shape::Text,
            "Of the block: RFC 3339 or `now`; a year ago if not given.",
        ),
        WITHIN,
    ]],
    later: &[],
};

pub(crate) static BAKE: Table = Table {
    name: "bake",
    example: "{ node: node, key: bootstrap1, times: 3 }",
    doc: "Bakes blocks; ends when each is applied and, without `parent`, is the head.",
    keys: &[&[
        ONE_NODE,
        optional("key", NAMES, "Who bakes; bootstrap1 if not given."),
        optional("times", Shape::Integer(1), "How many blocks; 1 if not given."),
        optional(
            "parent",
            Shape::Text,
            "On which block, by hash or `head~2`; the head if not given. Sandbox only.",
        ),
        optional("round", Shape::Integer(0), "At which round. Sandbox only."),
        optional(
            "within",
            Shape::Duration,
            "How long all of it may take at most; 60s for each block if not given.",
        ),
        CAPTURE_FIELD,
    ]],
    later: &[],
};

const ERROR: Field = optional(
    "error",
    Shape::Text,
    "A regular expression: the node must refuse, in words that match. The payload is `error`, those words.",
);

const VOTE_KEYS: &[Field] = &[
    ONE_NODE,
    optional("key", Shape::Text, "Whose vote; bootstrap1 if not given."),
    optional("of", Shape::Text, "For which block, by hash or `head~2`; the head if not given."),
    optional("level", Shape::Integer(0), "The block's if not given."),
    optional("round", Shape::Integer(0), "The block's if not given."),
    optional("slot", Shape::Integer(0), "The key's first one at this level if not given."),
    optional(
        "payload",
        Shape::Text,
        "The hash of a payload, or the block whose payload is meant; the block's if not given.",
    ),
    optional(
        "branch",
        Shape::Text,
        "On which block it is valid, by hash or `head~2`; two below the block if not given.",
    ),
    ERROR,
    WITHIN,
    optional(
        "capture",
        CAPTURE,
        "Variables to set, of `hash`, `level`, `round`, `slot`, `payload` and `branch`: an expression for each.",
    ),
];

pub(crate) static ATTEST: Table = Table {
    name: "attest",
    example: "{ node: node, key: bootstrap1, payload: head~2 }",
    doc: "Injects an attestation, also in conflict; ends when the node has answered. \
          All but `node` and `key` of what makes the vote: sandbox only.",
    keys: &[VOTE_KEYS],
    later: &[],
};

pub(crate) static PREATTEST: Table = Table {
    name: "preattest",
    example: "{ node: node, key: bootstrap1 }",
    doc: "Injects a preattestation, also in conflict; ends when the node has answered. \
          All but `node` and `key` of what makes the vote: sandbox only.",
    keys: &[VOTE_KEYS],
    later: &[],
};

pub(crate) static INJECT: Table = Table {
    name: "inject",
    example: "{ node: node, operation: $bytes }",
    doc: "Injects an operation as it is; ends when the node has answered.",
    keys: &[&[
        ONE_NODE,
        required("operation", Shape::Text, "Its bytes, in hexadecimal, with the signature."),
        ERROR,
        WITHIN,
        optional("capture", CAPTURE, "Variables to set, of `hash`: an expression for each."),
    ]],
    later: &[],
};

pub(crate) static PEERS: Table = Table {
    name: "connect",
    example: "{ nodes: [a, b] }",
    doc: "Nodes, and how long it may take.",
    keys: &[&[required("nodes", Shape::AtLeast(2, &Shape::Text), "Every pair of them."), WITHIN]],
    later: &[],
};

pub(crate) static RPC: Table = Table {
    name: "rpc",
    example: "{ node: node, get: /chains/main/blocks/head/header }",
    doc: "An HTTP request; the payload is the response's body.",
    keys: &[&[
        ONE_NODE,
        optional("get", Shape::Text, "The path of a GET."),
        optional("post", Shape::Text, "The path of a POST."),
        optional("put", Shape::Text, "The path of a PUT."),
        optional("patch", Shape::Text, "The path of a PATCH."),
        optional("body", Shape::Any, "What is sent, as JSON."),
        optional("status", Shape::Integer(100), "The status that is right; any 2xx if not given."),
        WHERE,
        optional(
            "within",
            Shape::Duration,
            "Given: the request is repeated until it is answered as wanted.",
        ),
        CAPTURE_FIELD,
    ]],
    later: &[],
};

pub(crate) static EXEC: Table = Table {
    name: "exec",
    example: "{ command: [ls, -l] }",
    doc: "Runs a program of yours to its end; the payload is its standard output.",
    keys: &[&[
        required("command", Shape::AtLeast(1, &Shape::Text), "The program and its arguments."),
        optional(
            "stdin",
            Shape::Text,
            "What the program reads from its standard input; nothing if not given.",
        ),
        optional(
            "env",
            Shape::Map(&Shape::Text),
            "Environment variables, added to the runner's own.",
        ),
        optional("code", Shape::Integer(0), "The exit code that is right; 0 if not given."),
        optional(
            "stdout",
            Shape::Word(&["text", "json"]),
            "What the payload is; text if not given.",
        ),
        WHERE,
        CAPTURE_FIELD,
        WITHIN,
    ]],
    later: &["host"],
};
