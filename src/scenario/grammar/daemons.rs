//! Declarations of daemons.

use super::{Field, NAMES, Shape, Table, WHERE, optional, required};

const LEVELS: Shape = Shape::Word(&["debug", "info", "notice", "warning", "error", "fatal"]);

const EVENTS: Shape = Shape::OneOf(&[LEVELS, Shape::Table(&EVENT_LEVELS)]);

const COMMON: &[Field] = &[
    optional("env", Shape::Map(&Shape::Text), "Environment variables, added to the runner's own."),
    optional("cwd", Shape::Text, "Its working directory; relative to the scenario file."),
    optional("args", Shape::List(&Shape::Text), "Arguments added to its command."),
    optional("events", EVENTS, "From which level on events are written; info if not given."),
    optional(
        "restart",
        Shape::Table(&RESTART),
        "What follows a death that the test did not ask for; nothing if not given.",
    ),
    optional("grace", Shape::Duration, "Time between SIGTERM and SIGKILL; 30s if not given."),
    optional(
        "knows",
        Shape::List(&Shape::Name),
        "Names (or globs) of events that it can emit: what a `never` may name before it was seen.",
    ),
];

const BINARY: Field =
    optional("binary", Shape::Text, "The program, instead of the Octez programs of this run.");

const ONE_UPGRADE: Shape = Shape::Table(&UPGRADE);

const NODE_KEYS: &[Field] = &[
    BINARY,
    optional(
        "synchronisation_threshold",
        Shape::Integer(0),
        "With how many peers it must agree to be synchronised.",
    ),
    optional("private_mode", Shape::Boolean, "Only trusted peers are connected."),
    optional("connections", Shape::Integer(0), "How many connections it aims at."),
    optional(
        "peers",
        Shape::List(&Shape::Text),
        "Nodes (or `ADDRESS:PORT`) that it dials at start.",
    ),
    optional("history_mode", Shape::Text, "`archive`, `full` or `rolling`."),
    optional("singleprocess", Shape::Boolean, "Blocks are validated in its own process."),
    optional("config", Shape::Object, "Merged into its config.json."),
    optional(
        "upgrades",
        Shape::List(&ONE_UPGRADE),
        "Protocol changes to come, which its network has agreed on.",
    ),
];

const ACCUSER_KEYS: &[Field] = &[
    BINARY,
    optional("node", Shape::Name, "The `octez-node` that it watches."),
    optional(
        "preserved_levels",
        Shape::Integer(0),
        "How many levels it remembers; 200 if not given.",
    ),
    KEEP_ALIVE,
    optional("base_dir", Shape::Text, "The base directory of its client."),
];

const BAKER_NODE: Field = optional("node", Shape::Name, "The `octez-node` that it bakes on.");
const KEEP_ALIVE: Field =
    optional("keep_alive", Shape::Boolean, "It waits for a lost node to come back.");
const KEYS: Field = optional("keys", NAMES, "For whom it bakes; all keys if not given.");

const BAKER_KEYS: &[Field] = &[BINARY, BAKER_NODE, KEYS, KEEP_ALIVE];

const PROCESS_KEYS: &[Field] = &[
    optional("command", Shape::AtLeast(1, &Shape::Text), "The program and its arguments."),
    optional("ready", Shape::Table(&READY), "What makes it ready; that it runs, if not given."),
    optional(
        "events_from",
        Shape::Text,
        "Where it writes JSON lines: `pipe` (default; its path is in TRIBUNAL_EVENT_PIPE), `stdout`, `stderr` or a file.",
    ),
    optional(
        "envelope",
        Shape::Table(&ENVELOPE),
        "Where a JSON line keeps its name, payload and time; the Octez envelope if not given.",
    ),
];

const LATER: &[&str] = &["host", "via", "output"];

pub(crate) static NODE: Table = Table {
    name: "octez-node",
    example: "{ kind: octez-node }",
    doc: "An `octez-node`: keeps a chain, talks to its peers, answers RPCs.",
    keys: &[
        &[required("kind", Shape::Word(&["octez-node"]), "What sort of daemon it is.")],
        COMMON,
        NODE_KEYS,
    ],
    later: LATER,
};

pub(crate) static ACCUSER: Table = Table {
    name: "octez-accuser",
    example: "{ kind: octez-accuser, node: node }",
    doc: "An `octez-accuser`: watches a node and denounces double baking and double voting.",
    keys: &[
        &[required("kind", Shape::Word(&["octez-accuser"]), "What sort of daemon it is.")],
        COMMON,
        ACCUSER_KEYS,
    ],
    later: LATER,
};

pub(crate) static BAKER: Table = Table {
    name: "octez-baker",
    example: "{ kind: octez-baker, node: node, keys: [bootstrap1] }",
    doc: "A baker. Real Octez only.",
    keys: &[
        &[required("kind", Shape::Word(&["octez-baker"]), "What sort of daemon it is.")],
        COMMON,
        BAKER_KEYS,
    ],
    later: LATER,
};

pub(crate) static PROCESS: Table = Table {
    name: "process",
    example: "{ kind: process, command: [my-daemon] }",
    doc: "Any daemon that writes JSON lines, or none at all.",
    keys: &[
        &[required("kind", Shape::Word(&["process"]), "What sort of daemon it is.")],
        COMMON,
        PROCESS_KEYS,
    ],
    later: LATER,
};

/// For a declaration whose kind is not known: any key is looked up here.
pub(crate) static ANY_DAEMON: Table = Table {
    name: "daemon",
    example: "{ env: { LANG: C } }",
    doc: "Declaration keys of any kind.",
    keys: &[COMMON, NODE_KEYS, ACCUSER_KEYS, &[KEYS], PROCESS_KEYS],
    later: LATER,
};

pub(crate) static WITH_NODE: Table = Table {
    name: "octez-node settings",
    example: "{ private_mode: true }",
    doc: "Declaration keys of an `octez-node`.",
    keys: &[COMMON, NODE_KEYS],
    later: LATER,
};

pub(crate) static WITH_ACCUSER: Table = Table {
    name: "octez-accuser settings",
    example: "{ preserved_levels: 10 }",
    doc: "Declaration keys of an `octez-accuser`.",
    keys: &[COMMON, ACCUSER_KEYS],
    later: LATER,
};

pub(crate) static WITH_BAKER: Table = Table {
    name: "octez-baker settings",
    example: "{ keys: [bootstrap1] }",
    doc: "Declaration keys of an `octez-baker`.",
    keys: &[COMMON, BAKER_KEYS],
    later: LATER,
};

pub(crate) static WITH_PROCESS: Table = Table {
    name: "process settings",
    example: "{ args: [-v] }",
    doc: "Declaration keys of a `process`.",
    keys: &[COMMON, PROCESS_KEYS],
    later: LATER,
};

pub(crate) static DEFAULTS: Table = Table {
    name: "defaults",
    example: "{ octez-node: { private_mode: true } }",
    doc: "What every daemon of a kind has, unless it says something else.",
    keys: &[&[
        optional(
            "octez-node",
            Shape::Table(&WITH_NODE),
            "What every `octez-node` has, unless its declaration says something else.",
        ),
        optional(
            "octez-accuser",
            Shape::Table(&WITH_ACCUSER),
            "What every `octez-accuser` has, unless its declaration says something else.",
        ),
        optional(
            "octez-baker",
            Shape::Table(&WITH_BAKER),
            "What every `octez-baker` has, unless its declaration says something else.",
        ),
        optional(
            "process",
            Shape::Table(&WITH_PROCESS),
            "What every `process` has, unless its declaration says something else.",
        ),
    ]],
    later: &[],
};

pub(crate) static UPGRADE: Table = Table {
    name: "upgrade",
    example: "{ level: 8, protocol: ProtoALphaALphaALphaALphaALphaALphaALphaALphaDdp3zK }",
    doc: "A change of the protocol at a level.",
    keys: &[&[
        required(
            "level",
            Shape::Integer(2),
            "Of the last block of the old protocol: the migration block.",
        ),
        required("protocol", Shape::Text, "The hash of the new protocol."),
    ]],
    later: &[],
};

pub(crate) static RESTART: Table = Table {
    name: "restart",
    example: "{ policy: on-failure, max_restarts: 5, window: 30s }",
    doc: "When a death is answered with a new incarnation.",
    keys: &[&[
        required(
            "policy",
            Shape::Word(&["never", "on-failure", "always"]),
            "`on-failure`: after a signal, a fault, or a code that is no success.",
        ),
        optional(
            "max_restarts",
            Shape::Integer(0),
            "Restarts allowed within `window`; then it is given up.",
        ),
        optional("window", Shape::Duration, "The sliding window that `max_restarts` counts in."),
        optional(
            "backoff",
            Shape::Table(&BACKOFF),
            "How long to wait before the n-th restart in a row.",
        ),
        optional(
            "success",
            Shape::List(&Shape::Integer(i64::MIN)),
            "Exit codes that are no failure.",
        ),
    ]],
    later: &[],
};

pub(crate) static BACKOFF: Table = Table {
    name: "backoff",
    example: "{ initial: 100ms, factor: 2, max: 5s }",
    doc: "How long to wait before the n-th restart in a row.",
    keys: &[&[
        optional("initial", Shape::Duration, "The delay before the first restart."),
        optional("factor", Shape::Number, "How much longer before each next one."),
        optional("max", Shape::Duration, "Never longer than this."),
        optional("jitter", Shape::Number, "Part of it that is drawn: 0.1 spreads it over ±10 %."),
    ]],
    later: &[],
};

pub(crate) static EVENT_LEVELS: Table = Table {
    name: "events",
    example: r#"{ level: info, sections: { "alpha.delegate": debug } }"#,
    doc: "From which level on events are written.",
    keys: &[&[
        optional("level", LEVELS, "Of all sections that are not named; info if not given."),
        optional(
            "sections",
            Shape::Map(&LEVELS),
            "By dotted section prefix; the first that fits counts.",
        ),
    ]],
    later: &[],
};

pub(crate) static READY: Table = Table {
    name: "ready",
    example: r#"{ stdout: "listening" }"#,
    doc: "What makes a process ready: one of these.",
    keys: &[&[
        optional("stdout", Shape::Text, "A pattern that a line of its output matches."),
        optional("event", Shape::Text, "An event that it emits."),
        WHERE,
        optional("tcp", Shape::Text, "`HOST:PORT` accepts a connection."),
        optional("http", Shape::Text, "A GET of this URL is answered with a 2xx status."),
        optional("exit", Shape::Integer(0), "It has ended with this code: a one-off command."),
    ]],
    later: &[],
};

pub(crate) static ENVELOPE: Table = Table {
    name: "envelope",
    example: r#"{ name: msg, value: "." }"#,
    doc: "Where a JSON line keeps its name, payload and time: dotted paths of fields; `.` is the whole line.",
    keys: &[&[
        required("name", Shape::Name, "The field with the event's name."),
        optional("value", Shape::Name, "The field with the payload; the whole line if not given."),
        optional("time", Shape::Name, "The field with the time: seconds, or RFC 3339."),
    ]],
    later: &[],
};
