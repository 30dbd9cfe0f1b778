//! With which key each delegate votes: its own, or from some cycle on its consensus key
//! (`src/proto_alpha/lib_protocol/delegate_consensus_key.ml`).

use std::collections::BTreeMap;

use crate::sandbox::hash::PublicKeyHash;
use crate::sandbox::keys::Identity;
use crate::sandbox::keys::consensus::ConsensusKey;

/// From which cycle on a delegate votes with its consensus key.
#[derive(Clone, Debug, Default)]
pub struct Voters(BTreeMap<PublicKeyHash, u32>);

impl Voters {
    /// The delegate votes with its consensus key from this cycle on, or from an earlier one that was set before.
    pub fn set(&mut self, delegate: PublicKeyHash, cycle: u32) {
        self.0.entry(delegate).or_insert(cycle);
    }

    /// The public key hash that stands for the delegate in this cycle.
    pub fn key(&self, delegate: &Identity, cycle: u32) -> &'static str {
        let pkh = delegate.pkh();
        let active = self.0.get(&pkh).is_some_and(|from| *from <= cycle);
        let key = ConsensusKey::of(&pkh).filter(|_| active);
        key.map_or(delegate.public_key_hash, |key| key.public_key_hash)
    }
}

#[cfg(test)]
mod tests {
    use super::Voters;
    use crate::sandbox::keys::DELEGATES;
    use crate::sandbox::keys::consensus::CONSENSUS_KEYS;

    #[test]
    fn a_consensus_key_counts_from_its_cycle_on() {
        let mut voters = Voters::default();
        voters.set(DELEGATES[1].pkh(), 2);
        voters.set(DELEGATES[1].pkh(), 4);
        let keys = [1, 2, 3].map(|cycle| voters.key(&DELEGATES[1], cycle));
        let consensus = CONSENSUS_KEYS[1].public_key_hash;
        assert_eq!(keys, [DELEGATES[1].public_key_hash, consensus, consensus]);
        assert_eq!(voters.key(&DELEGATES[0], 9), DELEGATES[0].public_key_hash);
    }
}
