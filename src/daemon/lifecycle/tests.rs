use std::time::Duration;

use proptest::prelude::*;

use super::*;

const ONE: Incarnation = Incarnation(1);
const TWO: Incarnation = Incarnation(2);

/// A daemon whose first incarnation runs.
fn running() -> Lifecycle {
    let mut daemon = Lifecycle::new();
    assert_eq!(daemon.request(Request::Run), Ok(Action::Prepare(ONE)));
    assert_eq!(daemon.observe(Fact::Spawned { incarnation: ONE }), Ok(Action::Nothing));
    daemon
}

fn exit(daemon: &mut Lifecycle, status: ExitStatus) -> ExitReason {
    let incarnation = daemon.incarnation();
    match daemon.observe(Fact::LeaderExited { incarnation, status }) {
        Ok(Action::Drain(reason)) => reason,
        other => panic!("no drain but {other:?}"),
    }
}

fn drained(daemon: &mut Lifecycle, verdict: Verdict) -> Action {
    let incarnation = daemon.incarnation();
    daemon
        .observe(Fact::Drained { incarnation, verdict, now: Instant::now() })
        .expect("it is draining")
}

fn restart() -> Verdict {
    Verdict::Restart { after: Duration::from_millis(100) }
}

fn backing_off() -> Lifecycle {
    let mut daemon = running();
    exit(&mut daemon, ExitStatus::Code(1));
    assert!(matches!(drained(&mut daemon, restart()), Action::RestartAt(_)));
    daemon
}

#[test]
fn it_is_terminated_drained_and_finally_dead_in_that_order() {
    let mut daemon = running();
    assert_eq!(daemon.observe(Fact::Ready { incarnation: ONE }), Ok(Action::Nothing));
    assert!(daemon.is_ready());
    assert_eq!(daemon.request(Request::Terminate), Ok(Action::Terminate));
    assert!(daemon.is_alive());
    let reason = exit(&mut daemon, ExitStatus::Code(127));
    assert_eq!(reason.cause, ExitCause::Terminate);
    assert!(!daemon.is_finally_dead(), "what it wrote is not published yet");
    assert_eq!(drained(&mut daemon, Verdict::Final), Action::Finish);
    assert!(daemon.is_finally_dead());
    assert_eq!(daemon.last_exit(), Some(reason));
}

#[test]
fn a_grace_that_is_over_kills_and_the_cause_stays_terminate() {
    let mut daemon = running();
    daemon.request(Request::Terminate).expect("it runs");
    assert_eq!(daemon.observe(Fact::GraceOver { incarnation: ONE }), Ok(Action::Kill));
    let reason = exit(&mut daemon, ExitStatus::Signal(9));
    assert_eq!(reason.cause, ExitCause::Terminate);
}

#[test]
fn a_crash_is_answered_by_the_policy_and_a_kill_is_not() {
    let mut daemon = running();
    assert_eq!(daemon.request(Request::Crash { fault: 3 }), Ok(Action::Kill));
    assert_eq!(exit(&mut daemon, ExitStatus::Signal(9)).cause, ExitCause::Crash { fault: 3 });
    assert!(matches!(drained(&mut daemon, restart()), Action::RestartAt(_)));

    let mut daemon = running();
    assert_eq!(daemon.request(Request::Kill), Ok(Action::Kill));
    assert_eq!(exit(&mut daemon, ExitStatus::Signal(9)).cause, ExitCause::Kill);
    assert_eq!(drained(&mut daemon, restart()), Action::Finish);
}

#[test]
fn a_fault_that_comes_too_late_is_not_the_cause() {
    let mut daemon = running();
    daemon.request(Request::Crash { fault: 1 }).expect("it runs");
    assert_eq!(exit(&mut daemon, ExitStatus::Code(0)).cause, ExitCause::Itself);
}

#[test]
fn a_daemon_that_exits_just_before_it_is_terminated_stays_down_all_the_same() {
    // The exit had happened, but had not been seen.
    let mut daemon = running();
    daemon.request(Request::Terminate).expect("it runs");
    assert_eq!(exit(&mut daemon, ExitStatus::Code(1)).cause, ExitCause::Terminate);
    assert_eq!(drained(&mut daemon, restart()), Action::Finish);

    // It had been seen, but what follows had not been decided.
    let mut daemon = running();
    assert_eq!(exit(&mut daemon, ExitStatus::Code(1)).cause, ExitCause::Itself);
    assert_eq!(daemon.request(Request::Terminate), Ok(Action::Nothing));
    assert_eq!(drained(&mut daemon, restart()), Action::Finish);
}

#[test]
fn the_cause_is_a_signal_step_only_if_the_death_fits_it() {
    let cause = |sent, status| {
        let mut daemon = running();
        assert_eq!(daemon.request(Request::Signal(sent)), Ok(Action::Signal(sent)));
        exit(&mut daemon, status).cause
    };
    assert_eq!(cause(10, ExitStatus::Signal(10)), ExitCause::Signal);
    assert_eq!(cause(15, ExitStatus::Code(127)), ExitCause::Signal);
    assert_eq!(cause(10, ExitStatus::Signal(11)), ExitCause::Itself);
    assert_eq!(cause(18, ExitStatus::Code(1)), ExitCause::Itself);
}

#[test]
fn signals_that_stop_and_continue_pause_and_resume() {
    let mut daemon = running();
    for (request, paused) in [
        (Request::Pause, true),
        (Request::Resume, false),
        (Request::Signal(19), true),
        (Request::Signal(18), false),
    ] {
        daemon.request(request).expect("it runs");
        assert_eq!(daemon.is_paused(), paused, "{request:?}");
    }
}

#[test]
fn terminate_and_kill_call_off_a_restart_that_is_due() {
    for request in [Request::Terminate, Request::Kill, Request::Shutdown] {
        let mut daemon = backing_off();
        assert_eq!(daemon.request(request), Ok(Action::Cancel));
        assert!(daemon.is_finally_dead());
        let late = daemon.observe(Fact::BackoffOver { incarnation: ONE });
        assert_eq!(late, Err(Unexpected::OutOfPlace { current: ONE }));
    }
}

#[test]
fn a_run_that_is_called_off_before_its_spawn_tells_the_spawner_so() {
    let mut daemon = Lifecycle::new();
    daemon.request(Request::Run).expect("it does not run");
    assert_eq!(daemon.request(Request::Terminate), Ok(Action::Cancel));
    assert_eq!(daemon.state(), State::NeverRun);
    assert!(daemon.observe(Fact::Spawned { incarnation: ONE }).is_err());
    assert_eq!(daemon.request(Request::Run), Ok(Action::Prepare(TWO)));
    assert_eq!(
        daemon.observe(Fact::Spawned { incarnation: ONE }),
        Err(Unexpected::Stale { about: ONE, current: TWO })
    );
}

#[test]
fn a_restart_runs_again_whatever_the_policy_says_and_a_later_terminate_calls_it_off() {
    let mut daemon = running();
    assert_eq!(daemon.request(Request::Restart), Ok(Action::Terminate));
    exit(&mut daemon, ExitStatus::Code(0));
    assert_eq!(drained(&mut daemon, Verdict::Final), Action::Prepare(TWO));

    let mut daemon = running();
    daemon.request(Request::Restart).expect("it runs");
    assert_eq!(daemon.request(Request::Terminate), Ok(Action::Nothing));
    exit(&mut daemon, ExitStatus::Code(0));
    assert_eq!(drained(&mut daemon, Verdict::Final), Action::Finish);
}

#[test]
fn a_restart_of_what_does_not_run_is_a_run() {
    assert_eq!(Lifecycle::new().request(Request::Restart), Ok(Action::Prepare(ONE)));
    assert_eq!(backing_off().request(Request::Restart), Ok(Action::Prepare(TWO)));
}

#[test]
fn requests_that_make_no_sense_are_refused_and_change_nothing() {
    let never_run = Refused::NotRunning { why: "it has never run" };
    let already = Refused::AlreadyRunning { incarnation: ONE };
    let mut ending = running();
    ending.request(Request::Terminate).expect("it runs");
    let mut given_up = running();
    exit(&mut given_up, ExitStatus::Code(1));
    drained(&mut given_up, Verdict::GaveUp { deaths: vec![] });
    let table = [
        (Lifecycle::new(), Request::Terminate, never_run),
        (Lifecycle::new(), Request::Kill, never_run),
        (Lifecycle::new(), Request::Crash { fault: 1 }, never_run),
        (Lifecycle::new(), Request::Pause, never_run),
        (Lifecycle::new(), Request::Resume, never_run),
        (Lifecycle::new(), Request::Signal(10), never_run),
        (running(), Request::Run, already),
        (backing_off(), Request::Run, Refused::BackingOff),
        (backing_off(), Request::Crash { fault: 1 }, Refused::BackingOff),
        (ending.clone(), Request::Run, Refused::Ending { incarnation: ONE }),
        (ending.clone(), Request::Restart, Refused::Ending { incarnation: ONE }),
        (ending.clone(), Request::Crash { fault: 1 }, Refused::Ending { incarnation: ONE }),
        (ending, Request::Pause, Refused::Ending { incarnation: ONE }),
        (given_up, Request::Kill, Refused::NotRunning { why: "it was given up" }),
    ];
    for (mut daemon, request, refusal) in table {
        let before = daemon.state();
        assert_eq!(daemon.request(request), Err(refusal), "{request:?} in {before:?}");
        assert_eq!(daemon.state(), before);
    }
}

#[test]
fn nothing_runs_any_more_once_the_harness_shuts_down() {
    let mut daemon = running();
    assert_eq!(daemon.request(Request::Shutdown), Ok(Action::Terminate));
    assert_eq!(daemon.request(Request::Shutdown), Ok(Action::Nothing));
    exit(&mut daemon, ExitStatus::Signal(15));
    assert_eq!(drained(&mut daemon, restart()), Action::Finish);
    assert_eq!(daemon.request(Request::Run), Err(Refused::ShuttingDown));
    assert_eq!(daemon.request(Request::Restart), Err(Refused::ShuttingDown));
    assert_eq!(Lifecycle::new().request(Request::Shutdown), Ok(Action::Nothing));
}

#[test]
fn a_run_that_does_not_come_about_is_final_and_may_be_tried_again() {
    let mut daemon = Lifecycle::new();
    daemon.request(Request::Run).expect("it does not run");
    let failed = daemon.observe(Fact::SpawnFailed { incarnation: ONE });
    assert_eq!(failed, Ok(Action::Finish));
    assert!(daemon.is_finally_dead());
    assert_eq!(daemon.request(Request::Run), Ok(Action::Prepare(TWO)));
}

#[test]
fn an_endless_back_off_is_a_long_one() {
    let mut daemon = running();
    exit(&mut daemon, ExitStatus::Code(1));
    let action = drained(&mut daemon, Verdict::Restart { after: Duration::MAX });
    assert!(matches!(action, Action::RestartAt(_)));
}

/// What the tests below know of the world: whether there is a process, and whether one is to come.
#[derive(Default)]
struct World {
    process: Option<Incarnation>,
    preparing: Option<Incarnation>,
    timer: Option<Incarnation>,
    draining: Option<Incarnation>,
    /// The test has asked for the end since the last run began.
    asked_to_end: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Request(Request),
    /// The preparation ends: the process is there, or it is not.
    Spawn {
        works: bool,
    },
    Ready,
    Exit(ExitStatus),
    /// Everything has been read; what the policy says.
    Drain(u8),
    TimerFires,
    GraceEnds,
}

fn any_step() -> impl Strategy<Value = Step> {
    let request = prop::sample::select(vec![
        Request::Run,
        Request::Run,
        Request::Terminate,
        Request::Kill,
        Request::Crash { fault: 1 },
        Request::Restart,
        Request::Pause,
        Request::Resume,
        Request::Signal(10),
    ]);
    prop_oneof![
        4 => request.prop_map(Step::Request),
        1 => Just(Step::Request(Request::Shutdown)),
        4 => prop::bool::weighted(0.9).prop_map(|works| Step::Spawn { works }),
        1 => Just(Step::Ready),
        4 => prop_oneof![
            (0..3).prop_map(|code| Step::Exit(ExitStatus::Code(code))),
            Just(Step::Exit(ExitStatus::Signal(9)))
        ],
        4 => (0_u8..3).prop_map(Step::Drain),
        2 => Just(Step::TimerFires),
        1 => Just(Step::GraceEnds),
    ]
}

impl World {
    /// Does to the world what an owner of the daemon would do.
    fn carry_out(&mut self, action: Action, daemon: &Lifecycle) {
        match action {
            Action::Prepare(incarnation) => {
                assert!(self.process.is_none(), "two incarnations at once");
                assert!(self.draining.is_none(), "the old one has not been read to its end");
                self.preparing = Some(incarnation);
                self.timer = None;
                self.asked_to_end = false;
            }
            Action::RestartAt(_) => {
                assert!(!self.asked_to_end, "a restart that the test did not want");
                self.timer = Some(daemon.incarnation());
            }
            Action::Cancel => (self.preparing, self.timer) = (None, None),
            Action::Finish | Action::GiveUp => assert!(daemon.is_finally_dead()),
            Action::Drain(reason) => self.draining = Some(reason.incarnation),
            Action::Terminate
            | Action::Kill
            | Action::Pause
            | Action::Resume
            | Action::Signal(_) => assert!(self.process.is_some(), "a signal to nobody"),
            Action::Nothing => {}
        }
        assert_eq!(daemon.is_alive(), self.process.is_some());
        let pending = self.preparing.or(self.timer).or(self.draining).or(self.process);
        assert_eq!(
            pending.is_none(),
            daemon.is_finally_dead() || daemon.state() == State::NeverRun
        );
    }

    fn take(&mut self, step: Step, daemon: &mut Lifecycle) {
        let now = Instant::now();
        let observed = match step {
            Step::Request(request) => {
                let before = format!("{daemon:?}");
                match daemon.request(request) {
                    Ok(action) => {
                        let ends = matches!(
                            request,
                            Request::Terminate | Request::Kill | Request::Shutdown
                        );
                        self.asked_to_end |= ends;
                        self.carry_out(action, daemon);
                    }
                    Err(_) => assert_eq!(format!("{daemon:?}"), before),
                }
                return;
            }
            Step::Spawn { works } => self.preparing.take().map(|incarnation| {
                self.process = works.then_some(incarnation);
                if works {
                    Fact::Spawned { incarnation }
                } else {
                    Fact::SpawnFailed { incarnation }
                }
            }),
            Step::Ready => self.process.map(|incarnation| Fact::Ready { incarnation }),
            Step::Exit(status) => {
                self.process.take().map(|incarnation| Fact::LeaderExited { incarnation, status })
            }
            Step::Drain(which) => self.draining.take().map(|incarnation| {
                let verdict = match which {
                    0 => Verdict::Final,
                    1 => restart(),
                    _ => Verdict::GaveUp { deaths: vec![] },
                };
                Fact::Drained { incarnation, verdict, now }
            }),
            Step::TimerFires => {
                self.timer.take().map(|incarnation| Fact::BackoffOver { incarnation })
            }
            Step::GraceEnds => {
                // A timer that nobody disarms; that it comes too late is no harm.
                let incarnation = daemon.incarnation();
                if let Ok(action) = daemon.observe(Fact::GraceOver { incarnation }) {
                    self.carry_out(action, daemon);
                }
                return;
            }
        };
        if let Some(fact) = observed {
            let action = daemon.observe(fact).expect("what happens in the world is expected");
            self.carry_out(action, daemon);
        }
    }
}

proptest! {
    #[test]
    fn it_agrees_with_the_world_whatever_happens(steps in prop::collection::vec(any_step(), 0..60)) {
        let mut daemon = Lifecycle::new();
        let mut world = World::default();
        for step in steps {
            world.take(step, &mut daemon);
        }
    }

    #[test]
    fn facts_about_an_older_incarnation_change_nothing(
        steps in prop::collection::vec(any_step(), 0..60),
        code in 0..3,
    ) {
        let mut daemon = Lifecycle::new();
        let mut world = World::default();
        for step in steps {
            world.take(step, &mut daemon);
            let incarnation = Incarnation(daemon.incarnation().0.wrapping_sub(1));
            let before = format!("{daemon:?}");
            let status = ExitStatus::Code(code);
            for fact in [
                Fact::Spawned { incarnation },
                Fact::SpawnFailed { incarnation },
                Fact::Ready { incarnation },
                Fact::GraceOver { incarnation },
                Fact::LeaderExited { incarnation, status },
                Fact::Drained { incarnation, verdict: restart(), now: Instant::now() },
                Fact::BackoffOver { incarnation },
            ] {
                let stale = matches!(daemon.observe(fact), Err(Unexpected::Stale { .. }));
                prop_assert!(stale);
            }
            prop_assert_eq!(format!("{daemon:?}"), before);
        }
    }
}
