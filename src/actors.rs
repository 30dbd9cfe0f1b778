//! The actors: thin shells that move messages between the pure decisions and the host.
//!
//! ```text
//! Supervisor ──► Daemon ──► process, EventPipe ──► EventBus ──► waiters, observers, run directory
//!      ▲            │            (one a source)        ▲
//!      └────────────┴── DaemonExited, lifecycle records ┘
//! ```
//!
//! Messages are imperative structs in the file of the actor that handles them; facts that travel up are past participles
//! and carry the incarnation, so that a stale one is recognised. No handler blocks, none awaits with state in hand, and
//! every request carries its reply port.

pub(crate) mod command;
pub(crate) mod daemon;
pub(crate) mod event_bus;
pub(crate) mod event_pipe;
pub(crate) mod latch;
pub(crate) mod supervisor;
