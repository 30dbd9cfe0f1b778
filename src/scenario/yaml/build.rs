//! The parser's events become a tree; what a scenario never needs is refused on the way.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marked, Tag};

use super::refuse;
use super::{Content, Entry, Key, Layout, MAX_DEPTH, Mapping, Node, Scalar, Style};
use crate::scenario::diagnostic::{Diagnostic, MAX_FINDINGS};
use crate::scenario::source::{Source, Span};

/// The tree of the one document in the file, or everything that was refused.
pub(crate) fn parse(source: &Arc<Source>) -> Result<Node, Vec<Diagnostic>> {
    let mut builder = Builder::new(source);
    let mut parser = Parser::new_from_str(source.text());
    while let Some(next) = parser.next_event() {
        let step = match next {
            Ok((event, marked)) => builder.event(event, marked),
            Err(error) => {
                let at = builder.offsets.byte(error.marker().index());
                builder.errors.push(refuse::syntax(source, at, error.info()));
                Step::Stop
            }
        };
        if step == Step::Stop {
            break;
        }
    }
    builder.finish()
}

/// Whether the rest of the file can still be read.
#[derive(PartialEq, Eq)]
enum Step {
    Next,
    Stop,
}

enum Open {
    Sequence { start: Span, items: Vec<Node> },
    Mapping { start: Span, entries: Vec<Entry>, key: Option<Key> },
}

struct Builder<'s> {
    source: &'s Arc<Source>,
    offsets: Offsets,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    errors: Vec<Diagnostic>,
}

impl<'s> Builder<'s> {
    fn new(source: &'s Arc<Source>) -> Self {
        let offsets = Offsets::new(source.text());
        Self { source, offsets, open: Vec::new(), root: None, documents: 0, errors: Vec::new() }
    }

    fn event(&mut self, event: Event<'_>, marked: Marked) -> Step {
        if self.errors.len() >= MAX_FINDINGS {
            return Step::Stop;
        }
        let span = self.offsets.span(self.source, marked);
        match event {
            Event::DocumentStart(_) => return self.document(span),
            Event::Alias(_) => {
                self.errors.push(refuse::alias(self.source, span));
                self.place(Node { span, content: scalar(String::new(), Style::Plain) });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.decorations(span, anchor, tag.as_deref());
                let style = written(style);
                let end = span.start + written_length(&text, style, self.source.slice(span));
                let span = self.source.span(span.start..end);
                self.place(Node { span, content: scalar(text.into_owned(), style) });
            }
            Event::SequenceStart(anchor, tag) => {
                self.decorations(span, anchor, tag.as_deref());
                return self.descend(span, Open::Sequence { start: span, items: Vec::new() });
            }
            Event::MappingStart(anchor, tag) => {
                self.decorations(span, anchor, tag.as_deref());
                let open = Open::Mapping { start: span, entries: Vec::new(), key: None };
                return self.descend(span, open);
            }
            Event::SequenceEnd | Event::MappingEnd => self.ascend(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Step::Next
    }

    fn document(&mut self, span: Span) -> Step {
        self.documents += 1;
        if self.documents > 1 {
            self.errors.push(refuse::second_document(self.source, span));
            return Step::Stop;
        }
        Step::Next
    }

    fn decorations(&mut self, span: Span, anchor: usize, tag: Option<&Tag>) {
        if let Some(tag) = tag {
            self.errors.push(refuse::tag(self.source, span, tag));
        }
        if anchor > 0 {
            self.errors.push(refuse::anchor(self.source, span));
        }
    }

    fn descend(&mut self, span: Span, open: Open) -> Step {
        if self.open.len() >= MAX_DEPTH {
            self.errors.push(refuse::depth(self.source, span));
            return Step::Stop;
        }
        self.open.push(open);
        Step::Next
    }

    fn ascend(&mut self, end: Span) {
        let Some(open) = self.open.pop() else { return };
        let (start, content) = match open {
            Open::Sequence { start, items } => (start, Content::Sequence(items)),
            Open::Mapping { start, entries, .. } => {
                self.duplicates(&entries);
                let braces = self.source.text()[start.start..].starts_with('{');
                let layout = if braces { Layout::Flow } else { Layout::Block };
                (start, Content::Mapping(Mapping { entries, layout }))
            }
        };
        let span = self.source.span(start.start..end.end.max(start.end));
        self.place(Node { span, content });
    }

    /// Puts a finished node where the innermost open one wants it.
    fn place(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => match key.take() {
                Some(key) => entries.push(Entry { key, value: node }),
                None => *key = Some(as_key(self.source, &mut self.errors, node)),
            },
        }
    }

    fn duplicates(&mut self, entries: &[Entry]) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for Entry { key, .. } in entries {
            if self.errors.len() >= MAX_FINDINGS {
                return;
            }
            if key.text == "<<" && key.style == Style::Plain {
                self.errors.push(refuse::merge_key(self.source, key.span));
            }
            match seen.get(key.text.as_str()) {
                Some(first) => self.errors.push(refuse::duplicate(self.source, key, *first)),
                None => {
                    seen.insert(&key.text, key.span);
                }
            }
        }
    }

    fn finish(mut self) -> Result<Node, Vec<Diagnostic>> {
        match self.root {
            Some(root) if self.errors.is_empty() && !root.is_absent() => Ok(root),
            _ if self.errors.is_empty() => {
                self.errors.push(refuse::empty(self.source));
                Err(self.errors)
            }
            _ => Err(self.errors),
        }
    }
}

fn as_key(source: &Arc<Source>, errors: &mut Vec<Diagnostic>, node: Node) -> Key {
    match node.content {
        Content::Scalar(Scalar { text, style }) => Key { text, style, span: node.span },
        Content::Sequence(_) | Content::Mapping(_) => {
            errors.push(refuse::complex_key(source, node.span));
            // Different for each, so that two of them are not duplicates as well.
            let text = format!("\0{}", node.span.start);
            Key { text, style: Style::Plain, span: node.span }
        }
    }
}

/// How much of what the parser takes for a scalar it is: a value that is not there gets the span of what comes next, and
/// a quoted one reaches over the blanks and comments after it.
fn written_length(text: &str, style: Style, raw: &str) -> usize {
    let quote = match style {
        Style::Plain if text.is_empty() => return 0,
        Style::Plain | Style::Block => return raw.len(),
        Style::SingleQuoted => '\'',
        Style::DoubleQuoted => '"',
    };
    let mut inside = raw.char_indices().skip(1).peekable();
    while let Some((at, found)) = inside.next() {
        if found == '\\' && quote == '"' {
            inside.next();
        } else if found == quote {
            // Two single quotes stand for one.
            if quote == '"' || inside.next_if(|(_, next)| *next == quote).is_none() {
                return at + quote.len_utf8();
            }
        }
    }
    raw.len()
}

fn scalar(text: String, style: Style) -> Content {
    Content::Scalar(Scalar { text, style })
}

fn written(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}

/// The parser counts characters, we count bytes.
struct Offsets {
    /// Byte offset of each character; `None` where all have one byte.
    bytes: Option<Vec<usize>>,
    length: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { bytes, length: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.bytes {
            None => character.min(self.length),
            Some(bytes) => bytes.get(character).copied().unwrap_or(self.length),
        }
    }

    fn span(&self, source: &Source, marked: Marked) -> Span {
        source.span(self.byte(marked.start.index())..self.byte(marked.end.index()))
    }
}
