//! Arguments of the commands that read run directories event by event: `events`, `recheck`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum, ValueHint};
use tribunal::event::NamePattern;
use tribunal::predicate::Predicate;
use tribunal::report::events::When;

pub const RECHECK_EXAMPLES: &str = "\
RUN_DIR is what 'tribunal run' names below a failure. Each line tells of a step:
  holds    it matches or holds, with the event that it matches
  FAILS    it does not, explained below
  as was   it started, asked or ran something: it ended well when it was played
  ?        it cannot be judged, and why

An event counts if it came before the limit of its step, by the recorded times.
What came after the steps were over counts for none of them: where the limit is
later than that, and the event is not there, the step is not judged.

Examples:
  tribunal recheck RUN_DIR                         all again, as it was played
  cp RUN_DIR/scenario.yaml new.yaml                then correct an event's name
  tribunal recheck RUN_DIR --scenario new.yaml     what would match now?

Exit codes: 0 if nothing fails (some may not be judged), 1 if a step fails,
2 usage, 3 if the scenario is invalid, 4 if RUN_DIR is no run directory, or if
the run had ended for a reason of its surroundings.";

pub const EVENTS_EXAMPLES: &str = "\
RUN_DIR is what 'tribunal run' names below a failure; --keep always keeps those
of passed scenarios too.

Examples:
  tribunal events RUN_DIR                                 all, in order
  tribunal events RUN_DIR --from node --event '*switch*'  by daemon and name
  tribunal events RUN_DIR --where 'level >= 4' --last 3   by what they say
  tribunal events RUN_DIR --after 2.5s --before 4s        by when they came
  tribunal events RUN_DIR --json | jq .value.hash         an object on each line
  tribunal events --catalogue RUN_DIR...                  what events there are
  tribunal events --catalogue RUNS --format json > old.json
  tribunal events --catalogue old.json --against RUN_DIR  what is other there?
  tribunal check --catalogue old.json scenarios           ... and in scenarios?

Exit codes: 0, 2 if an argument is wrong, 4 if RUN_DIR is no run directory.";

#[derive(Args, Debug)]
pub struct RecheckArgs {
    /// A run directory
    #[arg(value_hint = ValueHint::DirPath)]
    pub run_dir: PathBuf,

    /// Judge by this scenario, and say which expectations would now match or no longer match
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub scenario: Option<PathBuf>,

    /// How the answer is written
    #[arg(long, value_enum, default_value_t, value_name = "AS")]
    pub format: OutputFormat,
}

#[derive(Args, Debug)]
pub struct EventsArgs {
    /// A run directory; with --catalogue several, or files that it wrote
    #[arg(required = true, value_name = "RUN_DIR", value_hint = ValueHint::AnyPath)]
    pub runs: Vec<PathBuf>,

    #[command(flatten)]
    pub filter: FilterArgs,

    /// How they are written
    #[arg(long, value_enum, default_value_t, value_name = "AS")]
    pub format: OutputFormat,

    /// The same as --format json: one object on each line
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Do not cut lines at 80 columns
    #[arg(short, long)]
    pub wide: bool,

    #[command(flatten)]
    pub catalogue: CatalogueArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Which events")]
pub struct FilterArgs {
    /// Only of this daemon; may be a pattern; repeatable
    #[arg(long, value_name = "DAEMON")]
    pub from: Vec<String>,

    /// Only of this name; may be a pattern with *, ? and [a-z]
    #[arg(long, value_name = "NAME", value_parser = super::pattern)]
    pub event: Option<NamePattern>,

    /// Only those for which this holds, as in a scenario: level >= 4 && hash.startsWith("BL")
    #[arg(long = "where", value_name = "PREDICATE", value_parser = super::predicate)]
    pub predicate: Option<Predicate>,

    /// Only of this incarnation, counted from 1
    #[arg(long, value_name = "N")]
    pub incarnation: Option<u32>,

    /// Only from this moment on: 2.5s from the start of the run, or 2026-11-23T16:00:00Z
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub after: Option<When>,

    /// Only up to this moment
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub before: Option<When>,

    /// Only the first N of them
    #[arg(long, value_name = "N", conflicts_with = "last")]
    pub limit: Option<usize>,

    /// Only the last N of them
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,

    /// Only lines that are no events: not JSON, no envelope, too long, not UTF-8
    #[arg(long, conflicts_with_all = ["event", "predicate"])]
    pub malformed: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What events there are")]
pub struct CatalogueArgs {
    /// List the names, and the fields of their payloads with types and examples, of all runs together
    #[arg(
        long,
        conflicts_with_all = ["from", "event", "predicate", "incarnation", "after", "before", "limit", "last", "malformed", "wide"]
    )]
    pub catalogue: bool,

    /// Tell what is other in this run directory or catalogue: added, removed, renamed, other types
    #[arg(long, value_name = "OTHER", requires = "catalogue", value_hint = ValueHint::AnyPath)]
    pub against: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    #[default]
    Text,
    Json,
}

/// `2.5s`, `1m`, or RFC 3339.
fn when(text: &str) -> Result<When, String> {
    if let Ok(time) = humantime::parse_rfc3339_weak(text) {
        return Ok(When::Wall(time));
    }
    if let Some(seconds) = text.strip_suffix('s').and_then(|number| number.parse::<f64>().ok())
        && seconds.is_finite()
        && seconds >= 0.0
    {
        return Ok(When::At(seconds));
    }
    match humantime::parse_duration(text) {
        Ok(duration) => Ok(When::At(Duration::as_secs_f64(&duration))),
        Err(_) => Err(format!(
            "it takes a time since the start such as 2.5s, or one such as {}",
            humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_since_the_start_or_of_the_calendar() {
        assert_eq!(when("2.5s"), Ok(When::At(2.5)));
        assert_eq!(when("250ms"), Ok(When::At(0.25)));
        assert_eq!(when("1m 30s"), Ok(When::At(90.0)));
        let wall = |seconds| When::Wall(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(when("1970-01-01T00:01:00Z"), Ok(wall(60)));
        for wrong in ["", "soon", "-1s", "infs", "nans", "12"] {
            assert!(when(wrong).is_err(), "{wrong}");
        }
    }
}
