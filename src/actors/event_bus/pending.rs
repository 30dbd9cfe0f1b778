//! The waits that are going on, for whoever wonders what is being waited for; and their end before their time.

use std::time::{Duration, Instant};

use actix::{Context, Handler, Message};
use tokio::sync::oneshot;

use super::EventBus;
use crate::daemon::DaemonName;
use crate::event::log::{IndexEntry, Lines};
use crate::event::waiters::WaiterId;
use crate::event::{NamePattern, Seq, lifecycle_names};

/// A wait that has not been answered.
#[derive(Clone, Debug)]
pub struct PendingWait {
    pub id: WaiterId,
    pub sources: Vec<PendingSource>,
    pub event: String,
    pub r#where: Option<String>,
    /// How long it has been going on, and how long it may go on.
    pub since: Duration,
    pub left: Duration,
    /// Its history is still being searched.
    pub is_looking_back: bool,
}

/// One daemon of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSource {
    pub daemon: DaemonName,
    /// The first position that counts.
    pub from: Seq,
    /// Records of the daemon from there on.
    pub searched: u64,
}

/// Asks for all waits, oldest first.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ListWaits {
    pub(crate) reply: oneshot::Sender<Vec<PendingWait>>,
}

impl Handler<ListWaits> for EventBus {
    type Result = ();

    fn handle(&mut self, list: ListWaits, _: &mut Context<Self>) {
        let mut ids: Vec<WaiterId> = self.ports.keys().copied().collect();
        ids.sort_unstable();
        let pending = ids.into_iter().filter_map(|id| self.pending(id)).collect();
        // Who asked may have gone on.
        let _ = list.reply.send(pending);
    }
}

/// The time of these waits is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Expire(pub(crate) Vec<WaiterId>);

impl Handler<Expire> for EventBus {
    type Result = ();

    fn handle(&mut self, expire: Expire, ctx: &mut Context<Self>) {
        let now = Instant::now();
        for id in expire.0 {
            if let Some(port) = self.ports.get_mut(&id) {
                self.deadlines.remove(&(port.deadline, id));
                port.deadline = now;
                self.deadlines.insert((now, id));
            }
        }
        self.pass_deadlines(ctx);
    }
}

impl EventBus {
    fn pending(&mut self, id: WaiterId) -> Option<PendingWait> {
        let port = self.ports.get(&id)?;
        let now = Instant::now();
        let (since, left) = (port.since.elapsed(), port.deadline.saturating_duration_since(now));
        let (sources, event) = (port.sources.clone(), port.event.clone());
        let r#where = port.bound.as_ref().map(|bound| bound.predicate.source().to_owned());
        let source = |(daemon, from): (DaemonName, Seq)| {
            let searched = self.records_since(&daemon, &event, from);
            PendingSource { daemon, from, searched }
        };
        let sources = sources.into_iter().map(source).collect();
        let is_looking_back = self.is_scanning(id);
        let event = event.to_string();
        Some(PendingWait { id, sources, event, r#where, since, left, is_looking_back })
    }

    fn records_since(&mut self, daemon: &DaemonName, event: &NamePattern, from: Seq) -> u64 {
        if let NamePattern::Exact(name) = event
            && lifecycle_names::include(name.as_str())
        {
            let tally = self.tallies.get(daemon);
            return tally
                .map_or(0, |tally| tally.lifecycle(daemon, name.as_str(), from).count() as u64);
        }
        let (mut from, mut count) = (from, 0);
        // What cannot be read back has not been searched either.
        while let Ok(entries) = self.recorder.entries(daemon, from)
            && let Some(last) = entries.last()
        {
            let counted =
                |entry: &IndexEntry| entry.end().0.saturating_sub(entry.first.max(from).0);
            count += entries.iter().map(counted).sum::<u64>();
            from = last.end().max(from.next());
        }
        count
    }
}
