//! Lifecycle verbs, `signal` and `exited`.

use super::Reader;
use super::fields::Slot;
use crate::daemon::Kind;
use crate::scenario::diagnostic::listed;
use crate::scenario::grammar::{
    ANY_DAEMON, EXITED, LIFECYCLE, PAUSE, SIGNAL, Table, WITH_ACCUSER, WITH_BAKER, WITH_NODE,
    WITH_PROCESS,
};
use crate::scenario::model::{Act, Action, ExitWanted, Exited, Lifecycle, Settings};
use crate::scenario::source::Span;
use crate::scenario::values::Text;
use crate::scenario::yaml::Content;

impl Reader {
    /// `D`, `[D…]` or `{ daemons, with, grace, within }`.
    pub(super) fn lifecycle(&mut self, slot: Slot<'_>, act: Act, key: Span) -> Option<Lifecycle> {
        if !matches!(slot.node.content, Content::Mapping(_)) {
            let daemons = self.texts(slot)?;
            return Some(Lifecycle {
                act,
                daemons,
                with: None,
                grace: None,
                within: None,
                lasting: None,
            });
        }
        let table = if act == Act::Pause { &PAUSE } else { &LIFECYCLE };
        let fields = self.fields(slot, table, key)?;
        let daemons = fields.get("daemons").and_then(|slot| self.texts(slot));
        let with = fields
            .get("with")
            .and_then(|slot| self.with(slot, daemons.as_deref().unwrap_or_default()))
            .map(Box::new);
        let grace = fields.get("grace").and_then(|slot| self.duration(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        let lasting = fields.get("for").and_then(|slot| self.duration(slot));
        Some(Lifecycle { act, daemons: daemons?, with, grace, within, lasting })
    }

    /// Declaration keys of the kind that the daemons have, or of any if that is not known.
    fn with(&mut self, slot: Slot<'_>, daemons: &[Text]) -> Option<Settings> {
        let mut kinds = daemons
            .iter()
            .map(|daemon| daemon.literal().and_then(|name| self.kinds.get(name)).copied());
        let first = kinds.next().flatten();
        let common = first.filter(|first| kinds.all(|kind| kind == Some(*first)));
        let fields = self.fields(slot, settings_of(common), slot.node.span)?;
        Some(self.settings(&fields))
    }

    pub(super) fn signal(&mut self, slot: Slot<'_>, key: Span) -> Option<Action> {
        let fields = self.fields(slot, &SIGNAL, key)?;
        let daemon = fields.get("daemon").and_then(|slot| self.text(slot));
        let signal = fields.get("signal").and_then(|slot| self.text(slot));
        Some(Action::Signal { daemon: daemon?, signal: signal? })
    }

    pub(super) fn exited(&mut self, slot: Slot<'_>, key: Span) -> Option<Exited> {
        let fields = self.fields(slot, &EXITED, key)?;
        let daemon = fields.get("daemon").and_then(|slot| self.text(slot));
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        let code = fields.get("code").map(|slot| self.integer(slot).map(ExitWanted::Code));
        let signal = fields.get("signal").map(|slot| self.text(slot).map(ExitWanted::Signal));
        let wanted = match (code, signal) {
            (Some(_), Some(_)) => {
                self.only_one(&fields.present(&["code", "signal"]));
                return None;
            }
            (Some(wanted), None) | (None, Some(wanted)) => wanted?,
            (None, None) => ExitWanted::Any,
        };
        Some(Exited { daemon: daemon?, wanted, within })
    }

    /// Of these keys only one may stand there.
    pub(super) fn only_one(&mut self, present: &[(&'static str, Span)]) {
        if let [(_, first), .., (_, last)] = present {
            let error = self
                .error(
                    *last,
                    format!(
                        "only one of {} can be given",
                        listed(present.iter().map(|(name, _)| *name))
                    ),
                )
                .also(*first, "given already")
                .help("keep the one that is meant");
            self.report(error);
        }
    }
}

pub(super) fn settings_of(kind: Option<Kind>) -> &'static Table {
    match kind {
        Some(Kind::Node) => &WITH_NODE,
        Some(Kind::Accuser) => &WITH_ACCUSER,
        Some(Kind::Baker) => &WITH_BAKER,
        Some(Kind::Process) => &WITH_PROCESS,
        None => &ANY_DAEMON,
    }
}
