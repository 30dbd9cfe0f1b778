//! The bus against a model: how a wait ends depends on the order of events, never on when it was registered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use actix_rt::System;
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::{EventBus, Finish, Introduce, LogEnd, Publish, Register, Why};
use crate::actors::latch::PanicLatch;
use crate::daemon::{DaemonName, Incarnation, Kind};
use crate::event::decode::{Batch, Envelope, Names};
use crate::event::waiters::{Bound, Test, Wait, WaiterId};
use crate::event::{NamePattern, Seq};
use crate::predicate::Predicate;
use crate::record::{Recorder, RunDir};

/// Lines of one daemon that arrive together: event names and payloads.
#[derive(Clone, Debug)]
struct Lines {
    daemon: usize,
    events: Vec<(usize, i64)>,
}

#[derive(Clone, Debug)]
struct Asked {
    /// Registered before this batch arrives; after all of them, if there are fewer.
    before: usize,
    /// Where it begins for each daemon; `None` leaves the daemon out.
    from: [Option<u64>; 2],
    /// An event name, or all of them.
    name: Option<usize>,
    at_least: Option<i64>,
    count: u32,
}

const NAMES: [&str; 3] = ["a.v0", "b.v0", "c.v0"];

fn daemon(index: usize) -> DaemonName {
    DaemonName::new(["one", "two"][index]).unwrap()
}

fn batches() -> impl Strategy<Value = Vec<Lines>> {
    let events = prop::collection::vec((0usize..3, -3i64..10), 1..6);
    let lines = (0usize..2, events).prop_map(|(daemon, events)| Lines { daemon, events });
    prop::collection::vec(lines, 0..12)
}

fn waits() -> impl Strategy<Value = Vec<Asked>> {
    let from = prop::option::of(0u64..40);
    let asked = (
        0usize..14,
        [from.clone(), from],
        prop::option::of(0usize..3),
        prop::option::of(-2i64..9),
        1u32..4,
    );
    let asked = asked.prop_map(|(before, from, name, at_least, count)| Asked {
        before,
        from,
        name,
        at_least,
        count,
    });
    prop::collection::vec(asked, 1..12)
}

/// The n-th event, in the order of the log, that each wait should end with.
fn expected(batches: &[Lines], asked: &Asked) -> Option<u64> {
    let all = batches
        .iter()
        .flat_map(|lines| lines.events.iter().map(|event| (lines.daemon, *event)))
        .zip(0u64..);
    let mut matching = all.filter(|((daemon, (name, value)), seq)| {
        asked.from[*daemon].is_some_and(|from| *seq >= from)
            && asked.name.is_none_or(|wanted| wanted == *name)
            && asked.at_least.is_none_or(|least| *value >= least)
    });
    matching.nth(asked.count as usize - 1).map(|(_, seq)| seq)
}

fn wait(asked: &Asked) -> Wait {
    let sources = (0..2).filter_map(|index| Some((daemon(index), Seq(asked.from[index]?))));
    let event = asked.name.map_or("*", |name| NAMES[name]);
    let test = asked.at_least.map_or(Test::Any, |least| {
        let predicate = Predicate::parse(&format!("i >= {least}")).unwrap();
        Test::Predicate(Bound { predicate, variables: Arc::new(BTreeMap::new()) })
    });
    Wait {
        sources: sources.collect(),
        event: NamePattern::new(event).unwrap(),
        test,
        missing: asked.count,
    }
}

fn line((name, i): (usize, i64)) -> String {
    let name = NAMES[name];
    format!("{{\"fd-sink-item.v0\":{{\"event\":{{\"{name}\":{{\"i\":{i}}}}}}}}}\n")
}

async fn play(batches: &[Lines], waits: &[Asked]) -> Vec<Option<u64>> {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(RunDir::new(folder.path().join("run"))).unwrap();
    let bus = EventBus::new(recorder, LogEnd::default(), &PanicLatch::default()).start();
    for index in 0..2 {
        let (daemon, envelope) = (daemon(index), Envelope::Octez);
        bus.do_send(Introduce { daemon, kind: Kind::Process, envelope });
    }
    let mut names = Names::default();
    let mut answers: Vec<Option<_>> = waits.iter().map(|_| None).collect();
    for step in 0..=batches.len().max(14) {
        for (index, asked) in waits.iter().enumerate().filter(|(_, asked)| asked.before == step) {
            let (reply, answer) = oneshot::channel();
            answers[index] = Some(answer);
            let id = WaiterId(index as u64);
            let timeout = Duration::from_mins(1);
            bus.do_send(Register { id, wait: wait(asked), timeout, reply });
        }
        if let Some(lines) = batches.get(step) {
            let text: Vec<String> = lines.events.iter().map(|event| line(*event)).collect();
            let batch = Batch::decode(text.concat().into(), &Envelope::Octez, &mut names);
            let daemon = daemon(lines.daemon);
            bus.send(Publish { daemon, incarnation: Incarnation(1), batch, late: false })
                .await
                .unwrap();
        }
    }
    let mut found = Vec::new();
    // Whatever is still scanning has until then; what has not ended is shut down.
    tokio::task::yield_now().await;
    while bus.send(super::tests_support::Idle).await.is_ok_and(|idle| !idle) {
        tokio::task::yield_now().await;
    }
    let (reply, finished) = oneshot::channel();
    bus.do_send(Finish { reply });
    finished.await.unwrap();
    for answer in answers {
        found.push(match answer.unwrap().await.unwrap() {
            Ok(event) => Some(event.seq.0),
            Err(failed) => {
                assert!(matches!(failed.why, Why::ShuttingDown), "{failed:?}");
                None
            }
        });
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_wait_ends_with_the_event_that_the_order_of_the_log_says(
        batches in batches(),
        waits in waits(),
    ) {
        let waits: Vec<Asked> =
            waits.into_iter().filter(|asked| asked.from.iter().any(Option::is_some)).collect();
        let wanted: Vec<_> = waits.iter().map(|asked| expected(&batches, asked)).collect();
        let found = System::new().block_on(play(&batches, &waits));
        prop_assert_eq!(found, wanted);
    }
}
