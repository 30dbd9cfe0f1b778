//! The node's RPCs: JSON over HTTP/1.1, with the paths, bodies and errors of Octez v25, as far as its daemons and clients
//! and Tezt use them.
//!
//! [`server`] listens and reads requests, [`route`] finds who answers: [`blocks`] what a block is asked, [`protocol`] what
//! its protocol is asked, [`injection`] and [`mempool`] operations, [`network`] peers, [`streams`] those that never end.
//! [`answer`] is what they answer with.

pub mod answer;
pub mod blocks;
pub mod injection;
pub mod mempool;
pub mod network;
pub mod protocol;
pub mod route;
pub mod server;
pub mod streams;
