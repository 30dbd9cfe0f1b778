//! The run as people follow it: a line for each scenario, a block for each failure, what is going on just now.

mod status;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use self::status::Status;
use super::failure::{self, Surroundings};
use super::state;
use super::text::{BAD, DAEMONS, DIM, GOOD, ODD, STRONG, duration, harmless, labelled, styled};
use crate::run::{Case, Interrupt, Notice, Observer, Options, Played, RunReport, Summary, Verdict};
use crate::scenario::job::Progress;
use crate::scenario::result::Outcome;
use crate::scenario::state::Occasion;

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volume {
    /// Only what did not pass, and the summary.
    Quiet,
    #[default]
    Normal,
    /// Also steps, events and output as they come.
    Verbose,
}

/// Where and how the status line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusLine {
    /// On standard error, which is a terminal.
    Drawn,
    Absent,
}

/// Writes a run to a terminal or a file. An error of writing is passed over: the run itself matters more.
pub struct Terminal {
    state: RefCell<State>,
    volume: Volume,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("volume", &self.volume).finish_non_exhaustive()
    }
}

struct State {
    sink: Box<dyn Write>,
    /// Whether there is to be a status, and the status while there is one.
    status_line: StatusLine,
    status: Option<Status>,
    /// Retries that a scenario has at most.
    retries: u32,
    jobs: usize,
    ended: u64,
    /// What did not pass, to be named again at the end of a long run.
    not_passed: Vec<String>,
    daemons: HashMap<String, usize>,
}

impl State {
    /// Writes text above the status.
    fn put(&mut self, text: &str) {
        let Self { sink, status, .. } = self;
        let mut write = || {
            // A reader that went away (`| head`) must not end the run.
            let _ = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
        };
        match status {
            Some(status) => status.suspend(write),
            None => write(),
        }
    }
}

impl Terminal {
    /// Writes to the sink, colours and all.
    pub fn new(sink: Box<dyn Write>, volume: Volume, status: StatusLine) -> Self {
        let state = State {
            sink,
            status_line: if volume == Volume::Normal { status } else { StatusLine::Absent },
            status: None,
            retries: 0,
            ended: 0,
            jobs: 1,
            not_passed: Vec::new(),
            daemons: HashMap::new(),
        };
        Self { state: RefCell::new(state), volume }
    }

    fn began(&self, state: &mut State, cases: &[Case], options: &Options) {
        state.retries = options.policy.retries;
        state.jobs = options.jobs;
        if self.volume == Volume::Quiet {
            return;
        }
        let number = cases.len();
        let plural = if number == 1 { "" } else { "s" };
        let seed = options.seeds.base();
        let jobs = options.jobs.min(number.max(1));
        let beside = if jobs > 1 { format!(", {jobs} side by side") } else { String::new() };
        let head = format!("playing {number} scenario{plural}{beside}, seed {seed}\n");
        state.put(&head);
        if state.status_line == StatusLine::Drawn {
            let rounds = options.policy.repetitions.map(u64::from);
            state.status = Some(Status::draw(rounds.map(|rounds| rounds * number as u64)));
        }
    }

    fn ended(&self, state: &mut State, case: &Case, played: &Played) {
        state.ended += u64::from(played.verdict.is_some());
        if let Some(status) = &mut state.status {
            status.ended(played.unit, played.verdict.is_some());
        }
        if let Some(verdict) = played.verdict
            && verdict != Verdict::Passed
        {
            let word = word(Some(verdict));
            state.not_passed.push(format!(
                "{word:11} {} ({})",
                harmless(&case.name),
                case.file.display()
            ));
        }
        if self.volume > Volume::Quiet || played.verdict != Some(Verdict::Passed) {
            let text = verdict_line(case, played, state.retries) + &self.details(played);
            state.put(&text);
        }
    }

    fn details(&self, played: &Played) -> String {
        let mut text = String::new();
        let warnings = if self.volume == Volume::Quiet { &[] } else { &played.result.warnings[..] };
        for warning in warnings {
            text.push_str(&labelled("warning", ODD, &harmless(warning)));
        }
        if played.result.outcome != Outcome::Passed && played.result.failure.is_some() {
            let source = source(Path::new(&played.result.file));
            let surroundings =
                Surroundings { source: source.as_deref(), run_dir: played.run_dir.as_deref() };
            text.push_str(&failure::block(&played.result, surroundings));
            text.push('\n');
        }
        text
    }

    fn progressed(&self, state: &mut State, case: &Case, progress: Progress<'_>) {
        if let Progress::State(now) = progress {
            // Who asks wants an answer, however quiet the rest is.
            if now.occasion == Occasion::Asked {
                state.put(&state::block(&case.name, now));
            }
            return;
        }
        if self.volume < Volume::Verbose {
            return;
        }
        let mut line = String::new();
        if state.jobs > 1 {
            let stem = case.file.file_stem().unwrap_or_default().to_string_lossy();
            write!(line, "{} ", styled(DIM, stem)).expect("a string takes all text");
        }
        match progress {
            // The text begins with the verb.
            Progress::Step { path, text, .. } => {
                write!(line, "{} {}", styled(STRONG, path), harmless(text))
            }
            Progress::LeftOut { count } => {
                let what = format!("{count} events and lines of output are left out here: they come faster than they are read");
                write!(line, "{}", styled(ODD, what))
            }
            Progress::State(_) => return,
            Progress::Log { text } => write!(line, "{} {}", styled(STRONG, "log"), harmless(text)),
            Progress::Lifecycle { daemon, text } => {
                let colour = colour_of(&mut state.daemons, daemon);
                write!(line, "{} {}", styled(colour, daemon), styled(STRONG, harmless(text)))
            }
            Progress::Event { daemon, name, payload } => {
                let colour = colour_of(&mut state.daemons, daemon);
                let (name, payload) = (harmless(name), harmless(payload));
                write!(line, "{} {} {payload}", styled(colour, daemon), styled(colour, name))
            }
            Progress::Output { daemon, line: output } => {
                let colour = colour_of(&mut state.daemons, daemon);
                write!(line, "{} {}", styled(colour, format_args!("{daemon} |")), harmless(output))
            }
        }
        .expect("a string takes all text");
        line.push('\n');
        state.put(&line);
    }

    fn interrupted(state: &mut State, interrupt: Interrupt) {
        let text = match interrupt {
            Interrupt::Graceful => {
                "interrupted: ending what is being played; once more ends it at once"
            }
            Interrupt::Now => "interrupted again: killing what runs",
            Interrupt::FrontLost => "the process that guards this one is gone: killing what runs",
        };
        state.put(&format!("{}\n", styled(ODD, text)));
    }

    fn finished(&self, state: &mut State, report: &RunReport) {
        if let Some(mut status) = state.status.take() {
            status.finish();
        }
        let mut text = String::new();
        if state.ended > 1 && self.volume > Volume::Quiet {
            // A soak that fails a thousand times is not listed a thousand times.
            for name in state.not_passed.iter().take(50) {
                writeln!(text, "  {name}").expect("a string takes all text");
            }
        }
        text.push_str(&summary_line(&report.summary));
        state.put(&text);
    }
}

impl Observer for Terminal {
    fn notice(&self, notice: Notice<'_>) {
        let state = &mut *self.state.borrow_mut();
        match notice {
            Notice::RunBegan { cases, options } => self.began(state, cases, options),
            Notice::PlayBegan { unit, case, .. } => {
                if let Some(status) = &mut state.status {
                    status.began(unit, &case.name);
                }
            }
            Notice::PlayProgressed { unit, case, progress } => {
                if let (Some(status), Progress::Step { text, .. }) = (&mut state.status, progress) {
                    status.step(unit, text);
                }
                self.progressed(state, case, progress);
            }
            Notice::PlayEnded { case, played } => self.ended(state, case, played),
            Notice::Interrupted(interrupt) => Self::interrupted(state, interrupt),
            Notice::RunEnded(report) => self.finished(state, report),
        }
    }
}

/// The same colour for the same name, the colours in turn.
fn colour_of(daemons: &mut HashMap<String, usize>, daemon: &str) -> anstyle::Style {
    let next = daemons.len();
    let index = match daemons.get(daemon) {
        Some(&index) => index,
        None => *daemons.entry(daemon.to_owned()).or_insert(next),
    };
    DAEMONS[index % DAEMONS.len()]
}

/// The word of a verdict; without one, the attempt failed and is tried again.
fn word(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Passed) => "ok",
        Some(Verdict::Flaky) => "flaky",
        Some(Verdict::Failed) => "FAILED",
        Some(Verdict::Error) => "ERROR",
        Some(Verdict::Interrupted) => "interrupted",
        None => "retry",
    }
}

/// `FAILED        30.3 s  an accuser that was killed still denounces  (seed 42)`
fn verdict_line(case: &Case, played: &Played, retries: u32) -> String {
    let style = match played.verdict {
        Some(Verdict::Passed) => GOOD,
        Some(Verdict::Flaky | Verdict::Interrupted) | None => ODD,
        Some(Verdict::Failed | Verdict::Error) => BAD,
    };
    let word = format!("{:11}", word(played.verdict));
    let time = duration(played.result.duration_s);
    let mut notes = Vec::new();
    if played.verdict != Some(Verdict::Passed) {
        notes.push(format!("seed {}", played.result.seed));
    }
    if played.unit.attempt > 1 || played.verdict.is_none() {
        notes.push(format!("attempt {} of {}", played.unit.attempt, u64::from(retries) + 1));
    }
    if played.unit.repetition > 0 {
        notes.push(format!("repetition {}", u64::from(played.unit.repetition) + 1));
    }
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
    let name = harmless(&case.name);
    format!("{} {time:>8}  {name}{}\n", styled(style, word), styled(DIM, notes))
}

/// `5 passed, 1 failed, 2 not played in 41.2 s`
fn summary_line(summary: &Summary) -> String {
    let counts = [
        (u64::from(summary.passed), "passed", GOOD),
        (u64::from(summary.flaky), "flaky", ODD),
        (u64::from(summary.failed), "failed", BAD),
        (u64::from(summary.error), if summary.error == 1 { "error" } else { "errors" }, BAD),
        (u64::from(summary.interrupted), "interrupted", ODD),
        (summary.not_played, "not played", ODD),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, word, style)| styled(*style, format_args!("{number} {word}")).to_string())
        .collect();
    let parts = if parts.is_empty() { "nothing to play".to_owned() } else { parts.join(", ") };
    format!("{parts} in {}\n", duration(summary.duration_s))
}

/// The text of a scenario's file; its bad bytes replaced, `None` if it cannot be read or is no text of reasonable size.
fn source(file: &Path) -> Option<String> {
    const MAX: u64 = 4 << 20;
    let metadata = std::fs::metadata(file).ok()?;
    if !metadata.is_file() || metadata.len() > MAX {
        return None;
    }
    Some(String::from_utf8_lossy(&std::fs::read(file).ok()?).into_owned())
}

#[cfg(test)]
mod tests;
