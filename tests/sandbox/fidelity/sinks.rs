//! The event sinks: which events go where, in which form, and what a reader's absence does.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::json;

use super::shape::matches;
use crate::support::{Daemon, Source, World, event, fifo, name_of};

const URI: &str = "uri_loaded_from_env.v0";
const START: &str = "starting_daemon.v0";

/// Options of a path sink, and the events that an accuser without a node leaves there: one of `internal_event_unix`, one of
/// `agnostic-agent`, both notices.
const FILTERS: &[(&str, &[&str])] = &[
    ("", &[URI, START]),
    ("?unknown=1", &[URI, START]),
    ("?level-at-least=notice", &[URI, START]),
    ("?level-at-least=NOTICE", &[URI, START]),
    ("?level-at-least=warning", &[]),
    ("?section-prefix=:debug", &[URI, START]),
    ("?section-prefix=agnostic-agent:none", &[URI]),
    ("?section-prefix=agnostic-agent:none&section-prefix=:info", &[URI]),
    // The first that matches wins.
    ("?section-prefix=:error&section-prefix=agnostic-agent:debug", &[]),
    ("?section-prefix=agnostic-agent:debug&section-prefix=:error", &[START]),
    ("?section-prefix=agnostic-agent:debug,:error", &[START]),
    // What no prefix matches is taken from info on; a prefix without a level is, too.
    ("?section-prefix=internal_event_unix:none", &[START]),
    ("?section-prefix=agnostic-agent&section-prefix=:fatal", &[START]),
    // The name is the last word of the section.
    ("?section-prefix=agnostic-agent.starting_daemon:none&section-prefix=:info", &[URI]),
    ("?section-prefix=agnostic-agent.starting:none&section-prefix=:info", &[URI, START]),
    ("?section-prefix=_.starting_daemon:none&section-prefix=:info", &[URI]),
    ("?section-prefix=*.starting_daemon:none&section-prefix=:info", &[URI]),
    // The level is what comes after all prefixes.
    ("?level-at-least=error&section-prefix=agnostic-agent:info", &[START]),
];

/// Runs an accuser that finds no node; gives its process id.
fn run(world: &World, sinks: &str) -> u32 {
    let mut accuser = world.accuser(&format!("http://127.0.0.1:{}", world.port()), &[]);
    accuser.env("TEZOS_EVENTS_CONFIG", sinks).env("TEZOS_EVENT_HOSTNAME", "host");
    let mut child = accuser.stderr(std::process::Stdio::null()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{sinks}");
    child.id()
}

fn names(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(name_of).collect()
}

#[test]
fn a_sink_takes_what_its_prefixes_and_level_say() {
    let world = World::new();
    for (number, (options, wanted)) in FILTERS.iter().enumerate() {
        let path = world.path(&format!("events-{number}"));
        run(&world, &format!("file-descriptor-path://{}{options}", path.display()));
        assert_eq!(names(&path), *wanted, "{options}");
    }
}

#[test]
fn a_sink_makes_its_file_as_its_options_say() {
    let world = World::new();
    let path = |name: &str| world.path(name).display().to_string();
    let mode = |name: &str| std::fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
    for (name, options, wanted) in [
        ("plain", "", 0o600),
        ("octal", "?chmod=0o640", 0o640),
        ("decimal", "?chmod=416", 0o640),
        ("hexadecimal", "?chmod=0x1a0", 0o640),
        ("deep/er", "?create-dirs=true", 0o600),
    ] {
        run(&world, &format!("file-descriptor-path://{}{options}", path(name)));
        assert_eq!(mode(name), wanted, "{options}");
    }
    for (options, lines) in [("", 2), ("?fresh=1", 4), ("?fresh=true", 2)] {
        run(&world, &format!("file-descriptor-path://{}{options}", path("again")));
        assert_eq!(names(&world.path("again")).len(), lines, "{options}");
    }
    let pid = run(&world, &format!("file-descriptor-path://{}?with-pid=true", path("own.log")));
    assert_eq!(names(&world.path(&format!("own-{pid}.log"))), [URI, START]);
    run(&world, &format!("file-descriptor-path://{}?daily-logs=3&with-pid=true", path("day.log")));
    let daily = files(&world.path(""), r"^day-\d{8}\.log$");
    assert_eq!(daily.len(), 1);
}

/// The files of a directory whose names match, with what is in them.
fn files(directory: &Path, pattern: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    named
        .filter(|(name, _)| matches(name, pattern))
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn lines_have_the_form_that_is_asked_for() {
    let world = World::new();
    let path = world.path("events");
    let written = |options: &str| {
        run(&world, &format!("file-descriptor-path://{}?fresh=true{options}", path.display()));
        std::fs::read_to_string(&path).unwrap()
    };
    let advertised = written("&advertise-levels=true");
    assert!(advertised.starts_with(r#"{"fd-sink-item.v0":{"level":"notice","hostname":"host","#));
    assert!(written("&advertise-levels=false").starts_with(r#"{"fd-sink-item.v0":{"hostname":"#));
    let mut netstrings = &*written("&format=netstring");
    for name in [URI, START] {
        let (length, rest) = netstrings.split_once(':').unwrap();
        let (json, rest) = rest.split_at(length.parse().unwrap());
        assert_eq!(name_of(json), name);
        netstrings = rest.strip_prefix(',').unwrap();
    }
    assert_eq!(netstrings, "");
}

#[test]
fn sinks_may_be_many_and_stand_in_a_file() {
    let world = World::new();
    let sink = |name: &str, options: &str| {
        format!("file-descriptor-path://{}{options}", world.path(name).display())
    };
    let config = world.path("sinks.json");
    for key in ["active_sinks", "activate"] {
        let listed = [sink("first", "?fresh=true"), sink("second", "?fresh=true")];
        std::fs::write(&config, json!({ (key): listed }).to_string()).unwrap();
        let third = sink("third", "?fresh=true&section-prefix=agnostic-agent:none");
        let variable = format!(" {}\t\n{third} ", config.display());
        run(&world, &variable);
        assert_eq!(names(&world.path("first")), [URI, START]);
        assert_eq!(names(&world.path("second")), [URI, START]);
        assert_eq!(names(&world.path("third")), [URI]);
        let text = std::fs::read_to_string(world.path("third")).unwrap();
        let told = event(&text).1[URI].clone();
        assert_eq!(told, json!({ "variable": "TEZOS_EVENTS_CONFIG", "value": variable }));
    }
}

#[test]
fn daemons_keep_a_log_of_each_day_beside_their_sinks() {
    let world = World::new();
    let node = world.node("node");
    let running = node.run();
    node.activate();
    let accuser = Daemon::spawn(&world, "a", world.accuser(&node.endpoint(), &[]), "");
    accuser.wait_for("daemon_start.v0", |_| true);
    assert_eq!(accuser.terminate(), Some(127));
    assert_eq!(running.terminate(), Some(127));
    for (directory, first, last) in [
        (
            "accuser/logs/octez-accuser",
            "agnostic-agent.starting_daemon",
            "agnostic-agent.stopping_daemon",
        ),
        ("node/daily_logs", "node.config.validation.config_validation_success", "node.main.bye"),
    ] {
        let logs = files(&world.path(directory), r"^daily-\d{8}\.log$");
        // Two, if it is midnight.
        let lines: Vec<&str> = logs.values().flat_map(|log| log.lines()).collect();
        let stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}-00:00";
        for (line, path) in [(lines[0], first), (*lines.last().unwrap(), last)] {
            let wanted = format!(r"^<005> {stamp} \[{}\] \S", path.replace('.', r"\."));
            assert!(matches(line, &wanted), "{line}");
        }
        assert!(lines.iter().any(|line| line.starts_with("<006> ")), "info is in it: {lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("uri_loaded_from_env")));
    }
}

#[test]
fn a_node_goes_on_without_the_reader_of_its_events() {
    let world = World::new();
    let node = world.node("node");
    let (path, reader) = fifo(&world, "events");
    let mut command = node.run_command();
    command.env("TEZOS_EVENTS_CONFIG", format!("file-descriptor-path://{}", path.display()));
    let mut running = Daemon::spawn_with(command, Source::None);
    running.stderr.wait_for("the Tezos node is now running");
    drop(reader);
    node.activate();
    node.bake("bootstrap1");
    running.stderr.wait_for("Failed to send event 'head_increment': ");
    assert_eq!(node.level(), 2);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.exited().code(), Some(127));
}

/// It takes the reader's absence for the node's, connects again, and finds the node there.
#[test]
fn with_keep_alive_an_accuser_goes_on_without_its_reader() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let (path, reader) = fifo(&world, "events");
    let mut accuser = world.accuser(&node.endpoint(), &["--keep-alive"]);
    accuser.env("TEZOS_EVENTS_CONFIG", format!("file-descriptor-path://{}", path.display()));
    let mut accuser = Daemon::spawn_with(accuser, Source::None);
    accuser.stdout.wait_for("Accuser 25.1");
    drop(reader);
    // A block from before the stream of them was opened is not seen.
    while accuser.stdout.all().iter().filter(|line| line.starts_with("Accuser")).count() < 2 {
        node.bake("bootstrap1");
    }
    accuser.stderr.wait_for("Failed to send event 'daemon_connection_lost'");
    accuser.stderr.wait_for("Lost connection with the node. Retrying");
    accuser.signal(Signal::SIGTERM);
    assert_eq!(accuser.exited().code(), Some(127));
}
