//! The chain on disk: one line of JSON for each applied block, appended in the order of their application.
//!
//! A line also says which protocol its block left behind, if another one, so that the chain comes back as it was whatever
//! `config.json` says of upgrades by then.
//!
//! A line is written with one `write`, so whatever kills the node leaves whole lines and at most one cut-off line at the
//! end; that one is dropped when the chain is read back. Replaying the lines in order gives the same tree and the same
//! head.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::chain::{Block, Candidate, Chain};
use crate::sandbox::block::Header;
use crate::sandbox::hash::ProtocolHash;
use crate::sandbox::operation::Operation;
use crate::sandbox::wire::DecodeError;

/// The open file.
#[derive(Debug)]
pub struct Store {
    file: File,
    /// Bytes of whole lines.
    length: u64,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct StoredBlock {
    #[serde(flatten)]
    block: BlockText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_protocol: Option<ProtocolHash>,
}

/// A block as text: on disk and between peers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlockText {
    header: String,
    operations: Vec<Vec<String>>,
}

impl BlockText {
    pub fn of(block: &Block) -> Self {
        let operations = block.operations.iter();
        Self {
            header: hex::encode(block.header.encode()),
            operations: operations
                .map(|pass| pass.iter().map(Operation::to_hex).collect())
                .collect(),
        }
    }

    pub fn parse(&self) -> Result<Candidate, DecodeError> {
        let pass = |pass: &Vec<String>| pass.iter().map(|text| Operation::from_hex(text)).collect();
        Ok(Candidate {
            header: Header::from_hex(&self.header)?,
            operations: self.operations.iter().map(pass).collect::<Result<_, _>>()?,
        })
    }
}

impl Store {
    /// Opens the file, or creates it, and rebuilds the chain that it tells of.
    pub fn open(path: &Path) -> io::Result<(Self, Chain)> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (chain, length) = replay(&bytes);
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self { file, length }, chain))
    }

    /// Adds a block. After a failure the file is as it was before.
    pub fn append(&mut self, block: &Block) -> io::Result<()> {
        let next_protocol = block.changes_protocol().then_some(block.next_protocol);
        let stored = StoredBlock { block: BlockText::of(block), next_protocol };
        let mut line = serde_json::to_vec(&stored)?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::End(0))?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

/// The chain that these lines build, and how many bytes of them do: up to the first line that is not a block of it.
fn replay(bytes: &[u8]) -> (Chain, u64) {
    let mut chain = Chain::sandbox();
    let mut length = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let applied = line
            .strip_suffix(b"\n")
            .and_then(|line| serde_json::from_slice::<StoredBlock>(line).ok())
            .and_then(|stored| Some((stored.block.parse().ok()?, stored.next_protocol)))
            .is_some_and(|(candidate, next)| chain.restore(candidate, next).is_ok());
        if !applied {
            break;
        }
        length += line.len() as u64;
    }
    (chain, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::keys::DELEGATES;
    use crate::sandbox::node::chain::tests::Forge;

    #[test]
    fn a_reopened_store_gives_the_same_chain_and_drops_a_cut_off_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("blocks.jsonl");
        let (mut store, mut chain) = Store::open(&path).unwrap();
        let forge = Forge::default();
        let mut hashes = Vec::new();
        for candidate in forge.chain(&mut chain, &[&DELEGATES[0], &DELEGATES[1]]) {
            let block = chain.get(&candidate.header.hash()).unwrap();
            store.append(block).unwrap();
            hashes.push(block.hash);
        }
        drop(store);

        let whole = std::fs::read(&path).unwrap();
        for cut in [1, 40, 200] {
            std::fs::write(&path, [&whole[..], &whole[..cut]].concat()).unwrap();
            let (_, read) = Store::open(&path).unwrap();
            assert_eq!(read.head().hash, chain.head().hash);
            assert_eq!(std::fs::read(&path).unwrap(), whole, "the cut-off line is gone");
        }
        for hash in hashes {
            assert!(chain.get(&hash).is_some());
        }
    }
}
