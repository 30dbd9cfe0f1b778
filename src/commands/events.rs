//! `tribunal events`: what a run recorded, and what events there are.

use std::io::{BufWriter, Write};
use std::path::Path;

use clap::CommandFactory;
use clap::error::ErrorKind;
use tribunal::daemon::Incarnation;
use tribunal::event::catalogue::{Catalogue, difference};
use tribunal::event::{NamePattern, likeness};
use tribunal::record::{RecordedRun, RunDir};
use tribunal::report::catalogue;
use tribunal::report::events::{Amount, Filter, Format, write_events};
use tribunal::run::Exit;

use super::outcome::CommandError;
use super::streams::Streams;
use crate::cli::{Cli, EventsArgs, FilterArgs, OutputFormat};

pub fn events(args: EventsArgs, streams: Streams) -> Result<Exit, CommandError> {
    if args.catalogue.catalogue {
        return list(&args, streams);
    }
    let [run_dir] = &args.runs[..] else {
        let message = "several run directories are for --catalogue; events are shown of one";
        let _ = Cli::command().error(ErrorKind::TooManyValues, message).print();
        return Ok(Exit::Usage);
    };
    let mut run = RecordedRun::open(RunDir::new(run_dir))?;
    let format = match (args.json || args.format == OutputFormat::Json, args.wide) {
        (true, _) => Format::JsonLines,
        (false, true) => Format::Wide,
        (false, false) => Format::Table,
    };
    let mut out = BufWriter::new(streams.out());
    let event = args.filter.event.as_ref().map(ToString::to_string);
    let written = write_events(&mut run, &filter(args.filter), format, &mut out)?;
    out.flush()?;
    if written == 0 {
        tell_nothing(event, &args.runs[0], streams);
    }
    tell_damage(run.damage(), streams);
    Ok(Exit::Passed)
}

/// An empty answer is told as such: it may come of a name that is mistyped.
fn tell_nothing(event: Option<String>, run_dir: &Path, streams: Streams) {
    let known = catalogue::open(run_dir).map(|(known, _)| known).unwrap_or_default();
    let is_pattern = |name: &str| name.contains(['*', '?', '[']);
    let unknown = event.filter(|name| !is_pattern(name) && !known.events.contains_key(name));
    let Some(name) = unknown else {
        streams.tell("tribunal: no such event in this run\n");
        return;
    };
    let alike = |other: &&String| likeness(&name, other);
    let closest = known.events.keys().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let closest = closest.filter(|other| NamePattern::Exact(name.as_str().into()).resembles(other));
    let advice = closest.map_or_else(String::new, |other| format!("; did you mean {other}?"));
    streams.tell(&format!("tribunal: no event `{name}` in this run{advice}\n"));
}

fn filter(args: FilterArgs) -> Filter {
    let FilterArgs { from, event, predicate, incarnation, after, before, limit, last, malformed } =
        args;
    Filter {
        from,
        event,
        predicate,
        incarnation: incarnation.map(Incarnation),
        after,
        before,
        malformed_only: malformed,
        amount: match (limit, last) {
            (Some(limit), _) => Amount::First(limit),
            (None, Some(last)) => Amount::Last(last),
            (None, None) => Amount::All,
        },
    }
}

/// The catalogue of all runs together, or what is other than there.
fn list(args: &EventsArgs, streams: Streams) -> Result<Exit, CommandError> {
    let mut all = Catalogue::default();
    for path in &args.runs {
        let (one, damage) = catalogue::open(path)?;
        tell_damage(&damage, streams);
        all.merge(one);
    }
    let is_json = args.json || args.format == OutputFormat::Json;
    let text = match &args.catalogue.against {
        None if is_json => json(&all)?,
        None => catalogue::text(&all),
        Some(path) => {
            let (other, damage) = catalogue::open(path)?;
            tell_damage(&damage, streams);
            let difference = difference(&all, &other);
            if is_json { json(&difference)? } else { catalogue::difference_text(&difference) }
        }
    };
    streams.print(&text)?;
    Ok(Exit::Passed)
}

fn json(value: &impl serde::Serialize) -> Result<String, CommandError> {
    Ok(serde_json::to_string_pretty(value).map_err(std::io::Error::from)? + "\n")
}

/// What could not be read of a run is told, whatever else is.
pub fn tell_damage(damage: &[String], streams: Streams) {
    for damage in damage {
        streams.tell(&format!("tribunal: {damage}\n"));
    }
}
