//! An accuser's handle: what it offers, one promise after the other, with a real node and a real accuser.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tribunal::daemon::{ExitCause, ExitStatus, Level};
use tribunal::event::Seq;
use tribunal::harness::{Accuser, Client, CommandError, Grace, Harness, Node, WaitError};

use crate::support::{TIMEOUT, with_harness};

/// A node at level 1, and its client.
async fn activated(harness: &Harness) -> (Node, Client) {
    let node = harness.node("node").synchronisation_threshold(0).init().await.unwrap();
    let client = harness.client(&node);
    client.activate().await.unwrap();
    (node, client)
}

/// Whether the accuser writes events of the level debug: it does so for each block that it sees.
async fn sees_blocks(accuser: &Accuser, client: &Client) -> bool {
    let from = accuser.mark();
    let block = client.bake_for("bootstrap1").await.unwrap();
    let processed = accuser.wait_for("accuser_processed_block.v0").since(from);
    let processed = processed.matching(&format!("self == {:?}", block.hash)).unwrap();
    let processed = processed.within(TIMEOUT).await.unwrap();
    let seen =
        accuser.wait_for("accuser_saw_block.v0").since(from).within(std::time::Duration::ZERO);
    seen.await.is_ok_and(|seen| seen.seq < processed.seq)
}

/// The words of a living process's command line.
fn command_line(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

#[test]
fn create_runs_nothing_and_tells_name_and_port() {
    with_harness(|harness| async move {
        let node = harness.node("node").create().await.unwrap();
        let accuser = harness.accuser("alice", &node).create().await.unwrap();
        assert_eq!(accuser.name().as_str(), "alice");
        assert_eq!(accuser.node_rpc_port(), node.rpc_port());
        assert_eq!((accuser.pid(), accuser.exit_reason(), accuser.first()), (None, None, None));
        assert!(matches!(
            harness.accuser("alice", &node).create().await,
            Err(tribunal::harness::InitError::Command(CommandError::NameTaken { .. }))
        ));
        // Ending what does not run is no error, and nothing happens.
        assert_eq!(accuser.terminate(Grace::default()).await.unwrap(), None);
        assert_eq!(accuser.kill().await.unwrap(), None);
    });
}

#[test]
fn temporary_paths_derive_from_the_name_and_a_given_base_dir_is_used() {
    with_harness(|harness| async move {
        let (node, _) = activated(&harness).await;
        let alice = harness.accuser("alice", &node).init().await.unwrap();
        let pipe = harness.event_pipe(alice.name());
        assert!(pipe.to_string_lossy().contains("alice"), "{}", pipe.display());
        assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
        let words = command_line(alice.pid().unwrap());
        let own = words.iter().position(|word| word == "--base-dir").map(|at| &words[at + 1]);
        assert_eq!(own.map(Path::new).and_then(Path::file_name), Some("alice".as_ref()));

        let elsewhere = harness.directory("elsewhere").unwrap();
        let bob = harness.accuser("bob", &node).base_dir(&elsewhere).init().await.unwrap();
        let words = command_line(bob.pid().unwrap());
        assert!(words.contains(&elsewhere.to_string_lossy().into_owned()), "{words:?}");
        assert!(words.contains(&node.endpoint()), "{words:?}");
    });
}

#[test]
fn init_waits_for_the_node_then_runs_the_accuser_and_waits_for_it() {
    with_harness(|harness| async move {
        let node = harness.node("node").synchronisation_threshold(0).create().await.unwrap();
        let client = harness.client(&node);
        let accuser = harness.accuser("accuser", &node).init();
        let begin = async {
            node.run().await.unwrap();
            node.wait_for_ready().await.unwrap();
            client.activate().await.unwrap();
        };
        let (accuser, ()) = tokio::join!(accuser, begin);
        let accuser = accuser.unwrap();
        let node_ready = node.wait_for_ready().await.unwrap();
        assert!(node_ready.seq < accuser.first().unwrap(), "the accuser was run too early");
        assert!(accuser.pid().is_some());
        // Sticky: it is ready, however long ago it became so.
        let first = accuser.wait_for_ready().await.unwrap();
        assert_eq!(accuser.wait_for_ready().await.unwrap().seq, first.seq);
    });
}

#[test]
fn run_is_done_when_it_has_been_spawned_and_a_running_accuser_is_refused() {
    with_harness(|harness| async move {
        // Nobody answers where this node would be, so the accuser never becomes ready.
        let node = harness.node("node").create().await.unwrap();
        let accuser = harness.accuser("accuser", &node).keep_alive(true).create().await.unwrap();
        let ready = accuser.wait_for_ready();
        let done = accuser.run().await.unwrap();
        assert_eq!(done.pid, accuser.pid());
        let refused = accuser.run().await.unwrap_err();
        assert!(matches!(refused, CommandError::Refused { .. }), "{refused}");
        accuser.kill().await.unwrap();
        let error = ready.await.unwrap_err();
        assert!(matches!(error, WaitError::TerminatedBeforeEvent { .. }), "{error}");
    });
}

#[test]
fn terminate_is_sigterm_and_ends_with_code_127_and_kill_is_sigkill() {
    with_harness(|harness| async move {
        let (node, _) = activated(&harness).await;
        let accuser = harness.accuser("accuser", &node).init().await.unwrap();
        let done = accuser.terminate(Grace::default()).await.unwrap().unwrap();
        let exit = done.exit.unwrap();
        assert_eq!((exit.status, exit.cause), (ExitStatus::Code(127), ExitCause::Terminate));
        assert_eq!(accuser.exit_reason(), Some(exit));
        assert_eq!(accuser.pid(), None);

        accuser.run().await.unwrap();
        accuser.wait_for_ready().await.unwrap();
        let exit = accuser.kill().await.unwrap().unwrap().exit.unwrap();
        assert_eq!((exit.status, exit.cause), (ExitStatus::Signal(9), ExitCause::Kill));
        assert_eq!(exit.incarnation.0, 2);
    });
}

#[test]
fn restart_keeps_the_arguments_and_the_event_level_and_waits_until_ready() {
    with_harness(|harness| async move {
        let (node, client) = activated(&harness).await;
        let accuser = harness.accuser("accuser", &node).preserved_levels(7);
        let accuser = accuser.event_level(Level::Debug).init().await.unwrap();
        assert!(sees_blocks(&accuser, &client).await);
        let before = (accuser.pid().unwrap(), command_line(accuser.pid().unwrap()));
        assert!(before.1.windows(2).any(|pair| pair == ["--preserved-levels", "7"]), "{before:?}");

        accuser.restart().await.unwrap();
        let pid = accuser.pid().unwrap();
        assert_ne!(pid, before.0);
        assert_eq!(command_line(pid), before.1);
        // It is ready by now: that is in the past of its second incarnation.
        let from = accuser.first().unwrap();
        let start = accuser.wait_for("daemon_start.v0").since(from);
        assert_eq!(start.within(std::time::Duration::ZERO).await.unwrap().incarnation.0, 2);
        assert!(sees_blocks(&accuser, &client).await, "the event level is lost");
    });
}

#[test]
fn an_event_level_given_to_run_holds_for_later_restarts_too() {
    with_harness(|harness| async move {
        let (node, client) = activated(&harness).await;
        let accuser = harness.accuser("accuser", &node).init().await.unwrap();
        assert!(!sees_blocks(&accuser, &client).await, "info is the default");
        accuser.terminate(Grace::default()).await.unwrap();
        accuser.run_at(Level::Debug).await.unwrap();
        accuser.wait_for_ready().await.unwrap();
        assert!(sees_blocks(&accuser, &client).await);
        accuser.restart().await.unwrap();
        assert!(sees_blocks(&accuser, &client).await, "the event level is lost");
    });
}

#[test]
fn an_accuser_whose_events_are_off_is_ready_by_what_it_prints() {
    with_harness(|harness| async move {
        let (node, _) = activated(&harness).await;
        let accuser = harness.accuser("accuser", &node).event_level(Level::Fatal);
        let accuser = accuser.init().await.unwrap();
        let none = accuser.wait_for("*").since(Seq::default());
        let none = none.within(std::time::Duration::ZERO).await;
        assert!(matches!(none, Err(WaitError::TimedOut { .. })), "{none:?}");
    });
}

#[test]
fn a_wait_gives_the_first_event_that_its_condition_holds_for() {
    with_harness(|harness| async move {
        let (node, client) = activated(&harness).await;
        let accuser = harness.accuser("accuser", &node).event_level(Level::Debug);
        let accuser = accuser.init().await.unwrap();
        let third = accuser.wait_for("accuser_saw_block.v0").matching("level >= 3").unwrap();
        // The closure sees the payload, extracts, and passes over what it gives nothing for.
        let hash = accuser.wait_for("accuser_saw_block.v0").filter_map(|event| {
            (event.value["level"] == 3).then(|| event.value["hash"].as_str().map(str::to_owned))?
        });
        for _ in 0..3 {
            client.bake_for("bootstrap1").await.unwrap();
        }
        let event = third.within(TIMEOUT).await.unwrap();
        assert_eq!(event.value["level"], 3);
        assert_eq!(event.name.as_str(), "accuser_saw_block.v0");
        assert!(event.time.is_some_and(|time| time > 1.0e9), "{event:?}");
        assert_eq!(event.value["hash"].as_str(), Some(&*hash.within(TIMEOUT).await.unwrap()));
    });
}

#[test]
fn an_accuser_that_ends_fails_its_waits_with_daemon_event_and_condition() {
    with_harness(|harness| async move {
        let (node, _) = activated(&harness).await;
        let accuser = harness.accuser("accuser", &node).init().await.unwrap();
        let wait = accuser.wait_for("double_baking_denounced.v0").matching("size(hash) >= 10");
        let wait = wait.unwrap().within(TIMEOUT);
        let (error, _) = tokio::join!(wait, accuser.terminate(Grace::default()));
        let error = error.unwrap_err();
        let WaitError::TerminatedBeforeEvent { daemon, event, r#where, exit, last_lines, .. } =
            &error
        else {
            panic!("{error}");
        };
        assert_eq!((daemon.as_str(), event.as_str()), ("accuser", "double_baking_denounced.v0"));
        assert_eq!(r#where.as_deref(), Some("size(hash) >= 10"));
        assert_eq!(exit.status, ExitStatus::Code(127));
        assert!(!last_lines.is_empty());
    });
}

#[test]
fn a_handler_sees_every_event_from_the_next_one_on_in_every_incarnation() {
    with_harness(|harness| async move {
        let (node, client) = activated(&harness).await;
        let accuser = harness.accuser("accuser", &node).create().await.unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        accuser.on_event(move |event| {
            let number = event.incarnation.0;
            sink.lock().unwrap().push((number, event.name.as_str().to_owned(), event.seq));
        });
        accuser.run().await.unwrap();
        accuser.wait_for_ready().await.unwrap();
        accuser.restart().await.unwrap();
        let baked = accuser.wait_for("accuser_processed_block.v0");
        client.bake_for("bootstrap1").await.unwrap();
        baked.within(TIMEOUT).await.unwrap();
        accuser.terminate(Grace::default()).await.unwrap();

        let survey = harness.survey().await;
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len() as u64, survey.daemons[accuser.name()].events);
        assert!(seen.is_sorted_by_key(|(_, _, seq)| *seq));
        for number in [1, 2] {
            let start = |row: &&(u32, String, Seq)| row.0 == number && row.1 == "daemon_start.v0";
            assert_eq!(seen.iter().filter(start).count(), 1);
        }
    });
}

#[test]
fn logged_events_are_shortened_and_say_of_which_daemon_they_are() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let sink = log.clone();
    // The whole program's, since the harness logs in a thread of its own; no other test of this program sets one.
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || sink.clone()).init();
    with_harness(|harness| async move {
        let (node, client) = activated(&harness).await;
        let accuser = harness.accuser("logged", &node).create().await.unwrap();
        accuser.log_events(12);
        accuser.run().await.unwrap();
        accuser.wait_for_ready().await.unwrap();
        let processed = accuser.wait_for("accuser_processed_block.v0");
        let block = client.bake_for("bootstrap1").await.unwrap();
        processed.within(TIMEOUT).await.unwrap();
        // Who answers this has shown that batch to all observers.
        harness.survey().await;
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> =
            text.lines().filter(|line| line.contains("daemon=logged event=")).collect();
        assert!(lines.iter().any(|line| line.contains("event=daemon_start.v0")), "{text}");
        // A quotation mark, and eleven characters of the hash.
        let shortened = format!("\"{}[...] ", &block.hash[..11]);
        assert!(lines.iter().any(|line| line.contains(&shortened)), "{shortened}: {text}");
    });
}
