//! `tribunal run`: from arguments to a run, and from the run to an exit code.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tribunal::host::descendants;
use tribunal::host::front::{self, Role};
use tribunal::host::interrupts::{Asked, FrontLink, Interrupts};
use tribunal::report::listing::listing;
use tribunal::report::sink::is_stdout;
use tribunal::report::terminal::{StatusLine, Terminal, Volume};
use tribunal::run::load::{Read, read};
use tribunal::run::select::{Selection, discover};
use tribunal::run::times::Times;
use tribunal::run::{self, Case, Exit, Flaky, Keep, Options, Policy, Seeds, run_dir, shard};
use tribunal::scenario::job::{Inquirer, Inquiries, OctezSource};

use super::check::{finding, refusal};
use super::outcome::CommandError;
use super::reports::{self, Reports};
use super::streams::{Streams, can_show_status};
use crate::cli::{self, PlayingArgs, RepetitionArgs, ReportingArgs, RunArgs};

/// The variable that says what `--octez auto` is.
const OCTEZ_VARIABLE: &str = "TRIBUNAL_OCTEZ";

/// How long plays that were told to end at once may take. The front waits two seconds in all.
const ABANDON_AFTER: Duration = Duration::from_secs(1);

/// Plays in a second process, over which this one stands so that nothing can be left behind.
pub fn run(args: RunArgs, streams: Streams) -> Result<ExitCode, CommandError> {
    if args.selection.list {
        return list(&args, streams).map(ExitCode::from);
    }
    match Role::take()? {
        Role::Front => Ok(front::run(std::env::args_os())?.into()),
        Role::Worker(front) => {
            let _last = LastAct;
            work(&args, Some(front), streams).map(ExitCode::from)
        }
    }
}

/// However the worker ends, what descends from it ends before: the front, which would see to that, may be lost.
struct LastAct;

impl Drop for LastAct {
    fn drop(&mut self) {
        descendants::kill_all(&[]);
    }
}

fn list(args: &RunArgs, streams: Streams) -> Result<Exit, CommandError> {
    let out = out(&args.reporting);
    match selected(discover(&args.paths)?, args, &out, streams)? {
        Selected::Cases(cases) => {
            streams.print(&listing(&cases))?;
            Ok(Exit::Passed)
        }
        Selected::Refused(_, exit) => Ok(exit),
    }
}

fn work(args: &RunArgs, front: Option<FrontLink>, streams: Streams) -> Result<Exit, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(CommandError::Begin)?;
    // First of all, so that a signal during the preparations is not lost, nor ends us by itself.
    let (inquirer, inquiries) = Inquirer::new();
    let listening = listen(front, inquirer);
    let interrupts = runtime.block_on(listening).map_err(CommandError::Begin)?;

    let out = out(&args.reporting);
    let files = discover(&args.paths)?;
    reports::spare(&args.reporting, &files)?;
    let reports = Reports::open(&args.reporting)?;
    let cases = match selected(files, args, &out, streams)? {
        Selected::Cases(cases) => cases,
        Selected::Refused(read, exit) => {
            let exit = reports.refused(&read, exit, streams);
            return Ok(exit);
        }
    };
    run_dir::prepare(&out)?;
    let options = options(args, out, inquiries)?;
    let observer = Rc::new((terminal(&args.reporting, streams), reports.observer()));
    let player = run::player::scenarios();
    let play = run::play_all(&cases, &options, player, observer, reports.archivist(), interrupts);
    let report = runtime.block_on(play);
    Ok(reports.finish(&report, streams))
}

/// The interrupts of this process, as a channel, which ends with the runtime; questions go to the inquirer.
#[expect(clippy::unused_async, reason = "listening needs the runtime that this is run by")]
async fn listen(
    front: Option<FrontLink>,
    inquirer: Inquirer,
) -> io::Result<mpsc::UnboundedReceiver<run::Interrupt>> {
    let mut interrupts = Interrupts::listen(front)?;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            match interrupts.next().await {
                Asked::State => inquirer.ask(),
                Asked::End(interrupt) => {
                    if sender.send(interrupt).is_err() {
                        return;
                    }
                }
            }
        }
    });
    Ok(receiver)
}

enum Selected {
    Cases(Vec<Case>),
    /// There is a file that cannot be played; why has been told.
    Refused(Read, Exit),
}

/// Reads all files, then chooses among their scenarios.
fn selected(
    files: Vec<PathBuf>,
    args: &RunArgs,
    out: &Path,
    streams: Streams,
) -> Result<Selected, CommandError> {
    let read = read(files, &args.playing.vars, &|_| Vec::new());
    let colour = streams.err_colour();
    if !args.reporting.quiet {
        read.warnings.iter().for_each(|warning| streams.tell(&finding(warning, colour)));
    }
    if !read.refused.is_empty() {
        read.refused.iter().for_each(|refused| streams.tell(&refusal(refused, colour)));
        let (refused, of) = (read.refused.len(), read.refused.len() + read.cases.len());
        let files = if of == 1 { "file" } else { "files" };
        streams.tell(&format!("{refused} of {of} {files} invalid: nothing was played\n"));
        let exit = read.refused.iter().map(run::load::Refused::exit).fold(Exit::Passed, Exit::and);
        return Ok(Selected::Refused(read, exit));
    }
    let of = read.cases.len();
    let selection =
        Selection { names: args.selection.names.clone(), tags: args.selection.tags.clone() };
    let mut cases = read.cases;
    cases.retain(|case| selection.selects(case));
    if cases.is_empty() {
        return Err(CommandError::NothingSelected { of });
    }
    if let Some(shard) = args.selection.shard {
        let times = Times::read(out);
        let known: Vec<_> = cases.iter().map(|case| times.of(&case.file)).collect();
        let part = shard::part(&known, shard);
        cases = part.into_iter().map(|index| cases[index].clone()).collect();
    }
    Ok(Selected::Cases(cases))
}

fn out(args: &ReportingArgs) -> PathBuf {
    args.out.clone().unwrap_or_else(|| {
        let folder = std::env::current_dir().unwrap_or_default();
        run_dir::default_out(&folder)
    })
}

fn terminal(args: &ReportingArgs, streams: Streams) -> Terminal {
    let volume = match (args.verbose, args.quiet) {
        (true, _) => Volume::Verbose,
        (_, true) => Volume::Quiet,
        _ => Volume::Normal,
    };
    let to_stderr = reports::files(args).any(is_stdout);
    let sink: Box<dyn Write> =
        if to_stderr { Box::new(streams.err()) } else { Box::new(streams.out()) };
    let status = if can_show_status() { StatusLine::Drawn } else { StatusLine::Absent };
    Terminal::new(sink, volume, status)
}

fn options(args: &RunArgs, out: PathBuf, inquiries: Inquiries) -> Result<Options, CommandError> {
    let playing = &args.playing;
    Ok(Options {
        jobs: playing.jobs.map_or_else(half_the_processors, usize::from),
        policy: policy(&args.repetition),
        seeds: playing.seed.map_or_else(Seeds::drawn, Seeds::given),
        vars: playing.vars.clone(),
        timeout: playing.timeout,
        timeout_scale: playing.timeout_scale,
        strict: strict(playing),
        octez: octez(&playing.octez)?,
        out,
        keep: match args.reporting.keep {
            cli::Keep::Always => Keep::Always,
            cli::Keep::Failed => Keep::Failed,
            cli::Keep::Never => Keep::Never,
        },
        live: args.reporting.verbose,
        abandon_after: ABANDON_AFTER,
        inquiries,
    })
}

fn half_the_processors() -> usize {
    std::thread::available_parallelism().map_or(1, |number| (number.get() / 2).max(1))
}

fn policy(args: &RepetitionArgs) -> Policy {
    Policy {
        repetitions: args.repeat.or((!args.until_failure).then_some(1)),
        until_failure: args.until_failure,
        retries: args.retries,
        flaky: match args.flaky {
            cli::Flaky::Pass => Flaky::Pass,
            cli::Flaky::Fail => Flaky::Fail,
        },
        fail_fast: args.fail_fast,
    }
}

fn strict(args: &PlayingArgs) -> Option<bool> {
    match (args.strict, args.no_strict) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

fn octez(word: &str) -> Result<OctezSource, CommandError> {
    let variable = std::env::var(OCTEZ_VARIABLE).unwrap_or_default();
    let word = match word {
        "auto" if variable.is_empty() || variable == "auto" => "sandbox",
        "auto" => &variable,
        word => word,
    };
    match word {
        "sandbox" => Ok(OctezSource::Sandbox),
        "path" => Ok(OctezSource::Path),
        folder => {
            let path = PathBuf::from(folder);
            if !path.is_dir() {
                return Err(CommandError::NoOctezFolder { path });
            }
            // A scenario's daemons may run in other folders than we do.
            Ok(OctezSource::Folder(std::path::absolute(&path).unwrap_or(path)))
        }
    }
}
