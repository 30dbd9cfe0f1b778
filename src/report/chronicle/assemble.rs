//! From the notes of a log and the result to lanes and spans.

use std::collections::HashMap;

use super::told::Lifecycle;
use super::{Chronicle, DaemonLane, FaultMark, IncarnationBar, StepSpan, WaitSpan, micros};
use crate::daemon::{DaemonName, signal_name};
use crate::event::lifecycle_names;
use crate::record::{Note, RecordError, RecordedRun, What};
use crate::scenario::result::{ScenarioResult, StepOutcome, StepResult};

pub(super) fn assemble(
    run: RecordedRun,
    result: Option<ScenarioResult>,
) -> Result<Chronicle, RecordError> {
    let mut parts = Assembly::default();
    for note in run.notes()? {
        parts.note(note);
    }
    parts.lifecycle.sort_by_key(|record| record.seq);
    let folder = run.dir().root().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = result.as_ref().map(|result| result.scenario.clone());
    let steps = parts.finished_steps(result.as_ref());
    let end_of_steps = steps.iter().map(|step| step.to_us).max().unwrap_or(0);
    let end_us = parts.end_us.max(end_of_steps);
    if let Some(result) = &result {
        parts.begin_lives(result);
    }
    Ok(Chronicle {
        run,
        name: name.filter(|name| !name.is_empty()).unwrap_or(folder),
        daemons: parts.daemons,
        waits: parts.waits.into_iter().map(|wait| closed(wait, &steps)).collect(),
        steps,
        faults: parts.faults,
        texts: parts.texts,
        lifecycle: parts.lifecycle,
        end_us,
        result,
    })
}

/// A wait ends with its step.
fn closed(mut wait: WaitSpan, steps: &[StepSpan]) -> WaitSpan {
    wait.to_us = steps.get(wait.step).map_or(wait.from_us, |step| step.to_us.max(wait.from_us));
    wait
}

#[derive(Default)]
struct Assembly {
    daemons: Vec<DaemonLane>,
    index: HashMap<DaemonName, usize>,
    steps: Vec<StepSpan>,
    /// The steps that have begun and not ended, by path.
    open: HashMap<String, usize>,
    waits: Vec<WaitSpan>,
    faults: Vec<FaultMark>,
    texts: Vec<(u64, String)>,
    lifecycle: Vec<Lifecycle>,
    end_us: u64,
}

impl Assembly {
    fn note(&mut self, note: Note) {
        let at_us = micros(note.at_s);
        self.end_us = self.end_us.max(at_us);
        match note.what {
            What::Daemon { daemon, kind, envelope } => {
                if self.index.insert(daemon.clone(), self.daemons.len()).is_none() {
                    let (envelope, incarnations) = (envelope.into(), Vec::new());
                    self.daemons.push(DaemonLane { name: daemon, kind, envelope, incarnations });
                }
            }
            What::Lifecycle { seq, daemon, incarnation, event, value } => {
                let Some(daemon) = self.index.get(&daemon).copied() else { return };
                self.life(daemon, incarnation.0, event.as_str(), &value, at_us);
                let (name, value) = (event.as_str().to_owned(), value.to_string());
                let incarnation = incarnation.0;
                self.lifecycle.push(Lifecycle { at_us, seq, daemon, incarnation, name, value });
            }
            What::Step { path, outcome, more } => self.step(path, &outcome, &more, at_us),
            What::Wait { path, from, event, predicate, count, never } => {
                let Some(step) = self.open.get(&path).copied() else { return };
                let source = |source: &crate::record::WaitSource| {
                    Some((*self.index.get(&source.daemon)?, source.seq.0))
                };
                self.waits.push(WaitSpan {
                    step,
                    sources: from.iter().filter_map(source).collect(),
                    event,
                    predicate,
                    count,
                    never,
                    matched: None,
                    from_us: at_us,
                    to_us: at_us,
                });
            }
            What::Match { path, daemon, event, seq, .. } => {
                self.matched(&path, &daemon, event.as_str(), seq.0);
            }
            What::Fault { number, kind, target, hit } => {
                let daemon = self.index.get(&target).copied();
                let target = target.to_string();
                self.faults.push(FaultMark { number, kind, target, daemon, at_us, hit });
            }
            What::Text { text } => self.texts.push((at_us, text)),
            What::Malformed { .. }
            | What::Play(_)
            | What::Value { .. }
            | What::Ended { .. }
            | What::Unknown => {}
        }
    }

    /// That a daemon was spawned is noted when it is heard of, which on a busy machine may be long after its first event;
    /// the result knows when it was.
    fn begin_lives(&mut self, result: &ScenarioResult) {
        for told in &result.daemons {
            let lane = self.daemons.iter_mut().find(|lane| lane.name.as_str() == told.name);
            let bars = lane.into_iter().flat_map(|lane| &mut lane.incarnations);
            for bar in bars {
                let told = told.incarnations.iter().find(|told| told.number == bar.number);
                bar.from_us =
                    told.map_or(bar.from_us, |told| bar.from_us.min(micros(told.started_s)));
            }
        }
    }

    fn life(&mut self, daemon: usize, number: u32, name: &str, value: &serde_json::Value, at: u64) {
        let bars = &mut self.daemons[daemon].incarnations;
        if name == lifecycle_names::SPAWNED {
            bars.push(IncarnationBar {
                number,
                pid: value["pid"].as_u64(),
                from_us: at,
                ready_us: None,
                to_us: None,
                exit: String::new(),
                cause: String::new(),
                by_policy: false,
            });
        }
        let Some(bar) = bars.iter_mut().rev().find(|bar| bar.number == number) else { return };
        match name {
            lifecycle_names::READY => {
                bar.ready_us.get_or_insert(at);
            }
            lifecycle_names::RESTARTED => bar.by_policy = true,
            lifecycle_names::EXITED => {
                bar.to_us = Some(at);
                value["cause"].as_str().unwrap_or("self").clone_into(&mut bar.cause);
                bar.exit = match (value["code"].as_i64(), value["signal"].as_i64()) {
                    (Some(code), _) => format!("exit code {code}"),
                    (None, signal) => signal_name(i32::try_from(signal.unwrap_or(0)).unwrap_or(0)),
                };
            }
            _ => {}
        }
    }

    fn step(
        &mut self,
        path: String,
        outcome: &str,
        more: &serde_json::Map<String, serde_json::Value>,
        at_us: u64,
    ) {
        let text = |key: &str| more.get(key).and_then(|text| text.as_str()).unwrap_or_default();
        if outcome == "began" {
            self.open.insert(path.clone(), self.steps.len());
            self.steps.push(StepSpan {
                path,
                verb: text("verb").to_owned(),
                text: String::new(),
                line: 0,
                column: 0,
                outcome: StepOutcome::Skipped,
                from_us: at_us,
                to_us: at_us,
                detail: String::new(),
            });
            return;
        }
        let Some(step) = self.open.remove(&path).and_then(|at| self.steps.get_mut(at)) else {
            return;
        };
        step.to_us = at_us;
        text("detail").clone_into(&mut step.detail);
        step.outcome = match outcome {
            "passed" => StepOutcome::Passed,
            "failed" => StepOutcome::Failed,
            _ => StepOutcome::Skipped,
        };
    }

    fn matched(&mut self, path: &str, daemon: &DaemonName, event: &str, seq: u64) {
        let (Some(step), Some(daemon)) = (self.open.get(path), self.index.get(daemon)) else {
            return;
        };
        let of_step = |wait: &&mut WaitSpan| wait.step == *step && !wait.never;
        let fits = |wait: &WaitSpan| {
            let pattern = crate::event::NamePattern::new(&wait.event);
            pattern.is_ok_and(|pattern| pattern.matches(event))
                && wait.sources.iter().any(|(index, _)| index == daemon)
        };
        // Of a list of expectations, the first that has none yet.
        let mut waits = self.waits.iter_mut().filter(of_step).filter(|wait| fits(wait));
        if let Some(wait) = waits.find(|wait| wait.matched.is_none()) {
            wait.matched = Some((*daemon, seq));
        }
    }

    /// Fills in what only the result knows: the text of each step, and when those ended that were cut short.
    fn finished_steps(&self, result: Option<&ScenarioResult>) -> Vec<StepSpan> {
        let mut steps = self.steps.clone();
        let mut known: HashMap<&str, Vec<&StepResult>> = HashMap::new();
        for step in result.iter().flat_map(|result| &result.steps).rev() {
            known.entry(step.path.as_str()).or_default().push(step);
        }
        for (at, step) in steps.iter_mut().enumerate() {
            let of_path = known.get_mut(step.path.as_str());
            let told = of_path.and_then(|list| {
                // A loop too long to be listed: its last round stands for the others.
                if list.len() > 1 { list.pop() } else { list.last().copied() }
            });
            if let Some(told) = told {
                step.verb.clone_from(&told.verb);
                step.text.clone_from(&told.text);
                (step.line, step.column) = (told.line, told.column);
            }
            if self.open.get(&step.path) == Some(&at) {
                let cut = told.map(|told| step.from_us + micros(told.duration_s));
                step.to_us = cut.unwrap_or(self.end_us).max(step.from_us);
                if let Some(told) = told {
                    step.outcome = told.outcome;
                }
            }
        }
        steps
    }
}
