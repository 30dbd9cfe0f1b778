//! Commands of a few lines: what is printed or linked, and nothing else.

use std::path::Path;

use clap::CommandFactory;
use tribunal::run::Exit;

use super::outcome::CommandError;
use super::streams::Streams;
use crate::cli::{Cli, SchemaOf};

pub fn completions(shell: clap_complete::Shell, streams: Streams) -> Result<Exit, CommandError> {
    // Written to memory first: the generator panics on a pipe that was closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tribunal", &mut script);
    streams.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Passed)
}

pub fn schema(of: SchemaOf, streams: Streams) -> Result<Exit, CommandError> {
    let schema = match of {
        SchemaOf::Scenario => tribunal::scenario::schema::schema(),
        SchemaOf::Result => tribunal::report::schema::result(),
        SchemaOf::Report => tribunal::report::schema::report(),
    };
    streams.print(&format!("{schema:#}\n"))?;
    Ok(Exit::Passed)
}

/// Makes the links and prints each.
pub fn install_sandbox(dir: &Path, streams: Streams) -> Result<Exit, CommandError> {
    let program = std::env::current_exe().map_err(CommandError::OwnProgram)?;
    for link in tribunal::sandbox::install(dir, &program)? {
        streams.print(&format!("{}\n", link.display()))?;
    }
    Ok(Exit::Passed)
}
