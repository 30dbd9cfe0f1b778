//! Peers and points: `/network/…`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::server::{Call, Services};
use crate::sandbox::hash::PeerId;
use crate::sandbox::node::identity;
use crate::sandbox::node::p2p::Network;
use crate::sandbox::node::p2p::network::Connection;
use crate::sandbox::node::p2p::points::{Acl, Point, Points, octez_ip};
use crate::sandbox::node::trace;

/// How long `PUT /network/points` waits unless told otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn answer(services: &Services, call: &Call, path: &[&str]) -> Answer {
    let network = &services.network;
    match (&call.method, path) {
        (&Method::GET, ["self"]) => Answer::Json(json!(network.hello().peer_id)),
        (&Method::GET, ["version"]) => Answer::Json(identity::network_version()),
        (&Method::GET, ["connections"]) => {
            Answer::Json(network.connections().iter().map(connection_json).collect())
        }
        (&Method::GET, ["points"]) => Answer::Json(network.with_points(|points| {
            points.iter().map(|(addr, point)| json!([addr, point_json(point)])).collect()
        })),
        (&Method::GET, ["peers"]) => {
            let open = network.connections();
            let peers = open.iter().map(|open| json!([open.peer, peer_json(network, &open.peer)]));
            Answer::Json(peers.collect())
        }
        (_, ["connections", peer]) => with_peer(peer, |peer| connection(network, call, &peer)),
        (_, ["points", addr]) => match address(addr) {
            Some(addr) => point(network, call, addr).await,
            None => Answer::bad_argument("point", "no IP:PORT"),
        },
        (&Method::GET, ["points", addr, "banned"]) => match address(addr) {
            Some(addr) => Answer::Json(network.with_points(|points| {
                points.get(&addr).is_some_and(|point| point.acl == Acl::Ban).into()
            })),
            None => Answer::bad_argument("point", "no IP:PORT"),
        },
        (_, ["peers", peer]) => with_peer(peer, |id| peer_call(network, call, id)),
        (&Method::GET, ["peers", peer, "banned"]) => with_peer(peer, |peer| {
            Answer::Json((network.with_points(|points| points.peer_acl(&peer)) == Acl::Ban).into())
        }),
        _ => match path {
            ["self" | "version" | "connections" | "points" | "peers"]
            | ["points" | "peers", _, "banned"] => Answer::MethodNotAllowed("GET"),
            _ => Answer::not_found(),
        },
    }
}

fn with_peer(text: &str, look: impl FnOnce(PeerId) -> Answer) -> Answer {
    match text.parse() {
        Ok(peer) => look(peer),
        Err(error) => Answer::bad_argument("peer_id", &format!("{error}")),
    }
}

/// `IP:PORT`, also with the IPv4-in-IPv6 form that Octez prints; a bare IP has the default port.
fn address(text: &str) -> Option<SocketAddr> {
    /// Octez's default port for peers.
    const DEFAULT_PORT: u16 = 9732;
    let text = match text.strip_prefix("localhost") {
        Some(rest) => format!("127.0.0.1{rest}"),
        None => text.to_owned(),
    };
    let parsed: Option<SocketAddr> = text.parse().ok();
    let parsed = parsed
        .or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, DEFAULT_PORT)))
        .or_else(|| {
            // `::ffff:127.0.0.1:19732`, which has no brackets.
            let (ip, port) = text.rsplit_once(':')?;
            Some(SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?))
        })?;
    Some(SocketAddr::new(parsed.ip().to_canonical(), parsed.port()))
}

/// `GET` one connection, or `DELETE` it.
fn connection(network: &Network, call: &Call, peer: &PeerId) -> Answer {
    let unknown = || Answer::unknown(&format!("peer {peer} is not connected"));
    match call.method {
        Method::GET => {
            let open = network.connections();
            let found = open.iter().find(|connection| connection.peer == *peer);
            found.map_or_else(unknown, |open| Answer::Json(connection_json(open)))
        }
        Method::DELETE if network.kick(peer) => Answer::Json(json!({})),
        Method::DELETE => unknown(),
        _ => Answer::MethodNotAllowed("GET, DELETE"),
    }
}

/// `GET` a point, `PUT` a connection to it, `PATCH` what is thought of it.
async fn point(network: &Network, call: &Call, addr: SocketAddr) -> Answer {
    match call.method {
        Method::GET => network.with_points(|points| match points.get(&addr) {
            Some(point) => Answer::Json(point_json(point)),
            None => Answer::unknown(&format!("point {addr} is unknown")),
        }),
        Method::PUT => connect(network, call, addr).await,
        Method::PATCH => match acl(call) {
            Ok(acl) => {
                if let Some(acl) = acl {
                    network.set_point_acl(addr, acl);
                }
                network.with_points(|points| {
                    let point = points.get(&addr).cloned().unwrap_or_default();
                    Answer::Json(point_json(&point))
                })
            }
            Err(bad) => bad,
        },
        _ => Answer::MethodNotAllowed("GET, PUT, PATCH"),
    }
}

async fn connect(network: &Network, call: &Call, addr: SocketAddr) -> Answer {
    let timeout = match call.query("timeout").map(str::parse::<f64>) {
        None => CONNECT_TIMEOUT,
        Some(Ok(seconds)) => match Duration::try_from_secs_f64(seconds) {
            Ok(timeout) => timeout,
            Err(_) => return Answer::bad_query("timeout is out of range"),
        },
        Some(Err(_)) => return Answer::bad_query("timeout is no number"),
    };
    match network.connect(addr, timeout).await {
        Ok(()) => Answer::Json(json!({})),
        Err(error) => Answer::refused(trace::of_error(error.id(), &error)),
    }
}

fn peer_call(network: &Network, call: &Call, peer: PeerId) -> Answer {
    match call.method {
        Method::GET => Answer::Json(peer_json(network, &peer)),
        Method::PATCH => match acl(call) {
            Ok(acl) => {
                let saved = acl.map_or(Ok(()), |acl| network.set_peer_acl(peer, acl));
                match saved {
                    Ok(()) => Answer::Json(peer_json(network, &peer)),
                    Err(error) => Answer::refused(trace::of_error("failure", &error)),
                }
            }
            Err(bad) => bad,
        },
        _ => Answer::MethodNotAllowed("GET, PATCH"),
    }
}

/// The `acl` of a `PATCH` body, if it has one.
fn acl(call: &Call) -> Result<Option<Acl>, Answer> {
    match call.json()?.get("acl") {
        None => Ok(None),
        Some(word) => {
            let acl = word.as_str().and_then(Acl::from_word);
            acl.map(Some).ok_or_else(|| Answer::bad_body("acl is none of open, trust, ban"))
        }
    }
}

fn connection_json(connection: &Connection) -> Value {
    let metadata = json!({ "disable_mempool": false, "private_node": connection.private });
    json!({
        "incoming": connection.incoming,
        "peer_id": connection.peer,
        "id_point": { "addr": octez_ip(connection.point.ip()), "port": connection.point.port() },
        "remote_socket_port": connection.remote_port,
        "announced_version": identity::network_version(),
        "private": connection.private,
        "local_metadata": metadata,
        "remote_metadata": metadata,
    })
}

fn point_json(point: &Point) -> Value {
    let event_kind = if point.is_connected { "running" } else { "disconnected" };
    let mut state = json!({ "event_kind": event_kind });
    if let Some(peer) = point.last_peer {
        state["p2p_peer_id"] = json!(peer);
    }
    json!({ "trusted": point.is_trusted(), "state": state })
}

fn peer_json(network: &Network, peer: &PeerId) -> Value {
    let open = network.connections().into_iter().find(|connection| connection.peer == *peer);
    json!({
        "score": 0,
        "trusted": network.with_points(|points: &mut Points| points.peer_acl(peer)) == Acl::Trust,
        "conn_metadata": null,
        "state": if open.is_some() { "running" } else { "disconnected" },
        "id_point": open.map(|open| {
            json!({ "addr": octez_ip(open.point.ip()), "port": open.point.port() })
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_in_every_form_that_octez_prints() {
        let local: SocketAddr = ([127, 0, 0, 1], 19732).into();
        for text in [
            "127.0.0.1:19732",
            "localhost:19732",
            "[::ffff:127.0.0.1]:19732",
            "::ffff:127.0.0.1:19732",
        ] {
            assert_eq!(address(text), Some(local), "{text}");
        }
        assert_eq!(address("127.0.0.1"), Some(([127, 0, 0, 1], 9732).into()));
        for garbage in ["", "host:1", "127.0.0.1:x", "127.0.0.1:70000"] {
            assert_eq!(address(garbage), None, "{garbage}");
        }
    }
}
