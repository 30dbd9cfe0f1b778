//! Where a byte of a scalar's text stands in the file: quotes, escapes and folded lines lie between.

use std::ops::Range;

use super::Style;
use crate::scenario::source::{Source, Span};

/// The place of a byte range of a scalar's text. Exact for a scalar on one line, and for others as near as folding allows.
pub(crate) fn place(
    source: &Source,
    span: Span,
    style: Style,
    text: &str,
    range: Range<usize>,
) -> Span {
    let raw = source.slice(span);
    let starts = starts(raw, style, text);
    let at = |index: usize| starts.get(index).copied().unwrap_or(raw.trim_end().len());
    let start = at(range.start);
    // The end of the last byte, not the start of the next: an escape or a break may stand between.
    let end = if range.end > range.start { at(range.end) } else { start };
    source.span(span.start + start..span.start + end.max(start))
}

/// For each byte of the text, and for its end, the offset in the raw scalar.
fn starts(raw: &str, style: Style, text: &str) -> Vec<usize> {
    let mut walk = Walk { raw, at: 0 };
    match style {
        Style::Plain => {}
        Style::SingleQuoted | Style::DoubleQuoted => walk.at = 1,
        Style::Block => walk.skip_line(),
    }
    let indent = raw[walk.at..]
        .lines()
        .find(|line| !line.trim().is_empty())
        .map_or(0, |line| line.len() - line.trim_start_matches(' ').len());
    if style == Style::Block {
        walk.skip_spaces(indent);
    }
    let mut starts = Vec::with_capacity(text.len() + 1);
    for wanted in text.chars() {
        if wanted != '\n' && wanted != ' ' && style != Style::Block {
            walk.skip_folding();
        }
        let here = walk.at;
        starts.extend(std::iter::repeat_n(here, wanted.len_utf8()));
        walk.step(wanted, style, indent);
    }
    starts.push(walk.at.min(raw.len()));
    starts
}

struct Walk<'a> {
    raw: &'a str,
    at: usize,
}

impl Walk<'_> {
    fn rest(&self) -> &str {
        self.raw.get(self.at..).unwrap_or_default()
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').map_or(self.rest().len(), |at| at + 1);
    }

    fn skip_spaces(&mut self, most: usize) {
        self.at += self.rest().bytes().take(most).take_while(|&b| b == b' ').count();
    }

    /// The break and indentation that a folded scalar's text does not show.
    fn skip_folding(&mut self) {
        let rest = self.rest();
        let blank = rest.len() - rest.trim_start().len();
        if rest[..blank].contains('\n') {
            self.at += blank;
        }
    }

    /// Moves past what stands for this character.
    fn step(&mut self, wanted: char, style: Style, indent: usize) {
        let rest = self.rest();
        let Some(found) = rest.chars().next() else { return };
        let length = match (style, found) {
            (Style::SingleQuoted, '\'') => 2,
            (Style::DoubleQuoted, '\\') => match rest.as_bytes().get(1) {
                Some(b'x') => 4,
                Some(b'u') => 6,
                Some(b'U') => 10,
                _ => 2,
            },
            _ if found == wanted => found.len_utf8(),
            // One space or break of the text stands for a whole break with its indentation.
            _ if found.is_whitespace() => rest.len() - rest.trim_start().len(),
            _ => found.len_utf8(),
        };
        self.at = self.raw.ceil_char_boundary(self.at + length);
        if style == Style::Block && found == '\n' {
            self.skip_spaces(indent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(file: &str, style: Style, text: &str, wanted: &str) -> String {
        let source = Source::new("f.yaml", file);
        let start = text.find(wanted).unwrap();
        let span = source.span(0..file.len());
        let place = place(&source, span, style, text, start..start + wanted.len());
        format!("{}:{} {}", place.line, place.column, source.slice(place))
    }

    #[test]
    fn a_byte_of_the_text_is_found_in_the_file() {
        for (file, style, text, wanted, expected) in [
            ("level >= 4", Style::Plain, "level >= 4", ">=", "1:7 >="),
            ("'it''s x'", Style::SingleQuoted, "it's x", "x", "1:8 x"),
            (r#""a\tb \u0041 x""#, Style::DoubleQuoted, "a\tb A x", "x", "1:14 x"),
            (r#""a\tb \u0041 x""#, Style::DoubleQuoted, "a\tb A x", "A", r"1:7 \u0041"),
            ("a &&\n   é b", Style::Plain, "a && é b", "b", "2:6 b"),
            ("|\n   a\n     b\n   c\n", Style::Block, "a\n  b\nc\n", "b", "3:6 b"),
            ("|\n   a\n     b\n   c\n", Style::Block, "a\n  b\nc\n", "c", "4:4 c"),
            (">\n  a\n  b\n", Style::Block, "a b\n", "b", "3:3 b"),
        ] {
            assert_eq!(placed(file, style, text, wanted), expected, "{file:?}");
        }
    }
}
