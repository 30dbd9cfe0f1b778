//! The verbs.

use super::{
    ACTIVATE, ANY_DAEMON, ATTEST, BAKE, CAPTURE, EXEC, EXITED, EXPECT, FOR, Field, INJECT, NAMES,
    NEVER, PEERS, PREATTEST, REACH, REPEAT, RPC, Shape, Table, USE, WITHIN, optional, required,
};

const TARGETS: Shape =
    Shape::OneOf(&[Shape::Text, Shape::AtLeast(1, &Shape::Text), Shape::Table(&LIFECYCLE)]);

const LIFECYCLE_KEYS: &[Field] = &[
    required("daemons", NAMES, "A daemon or several, side by side."),
    optional(
        "with",
        Shape::Table(&ANY_DAEMON),
        "Declaration keys that are replaced from this incarnation on.",
    ),
    optional("grace", Shape::Duration, "Time between SIGTERM and SIGKILL."),
    WITHIN,
];

pub(crate) static LIFECYCLE: Table = Table {
    name: "lifecycle",
    example: "{ daemons: [a, b], within: 10s }",
    doc: "Daemons, and how it is done to them.",
    keys: &[LIFECYCLE_KEYS],
    later: &[],
};

pub(crate) static PAUSE: Table = Table {
    name: "pause",
    example: "{ daemons: node, for: 2s }",
    doc: "Daemons, and for how long they stand still.",
    keys: &[
        LIFECYCLE_KEYS,
        &[optional("for", Shape::Duration, "They are resumed after this; not, if not given.")],
    ],
    later: &[],
};

pub(crate) static SIGNAL: Table = Table {
    name: "signal",
    example: "{ daemon: node, signal: USR1 }",
    doc: "A daemon and a signal.",
    keys: &[&[
        required("daemon", Shape::Text, "Whose process group gets it."),
        required(
            "signal",
            Shape::OneOf(&[Shape::Text, Shape::Integer(1)]),
            "`USR1`, `SIGUSR1` or 10.",
        ),
    ]],
    later: &[],
};

pub(crate) static STEP: Table = Table {
    name: "step",
    example: "{ start: node }",
    doc: "One step: one key, the verb.",
    keys: &[&[
        optional(
            "start",
            TARGETS,
            "Creates daemons if need be, runs them, waits until they are ready.",
        ),
        optional("run", TARGETS, "Runs daemons, without waiting."),
        optional(
            "ready",
            TARGETS,
            "Waits until they are ready; after a `crash`, the next incarnation.",
        ),
        optional(
            "terminate",
            TARGETS,
            "SIGTERM, SIGKILL after `grace`, and waits. Never restarted by policy.",
        ),
        optional("kill", TARGETS, "SIGKILL, and waits. Never restarted by policy."),
        optional("crash", TARGETS, "SIGKILL as a fault: the restart policy answers."),
        optional("restart", TARGETS, "Terminates, runs, waits until ready."),
        optional(
            "pause",
            Shape::OneOf(&[Shape::Text, Shape::AtLeast(1, &Shape::Text), Shape::Table(&PAUSE)]),
            "Stops the daemon with SIGSTOP; it goes on with `resume`, or after `for`.",
        ),
        optional("resume", TARGETS, "Lets a paused daemon go on, with SIGCONT."),
        optional(
            "signal",
            Shape::Table(&SIGNAL),
            "Any signal; a death by it is judged by the policy.",
        ),
        optional(
            "exited",
            Shape::Table(&EXITED),
            "Waits for the first exit at or after the cursor.",
        ),
        optional(
            "expect",
            Shape::OneOf(&[Shape::Table(&EXPECT), Shape::AtLeast(1, &Shape::Table(&EXPECT))]),
            "Waits for an event; a list of them: all, in any order.",
        ),
        optional(
            "never",
            Shape::Table(&NEVER),
            "Fails if such an event has come, or comes before `for` is over or `until` matches.",
        ),
        optional("mark", Shape::Text, "Names the end of every log now."),
        optional("reach", Shape::Table(&REACH), "Waits until each node's head is at least there."),
        optional("activate", Shape::Table(&ACTIVATE), "Activates a protocol; ends at level 1."),
        optional(
            "bake",
            Shape::Table(&BAKE),
            "Bakes blocks on a node; ends when each is applied and, without `parent`, is the head.",
        ),
        optional("attest", Shape::Table(&ATTEST), "Injects an attestation, true or false."),
        optional("preattest", Shape::Table(&PREATTEST), "Injects a preattestation, true or false."),
        optional("inject", Shape::Table(&INJECT), "Injects an operation as it is."),
        optional(
            "connect",
            Shape::OneOf(&[Shape::AtLeast(2, &Shape::Text), Shape::Table(&PEERS)]),
            "Every pair trusts both ways and is connected.",
        ),
        optional(
            "disconnect",
            Shape::OneOf(&[Shape::AtLeast(2, &Shape::Text), Shape::Table(&PEERS)]),
            "Untrusts and kicks, every pair.",
        ),
        optional("rpc", Shape::Table(&RPC), "An HTTP request to a node."),
        optional("exec", Shape::Table(&EXEC), "Runs a program of yours."),
        optional("let", CAPTURE, "Sets variables: an expression for each."),
        optional("assert", Shape::Formula, "Fails unless this is true."),
        optional(
            "parallel",
            Shape::AtLeast(1, &Shape::Steps),
            "Branches side by side, each a list of steps.",
        ),
        optional("repeat", Shape::Table(&REPEAT), "Plays steps several times."),
        optional("for", Shape::Table(&FOR), "Plays steps for each item of a list."),
        optional(
            "use",
            Shape::OneOf(&[Shape::Name, Shape::Table(&USE)]),
            "Plays the steps of another file.",
        ),
        optional("log", Shape::Text, "A note in the log."),
        optional("sleep", Shape::Duration, "A pause. Prefer an event."),
    ]],
    later: &["chaos", "pipe-stall", "net-cut"],
};
