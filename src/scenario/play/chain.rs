//! Verbs that make a chain, or what a chain must not have: activate, bake, attest, preattest, inject, connect,
//! disconnect.

use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::{Value, json};

use super::branch::Branch;
use super::programs::of;
use super::stage::Stage;
use super::trouble::Trouble;
use crate::harness::{ClientError, Node};
use crate::octez::{ActivateOptions, BakeOptions, VoteOptions};
use crate::scenario::model::{Activate, Bake, ConnectPeers, Inject, Vote};
use crate::scenario::result::FailureKind;
use crate::scenario::values::{Setting, Text};

/// Who bakes and votes where nobody is named.
const DEFAULT_KEY: &str = "bootstrap1";

impl Branch {
    pub(super) async fn activate(
        &mut self,
        stage: &Stage<'_>,
        step: &Activate,
    ) -> Result<(), Trouble> {
        let node = self.node(stage, &step.node).await?;
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let text = |text: &Option<Text>| {
            text.as_ref().map(|text| text.resolve(&self.scope, stage)).transpose()
        };
        let parameters = step.parameters.as_ref();
        let options = ActivateOptions {
            protocol: text(&step.protocol)?,
            parameters: parameters.map(|data| data.resolve(&self.scope, stage)).transpose()?,
            timestamp: text(&step.timestamp)?,
        };
        let client = stage.live()?.client(&node);
        client.activate_with(&options, within).await.map_err(|error| of(error.into(), &node))?;
        Ok(())
    }

    pub(super) async fn bake(&mut self, stage: &Stage<'_>, step: &Bake) -> Result<(), Trouble> {
        let node = self.node(stage, &step.node).await?;
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let mut keys = Vec::new();
        for key in &step.keys {
            keys.push(key.resolve(&self.scope, stage)?);
        }
        if keys.is_empty() {
            keys.push(DEFAULT_KEY.to_owned());
        }
        let times =
            step.times.as_ref().map(|times| times.resolve(&self.scope, stage)).transpose()?;
        let parent = step.parent.as_ref();
        let round = step.round.as_ref();
        let options = BakeOptions {
            keys,
            parent: parent.map(|parent| parent.resolve(&self.scope, stage)).transpose()?,
            round: round.map(|round| round.resolve(&self.scope, stage)).transpose()?,
        };
        sandbox_only(stage, "bake", &options.needs_sandbox())?;
        let client = stage.live()?.client(&node);
        let mut last = Value::Null;
        let begun = Instant::now();
        let times = times.unwrap_or(1);
        for number in 0..times {
            // A limit that is given is the step's; the default one is for each block.
            let spent = step.within.as_ref().map_or(Duration::ZERO, |_| begun.elapsed());
            let left = within.checked_sub(spent).ok_or_else(|| {
                let message = format!("{number} of {times} blocks were baked within {within:?}");
                of(Trouble::new(FailureKind::TimedOut, message), &node)
            })?;
            let baked = client.bake_with(&options, left).await;
            let baked = baked.map_err(|error| of(error.into(), &node))?;
            last = json!({ "hash": baked.hash, "level": baked.level });
        }
        self.assign(&step.capture, &last)
    }

    pub(super) async fn vote(&mut self, stage: &Stage<'_>, step: &Vote) -> Result<(), Trouble> {
        let node = self.node(stage, &step.node).await?;
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let error = self.refusal(stage, step.error.as_ref())?;
        let options = self.vote_options(stage, step)?;
        sandbox_only(stage, options.kind.verb(), &options.needs_sandbox())?;
        let client = stage.live()?.client(&node);
        let answer = client.vote_with(&options, within).await;
        let answer = answer.map(|vote| (vote.hash.clone(), vote.to_json()));
        let payload = judge(answer, error.as_ref()).map_err(|trouble| of(trouble, &node))?;
        self.assign(&step.capture, &payload)
    }

    fn vote_options(&self, stage: &Stage<'_>, step: &Vote) -> Result<VoteOptions, Trouble> {
        let text = |text: &Option<Text>| {
            text.as_ref().map(|text| text.resolve(&self.scope, stage)).transpose()
        };
        let number = |setting: &Option<Setting<u32>>| {
            setting.as_ref().map(|setting| setting.resolve(&self.scope, stage)).transpose()
        };
        let slot = step.slot.as_ref();
        Ok(VoteOptions {
            kind: step.kind,
            key: text(&step.key)?.unwrap_or_else(|| DEFAULT_KEY.to_owned()),
            // A vote that is injected by force is not refused.
            forced: step.error.is_none(),
            of: text(&step.of)?,
            level: number(&step.level)?,
            round: number(&step.round)?,
            slot: slot.map(|slot| slot.resolve(&self.scope, stage)).transpose()?,
            payload: text(&step.payload)?,
            branch: text(&step.branch)?,
        })
    }

    pub(super) async fn inject(&mut self, stage: &Stage<'_>, step: &Inject) -> Result<(), Trouble> {
        let node = self.node(stage, &step.node).await?;
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let error = self.refusal(stage, step.error.as_ref())?;
        let operation = step.operation.resolve(&self.scope, stage)?;
        let answer = stage.live()?.client(&node).inject(&operation, within).await;
        let answer = answer.map(|hash| (hash.clone(), json!({ "hash": hash })));
        let payload = judge(answer, error.as_ref()).map_err(|trouble| of(trouble, &node))?;
        self.assign(&step.capture, &payload)
    }

    /// The words in which a refusal is expected.
    fn refusal(&self, stage: &Stage<'_>, error: Option<&Text>) -> Result<Option<Regex>, Trouble> {
        let Some(text) = error else { return Ok(None) };
        let pattern = text.resolve(&self.scope, stage)?;
        let regex = Regex::new(&pattern).map_err(|error| {
            let message = format!("`error` is no regular expression: {error}");
            Trouble::new(FailureKind::Assert, message)
        })?;
        Ok(Some(regex))
    }

    async fn peers(&self, stage: &Stage<'_>, step: &ConnectPeers) -> Result<Vec<Node>, Trouble> {
        let mut nodes = Vec::new();
        for text in &step.nodes {
            nodes.push(self.node(stage, text).await?);
        }
        Ok(nodes)
    }

    pub(super) async fn connect(
        &mut self,
        stage: &Stage<'_>,
        step: &ConnectPeers,
    ) -> Result<(), Trouble> {
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let nodes = self.peers(stage, step).await?;
        stage.live()?.connect(&nodes, within).await.map_err(peer_trouble)
    }

    pub(super) async fn disconnect(
        &mut self,
        stage: &Stage<'_>,
        step: &ConnectPeers,
    ) -> Result<(), Trouble> {
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let nodes = self.peers(stage, step).await?;
        for (index, a) in nodes.iter().enumerate() {
            for b in &nodes[index + 1..] {
                stage.live()?.disconnect(a, b, within).await.map_err(peer_trouble)?;
            }
        }
        Ok(())
    }
}

/// The payload of an injection: what the node took, or the words in which it refused, whichever is wanted.
fn judge(
    answer: Result<(String, Value), ClientError>,
    wanted: Option<&Regex>,
) -> Result<Value, Trouble> {
    match (answer, wanted) {
        (Ok((_, payload)), None) => Ok(payload),
        (Ok((hash, _)), Some(wanted)) => {
            let message = format!("the node took it, as {hash}, and was to refuse it: `{wanted}`");
            Err(Trouble::new(FailureKind::Rpc, message))
        }
        (Err(ClientError::Refused { text }), Some(wanted)) if wanted.is_match(&text) => {
            Ok(json!({ "error": text }))
        }
        (Err(ClientError::Refused { text }), Some(wanted)) => {
            let message = format!("the node refused, but not with `{wanted}`: {text}");
            Err(Trouble::new(FailureKind::Rpc, message))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// Refuses keys of a verb that nothing but the sandbox's client can do.
fn sandbox_only(stage: &Stage<'_>, verb: &str, keys: &[&str]) -> Result<(), Trouble> {
    if keys.is_empty() || !stage.live()?.is_octez_real() {
        return Ok(());
    }
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    Err(Trouble::environment(format!(
        "{} of `{verb}` can be given in the sandbox only: `octez-client {verb} for` has no such option",
        keys.join(", ")
    )))
}

fn peer_trouble(error: crate::harness::ClientError) -> Trouble {
    let mut trouble = Trouble::from(error);
    if trouble.failure.kind == FailureKind::Exec {
        trouble.failure.kind = FailureKind::Rpc;
    }
    trouble
}
