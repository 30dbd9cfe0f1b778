//! The event pipe when nobody reads it, when it is full, and when its reader goes away.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::{Daemon, LIMIT, Node, Source, World, event, fifo, name_of};

/// An accuser whose events go to a FIFO of the smallest size, which the test holds open and does not read.
fn undrained(world: &World, node: &Node<'_>) -> (Daemon, File) {
    let path = world.path("undrained");
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let pipe = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let mut accuser = world.accuser(&node.endpoint(), &[]);
    accuser.env("TEZOS_EVENTS_CONFIG", format!("file-descriptor-path://{}", path.display()));
    let accuser = Daemon::spawn_with(accuser, Source::None);
    accuser.stdout.wait_for("Accuser 25.1");
    (accuser, pipe)
}

/// Writes until not a single byte fits any more.
fn fill(pipe: &File) {
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    loop {
        match (&*pipe).write(b".") {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Lines of the pipe up to an event of this name.
fn drain(lines: &mut impl Iterator<Item = std::io::Result<String>>, last: &str) -> Vec<String> {
    let mut drained = Vec::new();
    for line in lines {
        let line = line.unwrap();
        let done = name_of(&line) == last;
        drained.push(line);
        if done {
            break;
        }
    }
    drained
}

#[test]
fn a_full_pipe_stalls_it_and_nothing_is_lost() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let (accuser, pipe) = undrained(&world, &node);
    let mut lines = BufReader::new(pipe).lines();
    drain(&mut lines, "daemon_start.v0");
    // Each block makes some 1.7 kB of events: from the third on, the accuser waits for us.
    let blocks: Vec<String> = (0..12).map(|_| node.bake("bootstrap1")).collect();
    let mut processed = Vec::new();
    while processed.len() < blocks.len() {
        let lines = drain(&mut lines, "accuser_processed_block.v0");
        let last = event(lines.last().unwrap()).1["accuser_processed_block.v0"].clone();
        processed.push(last.as_str().unwrap().to_owned());
    }
    assert_eq!(processed, blocks);
    drop(accuser);
}

#[test]
fn a_full_pipe_holds_up_the_shutdown_until_a_second_signal() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let (mut accuser, pipe) = undrained(&world, &node);
    fill(&pipe);
    accuser.signal(Signal::SIGTERM);
    accuser.stderr.wait_for("TERM: triggering shutdown.");
    accuser.stderr.wait_for("send signal again to force-quit.");
    assert!(accuser.child.try_wait().unwrap().is_none());
    accuser.signal(Signal::SIGTERM);
    assert_eq!(accuser.exited().code(), Some(255));
    drop(pipe);
}

#[test]
fn a_reader_that_goes_away_counts_as_a_lost_node() {
    let world = World::new();
    let node = world.node("node");
    let _running = node.run();
    node.activate();
    let (mut accuser, pipe) = undrained(&world, &node);
    let mut lines = BufReader::new(pipe).lines();
    drain(&mut lines, "daemon_start.v0");
    drop(lines);
    node.bake("bootstrap1");
    assert_eq!(accuser.exited().code(), Some(1));
    let stderr = accuser.stderr.all().join("\n");
    assert!(stderr.contains("Lost connection with the node"), "{stderr}");
    assert!(stderr.contains("Failed to send event 'daemon_connection_lost'"), "{stderr}");
}

#[test]
fn without_a_reader_it_waits_and_still_answers_sigterm() {
    let world = World::new();
    let path = world.path("unread");
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    // There is no node: whoever got past its sink would end at once.
    let endpoint = format!("http://127.0.0.1:{}", world.port());
    let mut accuser = world.accuser(&endpoint, &[]);
    accuser.env("TEZOS_EVENTS_CONFIG", format!("file-descriptor-path://{}", path.display()));
    let mut accuser = Daemon::spawn_with(accuser, Source::None);
    // The open that waits has a thread of its own.
    let tasks = format!("/proc/{}/task", accuser.pid());
    let deadline = Instant::now() + LIMIT;
    while std::fs::read_dir(&tasks).unwrap().count() < 2 {
        assert!(Instant::now() < deadline, "it did not begin to open its sink");
        std::thread::yield_now();
    }
    accuser.signal(Signal::SIGTERM);
    assert_eq!(accuser.exited().code(), Some(127));
}

#[test]
fn the_first_line_comes_before_anything_else_happens() {
    let world = World::new();
    let endpoint = format!("http://127.0.0.1:{}", world.port());
    let (path, reader) = fifo(&world, "late");
    let mut accuser = world.accuser(&endpoint, &[]);
    let value = format!("file-descriptor-path://{}?section-prefix=:info", path.display());
    accuser.env("TEZOS_EVENTS_CONFIG", &value);
    let mut accuser = Daemon::spawn_with(accuser, Source::Fifo(reader));
    assert_eq!(accuser.exited().code(), Some(1));
    assert_eq!(accuser.names(), ["uri_loaded_from_env.v0", "starting_daemon.v0"]);
    let (_, first) = event(&accuser.lines()[0]);
    assert_eq!(first["uri_loaded_from_env.v0"]["value"], value);
}
