//! The block tree: what has been applied, and which branch is the fittest.
//!
//! Every applied block stays, also on branches that lost. The head changes only to a block whose fitness is strictly
//! greater (`src/lib_shell/chain_validator.ml`), so of two equals the first one to arrive wins.

mod cycle;
pub mod penalties;
mod reference;
mod validate;
mod voters;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

pub use self::cycle::Cycles;
pub use self::penalties::{Penalties, Slash};
pub use self::reference::BlockReference;
pub use self::validate::InvalidBlock;
pub use self::voters::Voters;
use crate::sandbox::block::{Fitness, Header, operations_hash};
use crate::sandbox::hash::{BlockHash, ChainId, ContextHash, ProtocolHash};
use crate::sandbox::keys::Identity;
use crate::sandbox::operation::Operation;
use crate::sandbox::protocol;
use crate::sandbox::upgrades::Upgrades;

/// Genesis of the `sandbox` network (`src/lib_node_config/config_file.ml`).
pub const GENESIS: &str = "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2";
/// 2018-06-30T16:07:32Z
pub const GENESIS_TIME: i64 = 1_530_374_852;

/// A block with its operations, as it comes from a client or a peer.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub header: Header,
    /// One list for each validation pass.
    pub operations: Vec<Vec<Operation>>,
}

/// An applied block.
#[derive(Debug)]
pub struct Block {
    pub hash: BlockHash,
    pub header: Header,
    pub operations: Vec<Vec<Operation>>,
    /// The protocol that the block is of, and the one that its successor is of; they differ at an activation and at a
    /// migration.
    pub protocol: ProtocolHash,
    pub next_protocol: ProtocolHash,
    pub baker: Option<&'static Identity>,
    /// The parameters that the active protocol was given.
    pub parameters: Arc<Map<String, Value>>,
    /// Who votes with which key after this block.
    pub voters: Arc<Voters>,
    /// What follows from the evidence that this block and its ancestors hold.
    pub penalties: Arc<Penalties>,
    /// What this block's end of a cycle has cost offenders.
    pub slashes: Vec<Slash>,
}

impl Block {
    pub fn level(&self) -> u32 {
        self.header.level
    }

    /// Before an activation there is nobody to bake, and nothing to denounce.
    pub fn is_protocol_active(&self) -> bool {
        self.next_protocol.to_string() != protocol::GENESIS
    }

    pub fn cycles(&self) -> Cycles {
        Cycles::of(&self.parameters)
    }

    /// Whether another protocol follows the one that this block is of.
    pub fn changes_protocol(&self) -> bool {
        self.protocol != self.next_protocol
    }
}

/// What became of the head when a block was added.
#[derive(Debug)]
pub enum Adoption {
    /// It follows the old head.
    Increment,
    /// It is on another branch; `abandoned` are the blocks of the old one, head first.
    Switch { abandoned: Vec<Arc<Block>> },
    /// It is not fitter than the head.
    Ignored,
}

/// The tree of all applied blocks.
#[derive(Debug)]
pub struct Chain {
    id: ChainId,
    blocks: HashMap<BlockHash, Arc<Block>>,
    genesis: Arc<Block>,
    head: Arc<Block>,
    upgrades: Upgrades,
}

impl Chain {
    /// A chain of the genesis block alone.
    pub fn sandbox() -> Self {
        let hash: BlockHash = GENESIS.parse().expect("the genesis hash is valid");
        let protocol = protocol::GENESIS.parse().expect("the genesis protocol is valid");
        let header = Header {
            level: 0,
            proto: 0,
            predecessor: hash,
            timestamp: GENESIS_TIME,
            validation_pass: 0,
            operations_hash: operations_hash(&[]),
            fitness: Fitness(Vec::new()),
            context: ContextHash([0; ContextHash::SIZE]),
            protocol_data: Vec::new(),
        };
        let genesis = Arc::new(Block {
            hash,
            header,
            operations: Vec::new(),
            protocol,
            next_protocol: protocol,
            baker: None,
            parameters: Arc::default(),
            voters: Arc::default(),
            penalties: Arc::default(),
            slashes: Vec::new(),
        });
        let blocks = HashMap::from([(hash, Arc::clone(&genesis))]);
        let head = Arc::clone(&genesis);
        Self {
            id: ChainId::of_genesis(&hash),
            blocks,
            genesis,
            head,
            upgrades: Upgrades::default(),
        }
    }

    /// Changes the protocol of blocks to come at these levels. What has been applied stays as it is.
    pub fn set_upgrades(&mut self, upgrades: Upgrades) {
        self.upgrades = upgrades;
    }

    pub fn upgrades(&self) -> &Upgrades {
        &self.upgrades
    }

    pub fn id(&self) -> ChainId {
        self.id
    }

    pub fn head(&self) -> &Arc<Block> {
        &self.head
    }

    pub fn genesis(&self) -> &Arc<Block> {
        &self.genesis
    }

    pub fn get(&self, hash: &BlockHash) -> Option<&Arc<Block>> {
        self.blocks.get(hash)
    }

    pub fn predecessor(&self, block: &Block) -> Option<&Arc<Block>> {
        if block.level() == 0 { None } else { self.blocks.get(&block.header.predecessor) }
    }

    /// This block, its predecessor, and so on to genesis.
    pub fn ancestry<'a>(&'a self, from: &'a Arc<Block>) -> impl Iterator<Item = &'a Arc<Block>> {
        std::iter::successors(Some(from), |block| self.predecessor(block))
    }

    /// Whether the block is on the head's branch, at most `distance` blocks below the head.
    pub fn is_live(&self, hash: &BlockHash, distance: usize) -> bool {
        self.ancestry(&self.head).take(distance.saturating_add(1)).any(|block| block.hash == *hash)
    }

    /// Hashes from the head down, ever farther apart, genesis last: enough to find where two chains part.
    pub fn locator(&self) -> Vec<BlockHash> {
        const DENSE: usize = 10;
        let mut hashes = Vec::new();
        let (mut next, mut step) = (0, 1);
        for (distance, block) in self.ancestry(&self.head).enumerate() {
            if distance == next || block.level() == 0 {
                hashes.push(block.hash);
                step = if hashes.len() > DENSE { step * 2 } else { 1 };
                next = distance + step;
            }
        }
        hashes
    }

    /// The blocks up to `target` that somebody with these blocks lacks, predecessor first.
    pub fn branch_above(&self, known: &[BlockHash], target: &BlockHash) -> Vec<Arc<Block>> {
        let known: HashSet<&BlockHash> = known.iter().collect();
        let Some(target) = self.get(target) else {
            return Vec::new();
        };
        let mut branch: Vec<_> = self
            .ancestry(target)
            .take_while(|block| !known.contains(&block.hash) && block.level() > 0)
            .cloned()
            .collect();
        branch.reverse();
        branch
    }

    /// The block that this candidate would be. A known block is `Ok(None)`.
    pub fn check(&self, candidate: Candidate) -> Result<Option<Arc<Block>>, InvalidBlock> {
        if self.blocks.contains_key(&candidate.header.hash()) {
            return Ok(None);
        }
        self.validate(candidate, &self.upgrades).map(|block| Some(Arc::new(block)))
    }

    /// Applies a block that was applied before, with the protocol that it left behind then; `None`: the same as before.
    pub fn restore(
        &mut self,
        candidate: Candidate,
        next_protocol: Option<ProtocolHash>,
    ) -> Result<(), InvalidBlock> {
        let level = candidate.header.level;
        let then = next_protocol.map(|protocol| Upgrades::at(level, protocol)).unwrap_or_default();
        let block = self.validate(candidate, &then)?;
        self.add(Arc::new(block));
        Ok(())
    }

    /// Adds a checked block; the head may change.
    pub fn add(&mut self, block: Arc<Block>) -> Adoption {
        self.blocks.insert(block.hash, Arc::clone(&block));
        self.adopt(&block)
    }

    fn adopt(&mut self, block: &Arc<Block>) -> Adoption {
        if block.header.fitness <= self.head.header.fitness {
            return Adoption::Ignored;
        }
        let old = std::mem::replace(&mut self.head, Arc::clone(block));
        if block.header.predecessor == old.hash {
            return Adoption::Increment;
        }
        let adopted: HashSet<BlockHash> =
            self.ancestry(&self.head).map(|block| block.hash).collect();
        let abandoned = self.ancestry(&old).take_while(|block| !adopted.contains(&block.hash));
        Adoption::Switch { abandoned: abandoned.cloned().collect() }
    }
}

#[cfg(test)]
pub(in crate::sandbox::node) mod tests;
