//! Command lines of `octez-client`, as Tezt calls them (`tezt/lib_tezos/client.ml`).

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::NEWEST_PROTOCOL;
use crate::daemon::merge;

/// What `activate` takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActivateOptions {
    /// A protocol hash; `None` is the newest.
    pub protocol: Option<String>,
    /// Laid over the protocol's parameters, object by object.
    pub parameters: Option<Value>,
    /// RFC 3339, or `now`; `None` is a year ago, so that blocks can be baked without waiting for their time.
    pub timestamp: Option<String>,
}

impl ActivateOptions {
    /// What the parameters file holds: these over those of the protocol, or over the few that the sandbox needs.
    pub fn parameters_over(&self, protocol: Option<Value>) -> Value {
        let mut parameters = protocol.unwrap_or_else(sandbox_parameters);
        if let Some(more) = &self.parameters {
            merge(&mut parameters, more);
        }
        parameters
    }

    /// The protocol that is activated.
    pub fn protocol(&self) -> &str {
        self.protocol.as_deref().unwrap_or(NEWEST_PROTOCOL)
    }

    /// What follows the global options.
    pub fn args(&self, parameters: &Path, now: SystemTime) -> Vec<String> {
        const YEAR: Duration = Duration::from_hours(365 * 24);
        let protocol = self.protocol();
        let notation = |time| humantime::format_rfc3339_seconds(time).to_string();
        let timestamp = match self.timestamp.as_deref() {
            None => notation(now - YEAR),
            Some("now") => notation(now),
            Some(text) => text.to_owned(),
        };
        let words = ["activate", "protocol", protocol, "with", "fitness", "1", "and", "key"];
        let mut args: Vec<String> = words.map(Into::into).into();
        args.extend(["activator", "and", "parameters"].map(Into::into));
        args.push(parameters.to_string_lossy().into_owned());
        args.extend(["--timestamp".into(), timestamp]);
        args
    }
}

/// The few parameters that a sandbox of short cycles and quick blocks needs.
fn sandbox_parameters() -> Value {
    json!({
        "preserved_cycles": 2,
        "blocks_per_cycle": 8,
        "minimal_block_delay": "1",
        "delay_increment_per_round": "1",
    })
}

/// What `bake` takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BakeOptions {
    /// The first one bakes.
    pub keys: Vec<String>,
    /// The block to bake on; the head where it is not given. Only the sandbox's client knows it.
    pub parent: Option<String>,
    /// Only the sandbox's client knows it.
    pub round: Option<u32>,
}

impl BakeOptions {
    /// One block on the head, baked with this key or alias.
    pub fn for_key(key: &str) -> Self {
        Self { keys: vec![key.to_owned()], ..Self::default() }
    }

    /// The names of what only the sandbox's client can do and is asked for here.
    pub fn needs_sandbox(&self) -> Vec<&'static str> {
        let given = [("parent", self.parent.is_some()), ("round", self.round.is_some())];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }

    /// What follows the global options.
    pub fn args(&self) -> Vec<String> {
        let mut args: Vec<String> = vec!["bake".into(), "for".into()];
        args.extend(self.keys.iter().cloned());
        args.push("--minimal-timestamp".into());
        if let Some(parent) = &self.parent {
            args.extend(["--parent".into(), parent.clone()]);
        }
        if let Some(round) = self.round {
            args.extend(["--round".into(), round.to_string()]);
        }
        args
    }
}

/// One of the two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteKind {
    Attestation,
    Preattestation,
}

impl VoteKind {
    /// The verb of the client and of scenarios.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Attestation => "attest",
            Self::Preattestation => "preattest",
        }
    }
}

/// What `attest` and `preattest` take; what is not given is that of the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteOptions {
    pub kind: VoteKind,
    /// A key or an alias.
    pub key: String,
    /// Whether it is injected also where it conflicts with another vote.
    pub forced: bool,
    /// The block that is voted for, by hash or `head~2`; `None` is the head. Like all that follows, only the sandbox's
    /// client knows it.
    pub of: Option<String>,
    pub level: Option<u32>,
    pub round: Option<u32>,
    /// `None` is the first slot of the key.
    pub slot: Option<u16>,
    /// A payload hash, or a block whose payload is meant.
    pub payload: Option<String>,
    /// A block; `None` is the one two below.
    pub branch: Option<String>,
}

impl VoteOptions {
    /// A vote for the head as it is, injected whatever it conflicts with.
    pub fn new(kind: VoteKind, key: &str) -> Self {
        Self {
            kind,
            key: key.to_owned(),
            forced: true,
            of: None,
            level: None,
            round: None,
            slot: None,
            payload: None,
            branch: None,
        }
    }

    /// The options that only the sandbox's client has, with their values.
    fn own(&self) -> Vec<(&'static str, String)> {
        let texts = [("of", &self.of), ("payload", &self.payload), ("branch", &self.branch)];
        let numbers =
            [("level", self.level), ("round", self.round), ("slot", self.slot.map(u32::from))];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
        let numbers =
            numbers.into_iter().filter_map(|(name, number)| Some((name, number?.to_string())));
        texts.chain(numbers).collect()
    }

    /// The names of what only the sandbox's client can do and is asked for here.
    pub fn needs_sandbox(&self) -> Vec<&'static str> {
        self.own().into_iter().map(|(name, _)| name).collect()
    }

    /// What follows the global options.
    pub fn args(&self) -> Vec<String> {
        let mut args: Vec<String> = vec![self.kind.verb().into(), "for".into(), self.key.clone()];
        if self.forced {
            args.push("--force".into());
        }
        for (name, value) in self.own() {
            args.extend([format!("--{name}"), value]);
        }
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(args: &[String]) -> String {
        args.join(" ")
    }

    #[test]
    fn an_activation_is_a_year_old_unless_it_is_told_otherwise() {
        let now = humantime::parse_rfc3339("2026-11-23T12:00:00Z").expect("a valid time");
        for (told, wanted) in [
            (None, "2025-11-23T12:00:00Z"),
            (Some("now"), "2026-11-23T12:00:00Z"),
            (Some("2020-01-01T00:00:00Z"), "2020-01-01T00:00:00Z"),
        ] {
            let timestamp = told.map(ToOwned::to_owned);
            let options = ActivateOptions { timestamp, ..ActivateOptions::default() };
            let args = words(&options.args(Path::new("/p.json"), now));
            let ending = format!("and parameters /p.json --timestamp {wanted}");
            assert!(args.ends_with(&ending), "{args}");
        }
    }

    #[test]
    fn parameters_are_laid_over_those_of_the_protocol() {
        let parameters = Some(json!({ "dal": { "on": false }, "blocks_per_cycle": 4 }));
        let options = ActivateOptions { parameters, ..ActivateOptions::default() };
        let protocol = json!({ "dal": { "on": true, "slots": 8 }, "blocks_per_cycle": 8, "a": 1 });
        assert_eq!(
            options.parameters_over(Some(protocol)),
            json!({ "dal": { "on": false, "slots": 8 }, "blocks_per_cycle": 4, "a": 1 })
        );
        assert_eq!(options.parameters_over(None)["blocks_per_cycle"], 4);
        assert_eq!(options.parameters_over(None)["minimal_block_delay"], "1");
    }

    #[test]
    fn a_vote_says_what_only_the_sandbox_understands() {
        let mut vote = VoteOptions::new(VoteKind::Preattestation, "bootstrap2");
        assert_eq!(words(&vote.args()), "preattest for bootstrap2 --force");
        assert!(vote.needs_sandbox().is_empty());
        vote.forced = false;
        vote.payload = Some("head~2".to_owned());
        vote.slot = Some(7);
        assert_eq!(words(&vote.args()), "preattest for bootstrap2 --payload head~2 --slot 7");
        assert_eq!(vote.needs_sandbox(), ["payload", "slot"]);
    }
}
