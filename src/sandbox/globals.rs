//! The options that stand before the command of `octez-client`, `octez-admin-client` and `octez-accuser`
//! (`src/lib_client_base_unix/client_config.ml`).

use std::path::PathBuf;

use super::console;
use super::rpc_client::Endpoint;

/// The options the stand-ins heed; the others are read and have no effect here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Globals {
    pub endpoint: Endpoint,
    /// Exists if it was given on the command line.
    pub base_dir: PathBuf,
    pub chain: String,
    pub block: String,
    /// The hash (or its beginning) or name of a protocol.
    pub protocol: Option<String>,
}

/// What the options ask for.
#[derive(Debug)]
pub enum Request<'a> {
    Version,
    Help,
    /// The command and its own arguments.
    Command(Globals, &'a [String]),
}

/// Why the options are of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobalsError {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error("Specified --base-dir does not exist. Please create the directory and try again.")]
    NoBaseDir,
}

/// A command line that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

const FLAGS: &[&str] = &[
    "-n",
    "--no-base-dir-warnings",
    "-t",
    "--timings",
    "-l",
    "--log-requests",
    "--better-errors",
    "--allow-fixed-random-seed",
];

const WITH_VALUE: &[&str] = &[
    "-d",
    "--base-dir",
    "-c",
    "--config-file",
    "--chain",
    "-b",
    "--block",
    "-w",
    "--wait",
    "-p",
    "--protocol",
    "-A",
    "--addr",
    "-P",
    "--port",
    "-m",
    "--media-type",
    "-E",
    "--endpoint",
    "-s",
    "--sources",
    "-R",
    "--remote-signer",
    "-f",
    "--password-filename",
    "-M",
    "--mode",
    "--log-coloring",
];

/// Reads the options up to the command.
pub fn parse(args: &[String]) -> Result<Request<'_>, GlobalsError> {
    let mut given = Given::default();
    let mut rest = args;
    while let [option, after @ ..] = rest {
        if !option.starts_with('-') {
            break;
        }
        rest = after;
        match option.as_str() {
            "--version" => return Ok(Request::Version),
            "--help" | "-h" => return Ok(Request::Help),
            "-S" | "--tls" => return Err(UsageError("the sandbox has no TLS".to_owned()).into()),
            flag if FLAGS.contains(&flag) => {}
            valued if WITH_VALUE.contains(&valued) => {
                let [value, after @ ..] = rest else {
                    return Err(UsageError(format!("Missing argument for option {option}")).into());
                };
                rest = after;
                given.set(valued, value)?;
            }
            _ => return Err(UsageError(format!("Unexpected option {option}")).into()),
        }
    }
    Ok(Request::Command(given.globals()?, rest))
}

#[derive(Default)]
struct Given {
    endpoint: Option<Endpoint>,
    addr: Option<String>,
    port: Option<u16>,
    base_dir: Option<PathBuf>,
    chain: Option<String>,
    block: Option<String>,
    protocol: Option<String>,
}

impl Given {
    fn set(&mut self, option: &str, value: &str) -> Result<(), GlobalsError> {
        match option {
            "-E" | "--endpoint" => self.endpoint = Some(endpoint(value)?),
            "-A" | "--addr" => self.addr = Some(value.to_owned()),
            "-P" | "--port" => {
                let bad = |_| UsageError(format!("{value} is not a port"));
                self.port = Some(value.parse().map_err(bad)?);
            }
            "-d" | "--base-dir" => self.base_dir = Some(existing(value)?),
            "--chain" => self.chain = Some(value.to_owned()),
            "-b" | "--block" => self.block = Some(value.to_owned()),
            "-p" | "--protocol" => self.protocol = Some(value.to_owned()),
            "-m" | "--media-type" if !["json", "binary", "any"].contains(&value) => {
                let text = format!("{value} is not a media type: json, binary or any");
                return Err(UsageError(text).into());
            }
            _ => {}
        }
        Ok(())
    }

    fn globals(self) -> Result<Globals, UsageError> {
        let endpoint = match (self.endpoint, self.addr, self.port) {
            (Some(given), None, None) => given,
            (Some(_), _, _) => {
                let text = "--endpoint cannot be used together with --addr or --port";
                return Err(UsageError(text.to_owned()));
            }
            (None, addr, port) => {
                let addr = addr.unwrap_or_else(|| "localhost".to_owned());
                endpoint(&format!("http://{addr}:{}", port.unwrap_or(8732)))?
            }
        };
        Ok(Globals {
            endpoint,
            base_dir: self.base_dir.unwrap_or_else(default_base_dir),
            chain: self.chain.unwrap_or_else(|| "main".to_owned()),
            block: self.block.unwrap_or_else(|| "head".to_owned()),
            protocol: self.protocol,
        })
    }
}

fn endpoint(text: &str) -> Result<Endpoint, UsageError> {
    Endpoint::parse(text).map_err(|error| UsageError(error.to_string()))
}

fn existing(base_dir: &str) -> Result<PathBuf, GlobalsError> {
    let path = PathBuf::from(base_dir);
    if path.is_dir() { Ok(path) } else { Err(GlobalsError::NoBaseDir) }
}

fn default_base_dir() -> PathBuf {
    match std::env::var_os("TEZOS_CLIENT_DIR") {
        Some(dir) => dir.into(),
        None => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".tezos-client"),
    }
}

/// What `--version` prints.
pub fn print_version() {
    console::out(&format!(
        "{} ({}) (Octez {} (build: 0))",
        super::COMMIT,
        super::COMMIT_DATE,
        super::VERSION
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_before_the_command_are_the_programs_and_the_rest_the_commands() {
        let args = args("-E http://127.0.0.1:18731 -n --base-dir /tmp -w none run -P 4");
        let Ok(Request::Command(globals, rest)) = parse(&args) else { panic!("a command") };
        assert_eq!(globals.endpoint.to_string(), "http://127.0.0.1:18731");
        assert_eq!(globals.base_dir, PathBuf::from("/tmp"));
        assert_eq!(rest, ["run", "-P", "4"]);
    }

    #[test]
    fn without_options_the_endpoint_is_the_default_one() {
        let args = args("-P 18000 run");
        let Ok(Request::Command(globals, _)) = parse(&args) else { panic!("a command") };
        assert_eq!(globals.endpoint.to_string(), "http://localhost:18000");
        let Ok(Request::Command(globals, rest)) = parse(&[]) else { panic!("a command") };
        assert_eq!(globals.endpoint.to_string(), "http://localhost:8732");
        assert!(rest.is_empty());
    }

    #[test]
    fn version_and_help_come_before_anything_else() {
        assert!(matches!(parse(&args("--version run")), Ok(Request::Version)));
        assert!(matches!(parse(&args("-n --help")), Ok(Request::Help)));
    }

    #[test]
    fn bad_options_are_refused() {
        for text in [
            "--nonsense run",
            "-E",
            "-E ftp://x run",
            "-E http://x -P 1 run",
            "-P many run",
            "-m xml run",
            "-S run",
        ] {
            assert!(parse(&args(text)).is_err(), "{text}");
        }
        let error = parse(&args("-d /does/not/exist run")).unwrap_err();
        assert!(error.to_string().starts_with("Specified --base-dir does not exist."));
    }
}
