//! Standard output and error of the stand-ins: whole lines, flushed at once, as `print_endline` does.

use std::io::{self, Write};

/// A line on standard output.
pub fn out(line: &str) {
    let mut stdout = io::stdout().lock();
    // A reader that went away must not end a daemon: Octez ignores SIGPIPE too.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// A line on standard error.
pub fn err(line: &str) {
    // Nobody can be told when stderr itself is gone.
    let _ = writeln!(io::stderr(), "{line}");
}

/// An error as Octez's clients end with it: a heading and the text, indented.
pub fn failure(heading: &str, text: &str) {
    err(&headed(heading, text));
}

/// The text of an error under its heading.
pub fn headed(heading: &str, text: &str) -> String {
    format!("{heading}:\n  {}", text.replace('\n', "\n  "))
}
