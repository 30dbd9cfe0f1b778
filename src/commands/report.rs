//! `tribunal report`: a recorded run as a picture.

use tribunal::record::RunDir;
use tribunal::report::archive::draw;
use tribunal::report::sink::is_stdout;
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
    draw(RunDir::new(&args.run_dir), args.html.as_deref(), args.trace.as_deref())?;
    Ok(Exit::Passed)
}
