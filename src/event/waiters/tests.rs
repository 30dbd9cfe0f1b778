use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::{Bound, Test, Wait, WaiterId, Waiters};
use crate::daemon::{DaemonName, Incarnation};
use crate::event::{Event, NamePattern, Seq};
use crate::predicate::Predicate;

const DAEMONS: usize = 3;

fn daemon(index: usize) -> DaemonName {
    DaemonName::new(format!("d{index}")).unwrap()
}

fn event(from: usize, name: &str, payload: &str) -> Event {
    Event {
        daemon: daemon(from),
        incarnation: Incarnation(1),
        seq: Seq(0),
        name: name.into(),
        time: None,
        section: Arc::default(),
        value: Arc::new(serde_json::from_str(payload).unwrap()),
        late: false,
    }
}

fn predicate(source: &str) -> Test {
    let variables = BTreeMap::from([("v".to_owned(), json!(3))]);
    let predicate = Predicate::parse(source).unwrap();
    Test::Predicate(Bound { predicate, variables: Arc::new(variables) })
}

fn wait(daemons: &[usize], name: &str, test: Test, count: u32) -> Wait {
    Wait {
        sources: daemons.iter().map(|index| (daemon(*index), Seq(0))).collect(),
        event: NamePattern::new(name).unwrap(),
        test,
        missing: count,
    }
}

fn offer(waiters: &mut Waiters, event: &Event) -> Vec<u64> {
    waiters.offer(event).into_iter().map(|id| id.0).collect()
}

#[test]
fn a_thousand_thresholds_are_met_one_by_one_as_the_level_rises() {
    let mut waiters = Waiters::default();
    for id in 1..=1000 {
        let test = predicate(&format!("level >= {id}"));
        waiters.insert(WaiterId(id), wait(&[0], "level.v0", test, 1)).unwrap();
    }
    let level = |level: u64| event(0, "level.v0", &format!("{{\"level\":{level}}}"));
    assert_eq!(offer(&mut waiters, &level(0)), [0_u64; 0]);
    assert_eq!(offer(&mut waiters, &level(1)), [1]);
    assert_eq!(offer(&mut waiters, &level(4)), [2, 3, 4]);
    assert_eq!(offer(&mut waiters, &level(4000)).len(), 996);
    assert!(waiters.is_empty() && !waiters.listens_to(&daemon(0)));
}

#[test]
fn floats_are_compared_with_whole_thresholds_by_value() {
    let mut waiters = Waiters::default();
    for (id, source) in (1..).zip(["x >= 2", "x > 2", "x == 2", "x <= 2", "x < 2"]) {
        waiters.insert(WaiterId(id), wait(&[0], "x.v0", predicate(source), 2)).unwrap();
    }
    let x = |x: &str| event(0, "x.v0", &format!("{{\"x\":{x}}}"));
    for value in ["2.0", "2.5", "1.5e0"] {
        offer(&mut waiters, &x(value));
    }
    // The first match of each was counted: `>=` and `<=` and `==` by 2.0, `>` and `>=` by 2.5, `<` and `<=` by 1.5.
    assert_eq!(waiters.len(), 3);
    assert_eq!(offer(&mut waiters, &x("-1e3")), [5]);
    assert_eq!(offer(&mut waiters, &x("2e0")), [3]);
    assert_eq!(offer(&mut waiters, &x("2.25")), [2]);
}

#[test]
fn a_payload_is_worth_parsing_only_if_a_wait_may_count_it() {
    let mut waiters = Waiters::default();
    let name = "level.v0".into();
    let payloads = ["{\"level\":1}", "{\"hash\":\"B\"}", "{\"level\":7}", "{\"level\":7.5}"];
    let first = |waiters: &Waiters| waiters.first_wanted(&daemon(0), &name, payloads.into_iter());
    assert_eq!(first(&waiters), None);
    let at_least_five = || wait(&[0], "level.v0", predicate("level >= 5"), 1);
    waiters.insert(WaiterId(1), at_least_five()).unwrap();
    assert_eq!(first(&waiters), Some(2));
    waiters.insert(WaiterId(2), wait(&[0], "level.v0", predicate("hash == \"B\""), 1)).unwrap();
    assert_eq!(first(&waiters), Some(1));
    waiters.insert(WaiterId(3), wait(&[0], "lev*", Test::Any, 1)).unwrap();
    assert_eq!(first(&waiters), Some(0));
    for id in 1..=3 {
        waiters.remove(WaiterId(id)).unwrap();
    }
    assert_eq!(first(&waiters), None);
    waiters.insert(WaiterId(4), at_least_five()).unwrap();
    let floats = ["{\"level\":4}", "{\"level\":7.5}"];
    assert_eq!(waiters.first_wanted(&daemon(0), &name, floats.into_iter()), Some(1));
}

#[test]
fn a_wait_on_several_daemons_ends_with_any_and_dies_with_all() {
    let mut waiters = Waiters::default();
    waiters.insert(WaiterId(1), wait(&[0, 1, 1], "x", Test::Any, 2)).unwrap();
    waiters.insert(WaiterId(2), wait(&[0, 1], "x", Test::Any, 9)).unwrap();
    assert_eq!(offer(&mut waiters, &event(1, "x", "0")), [0_u64; 0]);
    assert_eq!(offer(&mut waiters, &event(0, "x", "0")), [1]);
    assert!(waiters.finally_dead(&daemon(0)).is_empty());
    let dead = waiters.finally_dead(&daemon(1));
    assert_eq!(dead.iter().map(|(id, wait)| (id.0, wait.missing)).collect::<Vec<_>>(), [(2, 7)]);
    assert!(waiters.insert(WaiterId(3), wait(&[0, 1], "x", Test::Any, 1)).is_err());
    waiters.alive_again(&daemon(1));
    assert!(waiters.insert(WaiterId(3), wait(&[0, 1], "x", Test::Any, 1)).is_ok());
}

/// A wait that can be made twice: for the registry and for the model.
#[derive(Clone, Debug)]
struct Plan {
    daemons: Vec<usize>,
    name: &'static str,
    test: PlannedTest,
    count: u32,
}

#[derive(Clone, Debug)]
enum PlannedTest {
    Any,
    Predicate(String),
    Closure(i64),
}

impl Plan {
    fn wait(&self) -> Wait {
        let test = match &self.test {
            PlannedTest::Any => Test::Any,
            PlannedTest::Predicate(source) => predicate(source),
            PlannedTest::Closure(level) => {
                let level = *level;
                Test::Closure(Box::new(move |event| event.value["level"].as_i64() == Some(level)))
            }
        };
        wait(&self.daemons, self.name, test, self.count)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Plan),
    Remove(prop::sample::Index),
    Event { from: usize, name: &'static str, payload: String },
    Dead(usize),
    Alive(usize),
}

fn plans() -> impl Strategy<Value = Plan> {
    let constant = || {
        prop_oneof![
            8 => (-3_i64..6).prop_map(|int| int.to_string()),
            1 => Just("2.5".to_owned()),
            1 => Just("3.0".to_owned()),
            1 => Just("$v".to_owned()),
            1 => Just("9223372036854775807".to_owned()),
        ]
    };
    let comparison = || {
        (prop::sample::select(vec![">=", ">", "<=", "<", "==", "!="]), constant())
            .prop_map(|(op, constant)| format!("level {op} {constant}"))
    };
    let source = prop_oneof![
        6 => comparison(),
        1 => constant().prop_map(|constant| format!("{constant} <= level")),
        1 => prop::sample::select(vec!["a", "b", ""]).prop_map(|s| format!("hash == \"{s}\"")),
        2 => (comparison(), prop::sample::select(vec!["a", "b"]))
            .prop_map(|(level, s)| format!("{level} && hash == \"{s}\"")),
        1 => (comparison(), comparison()).prop_map(|(left, right)| format!("{left} || {right}")),
        1 => constant().prop_map(|constant| format!("self >= {constant}")),
        1 => constant().prop_map(|constant| format!("deep.level >= {constant}")),
        1 => constant().prop_map(|constant| format!("list[1] >= {constant}")),
        1 => Just("event.daemon == \"d1\" && level > 0".to_owned()),
        1 => Just("flag".to_owned()),
    ];
    let test = prop_oneof![
        1 => Just(PlannedTest::Any),
        8 => source.prop_map(PlannedTest::Predicate),
        1 => (-1_i64..4).prop_map(PlannedTest::Closure),
    ];
    let name = prop::sample::select(vec!["a", "a", "a", "b", "?", "a*", "tribunal.ready"]);
    (prop::collection::vec(0..DAEMONS, 1..4), name, test, 1_u32..4)
        .prop_map(|(daemons, name, test, count)| Plan { daemons, name, test, count })
}

fn steps() -> impl Strategy<Value = Step> {
    let number = || {
        prop_oneof![
            6 => (-4_i64..8).prop_map(|int| int.to_string()),
            1 => prop::sample::select(vec!["2.5", "3.0", "-0", "1e1", "9223372036854775808", "1e30"])
                .prop_map(str::to_owned),
        ]
    };
    let payload = prop_oneof![
        6 => number().prop_map(|level| format!("{{\"level\":{level}}}")),
        2 => (number(), prop::sample::select(vec!["a", "b", "", "\\u0061"]))
            .prop_map(|(level, hash)| format!("{{\"hash\":\"{hash}\",\"level\":{level}}}")),
        1 => (number(), number()).prop_map(|(one, two)| format!("{{\"level\":{one},\"level\":{two}}}")),
        1 => number().prop_map(|level| format!("{{\"deep\":{{\"level\":{level}}},\"flag\":true}}")),
        1 => number().prop_map(|level| format!("{{\"list\":[0,{level}],\"flag\":false}}")),
        1 => number(),
        1 => prop::sample::select(vec!["null", "{}", "[]", "{\"level\":\"2\"}", "{\"level\":null}", "{\"l\\u0065vel\":3}"])
            .prop_map(str::to_owned),
    ];
    let name = prop::sample::select(vec!["a", "a", "a", "b", "tribunal.ready"]);
    let event = (0..DAEMONS, name, payload).prop_map(|(from, name, payload)| Step::Event {
        from,
        name,
        payload,
    });
    prop_oneof![
        6 => plans().prop_map(Step::Insert),
        10 => event,
        1 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => (0..DAEMONS).prop_map(Step::Dead),
        1 => (0..DAEMONS).prop_map(Step::Alive),
    ]
}

/// A plain list of waits, each asked about everything.
#[derive(Default)]
struct Model {
    waits: Vec<(u64, Vec<usize>, Wait)>,
    dead: HashSet<usize>,
}

impl Model {
    fn insert(&mut self, id: u64, plan: &Plan) -> bool {
        let hope = plan.daemons.iter().any(|daemon| !self.dead.contains(daemon));
        if hope {
            self.waits.push((id, plan.daemons.clone(), plan.wait()));
        }
        hope
    }

    fn end(&mut self, mut over: impl FnMut(&[usize], &mut Wait) -> bool) -> Vec<u64> {
        let ended = self.waits.extract_if(.., |(_, daemons, wait)| over(daemons, wait));
        ended.map(|(id, _, _)| id).collect()
    }

    fn die(&mut self, from: usize) -> Vec<u64> {
        self.dead.insert(from);
        let dead = self.dead.clone();
        self.end(|daemons, _| daemons.iter().all(|daemon| dead.contains(daemon)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_waits_that_end_are_those_of_a_list_asked_one_by_one(
        steps in prop::collection::vec(steps(), 1..80),
    ) {
        let (mut waiters, mut model) = (Waiters::default(), Model::default());
        for (id, step) in (0..).zip(&steps) {
            match step {
                Step::Insert(plan) => {
                    let inserted = waiters.insert(WaiterId(id), plan.wait()).is_ok();
                    prop_assert_eq!(inserted, model.insert(id, plan));
                }
                Step::Remove(which) if !model.waits.is_empty() => {
                    let (id, ..) = model.waits.remove(which.index(model.waits.len()));
                    prop_assert!(waiters.remove(WaiterId(id)).is_some());
                    prop_assert!(waiters.remove(WaiterId(id)).is_none());
                }
                Step::Remove(_) => {}
                Step::Event { from, name, payload } => {
                    let event = event(*from, name, payload);
                    let wanted = model.end(|daemons, wait| {
                        daemons.contains(from) && wait.judge(&event)
                    });
                    let text = std::iter::once(payload.as_str());
                    // As the bus does: what no wait may count is not even parsed.
                    let ended = match waiters.first_wanted(&event.daemon, &event.name, text) {
                        Some(_) => offer(&mut waiters, &event),
                        None => Vec::new(),
                    };
                    prop_assert_eq!(ended, wanted);
                }
                Step::Dead(from) => {
                    let dead = waiters.finally_dead(&daemon(*from));
                    let dead: Vec<u64> = dead.into_iter().map(|(id, _)| id.0).collect();
                    prop_assert_eq!(dead, model.die(*from));
                    prop_assert!(waiters.is_finally_dead(&daemon(*from)));
                }
                Step::Alive(from) => {
                    waiters.alive_again(&daemon(*from));
                    model.dead.remove(from);
                }
            }
            prop_assert_eq!(waiters.len(), model.waits.len());
            for index in 0..DAEMONS {
                let listened = model.waits.iter().any(|(_, daemons, _)| daemons.contains(&index));
                prop_assert_eq!(waiters.listens_to(&daemon(index)), listened, "stale interest");
            }
            for (id, _, wait) in &model.waits {
                prop_assert_eq!(waiters.waits[&WaiterId(*id)].missing, wait.missing);
            }
        }
        prop_assert_eq!(waiters.drain().len(), model.waits.len());
        prop_assert!(waiters.is_empty() && waiters.interests.is_empty());
    }
}
