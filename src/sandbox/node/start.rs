//! The program: from the command line to a running node, and to its end.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::command::{self, Command, ConfigAction};
use super::config::{Changes, Config, ConfigError, ConfigFile};
use super::data_dir::{self, DataDirError, NodeIdentity};
use super::identity;
use super::p2p::Network;
use super::p2p::network::Settings;
use super::p2p::points::octez_ip;
use super::rpc::server::{self, Services};
use super::shell::{Shell, Synchronisation};
use super::store::Store;
use super::worker::Worker;
use crate::sandbox::hash::PeerId;
use crate::sandbox::sink::{Level, Sink, SinkError};
use crate::sandbox::{COMMIT, COMMIT_DATE, VERSION, signals};

/// Exit code of any error that is told on stderr (cmdliner's `cli_error`).
const EXIT_ERROR: u8 = 124;

const MAIN: [&str; 2] = ["node", "main"];
const IDENTITY: [&str; 2] = ["node", "identity"];
const CHAIN: [&str; 2] = ["validator", "chain"];

/// Why the node did not do what it was called for.
#[derive(Debug, thiserror::Error)]
enum StartError {
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

fn run(exe: &str, data_dir: &Path, changes: &Changes) -> ExitCode {
    let sink = OnceLock::new();
    let node = async {
        match start(&sink, data_dir, changes).await {
            // The lock is held until the process ends.
            Ok(_lock) => std::future::pending().await,
            Err(error) => {
                fail(&error);
                EXIT_ERROR
            }
        }
    };
    signals::supervise(exe, node, async || {
        if let Some(sink) = sink.get() {
            shut_down(sink).await;
        }
    })
}

/// Brings the node up to `node_is_ready`, telling of each step as Octez does.
async fn start(
    shared_sink: &OnceLock<Sink>,
    data_dir: &Path,
    changes: &Changes,
) -> Result<data_dir::Lock, StartError> {
    let sink = Sink::from_env().await?;
    let sink = shared_sink.get_or_init(|| sink);
    let file = ConfigFile::read(data_dir)?.with(data_dir, changes);
    let config = file.resolve()?;
    let bootstrap = config.peers.iter().map(|peer| parse_peer(peer)).collect::<Result<_, _>>()?;
    let validation = ["node", "config", "validation"];
    sink.emit(Level::Notice, &validation, "config_validation_success", &json!({})).await;

    data_dir::prepare(data_dir)?;
    let lock = data_dir::lock(data_dir)?;
    let own = read_or_generate_identity(sink, data_dir).await?;
    let starting = json!({
        "chain": "TEZOS",
        "version": identity::octez_version(),
        "git_info": COMMIT,
    });
    sink.emit(Level::Notice, &MAIN, "starting_node", &starting).await;

    let store_path = data_dir::store_path(data_dir)?;
    let opened = Store::open(&store_path);
    let (store, chain) = opened.map_err(|source| StartError::Store { path: store_path, source })?;
    let synced = config.synchronisation_threshold == 0;
    let synchronisation = Synchronisation { bootstrapped: synced, synced };
    let chain_id = chain.id();
    let shell = Shell::new(chain, store, synchronisation);
    let worker = Worker::start(shell.clone(), sink.clone(), config.synchronisation_threshold);

    let peers = listen("peers", config.net_addr).await?;
    let mut rpc_listeners = Vec::new();
    for addr in &config.rpc_addrs {
        rpc_listeners.push(listen("RPC", *addr).await?);
    }
    let settings = Settings {
        peer_id: own.peer_id,
        port: config.advertised_net_port,
        private_mode: config.private_mode,
        max_connections: config.max_connections,
        bootstrap,
    };
    let network = Network::new(settings, shell.clone(), worker.clone(), sink.clone());
    sink.emit(Level::Notice, &MAIN, "disabled_discovery_addr", &json!({})).await;
    for stage in ["bootstrapping", "p2p_maintenance_started"] {
        sink.emit(Level::Notice, &["node"], "p2p-initialization", &json!(stage)).await;
    }
    sink.emit(Level::Notice, &["node", "validator"], "activate_chain", &json!(chain_id)).await;
    if synced {
        sink.emit(Level::Notice, &CHAIN, "bootstrapped", &json!({})).await;
    }
    let status = json!(synchronisation.word());
    sink.emit(Level::Notice, &CHAIN, "synchronisation_status", &status).await;
    network.start(peers);

    let services = Arc::new(Services { shell, worker, network, config: file, sink: sink.clone() });
    open_rpc(sink, &config, services, rpc_listeners).await;
    sink.emit(Level::Notice, &MAIN, "node_is_ready", &json!({})).await;
    Ok(lock)
}

async fn open_rpc(
    sink: &Sink,
    config: &Config,
    services: Arc<Services>,
    listeners: Vec<TcpListener>,
) {
    for (addr, listener) in config.rpc_addrs.iter().zip(listeners) {
        let value = json!({
            "host": octez_ip(addr.ip()),
            "port": addr.port(),
            "acl_policy": "AllowAll",
        });
        sink.emit(Level::Notice, &MAIN, "starting_local_rpc_server", &value).await;
        tokio::spawn(server::serve(Arc::clone(&services), listener));
    }
}

async fn read_or_generate_identity(
    sink: &Sink,
    data_dir: &Path,
) -> Result<NodeIdentity, StartError> {
    if let Some(identity) = NodeIdentity::read(data_dir)? {
        sink.emit(Level::Notice, &IDENTITY, "read_identity", &json!(identity.peer_id)).await;
        return Ok(identity);
    }
    sink.emit(Level::Notice, &IDENTITY, "generating_identity", &json!({})).await;
    let identity = NodeIdentity::generate(data_dir)?;
    sink.emit(Level::Notice, &IDENTITY, "identity_generated", &json!(identity.peer_id)).await;
    Ok(identity)
}

async fn listen(what: &'static str, addr: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(addr).await.map_err(|source| StartError::Listen { what, addr, source })
}

/// `ADDR:PORT`, with the peer that must be there after a `#`.
fn parse_peer(text: &str) -> Result<(SocketAddr, Option<PeerId>), StartError> {
    let invalid = || StartError::Peer { peer: text.to_owned() };
    let (addr, peer) = match text.split_once('#') {
        Some((addr, peer)) => (addr, Some(peer.parse().map_err(|_| invalid())?)),
        None => (text, None),
    };
    let addr = addr.replace("localhost:", "127.0.0.1:").parse().map_err(|_| invalid())?;
    Ok((addr, peer))
}

async fn shut_down(sink: &Sink) {
    let tell = async |level: Level, name: &str, value: Value| {
        sink.emit(level, &MAIN, name, &value).await;
    };
    tell(Level::Notice, "shutting_down_node", json!({})).await;
    tell(Level::Info, "shutting_down_local_rpc_server", json!({})).await;
    tell(Level::Notice, "bye", json!(signals::EXIT_SIGNALLED)).await;
}

/// Tells an error with its causes on stderr.
fn fail(error: &StartError) -> ExitCode {
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
