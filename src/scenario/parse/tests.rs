//! What a valid file becomes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Number;

use crate::daemon::{Kind, Level, RestartRule};
use crate::scenario::model::{
    Act, Action, EventsFrom, ExitWanted, ReadyWhen, Scenario, Since, Step,
};
use crate::scenario::values::{Data, Setting};
use crate::scenario::{Overrides, Source, load_source};

fn scenario(text: &str) -> Scenario {
    scenario_at("tests/scenarios/valid/text.yaml", text)
}

fn scenario_at(path: &str, text: &str) -> Scenario {
    let source = Arc::new(Source::new(path, text));
    load_source(&source, &Overrides::default()).unwrap_or_else(|error| panic!("{error}")).scenario
}

fn paths(steps: &[Step]) -> Vec<String> {
    let mut all = Vec::new();
    for step in steps {
        all.push(step.path.clone());
        all.extend(step.action.blocks().into_iter().flat_map(paths));
    }
    all
}

#[test]
fn every_step_has_a_path_a_place_and_its_text() {
    let scenario = scenario(
        "steps:
  - log: a
  - parallel:
      - [ { log: b } ]
      - [ { log: c },
          { log:   d } ]
  - repeat: { times: 2, steps: [ { log: $i } ] }
  - for: { var: x, in: [1, 2], steps: [ { log: $x } ] }
finally:
  - log: e
",
    );
    assert_eq!(
        paths(&scenario.steps),
        [
            "steps[0]",
            "steps[1]",
            "steps[1].parallel[0][0]",
            "steps[1].parallel[1][0]",
            "steps[1].parallel[1][1]",
            "steps[2]",
            "steps[2].repeat[0]",
            "steps[3]",
            "steps[3].for[0]",
        ]
    );
    assert_eq!(paths(&scenario.finally), ["finally[0]"]);
    let Action::Parallel(branches) = &scenario.steps[1].action else { panic!("a parallel") };
    let last = &branches[1][1];
    assert_eq!((last.span.line, last.span.column, last.verb), (6, 13, "log"));
    assert_eq!(last.text, "{ log: d }");
}

#[test]
fn a_steps_text_is_without_the_comments_in_it_and_after_it() {
    let scenario = scenario(
        "steps:
  - log: a  # one
  # two
  - exec:   # three
      # four
      command: [echo, '# no comment', a#b]   # five
      stdin: |
        # a line
        b
  # six
  - log: \"c \\\" # d\" # 'seven' \"
  - log: 'it''s # e' # it's

  # eight
finally:
  - { log: e } # nine
",
    );
    let texts: Vec<&str> = scenario.steps.iter().map(|step| step.text.as_str()).collect();
    let exec = "exec: command: [echo, '# no comment', a#b] stdin: | # a line b";
    assert_eq!(texts, ["log: a", exec, "log: \"c \\\" # d\"", "log: 'it''s # e'"]);
    assert_eq!(scenario.finally[0].text, "{ log: e }");
}

#[test]
fn defaults_hold_where_a_daemon_says_nothing() {
    let scenario = scenario(
        "defaults:
  octez-node: { private_mode: true, connections: 3, env: { A: a, B: b } }
  octez-accuser: { node: n1 }
daemons:
  n1: { kind: octez-node, connections: 5, env: { C: c } }
  n2: { kind: octez-node }
  a: { kind: octez-accuser }
steps:
  - start: [n1, n2, a]
",
    );
    let [n1, n2, a] = scenario.daemons.as_slice() else { panic!("three daemons") };
    assert_eq!((n1.kind, a.kind), (Kind::Node, Kind::Accuser));
    assert_eq!(n1.settings.node.private_mode, Some(Setting::Fixed(true)));
    assert_eq!(n1.settings.node.connections, Some(Setting::Fixed(5)));
    assert_eq!(n2.settings.node.connections, Some(Setting::Fixed(3)));
    let keys = |settings: &crate::scenario::model::Settings| -> Vec<String> {
        settings.env.iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    // A key replaces a key, whole.
    assert_eq!(keys(&n1.settings), ["C"]);
    assert_eq!(keys(&n2.settings), ["A", "B"]);
    assert_eq!(a.settings.watched.as_ref().map(|node| node.value.as_str()), Some("n1"));
}

#[test]
fn a_process_is_described_as_it_is_written() {
    let scenario = scenario(
        "daemons:
  d:
    kind: process
    command: [d, --port, \"${port.d}\", 8080, -1.5]
    events_from: events.jsonl
    envelope: { name: event.name, time: ts }
    ready: { event: up, where: port > 0 }
    restart: { policy: always, success: [0, 3], window: 1m 30s }
    events: { level: notice, sections: { a.b: debug } }
    grace: 250ms
    knows: [\"x*\"]
steps:
  - start: d
",
    );
    let settings = &scenario.daemons[0].settings;
    let process = &settings.process;
    let command: Vec<&str> =
        process.command.iter().flatten().map(|text| text.template.source()).collect();
    assert_eq!(command, ["d", "--port", "${port.d}", "8080", "-1.5"]);
    assert!(
        matches!(&process.events_from, Some(EventsFrom::File(path)) if path.literal() == Some("events.jsonl"))
    );
    let envelope = process.envelope.as_ref().unwrap();
    assert_eq!(envelope.name, ["event", "name"]);
    assert_eq!(envelope.value, Vec::<String>::new());
    assert_eq!(envelope.time.as_deref(), Some(&["ts".to_owned()][..]));
    assert!(matches!(&process.ready, Some(ReadyWhen::Event { condition: Some(_), .. })));
    let restart = settings.restart.as_ref().unwrap();
    assert_eq!(
        (restart.policy, restart.success.as_deref()),
        (RestartRule::Always, Some(&[0, 3][..]))
    );
    assert_eq!(restart.window, Some(Setting::Fixed(Duration::from_secs(90))));
    let events = settings.events.as_ref().unwrap();
    assert_eq!(
        (events.level, events.sections.as_slice()),
        (Level::Notice, &[("a.b".to_owned(), Level::Debug)][..])
    );
    assert_eq!(settings.grace, Some(Setting::Fixed(Duration::from_millis(250))));
}

#[test]
fn steps_carry_what_they_say() {
    let scenario = scenario(
        "vars: { n: 3 }
daemons:
  node: { kind: octez-node }
steps:
  - start: { daemons: [node], with: { private_mode: false }, within: 5s }
  - mark: m
  - expect: { from: \"n*\", event: x, count: $n, each: true, since: m, capture: { a: self, b: \"c.d\" } }
  - expect: { from: node, event: x, since: beginning }
  - exited: { daemon: node, signal: 9 }
  - rpc: { node: node, post: /x, body: { s: \"1\", i: 1, f: 1.5, t: true, z: null, l: [$n, \"$$n\"] } }
  - sleep: $a
",
    );
    let [start, _, each, old, exited, rpc, sleep] = scenario.steps.as_slice() else {
        panic!("seven steps")
    };
    let Action::Lifecycle(start) = &start.action else { panic!("a lifecycle step") };
    assert_eq!(start.act, Act::Start);
    assert_eq!(start.within, Some(Setting::Fixed(Duration::from_secs(5))));
    assert_eq!(start.with.as_ref().unwrap().node.private_mode, Some(Setting::Fixed(false)));
    let Action::Expect(each) = &each.action else { panic!("an expect") };
    assert!(each[0].each && matches!(each[0].count, Some(Setting::Text(_))));
    assert!(matches!(&each[0].since, Some(Since::Mark(mark)) if mark.literal() == Some("m")));
    let captures: Vec<(&str, &str)> = each[0]
        .capture
        .iter()
        .map(|capture| (capture.name.value.as_str(), capture.formula.expression.source()))
        .collect();
    assert_eq!(captures, [("a", "self"), ("b", "c.d")]);
    assert!(matches!(&old.action, Action::Expect(old) if old[0].since == Some(Since::Beginning)));
    assert!(
        matches!(&exited.action, Action::Exited(exited) if matches!(&exited.wanted, ExitWanted::Signal(signal) if signal.literal() == Some("9")))
    );
    let Action::Rpc(rpc) = &rpc.action else { panic!("an rpc") };
    assert_eq!(rpc.method, crate::host::http::Method::Post);
    let Some(Data::Object(body)) = &rpc.body else { panic!("an object") };
    assert!(matches!(&body[0].1, Data::Text(text) if text.literal() == Some("1")));
    assert_eq!(body[1].1, Data::Number(Number::from(1)));
    assert_eq!((&body[3].1, &body[4].1), (&Data::Boolean(true), &Data::Null));
    assert!(matches!(&sleep.action, Action::Sleep(Setting::Text(_))));
}

#[test]
fn a_used_file_gives_its_steps_and_keeps_its_place() {
    let text = "daemons: { node: { kind: octez-node } }
steps:
  - start: node
  - use: { file: steps.yml, vars: { who: node } }
  - log: $captured
";
    let scenario = scenario_at("tests/scenarios/valid/uses.yaml", text);
    let Action::Use(used) = &scenario.steps[1].action else { panic!("a use") };
    let defaults: Vec<&str> = used.defaults().map(|variable| variable.name.as_str()).collect();
    assert_eq!(defaults, ["key"]);
    let [bake, log] = used.fragment.steps.as_slice() else { panic!("two steps") };
    assert_eq!((bake.path.as_str(), bake.span.line), ("steps[1].use[0]", 4));
    assert_eq!(bake.source.path().to_string_lossy(), "tests/scenarios/valid/steps.yml");
    assert_eq!(log.path, "steps[1].use[1]");
}
