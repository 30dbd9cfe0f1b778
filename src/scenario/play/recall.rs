//! The steps of a scenario on a record: judged where the log tells how they end, recalled where they acted.

use super::branch::Branch;
use super::recorded::{Ended, Pair, Past, captures, carried_over};
use super::stage::Stage;
use super::track::StepId;
use super::trouble::{Place, Trouble};
use crate::event::waiters::Test;
use crate::event::{Event, NamePattern, Seq};
use crate::harness::Wanted;
use crate::octez::events::{HEAD_EVENTS, head_level};
use crate::scenario::model::{Act, Action, EventPattern, Lifecycle, Reach, Spanned, Step};
use crate::scenario::recheck::{JudgedStep, Verdict, Was};
use crate::scenario::result::{FailureKind, Outcome, StepOutcome};

const CUT_OFF: &str = "it was going on when the recorded run ended";

/// What it is known from that a step ended well.
enum Basis {
    Judged,
    /// It acted, and that went well when it was played.
    Recalled,
    /// Nothing is known of it, and the others do not depend on it.
    NotJudged(String),
}

impl Branch {
    /// A step on a record. An undecided trouble ends the branch as a failure does: nothing is known of what follows.
    pub(super) async fn judge_step(
        &mut self,
        stage: &Stage<'_>,
        past: &Past,
        step: &Step,
        id: StepId,
    ) -> Result<(), Trouble> {
        let rounds = self.rounds.clone();
        self.now = past.frame(step, &rounds, self.reached);
        if step.action.acts() {
            self.cursors.act(self.now.began.seq);
        }
        let told = stage.judged.borrow().len();
        let frame = self.now;
        let done = self.judge(stage, past, step, id).await;
        let is_same = past.pairs.get(&step.path).is_some_and(|pair| pair.same);
        let done = done.map_err(|trouble| settled(stage, past, step, is_same, trouble));
        let done = done.map_err(|trouble| trouble.at(&Place::of(step, &stage.scenario)));
        if let Some((_, play)) = past.play_of(&step.path, &rounds)
            && let Some(ended) = &play.ended
        {
            self.reached = self.reached.later(ended.at);
            stage.track.set_times(id, frame.began.at_s, ended.at.at_s - frame.began.at_s);
        }
        let (outcome, verdict) = match &done {
            Ok(Basis::Judged) => (StepOutcome::Passed, Verdict::Holds),
            Ok(Basis::Recalled) => (StepOutcome::Passed, Verdict::AsRecorded),
            Ok(Basis::NotJudged(reason)) => {
                (StepOutcome::Skipped, Verdict::NotJudged { reason: reason.clone() })
            }
            Err(trouble) if trouble.is_undecided => {
                let reason = trouble.failure.message.clone();
                (StepOutcome::Skipped, Verdict::NotJudged { reason })
            }
            Err(trouble) => {
                (StepOutcome::Failed, Verdict::Fails { message: trouble.failure.message.clone() })
            }
        };
        stage.track.end(id, outcome);
        let is_told_inside = stage.judged.borrow().len() > told;
        if !(is_told_inside || done.is_ok() && says_nothing(&step.action)) {
            let judged = judged_step(stage, past, step, &rounds, id, verdict);
            stage.judged.borrow_mut().push(judged);
        }
        done.map(drop)
    }

    async fn judge(
        &mut self,
        stage: &Stage<'_>,
        past: &Past,
        step: &Step,
        id: StepId,
    ) -> Result<Basis, Trouble> {
        let missing = formula_variables(&step.action)
            .into_iter()
            .find(|name| self.scope.get(&name.value).is_none());
        if let Some(name) = missing {
            let reason = format!("it reads ${}, which has no value here", name.value);
            return Err(Trouble::undecided(reason));
        }
        let played = past.play_of(&step.path, &self.rounds).map(|(_, play)| play);
        if played.is_none() && (!past.is_edited || stage.track.is_full()) {
            return Err(Trouble::undecided("the recorded run did not come to it"));
        }
        match &step.action {
            Action::Sleep(duration) => match played {
                Some(play) if play.ended.is_none() => Err(Trouble::undecided(CUT_OFF)),
                Some(_) => Ok(Basis::Judged),
                None => {
                    let duration = duration.resolve(&self.scope, stage)?;
                    self.reached = past.after(self.reached, duration);
                    if self.reached.at_s > self.now.last.at_s {
                        return Err(Trouble::undecided("the record ends before it is over"));
                    }
                    Ok(Basis::Judged)
                }
            },
            Action::Lifecycle(ready) if ready.act == Act::Ready => {
                self.was_ready(stage, ready).await.map(|()| Basis::Judged)
            }
            Action::Reach(reach) => self.was_reached(stage, past, step, reach).await,
            action if action.is_told_by_records() => {
                self.carry_out(stage, step, id).await.map(|()| Basis::Judged)
            }
            _ => self.recall(stage, past, step),
        }
    }

    /// What the step did when it was played.
    fn recall(&mut self, stage: &Stage<'_>, past: &Past, step: &Step) -> Result<Basis, Trouble> {
        if let Action::Lifecycle(Lifecycle { daemons, with: Some(with), .. }) = &step.action {
            for name in self.names(stage, daemons)? {
                stage.roster.replace(&name, with);
            }
        }
        let names = captures(&step.action).iter().map(|capture| capture.name.value.as_str());
        let played = past.play_of(&step.path, &self.rounds);
        let Some((pair, play)) = played else {
            if is_aside(&step.action) {
                names.for_each(|name| drop(self.scope.unset(name)));
                return Ok(Basis::NotJudged("it was not played in the recorded run".to_owned()));
            }
            let reason =
                "it was not played in the recorded run, and all that follows depends on it";
            return Err(Trouble::undecided(reason));
        };
        let Some(ended) = &play.ended else {
            return Err(Trouble::undecided(CUT_OFF));
        };
        if !ended.passed {
            return Err(if pair.same {
                recorded_failure(past, step, ended)
            } else {
                Trouble::undecided("it failed in the recorded run, and has been changed since")
            });
        }
        let names: Vec<String> = names.map(ToOwned::to_owned).collect();
        self.take_over(pair, ended, &names);
        if pair.same {
            return Ok(Basis::Recalled);
        }
        Ok(Basis::NotJudged("it has been changed since it was played".to_owned()))
    }

    /// Cursors and variables as the step left them.
    fn take_over(&mut self, pair: &Pair, ended: &Ended, names: &[String]) {
        for (daemon, position) in &ended.facts.moved {
            self.cursors.move_to(daemon, *position);
        }
        for (daemon, death) in &ended.facts.died {
            self.cursors.died(daemon, *death);
        }
        if pair.same {
            for (name, value) in &ended.facts.captured {
                self.scope.set(name.as_str(), value.clone());
            }
            return;
        }
        // Of a step that was changed, what is captured as before counts.
        for name in names {
            match ended.facts.captured.get(name) {
                Some(value) if pair.captures.contains(name) => {
                    self.scope.set(name.as_str(), value.clone());
                }
                _ => drop(self.scope.unset(name)),
            }
        }
    }

    /// A level is reached where a head event shows it; what the node answered when it was asked is known of the step only
    /// that was played.
    async fn was_reached(
        &mut self,
        stage: &Stage<'_>,
        past: &Past,
        step: &Step,
        reach: &Reach,
    ) -> Result<Basis, Trouble> {
        let level = reach.level.resolve(&self.scope, stage)?;
        let within = stage.within(reach.within.as_ref(), &self.scope)?;
        let played = past.play_of(&step.path, &self.rounds);
        let ended = played.and_then(|(pair, play)| play.ended.as_ref().filter(|_| pair.same));
        if let Some(failed) = ended.filter(|ended| !ended.passed) {
            return Err(recorded_failure(past, step, failed));
        }
        let mut all_shown = true;
        for text in &reach.nodes {
            let name = self.name(stage, text)?;
            let mut is_shown = false;
            for event in HEAD_EVENTS {
                let reached =
                    move |event: &Event| head_level(&event.value).is_some_and(|seen| seen >= level);
                let wanted = Wanted {
                    sources: vec![(name.clone(), Seq::default())],
                    event: NamePattern::Exact(event.into()),
                    test: Test::Closure(Box::new(reached)),
                    count: 1,
                };
                is_shown |= stage.look_back(&self.now, wanted, within).await.is_ok();
            }
            all_shown &= is_shown;
        }
        Ok(match (all_shown, ended) {
            (true, _) => Basis::Judged,
            (false, Some(_)) => Basis::Recalled,
            (false, None) => {
                let reason =
                    "no head event shows that level, and the node cannot be asked any more";
                Basis::NotJudged(reason.to_owned())
            }
        })
    }
}

/// A failure as it was recorded where the record knows better, or undecided where it is none of the scenario.
fn settled(
    stage: &Stage<'_>,
    past: &Past,
    step: &Step,
    is_same: bool,
    trouble: Trouble,
) -> Trouble {
    let recorded = past.failure_at(&step.path).filter(|_| is_same);
    if trouble.lacks_value && recorded.is_none_or(|failure| failure.kind != trouble.failure.kind) {
        return Trouble::undecided(trouble.failure.message.clone());
    }
    let Some(recorded) = recorded else {
        return trouble;
    };
    if trouble.is_undecided {
        // The limit of all steps, which is as it was, had ended this one.
        let is_as_before = stage.scenario.timeout == past.timeout;
        let is_over = recorded.kind == FailureKind::Timeout && is_as_before;
        return if is_over { carried_over(recorded, false) } else { trouble };
    }
    if recorded.kind == FailureKind::Timeout && stage.scenario.timeout != past.timeout {
        return Trouble::undecided(
            "the limit of the scenario had ended it, which is another one now",
        );
    }
    if trouble.failure.kind != recorded.kind {
        return carried_over(recorded, trouble.is_error);
    }
    let mut trouble = trouble;
    // What the daemons and the host were doing then, only the play could see.
    trouble.failure.daemon_state.clone_from(&recorded.daemon_state);
    trouble.failure.others.clone_from(&recorded.others);
    trouble.failure.host.clone_from(&recorded.host);
    trouble.is_explained = true;
    trouble
}

fn recorded_failure(past: &Past, step: &Step, ended: &Ended) -> Trouble {
    let is_error = past.result.as_ref().is_some_and(|result| result.outcome == Outcome::Error);
    if let Some(failure) = past.failure_at(&step.path) {
        return carried_over(failure, is_error);
    }
    let word = ended.facts.kind.clone().unwrap_or_default();
    let kind = serde_json::from_value(word.into()).unwrap_or(FailureKind::Assert);
    Trouble::new(kind, ended.facts.detail.clone())
}

/// Steps that need not be told of if they are fine.
fn says_nothing(action: &Action) -> bool {
    let is_plain =
        matches!(action, Action::Log(_) | Action::Sleep(_) | Action::Mark(_) | Action::Let(_));
    is_plain || !action.blocks().is_empty()
}

/// Whether a step that was not played can be left out without changing what the daemons did.
fn is_aside(action: &Action) -> bool {
    matches!(action, Action::Exec(_)) || !action.acts()
}

fn formula_variables(action: &Action) -> Vec<&Spanned<String>> {
    fn condition(pattern: &EventPattern) -> impl Iterator<Item = &Spanned<String>> {
        pattern.condition.iter().flat_map(|condition| &condition.variables)
    }
    match action {
        Action::Expect(all) => all.iter().flat_map(|one| condition(&one.pattern)).collect(),
        Action::Never(never) => {
            let until = never.until.iter().flat_map(|until| condition(&until.pattern));
            condition(&never.pattern).chain(until).collect()
        }
        Action::Assert(formula) => formula.variables.iter().collect(),
        Action::Let(all) => {
            // The first only: later ones may read what it sets.
            all.iter().take(1).flat_map(|one| &one.formula.variables).collect()
        }
        _ => Vec::new(),
    }
}

fn judged_step(
    stage: &Stage<'_>,
    past: &Past,
    step: &Step,
    rounds: &[u32],
    id: StepId,
    verdict: Verdict,
) -> JudgedStep {
    let played = past.play_of(&step.path, rounds);
    let was = played.and_then(|(pair, play)| {
        let ended = play.ended.as_ref()?;
        Some(Was { passed: ended.passed, matched: play.matched.clone(), is_same: pair.same })
    });
    JudgedStep {
        path: step.path.clone(),
        verb: step.verb.to_owned(),
        text: step.text.clone(),
        line: u32::try_from(step.span.line).unwrap_or(u32::MAX),
        rounds: rounds.to_vec(),
        verdict,
        matched: stage.track.match_of(id),
        was,
    }
}
