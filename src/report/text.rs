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

/// `label     text`, wrapped to [`WIDTH`] with the text's lines below each other. The label is not styled yet: its length
/// counts.
pub fn labelled(label: &str, style: Style, text: &str) -> String {
    const COLUMN: usize = 10;
    let indent = format!("{:COLUMN$}  ", "");
    let gap = COLUMN.saturating_sub(label.chars().count() + 2).max(1);
    let lines = wrapped(text, WIDTH - COLUMN - 2).join(&format!("\n{indent}"));
    format!("  {}{:gap$}  {lines}\n", styled(style, label), "")
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
        assert_eq!(long, "  a-very-long-daemon-name   alive\n");
        assert_eq!(labelled("empty", Style::new(), ""), "  empty     \n");
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
