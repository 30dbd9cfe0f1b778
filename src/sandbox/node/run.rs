//! A node from its start to its end.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use serde_json::json;
use tokio::net::TcpListener;

use super::chain::Chain;
use super::config::{Changes, Config, ConfigFile};
use super::data_dir::{self, NodeIdentity, PeersFile};
use super::identity;
use super::metrics;
use super::p2p::Network;
use super::p2p::network::Settings;
use super::p2p::points::octez_ip;
use super::rpc::server::{self, Services};
use super::shell::{Shell, Synchronisation};
use super::start::{EXIT_ERROR, StartError, fail};
use super::store::Store;
use super::worker::Worker;
use crate::sandbox::COMMIT;
use crate::sandbox::hash::PeerId;
use crate::sandbox::signals::{self, Wrappers};
use crate::sandbox::sink::{Level, NoFields, Sink};

const MAIN: [&str; 2] = ["node", "main"];
const IDENTITY: [&str; 2] = ["node", "identity"];
const VALIDATION: [&str; 3] = ["node", "config", "validation"];
const VALIDATOR: [&str; 2] = ["node", "validator"];
const CHAIN: [&str; 2] = ["validator", "chain"];

/// Runs a node until a signal ends it.
pub(super) fn run(exe: &str, data_dir: &Path, changes: &Changes) -> ExitCode {
    raise_descriptor_limit();
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
    signals::supervise(exe, Wrappers::One, node, async || {
        if let Some(sink) = sink.get() {
            shut_down(sink).await;
        }
    })
}

/// Takes all the descriptors it may have: each client that waits on a stream needs one.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without them it serves fewer clients at once; the others wait.
    let _ = setrlimit(Resource::Nofile, limit);
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
    data_dir::prepare(data_dir)?;
    sink.keep_daily_log(&data_dir.join("daily_logs")).await?;
    sink.emit(Level::Notice, &VALIDATION, "config_validation_success", &NoFields {}).await;

    let lock = data_dir::lock(data_dir)?;
    let own = read_or_generate_identity(sink, data_dir).await?;
    let peers_file = PeersFile::of(data_dir);
    let settings = Settings {
        peer_id: own.peer_id,
        port: config.advertised_net_port,
        private_mode: config.private_mode,
        max_connections: config.max_connections,
        bootstrap,
        trusted_peers: peers_file.open()?,
        peers_file,
    };
    tell_starting(sink).await;

    let (store, mut chain) = open_store(data_dir)?;
    chain.set_upgrades(config.upgrades.clone());
    let (shell, worker) = start_shell(sink, &config, store, chain);
    let listener = listen("peers", config.net_addr).await?;
    let network = Network::new(settings, shell.clone(), worker.clone(), sink.clone());
    tell_network_and_chain(sink, &shell).await;
    network.start(listener);

    open_metrics(sink, &config, &shell).await?;
    let services = Services { shell, worker, network, config: file, sink: sink.clone() };
    open_rpc(sink, &config, services).await?;
    sink.emit(Level::Notice, &MAIN, "node_is_ready", &NoFields {}).await;
    Ok(lock)
}

async fn read_or_generate_identity(
    sink: &Sink,
    data_dir: &Path,
) -> Result<NodeIdentity, StartError> {
    if let Some(identity) = NodeIdentity::read(data_dir)? {
        sink.emit(Level::Notice, &IDENTITY, "read_identity", &identity.peer_id).await;
        return Ok(identity);
    }
    sink.emit(Level::Notice, &IDENTITY, "generating_identity", &NoFields {}).await;
    let identity = NodeIdentity::generate(data_dir)?;
    sink.emit(Level::Notice, &IDENTITY, "identity_generated", &identity.peer_id).await;
    Ok(identity)
}

async fn tell_starting(sink: &Sink) {
    let starting = json!({
        "chain": "TEZOS",
        "version": identity::octez_version(),
        "git_info": COMMIT,
    });
    sink.emit(Level::Notice, &MAIN, "starting_node", &starting).await;
}

fn open_store(data_dir: &Path) -> Result<(Store, Chain), StartError> {
    let path = data_dir::store_path(data_dir)?;
    Store::open(&path).map_err(|source| StartError::Store { path, source })
}

fn start_shell(sink: &Sink, config: &Config, store: Store, chain: Chain) -> (Shell, Worker) {
    let threshold = config.synchronisation_threshold;
    let synced = threshold == 0;
    let synchronisation = Synchronisation { bootstrapped: synced, synced };
    let shell = Shell::new(chain, store, synchronisation);
    let worker = Worker::start(shell.clone(), sink.clone(), threshold);
    (shell, worker)
}

async fn tell_network_and_chain(sink: &Sink, shell: &Shell) {
    sink.emit(Level::Notice, &MAIN, "disabled_discovery_addr", &NoFields {}).await;
    for stage in ["bootstrapping", "p2p_maintenance_started"] {
        sink.emit(Level::Notice, &["node"], "p2p-initialization", stage).await;
    }
    let (chain, synchronisation) = shell.with(|state| (state.chain.id(), state.synchronisation()));
    sink.emit(Level::Notice, &VALIDATOR, "activate_chain", &chain).await;
    if synchronisation.bootstrapped {
        sink.emit(Level::Notice, &CHAIN, "bootstrapped", &NoFields {}).await;
    }
    let status = synchronisation.word();
    sink.emit(Level::Notice, &CHAIN, "synchronisation_status", status).await;
}

async fn open_metrics(sink: &Sink, config: &Config, shell: &Shell) -> Result<(), StartError> {
    for addr in &config.metrics_addrs {
        let listener = listen("metrics", *addr).await?;
        let value = json!({ "host": addr.ip(), "port": addr.port() });
        sink.emit(Level::Notice, &MAIN, "starting_metrics_server", &value).await;
        tokio::spawn(metrics::serve(shell.clone(), listener));
    }
    Ok(())
}

/// The last step, so that whoever is answered finds everything else in place.
async fn open_rpc(sink: &Sink, config: &Config, services: Services) -> Result<(), StartError> {
    let services = Arc::new(services);
    for addr in &config.rpc_addrs {
        let listener = listen("RPC", *addr).await?;
        let value = json!({
            "host": octez_ip(addr.ip()),
            "port": addr.port(),
            "acl_policy": "AllowAll",
        });
        sink.emit(Level::Notice, &MAIN, "starting_local_rpc_server", &value).await;
        tokio::spawn(server::serve(Arc::clone(&services), listener));
    }
    Ok(())
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
    sink.emit(Level::Notice, &MAIN, "shutting_down_node", &NoFields {}).await;
    sink.emit(Level::Info, &MAIN, "shutting_down_local_rpc_server", &NoFields {}).await;
    sink.emit(Level::Notice, &MAIN, "bye", &signals::EXIT_SIGNALLED).await;
}
