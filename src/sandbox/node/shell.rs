//! What the parts of a running node share: the chain, the mempool, and who watches them.
//!
//! Only [`super::worker`] changes anything here; RPC and peers read. Everybody is told of a change in the same critical
//! section that makes it, so a subscriber who takes a snapshot first misses nothing and sees nothing twice.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::chain::{Adoption, Block, Candidate, Chain, InvalidBlock};
use super::mempool::{Injection, InjectionError, Mempool, Pending};
use super::store::Store;
use super::watch::Watchers;
use crate::sandbox::hash::BlockHash;
use crate::sandbox::operation::Operation;

/// The shared state; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shell {
    state: Arc<Mutex<State>>,
}

/// What is behind the lock.
#[derive(Debug)]
pub struct State {
    pub chain: Chain,
    pub mempool: Mempool,
    synchronisation: watch::Sender<Synchronisation>,
    store: Store,
    heads: Watchers<Arc<Block>>,
    applied: Watchers<Arc<Block>>,
    /// Those that end with the head.
    mempool_streams: Watchers<Pending>,
    operations: Watchers<Pending>,
}

/// Whether the node takes its own head for the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synchronisation {
    /// Once true, always true.
    pub bootstrapped: bool,
    pub synced: bool,
}

impl Synchronisation {
    /// The word of `synchronisation_status` and of `is_bootstrapped`.
    pub fn word(self) -> &'static str {
        if self.synced { "synced" } else { "unsynced" }
    }
}

/// Why a block was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("invalid block {block}")]
    Invalid { block: BlockHash, source: InvalidBlock },
    #[error("cannot store block {block}")]
    Store { block: BlockHash, source: io::Error },
}

/// A block that was applied just now.
#[derive(Debug)]
pub struct Applied {
    pub block: Arc<Block>,
    pub adoption: Adoption,
}

impl Shell {
    pub fn new(chain: Chain, store: Store, synchronisation: Synchronisation) -> Self {
        let state = State {
            chain,
            mempool: Mempool::default(),
            synchronisation: watch::Sender::new(synchronisation),
            store,
            heads: Watchers::default(),
            applied: Watchers::default(),
            mempool_streams: Watchers::default(),
            operations: Watchers::default(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Looks at the state, or subscribes to it; nothing changes meanwhile.
    pub fn with<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        // A panic leaves no half-made change behind, and the others should still be answered.
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Applies and stores a block. `None`: it was known.
    pub(super) fn apply(&self, candidate: Candidate) -> Result<Option<Applied>, ApplyError> {
        let hash = candidate.header.hash();
        self.with(|state| {
            let checked = state.chain.check(candidate);
            let checked = checked.map_err(|source| ApplyError::Invalid { block: hash, source })?;
            let Some(block) = checked else {
                return Ok(None);
            };
            let stored = state.store.append(&block);
            stored.map_err(|source| ApplyError::Store { block: hash, source })?;
            let adoption = state.chain.add(Arc::clone(&block));
            state.applied.publish(&block);
            match &adoption {
                Adoption::Ignored => {}
                Adoption::Increment => state.new_head(&block, &[]),
                Adoption::Switch { abandoned } => state.new_head(&block, abandoned),
            }
            Ok(Some(Applied { block, adoption }))
        })
    }

    pub(super) fn inject(
        &self,
        operation: Operation,
        force: bool,
    ) -> Result<Injection, InjectionError> {
        let hash = operation.hash();
        self.with(|state| {
            let injection = state.mempool.inject(&state.chain, operation, force)?;
            if injection == Injection::Added
                && let Some(pending) = state.mempool.get(&hash).cloned()
            {
                state.tell(&pending);
            }
            Ok(injection)
        })
    }

    /// Takes an operation of a peer's; `None` if it was known.
    pub(super) fn receive(&self, operation: Operation) -> Option<Pending> {
        self.with(|state| {
            let pending = state.mempool.receive(&state.chain, operation)?.clone();
            state.tell(&pending);
            Some(pending)
        })
    }
}

impl State {
    /// New heads, from now on.
    pub fn subscribe_heads(&mut self) -> UnboundedReceiver<Arc<Block>> {
        self.heads.subscribe()
    }

    /// Applied blocks of every branch, from now on.
    pub fn subscribe_applied(&mut self) -> UnboundedReceiver<Arc<Block>> {
        self.applied.subscribe()
    }

    /// Operations that enter the mempool, until the next head.
    pub fn subscribe_mempool(&mut self) -> UnboundedReceiver<Pending> {
        self.mempool_streams.subscribe()
    }

    /// Operations that enter the mempool, from now on.
    pub fn subscribe_operations(&mut self) -> UnboundedReceiver<Pending> {
        self.operations.subscribe()
    }

    pub fn synchronisation(&self) -> Synchronisation {
        *self.synchronisation.borrow()
    }

    pub fn subscribe_synchronisation(&self) -> watch::Receiver<Synchronisation> {
        self.synchronisation.subscribe()
    }

    /// Gives back how it was before.
    pub(super) fn set_synchronisation(&mut self, now: Synchronisation) -> Synchronisation {
        self.synchronisation.send_replace(now)
    }

    fn new_head(&mut self, head: &Arc<Block>, abandoned: &[Arc<Block>]) {
        self.mempool.flush(&self.chain, abandoned);
        self.mempool_streams.close();
        self.heads.publish(head);
    }

    fn tell(&mut self, pending: &Pending) {
        self.mempool_streams.publish(pending);
        self.operations.publish(pending);
    }
}
