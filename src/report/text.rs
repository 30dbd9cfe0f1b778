//! Text for a terminal of 80 columns: colours, wrapping, and bytes of others made harmless.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Color, Style};

/// How wide lines of ours are at most, where they can be broken.
pub const WIDTH: usize = 80;

pub const GOOD: Style = colour(AnsiColor::Green);
pub const BAD: Style = colour(AnsiColor::Red).bold();
pub const ODD: Style = colour(AnsiColor::Yellow);
pub const DIM: Style = Style::new().dimmed();
pub const STRONG: Style = Style::new().bold();

/// The colours of daemons' names, in the order in which the daemons are first heard of.
pub const DAEMONS: [Style; 6] = [
    colour(AnsiColor::Cyan),
    colour(AnsiColor::Magenta),
    colour(AnsiColor::Yellow),
    colour(AnsiColor::Green),
    colour(AnsiColor::Blue),
    colour(AnsiColor::BrightRed),
];

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

/// The text in that style.
pub fn styled(style: Style, text: impl Display) -> impl Display {
    struct Styled<T>(Style, T);
    impl<T: Display> Display for Styled<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let Self(style, text) = self;
            write!(f, "{style}{text}{style:#}")
        }
    }
    Styled(style, text)
}

/// Where text beside a label begins.
pub const INDENT: usize = 12;

/// `label     text`, wrapped to [`WIDTH`] with the text's lines below each other. The label is not styled yet: its length
/// counts.
pub fn labelled(label: &str, style: Style, text: &str) -> String {
    let indent = format!("{:INDENT$}", "");
    let gap = INDENT.saturating_sub(label.chars().count() + 2).max(2);
    // A long label leaves less room on the first line, which is then broken as if it had none.
    let lines = wrapped(text, WIDTH - INDENT);
    let too_long = label.chars().count() + 2 + gap > INDENT
        && lines
            .first()
            .is_some_and(|first| label.chars().count() + 2 + gap + first.chars().count() > WIDTH);
    let first = if too_long { format!("\n{indent}") } else { format!("{:gap$}", "") };
    format!("  {}{first}{}\n", styled(style, label), lines.join(&format!("\n{indent}")))
}

/// The text in lines of at most `width` characters, broken at blanks; a longer word has a line of its own.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// JSON for people: a blank after each comma, where it can be wrapped, and of long strings, such as hashes, the beginning.
/// It need not be complete.
pub fn readable(json: &str) -> String {
    const LONG: usize = 24;
    const KEPT: usize = 12;
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(['"', ',']) {
        let (before, here) = rest.split_at(at);
        text.push_str(before);
        if let Some(after) = here.strip_prefix(',') {
            text.push_str(", ");
            rest = after;
            continue;
        }
        let length = string_length(here);
        let (string, after) = here.split_at(length);
        if string.chars().count() > LONG && string.ends_with('"') {
            text.extend(string.chars().take(1 + KEPT));
            text.push_str("…\"");
        } else {
            text.push_str(string);
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Bytes of the string at the beginning of this, quotes and all; all of it if the string does not end.
fn string_length(json: &str) -> usize {
    let mut escaped = true;
    let end = json.bytes().position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    });
    end.map_or(json.len(), |end| end + 1)
}

/// What a daemon wrote, without escape sequences and control characters: it must not move our cursor.
pub fn harmless(text: &str) -> String {
    let stripped = anstream::adapter::strip_str(text).to_string();
    stripped.chars().map(|c| if c.is_control() && c != '\t' { '·' } else { c }).collect()
}

/// `0.4 s`, `12.0 s`, `3 min 20 s`.
pub fn duration(seconds: f64) -> String {
    if seconds < 99.95 {
        return format!("{seconds:.1} s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let whole = seconds.round() as u64;
    format!("{} min {} s", whole / 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_wrapped_under_its_label() {
        let text = "alive, pid 4711, incarnation 2 (incarnation 1: SIGKILL at +8.8 s by fault #1); last event 0.4 s ago";
        let block = labelled("accuser", Style::new(), text);
        let expected = "  accuser   alive, pid 4711, incarnation 2 (incarnation 1: SIGKILL at +8.8 s by\n\
                        \u{20}           fault #1); last event 0.4 s ago\n";
        assert_eq!(block, expected);
        let long = labelled("a-very-long-daemon-name", Style::new(), "alive");
        assert_eq!(long, "  a-very-long-daemon-name  alive\n");
        assert_eq!(labelled("empty", Style::new(), ""), "  empty     \n");
        for label in ["a", "four", "twelve-chars", &"long".repeat(30)] {
            let block = labelled(label, Style::new(), &"word ".repeat(60));
            let over = |line: &&str| line.chars().count() > WIDTH && !line.contains("longlong");
            assert_eq!(block.lines().find(over), None, "{block}");
        }
    }

    #[test]
    fn a_payload_can_be_broken_after_its_commas_but_not_within_its_strings() {
        let json = r#"{"a":[1,2],"b":"x,\",y","c":","}"#;
        assert_eq!(readable(json), r#"{"a":[1, 2], "b":"x,\",y", "c":","}"#);
        let hash = r#"{"hash":"BMXvZ91k89SBGKuDRTEpNZd5DwLMBs4ZuDnMVkRuCPCx5mumwKU","level":4}"#;
        assert_eq!(readable(hash), r#"{"hash":"BMXvZ91k89SB…", "level":4}"#);
        for cut in
            [r#"{"cut":"in the mid"#, r#"{"cut":"é\"#, "\"", "\"\\", "", ",", "plain", "{\"a\":\""]
        {
            assert_eq!(readable(cut).replace(", ", ","), cut);
        }
    }

    #[test]
    fn escape_sequences_of_others_are_taken_out() {
        assert_eq!(harmless("\u{1b}[31mred\u{1b}[0m\tok\u{7}\r"), "red\tok·");
        assert!(!harmless("\u{1b}]0;title\u{7}x\u{9b}2J").contains(char::is_control));
    }

    #[test]
    fn durations_are_read_at_a_glance() {
        let table = [(0.04, "0.0 s"), (1.25, "1.2 s"), (99.94, "99.9 s"), (99.96, "1 min 40 s")];
        for (seconds, expected) in table.into_iter().chain([(3_600.0, "60 min 0 s")]) {
            assert_eq!(duration(seconds), expected);
        }
    }
}
