//! Where in the file a failure stands, and why, at the caret.

use super::line;
use crate::report::text::{BAD, DIM, WIDTH, harmless, styled, wrapped};
use crate::scenario::result::Failure;

/// Longer lines of a file are shown in part.
const MAX_SOURCE: usize = 120;

/// What stands left of a line of the file, and of what belongs to it.
const MARGIN: usize = 8;

/// The line of the file with the blamed part underlined, and the message beside or below it.
pub(super) fn place(failure: &Failure, source: Option<&str>) -> String {
    let number = failure.line as usize;
    let text = source.and_then(|source| source.lines().nth(number.checked_sub(1)?));
    let message = harmless(&failure.message);
    let mut block = String::new();
    let Some(text) = text else {
        below(&mut block, "  ", &message);
        return block;
    };
    let wanted = failure.wanted.as_ref().map_or("", |wanted| wanted.event.as_str());
    let (mut number, mut text) = (number, text);
    let mut column = failure.column;
    if let Some((at, line)) = source.and_then(|source| event_line(source, number, wanted)) {
        let head: Vec<char> = text.chars().collect();
        numbered(&mut block, number, &excerpt(&head, 0).0);
        (number, text, column) = (at, line, 1);
    }
    let text: Vec<char> = text.chars().collect();
    let column = (column.max(1) as usize - 1).min(text.len());
    let (start, length) = blamed(&text, column, failure);
    let (shown, start) = excerpt(&text, start);
    numbered(&mut block, number, &shown);
    let margin = styled(DIM, "      |").to_string();
    let length = length.min(MAX_SOURCE.saturating_sub(start)).max(1);
    let carets = styled(BAD, "^".repeat(length));
    let fits = MARGIN + start + length + 1 + message.chars().count() <= WIDTH;
    if fits && !message.contains('\n') {
        line(&mut block, format_args!("{margin} {:start$}{carets} {message}", ""));
    } else {
        line(&mut block, format_args!("{margin} {:start$}{carets}", ""));
        below(&mut block, &format!("{margin}     "), &message);
    }
    block
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
fn event_line<'s>(source: &'s str, number: usize, event: &str) -> Option<(usize, &'s str)> {
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut lines = source.lines().enumerate().skip(number.checked_sub(1)?);
    let (_, first) = lines.next()?;
    if event.is_empty() || first.contains(event) {
        return None;
    }
    lines
        .take_while(|(_, line)| line.trim().is_empty() || depth(line) > depth(first))
        .find(|(_, line)| line.contains(event))
        .map(|(index, line)| (index + 1, line))
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
