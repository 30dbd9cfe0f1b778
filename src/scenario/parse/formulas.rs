//! Predicates and expressions, with their errors at their place in the file.

use super::Reader;
use super::fields::Slot;
use crate::predicate::{Expression, ParseError, Predicate, References};
use crate::scenario::grammar::Shape;
use crate::scenario::model::{Assignment, Condition, Formula, Spanned};
use crate::scenario::source::Span;
use crate::scenario::values::is_name;
use crate::scenario::yaml::{Content, Layout, Scalar, place, shortened};

impl Reader {
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
}
