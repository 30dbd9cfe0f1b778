//! `tribunal check`: all that is wrong with scenario files.

use tribunal::run::Exit;
use tribunal::run::load::{Refused, read};
use tribunal::run::select::discover;
use tribunal::scenario::check::unseen;
use tribunal::scenario::{Colour, Diagnostic, ScenarioError};

use super::events::tell_damage;
use super::outcome::CommandError;
use super::streams::Streams;
use crate::cli::CheckArgs;

pub fn check(args: &CheckArgs, streams: Streams) -> Result<Exit, CommandError> {
    let files = discover(&args.paths)?;
    let number = files.len();
    let catalogue = match &args.catalogue {
        Some(path) => {
            let (catalogue, damage) = tribunal::report::catalogue::open(path)?;
            tell_damage(&damage, streams);
            Some(catalogue)
        }
        None => None,
    };
    let read = read(files, &[], &|scenario| {
        catalogue.as_ref().map(|catalogue| unseen(scenario, catalogue)).unwrap_or_default()
    });
    let colour = streams.err_colour();
    for warning in &read.warnings {
        streams.tell(&finding(warning, colour));
    }
    for refused in &read.refused {
        streams.tell(&refusal(refused, colour));
    }
    let errors = read.refused.len();
    let plural = if number == 1 { "" } else { "s" };
    let verdict = if errors == 0 { "valid".to_owned() } else { format!("{errors} invalid") };
    streams.print(&format!("{number} file{plural}: {verdict}\n"))?;
    Ok(read.refused.iter().map(Refused::exit).fold(Exit::Passed, Exit::and))
}

/// All that is wrong with one file, as it is told.
pub fn refusal(refused: &Refused, colour: Colour) -> String {
    match &refused.error {
        ScenarioError::Invalid { diagnostics } => {
            diagnostics.iter().map(|diagnostic| finding(diagnostic, colour)).collect()
        }
        ScenarioError::Unreadable { source, .. } => {
            format!("tribunal: {}: {source}\n\n", refused.error)
        }
    }
}

/// One finding as it is told, with an empty line after it.
pub fn finding(diagnostic: &Diagnostic, colour: Colour) -> String {
    diagnostic.render(colour) + "\n\n"
}
