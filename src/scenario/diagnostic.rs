//! What is wrong with a file: where, why, and what would be right.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::source::{Source, Span};

/// More findings than this in one file help nobody, and looking for more costs time.
pub(crate) const MAX_FINDINGS: usize = 100;

/// A line longer than this is not shown: the renderer takes time for all of it, and nobody reads it.
const MAX_LINE: usize = 4096;

/// Whether it makes the file invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// Whether text is for a terminal that shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Plain,
    Ansi,
}

/// A second place that has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One finding about one file; `Display` renders it without colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub source: Arc<Source>,
    /// `None` when it is about the file as a whole.
    pub span: Option<Span>,
    pub message: String,
    /// Stands under the caret; may be empty.
    pub label: String,
    pub labels: Vec<Label>,
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn error(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, source, Some(span), message.into())
    }

    pub fn warning(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, source, Some(span), message.into())
    }

    /// An error about the file as a whole, such as its size.
    pub fn of_file(source: &Arc<Source>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, source, None, message.into())
    }

    fn new(severity: Severity, source: &Arc<Source>, span: Option<Span>, message: String) -> Self {
        let source = Arc::clone(source);
        Self {
            severity,
            source,
            span,
            message,
            label: String::new(),
            labels: Vec::new(),
            help: None,
        }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// The same, if that place is in this file; dropped otherwise.
    #[must_use]
    pub(crate) fn also_in(self, source: &Arc<Source>, span: Span, text: &str) -> Self {
        if Arc::ptr_eq(&self.source, source) && self.span != Some(span) {
            self.also(span, text)
        } else {
            self
        }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The message, `file:line:column`, the source line with a caret, and the help; no line break at the end.
    pub fn render(&self, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Plain => Renderer::plain(),
            Colour::Ansi => Renderer::styled(),
        };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let path = self.source.path().to_string_lossy();
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        group = match self.span {
            Some(span) if self.source.line(span.line).len() > MAX_LINE => {
                group.element(Origin::path(path.as_ref()).line(span.line).char_column(span.column))
            }
            Some(span) => group.element(self.snippet(span, &path)),
            None => group.element(Origin::path(path.as_ref())),
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }

    /// Whether it can be shown together with the first place, for the same reason.
    fn is_near(&self, other: Span, span: Span) -> bool {
        self.source.line(other.line).len() <= MAX_LINE
            && other.start.abs_diff(span.start) <= 64 * MAX_LINE
    }

    /// The lines from the first place to the last, and no more: the renderer would scan the whole file otherwise.
    fn snippet<'a>(
        &'a self,
        span: Span,
        path: &'a str,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let labels = || self.labels.iter().filter(|label| self.is_near(label.span, span));
        let spans = labels().map(|label| label.span).chain([span]);
        let first = spans.clone().min_by_key(|span| span.start).unwrap_or(span);
        let last = spans.max_by_key(|span| span.start).unwrap_or(span);
        let start = self.source.line_range(first.line).start;
        let end = self.source.line_range(last.line).end.max(start);
        let within = |span: Span| {
            let span = self.source.first_line_of(span);
            span.start.saturating_sub(start)..span.end.saturating_sub(start)
        };
        let label = (!self.label.is_empty()).then_some(self.label.as_str());
        let text = self.source.text().get(start..end).unwrap_or_default();
        Snippet::source(text.trim_end_matches(['\n', '\r']))
            .path(path)
            .line_start(first.line)
            .annotation(AnnotationKind::Primary.span(within(span)).label(label))
            .annotations(labels().map(|label| {
                AnnotationKind::Context.span(within(label.span)).label(label.text.as_str())
            }))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Colour::Plain))
    }
}

/// `a`, `b` or `c`, each in backquotes.
pub(crate) fn listed<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match names.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// The name that was probably meant, if one is near enough.
pub(crate) fn nearest<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Quadratic in the length, so not on what cannot be a slip of the pen anyway.
    if wrong.len() > 100 {
        return None;
    }
    let lower = wrong.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        // Of a name with one letter, every letter would be replaced.
        .filter(|(distance, name)| {
            *distance <= name.chars().count().max(3) / 3 && *distance < name.chars().count()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// *Did you mean*, or else the list of all.
pub(crate) fn suggestion<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(wrong, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("expected {}", listed(names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_the_place_the_line_and_the_remedy() {
        let source = Arc::new(Source::new("a.yaml", "steps:\n  - strat: node\n"));
        let diagnostic = Diagnostic::error(&source, source.span(11..16), "unknown verb `strat`")
            .help("did you mean `start`?");
        let expected = "\
error: unknown verb `strat`
 --> a.yaml:2:5
  |
2 |   - strat: node
  |     ^^^^^
  |
  = help: did you mean `start`?";
        assert_eq!(diagnostic.to_string(), expected);
        assert!(diagnostic.render(Colour::Ansi).contains('\u{1b}'));
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_another_word_is_not() {
        let names = ["expect", "never", "start", "restart"];
        assert_eq!(nearest("exepct", names), Some("expect"));
        assert_eq!(nearest("Start", names), Some("start"));
        assert_eq!(nearest("banana", names), None);
        assert_eq!(listed(names), "`expect`, `never`, `start` or `restart`");
    }
}
