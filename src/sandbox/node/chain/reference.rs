//! How RPCs name a block: `head`, `genesis`, a hash or a level, and so many blocks before or after it
//! (`Block_services.parse_block`, `src/lib_shell_services/block_services.ml`).

use std::str::FromStr;
use std::sync::Arc;

use super::{Block, Chain};
use crate::sandbox::hash::BlockHash;

/// A block's name, resolved against a chain with [`Chain::resolve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockReference {
    base: Base,
    /// So many blocks below the base; negative: above it, on the head's branch.
    below: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Genesis,
    Head,
    Hash(BlockHash),
    Level(u32),
}

/// A text that names no block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to parse the block identifier {text:?}")]
pub struct InvalidReference {
    pub text: String,
}

impl FromStr for BlockReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        parse(text).ok_or_else(|| InvalidReference { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<BlockReference> {
    let (base, below) = match text.find(['~', '-', '+']) {
        None => (text, 0),
        Some(at) => {
            let distance = i64::from(text[at + 1..].parse::<u32>().ok()?);
            (&text[..at], if text.as_bytes()[at] == b'+' { -distance } else { distance })
        }
    };
    let base = match base {
        "head" => Base::Head,
        "genesis" => Base::Genesis,
        _ => match base.parse() {
            Ok(level) => Base::Level(level),
            Err(_) => Base::Hash(base.parse().ok()?),
        },
    };
    Some(BlockReference { base, below })
}

impl Chain {
    /// The block of this name; levels are counted on the head's branch.
    pub fn resolve(&self, reference: &BlockReference) -> Option<&Arc<Block>> {
        let base = match reference.base {
            Base::Genesis => self.genesis(),
            Base::Head => self.head(),
            Base::Hash(hash) => self.get(&hash)?,
            Base::Level(level) => self.at_level(level)?,
        };
        let level = u32::try_from(i64::from(base.level()) - reference.below).ok()?;
        if reference.below >= 0 {
            return self.ancestry(base).find(|block| block.level() == level);
        }
        // Only a block of the head's branch has one successor.
        self.at_level(base.level()).filter(|block| block.hash == base.hash)?;
        self.at_level(level)
    }

    fn at_level(&self, level: u32) -> Option<&Arc<Block>> {
        self.ancestry(self.head()).find(|block| block.level() == level)
    }
}
