//! What a run directory tells, put together for pictures: lanes, spans and marks on one axis of time, and the events.
//!
//! Time is that of `log.jsonl`, in microseconds since the run began; `result.json`, which counts from a moment earlier,
//! is shifted onto it. A run that was cut short, and so has no result, is told as far as its log goes.

mod assemble;
mod told;

use crate::daemon::DaemonName;
use crate::event::Envelope;
use crate::record::{RecordError, RecordedRun, RunDir};
use crate::scenario::result::{ScenarioResult, StepOutcome};

pub use self::told::{Told, ToldKind};

/// Why the pictures of a run cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ChronicleError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("{} is not the result of a run", path.display())]
    Result { path: std::path::PathBuf, source: serde_json::Error },
}

/// One run, without its events, which are read as they are wanted.
#[derive(Debug)]
pub struct Chronicle {
    run: RecordedRun,
    /// `None` if the run did not come to its end.
    pub result: Option<ScenarioResult>,
    /// The scenario's name, or that of the directory.
    pub name: String,
    pub daemons: Vec<DaemonLane>,
    /// In the order in which they began; those that never did are left out.
    pub steps: Vec<StepSpan>,
    pub waits: Vec<WaitSpan>,
    pub faults: Vec<FaultMark>,
    /// What the scenario itself wrote into the log, with the time.
    pub texts: Vec<(u64, String)>,
    lifecycle: Vec<told::Lifecycle>,
    /// When the last of all was noted.
    pub end_us: u64,
}

/// One daemon: a lane of the picture.
#[derive(Clone, Debug)]
pub struct DaemonLane {
    pub name: DaemonName,
    pub kind: String,
    envelope: Envelope,
    pub incarnations: Vec<IncarnationBar>,
}

/// One life of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncarnationBar {
    pub number: u32,
    pub pid: Option<u64>,
    pub from_us: u64,
    /// When it was ready, if it ever was.
    pub ready_us: Option<u64>,
    /// `None` if it was alive at the end.
    pub to_us: Option<u64>,
    /// `SIGKILL, by crash`; empty while it lives.
    pub exit: String,
    /// The cause's word in the log: `crash`, `kill`, `terminate`, `signal`, `self`, `host-lost`.
    pub cause: String,
    /// It was run again by its policy, not by a step.
    pub by_policy: bool,
}

/// A step that was played.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSpan {
    pub path: String,
    pub verb: String,
    pub text: String,
    /// 0 where it is not known.
    pub line: u32,
    pub column: u32,
    pub outcome: StepOutcome,
    pub from_us: u64,
    pub to_us: u64,
    /// Why it failed.
    pub detail: String,
}

impl StepSpan {
    /// The branch it belongs to: `steps`, `finally`, or `steps[3].parallel[0]`.
    pub fn branch(&self) -> &str {
        if let Some(at) = self.path.rfind(".parallel[") {
            let end = self.path[at..].find(']').map_or(self.path.len(), |end| at + end + 1);
            return &self.path[..end];
        }
        self.path.split_once(['[', '.']).map_or(self.path.as_str(), |(list, _)| list)
    }

    /// How many blocks of its branch it stands in.
    pub fn depth(&self) -> usize {
        let below = &self.path[self.branch().len()..];
        below.matches('.').count()
    }
}

/// A wait: from the position it searched from to the event that ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitSpan {
    /// Which of [`Chronicle::steps`] waited.
    pub step: usize,
    /// Which of [`Chronicle::daemons`] it waited for, and from which sequence number on.
    pub sources: Vec<(usize, u64)>,
    pub event: String,
    pub predicate: Option<String>,
    pub count: u32,
    /// It is the absence of such an event that was relied on.
    pub never: bool,
    /// The event that ended it: which daemon's, and its sequence number.
    pub matched: Option<(usize, u64)>,
    pub from_us: u64,
    pub to_us: u64,
}

/// Something that was done to a daemon to see what it makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultMark {
    pub number: u32,
    pub kind: String,
    pub target: String,
    /// Index into the daemons, where the target is one.
    pub daemon: Option<usize>,
    pub at_us: u64,
    pub hit: bool,
}

impl Chronicle {
    /// Reads all but the events.
    pub fn open(dir: RunDir) -> Result<Self, ChronicleError> {
        let run = RecordedRun::open(dir)?;
        let result = read_result(run.dir())?;
        Ok(assemble::assemble(run, result)?)
    }

    /// The branches that played a step: the first, those of `parallel` in the order of the file, `finally`.
    pub fn branches(&self) -> Vec<&str> {
        let mut branches: Vec<&str> = Vec::new();
        for step in &self.steps {
            if !branches.contains(&step.branch()) {
                branches.push(step.branch());
            }
        }
        branches.sort_by_key(|branch| match *branch {
            "steps" => 0,
            "finally" => 2,
            _ => 1,
        });
        branches
    }

    /// How many events, lifecycle records and malformed lines the run recorded.
    pub fn count(&mut self) -> Result<u64, ChronicleError> {
        use crate::event::Seq;
        use crate::event::log::Lines;
        let mut count = self.lifecycle.len() as u64;
        for lane in &self.daemons {
            let mut from = Seq(0);
            loop {
                let entries = self.run.entries(&lane.name, from)?;
                let Some(last) = entries.last() else { break };
                from = last.end();
                count += entries.iter().map(|entry| u64::from(entry.records)).sum::<u64>();
            }
        }
        Ok(count)
    }

    /// Hands over every event, lifecycle record and malformed line, in the order of the log.
    pub fn tell(&mut self, hear: &mut dyn FnMut(Told<'_>)) -> Result<(), ChronicleError> {
        told::tell(&mut self.run, &self.daemons, &self.lifecycle, hear)?;
        Ok(())
    }
}

fn read_result(dir: &RunDir) -> Result<Option<ScenarioResult>, ChronicleError> {
    let path = dir.result();
    match std::fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(result) => Ok(Some(result)),
            Err(source) => Err(ChronicleError::Result { path, source }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RecordError::Read { path, source }.into()),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

#[cfg(test)]
mod tests;
