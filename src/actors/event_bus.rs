//! The event log of a harness and everything that waits on it.
//!
//! A wait goes through two stages. First its history is scanned, in slices, so that a long one delays nobody; when the
//! scan has caught up with the end of the log, the wait joins the registry and is offered what comes. Both stages judge
//! the same records in the same order, so when a wait was registered makes no difference to how it ends.

mod pending;
mod publish;
mod scans;
mod waits;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix::{Actor, AsyncContext, Context, Handler, Message, SpawnHandle};
use crossbeam_channel::Sender as BlockingSender;
use tokio::sync::oneshot;

pub(crate) use self::pending::{Expire, ListWaits};
pub use self::pending::{PendingSource, PendingWait};
pub(crate) use self::publish::{Append, Output, Overlong, Publish};
use self::scans::ScanJob;
use self::waits::Port;
pub(crate) use self::waits::{Close, Death, Failed, Open, Register, Unregister, Why};
use super::latch::{PanicGuard, PanicLatch};
use crate::daemon::{DaemonName, Kind};
use crate::event::decode::Envelope;
use crate::event::history::Sections;
use crate::event::log::IndexEntry;
use crate::event::tally::Tally;
use crate::event::waiters::{WaiterId, Waiters};
use crate::event::{Event, EventName, Seq};
use crate::record::{EnvelopeNote, Note, Recorder, What};

/// How long recorded bytes may stay in memory.
const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// The end of the log, to be read without asking the bus; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogEnd(Arc<AtomicU64>);

impl LogEnd {
    /// The position of the next record.
    pub(crate) fn get(&self) -> Seq {
        Seq(self.0.load(Ordering::Acquire))
    }
}

#[derive(Debug)]
pub(crate) struct EventBus {
    recorder: Recorder,
    started: Instant,
    end: LogEnd,
    tallies: HashMap<DaemonName, Tally>,
    /// Why each finally dead daemon is dead.
    deaths: HashMap<DaemonName, Death>,
    waiters: Waiters,
    ports: HashMap<WaiterId, Port>,
    deadlines: BTreeSet<(Instant, WaiterId)>,
    /// The armed timer and when it is due.
    deadline_timer: Option<(Instant, SpawnHandle)>,
    scans: VecDeque<ScanJob>,
    step_scheduled: bool,
    observers: Vec<Observer>,
    listeners: Vec<Listener>,
    flush_pending: bool,
    sections: Sections,
    _guard: PanicGuard,
}

impl EventBus {
    pub(crate) fn new(recorder: Recorder, end: LogEnd, latch: &PanicLatch) -> Self {
        Self {
            recorder,
            started: Instant::now(),
            end,
            tallies: HashMap::new(),
            deaths: HashMap::new(),
            waiters: Waiters::default(),
            ports: HashMap::new(),
            deadlines: BTreeSet::new(),
            deadline_timer: None,
            scans: VecDeque::new(),
            step_scheduled: false,
            observers: Vec::new(),
            listeners: Vec::new(),
            flush_pending: false,
            sections: Sections::default(),
            _guard: latch.guard("EventBus"),
        }
    }

    fn next_seq(&self) -> Seq {
        self.end.get()
    }

    /// Takes `count` positions and returns the first.
    fn take_seqs(&self, count: usize) -> Seq {
        Seq(self.end.0.fetch_add(count as u64, Ordering::AcqRel))
    }

    fn tally(&mut self, daemon: &DaemonName) -> &mut Tally {
        if !self.tallies.contains_key(daemon) {
            self.tallies.insert(daemon.clone(), Tally::default());
        }
        self.tallies.get_mut(daemon).expect("inserted above")
    }

    fn note(&mut self, what: What, ctx: &mut Context<Self>) {
        let at_s = self.started.elapsed().as_secs_f64();
        self.recorder.note(&Note { at_s, what });
        self.flush_soon(ctx);
    }

    fn flush_soon(&mut self, ctx: &mut Context<Self>) {
        if !self.flush_pending {
            self.flush_pending = true;
            ctx.run_later(FLUSH_AFTER, |bus, _| {
                bus.flush_pending = false;
                bus.recorder.flush();
            });
        }
    }

    /// An index entry for a batch that arrives now; the recorder fills in where it stands.
    fn entry(&self, first: Seq, records: usize) -> IndexEntry {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        IndexEntry {
            first,
            records: u32::try_from(records).unwrap_or(u32::MAX),
            incarnation: crate::daemon::Incarnation::default(),
            offset: 0,
            bytes: 0,
            monotonic_us: micros(self.started.elapsed()),
            wall_us: micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            late: false,
            overlong: false,
        }
    }
}

impl Actor for EventBus {
    type Context = Context<Self>;
}

/// Makes a daemon known: how its lines are to be read, and that it has not run yet.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Introduce {
    pub(crate) daemon: DaemonName,
    pub(crate) kind: Kind,
    pub(crate) envelope: Envelope,
}

impl Handler<Introduce> for EventBus {
    type Result = ();

    fn handle(&mut self, introduce: Introduce, ctx: &mut Context<Self>) {
        let Introduce { daemon, kind, envelope } = introduce;
        let kind = kind.word().to_owned();
        let note = EnvelopeNote::from(&envelope);
        self.recorder.prepare(&daemon);
        self.tally(&daemon).envelope = envelope;
        self.note(What::Daemon { daemon, kind, envelope: note }, ctx);
    }
}

/// Where events go that a test wants to see all of.
pub(crate) enum Sink {
    /// Called in the harness's thread; must be quick.
    Call(Box<dyn FnMut(&Event) + Send>),
    /// Never blocks the bus: what does not fit is counted instead.
    Channel { sender: BlockingSender<Event>, dropped: Arc<AtomicU64> },
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Call(_) => "Call",
            Self::Channel { .. } => "Channel",
        })
    }
}

#[derive(Debug)]
struct Observer {
    daemon: Option<DaemonName>,
    lifecycle: bool,
    sink: Sink,
}

impl Observer {
    fn watches(&self, daemon: &DaemonName) -> bool {
        !self.lifecycle && self.daemon.as_ref().is_none_or(|watched| watched == daemon)
    }

    /// False when nobody listens any more.
    fn deliver(&mut self, event: &Event) -> bool {
        match &mut self.sink {
            Sink::Call(call) => {
                call(event);
                true
            }
            Sink::Channel { sender, dropped } => match sender.try_send(event.clone()) {
                Ok(()) => true,
                Err(crossbeam_channel::TrySendError::Full(_)) => {
                    dropped.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(crossbeam_channel::TrySendError::Disconnected(_)) => false,
            },
        }
    }
}

/// From now on, shows every event of one daemon, or of all.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Observe {
    pub(crate) daemon: Option<DaemonName>,
    /// Show `tribunal.*` records, and nothing else.
    pub(crate) lifecycle: bool,
    pub(crate) sink: Sink,
}

impl Handler<Observe> for EventBus {
    type Result = ();

    fn handle(&mut self, observe: Observe, _: &mut Context<Self>) {
        let Observe { daemon, lifecycle, sink } = observe;
        self.observers.push(Observer { daemon, lifecycle, sink });
    }
}

/// Told of complete lines of a daemon's output, as they come.
pub(crate) struct Listener(pub(crate) Hear);

/// What is called with them.
pub(crate) type Hear = Box<dyn FnMut(&DaemonName, &[u8]) + Send>;

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

/// From now on, shows the output of every daemon.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Listen(pub(crate) Listener);

impl Handler<Listen> for EventBus {
    type Result = ();

    fn handle(&mut self, listen: Listen, _: &mut Context<Self>) {
        self.listeners.push(listen.0);
    }
}

/// Appends a line to `log.jsonl` for somebody above.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Write(pub(crate) What);

impl Handler<Write> for EventBus {
    type Result = ();

    fn handle(&mut self, write: Write, ctx: &mut Context<Self>) {
        self.note(write.0, ctx);
    }
}

/// What is known of each daemon, without reading the log.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Survey {
    pub(crate) reply: oneshot::Sender<Surveyed>,
}

#[derive(Clone, Debug, Default)]
pub struct Surveyed {
    pub daemons: HashMap<DaemonName, SurveyedDaemon>,
    /// How long ago positions began to be given times.
    pub age: Duration,
    /// Why recording stopped, if it did: the disk of the run directory is full, as a rule.
    pub recording_failure: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct SurveyedDaemon {
    pub events: u64,
    pub malformed: u64,
    pub last_event_age: Option<Duration>,
    pub last_event: Option<EventName>,
    pub last_malformed: Option<String>,
    pub last_lines: Vec<String>,
    /// Names seen, and how often.
    pub names: HashMap<EventName, u64>,
}

impl Handler<Survey> for EventBus {
    type Result = ();

    fn handle(&mut self, survey: Survey, _: &mut Context<Self>) {
        self.recorder.flush();
        let daemons = self.tallies.iter().map(|(daemon, tally)| {
            let surveyed = SurveyedDaemon {
                events: tally.events,
                malformed: tally.malformed,
                last_event_age: tally.last_event_at.map(|at| at.elapsed()),
                last_event: tally.last_name().cloned(),
                last_malformed: tally.last_malformed.clone(),
                last_lines: tally.last_lines(),
                names: tally.names().map(|(name, tally)| (name.clone(), tally.count)).collect(),
            };
            (daemon.clone(), surveyed)
        });
        let surveyed = Surveyed {
            daemons: daemons.collect(),
            age: self.started.elapsed(),
            recording_failure: self.recorder.failure().map(ToOwned::to_owned),
        };
        // A caller that no longer wants the answer has dropped its port.
        let _ = survey.reply.send(surveyed);
    }
}

/// Ends every wait as *shutting down* and hands everything recorded to the kernel.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Finish {
    pub(crate) reply: oneshot::Sender<()>,
}

impl Handler<Finish> for EventBus {
    type Result = ();

    fn handle(&mut self, finish: Finish, _: &mut Context<Self>) {
        self.scans.clear();
        self.waiters.drain();
        self.deadlines.clear();
        for (_, port) in self.ports.drain() {
            port.fail(Why::ShuttingDown, None);
        }
        self.observers.clear();
        self.recorder.flush();
        // As above.
        let _ = finish.reply.send(());
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod tests_support {
    use actix::{Context, Handler, Message};

    /// Asks whether no scan is under way.
    #[derive(Debug, Message)]
    #[rtype(result = "bool")]
    pub(super) struct Idle;

    impl Handler<Idle> for super::EventBus {
        type Result = bool;

        fn handle(&mut self, _: Idle, _: &mut Context<Self>) -> bool {
            self.scans.is_empty()
        }
    }
}
