//! Making a connection: both sides say who they are, then whether they agree.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::message::{self, FrameError, Hello, MAX_HANDSHAKE_FRAME, Verdict};
use super::network::{ConnectError, Established, Network, Reservation};

/// How long the other side may take (`authentication-timeout` is 5 s in Octez).
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Why two nodes did not agree.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("the other side does not speak the protocol")]
    Frame(#[from] FrameError),
    #[error("the other side refused: {reason}")]
    Refused { reason: String },
    #[error("the other side took longer than {} s", TIMEOUT.as_secs())]
    TimedOut,
    #[error("refused: {0}")]
    Unwanted(super::points::Refusal),
}

/// Dials a point.
pub async fn outgoing(
    network: &Network,
    point: SocketAddr,
) -> Result<(Reservation, Established), ConnectError> {
    let unreachable = |source| ConnectError::Unreachable { point, source };
    let mut stream = TcpStream::connect(point).await.map_err(unreachable)?;
    match agree(network, &mut stream, Some(point), false).await {
        Ok((reservation, hello)) => {
            Ok((reservation, Established { stream, hello, point, incoming: false }))
        }
        Err(HandshakeError::Unwanted(refusal)) => Err(ConnectError::Refused(refusal)),
        Err(source) => Err(ConnectError::Handshake { point, source }),
    }
}

/// Answers a dial; whoever does not speak the protocol is told so before the connection is closed.
pub async fn incoming(
    network: &Network,
    mut stream: TcpStream,
    remote: SocketAddr,
) -> Result<(Reservation, Established), HandshakeError> {
    let agreed = tokio::time::timeout(TIMEOUT, agree(network, &mut stream, None, true)).await;
    match agreed.unwrap_or(Err(HandshakeError::TimedOut)) {
        Ok((reservation, hello)) => {
            let point = SocketAddr::new(remote.ip().to_canonical(), hello.port);
            Ok((reservation, Established { stream, hello, point, incoming: true }))
        }
        Err(error) => {
            let reason = error.to_string();
            // The other side may be gone already.
            let _ = message::write(&mut stream, &Verdict::Refused { reason }).await;
            Err(error)
        }
    }
}

/// The exchange, the same for both sides. `dialled` is where the peer listens, if we know better than it says.
async fn agree(
    network: &Network,
    stream: &mut TcpStream,
    dialled: Option<SocketAddr>,
    incoming: bool,
) -> Result<(Reservation, Hello), HandshakeError> {
    message::write(stream, network.hello()).await?;
    let hello: Hello = message::read(stream, MAX_HANDSHAKE_FRAME).await?;
    let remote = stream.peer_addr().map_err(FrameError::Io)?;
    let point = dialled.unwrap_or_else(|| SocketAddr::new(remote.ip().to_canonical(), hello.port));
    let reservation =
        network.reserve(&hello, &point, incoming).map_err(HandshakeError::Unwanted)?;
    let held = Held { network, reservation: Some(reservation) };
    message::write(stream, &Verdict::Accepted).await?;
    match message::read(stream, MAX_HANDSHAKE_FRAME).await? {
        Verdict::Accepted => Ok((held.keep(), hello)),
        Verdict::Refused { reason } => Err(HandshakeError::Refused { reason }),
    }
}

/// A reservation that is given back unless the handshake succeeds, also when it is cut short by a timeout.
struct Held<'a> {
    network: &'a Network,
    reservation: Option<Reservation>,
}

impl Held<'_> {
    fn keep(mut self) -> Reservation {
        self.reservation.take().expect("it is taken out once")
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            self.network.release(&reservation);
        }
    }
}
