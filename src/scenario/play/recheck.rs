//! The steps of a scenario, judged on a record of its play.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::absence::Invariants;
use super::branch::Branch;
use super::recorded::{Past, aligned, carried_over};
use super::stage::Stage;
use super::track::flatten;
use super::trouble::{Trouble, used_sources};
use super::world::World;
use super::{Ended, evidence, judgement};
use crate::record::{RecordedRun, RunDir};
use crate::scenario::job::{Canceller, Inquirer, Job, Listener, OctezSource, Progress};
use crate::scenario::load::load_kept;
use crate::scenario::model::Scenario;
use crate::scenario::recheck::{JudgedStep, Recheck, RecheckError, Verdict};
use crate::scenario::result::{FailureKind, Outcome, ScenarioResult, VERSION};
use crate::scenario::{Loaded, Overrides, Source, load};

/// The files that a scenario uses, each with the name of its copy in the run directory.
pub(super) fn kept_sources(scenario: &Scenario) -> Vec<(String, Arc<Source>)> {
    let mut used = Vec::new();
    used_sources(&scenario.steps, &mut used);
    used_sources(&scenario.finally, &mut used);
    let named = used.into_iter().enumerate().map(|(number, source)| {
        let name = source.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        (format!("{number}-{name}"), source)
    });
    named.collect()
}

pub(in crate::scenario) fn recheck(
    dir: &RunDir,
    edited: Option<&Path>,
) -> Result<Recheck, RecheckError> {
    let run = RecordedRun::open(dir.clone())?;
    if std::fs::metadata(dir.log()).is_ok_and(|log| log.len() == 0) {
        return Err(RecheckError::NothingRecorded { path: dir.log() });
    }
    let (result, mut damage) = recorded_result(dir);
    let mut past = Past::read(run, result)?;
    let overrides = Overrides {
        vars: past.given.vars.clone(),
        seed: Some(past.given.seed),
        timeout: past.given.timeout,
        strict: past.given.strict,
    };
    let played = played_scenario(dir, &past, &overrides);
    let (loaded, played) = match (edited, played) {
        (Some(file), played) => {
            let loaded = load(file, &overrides).map_err(RecheckError::Scenario)?;
            if let Err(error) = &played {
                let why = crate::cause::chain(error);
                damage.push(format!("{why}: no step can be told to be one that was played"));
            }
            (loaded, played.ok())
        }
        (None, played) => (played?, None),
    };
    let Loaded { scenario, warnings } = loaded;
    let before = played.as_ref().map_or(&scenario, |played| &played.scenario);
    past.timeout = before.timeout;
    past.is_edited = edited.is_some();
    if edited.is_none() || played.is_some() {
        past.pairs = aligned(&scenario, before);
    }
    let source = scenario.source.text().to_owned();
    let (result, steps) = judged(dir, &past, scenario);
    damage.extend(past.damage());
    let is_edited = edited.is_some();
    let findings = if is_edited { warnings } else { Vec::new() };
    Ok(Recheck { result, source, steps, is_edited, damage, findings })
}

/// `result.json`, as far as it is one of ours, and what is wrong with it.
fn recorded_result(dir: &RunDir) -> (Option<ScenarioResult>, Vec<String>) {
    let path = dir.result();
    let damaged = |what: String| {
        (None, vec![format!("{}: {what}; what the run came to is not known", path.display())])
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => return damaged(error.to_string()),
    };
    let value: serde_json::Value = match serde_json::from_slice(&bytes) {
        Ok(value) => value,
        Err(error) => return damaged(error.to_string()),
    };
    if let Some(version) = value["version"].as_u64().filter(|version| *version > VERSION.into()) {
        return damaged(format!(
            "it is of version {version}, and this tribunal knows version {VERSION}"
        ));
    }
    match serde_json::from_value(value) {
        Ok(result) => (Some(result), Vec::new()),
        Err(error) => damaged(error.to_string()),
    }
}

/// The scenario and the files that it used, as they were kept.
fn played_scenario(
    dir: &RunDir,
    past: &Past,
    overrides: &Overrides,
) -> Result<Loaded, RecheckError> {
    let path = dir.scenario();
    let text = std::fs::read(&path)
        .map_err(|source| RecheckError::NoScenario { path: path.clone(), source })?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let recorded = past.result.as_ref().map(|result| result.file.as_str());
    let file = if past.given.file.as_os_str().is_empty() {
        recorded.map_or(path.as_path(), Path::new)
    } else {
        &past.given.file
    };
    let kept = past.given.used.iter().filter_map(|(path, name)| {
        let name = Path::new(name).file_name()?;
        let text = std::fs::read_to_string(dir.root().join("used").join(name)).ok()?;
        Some((path.clone(), Arc::new(Source::new(path, text))))
    });
    let source = Arc::new(Source::new(file, text));
    load_kept(&source, kept.collect(), overrides).map_err(RecheckError::Scenario)
}

/// Nobody follows a play that is over.
struct Nobody;

impl Listener for Nobody {
    fn heard(&self, _: Progress<'_>) {}
}

fn judged(dir: &RunDir, past: &Past, scenario: Scenario) -> (ScenarioResult, Vec<JudgedStep>) {
    let (_canceller, cancellation) = Canceller::new();
    let (_inquirer, inquiries) = Inquirer::new();
    let job = Job {
        file: scenario.source.path().to_owned(),
        repetition: 0,
        attempt: 1,
        seed: past.given.seed,
        vars: Vec::new(),
        timeout: None,
        timeout_scale: past.given.timeout_scale,
        strict: None,
        octez: OctezSource::Sandbox,
        run_dir: dir.root().to_owned(),
        live: false,
        inquiries,
        cancellation,
    };
    let mut result = past.blank_result(&scenario.name, &job.file);
    let stage = Stage::new(&job, scenario, World::Recorded(past), &Nobody, Instant::now());
    block_on(async {
        let ended = judge(&stage, past).await;
        let is_unjudged = matches!(ended, Ended::Unjudged);
        judgement::conclude(&stage, ended, &mut result).await;
        if is_unjudged {
            carry_over(past, &stage, &mut result);
        }
    });
    result.faults.clone_from(&past.faults);
    let mut steps = stage.judged.take();
    unreached(&stage, &result, &mut steps);
    (result, steps)
}

/// Nothing waits for anything in a record, so that no reactor is needed.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

async fn judge(stage: &Stage<'_>, past: &Past) -> Ended {
    let mut branch = Branch::first(stage);
    let steps = branch.run_steps(stage, &stage.scenario.steps).await;
    let violated = match Invariants::watch(stage) {
        Ok(invariants) => invariants.on_record(stage, past, steps.is_ok()).await,
        Err(trouble) => Some((crate::event::Seq(0), trouble)),
    };
    let failed_at = |trouble: &Trouble| {
        let searched = trouble.failure.searched.map(|searched| crate::event::Seq(searched.to_seq));
        searched.unwrap_or(branch.now.ended.unwrap_or(branch.now.began.seq))
    };
    let ended = match (steps, violated) {
        (Ok(()), None) => Ended::Normally,
        (Ok(()), Some((_, violation))) => explained(stage, violation).await,
        (Err(trouble), Some((at, violation)))
            if trouble.is_undecided || at < failed_at(&trouble) =>
        {
            explained(stage, violation).await
        }
        (Err(trouble), _) if trouble.is_undecided => Ended::Unjudged,
        (Err(trouble), _) => explained(stage, trouble).await,
    };
    let finally = branch.run_steps(stage, &stage.scenario.finally).await;
    match (ended, finally) {
        (Ended::Normally, Err(trouble)) if trouble.is_undecided => Ended::Unjudged,
        (Ended::Normally, Err(trouble)) => Ended::FinallyFailed(trouble),
        (ended, _) => ended,
    }
}

async fn explained(stage: &Stage<'_>, trouble: Trouble) -> Ended {
    let survey = stage.survey().await;
    Ended::InTrouble(evidence::explained(stage, trouble, &survey))
}

/// What ended the run, and was no step's doing, is so still.
fn carry_over(past: &Past, stage: &Stage<'_>, result: &mut ScenarioResult) {
    let Some(recorded) = &past.result else { return };
    let Some(failure) = &recorded.failure else { return };
    let stands = match failure.kind {
        FailureKind::Environment | FailureKind::Panic | FailureKind::HostLost => true,
        FailureKind::Timeout => failure.step.is_empty() && stage.scenario.timeout == past.timeout,
        _ => false,
    };
    if stands {
        let is_error = recorded.outcome == Outcome::Error;
        result.outcome = recorded.outcome;
        result.failure = Some(*carried_over(failure, is_error).failure);
    }
}

/// The steps that the judge did not come to.
fn unreached(stage: &Stage<'_>, result: &ScenarioResult, steps: &mut Vec<JudgedStep>) {
    let mut all = Vec::new();
    flatten(&stage.scenario.steps, &mut all);
    flatten(&stage.scenario.finally, &mut all);
    let failed = result.failure.as_ref().map(|failure| failure.step.as_str());
    let reason = match failed.filter(|step| !step.is_empty()) {
        Some(step) => format!("it comes after {step}, which fails"),
        None => "it comes after a step that cannot be judged".to_owned(),
    };
    let begun: std::collections::HashSet<String> = result
        .steps
        .iter()
        .filter(|step| {
            step.duration_s > 0.0 || step.outcome != crate::scenario::result::StepOutcome::Skipped
        })
        .map(|step| step.path.clone())
        .chain(steps.iter().map(|step| step.path.clone()))
        .collect();
    for step in all {
        if begun.contains(&step.path) || !step.action.blocks().is_empty() {
            continue;
        }
        steps.push(JudgedStep {
            path: step.path.clone(),
            verb: step.verb.to_owned(),
            text: step.text.clone(),
            line: u32::try_from(step.span.line).unwrap_or(u32::MAX),
            rounds: Vec::new(),
            verdict: Verdict::NotJudged { reason: reason.clone() },
            matched: None,
            was: None,
        });
    }
    // Invariants stand last.
    steps.sort_by_key(|step| step.path.starts_with("invariants["));
}
