//! The network of stand-in nodes: who is connected, who may be, and what they tell one another.
//!
//! Its own simple protocol, spoken between stand-ins only: length-prefixed JSON over TCP ([`message`]). After the
//! handshake each side tells its head; whoever has the less fit one asks for the branch and applies it, predecessor
//! first. Every new head and every new operation is told to all peers.
//!
//! [`points`] decides who may connect, [`network`] keeps the connections, [`handshake`] makes one, [`session`] is one.

pub mod handshake;
pub mod message;
pub mod network;
pub mod points;
pub mod session;

pub use self::network::Network;
