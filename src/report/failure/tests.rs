use super::*;
use crate::run::player::unplayed;
use crate::scenario::result::{
    By, Cause, ClauseTruth, ClauseValue, DaemonResult, DaemonState, Exit, FaultResult,
    IncarnationResult, Nearest, Searched, SeenName, StepOutcome, StepResult, UsedPlace, Wanted,
};

const SOURCE: &str = "name: a\nsteps:\n  - expect: { from: accuser, event: double_baking_denounced.v0, where: level >= 10 }\n";

fn failed(failure: Failure) -> ScenarioResult {
    ScenarioResult {
        outcome: Outcome::Failed,
        failure: Some(failure),
        ..unplayed("a", "scenarios/a.yaml", 42)
    }
}

fn plain(result: &ScenarioResult, source: Option<&str>) -> String {
    let surroundings = Surroundings { source, ..Surroundings::default() };
    anstream::adapter::strip_str(&block(result, surroundings)).to_string()
}

fn value(truth: ClauseTruth, text: &str) -> ClauseValue {
    ClauseValue { clause: text.to_owned(), truth, text: text.to_owned() }
}

fn full() -> ScenarioResult {
    let failure = Failure {
        step: "steps[0]".to_owned(),
        line: 3,
        column: 5,
        wanted: Some(Wanted {
            daemon: "accuser".to_owned(),
            event: "double_baking_denounced.v0".to_owned(),
            r#where: Some("level >= 10".to_owned()),
        }),
        searched: Some(Searched { from_seq: 131, to_seq: 204, events: 74 }),
        nearest: vec![Nearest {
            seq: 187,
            event: "double_baking_detected.v0".to_owned(),
            daemon: "accuser".to_owned(),
            at_s: Some(21.4),
            payload: r#"{"level":9,"ok":true}"#.to_owned(),
            clauses_true: 1,
            clauses: 3,
            explanation: "level >= 10: 9 >= 10 is false".to_owned(),
            values: vec![
                value(ClauseTruth::False, "level >= 10: 9 >= 10 is false"),
                value(ClauseTruth::True, "ok is true"),
                value(ClauseTruth::Unknown, "hash: no such field"),
            ],
            ..Nearest::default()
        }],
        did_you_mean: vec!["double_baking_detected.v0".to_owned()],
        names_seen: vec![SeenName { event: "double_baking_detected.v0".to_owned(), count: 3 }],
        host: Some(HostPressure {
            cpu: Some(4.2),
            io: Some(0.0),
            memory: None,
            load: Some(0.52),
            processors: 2,
        }),
        daemon_state: Some(DaemonState {
            name: "accuser".to_owned(),
            alive: true,
            incarnation: 2,
            last_event_age_s: Some(0.4),
            last_lines: vec!["\u{1b}[31mlast words\u{1b}[0m".to_owned()],
            state: "running".to_owned(),
            ..DaemonState::default()
        }),
        rerun: Some("tribunal run scenarios/a.yaml --seed 42".to_owned()),
        ..Failure::new(FailureKind::TimedOut, "never seen in this incarnation (once before)")
    };
    let killed = IncarnationResult {
        number: 1,
        pid: 4_700,
        started_s: 0.1,
        exited_s: Some(8.8),
        exit: Some(Exit { code: None, signal: Some(9) }),
        cause: Some(Cause::Crash),
        by: Some(By { step: "steps[4]".to_owned(), line: 12 }),
        restarted: true,
    };
    let alive = IncarnationResult {
        number: 2,
        pid: 4_711,
        started_s: 9.0,
        exited_s: None,
        exit: None,
        cause: None,
        by: None,
        restarted: false,
    };
    let step = StepResult {
        path: "steps[0]".to_owned(),
        verb: "expect".to_owned(),
        text: String::new(),
        line: 3,
        column: 5,
        outcome: StepOutcome::Failed,
        started_s: 10.0,
        duration_s: 30.0,
        r#match: None,
    };
    let fault = FaultResult {
        number: 1,
        kind: "crash".to_owned(),
        target: "accuser".to_owned(),
        at_s: 8.7,
        delayed_s: 0.0,
        hit: true,
        by: None,
    };
    let daemon = DaemonResult {
        name: "accuser".to_owned(),
        kind: "octez-accuser".to_owned(),
        host: "local".to_owned(),
        events: 74,
        malformed: 0,
        incarnations: vec![killed, alive],
    };
    ScenarioResult {
        steps: vec![step],
        daemons: vec![daemon],
        faults: vec![fault],
        ..failed(failure)
    }
}

#[test]
fn a_failed_wait_is_explained_from_the_file_to_the_daemon() {
    let surroundings =
        Surroundings { source: Some(SOURCE), run_dir: Some(Path::new("target/tribunal/x")) };
    let text = anstream::adapter::strip_str(&block(&full(), surroundings)).to_string();
    let expected = "\
scenarios/a.yaml:3:5  expect  FAILED after 30.0 s: no such event         seed 42
    3 |   - expect: { from: accuser, event: double_baking_denounced.v0, where: level >= 10 }
      |                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |     never seen in this incarnation (once before)
  nearest   seq 187 +21.4 s double_baking_detected.v0 {\"level\":9, \"ok\":true}
            - level >= 10: 9 >= 10 is false
            + ok is true
            ? hash: no such field
  did you mean double_baking_detected.v0 (seen 3 times)?
  accuser   alive, pid 4711, incarnation 2 (incarnation 1: SIGKILL at +8.8 s by
            fault #1, planned by steps[4] (line 12), restarted by its policy);
            last event 0.4 s ago; 74 events searched
            | last words
  host      pressure cpu 4 %, io 0 %; load 0.5 on 2 processors
  rerun     tribunal run scenarios/a.yaml --seed 42
  events    tribunal events target/tribunal/x
  run dir   target/tribunal/x
";
    assert_eq!(text, expected);
}

#[test]
fn a_dead_daemon_is_said_to_be_dead_and_of_what() {
    let mut result = full();
    result.daemons[0].incarnations[1].exited_s = Some(12.0);
    result.daemons[0].incarnations[1].exit = Some(Exit { code: Some(3), signal: None });
    result.daemons[0].incarnations[1].cause = Some(Cause::Itself);
    let failure = result.failure.as_mut().expect("failed");
    failure.daemon_state.as_mut().expect("known").alive = false;
    let text = plain(&result, Some(SOURCE));
    assert!(text.contains("dead, incarnation 2: exit code 3 at +12.0 s by itself"), "{text}");
}

#[test]
fn only_the_last_lines_of_output_are_shown_and_the_daemon_is_named_without_a_wanted_event() {
    let mut result = full();
    let failure = result.failure.as_mut().expect("failed");
    failure.wanted = None;
    let state = failure.daemon_state.as_mut().expect("known");
    state.last_lines = (1..=50).map(|number| format!("line {number}.")).collect();
    let text = plain(&result, Some(SOURCE));
    assert!(text.contains("\n  accuser   alive, pid 4711"), "{text}");
    let shown: Vec<&str> = text.lines().filter(|line| line.contains("| line ")).collect();
    assert_eq!(shown.len(), 6, "{text}");
    assert!(shown[5].ends_with("line 50."), "{text}");
}

#[test]
fn a_step_of_many_lines_is_shown_where_the_event_stands() {
    let source = "steps:\n  - expect:\n      from: accuser\n\n      event: double_baking_denounced.v0\n  - log: double_baking_denounced.v0\n";
    let mut result = full();
    let failure = result.failure.as_mut().expect("failed");
    (failure.line, failure.message) = (2, "never seen".to_owned());
    let text = plain(&result, Some(source));
    let expected = "\
    2 |   - expect:
    5 |       event: double_baking_denounced.v0
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^ never seen
";
    assert!(text.contains(expected), "{text}");
    // Another step's event is none of this one's.
    let other = source.replacen("double_baking_denounced.v0", "$name", 1);
    let text = plain(&result, Some(&other));
    assert!(text.contains("    2 |   - expect:\n      |     ^^^^^^ never seen\n"), "{text}");
}

#[test]
fn a_short_message_stands_beside_the_underline() {
    let failure =
        Failure { line: 2, column: 1, ..Failure::new(FailureKind::Assert, "1 == 2 is false") };
    let text = plain(&failed(failure), Some(SOURCE));
    assert!(text.contains("    2 | steps:\n      | ^^^^^ 1 == 2 is false\n"), "{text}");
}

#[test]
fn a_failure_without_a_place_or_a_file_still_says_what_it_is() {
    let failure = Failure::new(FailureKind::Environment, "no space left on device");
    let text = plain(&failed(failure), None);
    let first = "scenarios/a.yaml  FAILED after 0.0 s: environment";
    assert!(text.starts_with(first), "{text}");
    assert!(text.contains("\n  no space left on device\n"), "{text}");
}

#[test]
fn a_place_that_the_file_does_not_have_is_no_panic() {
    let sources = ["", "\n", "short", "é…\u{1b}[2J\n\n", &"x".repeat(1_000_000)];
    for source in sources {
        for (line, column) in [(0, 0), (1, 0), (1, 3), (1, 999_999), (9, 9), (u32::MAX, u32::MAX)] {
            let failure = Failure { line, column, ..Failure::new(FailureKind::Rpc, "x") };
            let text = plain(&failed(failure), Some(source));
            assert!(text.lines().all(|line| line.chars().count() < 200), "{line}:{column}");
            assert!(!text.contains('\u{1b}'));
        }
    }
}

#[test]
fn another_daemon_that_explains_the_failure_is_told_of_with_its_part_in_it() {
    let mut result = full();
    let node = DaemonState {
        name: "node".to_owned(),
        alive: false,
        incarnation: 1,
        state: "exited".to_owned(),
        role: Some("the node of accuser".to_owned()),
        last_lines: vec!["out of memory".to_owned()],
        malformed: 2,
        last_malformed: Some("not JSON: oops".to_owned()),
        ..DaemonState::default()
    };
    result.failure.as_mut().expect("failed").others = vec![node];
    let killed = IncarnationResult {
        cause: Some(Cause::Kill),
        by: Some(By { step: "steps[1]".to_owned(), line: 7 }),
        restarted: false,
        ..result.daemons[0].incarnations[0].clone()
    };
    let node = DaemonResult {
        name: "node".to_owned(),
        incarnations: vec![killed],
        ..result.daemons[0].clone()
    };
    result.daemons.push(node);
    let text = plain(&result, Some(SOURCE));
    let expected = "\
  node      the node of accuser; dead, incarnation 1: SIGKILL at +8.8 s, planned
            by steps[1] (line 7); no event yet; 2 lines were no event (the last:
            not JSON: oops)
            | out of memory
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn no_line_of_ours_is_wider_than_a_terminal() {
    let mut result = full();
    result.file = format!("scenarios/{}.yaml", "long".repeat(12));
    let failure = result.failure.as_mut().expect("failed");
    failure.message = "word ".repeat(50);
    failure.did_you_mean = (0..9).map(|number| format!("a_name_like_it_{number}.v0")).collect();
    failure.nearest[0].payload = format!("[{}0]", "12345,".repeat(40));
    failure.nearest[0].values[0].text = "value ".repeat(40);
    failure.daemon_state.as_mut().expect("known").last_lines = vec!["said ".repeat(40)];
    let text = plain(&result, Some(SOURCE));
    let quoted = |line: &str| line.starts_with("    3 |");
    let wide = text.lines().find(|line| !quoted(line) && line.chars().count() > WIDTH);
    let long = wide.filter(|line| !line.contains("tribunal run"));
    assert_eq!(long, None, "{text}");
    let head: Vec<&str> = text.lines().take(2).collect();
    assert!(head[0].ends_with(".yaml:3:5") && head[1].starts_with("  expect  FAILED"), "{text}");
    assert!(head[1].ends_with("seed 42"), "{text}");
}

#[test]
fn a_failure_in_a_used_file_shows_the_line_there_below_the_line_that_uses_it() {
    let source = "name: a\nsteps:\n  - use: parts/b.yml\n";
    let failure = Failure {
        line: 3,
        column: 5,
        used: Some(UsedPlace {
            file: "parts/b.yml".to_owned(),
            line: 7,
            column: 5,
            text: "  - expect:\n      from: node\n      event: head.v0".to_owned(),
        }),
        wanted: Some(Wanted {
            daemon: "node".to_owned(),
            event: "head.v0".to_owned(),
            r#where: None,
        }),
        ..Failure::new(FailureKind::TimedOut, "parts/b.yml:7:5: never seen")
    };
    let text = plain(&failed(failure), Some(source));
    let expected = "    3 |   - use: parts/b.yml
parts/b.yml:7:5
    7 |   - expect:
    9 |       event: head.v0
      |              ^^^^^^^ never seen
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn lines_that_were_no_event_are_not_called_events() {
    let state = DaemonState {
        name: "talker".to_owned(),
        alive: true,
        incarnation: 1,
        last_event_age_s: Some(2.0),
        malformed: 2,
        ..DaemonState::default()
    };
    let failure = Failure {
        daemon_state: Some(state),
        ..Failure::new(FailureKind::NotReady, "talker was not ready within 2s")
    };
    let text = plain(&failed(failure), None);
    assert!(text.contains("no event yet, last line 2.0 s ago; 2 lines"), "{text}");
}
