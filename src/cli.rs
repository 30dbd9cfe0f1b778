//! The command line, as clap types.

mod events;

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use tribunal::event::NamePattern;
use tribunal::predicate::Predicate;
use tribunal::run::expression::NameExpression;
use tribunal::run::select::TagRule;
use tribunal::run::shard::Shard;
use tribunal::run::vars;

use self::events::{EVENTS_EXAMPLES, RECHECK_EXAMPLES};
pub use self::events::{EventsArgs, FilterArgs, OutputFormat, RecheckArgs};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0    all passed
  1    a scenario failed
  2    the command line is wrong
  3    a scenario file is invalid; nothing was played
  4    the environment: something is missing, a disk is full, nothing is selected
  70   a bug of tribunal; please report it
  130  interrupted
With several, 70 counts before 130 before 4 before 1.";

const EXAMPLES: &str = "\
Examples:
  tribunal run                           play every scenario below scenarios/
  tribunal run scenarios/two.yaml -v     play one, and show what its daemons say
  tribunal check scenarios               find mistakes in scenario files
  tribunal events target/tribunal/RUN    show the events that a run recorded

'tribunal COMMAND --help' tells all options of a command.";

/// Plays test scenarios with real daemons that report what they do as JSON events: Octez accusers and nodes first.
#[derive(Debug, Parser)]
#[command(
    name = "tribunal",
    version,
    arg_required_else_help = true,
    max_term_width = 80,
    styles = STYLES,
    after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    infer_long_args = false
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// When to colour: always, never, or if the output is a terminal and NO_COLOR is not set
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play scenarios
    #[command(after_help = format!("{RUN_EXAMPLES}\n\n{WHILE_IT_RUNS}\n\n{EXIT_CODES}"))]
    Run(Box<RunArgs>),
    /// Find mistakes in scenario files; plays nothing
    #[command(after_help = "\
Exit codes: 0 without errors (there may be warnings), 3 with errors, 4 if a path cannot be read.")]
    Check(CheckArgs),
    /// Judge a recorded run again, without daemons; with another scenario, see what would change
    #[command(after_help = RECHECK_EXAMPLES)]
    Recheck(RecheckArgs),
    /// Show the events that a run recorded
    #[command(after_help = EVENTS_EXAMPLES)]
    Events(EventsArgs),
    /// Draw a run that was recorded
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Print the JSON schema of scenario files, for editors, or of what a run writes
    #[command(after_help = "\
Examples:
  tribunal schema > scenarios/scenario.schema.json
and at the head of each scenario:
  # yaml-language-server: $schema=./scenario.schema.json
  tribunal schema result           of result.json in a run directory
  tribunal schema report           of what 'tribunal run --json' writes")]
    Schema {
        /// Of what
        #[arg(value_enum, default_value_t)]
        of: SchemaOf,
    },
    /// The stand-ins for the Octez programs
    #[command(subcommand, arg_required_else_help = true, disable_help_subcommand = true)]
    Sandbox(SandboxCommand),
    /// Print what a shell needs to complete this program's arguments
    #[command(after_help = "\
Example, for bash:
  tribunal completions bash > ~/.local/share/bash-completion/completions/tribunal")]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

const WHILE_IT_RUNS: &str = "\
While it runs:
  t, SIGUSR1    tell what every wait is waiting for, and how the daemons are
  Ctrl-C        play 'finally' and end; once more ends at once";

const RUN_EXAMPLES: &str = "\
Examples:
  tribunal run                              every *.yaml below scenarios/
  tribunal run scenarios/two.yaml -v        one file, and what its daemons say
  tribunal run -k 'baking and not late'     those with such names
  tribunal run -t accuser -t /slow          tagged 'accuser', and not 'slow'
  tribunal run a.yaml --seed 42             again as it was in a failed run
  tribunal run a.yaml --until-failure -j 4  until it fails, four at a time
  tribunal run --shard 2/3 --json out.json  a third of all, results as JSON
  tribunal run --octez path                 with the Octez programs on PATH";

const REPORT_EXAMPLES: &str = "\
RUN_DIR is what 'tribunal run' names below a failure. A run directory that was
kept has such a page already: timeline.html.

Examples:
  tribunal report RUN_DIR --html run.html     a page for a browser
  tribunal report RUN_DIR --trace run.json    to be opened in ui.perfetto.dev

Exit codes: 0, 2 if an argument is wrong, 4 if RUN_DIR is no run directory or a
file cannot be written.";

#[derive(Args, Debug)]
pub struct RunArgs {
    /// Files, or folders with *.yaml files below [default: scenarios/]
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    #[command(flatten)]
    pub selection: SelectionArgs,
    #[command(flatten)]
    pub repetition: RepetitionArgs,
    #[command(flatten)]
    pub playing: PlayingArgs,
    #[command(flatten)]
    pub reporting: ReportingArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What is played")]
pub struct SelectionArgs {
    /// Show names, files, tags and first comments; play nothing
    #[arg(short, long)]
    pub list: bool,

    /// Only those whose name (or file name) contains these words; with and, or, not, parentheses
    ///
    /// Words side by side must stand side by side in the name. Case does not matter. Quotes make any text a word.
    #[arg(short = 'k', value_name = "EXPR")]
    pub names: Option<NameExpression>,

    /// Only those with this tag; /TAG: without it; several: all must hold
    #[arg(short, long = "tag", value_name = "TAG")]
    pub tags: Vec<TagRule>,

    /// Only this machine's part, such as 2/3; balanced by the times recorded in --out
    ///
    /// The parts of all machines together are everything if they have the same times.json, or none. An empty part is a
    /// pass.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "How often")]
pub struct RepetitionArgs {
    /// Play each N times; repetition k (from 0) uses seed + k, unless the file pins its seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: Option<u32>,

    /// Play again and again until one does not pass; with --repeat, N times at most
    #[arg(long)]
    pub until_failure: bool,

    /// Play failed ones up to N times more, with the same seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retries: u32,

    /// What one counts as that failed, then passed on a retry
    #[arg(long, value_enum, default_value_t, value_name = "AS")]
    pub flaky: Flaky,

    /// Begin no more after the first failure
    #[arg(long)]
    pub fail_fast: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "How it is played")]
pub struct PlayingArgs {
    /// Scenarios side by side [default: half the processors]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// The seed, whatever the files say [default: the file's, else drawn]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Set a variable, whatever the files say; repeatable
    #[arg(long = "var", value_name = "K=V", value_parser = vars::parse)]
    pub vars: Vec<(String, String)>,

    /// What each scenario may take in all, whatever the files say: 90s, 5m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// Multiply all limits, for slow machines; not pauses
    #[arg(long, value_name = "F", default_value_t = 1.0, value_parser = scale)]
    pub timeout_scale: f64,

    /// Fail what passes without proving anything, whatever the files say
    #[arg(long, overrides_with = "no_strict")]
    pub strict: bool,

    /// Only warn of it, whatever the files say
    #[arg(long, overrides_with = "strict")]
    pub no_strict: bool,

    /// Where octez-node and the like come from: auto, sandbox, path (that is PATH) or a folder
    ///
    /// `sandbox`: stand-ins inside this program. `auto`: what the variable TRIBUNAL_OCTEZ says, else the sandbox.
    #[arg(long, value_name = "FROM", default_value = "auto")]
    pub octez: String,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What is left and shown")]
pub struct ReportingArgs {
    /// Where run directories are made [default: target/tribunal in a cargo project, else tribunal-runs]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,

    /// Which run directories are kept
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub keep: Keep,

    /// Write results as JSON; to standard output with -, and all text to standard error
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,

    /// Write results as JUnit XML, for CI servers; - as with --json
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub junit: Option<PathBuf>,

    /// Write the timelines of all scenarios as one page that needs no network; - as with --json
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,

    /// Write a trace of all scenarios for Perfetto or chrome://tracing; - as with --json
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub trace: Option<PathBuf>,

    /// Show steps, events and output as they come
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Show only what did not pass, and the summary
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub quiet: bool,
}

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Files, or folders with *.yaml files below
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Warn of events and fields that no run has shown; CATALOGUE is a file that 'tribunal events
    /// --catalogue --format json' wrote, or a run directory
    #[arg(long, value_name = "CATALOGUE", value_hint = ValueHint::AnyPath)]
    pub catalogue: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct ReportArgs {
    /// A run directory
    #[arg(value_hint = ValueHint::DirPath)]
    pub run_dir: PathBuf,

    /// Write the timeline, one file that needs no network; to standard output with -
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "trace")]
    pub html: Option<PathBuf>,

    /// Write a trace for Perfetto or chrome://tracing; to standard output with -
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub trace: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Make links in a folder that are called octez-node and so on, and answer as those programs do
    #[command(after_help = "\
Example:
  tribunal sandbox install /tmp/octez && PATH=/tmp/octez:$PATH octez-node --version")]
    Install {
        /// The folder; made if need be
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Scenario files
    #[default]
    Scenario,
    /// result.json
    Result,
    /// What run --json writes
    Report,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Flaky {
    #[default]
    Pass,
    Fail,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    Always,
    /// All that did not pass
    #[default]
    Failed,
    Never,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; it takes a time such as 90s or 5m"))?;
    if duration.is_zero() { Err("must be more than nothing".to_owned()) } else { Ok(duration) }
}

fn pattern(text: &str) -> Result<NamePattern, String> {
    NamePattern::new(text).map_err(|error| error.to_string())
}

/// A predicate without variables, or what is wrong with it, pointed at.
fn predicate(text: &str) -> Result<Predicate, String> {
    let at = |span: Range<usize>, message: &str| {
        let before = text[..text.floor_char_boundary(span.start)].chars().count();
        let length = text.get(span).map_or(0, |part| part.chars().count()).max(1);
        format!("{message}\n  {text}\n  {:before$}{}", "", "^".repeat(length))
    };
    let predicate =
        Predicate::parse(text).map_err(|error| at(error.span.clone(), &error.to_string()))?;
    match predicate.references().variables.first() {
        None => Ok(predicate),
        Some(variable) => Err(at(variable.span.clone(), "there are no variables here")),
    }
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor > 0.0 && factor <= 1e6 => Ok(factor),
        Ok(_) => Err("must be more than 0 and at most 1000000".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_last_of_strict_and_no_strict_counts() {
        let parse = |words: &[&str]| {
            let words = ["tribunal", "run"].iter().chain(words);
            let Command::Run(args) = Cli::parse_from(words).command else {
                panic!("it is the command run")
            };
            (args.playing.strict, args.playing.no_strict)
        };
        assert_eq!(parse(&["--strict", "--no-strict"]), (false, true));
        assert_eq!(parse(&["--no-strict", "--strict"]), (true, false));
    }

    #[test]
    fn wrong_values_are_refused() {
        for words in [
            &["-j", "0"][..],
            &["--repeat", "0"],
            &["--retries", "-1"],
            &["--timeout", "0s"],
            &["--timeout", "soon"],
            &["--timeout-scale", "0"],
            &["--timeout-scale", "nan"],
            &["--timeout-scale", "inf"],
            &["--shard", "3/2"],
            &["-k", "a and"],
            &["-t", "/"],
            &["--var", "novalue"],
            &["--flaky", "maybe"],
            &["--keep", "some"],
            &["-v", "-q"],
            &["--on", "far"],
        ] {
            let words = ["tribunal", "run"].iter().chain(words);
            assert!(Cli::try_parse_from(words.clone()).is_err(), "{words:?}");
        }
    }
}
