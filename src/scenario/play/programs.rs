//! `rpc` and `exec`: any request to a node, any program of the user's.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::branch::Branch;
use super::stage::Stage;
use super::trouble::Trouble;
use crate::daemon::{CommandLine, ExitStatus};
use crate::harness::{Node, RpcAnswer, RpcError};
use crate::scenario::model::{Exec, Output, Rpc};
use crate::scenario::result::FailureKind;

/// Between two requests of an `rpc` that waits.
const ASK_EVERY: Duration = Duration::from_millis(50);

impl Branch {
    pub(super) async fn rpc(&mut self, stage: &Stage<'_>, step: &Rpc) -> Result<(), Trouble> {
        let node = self.node(stage, &step.node).await?;
        let path = step.path.resolve(&self.scope, stage)?;
        let body = step.body.as_ref();
        let body = body.map(|body| body.resolve(&self.scope, stage)).transpose()?;
        let status = step.status.as_ref();
        let status = status.map(|status| status.resolve(&self.scope, stage)).transpose()?;
        let within = step.within.as_ref();
        let repeated = within.map(|_| stage.within(within, &self.scope)).transpose()?;
        let begun = Instant::now();
        let deadline = begun + repeated.unwrap_or_default();
        let url = format!("{}{path}", node.endpoint());
        let request = stage.within(None, &self.scope)?;
        loop {
            let left = repeated.map(|limit| limit.saturating_sub(begun.elapsed()).max(ASK_EVERY));
            let limit = left.unwrap_or(request);
            let answer = stage.live()?.http(step.method, &url, body.clone(), limit).await;
            let wrong = match self.judge_answer(step, status, answer) {
                Ok(payload) => return self.assign(&step.capture, &payload),
                Err(wrong) => wrong,
            };
            if Instant::now() >= deadline {
                let waited =
                    repeated.map_or_else(String::new, |within| format!(" within {within:?}"));
                let message = format!("{} {path}{waited}: {wrong}", step.method);
                let kind =
                    if repeated.is_some() { FailureKind::TimedOut } else { FailureKind::Rpc };
                return Err(of(Trouble::new(kind, message), &node));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    fn judge_answer(
        &self,
        step: &Rpc,
        wanted: Option<u16>,
        answer: Result<RpcAnswer, RpcError>,
    ) -> Result<Value, String> {
        let RpcAnswer { status, body } = answer.map_err(|error| crate::cause::chain(&error))?;
        let as_wanted = wanted.map_or((200..300).contains(&status), |wanted| wanted == status);
        if !as_wanted {
            let expected = wanted.map_or_else(|| "2xx".to_owned(), |wanted| wanted.to_string());
            return Err(format!("status {status} where {expected} is expected: {body}"));
        }
        self.holds(step.condition.as_ref(), &body)?;
        Ok(body)
    }

    pub(super) async fn exec(&mut self, stage: &Stage<'_>, step: &Exec) -> Result<(), Trouble> {
        let within = stage.within(step.within.as_ref(), &self.scope)?;
        let mut words: Vec<String> = Vec::new();
        for word in &step.command {
            words.push(word.resolve(&self.scope, stage)?);
        }
        if let Some(program) = words.first_mut().filter(|program| program.contains('/')) {
            *program = stage.scenario_dir().join(&*program).to_string_lossy().into_owned();
        }
        let shown = words.join(" ");
        let mut command = CommandLine::new(words);
        command.cwd = Some(stage.scenario_dir());
        for (key, value) in &step.env {
            command.env.insert(key.into(), value.resolve(&self.scope, stage)?.into());
        }
        let stdin = step.stdin.as_ref();
        let stdin = stdin.map(|stdin| stdin.resolve(&self.scope, stage)).transpose()?;
        let code = step.code.as_ref().map(|code| code.resolve(&self.scope, stage)).transpose()?;
        let stdin = stdin.unwrap_or_default().into_bytes();
        let output = stage.live()?.exec(command, stdin, within).await?;
        let wanted = ExitStatus::Code(code.unwrap_or(0));
        if output.status != wanted {
            let stderr = output.stderr.text();
            let said = stderr.lines().last().map_or_else(String::new, |line| format!(": {line}"));
            let message =
                format!("`{shown}` ended with {}, not with {wanted}{said}", output.status);
            return Err(Trouble::new(FailureKind::Exec, message));
        }
        let payload = match step.stdout {
            Output::Text => {
                let text = output.stdout.text();
                Value::String(text.strip_suffix('\n').unwrap_or(&text).to_owned())
            }
            Output::Json => serde_json::from_slice(&output.stdout.bytes).map_err(|error| {
                let message = format!("the output of `{shown}` is no JSON: {error}");
                Trouble::new(FailureKind::Exec, message)
            })?,
        };
        self.holds(step.condition.as_ref(), &payload).map_err(|wrong| {
            Trouble::new(
                FailureKind::Exec,
                format!("the output of `{shown}` is not as wanted: {wrong}"),
            )
        })?;
        self.assign(&step.capture, &payload)
    }
}

pub(super) fn of(trouble: Trouble, node: &Node) -> Trouble {
    trouble.of(node.name())
}
