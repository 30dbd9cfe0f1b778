//! The commands of `octez-client`, as words on its command line.

use std::path::PathBuf;

use hyper::Method;

use crate::sandbox::block::from_rfc3339;
use crate::sandbox::globals::UsageError;
use crate::sandbox::operation::VoteKind;

/// One command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Activate {
        protocol: String,
        fitness: u64,
        key: String,
        parameters: PathBuf,
        /// Seconds since the epoch; now, where it is not given.
        timestamp: Option<i64>,
    },
    Bake(Bake),
    Repropose(Repropose),
    Vote(Vote),
    SetConsensusKey {
        delegate: String,
        key: String,
    },
    Rpc {
        method: Method,
        path: String,
        body: Option<String>,
    },
    ImportSecretKey {
        name: String,
        uri: String,
        force: bool,
    },
    GenKeys {
        name: String,
        force: bool,
    },
    ListKnownAddresses,
}

/// `bake for`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bake {
    /// The first one bakes. None: the first delegate. Several: all of them attest the block that is baked on, too.
    pub keys: Vec<String>,
    /// As soon after the predecessor as may be, instead of now.
    pub minimal_timestamp: bool,
    /// The block to bake on instead of the head. Sandbox only.
    pub parent: Option<String>,
    /// Sandbox only; 0 where it is not given.
    pub round: u32,
}

/// `repropose for`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repropose {
    /// The first one bakes, all preattest. None: the first delegate.
    pub keys: Vec<String>,
    /// As soon after the predecessor as may be, instead of now.
    pub minimal_timestamp: bool,
    /// The one after the head's where it is not given.
    pub round: Option<u32>,
}

/// `attest for` and `preattest for`; everything but the keys is the sandbox's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    pub kind: VoteKind,
    pub keys: Vec<String>,
    /// Inject it also where it conflicts with another operation.
    pub force: bool,
    /// The block voted for: its level, round and payload are the defaults.
    pub of: String,
    pub level: Option<u32>,
    pub round: Option<u32>,
    pub slot: Option<u16>,
    /// A payload hash, or a block whose payload is meant.
    pub payload: Option<String>,
    /// A block.
    pub branch: Option<String>,
}

impl Vote {
    /// A true vote for a block.
    pub fn of(kind: VoteKind, block: String) -> Self {
        Self {
            kind,
            keys: Vec::new(),
            force: false,
            of: block,
            level: None,
            round: None,
            slot: None,
            payload: None,
            branch: None,
        }
    }
}

pub const HELP: &str = "\
Usage:
  octez-client [global options] COMMAND

Commands:
  activate protocol P with fitness N and key K and parameters FILE [--timestamp T]
  bake for [K...] [--minimal-timestamp] [--parent BLOCK] [--round N]
  repropose for [K...] [--minimal-timestamp] [--force-reproposal] [--force-round N]
  attest for [K...] [--force] [--of BLOCK] [--level N] [--round N] [--slot N] [--payload P] [--branch BLOCK]
  preattest for [K...]   (as attest for)
  set consensus key for DELEGATE to KEY
  rpc get|post|put|patch|delete PATH [with JSON]
  import secret key NAME unencrypted:EDSK [--force]
  gen keys NAME [--force]
  list known addresses

--parent, --of, --level, --round, --slot, --payload and --branch exist in the sandbox only.
";

/// Reads a command.
pub fn parse(words: &[String]) -> Result<Command, UsageError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [
            "activate",
            "protocol",
            protocol,
            "with",
            "fitness",
            fitness,
            "and",
            "key",
            key,
            "and",
            "parameters",
            parameters,
            options @ ..,
        ] => Ok(Command::Activate {
            protocol: (*protocol).to_owned(),
            fitness: number("fitness", fitness)?,
            key: (*key).to_owned(),
            parameters: parameters.into(),
            timestamp: timestamp(options)?,
        }),
        ["bake", "for", rest @ ..] => bake(rest).map(Command::Bake),
        ["repropose", "for", rest @ ..] => repropose(rest).map(Command::Repropose),
        ["attest", "for", rest @ ..] => vote(VoteKind::Attestation, rest).map(Command::Vote),
        ["preattest", "for", rest @ ..] => vote(VoteKind::Preattestation, rest).map(Command::Vote),
        ["set", "consensus", "key", "for", delegate, "to", key] => {
            let (delegate, key) = ((*delegate).to_owned(), (*key).to_owned());
            Ok(Command::SetConsensusKey { delegate, key })
        }
        ["rpc", method, path] => rpc(method, path, None),
        ["rpc", method, path, "with", body] => rpc(method, path, Some(body)),
        ["import", "secret", "key", name, uri, options @ ..] => Ok(Command::ImportSecretKey {
            name: (*name).to_owned(),
            uri: (*uri).to_owned(),
            force: force(options)?,
        }),
        ["gen", "keys", name, options @ ..] => {
            Ok(Command::GenKeys { name: (*name).to_owned(), force: force(options)? })
        }
        ["list", "known", "addresses"] => Ok(Command::ListKnownAddresses),
        _ => Err(UsageError(format!("Unrecognized command: {}", words.join(" ")))),
    }
}

/// Options that Octez has and that make no difference here.
const BAKE_FLAGS: &[&str] = &["--force", "-f", "--ignore-node-mempool", "--without-dal"];
const BAKE_VALUED: &[&str] = &[
    "--minimal-fees",
    "--minimal-nanotez-per-gas-unit",
    "--minimal-nanotez-per-byte",
    "--context",
    "--operations-pool",
    "--liquidity-baking-toggle-vote",
    "--adaptive-issuance-vote",
    "--votefile",
    "--state-recorder",
    "--dal-node",
];

fn bake(words: &[&str]) -> Result<Bake, UsageError> {
    let mut bake = Bake::default();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let mut value = || value_of(word, words.next());
        match word {
            "--minimal-timestamp" => bake.minimal_timestamp = true,
            "--parent" => bake.parent = Some(value()?.to_owned()),
            "--round" => bake.round = number("round", value()?)?,
            flag if BAKE_FLAGS.contains(&flag) => {}
            valued if BAKE_VALUED.contains(&valued) => {
                value()?;
            }
            option if option.starts_with('-') => return Err(unexpected(option)),
            key => bake.keys.push(key.to_owned()),
        }
    }
    Ok(bake)
}

fn repropose(words: &[&str]) -> Result<Repropose, UsageError> {
    let mut repropose = Repropose::default();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let mut value = || value_of(word, words.next());
        match word {
            "--minimal-timestamp" => repropose.minimal_timestamp = true,
            "--force-round" => repropose.round = Some(number("round", value()?)?),
            // Nothing but that is done here.
            "--force-reproposal" | "--force" => {}
            option if option.starts_with('-') => return Err(unexpected(option)),
            key => repropose.keys.push(key.to_owned()),
        }
    }
    Ok(repropose)
}

fn vote(kind: VoteKind, words: &[&str]) -> Result<Vote, UsageError> {
    let mut vote = Vote::of(kind, "head".to_owned());
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let mut value = || value_of(word, words.next());
        match word {
            "--force" => vote.force = true,
            "--of" => value()?.clone_into(&mut vote.of),
            "--level" => vote.level = Some(number("level", value()?)?),
            "--round" => vote.round = Some(number("round", value()?)?),
            "--slot" => vote.slot = Some(number("slot", value()?)?),
            "--payload" => vote.payload = Some(value()?.to_owned()),
            "--branch" => vote.branch = Some(value()?.to_owned()),
            option if option.starts_with('-') => return Err(unexpected(option)),
            key => vote.keys.push(key.to_owned()),
        }
    }
    Ok(vote)
}

fn timestamp(options: &[&str]) -> Result<Option<i64>, UsageError> {
    match options {
        [] => Ok(None),
        ["--timestamp", text] => from_rfc3339(text)
            .or_else(|| text.parse().ok())
            .map(Some)
            .ok_or_else(|| UsageError(format!("{text} is not a timestamp"))),
        [option, ..] => Err(unexpected(option)),
    }
}

fn rpc(method: &str, path: &str, body: Option<&str>) -> Result<Command, UsageError> {
    let method = match method {
        "get" => Method::GET,
        "post" => Method::POST,
        "put" => Method::PUT,
        "patch" => Method::PATCH,
        "delete" => Method::DELETE,
        other => return Err(UsageError(format!("Unrecognized command: rpc {other}"))),
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Command::Rpc { method, path: format!("{slash}{path}"), body: body.map(str::to_owned) })
}

fn force(options: &[&str]) -> Result<bool, UsageError> {
    match options {
        [] => Ok(false),
        ["--force" | "-f"] => Ok(true),
        [option, ..] => Err(unexpected(option)),
    }
}

fn value_of<'a>(option: &str, value: Option<&'a str>) -> Result<&'a str, UsageError> {
    value.ok_or_else(|| UsageError(format!("Missing argument for option {option}")))
}

fn unexpected(word: &str) -> UsageError {
    UsageError(format!("Unexpected option {word}"))
}

fn number<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, UsageError> {
    text.parse().map_err(|_| UsageError(format!("{text} is not a valid {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Option<Command> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        parse(&words).ok()
    }

    #[test]
    fn activation_is_one_long_sentence() {
        let text =
            "activate protocol alpha with fitness 1 and key activator and parameters /p.json";
        let activate = |timestamp| {
            Some(Command::Activate {
                protocol: "alpha".to_owned(),
                fitness: 1,
                key: "activator".to_owned(),
                parameters: "/p.json".into(),
                timestamp,
            })
        };
        assert_eq!(command(text), activate(None));
        let timed = format!("{text} --timestamp 2018-06-30T16:07:32Z");
        assert_eq!(command(&timed), activate(Some(1_530_374_852)));
        assert_eq!(command(&format!("{text} --timestamp yesterday")), None);
    }

    #[test]
    fn bake_takes_keys_and_options_in_any_order() {
        let bake = Bake {
            keys: vec!["bootstrap1".to_owned(), "bootstrap2".to_owned()],
            minimal_timestamp: true,
            parent: Some("head~1".to_owned()),
            round: 2,
        };
        let text = "bake for bootstrap1 --minimal-timestamp --parent head~1 --round 2 bootstrap2";
        assert_eq!(command(text), Some(Command::Bake(bake)));
        assert_eq!(command("bake for --context /x --force"), Some(Command::Bake(Bake::default())));
    }

    #[test]
    fn repropose_takes_keys_and_a_round() {
        let repropose = Repropose {
            keys: vec!["bootstrap1".to_owned(), "consensus2".to_owned()],
            minimal_timestamp: true,
            round: Some(3),
        };
        let text = "repropose for bootstrap1 --minimal-timestamp --force-reproposal --force-round 3 consensus2";
        assert_eq!(command(text), Some(Command::Repropose(repropose)));
        assert_eq!(command("repropose for --round 3"), None);
    }

    #[test]
    fn rpc_paths_are_absolute() {
        let rpc = |method, path: &str, body: Option<&str>| {
            let (path, body) = (path.to_owned(), body.map(str::to_owned));
            Some(Command::Rpc { method, path, body })
        };
        assert_eq!(command("rpc get /version"), rpc(Method::GET, "/version", None));
        assert_eq!(command("rpc get version"), rpc(Method::GET, "/version", None));
        assert_eq!(command("rpc post /x with {}"), rpc(Method::POST, "/x", Some("{}")));
    }

    #[test]
    fn unknown_words_are_refused() {
        for text in [
            "",
            "bake",
            "bake for --fast",
            "bake for x --round",
            "bake for x --round -1",
            "rpc trace /",
            "attest for x --slot 70000",
            "import secret key a",
            "gen keys a --hard",
        ] {
            assert_eq!(command(text), None, "{text}");
        }
    }
}
