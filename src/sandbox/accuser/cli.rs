//! What follows `run` on the accuser's command line.

use std::path::PathBuf;

use crate::sandbox::globals::UsageError;

/// The options of `run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub pidfile: Option<PathBuf>,
    /// For how many levels back blocks and votes are remembered.
    pub preserved_levels: u32,
    /// Wait for a node that is away instead of ending.
    pub keep_alive: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { pidfile: None, preserved_levels: 200, keep_alive: false }
    }
}

pub const HELP: &str = "\
Usage:
  octez-accuser [global options] run [command options]

Global options:
  -E --endpoint URL        the node (default http://localhost:8732)
  -d --base-dir DIR        the client's directory; must exist
  --version, --help, and `man` as a command

Command options:
  -P --pidfile FILE        write the process id there, and lock it
  --preserved-levels N     remember blocks and votes for N levels (default 200)
  -K --keep-alive          wait for the node when it is away
";

/// Whether the command is for help: `man`, or an option of `run`.
pub fn asks_for_help(command: &[String]) -> bool {
    match command {
        [first, ..] if first == "man" => true,
        [_, options @ ..] => options.iter().any(|word| word == "--help" || word == "-h"),
        [] => false,
    }
}

/// Reads `run [accuser] [OPTION…]`.
pub fn parse(command: &[String]) -> Result<Options, UsageError> {
    let mut words = command.iter().map(String::as_str).peekable();
    match words.next() {
        Some("run") => {}
        Some(other) => return Err(UsageError(format!("Unrecognized command: {other}"))),
        None => return Err(UsageError("Unrecognized command: none was given".to_owned())),
    }
    words.next_if_eq(&"accuser");
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let mut value = || {
            words.next().ok_or_else(|| UsageError(format!("Missing argument for option {word}")))
        };
        match word {
            "-P" | "--pidfile" => options.pidfile = Some(value()?.into()),
            "--preserved-levels" => options.preserved_levels = preserved_levels(value()?)?,
            "-K" | "--keep-alive" => options.keep_alive = true,
            _ => return Err(UsageError(format!("Unexpected argument: {word}"))),
        }
    }
    Ok(options)
}

fn preserved_levels(text: &str) -> Result<u32, UsageError> {
    let bad = |_| UsageError(format!("Bad preserved-levels: {text} is no natural number"));
    text.parse().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::{Options, parse};

    fn options(text: &str) -> Option<Options> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        parse(&words).ok()
    }

    #[test]
    fn run_takes_its_options_in_any_order() {
        assert_eq!(options("run"), Some(Options::default()));
        assert_eq!(options("run accuser"), Some(Options::default()));
        assert_eq!(
            options("run -K --preserved-levels 0 -P /tmp/pid"),
            Some(Options {
                pidfile: Some("/tmp/pid".into()),
                preserved_levels: 0,
                keep_alive: true
            })
        );
    }

    #[test]
    fn bad_commands_are_refused() {
        for text in [
            "",
            "walk",
            "run --preserved-levels",
            "run --preserved-levels -1",
            "run fast",
            "run -P",
        ] {
            assert_eq!(options(text), None, "{text}");
        }
    }
}
