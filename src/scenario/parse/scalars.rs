//! Single values: text, names, numbers, durations, expressions.

use std::time::Duration;

use super::Reader;
use super::fields::Slot;
use crate::predicate::{Expression, ParseError, Predicate, References};
use crate::scenario::diagnostic::suggestion;
use crate::scenario::grammar::Shape;
use crate::scenario::model::{Assignment, Condition, Formula, Spanned};
use crate::scenario::source::Span;
use crate::scenario::values::{Data, Setting, Template, Text, is_name};
use crate::scenario::yaml::{
    Content, Key, Layout, Node, Plain, Scalar, Style, Trap, classify, place, shortened,
};

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

    fn template(&mut self, scalar: &Scalar, span: Span) -> Option<Text> {
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
            let error = self
                .error(slot.node.span, format!("`{}` cannot be {number}", slot.name))
                .help(format!("it takes {}", slot.shape.expected()));
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

    /// The source of a predicate or an expression: never expanded, and never typed by YAML.
    fn formula_text<'n>(&mut self, slot: Slot<'n>) -> Option<&'n Scalar> {
        match &slot.node.content {
            Content::Scalar(scalar) if !scalar.text.trim().is_empty() => Some(scalar),
            Content::Scalar(_) if slot.node.is_absent() => {
                self.mismatch(slot);
                None
            }
            Content::Scalar(_) => {
                let error = self
                    .error(slot.node.span, format!("the expression of `{}` is empty", slot.name))
                    .help("such as `level >= 4`");
                self.report(error);
                None
            }
            Content::Sequence(_) | Content::Mapping(_) => {
                let written = self.source.slice(self.source.first_line_of(slot.node.span));
                let error = self
                    .error(
                        slot.node.span,
                        format!(
                            "`{}` takes an expression, and this is {}",
                            slot.name,
                            slot.node.describe()
                        ),
                    )
                    .help(format!("quote it: '{}'", shortened(&written.replace('\'', "''"))));
                self.report(error);
                None
            }
        }
    }

    pub(super) fn condition(&mut self, slot: Slot<'_>) -> Option<Condition> {
        let scalar = self.formula_text(slot)?;
        let span = slot.node.span;
        match Predicate::parse(&scalar.text) {
            Ok(predicate) => {
                let variables = self.placed(predicate.references(), scalar, span);
                Some(Condition { predicate, span, variables })
            }
            Err(error) => {
                self.no_formula(error, scalar, span);
                None
            }
        }
    }

    pub(super) fn formula(&mut self, slot: Slot<'_>) -> Option<Formula> {
        let scalar = self.formula_text(slot)?;
        let span = slot.node.span;
        match Expression::parse(&scalar.text) {
            Ok(expression) => {
                let variables = self.placed(expression.references(), scalar, span);
                Some(Formula { expression, span, variables })
            }
            Err(error) => {
                self.no_formula(error, scalar, span);
                None
            }
        }
    }

    fn no_formula(&mut self, error: ParseError, scalar: &Scalar, span: Span) {
        let at = place(&self.source, span, scalar.style, &scalar.text, error.span);
        let mut diagnostic = self.error(at, error.message);
        diagnostic.help = error.help;
        self.report(diagnostic);
    }

    fn placed(&self, references: &References, scalar: &Scalar, span: Span) -> Vec<Spanned<String>> {
        let at = |range| place(&self.source, span, scalar.style, &scalar.text, range);
        let variables = references.variables.iter();
        variables
            .map(|var| Spanned { value: var.name.clone(), span: at(var.span.clone()) })
            .collect()
    }

    /// `{ name: EXPRESSION }`
    pub(super) fn assignments(&mut self, slot: Slot<'_>) -> Option<Vec<Assignment>> {
        let mapping = self.mapping(slot)?;
        let mut pieces = Vec::new();
        if mapping.layout == Layout::Flow {
            for (index, entry) in mapping.entries.iter().enumerate().skip(1) {
                if entry.value.is_absent() && !is_name(&entry.key.text) {
                    pieces.extend([index - 1, index]);
                }
            }
            pieces.dedup();
            self.report_cut(mapping, &pieces);
        }
        let mut assignments = Vec::new();
        for (index, entry) in mapping.entries.iter().enumerate() {
            if pieces.binary_search(&index).is_ok() {
                continue;
            }
            let name = self.variable(&entry.key);
            let slot = Slot {
                name: &entry.key.text,
                shape: Shape::Formula,
                node: &entry.value,
                example: None,
            };
            if let (Some(name), Some(formula)) = (name, self.formula(slot)) {
                assignments.push(Assignment { name, formula });
            }
        }
        Some(assignments)
    }

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

/// How many items the list must have.
fn least(shape: Shape) -> usize {
    match shape {
        Shape::AtLeast(least, _) => least,
        Shape::OneOf(shapes) => shapes.iter().map(|shape| least(*shape)).max().unwrap_or(0),
        _ => 0,
    }
}
