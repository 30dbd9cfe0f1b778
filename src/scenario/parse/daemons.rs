//! `daemons` and `defaults`.

use std::collections::BTreeMap;

use super::Reader;
use super::fields::Slot;
use super::lifecycle::settings_of;
use crate::daemon::{DaemonName, Kind};
use crate::scenario::diagnostic::{listed, suggestion};
use crate::scenario::grammar::{ACCUSER, BAKER, DEFAULTS, NODE, PROCESS, Shape, Table};
use crate::scenario::model::{DaemonDeclaration, Settings};
use crate::scenario::yaml::{Content, Entry, Node, shortened};

const KINDS: [Kind; 4] = [Kind::Node, Kind::Accuser, Kind::Baker, Kind::Process];

/// By the word of the kind.
pub(super) type Defaults = BTreeMap<&'static str, Settings>;

impl Reader {
    pub(super) fn defaults(&mut self, slot: Slot<'_>) -> Defaults {
        let mut defaults = Defaults::new();
        let Some(fields) = self.fields(slot, &DEFAULTS, slot.node.span) else { return defaults };
        for kind in KINDS {
            let Some(slot) = fields.get(kind.word()) else { continue };
            if let Some(fields) = self.fields(slot, settings_of(Some(kind)), slot.node.span) {
                let settings = self.settings(&fields);
                defaults.insert(kind.word(), settings);
            }
        }
        defaults
    }

    pub(super) fn daemons(
        &mut self,
        slot: Slot<'_>,
        defaults: &Defaults,
    ) -> Vec<DaemonDeclaration> {
        let Some(mapping) = self.mapping(slot) else { return Vec::new() };
        let mut daemons = Vec::new();
        for entry in &mapping.entries {
            if let Some(daemon) = self.daemon(entry, defaults) {
                self.kinds.insert(daemon.name.as_str().to_owned(), daemon.kind);
                daemons.push(daemon);
            }
        }
        daemons
    }

    fn daemon(&mut self, entry: &Entry, defaults: &Defaults) -> Option<DaemonDeclaration> {
        let span = entry.key.span;
        let key = self.free_key(&entry.key)?;
        let name = DaemonName::new(&key.value).ok();
        if name.is_none() {
            let error = self
                .error(span, format!("`{}` cannot be a daemon's name", shortened(&key.value)))
                .help("1 to 64 of A-Z, a-z, 0-9, `-`, `_` and `.`, and not a `.` first");
            self.report(error);
        }
        let kind = self.kind(entry)?;
        let slot = Slot {
            name: &entry.key.text,
            shape: Shape::Table(table_of(kind)),
            node: &entry.value,
            example: None,
        };
        let fields = self.fields(slot, table_of(kind), span)?;
        let mut settings = self.settings(&fields);
        if let Some(defaults) = defaults.get(kind.word()) {
            settings = settings.or(defaults);
        }
        Some(DaemonDeclaration { name: name?, span, kind, settings })
    }

    fn kind(&mut self, entry: &Entry) -> Option<Kind> {
        let Content::Mapping(mapping) = &entry.value.content else {
            let slot = Slot {
                name: &entry.key.text,
                shape: Shape::Daemon,
                node: &entry.value,
                example: None,
            };
            self.mismatch(slot);
            return None;
        };
        let Some(kind) = mapping.entries.iter().find(|entry| entry.key.text == "kind") else {
            let error = self
                .error(
                    entry.key.span,
                    format!("the daemon `{}` has no `kind`", shortened(&entry.key.text)),
                )
                .help(format!("it is {}", listed(KINDS.map(Kind::word))));
            self.report(error);
            return None;
        };
        self.kind_word(&kind.value)
    }

    fn kind_word(&mut self, node: &Node) -> Option<Kind> {
        let scalar = self.scalar(Slot { name: "kind", shape: Shape::Name, node, example: None })?;
        let word = scalar.text.as_str();
        let kind = KINDS.into_iter().find(|kind| kind.word() == word);
        if kind.is_none() {
            let error = self.error(node.span, format!("there is no kind `{}`", shortened(word)));
            self.report(error.help(suggestion(word, KINDS.map(Kind::word))));
        }
        kind
    }
}

fn table_of(kind: Kind) -> &'static Table {
    match kind {
        Kind::Node => &NODE,
        Kind::Accuser => &ACCUSER,
        Kind::Baker => &BAKER,
        Kind::Process => &PROCESS,
    }
}
