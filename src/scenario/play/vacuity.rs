//! A pass that proves nothing: why the absence of an event is no evidence.

use super::events::Pattern;
use super::stage::Stage;
use super::trouble::{Place, Trouble};
use super::world::Unmet;
use crate::daemon::DaemonName;
use crate::event::{NamePattern, lifecycle_names};
use crate::harness::{Surveyed, WaitError};
use crate::octez::events::{known_event, known_events};
use crate::scenario::result::FailureKind;

/// An event that must not be, and where the scenario says so: judged when all is over.
#[derive(Debug)]
pub(super) struct Watch {
    /// Each daemon that was named, and the daemons of each glob.
    pub(super) groups: Vec<Vec<DaemonName>>,
    pub(super) event: NamePattern,
    pub(super) place: Place,
}

impl Watch {
    /// Why it proves nothing that the event did not come, if it does not.
    pub(super) fn proves_nothing(&self, stage: &Stage<'_>, survey: &Surveyed) -> Option<Trouble> {
        // What we write ourselves needs no daemon that speaks.
        if lifecycle_names::include(self.event.as_str()) {
            return None;
        }
        let is_silent =
            |name: &&DaemonName| survey.daemons.get(*name).is_none_or(|seen| seen.events == 0);
        // Of a glob one daemon that speaks will do: not every daemon of a scenario has events.
        let silent = self.groups.iter().find(|group| group.iter().all(|name| is_silent(&name)));
        if let Some(name) = silent.and_then(|group| group.first()) {
            let message = format!(
                "no event at all was read from {name}, so that there is no {} proves nothing",
                self.event
            );
            return Some(Trouble::new(FailureKind::Vacuous, message).of(name).at(&self.place));
        }
        let names = || self.groups.iter().flatten();
        if names()
            .any(|name| was_seen(survey, name, &self.event) || is_known(stage, name, &self.event))
        {
            return None;
        }
        let name = names().next()?;
        let message = format!(
            "{} is no event that {name} is known to emit, nor was it seen in this run; \
             if it can emit it, say so in `knows`",
            self.event
        );
        Some(Trouble::new(FailureKind::Vacuous, message).of(name).at(&self.place))
    }
}

fn was_seen(survey: &Surveyed, daemon: &DaemonName, event: &NamePattern) -> bool {
    let seen = survey.daemons.get(daemon);
    seen.is_some_and(|seen| seen.names.keys().any(|name| event.matches(name.as_str())))
}

fn is_known(stage: &Stage<'_>, daemon: &DaemonName, event: &NamePattern) -> bool {
    let Some(declaration) = stage.roster.declaration(daemon) else {
        return false;
    };
    let known_to_kind = match event {
        NamePattern::Exact(name) => known_event(declaration.kind, name.as_str()).is_some(),
        NamePattern::Glob(_) => {
            known_events(declaration.kind).iter().any(|known| event.matches(known.name))
        }
    };
    known_to_kind
        || declaration.settings.knows.iter().flatten().any(|knows| {
            knows.value == event.as_str()
                || event.matches(&knows.value)
                || glob::Pattern::new(&knows.value).is_ok_and(|glob| glob.matches(event.as_str()))
        })
}

/// A `where` that was unknown on every event of that name would not have told the wrong one from the right.
///
/// An error if it is not known whether the event came.
pub(super) fn unknown_throughout(
    pattern: &Pattern,
    unmet: Unmet,
) -> Result<Option<Trouble>, Trouble> {
    let is_known = match &unmet {
        Unmet::Failed(error) => !matches!(**error, WaitError::Unreadable { .. }),
        Unmet::Undecided(_) => false,
    };
    if !is_known {
        return Err(unmet.into());
    }
    let Some(miss) = unmet.miss() else { return Ok(None) };
    if miss.same_name == 0 || miss.unknown < miss.same_name {
        return Ok(None);
    }
    let predicate = pattern.bound.as_ref().map_or("", |bound| bound.predicate.source());
    let near = miss.nearest.first().map_or("", |near| near.explanation.as_str());
    let message = format!(
        "`{predicate}` was unknown on all {} events of {}: {near}",
        miss.same_name, pattern.event
    );
    let daemon = pattern.sources.first().map(|(daemon, _)| daemon);
    Ok(daemon.map(|daemon| Trouble::new(FailureKind::Vacuous, message).of(daemon)))
}
