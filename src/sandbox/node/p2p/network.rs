//! The connections of a node: listening, dialling, keeping, closing.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use super::handshake;
use super::message::{Hello, Message};
use super::points::{Acl, Points, Refusal, octez_ip};
use super::session;
use crate::sandbox::hash::{ChainId, PeerId};
use crate::sandbox::node::data_dir::{DataDirError, PeersFile};
use crate::sandbox::node::shell::{Shell, State};
use crate::sandbox::node::worker::Worker;
use crate::sandbox::sink::{Level, Sink};

/// How often lost points are looked for.
const MAINTENANCE: Duration = Duration::from_millis(500);

/// The network part of a node; cheap to clone.
#[derive(Clone, Debug)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hello: Hello,
    max_connections: usize,
    peers_file: PeersFile,
    state: Mutex<Table>,
    shell: Shell,
    worker: Worker,
    sink: Sink,
}

#[derive(Debug)]
struct Table {
    points: Points,
    connections: HashMap<PeerId, Slot>,
    next_token: u64,
}

/// A peer that is connected or about to be.
#[derive(Debug)]
struct Slot {
    /// Tells this attempt from one that took its place.
    token: u64,
    incoming: bool,
    connection: Option<Connection>,
}

/// An open connection; cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection {
    pub peer: PeerId,
    /// Where the peer listens.
    pub point: SocketAddr,
    pub remote_port: u16,
    pub incoming: bool,
    pub private: bool,
    messages: mpsc::UnboundedSender<Message>,
    closing: Arc<Notify>,
}

impl Connection {
    pub fn send(&self, message: Message) {
        // The session may be ending: then nobody is there to be told.
        let _ = self.messages.send(message);
    }
}

/// The right to complete a handshake with this peer, or to give up.
#[derive(Debug)]
pub struct Reservation {
    peer: PeerId,
    token: u64,
}

/// What a connection is made of when its handshake is over.
#[derive(Debug)]
pub struct Established {
    pub stream: TcpStream,
    pub hello: Hello,
    pub point: SocketAddr,
    pub incoming: bool,
}

/// Why a point could not be connected to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{0}")]
    Refused(Refusal),
    #[error("cannot reach {point}")]
    Unreachable { point: SocketAddr, source: io::Error },
    #[error("no answer from {point} within {} s", after.as_secs())]
    TimedOut { point: SocketAddr, after: Duration },
    #[error("the handshake with {point} failed")]
    Handshake { point: SocketAddr, source: handshake::HandshakeError },
}

impl ConnectError {
    /// Octez's identifier of the error.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Refused(Refusal::AlreadyConnected) => "node.p2p_pool.connected",
            Self::Refused(Refusal::Pending) => "node.p2p_pool.pending_connection",
            Self::Refused(Refusal::PrivateMode) => "node.p2p_pool.private_mode",
            Self::Refused(Refusal::Banned) => "node.p2p_pool.point_banned",
            Self::Refused(Refusal::TooManyConnections) => "node.p2p_pool.too_many_connections",
            Self::Refused(Refusal::Myself) => "node.p2p_conn.myself",
            Self::Refused(Refusal::AnotherNetwork) => "node.p2p_pool.no_common_network",
            Self::Refused(Refusal::IdentityCheckFailure) => "node.p2p_pool.identity_check_failure",
            Self::Unreachable { .. } | Self::TimedOut { .. } => "node.p2p_pool.connection_refused",
            Self::Handshake { .. } => "node.p2p_pool.rejected",
        }
    }
}

/// Who this node is to its peers, and whom it may have.
#[derive(Debug)]
pub struct Settings {
    pub peer_id: PeerId,
    pub port: u16,
    pub private_mode: bool,
    pub max_connections: usize,
    /// `ADDR:PORT`, with the peer that must be there.
    pub bootstrap: Vec<(SocketAddr, Option<PeerId>)>,
    pub trusted_peers: Vec<PeerId>,
    pub peers_file: PeersFile,
}

impl Network {
    pub fn new(settings: Settings, shell: Shell, worker: Worker, sink: Sink) -> Self {
        let chain_id: ChainId = shell.with(|state| state.chain.id());
        let hello = Hello {
            peer_id: settings.peer_id,
            chain_name: "TEZOS".to_owned(),
            chain_id,
            port: settings.port,
            private: settings.private_mode,
        };
        let mut points = Points::new(settings.private_mode);
        for (addr, peer) in settings.bootstrap {
            points.add_bootstrap(addr, peer);
        }
        for peer in settings.trusted_peers {
            points.set_peer_acl(peer, Acl::Trust);
        }
        let state = Table { points, connections: HashMap::new(), next_token: 0 };
        let inner = Inner {
            hello,
            max_connections: settings.max_connections,
            peers_file: settings.peers_file,
            state: Mutex::new(state),
            shell,
            worker,
            sink,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Accepts peers, dials those that are wanted, and passes on what is new, until the node ends.
    pub fn start(&self, listener: TcpListener) {
        tokio::spawn(self.clone().accept(listener));
        tokio::spawn(self.clone().maintain());
        tokio::spawn(self.clone().spread_heads());
        tokio::spawn(self.clone().spread_operations());
    }

    pub fn hello(&self) -> &Hello {
        &self.inner.hello
    }

    pub fn shell(&self) -> &Shell {
        &self.inner.shell
    }

    pub fn worker(&self) -> &Worker {
        &self.inner.worker
    }

    fn with<R>(&self, look: impl FnOnce(&mut Table) -> R) -> R {
        // Every change is complete before anything in it could panic.
        look(&mut self.inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn with_points<R>(&self, look: impl FnOnce(&mut Points) -> R) -> R {
        self.with(|state| look(&mut state.points))
    }

    pub fn connections(&self) -> Vec<Connection> {
        self.with(|state| {
            state.connections.values().filter_map(|slot| slot.connection.clone()).collect()
        })
    }

    /// Closes the connection to this peer, for good; `false` if there is none.
    pub fn kick(&self, peer: &PeerId) -> bool {
        self.with(|state| {
            let connection = state.connections.get(peer).and_then(|slot| slot.connection.as_ref());
            let Some(connection) = connection else {
                return false;
            };
            connection.closing.notify_one();
            true
        })
    }

    /// Says what an operator thinks of a point; a ban also closes the connection.
    pub fn set_point_acl(&self, point: SocketAddr, acl: Acl) {
        self.with_points(|points| points.set_acl(point, acl));
        if acl == Acl::Ban {
            self.kick_where(|connection| connection.point == point);
        }
    }

    /// The same of a peer, wherever it is; trust is remembered in `peers.json`.
    pub fn set_peer_acl(&self, peer: PeerId, acl: Acl) -> Result<(), DataDirError> {
        let trusted = self.with_points(|points| {
            points.set_peer_acl(peer, acl);
            points.trusted_peers()
        });
        if acl == Acl::Ban {
            self.kick_where(|connection| connection.peer == peer);
        }
        self.inner.peers_file.write(&trusted)
    }

    fn kick_where(&self, wanted: impl Fn(&Connection) -> bool) {
        for connection in self.connections() {
            if wanted(&connection) {
                self.kick(&connection.peer);
            }
        }
    }

    async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    let network = self.clone();
                    tokio::spawn(async move {
                        if let Ok((reservation, made)) =
                            handshake::incoming(&network, stream, remote).await
                        {
                            network.run_session(reservation, made).await;
                        }
                    });
                }
                // Out of descriptors, most likely: others are being closed meanwhile.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Connects to this point; returns once the peer has agreed.
    pub async fn connect(&self, point: SocketAddr, timeout: Duration) -> Result<(), ConnectError> {
        self.with(|state| {
            let connected = |slot: &Slot| slot.connection.as_ref().map(|open| open.point);
            if state.connections.values().any(|slot| connected(slot) == Some(point)) {
                return Err(Refusal::AlreadyConnected);
            }
            state.points.may_dial(&point)
        })
        .map_err(ConnectError::Refused)?;
        let attempt = tokio::time::timeout(timeout, handshake::outgoing(self, point)).await;
        let (reservation, made) = match attempt {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(ConnectError::TimedOut { point, after: timeout }),
        };
        let network = self.clone();
        tokio::spawn(async move { network.run_session(reservation, made).await });
        Ok(())
    }

    async fn maintain(self) {
        let mut ticks = tokio::time::interval(MAINTENANCE);
        loop {
            ticks.tick().await;
            for point in self.with_points(|points| points.due(Instant::now())) {
                match self.connect(point, handshake::TIMEOUT).await {
                    Ok(()) | Err(ConnectError::Refused(Refusal::AlreadyConnected)) => {}
                    Err(_) => {
                        self.with_points(|points| points.unreachable(&point, Instant::now()));
                    }
                }
            }
        }
    }

    /// Takes the place of this peer among the connections, or says why there is none. When both sides dial at once, the
    /// dial of the one with the lower identifier counts, on either side.
    pub fn reserve(
        &self,
        hello: &Hello,
        point: &SocketAddr,
        incoming: bool,
    ) -> Result<Reservation, Refusal> {
        let own = &self.inner.hello;
        if hello.peer_id == own.peer_id {
            return Err(Refusal::Myself);
        }
        if (&hello.chain_name, hello.chain_id) != (&own.chain_name, own.chain_id) {
            return Err(Refusal::AnotherNetwork);
        }
        let peer = hello.peer_id;
        let preferred = incoming == (peer < own.peer_id);
        self.with(|state| {
            state.points.may_connect(point, &peer)?;
            match state.connections.get(&peer) {
                Some(Slot { connection: Some(_), .. }) => return Err(Refusal::AlreadyConnected),
                Some(slot) if slot.incoming == incoming || !preferred => {
                    return Err(Refusal::Pending);
                }
                None if state.connections.len() >= self.inner.max_connections => {
                    return Err(Refusal::TooManyConnections);
                }
                Some(_) | None => {}
            }
            let token = state.next_token;
            state.next_token += 1;
            state.connections.insert(peer, Slot { token, incoming, connection: None });
            Ok(Reservation { peer, token })
        })
    }

    /// Gives a reserved place back.
    pub fn release(&self, reservation: &Reservation) {
        self.with(|state| {
            let held = state.connections.get(&reservation.peer);
            if held.is_some_and(|slot| slot.token == reservation.token) {
                state.connections.remove(&reservation.peer);
            }
        });
    }

    async fn run_session(&self, reservation: Reservation, made: Established) {
        let Established { stream, hello, point, incoming } = made;
        let (messages, outbox) = mpsc::unbounded_channel();
        let remote_port = stream.peer_addr().map_or(0, |addr| addr.port());
        let connection = Connection {
            peer: hello.peer_id,
            point,
            remote_port,
            incoming,
            private: hello.private,
            messages,
            closing: Arc::default(),
        };
        let opened = self.with(|state| {
            let slot = state.connections.get_mut(&reservation.peer);
            let Some(slot) = slot.filter(|slot| slot.token == reservation.token) else {
                return false;
            };
            slot.connection = Some(connection.clone());
            state.points.connected(point, hello.peer_id);
            true
        });
        if !opened {
            return;
        }
        self.tell_connected(&connection).await;
        let ended = session::run(self, stream, &connection, outbox).await;
        let kicked = ended == session::Ended::Kicked;
        self.with_points(|points| points.disconnected(&point, kicked, Instant::now()));
        self.release(&reservation);
        // A node that is shutting down need not say that its peers are gone.
        let _ = self.inner.worker.disconnected(connection.peer).await;
    }

    async fn tell_connected(&self, connection: &Connection) {
        let value = serde_json::json!({
            "addr": octez_ip(connection.point.ip()),
            "port": connection.point.port(),
            "peer": connection.peer,
        });
        let section = ["p2p", "connect_handler"];
        self.inner.sink.emit(Level::Info, &section, "new_connection", &value).await;
        // A node that is shutting down need not say that it has peers.
        let _ = self.inner.worker.connected(connection.peer).await;
    }

    async fn spread_heads(self) {
        let mut heads = self.inner.shell.with(State::subscribe_heads);
        while let Some(head) = heads.recv().await {
            for connection in self.connections() {
                connection.send(session::head_message(&head));
            }
        }
    }

    async fn spread_operations(self) {
        let mut news = self.inner.shell.with(State::subscribe_operations);
        while let Some(pending) = news.recv().await {
            for connection in self.connections() {
                connection.send(session::operations_message([&pending]));
            }
        }
    }
}

impl Connection {
    /// Waits until somebody wants the connection closed.
    pub(super) async fn closing(&self) {
        self.closing.notified().await;
    }
}
