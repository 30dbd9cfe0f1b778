//! The end of a play: what else can fail it, and the result.

use std::time::Instant;

use super::Ended;
use super::settings::success_codes;
use super::stage::Stage;
use super::track::flatten;
use super::trouble::{Place, Trouble};
use crate::daemon::restart::is_failure;
use crate::daemon::{DaemonName, ExitCause, ExitReason, ExitStatus};
use crate::harness::{IncarnationStatus, Surveyed};
use crate::record::Phase;
use crate::scenario::model::ReadyWhen;
use crate::scenario::result::{
    Cause, DaemonResult, DaemonState, Exit, FailureKind, IncarnationResult, Outcome, ScenarioResult,
};

/// How long reading what the pipes hold may take at the end.
const SETTLING: std::time::Duration = std::time::Duration::from_secs(10);

/// Writes down how the play ended; the daemons still live.
pub(super) async fn conclude(stage: &Stage<'_>, ended: Ended, result: &mut ScenarioResult) {
    // Bounded, as everything: a harness that does not settle must not keep the play from ending.
    stage.settle_within(SETTLING).await;
    stage.note_end(Phase::Play);
    let survey = stage.survey().await;
    let trouble = match ended {
        Ended::InTrouble(trouble) => Some(trouble),
        Ended::FinallyFailed(trouble) => Some(unexpected_exit(stage).unwrap_or(trouble)),
        Ended::Normally => {
            stage.judge_watches(&survey);
            unexpected_exit(stage).or_else(|| stage.first_vacuous())
        }
        // What can be judged holds.
        Ended::Unjudged => None,
        Ended::Interrupted => {
            result.outcome = Outcome::Interrupted;
            None
        }
    };
    if let Some(trouble) = trouble {
        result.outcome = if trouble.is_error { Outcome::Error } else { Outcome::Failed };
        result.failure = Some(*explained(stage, trouble, &survey).failure);
    }
    let mut steps = Vec::new();
    flatten(&stage.scenario.steps, &mut steps);
    flatten(&stage.scenario.finally, &mut steps);
    result.steps = stage.track.results(&steps);
    result.faults.clone_from(&stage.faults.borrow());
    result.daemons = stage.roster.names().iter().map(|name| daemon(stage, &survey, name)).collect();
    for daemon in result.daemons.iter().filter(|daemon| daemon.malformed > 0) {
        stage.warn(format!("{} lines of {} were no event", daemon.malformed, daemon.name));
    }
    result.warnings.extend(stage.warnings());
}

/// A daemon's own exit with a status that is no success, which no policy and no step has answered.
fn unexpected_exit(stage: &Stage<'_>) -> Option<Trouble> {
    for name in stage.roster.names() {
        let (incarnations, gave_up) = stage.incarnations(name);
        let declaration = stage.roster.declaration(name);
        let success = declaration.as_ref().map_or_else(Vec::new, success_codes);
        let last = incarnations.last().map(|one| one.number);
        for one in &incarnations {
            let Some((at, exit)) = one.exited else { continue };
            let by_itself = exit.cause == ExitCause::Itself && is_failure(exit.status, &success);
            let is_given_up = gave_up && Some(one.number) == last;
            let answered = one.restarted
                || stage.is_answered(name, one.number)
                || is_ready_by(stage, name, exit.status);
            if by_itself && !answered {
                let what = if is_given_up { "was given up after it " } else { "" };
                let message = format!(
                    "{name} {what}ended with {} at +{:.1} s, which no step had asked for",
                    exit.status,
                    stage.seconds(at)
                );
                let mut trouble = Trouble::new(FailureKind::UnexpectedExit, message).of(name);
                if let Some(declaration) = &declaration {
                    trouble = trouble.at(&Place::new("", declaration.span));
                }
                return Some(trouble);
            }
        }
    }
    None
}

/// `ready: { exit: 3 }` says that this is how it is meant to end.
fn is_ready_by(stage: &Stage<'_>, name: &DaemonName, status: ExitStatus) -> bool {
    let ready = stage.roster.declaration(name).and_then(|known| known.settings.process.ready);
    matches!(ready, Some(ReadyWhen::Exit(code)) if status == ExitStatus::Code(code))
}

/// Whether the daemon that a failure is about lives, and what it said last. To be asked when the failure has just come:
/// what follows it may end the daemon.
pub(super) fn explained(stage: &Stage<'_>, mut trouble: Trouble, survey: &Surveyed) -> Trouble {
    if let Some(daemon) = &trouble.daemon
        && trouble.failure.daemon_state.is_none()
    {
        trouble.failure.daemon_state = state_of(stage, survey, daemon);
    }
    trouble
}

fn state_of(stage: &Stage<'_>, survey: &Surveyed, name: &DaemonName) -> Option<DaemonState> {
    let (incarnations, _) = stage.incarnations(name);
    let newest = incarnations.last();
    let alive = match stage.roster.handle(name) {
        Some(handle) => handle.pid().is_some(),
        None if stage.past().is_some() => newest.is_some_and(|newest| newest.exited.is_none()),
        None => return None,
    };
    let seen = survey.daemons.get(name).cloned().unwrap_or_default();
    Some(DaemonState {
        name: name.to_string(),
        alive,
        incarnation: newest.map_or(0, |one| one.number.0),
        last_event_age_s: seen.last_event_age.map(|age| age.as_secs_f64()),
        last_lines: seen.last_lines,
    })
}

fn daemon(stage: &Stage<'_>, survey: &Surveyed, name: &DaemonName) -> DaemonResult {
    let kind = stage.roster.declaration(name).map(|known| known.kind.word());
    let (incarnations, _) = stage.incarnations(name);
    let seen = survey.daemons.get(name).cloned().unwrap_or_default();
    DaemonResult {
        name: name.to_string(),
        kind: kind.unwrap_or_default().to_owned(),
        host: "local".to_owned(),
        events: seen.events,
        malformed: seen.malformed,
        incarnations: incarnations.iter().map(|one| incarnation(stage, one)).collect(),
    }
}

fn incarnation(stage: &Stage<'_>, one: &IncarnationStatus) -> IncarnationResult {
    let seconds = |at: Instant| stage.seconds(at);
    IncarnationResult {
        number: one.number.0,
        pid: u32::try_from(one.pid).unwrap_or_default(),
        started_s: seconds(one.started),
        exited_s: one.exited.map(|(at, _)| seconds(at)),
        exit: one.exited.map(|(_, exit)| exit_of(&exit)),
        cause: one.exited.map(|(_, exit)| cause(exit.cause)),
    }
}

fn exit_of(exit: &ExitReason) -> Exit {
    Exit { code: exit.status.code(), signal: exit.status.signal() }
}

fn cause(cause: ExitCause) -> Cause {
    match cause {
        ExitCause::Terminate => Cause::Terminate,
        ExitCause::Kill => Cause::Kill,
        ExitCause::Crash { .. } => Cause::Crash,
        ExitCause::Signal => Cause::Signal,
        ExitCause::Itself => Cause::Itself,
        ExitCause::HostLost => Cause::HostLost,
    }
}
