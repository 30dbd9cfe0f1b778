//! The keys of one mapping, checked against its table.

use super::Reader;
use crate::scenario::diagnostic::{Diagnostic, MAX_FINDINGS, nearest, suggestion};
use crate::scenario::grammar::{Need, Shape, Table};
use crate::scenario::source::Span;
use crate::scenario::yaml::{Content, Entry, Layout, Mapping, Node, shortened};

/// A mapping whose keys are all known.
pub(super) struct Fields<'n> {
    table: &'static Table,
    entries: Vec<&'n Entry>,
}

/// One value, with what its key takes.
#[derive(Clone, Copy)]
pub(super) struct Slot<'n> {
    /// The key, for messages.
    pub(super) name: &'n str,
    pub(super) shape: Shape,
    pub(super) node: &'n Node,
    /// A mapping with that key in it, if one is at hand.
    pub(super) example: Option<&'static str>,
}

impl<'n> Fields<'n> {
    pub(super) fn get(&self, name: &str) -> Option<Slot<'n>> {
        let field = self.table.field(name)?;
        let entry = self.entries.iter().find(|entry| entry.key.text == name)?;
        let shown = self.table.example.contains(&format!("{name}: "));
        let example = shown.then_some(self.table.example);
        Some(Slot { name: &entry.key.text, shape: field.shape, node: &entry.value, example })
    }

    pub(super) fn key(&self, name: &str) -> Option<Span> {
        self.entries.iter().find(|entry| entry.key.text == name).map(|entry| entry.key.span)
    }

    /// Those of the names that stand there.
    pub(super) fn present(&self, names: &[&'static str]) -> Vec<(&'static str, Span)> {
        names.iter().filter_map(|name| Some((*name, self.key(name)?))).collect()
    }
}

impl<'n> Slot<'n> {
    /// An item of a list, under the list's name.
    pub(super) fn item(self, shape: Shape, node: &'n Node) -> Self {
        Self { shape, node, ..self }
    }
}

impl Reader {
    /// Reports, up to a number that still helps.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if !self.has_enough() {
            self.errors.push(diagnostic);
        }
    }

    /// Whether more errors would not be told.
    pub(super) fn has_enough(&self) -> bool {
        self.errors.len() >= MAX_FINDINGS
    }

    pub(super) fn error(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.source, span, message)
    }

    /// What is there is not what the key takes.
    pub(super) fn mismatch(&mut self, slot: Slot<'_>) {
        let mut expected = slot.shape.expected();
        if let Some(example) = slot.example
            && !expected.contains("such as")
        {
            expected = format!("{expected}, as in `{example}`");
        }
        let error = if slot.node.is_absent() {
            self.error(slot.node.span, format!("{} has no value", called(slot.name)))
                .help(format!("it takes {expected}"))
        } else {
            let found = slot.node.describe();
            self.error(slot.node.span, format!("{} does not take {found}", called(slot.name)))
                .help(format!("it takes {expected}"))
        };
        self.report(error);
    }

    /// The mapping's entries, if it is a mapping.
    pub(super) fn mapping<'n>(&mut self, slot: Slot<'n>) -> Option<&'n Mapping> {
        match &slot.node.content {
            Content::Mapping(mapping) => Some(mapping),
            Content::Scalar(_) | Content::Sequence(_) => {
                self.mismatch(slot);
                None
            }
        }
    }

    /// The items, if it is a list.
    pub(super) fn items<'n>(&mut self, slot: Slot<'n>) -> Option<&'n [Node]> {
        match &slot.node.content {
            Content::Sequence(items) => Some(items),
            Content::Scalar(_) | Content::Mapping(_) => {
                self.mismatch(slot);
                None
            }
        }
    }

    /// The keys of a mapping; unknown and missing ones are reported. `owner` is shown for a missing one.
    pub(super) fn fields<'n>(
        &mut self,
        slot: Slot<'n>,
        table: &'static Table,
        owner: Span,
    ) -> Option<Fields<'n>> {
        let mapping = self.mapping(slot)?;
        let cut = self.cut_values(mapping, table);
        let whole = |index: &usize| cut.binary_search(index).is_err();
        let indices: Vec<usize> = (0..mapping.entries.len()).filter(whole).collect();
        let mut entries = Vec::with_capacity(indices.len());
        for entry in indices.into_iter().map(|index| &mapping.entries[index]) {
            if table.field(&entry.key.text).is_some() {
                entries.push(entry);
            } else {
                self.unknown_key(slot.name, entry, table);
            }
        }
        self.missing_keys(slot.name, mapping, table, owner);
        Some(Fields { table, entries })
    }

    fn missing_keys(&mut self, name: &str, mapping: &Mapping, table: &'static Table, owner: Span) {
        let keys =
            || mapping.entries.iter().map(|entry| entry.key.text.as_str()).take(MAX_FINDINGS);
        for field in table.fields().filter(|field| field.need == Need::Required) {
            // A misspelled key is reported as such, with the key that was meant.
            let meant = |key| nearest(key, table.names()) == Some(field.name);
            if keys().any(meant) {
                continue;
            }
            let error = self
                .error(owner, format!("{} has no `{}`", called(name), field.name))
                .help(format!("such as `{}`", table.example));
            self.report(error);
        }
    }

    fn unknown_key(&mut self, owner: &str, entry: &Entry, table: &'static Table) {
        if self.has_enough() {
            return;
        }
        let key = &entry.key;
        let name = shortened(&key.text);
        if table.later.contains(&key.text.as_str()) {
            let error = self.error(key.span, not_supported(&name));
            self.report(error);
            return;
        }
        let error = self
            .error(key.span, format!("{} has no key `{name}`", called(owner)))
            .help(suggestion(&key.text, table.names()));
        self.report(error);
    }

    /// The entries that are pieces of one value: braces cut a bare value at its comma, and what follows the comma becomes
    /// a key without a value.
    fn cut_values(&mut self, mapping: &Mapping, table: &'static Table) -> Vec<usize> {
        let mut pieces = Vec::new();
        if mapping.layout == Layout::Block {
            return pieces;
        }
        for (index, entry) in mapping.entries.iter().enumerate().skip(1) {
            if entry.value.is_absent() && table.field(&entry.key.text).is_none() {
                if pieces.last() != Some(&(index - 1)) {
                    pieces.push(index - 1);
                }
                pieces.push(index);
            }
        }
        self.report_cut(mapping, &pieces);
        pieces
    }

    /// Reports each run of pieces once.
    pub(super) fn report_cut(&mut self, mapping: &Mapping, pieces: &[usize]) {
        for (at, &first) in pieces.iter().enumerate() {
            if at > 0 && pieces[at - 1] + 1 == first {
                continue;
            }
            if self.has_enough() {
                return;
            }
            let run = pieces[at..].iter().zip(first..).take_while(|(piece, index)| *piece == index);
            let last = run.last().map_or(first, |(&piece, _)| piece);
            let (head, tail) = (&mapping.entries[first], &mapping.entries[last]);
            let span = self.source.span(head.value.span.start..tail.key.span.end);
            let whole = self.source.slice(span).replace('\'', "''");
            let error = self
                .error(
                    span,
                    format!("the value of `{}` is cut at its comma", shortened(&head.key.text)),
                )
                .label("inside `{ … }`, a bare value ends at the first comma")
                .help(format!(
                    "quote it: `{}: '{}'`",
                    shortened(&head.key.text),
                    shortened(&whole)
                ));
            self.report(error);
        }
    }
}

/// The name that a file as a whole has in messages.
pub(super) const SCENARIO_NAME: &str = "the scenario";

fn called(name: &str) -> String {
    if name == SCENARIO_NAME { name.to_owned() } else { format!("`{}`", shortened(name)) }
}

/// What is said of a key, verb or kind of the format that is still to come.
pub(super) fn not_supported(name: &str) -> String {
    format!("`{name}` is not supported yet by this version")
}
