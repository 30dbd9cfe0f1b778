//! What explains a failure: taken from a wait that found nothing, and from the daemons and the host at that moment.

use super::stage::Stage;
use super::trouble::Trouble;
use crate::daemon::lifecycle::State;
use crate::daemon::{DaemonName, Kind};
use crate::event::miss::{Miss, NearMiss};
use crate::event::{EventName, NamePattern, likeness};
use crate::harness::Surveyed;
use crate::host::pressure::pressure;
use crate::predicate::{Clause, Truth};
use crate::scenario::result::{
    ClauseTruth, ClauseValue, DaemonState, Failure, FailureKind, HostPressure, Nearest, PassedOver,
    Searched, SeenName,
};

/// So many names that were seen are named.
const NAMES: usize = 10;

/// Writes down what a wait had looked at. Times are still the harness's: [`on_the_clock_of`] makes them the play's.
pub(super) fn enter(failure: &mut Failure, miss: &Miss) {
    failure.searched =
        Some(Searched { from_seq: miss.from.0, to_seq: miss.to.0, events: miss.events });
    // Events of the wanted name say more than such as are only called alike.
    let near = if miss.same_name == 0 { &miss.similar } else { &miss.nearest };
    failure.nearest = near.iter().map(nearest).collect();
    failure.passed_over = miss
        .passed
        .iter()
        .map(|passed| PassedOver {
            daemon: passed.daemon.to_string(),
            incarnation: passed.incarnation.0,
            cursor: passed.cursor.0,
            count: passed.count,
            matched: passed.matched,
            last_seq: passed.last.0,
            last_s: seconds(passed.last_at_us),
        })
        .collect();
    let wanted = failure.wanted.as_ref().map(|wanted| wanted.event.clone());
    if let (0, Some(wanted)) = (miss.same_name, wanted) {
        failure.did_you_mean = similar(&wanted, miss);
        failure.names_seen = names_seen(&failure.did_you_mean, miss);
    }
}

fn nearest(near: &NearMiss) -> Nearest {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Nearest {
        seq: near.seq.0,
        event: near.event.to_string(),
        clauses_true: number(near.clauses_true),
        clauses: number(near.clauses),
        explanation: near.explanation.clone(),
        daemon: near.daemon.clone(),
        incarnation: near.incarnation.0,
        at_s: Some(seconds(near.at_us)),
        payload: near.payload.clone(),
        values: near.values.iter().map(value).collect(),
    }
}

fn value(clause: &Clause) -> ClauseValue {
    let truth = match clause.truth {
        Truth::True => ClauseTruth::True,
        Truth::False => ClauseTruth::False,
        Truth::Unknown => ClauseTruth::Unknown,
    };
    ClauseValue { clause: clause.source.clone(), truth, text: clause.text.clone() }
}

#[expect(clippy::cast_precision_loss, reason = "exact for centuries")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Names that were seen and are close to the wanted one, the closest first.
fn similar(wanted: &str, miss: &Miss) -> Vec<String> {
    let wanted = NamePattern::Exact(wanted.into());
    let like = miss.names.keys().filter(|name| wanted.resembles(name.as_str()));
    let mut close: Vec<(f64, &EventName)> =
        like.map(|name| (likeness(wanted.as_str(), name.as_str()), name)).collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    close.into_iter().take(3).map(|(_, name)| name.to_string()).collect()
}

fn names_seen(first: &[String], miss: &Miss) -> Vec<SeenName> {
    let mut names: Vec<(&EventName, u64)> =
        miss.names.iter().map(|(name, count)| (name, *count)).collect();
    let rank = |name: &EventName| first.iter().position(|other| other == name.as_str());
    names.sort_by_key(|(name, count)| {
        (rank(name).unwrap_or(first.len()), std::cmp::Reverse(*count))
    });
    let seen = names.into_iter().take(NAMES);
    seen.map(|(name, count)| SeenName { event: name.to_string(), count }).collect()
}

/// Whether the daemon that a failure is about lives, what it said last, what others have to do with it, and how busy the
/// host is. To be asked when the failure has just come: what follows it may end the daemons.
pub(super) fn explained(stage: &Stage<'_>, mut trouble: Trouble, survey: &Surveyed) -> Trouble {
    if trouble.is_explained {
        return trouble;
    }
    trouble.is_explained = true;
    if stage.past().is_none() {
        on_the_clock_of(stage, survey, &mut trouble.failure);
        trouble.failure.host = Some(host());
    }
    if let Some(daemon) = &trouble.daemon {
        trouble.failure.daemon_state = state_of(stage, survey, daemon);
    }
    trouble.failure.others = others(stage, survey, trouble.daemon.as_ref());
    without_its_node(&mut trouble.failure);
    trouble
}

/// An accuser whose node is not there sees nothing, however long it is waited for.
fn without_its_node(failure: &mut Failure) {
    let is_wait = matches!(failure.kind, FailureKind::TimedOut | FailureKind::Timeout);
    let node = failure.others.iter().find(|other| other.role.is_some());
    let Some(node) = node.filter(|_| is_wait && failure.wanted.is_some()) else { return };
    let how = match node.state.as_str() {
        "never-run" => "has not been run",
        "paused" => "is paused",
        _ if !node.alive => "is dead",
        _ => return,
    };
    let role = node.role.as_deref().unwrap_or_default();
    failure.message = format!("{}; `{}`, {role}, {how}", failure.message, node.name);
}

/// The harness counts its time from a little later than the play.
fn on_the_clock_of(stage: &Stage<'_>, survey: &Surveyed, failure: &mut Failure) {
    let ahead = stage.began.elapsed().saturating_sub(survey.age).as_secs_f64();
    for at_s in failure.nearest.iter_mut().filter_map(|near| near.at_s.as_mut()) {
        *at_s += ahead;
    }
    for passed in &mut failure.passed_over {
        passed.last_s += ahead;
    }
}

pub(super) fn state_of(
    stage: &Stage<'_>,
    survey: &Surveyed,
    name: &DaemonName,
) -> Option<DaemonState> {
    stage.roster.declaration(name)?;
    let handle = stage.roster.handle(name);
    let status = handle.as_ref().map(|handle| handle.status());
    let (incarnations, gave_up) = stage.incarnations(name);
    let newest = incarnations.last();
    let is_alive = newest.is_some_and(|newest| newest.exited.is_none());
    let recorded = match newest {
        None => "never-run",
        Some(_) if gave_up => "given-up",
        Some(_) if is_alive => "running",
        Some(_) => "exited",
    };
    let pid = match &status {
        Some(status) => status.pid,
        None => newest.filter(|_| is_alive).map(|newest| newest.pid),
    };
    let seen = survey.daemons.get(name).cloned().unwrap_or_default();
    Some(DaemonState {
        name: name.to_string(),
        alive: pid.is_some(),
        incarnation: newest.map_or(0, |one| one.number.0),
        last_event_age_s: seen.last_event_age.map(|age| age.as_secs_f64()),
        last_lines: seen.last_lines,
        state: status.map_or(recorded, |status| word(&status.state)).to_owned(),
        pid: pid.and_then(|pid| u32::try_from(pid).ok()),
        last_event: seen.last_event.map(|name| name.to_string()),
        malformed: seen.malformed,
        last_malformed: seen.last_malformed,
        role: None,
    })
}

/// What a daemon is doing, in a word.
fn word(state: &State) -> &'static str {
    match state {
        State::NeverRun => "never-run",
        State::Preparing { .. } => "preparing",
        State::Running { paused: true, .. } => "paused",
        State::Running { ready: false, .. } => "starting",
        State::Running { .. } => "running",
        State::Ending { .. } | State::Draining { .. } => "ending",
        State::BackingOff { .. } => "backing-off",
        State::Exited { .. } => "exited",
        State::GivenUp { .. } => "given-up",
        State::SpawnFailed { .. } => "not-spawned",
    }
}

/// Daemons beside the blamed one that are not simply running, and the node that it needs.
fn others(stage: &Stage<'_>, survey: &Surveyed, blamed: Option<&DaemonName>) -> Vec<DaemonState> {
    let needed = blamed.and_then(|name| node_of(stage, name));
    let mut others = Vec::new();
    for name in stage.roster.names().iter().filter(|name| Some(*name) != blamed) {
        let Some(mut state) = state_of(stage, survey, name) else { continue };
        let is_needed = needed.as_deref() == Some(name.as_str());
        if let (true, Some(blamed)) = (is_needed, blamed) {
            state.role = Some(format!("the node of {blamed}"));
        }
        let is_odd = !matches!(state.state.as_str(), "running" | "never-run");
        if is_needed || is_odd || state.malformed > 0 {
            others.push(state);
        }
    }
    others
}

/// The node that an accuser watches.
fn node_of(stage: &Stage<'_>, name: &DaemonName) -> Option<String> {
    let declaration = stage.roster.declaration(name)?;
    let node = declaration.settings.watched?;
    (declaration.kind == Kind::Accuser).then_some(node.value)
}

fn host() -> HostPressure {
    let now = pressure();
    HostPressure {
        cpu: now.cpu,
        io: now.io,
        memory: now.memory,
        load: now.load,
        processors: u32::try_from(now.processors).unwrap_or(u32::MAX),
    }
}
