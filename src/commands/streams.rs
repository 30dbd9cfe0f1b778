//! Standard output and standard error, with colours where they are wanted.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use tribunal::scenario::Colour;

use crate::cli::Color;

/// Makes streams that take colours out where they are not wanted.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    choice: ColorChoice,
}

impl Streams {
    pub fn new(color: Color) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        // Clap and the status line look here.
        choice.write_global();
        Self { choice }
    }

    pub fn out(self) -> AutoStream<io::Stdout> {
        AutoStream::new(io::stdout(), self.choice)
    }

    pub fn err(self) -> AutoStream<io::Stderr> {
        AutoStream::new(io::stderr(), self.choice)
    }

    /// Whether text on standard error has colours.
    pub fn err_colour(self) -> Colour {
        match self.err().current_choice() {
            ColorChoice::Never => Colour::Plain,
            _ => Colour::Ansi,
        }
    }

    /// Writes text to standard output.
    pub fn print(self, text: &str) -> io::Result<()> {
        let mut out = self.out();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes text to standard error; that nobody may read it any more is no error of ours.
    pub fn tell(self, text: &str) {
        let _ = self.err().write_all(text.as_bytes());
    }
}

/// Whether standard error can show a status: it is a terminal that can move its cursor, and no log is written there.
pub fn can_show_status() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let is_logged = ["TRIBUNAL_LOG", "RUST_LOG"].into_iter().any(is_set);
    io::stderr().is_terminal() && !is_dumb && !is_logged
}
