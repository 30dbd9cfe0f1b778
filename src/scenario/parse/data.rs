//! JSON, and maps with free keys.

use super::Reader;
use super::fields::Slot;
use crate::scenario::grammar::Shape;
use crate::scenario::values::{Data, Text};
use crate::scenario::yaml::{Content, Node, Plain, Scalar, Style, classify};

impl Reader {
    /// Free keys with texts.
    pub(super) fn text_map(&mut self, slot: Slot<'_>) -> Option<Vec<(String, Text)>> {
        let mapping = self.mapping(slot)?;
        let mut map = Vec::new();
        for entry in &mapping.entries {
            let key = self.free_key(&entry.key);
            let slot = Slot {
                name: &entry.key.text,
                shape: Shape::Text,
                node: &entry.value,
                example: None,
            };
            if let (Some(key), Some(text)) = (key, self.text(slot)) {
                map.push((key.value, text));
            }
        }
        Some(map)
    }

    pub(super) fn object(&mut self, slot: Slot<'_>) -> Option<Data> {
        self.mapping(slot)?;
        self.data(slot)
    }

    /// JSON, typed by the core schema; what YAMLs disagree on is an error.
    pub(super) fn data(&mut self, slot: Slot<'_>) -> Option<Data> {
        let Slot { node, .. } = slot;
        match &node.content {
            Content::Scalar(_) if node.is_absent() => {
                self.mismatch(slot);
                None
            }
            Content::Scalar(scalar) => self.scalar_data(scalar, node),
            Content::Sequence(items) => {
                let items = items.iter().map(|item| self.data(slot.item(Shape::Any, item)));
                items.collect::<Option<_>>().map(Data::List)
            }
            Content::Mapping(mapping) => {
                let mut entries = Vec::new();
                for entry in &mapping.entries {
                    let key = self.free_key(&entry.key);
                    let value = self.data(slot.item(Shape::Any, &entry.value));
                    if let (Some(key), Some(value)) = (key, value) {
                        entries.push((key.value, value));
                    }
                }
                Some(Data::Object(entries))
            }
        }
    }

    fn scalar_data(&mut self, scalar: &Scalar, node: &Node) -> Option<Data> {
        let text = |reader: &mut Self| reader.template(scalar, node.span).map(Data::Text);
        if scalar.style != Style::Plain {
            return text(self);
        }
        match classify(&scalar.text) {
            Plain::Text => text(self),
            Plain::Null => Some(Data::Null),
            Plain::Boolean(value) => Some(Data::Boolean(value)),
            Plain::Integer(number) | Plain::Float(number) => Some(Data::Number(number)),
            Plain::Trap(trap) => {
                let text = &scalar.text;
                let help = match trap.instead(text) {
                    Some(instead) => format!("write `{instead}`, or \"{text}\" if text is meant"),
                    None => format!("quote it: \"{text}\""),
                };
                let error = self
                    .error(node.span, format!("`{text}` is read differently by different YAMLs"))
                    .help(help);
                self.report(error);
                None
            }
        }
    }
}
