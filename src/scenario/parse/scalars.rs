//! Single values: text, names, numbers, durations, expressions.

use std::time::Duration;

use super::Reader;
use super::fields::Slot;
use crate::scenario::diagnostic::suggestion;
use crate::scenario::grammar::Shape;
use crate::scenario::model::Spanned;
use crate::scenario::source::Span;
use crate::scenario::values::{Setting, Template, Text, is_name};
use crate::scenario::yaml::{Content, Key, Plain, Scalar, Style, Trap, classify, place, shortened};

impl Reader {
    /// The scalar, if it is one and something was written.
    pub(super) fn scalar<'n>(&mut self, slot: Slot<'n>) -> Option<&'n Scalar> {
        match &slot.node.content {
            Content::Scalar(scalar) if !slot.node.is_absent() => Some(scalar),
            _ => {
                self.mismatch(slot);
                None
            }
        }
    }

    /// Text as it stands; a bare scalar that some YAML takes for something else is an error.
    fn bare_text<'n>(&mut self, slot: Slot<'n>) -> Option<&'n Scalar> {
        let scalar = self.scalar(slot)?;
        self.surely_text(&scalar.text, scalar.style, slot.node.span).then_some(scalar)
    }

    fn surely_text(&mut self, text: &str, style: Style, span: Span) -> bool {
        if style != Style::Plain {
            return true;
        }
        let exponent = |text: &str| text.contains(['e', 'E']);
        let what = match classify(text) {
            Plain::Text | Plain::Integer(_) | Plain::Trap(Trap::TooLarge) => return true,
            Plain::Float(_) if !exponent(text) => return true,
            Plain::Null => "null",
            Plain::Boolean(_) | Plain::Trap(Trap::Word(_)) => "a boolean",
            Plain::Float(_) | Plain::Trap(_) => "a number",
        };
        let error = self
            .error(span, format!("a bare `{text}` may be read as {what}, where text is meant"))
            .help(format!("quote it: \"{text}\""));
        self.report(error);
        false
    }

    /// A key that names something of the user's.
    pub(super) fn free_key(&mut self, key: &Key) -> Option<Spanned<String>> {
        self.surely_text(&key.text, key.style, key.span)
            .then(|| Spanned { value: key.text.clone(), span: key.span })
    }

    /// A key that names a variable.
    pub(super) fn variable(&mut self, key: &Key) -> Option<Spanned<String>> {
        let name = self.free_key(key)?;
        self.variable_name(name)
    }

    pub(super) fn variable_name(&mut self, name: Spanned<String>) -> Option<Spanned<String>> {
        if name.value == "seed" {
            let error = self
                .error(name.span, "`seed` is built in and cannot be set")
                .help("choose another name");
            self.report(error);
            return None;
        }
        if !is_name(&name.value) {
            let error = self
                .error(
                    name.span,
                    format!("`{}` cannot be a variable's name", shortened(&name.value)),
                )
                .help("a letter or `_`, then letters, digits and `_`");
            self.report(error);
            return None;
        }
        Some(name)
    }

    pub(super) fn name(&mut self, slot: Slot<'_>) -> Option<Spanned<String>> {
        let scalar = self.bare_text(slot)?;
        Some(Spanned { value: scalar.text.clone(), span: slot.node.span })
    }

    pub(super) fn text(&mut self, slot: Slot<'_>) -> Option<Text> {
        let scalar = self.bare_text(slot)?;
        self.template(scalar, slot.node.span)
    }

    pub(super) fn template(&mut self, scalar: &Scalar, span: Span) -> Option<Text> {
        match Template::parse(&scalar.text) {
            Ok(template) => {
                let at = |range| place(&self.source, span, scalar.style, &scalar.text, range);
                let places = template.references().map(|reference| at(reference.span.clone()));
                let places = places.collect();
                Some(Text { template, span, places })
            }
            Err(error) => {
                let at = place(&self.source, span, scalar.style, &scalar.text, error.span);
                let diagnostic = self.error(at, error.message).help(error.help);
                self.report(diagnostic);
                None
            }
        }
    }

    /// One text or a list of them.
    pub(super) fn texts(&mut self, slot: Slot<'_>) -> Option<Vec<Text>> {
        match &slot.node.content {
            Content::Sequence(_) => self.text_list(slot),
            _ => self.text(slot).map(|text| vec![text]),
        }
    }

    /// A list of texts, as many as the shape wants.
    pub(super) fn text_list(&mut self, slot: Slot<'_>) -> Option<Vec<Text>> {
        let items = self.items(slot)?;
        if items.len() < least(slot.shape) {
            let message = match items.len() {
                0 => format!("`{}` is empty", slot.name),
                n => format!("`{}` has only {n} of at least {}", slot.name, least(slot.shape)),
            };
            let error = self
                .error(slot.node.span, message)
                .help(format!("it takes {}", slot.shape.expected()));
            self.report(error);
        }
        items.iter().map(|item| self.text(slot.item(Shape::Text, item))).collect()
    }

    pub(super) fn names(&mut self, slot: Slot<'_>) -> Option<Vec<Spanned<String>>> {
        let items = self.items(slot)?;
        items.iter().map(|item| self.name(slot.item(Shape::Name, item))).collect()
    }

    /// One of the words of the slot's shape.
    pub(super) fn word<T: Copy>(
        &mut self,
        slot: Slot<'_>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let scalar = self.scalar(slot)?;
        let found = words.iter().find(|(word, _)| *word == scalar.text);
        if found.is_none() {
            let names = words.iter().map(|(word, _)| *word);
            let error = self
                .error(
                    slot.node.span,
                    format!("`{}` cannot be `{}`", slot.name, shortened(&scalar.text)),
                )
                .help(suggestion(&scalar.text, names));
            self.report(error);
        }
        found.map(|(_, value)| *value)
    }

    /// What any key with a value of a type takes: a variable, which is recognised by its dollar, or the value itself.
    fn setting<'n, T>(
        &mut self,
        slot: Slot<'n>,
        fixed: impl FnOnce(&mut Self, Slot<'n>) -> Option<T>,
    ) -> Option<Setting<T>> {
        let scalar = self.scalar(slot)?;
        if scalar.text.contains('$') {
            self.template(scalar, slot.node.span).map(Setting::Text)
        } else {
            fixed(self, slot).map(Setting::Fixed)
        }
    }

    pub(super) fn integer<T: TryFrom<i64>>(&mut self, slot: Slot<'_>) -> Option<Setting<T>> {
        self.setting(slot, Self::fixed_integer)
    }

    /// A number without variables.
    pub(super) fn fixed_integer<T: TryFrom<i64>>(&mut self, slot: Slot<'_>) -> Option<T> {
        let scalar = self.scalar(slot)?;
        let least = match slot.shape {
            Shape::Integer(least) => least,
            _ => i64::MIN,
        };
        let plain = classify(&scalar.text);
        let number = match &plain {
            Plain::Integer(number) if scalar.style == Style::Plain => number.as_i64(),
            _ => None,
        };
        let Some(number) = number else {
            self.not_a_number(slot, scalar, &plain);
            return None;
        };
        let fitting = (number >= least).then(|| T::try_from(number).ok()).flatten();
        if fitting.is_none() {
            let bounds = [i64::from(u32::MAX), i64::from(i32::MAX), i64::from(u16::MAX)];
            let greatest = bounds.into_iter().find(|bound| T::try_from(*bound).is_ok());
            let too_great = greatest.filter(|greatest| number > *greatest);
            let bound = too_great.map_or_else(String::new, |most| format!(" and at most {most}"));
            let error = self
                .error(slot.node.span, format!("`{}` cannot be {number}", slot.name))
                .help(format!("it takes {}{bound}", slot.shape.expected()));
            self.report(error);
        }
        fitting
    }

    fn not_a_number(&mut self, slot: Slot<'_>, scalar: &Scalar, plain: &Plain) {
        let instead = match plain {
            Plain::Trap(trap) => trap.instead(&scalar.text),
            _ => None,
        };
        match (scalar.style, plain, instead) {
            (Style::Plain, Plain::Trap(_), Some(instead)) => {
                let error = self
                    .error(
                        slot.node.span,
                        format!("`{}` is read differently by different YAMLs", scalar.text),
                    )
                    .help(format!("write `{instead}`"));
                self.report(error);
            }
            (Style::SingleQuoted | Style::DoubleQuoted, Plain::Integer(_) | Plain::Float(_), _) => {
                let error = self
                    .error(
                        slot.node.span,
                        format!("`{}` takes a number, and quotes make it text", slot.name),
                    )
                    .help(format!("write `{}`", scalar.text));
                self.report(error);
            }
            _ => self.mismatch(slot),
        }
    }

    pub(super) fn number(&mut self, slot: Slot<'_>) -> Option<Setting<f64>> {
        self.setting(slot, Self::fixed_number)
    }

    fn fixed_number(&mut self, slot: Slot<'_>) -> Option<f64> {
        let scalar = self.scalar(slot)?;
        let plain = classify(&scalar.text);
        match &plain {
            Plain::Integer(number) | Plain::Float(number) if scalar.style == Style::Plain => {
                number.as_f64()
            }
            _ => {
                self.not_a_number(slot, scalar, &plain);
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, slot: Slot<'_>) -> Option<Setting<bool>> {
        self.setting(slot, Self::flag)
    }

    pub(super) fn flag(&mut self, slot: Slot<'_>) -> Option<bool> {
        let scalar = self.scalar(slot)?;
        match classify(&scalar.text) {
            Plain::Boolean(value) if scalar.style == Style::Plain => Some(value),
            Plain::Trap(Trap::Word(value)) if scalar.style == Style::Plain => {
                let error = self
                    .error(
                        slot.node.span,
                        format!("`{}` is read differently by different YAMLs", scalar.text),
                    )
                    .help(format!("write `{value}`"));
                self.report(error);
                None
            }
            _ => {
                self.mismatch(slot);
                None
            }
        }
    }

    pub(super) fn duration(&mut self, slot: Slot<'_>) -> Option<Setting<Duration>> {
        self.setting(slot, Self::fixed_duration)
    }

    pub(super) fn fixed_duration(&mut self, slot: Slot<'_>) -> Option<Duration> {
        let scalar = self.scalar(slot)?;
        match humantime::parse_duration(&scalar.text) {
            Ok(duration) if scalar.text.trim() != "0" => Some(duration),
            _ => {
                let help = match classify(&scalar.text) {
                    Plain::Integer(_) => {
                        format!("it needs a unit: `{0}s`, `{0}ms` or `{0}m`", scalar.text)
                    }
                    Plain::Float(_) => "it needs a unit and no fraction: `1500ms`".to_owned(),
                    _ => {
                        "write a whole number and a unit: `250ms`, `30s`, `2m`, `1m 30s`".to_owned()
                    }
                };
                let error = self
                    .error(slot.node.span, format!("`{}` is no duration", shortened(&scalar.text)))
                    .help(help);
                self.report(error);
                None
            }
        }
    }
}

/// How many items the list must have.
fn least(shape: Shape) -> usize {
    match shape {
        Shape::AtLeast(least, _) => least,
        Shape::OneOf(shapes) => shapes.iter().map(|shape| least(*shape)).max().unwrap_or(0),
        _ => 0,
    }
}
