//! The program: what the command line asks for, and what is told when it cannot be done.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::command::{self, Command, ConfigAction};
use super::config::{Changes, ConfigError, ConfigFile};
use super::data_dir::{self, DataDirError, NodeIdentity};
use super::run::run;
use crate::sandbox::sink::SinkError;
use crate::sandbox::{COMMIT, COMMIT_DATE, VERSION};

/// Exit code of any error that is told on stderr (cmdliner's `cli_error`).
pub(super) const EXIT_ERROR: u8 = 124;

/// Why the node did not do what it was called for.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("cannot initialise the event sinks")]
    Sink(#[from] SinkError),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the configuration file {path} exists already; use `config reset` or `config update`")]
    ConfigExists { path: PathBuf },
    #[error("{peer:?} is no peer: ADDR:PORT or ADDR:PORT#PEER was expected")]
    Peer { peer: String },
    #[error("cannot open the store {path}")]
    Store { path: PathBuf, source: io::Error },
    #[error("cannot listen for {what} on {addr}")]
    Listen { what: &'static str, addr: SocketAddr, source: io::Error },
}

/// Is `octez-node` until it ends. `exe` is how the program calls itself.
pub fn main(exe: &str, args: &[String]) -> ExitCode {
    let command = match command::parse(args) {
        Ok(command) => command,
        Err(error) => {
            let hint = "Usage: octez-node COMMAND …\nTry 'octez-node --help' for more information.";
            tell(&format!("octez-node: {error}\n{hint}"));
            return EXIT_ERROR.into();
        }
    };
    match command {
        Command::Run { data_dir, changes } => run(exe, &data_dir, &changes),
        other => match answer(other) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
    }
}

/// The commands that do not run a node.
fn answer(command: Command) -> Result<(), StartError> {
    match command {
        Command::Version => {
            print(&format!("{COMMIT} ({COMMIT_DATE}) (Octez {VERSION} (build: 0))\n"));
        }
        Command::Help => print(command::HELP),
        Command::IdentityGenerate { data_dir } => generate_identity(&data_dir)?,
        Command::IdentityShow { data_dir } => match NodeIdentity::read(&data_dir)? {
            Some(identity) => print(&format!("Peer_id: {}.\n", identity.peer_id)),
            None => return Err(DataDirError::NoIdentity { path: data_dir }.into()),
        },
        Command::Config { action, data_dir, changes } => configure(action, &data_dir, &changes)?,
        Command::Run { .. } => {}
    }
    Ok(())
}

fn generate_identity(data_dir: &Path) -> Result<(), StartError> {
    data_dir::prepare(data_dir)?;
    let path = NodeIdentity::path(data_dir);
    if path.exists() {
        return Err(DataDirError::IdentityExists { path }.into());
    }
    let identity = NodeIdentity::generate(data_dir)?;
    tell(&format!(
        "Generating a new identity... (level: 0.00) Stored the new identity ({}) into '{}'.",
        identity.peer_id,
        path.display(),
    ));
    Ok(())
}

fn configure(action: ConfigAction, data_dir: &Path, changes: &Changes) -> Result<(), StartError> {
    let path = ConfigFile::path(data_dir);
    let write = |file: ConfigFile, done: &str| {
        data_dir::prepare(data_dir)?;
        let file = file.with(data_dir, changes);
        file.resolve()?;
        file.write(data_dir)?;
        tell(&format!("{done} {} for network: sandbox.", path.display()));
        Ok(())
    };
    match action {
        ConfigAction::Init if path.exists() => Err(StartError::ConfigExists { path }),
        ConfigAction::Init => write(ConfigFile::default(), "Created"),
        ConfigAction::Reset => write(ConfigFile::default(), "Reset"),
        ConfigAction::Update => write(ConfigFile::read(data_dir)?, "Updated"),
        ConfigAction::Show => {
            let file = ConfigFile::read(data_dir)?.with(data_dir, changes);
            print(&format!("{:#}\n", file.to_json()));
            Ok(())
        }
        ConfigAction::Validate => {
            ConfigFile::read(data_dir)?.with(data_dir, changes).resolve()?;
            Ok(())
        }
    }
}

/// Tells an error with its causes on stderr.
pub(super) fn fail(error: &StartError) -> ExitCode {
    let causes =
        std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let trace: Vec<String> = causes.map(ToString::to_string).collect();
    tell(&format!("octez-node: {}", trace.join(": ")));
    EXIT_ERROR.into()
}

fn tell(line: &str) {
    // Nobody can be told when stderr itself is gone.
    let _ = writeln!(io::stderr(), "{line}");
}

fn print(text: &str) {
    // A reader that has gone has seen enough.
    let _ = io::stdout().write_all(text.as_bytes());
}
