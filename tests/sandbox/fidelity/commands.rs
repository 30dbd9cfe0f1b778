//! Commands that end by themselves, and what they say then: a row for each situation, brought about for real.

use std::process::Output;

use super::shape::matches;
use crate::relay::{Meddler, Relay};
use crate::support::{World, told};

/// A command that ends by itself, and what it leaves: its exit code, and patterns for the whole of its standard output and
/// error. Words in braces stand for what [`Stage::filled`] knows.
struct Ending {
    words: &'static str,
    /// The value of `TEZOS_EVENTS_CONFIG`, if there is one.
    sink: &'static str,
    code: i32,
    stdout: &'static str,
    stderr: &'static str,
}

const fn ending(
    words: &'static str,
    code: i32,
    stdout: &'static str,
    stderr: &'static str,
) -> Ending {
    Ending { words, sink: "", code, stdout, stderr }
}

const fn with_sink(
    words: &'static str,
    sink: &'static str,
    code: i32,
    stderr: &'static str,
) -> Ending {
    Ending { words, sink, code, stdout: NOTHING, stderr }
}

const NOTHING: &str = r"^$";
const VERSION: &str = r"^1a2b3c4d \(2026-07-20 09:00:00 \+0200\) \(Octez 25\.1 \(build: 0\)\)\n$";
const HELP: &str = r"(?s)^Usage:\n.*--endpoint";
/// An error of the command line, with the options that there are.
const USAGE: &str = r"(?s)^Error:\n  \S.*\nUsage:\n";

const ACCUSER: &[Ending] = &[
    ending("octez-accuser --version", 0, VERSION, NOTHING),
    ending("octez-accuser --help", 0, HELP, NOTHING),
    ending("octez-accuser -h", 0, HELP, NOTHING),
    ending("octez-accuser man", 0, HELP, NOTHING),
    ending("octez-accuser run --help", 0, HELP, NOTHING),
    ending("octez-accuser", 1, NOTHING, USAGE),
    ending("octez-accuser walk", 1, NOTHING, USAGE),
    ending("octez-accuser --nonsense run", 1, NOTHING, USAGE),
    ending("octez-accuser -m xml run", 1, NOTHING, USAGE),
    ending("octez-accuser -E http://h?query run", 1, NOTHING, USAGE),
    ending("octez-accuser -E", 1, NOTHING, USAGE),
    ending("octez-accuser run --fast", 1, NOTHING, USAGE),
    ending("octez-accuser run --preserved-levels -1", 1, NOTHING, USAGE),
    ending("octez-accuser run --preserved-levels many", 1, NOTHING, USAGE),
    ending("octez-accuser run --pidfile", 1, NOTHING, USAGE),
    ending(
        "octez-accuser -d {missing} run",
        1,
        NOTHING,
        r"^Error:\n  Specified --base-dir does not exist\. Please create the directory and try again\.\n$",
    ),
    ending(
        "octez-accuser -d {dir} run --pidfile {missing}/pid",
        1,
        NOTHING,
        r"(?m)^Error:\n  Failed to create the pidfile: .*No such file or directory",
    ),
    ending(
        "octez-accuser -d {dir} -E {nowhere} run",
        1,
        NOTHING,
        r"(?m)^Error:\n  Cannot connect to node\. Connection refused \(ECONNREFUSED\): {nowhere}$",
    ),
    // What is asked without Octez's own client, and is not answered with 200.
    ending("octez-accuser -d {dir} -E {broken} run", 1, r"^Fatal error:\n  .*HTTP 404", r"NOTICE"),
    ending(
        "octez-accuser -d {dir} -E {foreign} run",
        1,
        NOTHING,
        r"(?m)^Fatal error:\n  .*PtSeouLou",
    ),
    ending(
        "octez-accuser -d {dir} -E {garbled} run",
        1,
        NOTHING,
        r"(?m)^Error:\n  .*/metadata: not JSON",
    ),
    // Asked ten times, then given up.
    ending(
        "octez-accuser -d {dir} -E {gateway} run",
        1,
        NOTHING,
        r"(?m)^Error:\n  .*/monitor/bootstrapped: HTTP 502 Bad Gateway",
    ),
    with_sink(
        "octez-accuser -d {dir} run",
        "file-descriptor-path:///p?format=xml",
        1,
        r"^Fatal error:\n  ERROR Initializing Internal_event_unix: ",
    ),
    with_sink("octez-accuser -d {dir} run", "nonsense://x", 1, r"^Fatal error:\n"),
    with_sink("octez-accuser -d {dir} run", "{missing}/sinks.json", 1, r"^Fatal error:\n"),
    with_sink(
        "octez-accuser -d {dir} run",
        "file-descriptor-path://{missing}/p",
        1,
        r"^Fatal error:\n",
    ),
];

const NODE: &[Ending] = &[
    ending("octez-node --version", 0, VERSION, NOTHING),
    ending("octez-node --help", 0, r"(?s)^NAME\n.*octez-node run", NOTHING),
    ending("octez-node", 124, NOTHING, r"^octez-node: required COMMAND name is missing"),
    ending("octez-node walk", 124, NOTHING, r"^octez-node: unknown command 'walk'"),
    ending("octez-node run --fast", 124, NOTHING, r"^octez-node: unknown option '--fast'"),
    ending("octez-node run now", 124, NOTHING, r"^octez-node: too many arguments"),
    ending("octez-node run --rpc-addr", 124, NOTHING, r"^octez-node: option '--rpc-addr' needs"),
    ending(
        "octez-node config init -d {new} --singleprocess",
        124,
        NOTHING,
        r"^octez-node: unknown option",
    ),
    ending(
        "octez-node identity generate --data-dir {new} 0",
        0,
        NOTHING,
        r"^Generating a new identity\.\.\. \(level: 0\.00\) Stored the new identity \(id\w{28}\) into '{new}/identity\.json'\.\n$",
    ),
    ending(
        "octez-node identity generate --data-dir {new} 0",
        124,
        NOTHING,
        r"^octez-node: .*exists already",
    ),
    ending("octez-node identity show --data-dir {new}", 0, r"^Peer_id: id\w{28}\.\n$", NOTHING),
    ending("octez-node identity show --data-dir {missing}", 124, NOTHING, r"no identity file"),
    ending(
        "octez-node config init --data-dir {new} --network sandbox --expected-pow 0",
        0,
        NOTHING,
        r"^Created {new}/config\.json for network: sandbox\.\n$",
    ),
    ending(
        "octez-node config init --data-dir {new}",
        124,
        NOTHING,
        r"^octez-node: .*`config reset`",
    ),
    ending(
        "octez-node config update -d {new} --connections 3",
        0,
        NOTHING,
        r"^Updated {new}/config\.json",
    ),
    ending("octez-node config validate -d {new}", 0, NOTHING, NOTHING),
    ending("octez-node config show -d {new}", 0, r#"(?s)^\{.*"expected-connections": 3"#, NOTHING),
    ending("octez-node config reset -d {new}", 0, NOTHING, r"^Reset {new}/config\.json"),
    ending("octez-node run -d {new} --peer somebody", 124, NOTHING, r"^octez-node: .*is no peer"),
    ending("octez-node run -d /proc/nowhere", 124, NOTHING, r"^octez-node: .*data directory"),
    ending(
        "octez-node run -d {running} --rpc-addr {free} --net-addr {free}",
        124,
        NOTHING,
        r"(?m)^octez-node: Data directory is locked by another process$",
    ),
    ending(
        "octez-node run -d {new} --rpc-addr {taken} --net-addr {free}",
        124,
        NOTHING,
        r"(?m)^octez-node: cannot listen for RPC on .*Address already in use",
    ),
    ending(
        "octez-node run -d {bad}",
        124,
        NOTHING,
        r"^octez-node: .*config\.json is no configuration",
    ),
    ending(
        "octez-node config validate -d {bad}",
        124,
        NOTHING,
        r"config\.json is no configuration",
    ),
    with_sink(
        "octez-node run -d {new}",
        "carrier-pigeon:///tmp",
        124,
        r"^octez-node: .*event sinks",
    ),
    with_sink(
        "octez-node run -d {new}",
        "file-descriptor-path:///p?level-at-least=none",
        124,
        r"^octez-node: .*event sinks",
    ),
];

const CLIENTS: &[Ending] = &[
    ending("octez-client --version", 0, VERSION, NOTHING),
    ending("octez-client --help", 0, r"(?s)^Usage:\n.*bake for", NOTHING),
    ending("octez-client dance", 1, NOTHING, r"^Error:\n  Unrecognized command: dance"),
    ending("octez-client -d {missing} dance", 1, NOTHING, r"^Error:\n  Specified --base-dir"),
    ending(
        "octez-client -E {nowhere} rpc get /version",
        1,
        NOTHING,
        r"^Error:\n  Cannot connect to node\.",
    ),
    ending(
        "octez-client -E {node} rpc get /chains/main/chain_id",
        0,
        "^\"NetXdQprcVkpaWU\"\n$",
        NOTHING,
    ),
    ending("octez-client -E {node} rpc get /nothing/here", 1, NOTHING, r"^Error:\n  .*404"),
    ending(
        "octez-client -E {node} bake for bootstrap1",
        1,
        NOTHING,
        r"^Error:\n  .*no protocol is active",
    ),
    ending("octez-admin-client --version", 0, VERSION, NOTHING),
    ending(
        "octez-admin-client -E {node} connect address nowhere",
        1,
        NOTHING,
        r"^Error:\n  nowhere is",
    ),
    ending(
        "octez-admin-client -E {node} p2p stat",
        0,
        r"(?s)^CONNECTIONS\n.*KNOWN POINTS",
        NOTHING,
    ),
];

/// Answers some requests of an accuser in a way that no node would.
struct Odd(&'static str, &'static str, &'static str);

impl Meddler for Odd {
    fn answer(&self, path: &str) -> Option<(&'static str, String)> {
        path.ends_with(self.0).then(|| (self.1, self.2.to_owned()))
    }
}

/// What the words in braces stand for.
struct Stage<'a> {
    world: &'a World,
    known: Vec<(&'static str, String)>,
}

impl Stage<'_> {
    fn filled(&self, text: &str) -> String {
        let fill = |text: String, (name, value): &(&str, String)| {
            text.replace(&format!("{{{name}}}"), value)
        };
        let text = self.known.iter().fold(text.to_owned(), fill);
        text.replace("{free}", &format!("127.0.0.1:{}", self.world.port()))
    }

    fn check(&self, ending: &Ending) {
        let words = self.filled(ending.words);
        let mut words = words.split(' ');
        let mut command = self.world.command(words.next().unwrap());
        if !ending.sink.is_empty() {
            command.env("TEZOS_EVENTS_CONFIG", self.filled(ending.sink));
        }
        let output = command.args(words).output().unwrap();
        let shown = || format!("{} {}: {}", ending.words, ending.sink, told(&output));
        assert_eq!(output.status.code(), Some(ending.code), "{}", shown());
        let Output { stdout, stderr, .. } = &output;
        for (text, wanted) in [(stdout, ending.stdout), (stderr, ending.stderr)] {
            let text = String::from_utf8_lossy(text);
            assert!(matches(&text, &self.filled(wanted)), "wanted {wanted}, got {}", shown());
        }
    }
}

#[test]
fn every_command_that_ends_by_itself_says_why_and_has_its_exit_code() {
    let world = World::new();
    let node = world.node("running");
    let _running = node.run();
    let active = world.node("active");
    let _active_running = active.run();
    active.activate();
    let path = |name: &str| world.path(name).to_str().unwrap().to_owned();
    for name in ["dir", "bad"] {
        std::fs::create_dir(world.path(name)).unwrap();
    }
    std::fs::write(world.path("bad/config.json"), "{").unwrap();
    let foreign = r#"{"next_protocol":"PtSeouLouXkxhg39oWzjxDWaCydNfR3RxCUrNe4Q9Ro8BTehcbh"}"#;
    let relays = [
        ("broken", Odd("/head/metadata", "404 Not Found", "")),
        ("foreign", Odd("/head/metadata", "200 OK", foreign)),
        ("garbled", Odd("/head/metadata", "200 OK", "{")),
        ("gateway", Odd("/monitor/bootstrapped", "502 Bad Gateway", "nobody there")),
    ]
    .map(|(name, odd)| (name, Relay::start(active.rpc, odd)));
    let mut known = vec![
        ("dir", path("dir")),
        ("new", path("new")),
        ("bad", path("bad")),
        ("missing", path("missing")),
        ("running", path("running")),
        ("nowhere", format!("http://127.0.0.1:{}", world.port())),
        ("node", node.endpoint()),
        ("taken", format!("127.0.0.1:{}", node.rpc)),
    ];
    known.extend(relays.iter().map(|(name, relay)| (*name, relay.endpoint())));
    let stage = Stage { world: &world, known };
    [ACCUSER, NODE, CLIENTS].into_iter().flatten().for_each(|ending| stage.check(ending));
}
