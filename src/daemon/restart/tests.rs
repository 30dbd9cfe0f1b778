use proptest::prelude::*;

use super::*;
use crate::daemon::Incarnation;

fn reason(status: ExitStatus, cause: ExitCause) -> ExitReason {
    ExitReason { incarnation: Incarnation(1), status, cause }
}

fn failure() -> ExitReason {
    reason(ExitStatus::Code(1), ExitCause::Itself)
}

fn policy(rule: RestartRule) -> RestartPolicy {
    RestartPolicy { rule, ..RestartPolicy::default() }
}

fn decide(rule: RestartRule, reason: ExitReason) -> bool {
    let mut tracker = RestartTracker::new(policy(rule), vec![0, 127], 1);
    matches!(tracker.decide(reason, Instant::now()), Verdict::Restart { .. })
}

#[test]
fn each_rule_answers_the_deaths_it_is_for() {
    use ExitCause::{Crash, HostLost, Itself, Kill, Signal, Terminate};
    use ExitStatus::Code;
    let sigkill = ExitStatus::Signal(9);
    let crash = Crash { fault: 1 };
    // (status, cause, restarted on failure, restarted always)
    let table = [
        (Code(0), Itself, false, true),
        (Code(127), Itself, false, true),
        (Code(1), Itself, true, true),
        (ExitStatus::Signal(11), Itself, true, true),
        (Code(127), Signal, false, true),
        (Code(2), Signal, true, true),
        (ExitStatus::Signal(15), Signal, true, true),
        (sigkill, crash, true, true),
        (Code(0), crash, true, true),
        (Code(1), Terminate, false, false),
        (sigkill, Terminate, false, false),
        (sigkill, Kill, false, false),
        (Code(1), HostLost, false, false),
    ];
    for (status, cause, on_failure, always) in table {
        let reason = reason(status, cause);
        assert!(!decide(RestartRule::Never, reason), "never: {reason}");
        assert_eq!(decide(RestartRule::OnFailure, reason), on_failure, "on-failure: {reason}");
        assert_eq!(decide(RestartRule::Always, reason), always, "always: {reason}");
    }
}

#[test]
fn the_restart_beyond_the_budget_is_not_made_and_every_death_is_named() {
    let mut tracker = RestartTracker::new(
        RestartPolicy { max_restarts: 3, ..policy(RestartRule::OnFailure) },
        vec![0],
        1,
    );
    let begin = Instant::now();
    let at = |second| begin + Duration::from_secs(second);
    for second in 0..3 {
        assert!(matches!(tracker.decide(failure(), at(second)), Verdict::Restart { .. }));
    }
    let Verdict::GaveUp { deaths } = tracker.decide(failure(), at(3)) else {
        panic!("the budget is three");
    };
    let times: Vec<_> = deaths.iter().map(|death| death.at).collect();
    assert_eq!(times, [at(0), at(1), at(2), at(3)]);
}

#[test]
fn a_budget_of_nothing_gives_up_at_the_first_failure() {
    let policy = RestartPolicy { max_restarts: 0, ..policy(RestartRule::Always) };
    let mut tracker = RestartTracker::new(policy, vec![0], 1);
    let Verdict::GaveUp { deaths } = tracker.decide(failure(), Instant::now()) else {
        panic!("there is no budget");
    };
    assert_eq!(deaths.len(), 1);
}

#[test]
fn deaths_that_are_slower_than_the_window_go_on_for_ever() {
    let mut tracker = RestartTracker::new(policy(RestartRule::OnFailure), vec![0], 1);
    let begin = Instant::now();
    // Five restarts in 30 s are allowed; one every 6.1 s is just under that. A gap is never as long as the window.
    for k in 0..100 {
        let now = begin + Duration::from_millis(6100) * k;
        assert!(matches!(tracker.decide(failure(), now), Verdict::Restart { .. }), "death {k}");
    }
}

#[test]
fn delays_double_up_to_the_cap_and_begin_anew_when_the_window_is_empty() {
    let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
    let policy = RestartPolicy { backoff, max_restarts: 100, ..policy(RestartRule::OnFailure) };
    let mut tracker = RestartTracker::new(policy, vec![0], 1);
    let begin = Instant::now();
    let mut delay = |second| match tracker.decide(failure(), begin + Duration::from_secs(second)) {
        Verdict::Restart { after } => after.as_millis(),
        other => panic!("no restart but {other:?}"),
    };
    let delays: Vec<_> = (0..8).map(&mut delay).collect();
    assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    assert_eq!(delay(7 + 31), 100);
}

#[test]
fn the_same_seed_gives_the_same_delays_and_another_one_others() {
    let delays = |seed| {
        let policy = RestartPolicy { max_restarts: 20, ..policy(RestartRule::Always) };
        let mut tracker = RestartTracker::new(policy, vec![], seed);
        let now = Instant::now();
        (0..20).map(|_| tracker.decide(failure(), now)).collect::<Vec<_>>()
    };
    assert_eq!(delays(7), delays(7));
    assert_ne!(delays(7), delays(8));
}

#[test]
fn senseless_factors_still_give_a_delay_within_the_cap() {
    let max = Duration::from_secs(5);
    for factor in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -3.0, 0.0, f64::MAX] {
        for jitter in [f64::NAN, f64::INFINITY, -1.0, 0.1, 100.0] {
            for initial in [Duration::ZERO, Duration::from_millis(1), Duration::MAX] {
                for in_row in [0, 1, 63, u32::MAX] {
                    let delay = Backoff { initial, factor, max, jitter }.delay(in_row, 3);
                    assert!(delay <= max, "{initial:?} {factor} {jitter} {in_row}: {delay:?}");
                }
            }
        }
    }
    let unbounded = Backoff { max: Duration::MAX, ..Backoff::default() };
    assert!(unbounded.delay(u32::MAX, 1) <= Duration::MAX);
}

proptest! {
    #[test]
    fn no_window_ever_holds_more_restarts_than_the_budget(
        max_restarts in 0_u32..6,
        window in 1_u64..50,
        gaps in prop::collection::vec(0_u64..40, 0..80),
    ) {
        let policy = RestartPolicy {
            max_restarts,
            window: Duration::from_secs(window),
            ..policy(RestartRule::OnFailure)
        };
        let mut tracker = RestartTracker::new(policy, vec![0], 1);
        let begin = Instant::now();
        let budget = max_restarts as usize;
        let mut second = 0;
        // The model: every restart ever made, and no cleverness.
        let mut restarts: Vec<u64> = Vec::new();
        for gap in gaps {
            second += gap;
            let in_window = restarts.iter().filter(|then| second - **then <= window).count();
            match tracker.decide(failure(), begin + Duration::from_secs(second)) {
                Verdict::Restart { .. } => {
                    prop_assert!(in_window < budget);
                    restarts.push(second);
                }
                Verdict::GaveUp { deaths } => {
                    prop_assert!(in_window >= budget);
                    prop_assert_eq!(deaths.len(), in_window + 1);
                    // The tracker has forgotten what it has named.
                    restarts.clear();
                }
                Verdict::Final => prop_assert!(false, "a failure is answered"),
            }
        }
    }

    #[test]
    fn jitter_stays_within_its_part_of_the_delay_and_below_the_cap(
        initial in 1_u64..2_000,
        factor in 1.0_f64..4.0,
        max in 1_u64..10_000,
        jitter in 0.0_f64..1.0,
        in_row in 0_u32..40,
        seed: u64,
    ) {
        let (initial, max) = (Duration::from_millis(initial), Duration::from_millis(max));
        let plain = Backoff { initial, factor, max, jitter: 0.0 }.delay(in_row, seed);
        let drawn = Backoff { initial, factor, max, jitter }.delay(in_row, seed);
        let slack = Duration::from_micros(1);
        prop_assert!(drawn <= max);
        prop_assert!(drawn + slack >= plain.mul_f64(1.0 - jitter));
        prop_assert!(drawn <= plain.mul_f64(1.0 + jitter) + slack);
    }
}
