//! Waiting for events: from a position on, by name and predicate, never without a deadline.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use actix::Addr;
use serde_json::Value;
use tokio::sync::oneshot;

use super::core::{Core, SharedCore};
use crate::actors::event_bus::{EventBus, Failed, Register, Unregister, Why};
use crate::daemon::{DEFAULT_TIMEOUT, DaemonName, ExitReason};
use crate::event::miss::Miss;
use crate::event::waiters::{Bound, Test, Wait, WaiterId};
use crate::event::{Event, NamePattern, Seq};
use crate::predicate::{ParseError, Predicate};

/// What a wait is for.
#[derive(Debug)]
pub struct Wanted {
    /// Each daemon, and the first position that counts there. The first match of any of them ends the wait.
    pub sources: Vec<(DaemonName, Seq)>,
    pub event: NamePattern,
    pub test: Test,
    /// The wait ends with, and gives, the n-th match.
    pub count: u32,
}

impl Wanted {
    /// What was waited for, in words.
    pub(crate) fn in_words(&self) -> Unfulfilled {
        Unfulfilled {
            daemons: self.sources.iter().map(|(daemon, _)| daemon.clone()).collect(),
            event: self.event.to_string(),
            r#where: self.predicate().map(ToOwned::to_owned),
            count: self.count,
        }
    }

    pub(crate) fn predicate(&self) -> Option<&str> {
        match &self.test {
            Test::Predicate(bound) => Some(bound.predicate.source()),
            Test::Any | Test::Closure(_) => None,
        }
    }

    /// What is judged; `None` if it takes a closure, which there is only one of.
    pub(crate) fn to_wait(&self) -> Option<Wait> {
        let test = match &self.test {
            Test::Any => Test::Any,
            Test::Predicate(bound) => Test::Predicate(bound.clone()),
            Test::Closure(_) => return None,
        };
        let (sources, event) = (self.sources.clone(), self.event.clone());
        Some(Wait { sources, event, test, missing: self.count.max(1) })
    }
}

/// What was waited for, in words: for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfulfilled {
    pub daemons: Vec<DaemonName>,
    pub event: String,
    pub r#where: Option<String>,
    pub count: u32,
}

impl fmt::Display for Unfulfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.daemons.iter().map(DaemonName::as_str).collect();
        write!(f, "{} of {}", self.event, names.join(", "))?;
        if let Some(predicate) = &self.r#where {
            write!(f, " where {predicate}")?;
        }
        if self.count > 1 { write!(f, " ({} times)", self.count) } else { Ok(()) }
    }
}

/// A wait that ended without its event. Timed out, dead and shutting down are three answers to three questions.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// Nothing of what was searched is the event; `miss` says how much that was, and what came nearest.
    #[error("no {wanted} within {after:?}{}", nearest(miss))]
    TimedOut { wanted: Unfulfilled, after: Duration, miss: Box<Miss> },
    /// All that it was waited for from is finally dead; everything they wrote has been searched.
    #[error("{daemon} terminated before {event}{}: {exit}{}{}", where_text(r#where.as_deref()), lines(last_lines), nearest(miss))]
    TerminatedBeforeEvent {
        daemon: DaemonName,
        event: String,
        r#where: Option<String>,
        exit: ExitReason,
        /// The last of its standard output and error, oldest first.
        last_lines: Vec<String>,
        miss: Box<Miss>,
    },
    /// As before, and what ended it is that its restart budget is spent.
    #[error("{daemon} was given up before {event}{}, after {}", where_text(r#where.as_deref()), deaths_text(deaths))]
    GaveUp {
        daemon: DaemonName,
        event: String,
        r#where: Option<String>,
        /// All those that the budget counted, oldest first.
        deaths: Vec<ExitReason>,
        last_lines: Vec<String>,
        miss: Box<Miss>,
    },
    #[error("{daemon} could not be spawned, so there is no {event}: {reason}")]
    NeverSpawned { daemon: DaemonName, event: String, reason: String },
    #[error("the harness is shutting down")]
    ShuttingDown,
    #[error("recorded history cannot be read back: {reason}")]
    Unreadable { reason: String },
    #[error("the test's own closure panicked on {event}")]
    ClosurePanicked { event: String },
}

fn where_text(predicate: Option<&str>) -> String {
    predicate.map_or_else(String::new, |predicate| format!(" where {predicate}"))
}

fn deaths_text(deaths: &[ExitReason]) -> String {
    deaths.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn lines(last: &[String]) -> String {
    last.last().map_or_else(String::new, |line| format!("; it last said: {line}"))
}

fn nearest(miss: &Miss) -> String {
    match miss.nearest.first() {
        Some(near) => {
            format!("; nearest was seq {}, {}: {}", near.seq, near.event, near.explanation)
        }
        None => format!("; events searched: {}", miss.events),
    }
}

/// A registered wait. Dropping it withdraws the wait; awaiting it gives its one answer.
#[must_use = "a wait does nothing for the test unless it is awaited"]
pub struct Waiter {
    id: WaiterId,
    bus: Addr<EventBus>,
    answer: oneshot::Receiver<Result<Event, Failed>>,
    wanted: Unfulfilled,
    over: bool,
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn wait(&self, wanted: Wanted, within: Duration) -> Waiter {
        let id = self.around.waiter_ids.next();
        let (reply, answer) = oneshot::channel();
        let words = wanted.in_words();
        let Wanted { sources, event, test, count } = wanted;
        let test = match test {
            Test::Closure(closure) => Test::Closure(guarded(closure)),
            test => test,
        };
        let wait = Wait { sources, event, test, missing: count.max(1) };
        self.bus.do_send(Register { id, wait, timeout: within, reply });
        Waiter { id, bus: self.bus.clone(), answer, wanted: words, over: false }
    }
}

/// A panic in a test's closure must not take the bus down. The event on which it panicked is none that was wanted.
fn guarded(
    mut closure: Box<dyn FnMut(&Event) -> bool + Send>,
) -> Box<dyn FnMut(&Event) -> bool + Send> {
    Box::new(move |event| {
        let call = std::panic::AssertUnwindSafe(|| closure(event));
        std::panic::catch_unwind(call).unwrap_or_else(|_| {
            tracing::error!(daemon = %event.daemon, event = %event.name, "a closure of a wait panicked");
            false
        })
    })
}

impl Waiter {
    /// What it is called where pending waits are listed.
    pub(crate) fn id(&self) -> WaiterId {
        self.id
    }

    fn failed(&self, failed: Failed) -> WaitError {
        let miss = Box::new(failed.miss.unwrap_or_default());
        match failed.why {
            Why::TimedOut { after } => {
                WaitError::TimedOut { wanted: self.wanted.clone(), after, miss }
            }
            Why::ShuttingDown => WaitError::ShuttingDown,
            Why::Recording { reason } => WaitError::Unreadable { reason },
            Why::Dead(deaths) => self.dead(deaths, miss),
        }
    }

    /// Of several dead daemons the last one to be named is told: it was the last hope.
    fn dead(
        &self,
        mut deaths: Vec<(DaemonName, crate::actors::event_bus::Death)>,
        miss: Box<Miss>,
    ) -> WaitError {
        deaths.sort_by_key(|(_, death)| death.exit.map(|exit| exit.incarnation));
        let Some((daemon, death)) = deaths.pop() else {
            return WaitError::ShuttingDown;
        };
        let (event, r#where) = (self.wanted.event.clone(), self.wanted.r#where.clone());
        let last_lines = death.last_lines;
        match (death.exit, death.spawn_error) {
            (_, Some(reason)) => WaitError::NeverSpawned { daemon, event, reason },
            (Some(_), None) if !death.gave_up.is_empty() => {
                let deaths = death.gave_up;
                WaitError::GaveUp { daemon, event, r#where, deaths, last_lines, miss }
            }
            (Some(exit), None) => {
                WaitError::TerminatedBeforeEvent { daemon, event, r#where, exit, last_lines, miss }
            }
            (None, None) => WaitError::ShuttingDown,
        }
    }
}

impl Future for Waiter {
    type Output = Result<Event, WaitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(context));
        self.over = true;
        Poll::Ready(match answer {
            Ok(Ok(event)) => Ok(event),
            Ok(Err(failed)) => Err(self.failed(failed)),
            // The bus went away with the reply port in hand.
            Err(_) => Err(WaitError::ShuttingDown),
        })
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if !self.over {
            self.bus.do_send(Unregister(self.id));
        }
    }
}

/// A wait being described. Its position was taken when it was begun; it is registered by [`within`](Self::within).
#[must_use = "nothing is waited for until `within` is called and awaited"]
#[derive(Debug)]
pub struct WaitFor {
    core: SharedCore,
    wanted: Wanted,
}

impl WaitFor {
    /// `event` is a name or a glob over names; a pattern that is no glob is taken as a name.
    pub(super) fn new(core: SharedCore, daemon: DaemonName, event: &str) -> Self {
        let from = core.log_end.get();
        let event = NamePattern::new(event).unwrap_or_else(|_| NamePattern::Exact(event.into()));
        let wanted = Wanted { sources: vec![(daemon, from)], event, test: Test::Any, count: 1 };
        Self { core, wanted }
    }

    /// Only events on which this predicate is true.
    pub fn matching(self, predicate: &str) -> Result<Self, ParseError> {
        Predicate::parse(predicate).map(|predicate| self.matching_bound(predicate, BTreeMap::new()))
    }

    /// As [`matching`](Self::matching), with a parsed predicate and its `$variables`.
    pub fn matching_bound(
        mut self,
        predicate: Predicate,
        variables: BTreeMap<String, Value>,
    ) -> Self {
        let bound = Bound { predicate, variables: Arc::new(variables) };
        self.wanted.test = Test::Predicate(bound);
        self
    }

    /// The n-th match, not the first.
    pub fn at_least(mut self, count: u32) -> Self {
        self.wanted.count = count.max(1);
        self
    }

    /// From this position on, history first. Default: where the log ended when the wait was begun.
    pub fn since(mut self, mark: Seq) -> Self {
        for (_, from) in &mut self.wanted.sources {
            *from = mark;
        }
        self
    }

    /// Only events that this turns into something; the wait gives that. It is called in the harness's thread, in the order
    /// of the log, and must be quick. A panic in it fails the wait.
    pub fn filter_map<T: Send + 'static>(
        mut self,
        mut filter: impl FnMut(&Event) -> Option<T> + Send + 'static,
    ) -> Mapped<T> {
        let found: Arc<Mutex<Found<T>>> = Arc::default();
        let slot = Arc::clone(&found);
        self.wanted.test = Test::Closure(Box::new(move |event| {
            let filter = std::panic::AssertUnwindSafe(|| filter(event));
            let found = match std::panic::catch_unwind(filter) {
                Ok(None) => return false,
                Ok(Some(value)) => Found::Value(value),
                Err(_) => Found::Panicked,
            };
            *slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = found;
            true
        }));
        Mapped { wait: self, found }
    }

    /// Waits at most this long from now. The whole history since the position is judged first, however short this is.
    pub async fn within(self, timeout: Duration) -> Result<Event, WaitError> {
        self.core.wait(self.wanted, timeout).await
    }
}

/// Waits for the default time, 60 s.
impl IntoFuture for WaitFor {
    type Output = Result<Event, WaitError>;
    type IntoFuture = Waiter;

    fn into_future(self) -> Waiter {
        self.core.wait(self.wanted, DEFAULT_TIMEOUT)
    }
}

#[derive(Debug, Default)]
enum Found<T> {
    #[default]
    Nothing,
    Value(T),
    Panicked,
}

/// A wait whose closure both filters and extracts.
#[must_use = "nothing is waited for until `within` is called and awaited"]
#[derive(Debug)]
pub struct Mapped<T> {
    wait: WaitFor,
    found: Arc<Mutex<Found<T>>>,
}

impl<T> Mapped<T> {
    /// As [`WaitFor::within`].
    pub async fn within(self, timeout: Duration) -> Result<T, WaitError> {
        let Self { wait, found } = self;
        let event = wait.wanted.event.to_string();
        wait.within(timeout).await?;
        let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match std::mem::take(&mut *found) {
            Found::Value(value) => Ok(value),
            Found::Nothing | Found::Panicked => Err(WaitError::ClosurePanicked { event }),
        }
    }
}
