//! `tribunal recheck`: the assertions of a recorded run, judged again.

use tribunal::record::RunDir;
use tribunal::report::recheck as report;
use tribunal::run::Exit;
use tribunal::scenario::ScenarioError;
use tribunal::scenario::recheck::{RecheckError, recheck as judge};

use super::check::{finding, refusal};
use super::events::tell_damage;
use super::outcome::CommandError;
use super::streams::Streams;
use crate::cli::{OutputFormat, RecheckArgs};

pub fn recheck(args: &RecheckArgs, streams: Streams) -> Result<Exit, CommandError> {
    let judged = match judge(&RunDir::new(&args.run_dir), args.scenario.as_deref()) {
        Ok(judged) => judged,
        Err(RecheckError::Scenario(error)) => return Ok(refused(args, error, streams)),
        Err(error) => return Err(error.into()),
    };
    for warning in &judged.findings {
        streams.tell(&finding(warning, streams.err_colour()));
    }
    tell_damage(&judged.damage, streams);
    let text = match args.format {
        OutputFormat::Text => report::text(&judged, &args.run_dir),
        OutputFormat::Json => report::json(&judged).map_err(std::io::Error::from)?,
    };
    streams.print(&text)?;
    Ok(Exit::of(&judged.result))
}

/// All that is wrong with the scenario.
fn refused(args: &RecheckArgs, error: ScenarioError, streams: Streams) -> Exit {
    let file = args.scenario.clone().unwrap_or_else(|| RunDir::new(&args.run_dir).scenario());
    let refused = tribunal::run::load::Refused { file, error };
    streams.tell(&refusal(&refused, streams.err_colour()));
    refused.exit()
}
