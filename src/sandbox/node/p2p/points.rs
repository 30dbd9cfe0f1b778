//! Who may connect: trust, bans, private mode, and who is to be dialled again. Pure decisions.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::sandbox::hash::PeerId;

/// What an operator has said about a point or a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acl {
    #[default]
    Open,
    Trust,
    Ban,
}

impl Acl {
    /// Reads the word of `PATCH /network/points`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "open" => Some(Self::Open),
            "trust" => Some(Self::Trust),
            "ban" => Some(Self::Ban),
            _ => None,
        }
    }
}

/// `::ffff:127.0.0.1`, as Octez prints an IPv4 address.
pub fn octez_ip(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("::ffff:{ip}"),
        IpAddr::V6(ip) => ip.to_string(),
    }
}

/// Why there is to be no connection (`src/lib_p2p/p2p_errors.ml`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this is the node itself")]
    Myself,
    #[error("already connected")]
    AlreadyConnected,
    #[error("a connection is being made already")]
    Pending,
    #[error("the point is not trusted, and the node is in private mode")]
    PrivateMode,
    #[error("banned")]
    Banned,
    #[error("too many connections")]
    TooManyConnections,
    #[error("another network")]
    AnotherNetwork,
    #[error("another peer than the expected one")]
    IdentityCheckFailure,
}

/// Delays between attempts to reach a point: Octez begins with one second and goes on slower.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(10);

/// What is known of one address.
#[derive(Clone, Debug, Default)]
pub struct Point {
    pub acl: Acl,
    /// Named by `--peer`: dialled from the start, and trusted.
    bootstrap: bool,
    pub expected_peer: Option<PeerId>,
    /// The peer that was connected here last.
    pub last_peer: Option<PeerId>,
    pub is_connected: bool,
    /// Dial it again: it is a bootstrap point, or trusted and was lost.
    wanted: bool,
    retry: Option<(Instant, Duration)>,
}

impl Point {
    pub fn is_trusted(&self) -> bool {
        self.bootstrap || self.acl == Acl::Trust
    }
}

/// Every address and peer that the node has heard of.
#[derive(Debug, Default)]
pub struct Points {
    private_mode: bool,
    known: BTreeMap<SocketAddr, Point>,
    peers: BTreeMap<PeerId, Acl>,
}

impl Points {
    pub fn new(private_mode: bool) -> Self {
        Self { private_mode, ..Self::default() }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&SocketAddr, &Point)> {
        self.known.iter()
    }

    pub fn get(&self, addr: &SocketAddr) -> Option<&Point> {
        self.known.get(addr)
    }

    pub fn peer_acl(&self, peer: &PeerId) -> Acl {
        self.peers.get(peer).copied().unwrap_or_default()
    }

    pub fn trusted_peers(&self) -> Vec<PeerId> {
        let trusted = self.peers.iter().filter(|(_, acl)| **acl == Acl::Trust);
        trusted.map(|(peer, _)| *peer).collect()
    }

    pub fn set_peer_acl(&mut self, peer: PeerId, acl: Acl) {
        self.peers.insert(peer, acl);
    }

    pub fn add_bootstrap(&mut self, addr: SocketAddr, expected_peer: Option<PeerId>) {
        let point = self.known.entry(addr).or_default();
        (point.bootstrap, point.wanted, point.expected_peer) = (true, true, expected_peer);
    }

    pub fn set_acl(&mut self, addr: SocketAddr, acl: Acl) {
        let point = self.known.entry(addr).or_default();
        point.acl = acl;
        if acl != Acl::Trust {
            point.wanted &= point.bootstrap && acl == Acl::Open;
        }
    }

    /// Whether to dial this point at all.
    pub fn may_dial(&self, addr: &SocketAddr) -> Result<(), Refusal> {
        let point = self.known.get(addr);
        match point.map(|point| point.acl) {
            Some(Acl::Ban) => Err(Refusal::Banned),
            _ if self.private_mode && !point.is_some_and(Point::is_trusted) => {
                Err(Refusal::PrivateMode)
            }
            _ => Ok(()),
        }
    }

    /// Whether a peer that has said who it is and where it listens may stay.
    pub fn may_connect(&self, addr: &SocketAddr, peer: &PeerId) -> Result<(), Refusal> {
        let acl = self.peer_acl(peer);
        if acl == Acl::Ban {
            return Err(Refusal::Banned);
        }
        if self.known.get(addr).and_then(|point| point.expected_peer).is_some_and(|id| id != *peer)
        {
            return Err(Refusal::IdentityCheckFailure);
        }
        match self.may_dial(addr) {
            Err(Refusal::PrivateMode) if acl == Acl::Trust => Ok(()),
            verdict => verdict,
        }
    }

    pub fn connected(&mut self, addr: SocketAddr, peer: PeerId) {
        let point = self.known.entry(addr).or_default();
        point.last_peer = Some(peer);
        point.is_connected = true;
        point.retry = None;
    }

    /// A connection was lost, or kicked by the operator: then it is not sought again.
    pub fn disconnected(&mut self, addr: &SocketAddr, kicked: bool, now: Instant) {
        if let Some(point) = self.known.get_mut(addr) {
            point.is_connected = false;
            point.wanted = point.is_trusted() && !kicked;
            point.retry = Some((now + FIRST_DELAY, FIRST_DELAY));
        }
    }

    /// A dial has failed; the next waits half as long again as the one before.
    pub fn unreachable(&mut self, addr: &SocketAddr, now: Instant) {
        if let Some(point) = self.known.get_mut(addr) {
            let delay = point.retry.map_or(FIRST_DELAY, |(_, delay)| delay.mul_f64(1.5));
            let delay = delay.min(MAX_DELAY);
            point.retry = Some((now + delay, delay));
        }
    }

    /// The points to dial now.
    pub fn due(&self, now: Instant) -> Vec<SocketAddr> {
        let due = |point: &Point| {
            let rested = point.retry.is_none_or(|(when, _)| when <= now);
            point.wanted && rested && point.acl != Acl::Ban
        };
        self.known.iter().filter(|(_, point)| due(point)).map(|(addr, _)| *addr).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId([1; 16]);
    const OTHER: PeerId = PeerId([2; 16]);

    fn addr(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn a_private_node_knows_only_those_it_trusts() {
        let mut points = Points::new(true);
        assert_eq!(points.may_dial(&addr(1)), Err(Refusal::PrivateMode));
        assert_eq!(points.may_connect(&addr(1), &PEER), Err(Refusal::PrivateMode));
        points.set_acl(addr(1), Acl::Trust);
        assert_eq!(points.may_connect(&addr(1), &PEER), Ok(()));
        points.set_acl(addr(1), Acl::Open);
        assert_eq!(points.may_connect(&addr(1), &PEER), Err(Refusal::PrivateMode));
        points.set_peer_acl(PEER, Acl::Trust);
        assert_eq!(points.may_connect(&addr(1), &PEER), Ok(()));
        points.add_bootstrap(addr(2), None);
        assert_eq!(points.may_dial(&addr(2)), Ok(()));
    }

    #[test]
    fn the_banned_and_the_unexpected_are_refused_by_an_open_node_too() {
        let mut points = Points::new(false);
        assert_eq!(points.may_connect(&addr(1), &PEER), Ok(()));
        points.set_peer_acl(PEER, Acl::Ban);
        assert_eq!(points.may_connect(&addr(1), &PEER), Err(Refusal::Banned));
        points.set_acl(addr(3), Acl::Ban);
        assert_eq!(points.may_dial(&addr(3)), Err(Refusal::Banned));
        points.add_bootstrap(addr(2), Some(OTHER));
        points.set_peer_acl(PEER, Acl::Open);
        assert_eq!(points.may_connect(&addr(2), &PEER), Err(Refusal::IdentityCheckFailure));
        assert_eq!(points.may_connect(&addr(2), &OTHER), Ok(()));
    }

    #[test]
    fn a_trusted_point_that_was_lost_is_dialled_again_and_a_kicked_one_is_not() {
        let mut points = Points::new(false);
        let now = Instant::now();
        points.set_acl(addr(1), Acl::Trust);
        points.connected(addr(1), PEER);
        points.connected(addr(2), OTHER);
        assert!(points.due(now).is_empty());
        points.disconnected(&addr(1), false, now);
        points.disconnected(&addr(2), false, now);
        assert!(points.due(now).is_empty());
        let later = now + FIRST_DELAY;
        assert_eq!(points.due(later), [addr(1)]);
        points.unreachable(&addr(1), later);
        assert!(points.due(later + FIRST_DELAY).is_empty());
        assert_eq!(points.due(later + FIRST_DELAY * 2), [addr(1)]);
        points.disconnected(&addr(1), true, later);
        assert!(points.due(later + MAX_DELAY).is_empty());
    }

    #[test]
    fn bootstrap_points_are_dialled_from_the_start_at_growing_intervals() {
        let mut points = Points::new(true);
        let mut now = Instant::now();
        points.add_bootstrap(addr(1), None);
        assert_eq!(points.due(now), [addr(1)]);
        for _ in 0..10 {
            points.unreachable(&addr(1), now);
            now += MAX_DELAY;
            assert_eq!(points.due(now), [addr(1)]);
        }
        points.set_acl(addr(1), Acl::Ban);
        assert!(points.due(now).is_empty());
    }
}
