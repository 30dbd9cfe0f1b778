//! `expect`, `never` and invariants.

use super::Reader;
use super::fields::{Fields, Slot};
use crate::scenario::grammar::{EXPECT, INVARIANT, INVARIANT_NEVER, NEVER, Shape, UNTIL};
use crate::scenario::model::{EventPattern, Expect, Never, Since, Until};
use crate::scenario::source::Span;
use crate::scenario::yaml::Content;

impl Reader {
    /// One, or a list of them.
    pub(super) fn expects(&mut self, slot: Slot<'_>, key: Span) -> Option<Vec<Expect>> {
        let Content::Sequence(items) = &slot.node.content else {
            return self.expect(slot, key).map(|expect| vec![expect]);
        };
        if items.is_empty() {
            let error = self.error(slot.node.span, "`expect` waits for nothing");
            self.report(error.help(format!("it takes {}", slot.shape.expected())));
        }
        let expects =
            items.iter().map(|item| self.expect(slot.item(Shape::Table(&EXPECT), item), item.span));
        let all: Vec<Option<Expect>> = expects.collect();
        all.into_iter().collect()
    }

    fn expect(&mut self, slot: Slot<'_>, key: Span) -> Option<Expect> {
        let fields = self.fields(slot, &EXPECT, key)?;
        let pattern = self.pattern(&fields);
        let count = fields.get("count").and_then(|slot| self.integer(slot));
        let each = fields.get("each").and_then(|slot| self.flag(slot)).unwrap_or(false);
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        let since = fields.get("since").and_then(|slot| self.since(slot));
        let capture = fields.get("capture").and_then(|slot| self.assignments(slot));
        let capture = capture.unwrap_or_default();
        Some(Expect { pattern: pattern?, count, each, within, since, capture })
    }

    fn pattern(&mut self, fields: &Fields<'_>) -> Option<EventPattern> {
        let from = fields.get("from").and_then(|slot| self.texts(slot));
        let event = fields.get("event").and_then(|slot| self.text(slot));
        let condition = fields.get("where").and_then(|slot| self.condition(slot));
        Some(EventPattern { from: from?, event: event?, condition })
    }

    fn since(&mut self, slot: Slot<'_>) -> Option<Since> {
        let text = self.text(slot)?;
        Some(match text.literal() {
            Some("beginning") => Since::Beginning,
            Some("start") => Since::Start,
            Some("now") => Since::Now,
            _ => Since::Mark(text),
        })
    }

    pub(super) fn never(&mut self, slot: Slot<'_>, key: Span) -> Option<Never> {
        let fields = self.fields(slot, &NEVER, key)?;
        let pattern = self.pattern(&fields);
        let since = fields.get("since").and_then(|slot| self.since(slot));
        let lasting = fields.get("for").and_then(|slot| self.duration(slot));
        let until = fields.get("until").and_then(|slot| self.until(slot));
        self.only_one(&fields.present(&["for", "until"]));
        Some(Never { pattern: pattern?, since, lasting, until, span: key })
    }

    fn until(&mut self, slot: Slot<'_>) -> Option<Until> {
        let fields = self.fields(slot, &UNTIL, slot.node.span)?;
        let pattern = self.pattern(&fields);
        let within = fields.get("within").and_then(|slot| self.duration(slot));
        Some(Until { pattern: pattern?, within })
    }

    pub(super) fn invariants(&mut self, slot: Slot<'_>) -> Vec<Never> {
        let Some(items) = self.items(slot) else { return Vec::new() };
        let invariant = |item| self.invariant(slot.item(Shape::Table(&INVARIANT), item));
        items.iter().filter_map(invariant).collect()
    }

    fn invariant(&mut self, slot: Slot<'_>) -> Option<Never> {
        let fields = self.fields(slot, &INVARIANT, slot.node.span)?;
        let span = fields.key("never")?;
        let fields =
            fields.get("never").and_then(|slot| self.fields(slot, &INVARIANT_NEVER, span))?;
        let pattern = self.pattern(&fields)?;
        Some(Never { pattern, since: None, lasting: None, until: None, span })
    }
}
