//! One branch of a scenario: its cursors and variables, and the steps it plays one after the other.

use super::cursors::Cursors;
use super::side_by_side::{Local, all_or_first_failure, one_after_the_other};
use super::stage::Stage;
use super::track::StepId;
use super::trouble::{Place, Trouble};
use super::world::{Frame, Moment};
use crate::event::Seq;
use crate::record::{StepFacts, What};
use crate::scenario::job::Progress;
use crate::scenario::model::{Action, Assignment, Condition, For, Repeat, Step, Use};
use crate::scenario::result::{FailureKind, StepOutcome};
use crate::scenario::values::Scope;

/// Cloned where branches part.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) cursors: Cursors,
    pub(super) scope: Scope,
    /// Which round of each loop around the present step, outermost first.
    pub(super) rounds: Vec<u32>,
    pub(super) now: Frame,
    /// How far the log was when the last step ended, as far as that is known; of a record only.
    pub(super) reached: Moment,
}

type Steps<'a> = Local<'a, Result<(), Trouble>>;

impl Branch {
    pub(super) fn first(stage: &Stage<'_>) -> Self {
        let mut scope = Scope::default();
        for variable in &stage.scenario.vars {
            scope.set(variable.name.as_str(), variable.value.clone());
        }
        Self {
            cursors: Cursors::default(),
            scope,
            rounds: Vec::new(),
            now: Frame::default(),
            reached: Moment::default(),
        }
    }

    pub(super) fn run_steps<'a>(
        &'a mut self,
        stage: &'a Stage<'a>,
        steps: &'a [Step],
    ) -> Steps<'a> {
        Box::pin(async move {
            for step in steps {
                self.run_step(stage, step).await?;
            }
            Ok(())
        })
    }

    async fn run_step(&mut self, stage: &Stage<'_>, step: &Step) -> Result<(), Trouble> {
        if let Some(past) = stage.past() {
            return self.judge_step(stage, past, step, stage.track.begin(step)).await;
        }
        // A loop over steps that never wait must not keep limits and interrupts from being noticed.
        tokio::task::yield_now().await;
        let id = stage.track.begin(step);
        stage.tell(Progress::Step { path: &step.path, verb: step.verb, text: &step.text });
        self.now = Frame {
            began: Moment { seq: stage.live()?.mark(), ..Moment::default() },
            ..Frame::default()
        };
        if step.action.acts() {
            self.cursors.act(self.now.began.seq);
        }
        let rounds = self.rounds.clone();
        let facts = StepFacts { verb: step.verb.to_owned(), rounds, ..StepFacts::default() };
        let began = StepFacts { end: self.now.began.seq, ..facts.clone() };
        stage.note_step(&step.path, "began", began);
        let before = (!step.action.is_told_by_records()).then(|| self.clone());
        let done = self.carry_out(stage, step, id).await;
        let (outcome, word) = match &done {
            Ok(()) => (StepOutcome::Passed, "passed"),
            Err(_) => (StepOutcome::Failed, "failed"),
        };
        stage.track.end(id, outcome);
        let searched_to = self.now.searched_to.take();
        let facts = StepFacts { end: stage.live()?.mark(), searched_to, ..facts };
        stage.note_step(&step.path, word, self.facts(facts, before.as_ref(), done.as_ref().err()));
        done.map_err(|trouble| trouble.at(&Place::of(step, &stage.scenario)))
    }

    /// What a step did, for whoever judges the record later.
    fn facts(
        &self,
        facts: StepFacts,
        before: Option<&Self>,
        trouble: Option<&Trouble>,
    ) -> StepFacts {
        let mut facts = facts;
        if let Some(before) = before {
            facts.moved = self.cursors.moved_since(&before.cursors);
            facts.died = self.cursors.died_since(&before.cursors);
            facts.captured = self.scope.changed_since(&before.scope);
        }
        if let Some(Trouble { failure, .. }) = trouble {
            facts.detail.clone_from(&failure.message);
            facts.kind = Some(failure.kind.word());
            facts.searched_to = failure.searched.map(|searched| Seq(searched.to_seq));
        }
        facts
    }

    pub(super) async fn carry_out(
        &mut self,
        stage: &Stage<'_>,
        step: &Step,
        id: StepId,
    ) -> Result<(), Trouble> {
        match &step.action {
            Action::Lifecycle(lifecycle) => {
                self.lifecycle(stage, lifecycle, &Place::of(step, &stage.scenario), id).await
            }
            Action::Signal { daemon, signal } => {
                self.signal(stage, daemon, signal, &Place::of(step, &stage.scenario)).await
            }
            Action::Exited(exited) => self.exited(stage, exited, id).await,
            Action::Expect(expected) => self.expect(stage, expected, id).await,
            Action::Never(never) => {
                self.never(stage, never, &Place::of(step, &stage.scenario), id).await
            }
            Action::Mark(name) => {
                stage.mark(&name.resolve(&self.scope, stage)?, self.now.began.seq);
                Ok(())
            }
            Action::Reach(reach) => self.reach(stage, reach).await,
            Action::Activate(activate) => self.activate(stage, activate).await,
            Action::Bake(bake) => self.bake(stage, bake).await,
            Action::Vote(vote) => self.vote(stage, vote).await,
            Action::Inject(inject) => self.inject(stage, inject).await,
            Action::Connect(peers) => self.connect(stage, peers).await,
            Action::Disconnect(peers) => self.disconnect(stage, peers).await,
            Action::Rpc(rpc) => self.rpc(stage, rpc).await,
            Action::Exec(exec) => self.exec(stage, exec).await,
            Action::Let(assignments) => self.assign(assignments, &serde_json::Value::Null),
            Action::Assert(formula) => self.assert(formula),
            Action::Parallel(branches) => self.parallel(stage, step, branches).await,
            Action::Repeat(repeat) => self.repeat(stage, repeat).await,
            Action::For(each) => self.each(stage, each).await,
            Action::Use(used) => self.play_used(stage, used).await,
            Action::Log(text) => {
                let text = text.resolve(&self.scope, stage)?;
                stage.tell(Progress::Log { text: &text });
                stage.note(What::Text { text });
                Ok(())
            }
            Action::Sleep(duration) => {
                stage.pass(duration.resolve(&self.scope, stage)?).await;
                Ok(())
            }
        }
    }

    /// Branches start with copies; the first failure ends the others.
    async fn parallel(
        &mut self,
        stage: &Stage<'_>,
        step: &Step,
        branches: &[Vec<Step>],
    ) -> Result<(), Trouble> {
        let start = self.scope.clone();
        let mut copies: Vec<Self> = branches.iter().map(|_| self.clone()).collect();
        let played =
            copies.iter_mut().zip(branches).map(|(copy, steps)| copy.run_steps(stage, steps));
        let ended = if stage.past().is_some() {
            one_after_the_other(played.collect()).await
        } else {
            all_or_first_failure(played.collect()).await.map(drop)
        };
        if let Err(trouble) = ended {
            stage.track.cancel_below(&format!("{}.parallel", step.path));
            return Err(trouble);
        }
        for copy in &copies {
            self.scope.join(&start, &copy.scope);
        }
        for copy in &copies {
            self.reached = self.reached.later(copy.reached);
        }
        self.cursors.join(copies.into_iter().map(|copy| copy.cursors).collect());
        Ok(())
    }

    async fn repeat(&mut self, stage: &Stage<'_>, repeat: &Repeat) -> Result<(), Trouble> {
        let times = repeat.times.resolve(&self.scope, stage)?;
        let outer = self.scope.get("i").cloned();
        let mut played = Ok(());
        for i in 0..times {
            self.scope.set("i", i.into());
            played = self.run_round(stage, i, &repeat.steps).await;
            if played.is_err() {
                break;
            }
        }
        self.restore("i", outer);
        played
    }

    async fn each(&mut self, stage: &Stage<'_>, each: &For) -> Result<(), Trouble> {
        let items = each.items.resolve(&self.scope, stage)?;
        let Some(items) = items.as_array() else {
            let message = format!("`in` is {items} where a list is expected");
            return Err(Trouble::new(FailureKind::Assert, message));
        };
        let name = each.var.value.as_str();
        let outer = (self.scope.get(name).cloned(), self.scope.get("i").cloned());
        let mut played = Ok(());
        for (i, item) in items.iter().enumerate() {
            self.scope.set(name, item.clone());
            self.scope.set("i", i.into());
            let round = u32::try_from(i).unwrap_or(u32::MAX);
            played = self.run_round(stage, round, &each.steps).await;
            if played.is_err() {
                break;
            }
        }
        self.restore(name, outer.0);
        self.restore("i", outer.1);
        played
    }

    async fn run_round(
        &mut self,
        stage: &Stage<'_>,
        round: u32,
        steps: &[Step],
    ) -> Result<(), Trouble> {
        self.rounds.push(round);
        let played = self.run_steps(stage, steps).await;
        self.rounds.pop();
        played
    }

    fn restore(&mut self, name: &str, outer: Option<serde_json::Value>) {
        match outer {
            Some(value) => self.scope.set(name, value),
            None => {
                self.scope.unset(name);
            }
        }
    }

    /// The given variables are seen by these steps only; what the steps capture stays.
    async fn play_used(&mut self, stage: &Stage<'_>, used: &Use) -> Result<(), Trouble> {
        let mut given = Vec::new();
        for (name, value) in &used.vars {
            given.push((name.value.clone(), value.resolve(&self.scope, stage)?));
        }
        let defaults =
            used.defaults().map(|variable| (variable.name.clone(), variable.value.clone()));
        given.extend(defaults);
        let outer: Vec<_> =
            given.iter().map(|(name, _)| (name.clone(), self.scope.get(name).cloned())).collect();
        for (name, value) in given {
            self.scope.set(name, value);
        }
        let played = self.run_steps(stage, &used.fragment.steps).await;
        for (name, value) in outer {
            self.restore(&name, value);
        }
        played
    }

    fn assert(&self, formula: &crate::scenario::model::Formula) -> Result<(), Trouble> {
        let null = serde_json::Value::Null;
        let subject = crate::predicate::Subject::payload(&null);
        let variables = self.variables();
        let source = formula.expression.source();
        match formula.expression.evaluate(&subject, &variables) {
            Ok(serde_json::Value::Bool(true)) => Ok(()),
            Ok(value) => {
                let read = formula.variables.iter().filter_map(|name| {
                    let value = variables.get(&name.value)?;
                    Some(format!("${} is {value}", name.value))
                });
                let read: Vec<String> = read.collect();
                let because =
                    if read.is_empty() { String::new() } else { format!("; {}", read.join(", ")) };
                let message = format!("`{source}` is {value}{because}");
                Err(Trouble::new(FailureKind::Assert, message))
            }
            Err(unknown) => {
                Err(Trouble::new(FailureKind::Assert, format!("`{source}` is unknown: {unknown}")))
            }
        }
    }

    /// Evaluates captures on a payload and sets the variables, in order.
    pub(super) fn assign(
        &mut self,
        assignments: &[Assignment],
        payload: &serde_json::Value,
    ) -> Result<(), Trouble> {
        self.assign_from(assignments, &crate::predicate::Subject::payload(payload))
    }

    /// The same, on an event: `event.name` and the like are known.
    pub(super) fn assign_from(
        &mut self,
        assignments: &[Assignment],
        subject: &crate::predicate::Subject<'_>,
    ) -> Result<(), Trouble> {
        for assignment in assignments {
            let variables = self.variables();
            let expression = &assignment.formula.expression;
            let value = expression.evaluate(subject, &variables).map_err(|unknown| {
                let (name, source) = (&assignment.name.value, expression.source());
                let message = format!("`{name}: {source}` has no value: {unknown}");
                Trouble::new(FailureKind::Assert, message)
            })?;
            self.scope.set(assignment.name.value.as_str(), value);
        }
        Ok(())
    }

    /// Whether a condition holds on an answer; why not, if it does not.
    pub(super) fn holds(
        &self,
        condition: Option<&Condition>,
        payload: &serde_json::Value,
    ) -> Result<(), String> {
        let Some(condition) = condition else {
            return Ok(());
        };
        let subject = crate::predicate::Subject::payload(payload);
        let explanation = condition.predicate.explain(&subject, &self.variables());
        if explanation.truth.is_true() { Ok(()) } else { Err(explanation.text()) }
    }

    pub(super) fn variables(&self) -> std::collections::BTreeMap<String, serde_json::Value> {
        self.scope.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }
}
