use std::rc::Rc;

use super::*;
use crate::run::dispatch::tests::options;
use crate::run::player::{broken, unplayed};
use crate::run::{Exit, Flaky, Unit};
use crate::scenario::result::FailureKind;

/// A sink whose content can be looked at.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn coloured(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("UTF-8")
    }

    fn plain(&self) -> String {
        anstream::adapter::strip_str(&self.coloured()).to_string()
    }
}

fn terminal(volume: Volume) -> (Terminal, Shared) {
    let shared = Shared::default();
    (Terminal::new(Box::new(shared.clone()), volume, StatusLine::Absent), shared)
}

fn case(name: &str) -> Case {
    Case {
        file: format!("scenarios/{name}.yaml").into(),
        name: name.to_owned(),
        tags: Vec::new(),
        description: None,
        seed: None,
    }
}

fn play(terminal: &Terminal, name: &str, attempt: u32, verdict: Option<Verdict>) {
    let case = case(name);
    let unit = Unit { case: 0, repetition: 0, attempt };
    terminal.notice(Notice::PlayBegan { unit, case: &case, seed: 42 });
    let file = case.file.to_string_lossy();
    let mut result = unplayed(name, &file, 42);
    if matches!(verdict, Some(Verdict::Passed | Verdict::Flaky)) {
        result.outcome = Outcome::Passed;
    } else {
        result = broken(result, FailureKind::Assert, "1 == 2 is false");
        result.outcome = Outcome::Failed;
    }
    let played = Played { unit, result, run_dir: None, verdict };
    terminal.notice(Notice::PlayEnded { case: &case, played: &played });
}

fn whole_run(volume: Volume) -> String {
    let (terminal, shared) = terminal(volume);
    let mut options = options("unused".as_ref());
    options.policy.retries = 1;
    options.policy.flaky = Flaky::Pass;
    terminal.notice(Notice::RunBegan { cases: &[case("good"), case("bad")], options: &options });
    play(&terminal, "good", 1, Some(Verdict::Passed));
    play(&terminal, "shaky", 1, None);
    play(&terminal, "shaky", 2, Some(Verdict::Flaky));
    play(&terminal, "bad", 2, Some(Verdict::Failed));
    let summary = Summary {
        passed: 1,
        flaky: 1,
        failed: 1,
        not_played: 2,
        duration_s: 1.5,
        ..Summary::default()
    };
    terminal.notice(Notice::RunEnded(&RunReport { summary, exit: Exit::Failed }));
    shared.plain()
}

#[test]
fn a_run_is_one_line_for_each_scenario_and_a_block_for_each_failure() {
    let expected = "\
playing 2 scenarios, seed 42
ok             0.0 s  good
retry          0.0 s  shaky  (seed 42, attempt 1 of 2)
scenarios/shaky.yaml  FAILED after 0.0 s: not true                       seed 42
  1 == 2 is false

flaky          0.0 s  shaky  (seed 42, attempt 2 of 2)
FAILED         0.0 s  bad  (seed 42, attempt 2 of 2)
scenarios/bad.yaml  FAILED after 0.0 s: not true                         seed 42
  1 == 2 is false

  flaky       shaky (scenarios/shaky.yaml)
  FAILED      bad (scenarios/bad.yaml)
1 passed, 1 flaky, 1 failed, 2 not played in 1.5 s
";
    assert_eq!(whole_run(Volume::Normal), expected);
}

#[test]
fn quiet_tells_only_what_did_not_pass() {
    let text = whole_run(Volume::Quiet);
    assert!(!text.contains("good") && !text.contains("playing"), "{text}");
    assert!(text.contains("FAILED         0.0 s  bad"), "{text}");
    assert!(text.ends_with("in 1.5 s\n"), "{text}");
}

#[test]
fn verbose_gives_each_daemon_its_colour_and_no_control_characters() {
    let (terminal, shared) = terminal(Volume::Verbose);
    let case = case("a");
    let unit = Unit { case: 0, repetition: 0, attempt: 1 };
    for progress in [
        Progress::Step { path: "steps[0]", verb: "start", text: "start: node" },
        Progress::Lifecycle { daemon: "node", text: "spawned, pid 1" },
        Progress::Event { daemon: "accuser", name: "daemon_start.v0", payload: "{}" },
        Progress::Output { daemon: "node", line: "hello\u{7}\u{1b}[2J" },
        Progress::Log { text: "done" },
    ] {
        terminal.notice(Notice::PlayProgressed { unit, case: &case, progress });
    }
    let expected = "steps[0] start: node\nnode spawned, pid 1\naccuser daemon_start.v0 {}\n\
                    node | hello\nlog done\n";
    assert_eq!(shared.plain(), expected);
    let coloured = shared.coloured();
    let (first, second) = (DAEMONS[0], DAEMONS[1]);
    assert_eq!(coloured.matches(&format!("{first}node")).count(), 2, "{coloured:?}");
    assert!(coloured.contains(&format!("{second}accuser")), "{coloured:?}");
    assert!(!coloured.contains("[2J"));
}

#[test]
fn without_verbose_nothing_is_live() {
    let (terminal, shared) = terminal(Volume::Normal);
    let progress = Progress::Output { daemon: "node", line: "hello" };
    let unit = Unit { case: 0, repetition: 0, attempt: 1 };
    terminal.notice(Notice::PlayProgressed { unit, case: &case("a"), progress });
    assert_eq!(shared.plain(), "");
}

#[test]
fn a_sink_that_is_gone_is_passed_over() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }
    let terminal = Terminal::new(Box::new(Gone), Volume::Normal, StatusLine::Absent);
    play(&terminal, "a", 1, Some(Verdict::Failed));
}
