//! The program `tribunal`: reads its arguments, does what they say, and answers with an exit code.
//!
//! Called by the name of an Octez program, it is the sandbox's stand-in for that program.

mod cli;
mod commands;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use tribunal::run::Exit;
use tribunal::sandbox::{self, Program};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(program) = arguments.first().and_then(|name| Program::from_argv0(name)) {
        return sandbox::run(program, arguments);
    }
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => {
            // Whether help can be printed does not change what the arguments were.
            let _ = refusal.print();
            return if refusal.use_stderr() { Exit::Usage.into() } else { Exit::Passed.into() };
        }
    };
    log_if_asked();
    // The hook has told of a panic by then; what is left is the exit code.
    catch_unwind(AssertUnwindSafe(|| commands::execute(cli))).unwrap_or_else(|_| {
        eprintln!("tribunal: this is a bug of tribunal; please report it with the lines above");
        Exit::Bug.into()
    })
}

/// Logs to standard error if `TRIBUNAL_LOG`, or else `RUST_LOG`, says of what.
fn log_if_asked() {
    let filter = ["TRIBUNAL_LOG", "RUST_LOG"].iter().find_map(|name| std::env::var(name).ok());
    let Some(filter) = filter.filter(|filter| !filter.is_empty()) else { return };
    match EnvFilter::try_new(&filter) {
        Ok(filter) => {
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
        }
        Err(error) => eprintln!("tribunal: the log filter `{filter}` is ignored: {error}"),
    }
}
