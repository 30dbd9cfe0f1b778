//! Where in the file a failure stands, and why, at the caret.

use super::line;
use crate::report::text::{BAD, DIM, STRONG, WIDTH, harmless, styled, wrapped};
use crate::scenario::result::Failure;

/// Longer lines of a file are shown in part.
const MAX_SOURCE: usize = 120;

/// What stands left of a line of the file, and of what belongs to it.
const MARGIN: usize = 8;

/// Lines of a file, and the number of the first.
#[derive(Clone, Copy)]
struct Lines<'s> {
    text: &'s str,
    first: usize,
}

impl<'s> Lines<'s> {
    fn line(self, number: usize) -> Option<&'s str> {
        self.text.lines().nth(number.checked_sub(self.first)?)
    }
}

/// The line of the file with the blamed part underlined, and the message beside or below it; of a file that another one
/// uses, below the line that uses it.
pub(super) fn place(failure: &Failure, source: Option<&str>) -> String {
    let lines = source.map(|text| Lines { text, first: 1 });
    let message = harmless(&failure.message);
    let mut block = String::new();
    let Some(used) = &failure.used else {
        blame(&mut block, failure, lines, (failure.line, failure.column), &message);
        return block;
    };
    let number = failure.line as usize;
    if let Some(text) = lines.and_then(|lines| lines.line(number)) {
        numbered(&mut block, number, &excerpt(&text.chars().collect::<Vec<_>>(), 0).0);
    }
    let place = harmless(&format!("{}:{}:{}", used.file, used.line, used.column));
    line(&mut block, format_args!("{}", styled(STRONG, &place)));
    let lines = Lines { text: &used.text, first: used.line as usize };
    // For those who read nothing else, the message begins with the place.
    let message = message.strip_prefix(&place).and_then(|rest| rest.strip_prefix(": "));
    let message = message.map_or_else(|| harmless(&failure.message), str::to_owned);
    blame(&mut block, failure, Some(lines), (used.line, used.column), &message);
    block
}

fn blame(
    block: &mut String,
    failure: &Failure,
    lines: Option<Lines<'_>>,
    (number, column): (u32, u32),
    message: &str,
) {
    let mut number = number as usize;
    let Some((lines, mut text)) = lines.and_then(|lines| Some((lines, lines.line(number)?))) else {
        below(block, "  ", message);
        return;
    };
    let wanted = failure.wanted.as_ref().map_or("", |wanted| wanted.event.as_str());
    let mut column = column;
    if let Some((at, line)) = event_line(lines, number, wanted) {
        let head: Vec<char> = text.chars().collect();
        numbered(block, number, &excerpt(&head, 0).0);
        (number, text, column) = (at, line, 1);
    }
    let text: Vec<char> = text.chars().collect();
    let column = (column.max(1) as usize - 1).min(text.len());
    let (start, length) = blamed(&text, column, failure);
    let (shown, start) = excerpt(&text, start);
    numbered(block, number, &shown);
    let margin = styled(DIM, "      |").to_string();
    let length = length.min(MAX_SOURCE.saturating_sub(start)).max(1);
    let carets = styled(BAD, "^".repeat(length));
    let fits = MARGIN + start + length + 1 + message.chars().count() <= WIDTH;
    if fits && !message.contains('\n') {
        line(block, format_args!("{margin} {:start$}{carets} {message}", ""));
    } else {
        line(block, format_args!("{margin} {:start$}{carets}", ""));
        below(block, &format!("{margin}     "), message);
    }
}

/// The message, each paragraph wrapped, behind a margin that may be styled.
fn below(block: &mut String, margin: &str, message: &str) {
    let width = WIDTH - anstream::adapter::strip_str(margin).to_string().chars().count();
    for paragraph in message.lines().filter(|line| !line.trim().is_empty()) {
        for text in wrapped(paragraph, width) {
            line(block, format_args!("{margin}{text}"));
        }
    }
}

/// The line of a step of many lines where the wanted event stands, if that is not the step's first, and its number.
fn event_line<'s>(source: Lines<'s>, number: usize, event: &str) -> Option<(usize, &'s str)> {
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut lines = source.text.lines().enumerate().skip(number.checked_sub(source.first)?);
    let (_, first) = lines.next()?;
    if event.is_empty() || first.contains(event) {
        return None;
    }
    lines
        .take_while(|(_, line)| line.trim().is_empty() || depth(line) > depth(first))
        .find(|(_, line)| line.contains(event))
        .map(|(index, line)| (source.first + index, line))
}

fn numbered(block: &mut String, number: usize, text: &str) {
    line(block, format_args!("{} {}", styled(DIM, format_args!("{number:5} |")), harmless(text)));
}

/// Where the underline starts and how long it is: the name of the wanted event if it stands at or after the column, else
/// the word at the column.
fn blamed(text: &[char], column: usize, failure: &Failure) -> (usize, usize) {
    if let Some(wanted) = &failure.wanted {
        let event: Vec<char> = wanted.event.chars().collect();
        let found = (column..text.len()).find(|&at| text[at..].starts_with(&event));
        if let (Some(at), false) = (found, event.is_empty()) {
            return (at, event.len());
        }
    }
    let word = text[column..].iter().take_while(|c| !c.is_whitespace() && !",:}]".contains(**c));
    (column, word.count().max(1))
}

/// As much of the line as is shown, and where the underline starts in that.
fn excerpt(text: &[char], start: usize) -> (String, usize) {
    if text.len() <= MAX_SOURCE {
        return (text.iter().collect(), start);
    }
    let from = start.saturating_sub(40);
    let to = text.len().min(from + MAX_SOURCE);
    let head = if from > 0 { "…" } else { "" };
    let tail = if to < text.len() { "…" } else { "" };
    let shown: String = text[from..to].iter().collect();
    (format!("{head}{shown}{tail}"), start - from + usize::from(from > 0))
}
