//! What signals do to a running node and accuser: a row for each.

use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::Signal;

use crate::support::{Daemon, World, told};

/// What the programs say of themselves when a signal ends them; `EXE` is how they were called. The user's log is left out.
struct SignalEnding {
    signal: Signal,
    /// `None`: the signal itself ends the program.
    code: Option<i32>,
    stderr: &'static [&'static str],
    last_event: Option<&'static str>,
}

const fn caught(
    signal: Signal,
    stderr: &'static [&'static str],
    last_event: &'static str,
) -> SignalEnding {
    SignalEnding { signal, code: Some(127), stderr, last_event: Some(last_event) }
}

const fn uncaught(signal: Signal) -> SignalEnding {
    SignalEnding { signal, code: None, stderr: &[], last_event: None }
}

const ACCUSER_SIGNALS: &[SignalEnding] = &[
    caught(
        Signal::SIGTERM,
        &["(EXE) TERM: triggering shutdown.", "(EXE) TERM: already in shutdown."],
        "stopping_daemon.v0",
    ),
    caught(
        Signal::SIGINT,
        &["(EXE) INT: triggering shutdown.", "(EXE) INT: already in shutdown."],
        "stopping_daemon.v0",
    ),
    uncaught(Signal::SIGHUP),
    uncaught(Signal::SIGQUIT),
    uncaught(Signal::SIGUSR1),
    uncaught(Signal::SIGKILL),
];

const NODE_SIGNALS: &[SignalEnding] = &[
    caught(Signal::SIGTERM, &["(EXE) TERM: triggering shutdown."], "bye.v0"),
    caught(Signal::SIGINT, &["(EXE) INT: triggering shutdown."], "bye.v0"),
    uncaught(Signal::SIGHUP),
    uncaught(Signal::SIGQUIT),
    uncaught(Signal::SIGUSR1),
    uncaught(Signal::SIGKILL),
];

/// Sends the signal and compares the end with the row.
fn check_signal(world: &World, program: &str, mut daemon: Daemon, ending: &SignalEnding) {
    daemon.signal(ending.signal);
    let status = daemon.exited();
    assert_eq!(status.code(), ending.code, "{program} {}", ending.signal);
    if ending.code.is_none() {
        assert_eq!(status.signal(), Some(ending.signal as i32), "{program}");
    }
    let exe = world.path("bin").join(program);
    let own = daemon.stderr.all().into_iter().filter(|line| !line.contains('│'));
    let own: Vec<String> = own.map(|line| line.replace(exe.to_str().unwrap(), "EXE")).collect();
    assert_eq!(own, ending.stderr, "{program} {}", ending.signal);
    let goodbyes = ["stopping_daemon.v0", "shutting_down_node.v0", "bye.v0"];
    let names = daemon.names();
    match ending.last_event {
        Some(last) => assert_eq!(names.last().unwrap(), last),
        None => assert!(!names.iter().any(|name| goodbyes.contains(&name.as_str())), "{names:?}"),
    }
}

#[test]
fn each_signal_ends_an_accuser_as_it_ends_octezs() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    for ending in ACCUSER_SIGNALS {
        let accuser = world.accuser(&node.endpoint(), &[]);
        let accuser = Daemon::spawn(&world, "accuser", accuser, "");
        accuser.wait_for("daemon_start.v0", |_| true);
        let stdout = std::sync::Arc::clone(&accuser.stdout);
        check_signal(&world, "octez-accuser", accuser, ending);
        let mut said = vec![
            "Node is bootstrapped.",
            "Waiting for protocol 025-PsUshuai to start...",
            "Accuser 25.1 (1a2b3c4d) for PsUshuai9Qap started.",
        ];
        said.extend(ending.code.map(|_| "Shutting down the accuser..."));
        assert_eq!(stdout.all(), said);
    }
}

#[test]
fn each_signal_ends_a_node_as_it_ends_octezs() {
    let world = World::new();
    let node = world.node("node");
    for ending in NODE_SIGNALS {
        let running = node.run();
        let stdout = std::sync::Arc::clone(&running.stdout);
        check_signal(&world, "octez-node", running, ending);
        assert_eq!(stdout.all(), Vec::<String>::new());
    }
}

#[test]
fn a_program_that_is_found_in_path_tells_its_whole_path() {
    let world = World::new();
    let mut node = std::process::Command::new("octez-node");
    node.args(world.node("node").run_command().get_args());
    node.env("PATH", world.path("bin"));
    let mut node = Daemon::spawn(&world, "node", node, "");
    node.wait_for("node_is_ready.v0", |_| true);
    node.signal(Signal::SIGTERM);
    assert_eq!(node.exited().code(), Some(127));
    let exe = world.path("bin").join("octez-node");
    node.stderr.wait_for(&format!("({}) TERM: triggering shutdown.", exe.display()));
}

/// Without descriptors not even the event loop can begin: an exception that nobody catches.
#[test]
fn what_goes_wrong_before_anything_else_is_126() {
    let world = World::new();
    for program in ["octez-accuser", "octez-node"] {
        let with_descriptors = |count: u32| {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", r#"ulimit -n "$1" && exec "$0" run"#]);
            shell.arg(world.path("bin").join(program)).arg(count.to_string()).output().unwrap()
        };
        // With fewer still, the loader does not find the libraries and says 127.
        let output = (4..20).map(with_descriptors).find(|output| output.status.code() != Some(127));
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(126), "{program}: {}", told(&output));
    }
}
