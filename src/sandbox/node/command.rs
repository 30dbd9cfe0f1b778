//! The command line of `octez-node`, as far as Tezt uses it, and what is wrong with one.

use std::path::PathBuf;

use super::config::Changes;

/// What the node was called for.
#[derive(Debug, PartialEq)]
pub enum Command {
    Version,
    Help,
    IdentityGenerate { data_dir: PathBuf },
    IdentityShow { data_dir: PathBuf },
    Config { action: ConfigAction, data_dir: PathBuf, changes: Changes },
    Run { data_dir: PathBuf, changes: Changes },
}

/// A flag that only `run` has: whether the node validates in one process is nothing it remembers.
const RUN_ONLY: &str = "--singleprocess";

/// What to do with `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigAction {
    Init,
    Update,
    Reset,
    Show,
    Validate,
}

/// A command line that is none of ours, in the words of cmdliner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    #[error("required COMMAND name is missing, must be one of 'config', 'identity' or 'run'.")]
    NoCommand,
    #[error("unknown command '{name}', must be one of {wanted}.")]
    UnknownCommand { name: String, wanted: &'static str },
    #[error("unknown option '{option}'.")]
    UnknownOption { option: String },
    #[error("option '{option}' needs an argument.")]
    NoValue { option: String },
    #[error("option '{option}' is a flag, it cannot take the argument '{value}'.")]
    FlagWithValue { option: String, value: String },
    #[error("option '{option}': invalid value '{value}', expected {wanted}.")]
    InvalidValue { option: String, value: String, wanted: &'static str },
    #[error("too many arguments, don't know what to do with '{argument}'.")]
    TooMany { argument: String },
}

/// The text of `--help`.
pub const HELP: &str = "\
NAME
       octez-node - The Octez Tezos node (sandbox stand-in)

SYNOPSIS
       octez-node run [OPTION]...
       octez-node config (init|update|reset|show|validate) [OPTION]...
       octez-node identity (generate [DIFFICULTY]|show) [OPTION]...

OPTIONS
       -d DIR, --data-dir=DIR        where the node keeps its files
       --network=NETWORK             only 'sandbox'
       --net-addr=ADDR:PORT          where to listen for peers
       --rpc-addr=ADDR:PORT          where to answer RPCs
       --metrics-addr=ADDR:PORT      where to answer GET /metrics
       --peer=ADDR:PORT[#PEER]       a peer to connect to; may be repeated
       --private-mode                only connect to trusted peers
       --connections=N               how many peers to have
       --synchronisation-threshold=N how many peers make the node synchronised
       --version                     print the version
";

/// Options that have a value and no effect in a sandbox.
const IGNORED_WITH_VALUE: [&str; 28] = [
    "--allow-all-rpc",
    "--binary-chunks-size",
    "--bootstrap-threshold",
    "--config-file",
    "--cors-header",
    "--cors-origin",
    "--discovery-addr",
    "--enable-http-cache-headers",
    "--history-mode",
    "--log-coloring",
    "--log-output",
    "--max-active-rpc-connections",
    "--max-download-speed",
    "--max-latency",
    "--max-upload-speed",
    "--media-type",
    "--metadata-size-limit",
    "--operation-metadata-size-limit",
    "--peer-table-size",
    "--rpc-tls",
    "--sandbox",
    "--storage-maintenance-delay",
    "--sync-latency",
    "--synchronisation-latency",
    "--target",
    "--expected-pow",
    "--context-pruning",
    "--min-connections",
];

/// Flags without an effect in a sandbox.
const IGNORED_FLAGS: [&str; 12] = [
    "--allow-all-rpc-local",
    "--disable-context-pruning",
    "--disable-mempool",
    "--disable-mempool-precheck",
    "--disable-p2p-maintenance",
    "--disable-p2p-swap",
    "--enable-testchain",
    "--force",
    "--force-history-mode-switch",
    "--no-bootstrap-peers",
    "-f",
    "-v",
];

/// Reads the arguments after the program's name.
pub fn parse(args: &[String]) -> Result<Command, UsageError> {
    let mut options = Options::default();
    let words = options.read(args)?;
    if options.version {
        return Ok(Command::Version);
    }
    if options.help {
        return Ok(Command::Help);
    }
    let Options { data_dir, changes, singleprocess, .. } = options;
    let data_dir = data_dir.unwrap_or_else(default_data_dir);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let command = match words.as_slice() {
        [] => return Err(UsageError::NoCommand),
        ["run"] => Command::Run { data_dir, changes },
        ["identity", "generate"] => Command::IdentityGenerate { data_dir },
        ["identity", "generate", difficulty] => {
            check_difficulty(difficulty)?;
            Command::IdentityGenerate { data_dir }
        }
        ["identity", "show"] => Command::IdentityShow { data_dir },
        ["config", action] => {
            if singleprocess {
                return Err(UsageError::UnknownOption { option: RUN_ONLY.to_owned() });
            }
            Command::Config { action: config_action(action)?, data_dir, changes }
        }
        ["identity", name, ..] => {
            let wanted = "either 'generate' or 'show'";
            return Err(UsageError::UnknownCommand { name: (*name).to_owned(), wanted });
        }
        ["config", ..] => {
            let wanted = "one of 'init', 'reset', 'show', 'update' or 'validate'";
            return Err(UsageError::UnknownCommand { name: String::new(), wanted });
        }
        ["run", argument, ..] => {
            return Err(UsageError::TooMany { argument: (*argument).to_owned() });
        }
        [name, ..] => {
            let wanted = "one of 'config', 'identity' or 'run'";
            return Err(UsageError::UnknownCommand { name: (*name).to_owned(), wanted });
        }
    };
    Ok(command)
}

fn config_action(word: &str) -> Result<ConfigAction, UsageError> {
    match word {
        "init" => Ok(ConfigAction::Init),
        "update" => Ok(ConfigAction::Update),
        "reset" => Ok(ConfigAction::Reset),
        "show" => Ok(ConfigAction::Show),
        "validate" => Ok(ConfigAction::Validate),
        _ => {
            let wanted = "one of 'init', 'reset', 'show', 'update' or 'validate'";
            Err(UsageError::UnknownCommand { name: word.to_owned(), wanted })
        }
    }
}

fn check_difficulty(text: &str) -> Result<(), UsageError> {
    let option = "DIFFICULTY".to_owned();
    let wanted = "a floating-point number";
    let invalid = UsageError::InvalidValue { option, value: text.to_owned(), wanted };
    text.parse::<f64>().map(|_| ()).map_err(|_| invalid)
}

/// `$TEZOS_NODE_DIR`, else `~/.tezos-node`.
fn default_data_dir() -> PathBuf {
    match std::env::var_os("TEZOS_NODE_DIR") {
        Some(dir) => dir.into(),
        None => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".tezos-node"),
    }
}

#[derive(Debug, Default)]
struct Options {
    version: bool,
    help: bool,
    singleprocess: bool,
    data_dir: Option<PathBuf>,
    changes: Changes,
}

impl Options {
    /// Takes the options in and gives back the other words, in order.
    fn read(&mut self, args: &[String]) -> Result<Vec<String>, UsageError> {
        let mut words = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if !arg.starts_with('-') || arg.len() < 2 {
                words.push(arg.clone());
                continue;
            }
            let (option, glued) = match arg.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option, Some(value)),
                _ => (arg.as_str(), None),
            };
            if self.take_flag(option) {
                if let Some(value) = glued {
                    let (option, value) = (option.to_owned(), value.to_owned());
                    return Err(UsageError::FlagWithValue { option, value });
                }
                continue;
            }
            let value = || {
                glued
                    .map(str::to_owned)
                    .or_else(|| args.next().cloned())
                    .ok_or_else(|| UsageError::NoValue { option: option.to_owned() })
            };
            self.take_option(option, value)?;
        }
        Ok(words)
    }

    fn take_flag(&mut self, flag: &str) -> bool {
        match flag {
            "--version" => self.version = true,
            "--help" => self.help = true,
            RUN_ONLY => self.singleprocess = true,
            "--private-mode" => self.changes.private_mode = Some(true),
            _ => return IGNORED_FLAGS.contains(&flag),
        }
        true
    }

    fn take_option(
        &mut self,
        option: &str,
        value: impl FnOnce() -> Result<String, UsageError>,
    ) -> Result<(), UsageError> {
        match option {
            "-d" | "--data-dir" => self.data_dir = Some(value()?.into()),
            "--net-addr" => self.changes.net_addr = Some(address(option, value()?)?),
            "--rpc-addr" | "--external-rpc-addr" | "--local-rpc-addr" => {
                self.changes.rpc_addrs.push(address(option, value()?)?);
            }
            "--metrics-addr" => self.changes.metrics_addrs.push(address(option, value()?)?),
            "--advertised-net-port" => {
                self.changes.advertised_net_port = Some(port(option, &value()?)?);
            }
            "--peer" => self.changes.peers.push(value()?),
            "--connections" => self.changes.connections = Some(natural(option, value()?)?),
            "--synchronisation-threshold" => {
                self.changes.synchronisation_threshold = Some(natural(option, value()?)?);
            }
            "--network" => {
                let network = value()?;
                if network != "sandbox" {
                    let wanted = "'sandbox', the only network of the stand-in";
                    let option = option.to_owned();
                    return Err(UsageError::InvalidValue { option, value: network, wanted });
                }
            }
            _ if IGNORED_WITH_VALUE.contains(&option) => {
                value()?;
            }
            _ => return Err(UsageError::UnknownOption { option: option.to_owned() }),
        }
        Ok(())
    }
}

/// `HOST:PORT`, `:PORT` or `PORT`; `localhost` and a missing host are the loopback interface.
fn address(option: &str, text: String) -> Result<std::net::SocketAddr, UsageError> {
    use std::net::{Ipv4Addr, SocketAddr};

    let local = |port: &str| {
        let port: u16 = port.parse().ok()?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    };
    let parsed = text.parse().ok().or_else(|| match text.strip_prefix("localhost") {
        Some(rest) => local(rest.strip_prefix(':')?),
        None => local(text.strip_prefix(':').unwrap_or(&text)),
    });
    let wanted = "an address ADDR:PORT";
    parsed.ok_or(UsageError::InvalidValue { option: option.to_owned(), value: text, wanted })
}

fn port(option: &str, text: &str) -> Result<u16, UsageError> {
    let (option, value, wanted) = (option.to_owned(), text.to_owned(), "a port");
    text.parse().map_err(|_| UsageError::InvalidValue { option, value, wanted })
}

fn natural(option: &str, text: String) -> Result<usize, UsageError> {
    let wanted = "an integer that is not negative";
    let invalid =
        || UsageError::InvalidValue { option: option.to_owned(), value: text.clone(), wanted };
    let number: u16 = text.parse().map_err(|_| invalid())?;
    Ok(usize::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, UsageError> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&args)
    }

    #[test]
    fn the_commands_of_tezt_are_understood() {
        let generate = parsed("identity generate --data-dir /d 0").unwrap();
        assert_eq!(generate, Command::IdentityGenerate { data_dir: "/d".into() });
        let init = parsed(
            "config init --data-dir /d --network sandbox --expected-pow 0 \
             --synchronisation-threshold 0 --private-mode --connections 1 --history-mode full \
             --peer 127.0.0.1:5 --peer=127.0.0.1:6#id",
        );
        let Ok(Command::Config { action: ConfigAction::Init, changes, .. }) = init else {
            panic!("{init:?}")
        };
        assert_eq!(changes.synchronisation_threshold, Some(0));
        assert_eq!(changes.private_mode, Some(true));
        assert_eq!(changes.connections, Some(1));
        assert_eq!(changes.peers, ["127.0.0.1:5", "127.0.0.1:6#id"]);
        let run = parsed(
            "run -d /d --net-addr 127.0.0.1:1 --metrics-addr 127.0.0.1:2 --rpc-addr localhost:3 \
             --max-active-rpc-connections 500 --allow-all-rpc 127.0.0.1:3 --singleprocess",
        );
        let Ok(Command::Run { changes, .. }) = run else { panic!("{run:?}") };
        assert_eq!(changes.net_addr, Some(([127, 0, 0, 1], 1).into()));
        assert_eq!(changes.rpc_addrs, [([127, 0, 0, 1], 3).into()]);
        assert_eq!(changes.metrics_addrs, [([127, 0, 0, 1], 2).into()]);
        assert_eq!(parsed("run --version"), Ok(Command::Version));
        assert_eq!(parsed("--help"), Ok(Command::Help));
    }

    #[test]
    fn other_command_lines_are_refused_with_the_reason() {
        for (line, message) in [
            ("", "required COMMAND name is missing"),
            ("walk", "unknown command 'walk'"),
            ("config", "must be one of"),
            ("config explode", "unknown command 'explode'"),
            ("config init --singleprocess", "unknown option '--singleprocess'"),
            ("run --fast", "unknown option '--fast'"),
            ("run --rpc-addr", "needs an argument"),
            ("run --rpc-addr here", "expected an address"),
            ("run --private-mode=yes", "cannot take the argument 'yes'"),
            ("run --synchronisation-threshold -1", "not negative"),
            ("run --network mainnet", "'sandbox'"),
            ("run now", "don't know what to do with 'now'"),
            ("identity generate hard", "floating-point"),
        ] {
            let error = parsed(line).expect_err(line).to_string();
            assert!(error.contains(message), "{line}: {error}");
        }
    }
}
