//! What each command does, once its arguments are understood.

mod check;
mod events;
mod outcome;
mod recheck;
mod report;
mod reports;
mod run;
mod simple;
mod streams;

use std::process::ExitCode;

use self::streams::Streams;
use crate::cli::{Cli, Command, SandboxCommand};

/// Does what the arguments say; what goes wrong is told on standard error.
pub fn execute(cli: Cli) -> ExitCode {
    let streams = Streams::new(cli.color);
    let done = match cli.command {
        Command::Run(args) => run::run(*args, streams),
        Command::Check(args) => check::check(&args, streams).map(ExitCode::from),
        Command::Recheck(args) => recheck::recheck(&args, streams).map(ExitCode::from),
        Command::Events(args) => events::events(args, streams).map(ExitCode::from),
        Command::Report(args) => report::report(&args).map(ExitCode::from),
        Command::Schema { of } => simple::schema(of, streams).map(ExitCode::from),
        Command::Sandbox(SandboxCommand::Install { dir }) => {
            simple::install_sandbox(&dir, streams).map(ExitCode::from)
        }
        Command::Completions { shell } => simple::completions(shell, streams).map(ExitCode::from),
    };
    done.unwrap_or_else(|error| error.tell(streams).into())
}
