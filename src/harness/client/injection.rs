//! Operations that a test makes: votes, true and false ones, and bytes as they are.

use std::time::Duration;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::{Client, ClientError};
use crate::daemon::{DEFAULT_TIMEOUT, ExitStatus};
use crate::harness::{ExecOutput, RpcAnswer};
use crate::host::http::Method;
use crate::octez::{VoteKind, VoteOptions};

/// A vote that the node took. What the client does not tell and the mempool no longer has is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vote {
    /// Of the operation.
    pub hash: String,
    pub level: Option<i64>,
    pub round: Option<i64>,
    pub slot: Option<i64>,
    /// The hash of the payload voted for.
    pub payload: Option<String>,
    /// The hash of the block on which it is valid.
    pub branch: Option<String>,
}

impl Client {
    /// Attests the head with this key; done when the node took it.
    pub async fn attest_for(&self, key: &str) -> Result<Vote, ClientError> {
        self.vote_with(&VoteOptions::new(VoteKind::Attestation, key), DEFAULT_TIMEOUT).await
    }

    /// Preattests the head with this key; done when the node took it.
    pub async fn preattest_for(&self, key: &str) -> Result<Vote, ClientError> {
        self.vote_with(&VoteOptions::new(VoteKind::Preattestation, key), DEFAULT_TIMEOUT).await
    }

    /// Votes; [`ClientError::Refused`] if the node or the client does not take it.
    pub async fn vote_with(
        &self,
        options: &VoteOptions,
        within: Duration,
    ) -> Result<Vote, ClientError> {
        let ExecOutput { status, stdout, stderr, .. } = self.run(options.args(), within).await?;
        let (stdout, stderr) = (stdout.text(), stderr.text());
        let told = Vote::read(&stdout).or_else(|| Vote::read(&stderr));
        match told {
            Some(vote) if status == ExitStatus::Code(0) => self.completed(vote).await,
            _ => {
                // A client that finds no node fails just so, and that is no refusal.
                self.node.get("/version").await?;
                let text = if stderr.trim().is_empty() { stdout } else { stderr };
                Err(ClientError::Refused { text: plain(&text) })
            }
        }
    }

    /// Injects an operation, its bytes in hexadecimal; gives its hash. [`ClientError::Refused`] if the node does not
    /// take it.
    pub async fn inject(&self, operation: &str, within: Duration) -> Result<String, ClientError> {
        let url = format!("{}/injection/operation?chain=main", self.node.endpoint());
        let request = self.core.http(Method::Post, url, Some(json!(operation)), within);
        match request.await? {
            RpcAnswer { status: 200, body: Value::String(hash) } => Ok(hash),
            RpcAnswer { body, .. } => Err(ClientError::Refused { text: messages(&body) }),
        }
    }

    /// Octez's client tells less than the sandbox's; the node knows the rest.
    async fn completed(&self, mut vote: Vote) -> Result<Vote, ClientError> {
        if vote.payload.is_none() {
            let pending = "/chains/main/mempool/pending_operations?version=2";
            vote.complete(&self.node.get(pending).await?);
        }
        Ok(vote)
    }
}

impl Vote {
    /// As scenarios see it, without what is not known.
    pub fn to_json(&self) -> Value {
        let values = [
            ("hash", Some(json!(self.hash))),
            ("level", self.level.map(|level| json!(level))),
            ("round", self.round.map(|round| json!(round))),
            ("slot", self.slot.map(|slot| json!(slot))),
            ("payload", self.payload.as_ref().map(|payload| json!(payload))),
            ("branch", self.branch.as_ref().map(|branch| json!(branch))),
        ];
        let known = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(known.collect::<Map<_, _>>())
    }

    /// What a client says of the operation it injected. Octez's ends in `level 5, round 0 for delegate …
    /// (operation hash: o…)`, its lines broken anywhere (`lib_delegate/baking_events.ml`).
    fn read(said: &str) -> Option<Self> {
        let word = |before: &str, what: &str| {
            let pattern = format!(r"\b{before}({what})\b");
            let regex = Regex::new(&pattern).expect("a valid regex");
            Some(regex.captures(said)?.get(1)?.as_str().to_owned())
        };
        let number = |name: &str| word(&format!(r"{name}\s+"), "[0-9]+")?.parse().ok();
        Some(Self {
            hash: word("", "o[1-9A-HJ-NP-Za-km-z]{50}")?,
            level: number("level"),
            round: number("round"),
            slot: number("slot"),
            payload: word(r"payload\s+", "vh[1-9A-HJ-NP-Za-km-z]{50}"),
            branch: word(r"branch\s+", "B[1-9A-HJ-NP-Za-km-z]{50}"),
        })
    }

    /// Fills in what the mempool knows, in whichever of its lists the vote is.
    fn complete(&mut self, pending: &Value) {
        let lists = pending.as_object().into_iter().flat_map(Map::values);
        let mut all = lists.filter_map(Value::as_array).flatten();
        let Some(own) = all.find(|operation| operation["hash"] == *self.hash) else { return };
        let content = &own["contents"][0];
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        self.level = self.level.or(content["level"].as_i64());
        self.round = self.round.or(content["round"].as_i64());
        self.slot = self.slot.or(content["slot"].as_i64());
        self.payload = self.payload.take().or_else(|| text(&content["block_payload_hash"]));
        self.branch = self.branch.take().or_else(|| text(&own["branch"]));
    }
}

/// What a client says when it fails, without its heading and indentation.
fn plain(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !matches!(*line, "" | "Error:"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The messages of an error trace; what has none, as it is.
fn messages(body: &Value) -> String {
    let one =
        |error: &Value| error["msg"].as_str().map_or_else(|| error.to_string(), str::to_owned);
    match body {
        Value::Array(trace) if !trace.is_empty() => {
            trace.iter().map(one).collect::<Vec<_>>().join("\n")
        }
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "oo83Q8iNn2KKuqRnXvSvHHqVmJ38ZpCeGbSfQnSGuZLzqgs5JQb";
    const PAYLOAD: &str = "vh2cHpyeHZxoixyKfcuiJcR2wmjKUAs6EQGyj9nbFXRzWUyvEDSo";
    const BRANCH: &str = "BLXufEq7AzmTEUw3aS7tkhSGHZ2cPU1VKkyywBbBUA2xUFkpPjn";

    fn complete() -> Vote {
        Vote {
            hash: HASH.to_owned(),
            level: Some(5),
            round: Some(0),
            slot: Some(3),
            payload: Some(PAYLOAD.to_owned()),
            branch: Some(BRANCH.to_owned()),
        }
    }

    #[test]
    fn the_sandboxs_client_tells_all_of_a_vote() {
        let said = format!(
            "Injected attestation {HASH} for tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx: \
             level 5, round 0, slot 3, payload {PAYLOAD}, branch {BRANCH}\n"
        );
        assert_eq!(Vote::read(&said), Some(complete()));
    }

    #[test]
    fn of_a_vote_by_octezs_client_the_mempool_tells_the_rest() {
        let said = format!(
            "Nov 23 17:34:55.195 NOTICE │ injected attestation (without DAL content)\n\
             Nov 23 17:34:55.195 NOTICE │   for level 5, round 0\n\
             Nov 23 17:34:55.195 NOTICE │   for delegate\n\
             Nov 23 17:34:55.195 NOTICE │   bootstrap1 (tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx)\n\
             Nov 23 17:34:55.195 NOTICE │   (operation hash: {HASH})\n"
        );
        let mut vote = Vote::read(&said).expect("it says the hash");
        assert_eq!((vote.level, vote.round, vote.slot), (Some(5), Some(0), None));
        vote.complete(&json!({
            "validated": [{ "hash": "oother" }],
            "branch_delayed": [{
                "hash": HASH,
                "branch": BRANCH,
                "contents": [{ "slot": 3, "level": 5, "round": 0, "block_payload_hash": PAYLOAD }],
            }],
        }));
        assert_eq!(vote, complete());
        assert_eq!(Vote::read("failed to inject attestation"), None);
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_node() {
        let trace = json!([{ "id": "a", "msg": "no" }, { "id": "b", "kind": "temporary" }]);
        assert_eq!(messages(&trace), "no\n{\"id\":\"b\",\"kind\":\"temporary\"}");
        assert_eq!(messages(&json!("bad hex\n")), "bad hex");
        assert_eq!(plain("Error:\n  no\n    key\n\n"), "no\nkey");
    }
}
