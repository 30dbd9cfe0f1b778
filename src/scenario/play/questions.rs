//! Looking at a play while it goes on, and at its end by a time limit or an interrupt.

use std::convert::Infallible;
use std::time::Duration;

use super::evidence;
use super::stage::Stage;
use super::trouble::Trouble;
use super::world::World;
use crate::harness::Harness;
use crate::host::usage::usage;
use crate::scenario::job::{Progress, Urgency};
use crate::scenario::result::FailureKind;
use crate::scenario::state::{DaemonNow, Occasion, PlayState, RunningStep};

/// How long a look may take: a harness that does not answer must not keep anybody.
const LOOK: Duration = Duration::from_secs(2);

/// How long the steps may take to tell of waits whose time was ended with the scenario's.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Tells the state of the play whenever somebody asks.
pub(super) async fn answer(stage: &Stage<'_>) -> Infallible {
    let mut inquiries = stage.job.inquiries.clone();
    inquiries.forget();
    loop {
        inquiries.next().await;
        tell(stage, Occasion::Asked).await;
    }
}

/// Returns when the play is interrupted; the state in which that finds it has been told then.
pub(super) async fn interrupted(stage: &Stage<'_>) {
    stage.job.cancellation.at_least(Urgency::Graceful).await;
    tokio::select! {
        () = tell(stage, Occasion::Interrupted) => {}
        () = stage.job.cancellation.at_least(Urgency::Now) => {}
    }
}

/// Returns when the limit is over. What the steps wait for is ended as timed out before, so that as a rule they tell of it
/// themselves; see [`as_limit`].
pub(super) async fn over(stage: &Stage<'_>, what: &str, limit: Duration) -> Trouble {
    tokio::time::sleep(limit).await;
    tell(stage, Occasion::OutOfTime(format!("{what} took longer than {limit:?}"))).await;
    let waits = stage.track.running().into_iter().flat_map(|step| step.waits).collect::<Vec<_>>();
    if !waits.is_empty() {
        stage.is_over.set(true);
        if let World::Live(harness) = stage.world {
            harness.expire(waits);
        }
        tokio::time::sleep(LAST_WORDS).await;
    }
    stage.out_of_time(what, limit)
}

/// The failure of a step whose wait ended with the scenario's time is the scenario's.
pub(super) fn as_limit(stage: &Stage<'_>, mut trouble: Trouble, limit: Duration) -> Trouble {
    let failure = &mut *trouble.failure;
    if stage.is_over.get() && matches!(failure.kind, FailureKind::TimedOut | FailureKind::NotReady)
    {
        failure.kind = FailureKind::Timeout;
        let step = &failure.step;
        failure.message =
            format!("the scenario took longer than {limit:?}, during {step}: {}", failure.message);
    }
    trouble
}

/// Tells the state in which a step ran out of time.
pub(super) async fn tell_of(stage: &Stage<'_>, trouble: &Trouble) {
    let failure = &trouble.failure;
    if matches!(failure.kind, FailureKind::TimedOut | FailureKind::NotReady) {
        let text = format!("{} ran out of time: {}", failure.step, failure.message);
        tell(stage, Occasion::OutOfTime(text)).await;
    }
}

async fn tell(stage: &Stage<'_>, occasion: Occasion) {
    // Nobody asks a record.
    let World::Live(harness) = stage.world else { return };
    if let Ok(state) = tokio::time::timeout(LOOK, look(stage, harness, occasion)).await {
        stage.tell(Progress::State(&state));
    }
}

async fn look(stage: &Stage<'_>, harness: &Harness, occasion: Occasion) -> PlayState {
    let mut inspection = harness.inspect().await;
    let survey = harness.survey().await;
    let steps = stage.track.running().into_iter().map(|step| {
        let is_its = |wait: &mut crate::harness::PendingWait| step.waits.contains(&wait.id);
        RunningStep {
            waits: inspection.waits.extract_if(.., is_its).collect(),
            path: step.path,
            text: step.text,
            line: step.line,
            for_s: step.since.elapsed().as_secs_f64(),
        }
    });
    let steps = steps.collect();
    let daemons = stage.roster.names().iter().filter_map(|name| {
        let state = evidence::state_of(stage, &survey, name)?;
        let pid = state.pid.and_then(|pid| i32::try_from(pid).ok());
        Some(DaemonNow {
            events: survey.daemons.get(name).map_or(0, |seen| seen.events),
            usage: pid.and_then(usage),
            backlogs: inspection.backlogs.get(name).cloned().unwrap_or_default(),
            state,
        })
    });
    PlayState {
        occasion,
        after_s: stage.began.elapsed().as_secs_f64(),
        seed: stage.job.seed,
        log_end: harness.mark().0,
        steps,
        daemons: daemons.collect(),
        waits: inspection.waits,
    }
}
