//! The text of one file, and positions in it.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// A part of a file: bytes, and the line and column where it begins (both from 1, columns in characters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub line: usize,
    pub column: usize,
}

/// A file as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    text: String,
    /// Byte offset of each line's beginning.
    lines: Vec<usize>,
    /// How many characters begin before each multiple of [`STRIDE`] bytes: counting them anew for every span would take
    /// quadratic time on a long line.
    characters: Vec<usize>,
}

const STRIDE: usize = 64;

fn characters(bytes: &[u8]) -> usize {
    let continues = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    bytes.len() - bytes.iter().filter(continues).count()
}

impl Source {
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text = text.into();
        let after_breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        let mut count = 0;
        let strides = text.as_bytes().chunks(STRIDE).map(|chunk| {
            count += characters(chunk);
            count
        });
        let characters = std::iter::once(0).chain(strides).collect();
        Self { path: path.into(), text, lines, characters }
    }

    /// As it was given on the command line or in `use`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The span of a byte range; both ends are moved to the nearest character boundary before them.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end).max(start);
        let line = self.lines.partition_point(|&at| at <= start);
        let line_start = self.lines[line - 1];
        let column = self.characters_before(start) - self.characters_before(line_start) + 1;
        Span { start, end, line, column }
    }

    fn characters_before(&self, offset: usize) -> usize {
        let stride = offset / STRIDE;
        self.characters[stride] + characters(&self.text.as_bytes()[stride * STRIDE..offset])
    }

    /// What stands there; empty for a span of another file.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// The line, without its break; `number` counts from 1.
    pub fn line(&self, number: usize) -> &str {
        let range = self.line_range(number);
        self.text[range].trim_end_matches(['\n', '\r'])
    }

    /// The bytes of a line, its break included; of the last line if there are not so many.
    pub(crate) fn line_range(&self, number: usize) -> Range<usize> {
        let index = number.clamp(1, self.lines.len()) - 1;
        let end = self.lines.get(index + 1).copied().unwrap_or(self.text.len());
        self.lines[index]..end
    }

    /// The same span, cut at the end of its first line: what a caret can underline.
    pub(crate) fn first_line_of(&self, span: Span) -> Span {
        let range = self.line_range(span.line);
        let line_end = range.start + self.text[range].trim_end_matches(['\n', '\r', ' ']).len();
        Span { end: span.end.min(line_end).max(span.start), ..span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_lines_and_characters_from_one() {
        let source = Source::new("f.yaml", "a: 1\nbé: x\n");
        let at = source.text().find('x').unwrap();
        let span = source.span(at..at + 1);
        assert_eq!((span.line, span.column), (2, 5));
        assert_eq!(source.slice(span), "x");
        assert_eq!(source.line(2), "bé: x");
    }

    #[test]
    fn columns_are_right_on_a_line_of_any_length() {
        let text = format!("x\n{}", "aé🦀".repeat(1000));
        let source = Source::new("f.yaml", text);
        for (count, (at, _)) in source.text()[2..].char_indices().enumerate() {
            assert_eq!(source.span(at + 2..at + 2).column, count + 1);
        }
    }

    #[test]
    fn a_span_beyond_the_end_is_empty_at_the_end() {
        let source = Source::new("f.yaml", "ab");
        let span = source.span(7..9);
        assert_eq!((span.start, span.end, span.line, span.column), (2, 2, 1, 3));
    }

    #[test]
    fn a_span_is_cut_at_the_end_of_its_first_line() {
        let source = Source::new("f.yaml", "ab  \ncd");
        let span = source.first_line_of(source.span(1..7));
        assert_eq!(source.slice(span), "b");
    }
}
