//! The end of a play: what else can fail it, and the result.

use std::time::Instant;

use super::settings::success_codes;
use super::stage::Stage;
use super::track::flatten;
use super::trouble::{Place, Trouble};
use super::{Ended, evidence};
use crate::daemon::restart::is_failure;
use crate::daemon::{DaemonName, ExitCause, ExitReason, ExitStatus};
use crate::harness::{IncarnationStatus, Surveyed};
use crate::record::Phase;
use crate::scenario::model::ReadyWhen;
use crate::scenario::result::{
    Cause, DaemonResult, Exit, FailureKind, IncarnationResult, Outcome, ScenarioResult,
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
        result.failure = Some(*evidence::explained(stage, trouble, &survey).failure);
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
        incarnations: incarnations.iter().map(|one| incarnation(stage, name, one)).collect(),
    }
}

fn incarnation(
    stage: &Stage<'_>,
    daemon: &DaemonName,
    one: &IncarnationStatus,
) -> IncarnationResult {
    let is_planned =
        |exit: &ExitReason| !matches!(exit.cause, ExitCause::Itself | ExitCause::HostLost);
    let planned = one.exited.filter(|(_, exit)| is_planned(exit));
    let seconds = |at: Instant| stage.seconds(at);
    IncarnationResult {
        number: one.number.0,
        pid: u32::try_from(one.pid).unwrap_or_default(),
        started_s: seconds(one.started),
        exited_s: one.exited.map(|(at, _)| seconds(at)),
        exit: one.exited.map(|(_, exit)| exit_of(&exit)),
        cause: one.exited.map(|(_, exit)| cause(exit.cause)),
        by: planned.and_then(|_| stage.ended_by(daemon, one.number)),
        restarted: one.restarted,
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
