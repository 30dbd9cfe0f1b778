//! `tribunal events`: what a run recorded.

use std::io::{BufWriter, Write};

use tribunal::record::{RecordedRun, RunDir};
use tribunal::report::events::{Filter, Format, write_events};
use tribunal::run::Exit;

use super::outcome::CommandError;
use super::streams::Streams;
use crate::cli::EventsArgs;

pub fn events(args: EventsArgs, streams: Streams) -> Result<Exit, CommandError> {
    let mut run = RecordedRun::open(RunDir::new(args.run_dir))?;
    let filter = Filter { from: args.from, event: args.event, predicate: args.predicate };
    let format = if args.json { Format::JsonLines } else { Format::Text };
    let mut out = BufWriter::new(streams.out());
    write_events(&mut run, &filter, format, &mut out)?;
    out.flush()?;
    Ok(Exit::Passed)
}
