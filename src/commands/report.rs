//! `tribunal report`: a recorded run as a picture.

use tribunal::record::RunDir;
use tribunal::report::chronicle::Chronicle;
use tribunal::report::sink::{Sink, is_stdout};
use tribunal::report::timeline::Picture;
use tribunal::report::trace::Trace;
use tribunal::run::Exit;

use super::outcome::CommandError;
use crate::cli::ReportArgs;

pub fn report(args: &ReportArgs) -> Result<Exit, CommandError> {
    let files = [&args.html, &args.trace];
    if files.into_iter().flatten().all(|file| is_stdout(file))
        && files.iter().all(|file| file.is_some())
    {
        return Err(CommandError::OneStandardOutput);
    }
    let mut chronicle = Chronicle::open(RunDir::new(&args.run_dir))?;
    let html = args.html.as_deref().map(Sink::create).transpose()?;
    let trace = args.trace.as_deref().map(Sink::create).transpose()?;
    if let Some(mut sink) = html {
        let picture = Picture::of(&mut chronicle)?;
        sink.write(|out| picture.write_page(out))?;
    }
    if let Some(sink) = trace {
        let mut trace = Trace::begin(sink)?;
        trace.add(&mut chronicle)?;
        trace.end()?;
    }
    Ok(Exit::Passed)
}
