//! What a play goes on in: a harness with daemons, or the record of one.
//!
//! Cursors, predicates, staleness and vacuity are judged by the same code in both; what differs is here. A record answers
//! at once, and what it cannot tell is [`Unmet::Undecided`].

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::recorded::Past;
use super::roster::Handle;
use super::stage::Stage;
use super::trouble::Trouble;
use crate::daemon::DaemonName;
use crate::daemon::lifecycle::State;
use crate::event::miss::Miss;
use crate::event::waiters::WaiterId;
use crate::event::{Event, Seq};
use crate::harness::{Harness, IncarnationStatus, Surveyed, WaitError, Waiter, Wanted};
use crate::record::{Phase, What};
use crate::scenario::result::FailureKind;

#[derive(Clone, Copy)]
pub(super) enum World<'a> {
    Live(&'a Harness),
    Recorded(&'a Past),
}

/// A position of the log, and when it was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moment {
    pub(super) seq: Seq,
    /// Seconds since the log began; 0 where daemons live, as nobody asks there.
    pub(super) at_s: f64,
}

impl Moment {
    pub(super) fn later(self, other: Self) -> Self {
        if other.seq > self.seq || other.at_s > self.at_s { other } else { self }
    }
}

/// Where a branch stands: when its present step began, and what a record knows of that step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    pub(super) began: Moment,
    /// Where the step ended when it was played.
    pub(super) ended: Option<Seq>,
    /// It reads as it did when it was played.
    pub(super) same: bool,
    pub(super) passed: bool,
    /// How far a wait that failed, or an absence that held, had searched when it was played.
    pub(super) searched_to: Option<Seq>,
    /// What comes later belongs to no step of this part of the play.
    pub(super) last: Moment,
}

/// How long is looked, and for what.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    /// Until it comes: the death of all daemons ends it before its limit.
    Match(Duration),
    /// All the time: a dead daemon may be run again.
    Absence(Duration),
}

/// Why there is no event.
#[derive(Debug)]
pub(super) enum Unmet {
    Failed(Box<WaitError>),
    /// The record ends too early to tell.
    Undecided(String),
}

impl Unmet {
    /// What was looked at in vain.
    pub(super) fn miss(&self) -> Option<&Miss> {
        let Self::Failed(error) = self else { return None };
        match &**error {
            WaitError::TimedOut { miss, .. }
            | WaitError::TerminatedBeforeEvent { miss, .. }
            | WaitError::GaveUp { miss, .. } => Some(miss),
            _ => None,
        }
    }

    /// The position just past the last record that was looked at.
    pub(super) fn searched_to(&self) -> Option<Seq> {
        self.miss().map(|miss| miss.to)
    }
}

impl From<Unmet> for Trouble {
    fn from(unmet: Unmet) -> Self {
        match unmet {
            Unmet::Failed(error) => (*error).into(),
            Unmet::Undecided(reason) => Self::undecided(reason),
        }
    }
}

/// A wait that was registered, or was answered from the record.
#[must_use = "a wait does nothing unless it is awaited"]
pub(super) enum Waiting {
    Live(Box<Waiter>),
    Answered(Option<Result<Event, Unmet>>),
}

impl Waiting {
    pub(super) fn id(&self) -> Option<WaiterId> {
        match self {
            Self::Live(waiter) => Some(waiter.id()),
            Self::Answered(_) => None,
        }
    }
}

impl Future for Waiting {
    type Output = Result<Event, Unmet>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Live(waiter) => {
                Pin::new(waiter).poll(context).map_err(|error| Unmet::Failed(Box::new(error)))
            }
            Self::Answered(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

/// What a daemon is doing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Present {
    /// Where its newest incarnation's first record stands.
    pub(super) first: Option<Seq>,
    /// One has ended, and the next has not come about yet.
    pub(super) is_between: bool,
}

impl From<&Handle> for Present {
    fn from(handle: &Handle) -> Self {
        let status = handle.status();
        let is_between = matches!(status.state, State::BackingOff { .. } | State::Preparing { .. });
        Self { first: status.first, is_between }
    }
}

impl<'a> Stage<'a> {
    /// The harness. Steps that need it are not judged on a record, so that the error is for nobody but us.
    pub(super) fn live(&self) -> Result<&'a Harness, Trouble> {
        match self.world {
            World::Live(harness) => Ok(harness),
            World::Recorded(_) => {
                Err(Trouble::undecided("this takes daemons, and there is only a record"))
            }
        }
    }

    pub(super) fn past(&self) -> Option<&'a Past> {
        match self.world {
            World::Live(_) => None,
            World::Recorded(past) => Some(past),
        }
    }

    /// A record is not written to.
    pub(super) fn note(&self, what: What) {
        if let World::Live(harness) = self.world {
            harness.note(what);
        }
    }

    /// A part of the play is over now.
    pub(super) fn note_end(&self, phase: Phase) {
        if let World::Live(harness) = self.world {
            harness.note(What::Ended { phase, end: harness.mark() });
        }
    }

    /// Reads what every pipe holds now.
    pub(super) async fn settle(&self) {
        if let World::Live(harness) = self.world {
            harness.settle().await;
        }
    }

    /// The same, for at most so long: what does not settle must not keep a play from ending.
    pub(super) async fn settle_within(&self, limit: Duration) {
        if let World::Live(harness) = self.world {
            let _ = tokio::time::timeout(limit, harness.settle()).await;
        }
    }

    /// Lets time pass; in a record it has passed.
    pub(super) async fn pass(&self, time: Duration) {
        if let World::Live(_) = self.world {
            tokio::time::sleep(time).await;
        }
    }

    pub(super) async fn survey(&self) -> Surveyed {
        match self.world {
            World::Live(harness) => harness.survey().await,
            World::Recorded(past) => past.survey(),
        }
    }

    /// A wait for a match; registered at once where daemons live.
    pub(super) fn wait(&self, frame: &Frame, wanted: Wanted, within: Duration) -> Waiting {
        match self.world {
            World::Live(harness) => Waiting::Live(Box::new(harness.wait(wanted, within))),
            World::Recorded(past) => {
                Waiting::Answered(Some(past.wait(frame, wanted, Extent::Match(within))))
            }
        }
    }

    /// What history holds now; in a record, what it held when so much time had passed since the step began.
    pub(super) fn look_back(&self, frame: &Frame, wanted: Wanted, lasted: Duration) -> Waiting {
        match self.world {
            World::Live(harness) => Waiting::Live(Box::new(harness.wait(wanted, Duration::ZERO))),
            World::Recorded(past) => {
                Waiting::Answered(Some(past.wait(frame, wanted, Extent::Absence(lasted))))
            }
        }
    }

    pub(super) fn present(&self, name: &DaemonName, frame: &Frame) -> Present {
        match self.world {
            World::Live(_) => {
                self.roster.handle(name).as_ref().map(Present::from).unwrap_or_default()
            }
            World::Recorded(past) => past.present(name, frame.began.seq),
        }
    }

    /// Every incarnation of the daemon so far, and whether it was given up.
    pub(super) fn incarnations(&self, name: &DaemonName) -> (Vec<IncarnationStatus>, bool) {
        match self.world {
            World::Live(_) => self.roster.handle(name).map_or_else(Default::default, |handle| {
                let status = handle.status();
                (status.incarnations, matches!(status.state, State::GivenUp { .. }))
            }),
            World::Recorded(past) => past.incarnations(name, self.began),
        }
    }
}

impl Trouble {
    /// The record does not tell how this ends.
    pub(super) fn undecided(reason: impl Into<String>) -> Self {
        Self { is_undecided: true, ..Self::new(FailureKind::Vacuous, reason) }
    }
}
