//! The transitions themselves.

use std::time::{Duration, Instant};

use super::{Action, Fact, Refused, Request, State, Unexpected};
use crate::daemon::restart::Verdict;
use crate::daemon::{ExitCause, ExitReason, ExitStatus, Incarnation};

/// What the test has asked to happen after the death to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Afterwards {
    #[default]
    AsPolicySays,
    StayDown,
    RunAgain,
}

const SIGKILL: i32 = 9;
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

/// No delay is longer, so that adding one to a time cannot overflow.
const LONGEST_DELAY: Duration = Duration::from_hours(365 * 24);

/// The life of one daemon over all its incarnations.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    state: State,
    /// The newest number given out; a run that failed to come about keeps its number.
    incarnation: Incarnation,
    last: Option<ExitReason>,
    afterwards: Afterwards,
    shutting_down: bool,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    pub fn new() -> Self {
        Self {
            state: State::NeverRun,
            incarnation: Incarnation::default(),
            last: None,
            afterwards: Afterwards::default(),
            shutting_down: false,
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// The newest incarnation, living or not; 0 before the first run.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    pub fn last_exit(&self) -> Option<ExitReason> {
        self.last
    }

    /// A process of it lives, as far as anyone has seen.
    pub fn is_alive(&self) -> bool {
        matches!(self.state, State::Running { .. } | State::Ending { .. })
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Running { ready: true, .. })
    }

    pub fn is_paused(&self) -> bool {
        matches!(self.state, State::Running { paused: true, .. })
    }

    /// Dead, and nothing but a request of the test will bring it back. One that has never run is pending, not dead.
    pub fn is_finally_dead(&self) -> bool {
        matches!(
            self.state,
            State::Exited { .. } | State::GivenUp { .. } | State::SpawnFailed { .. }
        )
    }

    /// What the test wants, or why that cannot be.
    pub fn request(&mut self, request: Request) -> Result<Action, Refused> {
        match request {
            Request::Run => self.run(),
            Request::Terminate => self.terminate(),
            Request::Kill => self.kill(),
            Request::Crash { fault } => self.crash(fault),
            Request::Restart => self.restart(),
            Request::Pause => self.pause(),
            Request::Resume => self.resume(),
            Request::Signal(signal) => self.signal(signal),
            Request::Shutdown => {
                self.shutting_down = true;
                Ok(self.terminate().unwrap_or(Action::Nothing))
            }
        }
    }

    /// What the host saw. An `Unexpected` of `Spawned` means that the run was cancelled: kill what was spawned.
    pub fn observe(&mut self, fact: Fact) -> Result<Action, Unexpected> {
        match fact {
            Fact::Spawned { incarnation } => self.spawned(incarnation),
            Fact::SpawnFailed { incarnation } => self.spawn_failed(incarnation),
            Fact::Ready { incarnation } => self.became_ready(incarnation),
            Fact::GraceOver { incarnation } => self.grace_over(incarnation),
            Fact::LeaderExited { incarnation, status } => self.leader_exited(incarnation, status),
            Fact::Drained { incarnation, verdict, now } => self.drained(incarnation, &verdict, now),
            Fact::BackoffOver { incarnation } => self.backoff_over(incarnation),
        }
    }

    fn run(&mut self) -> Result<Action, Refused> {
        if self.shutting_down {
            return Err(Refused::ShuttingDown);
        }
        match self.state {
            State::NeverRun
            | State::Exited { .. }
            | State::GivenUp { .. }
            | State::SpawnFailed { .. } => Ok(self.prepare()),
            State::Preparing { incarnation } | State::Running { incarnation, .. } => {
                Err(Refused::AlreadyRunning { incarnation })
            }
            // Whether the restart comes before or after the request is a race; the answer must not depend on it.
            State::BackingOff { .. } => Err(Refused::BackingOff),
            State::Ending { .. } | State::Draining { .. } => Err(self.not_running()),
        }
    }

    fn terminate(&mut self) -> Result<Action, Refused> {
        let State::Running { incarnation, .. } = self.state else {
            return self.stay_down();
        };
        self.afterwards = Afterwards::StayDown;
        self.state = State::Ending { incarnation, cause: ExitCause::Terminate };
        Ok(Action::Terminate)
    }

    fn kill(&mut self) -> Result<Action, Refused> {
        match self.state {
            State::Running { incarnation, .. }
            | State::Ending { incarnation, cause: ExitCause::Terminate } => {
                self.afterwards = Afterwards::StayDown;
                self.state = State::Ending { incarnation, cause: ExitCause::Kill };
                Ok(Action::Kill)
            }
            _ => self.stay_down(),
        }
    }

    /// What `terminate` and `kill` mean for a daemon that does not run, or does not any more.
    fn stay_down(&mut self) -> Result<Action, Refused> {
        match self.state {
            // A restart by the policy, or one that the test asked for, is called off.
            State::Ending { .. } | State::Draining { .. } => {
                self.afterwards = Afterwards::StayDown;
                Ok(Action::Nothing)
            }
            State::Preparing { .. } | State::BackingOff { .. } => {
                self.state = match self.last {
                    Some(last) => State::Exited { last },
                    None => State::NeverRun,
                };
                Ok(Action::Cancel)
            }
            _ => Err(self.not_running()),
        }
    }

    fn crash(&mut self, fault: u32) -> Result<Action, Refused> {
        let State::Running { incarnation, .. } = self.state else {
            return Err(self.not_running());
        };
        self.state = State::Ending { incarnation, cause: ExitCause::Crash { fault } };
        Ok(Action::Kill)
    }

    fn restart(&mut self) -> Result<Action, Refused> {
        if self.shutting_down {
            return Err(Refused::ShuttingDown);
        }
        match self.state {
            State::Running { .. } => {
                let action = self.terminate()?;
                self.afterwards = Afterwards::RunAgain;
                Ok(action)
            }
            State::BackingOff { .. } => Ok(self.prepare()),
            _ => self.run(),
        }
    }

    fn pause(&mut self) -> Result<Action, Refused> {
        let State::Running { paused, .. } = &mut self.state else {
            return Err(self.not_running());
        };
        *paused = true;
        Ok(Action::Pause)
    }

    fn resume(&mut self) -> Result<Action, Refused> {
        let State::Running { paused, .. } = &mut self.state else {
            return Err(self.not_running());
        };
        *paused = false;
        Ok(Action::Resume)
    }

    fn signal(&mut self, signal: i32) -> Result<Action, Refused> {
        match &mut self.state {
            State::Running { paused, signalled, .. } => {
                match signal {
                    SIGSTOP => *paused = true,
                    SIGCONT => *paused = false,
                    other => *signalled = Some(other),
                }
                Ok(Action::Signal(signal))
            }
            State::Ending { .. } => Ok(Action::Signal(signal)),
            _ => Err(self.not_running()),
        }
    }

    fn spawned(&mut self, about: Incarnation) -> Result<Action, Unexpected> {
        match self.state {
            State::Preparing { incarnation } if incarnation == about => {
                self.state =
                    State::Running { incarnation, ready: false, paused: false, signalled: None };
                Ok(Action::Nothing)
            }
            _ => Err(self.unexpected(about)),
        }
    }

    fn spawn_failed(&mut self, about: Incarnation) -> Result<Action, Unexpected> {
        match self.state {
            State::Preparing { incarnation } if incarnation == about => {
                self.state = State::SpawnFailed { incarnation };
                Ok(Action::Finish)
            }
            _ => Err(self.unexpected(about)),
        }
    }

    fn became_ready(&mut self, about: Incarnation) -> Result<Action, Unexpected> {
        match &mut self.state {
            State::Running { incarnation, ready, .. } if *incarnation == about => {
                *ready = true;
                Ok(Action::Nothing)
            }
            // It said so with its last words.
            State::Ending { incarnation, .. }
            | State::Draining { reason: ExitReason { incarnation, .. } }
                if *incarnation == about =>
            {
                Ok(Action::Nothing)
            }
            _ => Err(self.unexpected(about)),
        }
    }

    fn grace_over(&mut self, about: Incarnation) -> Result<Action, Unexpected> {
        match self.state {
            State::Ending { incarnation, cause: ExitCause::Terminate } if incarnation == about => {
                Ok(Action::Kill)
            }
            _ => Err(self.unexpected(about)),
        }
    }

    fn leader_exited(
        &mut self,
        about: Incarnation,
        status: ExitStatus,
    ) -> Result<Action, Unexpected> {
        let cause = match self.state {
            State::Running { incarnation, signalled, .. } if incarnation == about => {
                cause_unasked(signalled, status)
            }
            State::Ending { incarnation, cause } if incarnation == about => {
                cause_asked(cause, status)
            }
            _ => return Err(self.unexpected(about)),
        };
        let reason = ExitReason { incarnation: about, status, cause };
        self.last = Some(reason);
        self.state = State::Draining { reason };
        Ok(Action::Drain(reason))
    }

    fn drained(
        &mut self,
        about: Incarnation,
        verdict: &Verdict,
        now: Instant,
    ) -> Result<Action, Unexpected> {
        let last = match self.state {
            State::Draining { reason } if reason.incarnation == about => reason,
            _ => return Err(self.unexpected(about)),
        };
        let afterwards = if self.shutting_down { Afterwards::StayDown } else { self.afterwards };
        Ok(match (afterwards, verdict) {
            (Afterwards::RunAgain, _) => self.prepare(),
            (Afterwards::StayDown, _) | (Afterwards::AsPolicySays, Verdict::Final) => {
                self.state = State::Exited { last };
                Action::Finish
            }
            (Afterwards::AsPolicySays, Verdict::Restart { after }) => {
                let until = now + (*after).min(LONGEST_DELAY);
                self.state = State::BackingOff { last, until };
                Action::RestartAt(until)
            }
            (Afterwards::AsPolicySays, Verdict::GaveUp { .. }) => {
                self.state = State::GivenUp { last };
                Action::GiveUp
            }
        })
    }

    fn backoff_over(&mut self, about: Incarnation) -> Result<Action, Unexpected> {
        match self.state {
            State::BackingOff { last, .. } if last.incarnation == about => Ok(self.prepare()),
            _ => Err(self.unexpected(about)),
        }
    }

    fn prepare(&mut self) -> Action {
        self.incarnation = self.incarnation.next();
        self.afterwards = Afterwards::AsPolicySays;
        self.state = State::Preparing { incarnation: self.incarnation };
        Action::Prepare(self.incarnation)
    }

    fn not_running(&self) -> Refused {
        let why = match self.state {
            State::Ending { incarnation, .. }
            | State::Draining { reason: ExitReason { incarnation, .. } } => {
                return Refused::Ending { incarnation };
            }
            State::Running { incarnation, .. } => return Refused::AlreadyRunning { incarnation },
            State::BackingOff { .. } => return Refused::BackingOff,
            State::NeverRun => "it has never run",
            State::Preparing { .. } => "it has not been spawned yet",
            State::Exited { .. } => "it has exited",
            State::GivenUp { .. } => "it was given up",
            State::SpawnFailed { .. } => "it could not be spawned",
        };
        Refused::NotRunning { why }
    }

    fn unexpected(&self, about: Incarnation) -> Unexpected {
        let current = self.incarnation;
        if about == current {
            Unexpected::OutOfPlace { current }
        } else {
            Unexpected::Stale { about, current }
        }
    }
}

/// The cause of an exit that a `terminate`, `kill` or `crash` had been sent out for.
fn cause_asked(cause: ExitCause, status: ExitStatus) -> ExitCause {
    match cause {
        // It was faster than the fault, which therefore hit nothing. A death that the test asked for, in contrast,
        // stays asked for: it must not be answered with a restart.
        ExitCause::Crash { .. } if status.signal() != Some(SIGKILL) => ExitCause::Itself,
        cause => cause,
    }
}

/// The cause of any other exit.
fn cause_unasked(signalled: Option<i32>, status: ExitStatus) -> ExitCause {
    match (signalled, status) {
        (None, _) => ExitCause::Itself,
        (Some(sent), ExitStatus::Signal(died_of)) if sent != died_of => ExitCause::Itself,
        (Some(_), _) => ExitCause::Signal,
    }
}
