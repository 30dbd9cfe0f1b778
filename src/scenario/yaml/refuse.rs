//! What is refused, and what to write instead.

use std::sync::Arc;

use saphyr_parser::Tag;

use super::{Key, MAX_DEPTH, shortened};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::source::{Source, Span};

pub(super) fn tag(source: &Arc<Source>, span: Span, tag: &Tag) -> Diagnostic {
    let name = shortened(&tag.to_string());
    let (value, start) = decorated(source, span, '!');
    Diagnostic::error(
        source,
        source.span(start..span.end.max(start)),
        format!("`{name}` is a YAML tag, which a scenario never needs"),
    )
    .help(format!("if it belongs to the value, quote it: \"{}\"", value.replace('"', "\\\"")))
}

pub(super) fn anchor(source: &Arc<Source>, span: Span) -> Diagnostic {
    let (_, start) = decorated(source, span, '&');
    Diagnostic::error(
        source,
        source.span(start..span.end.max(start)),
        "YAML anchors (`&name`) are not allowed",
    )
    .help("if the `&` belongs to the value, quote it; to share a value, use `vars`")
}

pub(super) fn alias(source: &Arc<Source>, span: Span) -> Diagnostic {
    Diagnostic::error(source, span, "YAML aliases (`*name`) are not allowed")
        .help("if the `*` belongs to the value, quote it; to share a value, use `vars`")
}

/// The value with what decorates it, and where that begins: the parser's span is the bare value's.
fn decorated(source: &Source, span: Span, mark: char) -> (String, usize) {
    let line = source.line_range(span.line).start;
    let before = &source.text()[line..span.start];
    let start = before.rfind(mark).map_or(span.start, |at| line + at);
    let end = span.end.max(start);
    let value = source.text()[start..end].lines().next().unwrap_or_default().trim_end();
    (shortened(value), start)
}

pub(super) fn merge_key(source: &Arc<Source>, span: Span) -> Diagnostic {
    Diagnostic::error(source, span, "YAML merge keys (`<<`) are not allowed")
        .help("write the keys out, or use `defaults`, `vars` or `use`")
}

pub(super) fn duplicate(source: &Arc<Source>, key: &Key, first: Span) -> Diagnostic {
    Diagnostic::error(
        source,
        key.span,
        format!("the key `{}` stands twice in one mapping", shortened(&key.text)),
    )
    .label("again here")
    .also(first, "first here")
    .help(
        "keep one of them; steps that follow each other are items of a list, each with its own `-`",
    )
}

pub(super) fn second_document(source: &Arc<Source>, span: Span) -> Diagnostic {
    Diagnostic::error(source, span, "a second YAML document begins here")
        .help("a file is one scenario: remove the `---`, or put the rest into a file of its own")
}

pub(super) fn depth(source: &Arc<Source>, span: Span) -> Diagnostic {
    Diagnostic::error(source, span, format!("nested deeper than {MAX_DEPTH} levels"))
        .help("no scenario needs that: check the brackets, or move steps into a file of their own with `use`")
}

pub(super) fn complex_key(source: &Arc<Source>, span: Span) -> Diagnostic {
    let text = source.slice(span);
    let error = Diagnostic::error(source, span, "a key must be a name, not a list or a mapping");
    if text.starts_with('{') {
        error.help(format!("if `{}` is a value with `${{…}}`, quote it", shortened(text)))
    } else {
        error.help("quote it if it is text")
    }
}

pub(super) fn empty(source: &Arc<Source>) -> Diagnostic {
    Diagnostic::of_file(source, "the file is empty")
        .help("a scenario has at least `steps:`, with a list of steps")
}

/// A file that is no YAML at all; `info` is the parser's own word for it.
pub(super) fn syntax(source: &Arc<Source>, at: usize, info: &str) -> Diagnostic {
    let span = source.span(at..source.text().ceil_char_boundary(at + 1));
    if info.contains("anchor") {
        return alias(source, span);
    }
    if let Some(tab) = tab_in_indentation(source, span.line) {
        return Diagnostic::error(source, tab, "a tab in the indentation")
            .help("indent with spaces: YAML does not allow tabs there");
    }
    let error = Diagnostic::error(source, span, format!("this is not YAML: {info}"));
    match remedy(source, span, info) {
        Some(help) => error.help(help),
        None => error,
    }
}

/// The tab that the parser stumbled over, on its line or on the one before.
fn tab_in_indentation(source: &Source, line: usize) -> Option<Span> {
    [line, line.saturating_sub(1)].into_iter().filter(|line| *line > 0).find_map(|line| {
        let start = source.line_range(line).start;
        let text = source.line(line);
        let indentation = &text[..text.len() - text.trim_start().len()];
        let at = start + indentation.find('\t')?;
        Some(source.span(at..at + 1))
    })
}

/// Words of the format whose values are expressions, full of characters that YAML wants for itself.
const EXPRESSIONS: [&str; 4] = ["where:", "assert:", "let:", "capture:"];

fn remedy(source: &Source, span: Span, info: &str) -> Option<String> {
    let line = source.line(span.line);
    let before = &source.text()[..span.start];
    if source.text()[span.start..].starts_with('{') && before.ends_with('$') {
        return Some("inside `{ … }` and `[ … ]`, quote a value that has `${…}` in it".to_owned());
    }
    if EXPRESSIONS.iter().any(|word| line.contains(word)) {
        return Some(
            "quote the expression as a whole ('…' or \"…\"): bare, it may not have `: ` or ` #` in it, begin with a quote or a mark of YAML, or, inside `{ … }`, have brackets or commas"
                .to_owned(),
        );
    }
    let text = match info {
        _ if info.contains("mapping values are not allowed") => {
            "a value with `: ` in it must be quoted; a key must stand at the indentation of its neighbours"
        }
        _ if info.contains("',' or '}'") || info.contains("',' or ']'") => {
            "a comma or a closing bracket is missing, or a value with `,` `[` `]` `{` `}` in it must be quoted"
        }
        _ if info.contains("quoted scalar") => "close the quote; inside '…' a quote is written ''",
        _ if info.contains("cannot start any token") => {
            "a value that begins with `@`, a backquote or `%` must be quoted"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
