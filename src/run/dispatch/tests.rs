//! Orchestration, with plays that do nothing but end as they are told.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::*;
use crate::run::player::Playing;
use crate::run::{Flaky, Keep, Policy, Seeds};
use crate::scenario::job::{Inquirer, OctezSource};
use crate::scenario::result::Failure;

/// Options that play every scenario once.
pub fn options(out: &Path) -> Options {
    Options {
        jobs: 1,
        policy: Policy::default(),
        seeds: Seeds::given(42),
        vars: Vec::new(),
        timeout: None,
        timeout_scale: 1.0,
        strict: None,
        octez: OctezSource::Sandbox,
        out: out.to_owned(),
        keep: Keep::Failed,
        live: false,
        abandon_after: Duration::from_mins(1),
        inquiries: Inquirer::new().1,
    }
}

/// A player that a closure stands for.
struct Scripted<F>(F);

impl<F: for<'a> Fn(&'a Job) -> Playing<'a>> Player for Scripted<F> {
    fn play<'a>(&'a self, job: &'a Job, _listener: &'a dyn Listener) -> Playing<'a> {
        (self.0)(job)
    }
}

fn scripted<F: for<'a> Fn(&'a Job) -> Playing<'a> + 'static>(script: F) -> Rc<dyn Player> {
    Rc::new(Scripted(script))
}

/// A player whose plays end at once, one outcome after the other.
fn in_turn(outcomes: &[Outcome]) -> Rc<dyn Player> {
    let outcomes = RefCell::new(VecDeque::from(outcomes.to_vec()));
    scripted(move |job| {
        let outcome = outcomes.borrow_mut().pop_front().expect("more plays than outcomes");
        let result = result(job, outcome);
        Box::pin(async move { result })
    })
}

fn result(job: &Job, outcome: Outcome) -> ScenarioResult {
    let failed = matches!(outcome, Outcome::Failed | Outcome::Error);
    ScenarioResult {
        outcome,
        duration_s: 0.5,
        failure: failed.then(|| Failure::new(FailureKind::TimedOut, "no such event")),
        ..unplayed("a", &job.file.to_string_lossy(), job.seed)
    }
}

/// Notes what it is told.
#[derive(Default)]
struct Log {
    played: RefCell<Vec<Played>>,
    began: RefCell<Vec<Unit>>,
    interrupts: RefCell<Vec<Interrupt>>,
}

impl Observer for Log {
    fn notice(&self, notice: Notice<'_>) {
        match notice {
            Notice::PlayBegan { unit, .. } => self.began.borrow_mut().push(unit),
            Notice::PlayEnded { played, .. } => self.played.borrow_mut().push(played.clone()),
            Notice::Interrupted(interrupt) => self.interrupts.borrow_mut().push(interrupt),
            _ => {}
        }
    }
}

fn cases(number: usize) -> Vec<Case> {
    let case = |index| Case {
        file: format!("scenarios/{index}.yaml").into(),
        name: format!("case {index}"),
        tags: Vec::new(),
        description: None,
        seed: None,
    };
    (0..number).map(case).collect()
}

struct Ran {
    report: RunReport,
    log: Rc<Log>,
    out: tempfile::TempDir,
}

impl Ran {
    fn verdicts(&self) -> Vec<Option<Verdict>> {
        self.log.played.borrow().iter().map(|played| played.verdict).collect()
    }

    fn run_dirs(&self) -> usize {
        let entries = std::fs::read_dir(self.out.path()).expect("the folder exists");
        entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir())).count()
    }
}

/// Plays with no signal ever coming.
fn run(number: usize, player: Rc<dyn Player>, change: impl FnOnce(&mut Options)) -> Ran {
    run_interrupted(number, player, change, mpsc::unbounded_channel())
}

type Interrupts = (UnboundedSender<Interrupt>, mpsc::UnboundedReceiver<Interrupt>);

fn run_interrupted(
    number: usize,
    player: Rc<dyn Player>,
    change: impl FnOnce(&mut Options),
    interrupts: Interrupts,
) -> Ran {
    run_archived(number, player, change, interrupts, Arc::new(()))
}

fn run_archived(
    number: usize,
    player: Rc<dyn Player>,
    change: impl FnOnce(&mut Options),
    (sender, receiver): Interrupts,
    archivist: Arc<dyn Archivist>,
) -> Ran {
    let out = tempfile::tempdir().expect("temporary folder");
    let mut options = options(out.path());
    change(&mut options);
    let log = Rc::new(Log::default());
    let observer: Rc<dyn Observer> = Rc::clone(&log) as Rc<dyn Observer>;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let report = runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(
            Duration::from_mins(1),
            play_all(&cases(number), &options, player, observer, archivist, receiver),
        )
        .await
        .expect("the run ends")
    });
    drop(sender);
    Ran { report, log, out }
}

use Outcome::{Error, Failed, Interrupted, Passed};

#[test]
fn a_run_that_passes_leaves_no_directory_and_records_times() {
    let ran = run(2, in_turn(&[Passed, Passed]), |_| {});
    assert_eq!(ran.report.exit, Exit::Passed);
    assert_eq!((ran.report.summary.passed, ran.report.summary.not_played), (2, 0));
    assert_eq!(ran.run_dirs(), 0);
    let times = Times::read(ran.out.path());
    assert_eq!(times.of(Path::new("scenarios/1.yaml")), Some(0.5));
}

#[test]
fn a_failure_keeps_its_directory_with_the_result_and_the_command_to_rerun() {
    let ran = run(2, in_turn(&[Failed, Passed]), |_| {});
    assert_eq!(ran.report.exit, Exit::Failed);
    assert_eq!(ran.run_dirs(), 1);
    let played = ran.log.played.borrow();
    let run_dir = played[0].run_dir.clone().expect("kept");
    let text = std::fs::read(run_dir.join("result.json")).expect("written");
    let read: ScenarioResult = serde_json::from_slice(&text).expect("readable");
    assert_eq!(read, played[0].result);
    let failure = read.failure.expect("failed");
    assert_eq!(failure.rerun.expect("filled in"), "tribunal run scenarios/0.yaml --seed 42");
    assert_eq!(failure.replay.expect("filled in"), super::super::rerun::recheck(&run_dir));
    assert_eq!(Times::read(ran.out.path()).of(Path::new("scenarios/0.yaml")), None);
}

#[test]
fn keep_always_keeps_passes_and_never_keeps_nothing() {
    let ran = run(2, in_turn(&[Failed, Passed]), |options| options.keep = Keep::Always);
    assert_eq!(ran.run_dirs(), 2);
    let ran = run(2, in_turn(&[Failed, Passed]), |options| options.keep = Keep::Never);
    assert_eq!(ran.run_dirs(), 0);
    assert!(ran.log.played.borrow().iter().all(|played| played.run_dir.is_none()));
}

#[test]
fn a_retry_has_the_same_seed_and_a_directory_of_its_own() {
    let ran = run(1, in_turn(&[Failed, Passed]), |options| {
        options.policy.retries = 1;
        options.keep = Keep::Always;
    });
    assert_eq!(ran.verdicts(), [None, Some(Verdict::Flaky)]);
    assert_eq!((ran.report.exit, ran.report.summary.flaky), (Exit::Passed, 1));
    let played = ran.log.played.borrow();
    assert_eq!((played[0].result.seed, played[1].result.seed), (42, 42));
    let second = played[1].run_dir.clone().expect("kept");
    assert!(second.to_string_lossy().ends_with("-42-r2"), "{second:?}");
}

#[test]
fn flaky_fails_the_run_if_asked_to() {
    let ran = run(1, in_turn(&[Failed, Passed]), |options| {
        options.policy.retries = 1;
        options.policy.flaky = Flaky::Fail;
    });
    assert_eq!((ran.report.exit, ran.report.summary.flaky), (Exit::Failed, 1));
}

#[test]
fn repetitions_count_the_seed_up() {
    let ran = run(2, in_turn(&[Passed; 6]), |options| options.policy.repetitions = Some(3));
    let seeds: Vec<_> = ran.log.played.borrow().iter().map(|played| played.result.seed).collect();
    assert_eq!(seeds, [42, 42, 43, 43, 44, 44]);
}

#[test]
fn fail_fast_leaves_the_rest_unplayed() {
    let ran = run(4, in_turn(&[Passed, Failed]), |options| options.policy.fail_fast = true);
    assert_eq!((ran.report.exit, ran.report.summary.not_played), (Exit::Failed, 2));
}

#[test]
fn an_environment_error_outweighs_a_failure() {
    let ran = run(2, in_turn(&[Failed, Error]), |_| {});
    assert_eq!((ran.report.exit, ran.report.summary.error), (Exit::Environment, 1));
}

#[test]
fn no_more_than_jobs_are_played_side_by_side() {
    let (now, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let counters = (Rc::clone(&now), Rc::clone(&most));
    let player = scripted(move |job| {
        let (now, most) = (Rc::clone(&counters.0), Rc::clone(&counters.1));
        Box::pin(async move {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            now.set(now.get() - 1);
            result(job, Passed)
        })
    });
    let ran = run(7, player, |options| options.jobs = 3);
    assert_eq!((ran.report.summary.passed, now.get(), most.get()), (7, 0, 3));
}

#[test]
fn a_panic_is_exit_70_and_the_others_are_played() {
    let player = scripted(|job| {
        let result = result(job, Passed);
        Box::pin(async move {
            assert!(!result.file.contains('0'), "case 0 is cursed");
            result
        })
    });
    let ran = run(2, player, |_| {});
    assert_eq!(ran.report.exit, Exit::Bug);
    assert_eq!((ran.report.summary.error, ran.report.summary.passed), (1, 1));
    let played = ran.log.played.borrow();
    let failure = played[0].result.failure.as_ref().expect("a panic is a failure");
    assert_eq!(failure.kind, FailureKind::Panic);
    assert!(failure.message.contains("case 0 is cursed"), "{}", failure.message);
    assert!(failure.message.contains("please report it"), "{}", failure.message);
}

#[test]
fn the_first_signal_ends_plays_gracefully_and_begins_no_more() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let signal = sender.clone();
    let player = scripted(move |job| {
        signal.send(Interrupt::Graceful).expect("the run listens");
        Box::pin(async move {
            job.cancellation.at_least(Urgency::Graceful).await;
            assert_eq!(job.cancellation.urgency(), Urgency::Graceful);
            result(job, Interrupted)
        })
    });
    let ran = run_interrupted(3, player, |options| options.jobs = 2, (sender, receiver));
    assert_eq!(ran.report.exit, Exit::Interrupted);
    assert_eq!((ran.report.summary.interrupted, ran.report.summary.not_played), (2, 1));
    assert_eq!(ran.log.began.borrow().len(), 2);
}

#[test]
fn a_run_that_was_interrupted_exits_130_even_if_all_passed() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let signal = sender.clone();
    let player = scripted(move |job| {
        signal.send(Interrupt::Graceful).expect("the run listens");
        Box::pin(async move { result(job, Passed) })
    });
    let ran = run_interrupted(1, player, |_| {}, (sender, receiver));
    assert_eq!((ran.report.exit, ran.report.summary.passed), (Exit::Interrupted, 1));
    assert_eq!(*ran.log.interrupts.borrow(), [Interrupt::Graceful]);
}

#[test]
fn plays_that_do_not_heed_the_second_signal_are_dropped() {
    /// Tells when the play that owns it is dropped.
    struct Kept(Rc<Cell<bool>>);
    impl Drop for Kept {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    for last in [Interrupt::Now, Interrupt::FrontLost] {
        let (sender, receiver) = mpsc::unbounded_channel();
        let signal = sender.clone();
        let dropped = Rc::new(Cell::new(false));
        let flag = Rc::clone(&dropped);
        let player = scripted(move |_job| {
            signal.send(Interrupt::Graceful).expect("the run listens");
            signal.send(last).expect("the run listens");
            let kept = Kept(Rc::clone(&flag));
            Box::pin(async move {
                let _kept = kept;
                std::future::pending().await
            })
        });
        let change = |options: &mut Options| options.abandon_after = Duration::ZERO;
        let ran = run_interrupted(1, player, change, (sender, receiver));
        assert!(dropped.get());
        assert_eq!((ran.report.exit, ran.report.summary.interrupted), (Exit::Interrupted, 1));
    }
}

#[test]
fn a_retry_that_a_signal_prevented_counts_as_failed() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let signal = sender.clone();
    let player = scripted(move |job| {
        // The other play ends the run between this failure and its retry.
        if job.file.ends_with("1.yaml") {
            signal.send(Interrupt::Graceful).expect("the run listens");
        }
        let outcome = if job.file.ends_with("1.yaml") { Interrupted } else { Failed };
        Box::pin(async move {
            if outcome == Interrupted {
                job.cancellation.at_least(Urgency::Graceful).await;
            } else {
                tokio::task::yield_now().await;
            }
            result(job, outcome)
        })
    });
    let change = |options: &mut Options| {
        options.jobs = 2;
        options.policy.retries = 1_000_000;
    };
    let ran = run_interrupted(2, player, change, (sender, receiver));
    let summary = ran.report.summary;
    assert_eq!((summary.failed, summary.interrupted), (1, 1));
    let last = ran.verdicts().into_iter().flatten().filter(|&v| v == Verdict::Failed).count();
    assert_eq!(last, 1);
}

#[test]
fn a_run_directory_that_cannot_be_made_is_exit_4() {
    let ran = run(1, in_turn(&[]), |options| options.out = options.out.join("missing"));
    assert_eq!((ran.report.exit, ran.report.summary.error), (Exit::Environment, 1));
    let played = ran.log.played.borrow();
    let failure = played[0].result.failure.as_ref().expect("said why");
    assert_eq!(failure.kind, FailureKind::Environment);
    assert!(failure.message.contains("cannot make the run directory"), "{}", failure.message);
}

#[test]
fn a_result_that_cannot_be_written_is_exit_4() {
    let player = scripted(|job| {
        std::fs::remove_dir_all(&job.run_dir).expect("it was there");
        let result = result(job, Passed);
        Box::pin(async move { result })
    });
    let ran = run(1, player, |_| {});
    assert_eq!((ran.report.exit, ran.report.summary.error), (Exit::Environment, 1));
}

/// Notes what it is shown: the outcome, whether the result stood there, and whether it is kept.
#[derive(Default)]
struct Reader(std::sync::Mutex<Vec<(Outcome, bool, bool)>>);

impl Archivist for Reader {
    fn file(&self, attempt: &crate::run::Attempt<'_>) {
        let has_result = attempt.run_dir.join("result.json").is_file();
        let seen = (attempt.result.outcome, has_result, attempt.kept);
        self.0.lock().expect("nobody panicked").push(seen);
    }
}

#[test]
fn whoever_reads_run_directories_sees_them_before_they_are_removed() {
    let reader = Arc::new(Reader::default());
    let archivist = Arc::clone(&reader) as Arc<dyn Archivist>;
    let interrupts = mpsc::unbounded_channel();
    let ran = run_archived(2, in_turn(&[Passed, Failed]), |_| {}, interrupts, archivist);
    assert_eq!(
        *reader.0.lock().expect("nobody panicked"),
        [(Passed, true, false), (Failed, true, true)]
    );
    assert_eq!(ran.run_dirs(), 1);
}

#[test]
fn who_panics_over_a_run_directory_ends_no_other_play() {
    struct Cursed;
    impl Archivist for Cursed {
        fn file(&self, attempt: &crate::run::Attempt<'_>) {
            assert!(attempt.case.name != "case 0", "it is cursed");
        }
    }
    let interrupts = mpsc::unbounded_channel();
    let player = in_turn(&[Passed, Passed]);
    let ran = run_archived(2, player, |_| {}, interrupts, Arc::new(Cursed));
    assert_eq!(ran.report.exit, Exit::Bug);
    assert_eq!((ran.report.summary.error, ran.report.summary.passed), (1, 1));
    assert_eq!(ran.run_dirs(), 1, "what panicked is kept");
}

#[test]
fn after_the_second_signal_nobody_reads_any_more() {
    let reader = Arc::new(Reader::default());
    let archivist = Arc::clone(&reader) as Arc<dyn Archivist>;
    let (sender, receiver) = mpsc::unbounded_channel();
    let signal = sender.clone();
    let player = scripted(move |job| {
        signal.send(Interrupt::Now).expect("the run listens");
        Box::pin(async move {
            job.cancellation.at_least(Urgency::Now).await;
            result(job, Interrupted)
        })
    });
    let ran = run_archived(1, player, |_| {}, (sender, receiver), archivist);
    assert_eq!(ran.report.exit, Exit::Interrupted);
    assert!(reader.0.lock().expect("nobody panicked").is_empty());
    assert_eq!(ran.run_dirs(), 1, "it is kept all the same");
}
