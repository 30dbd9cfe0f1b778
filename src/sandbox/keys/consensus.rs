//! Consensus keys: BLS keys (`tz4…`) that delegates may vote with instead of their own, one for each of them.
//!
//! The stand-in for an aggregated signature is the exclusive or of its parts. Like BLS's own it does not depend on their
//! order, can be made by somebody who knows none of the keys, and is checked against the list of who took part.

use super::{DELEGATES, Identity, sign};
use crate::sandbox::hash::{BlsPublicKey, PublicKeyHash, Signature};

/// A consensus key of the sandbox; every wallet knows it under its alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsensusKey {
    pub alias: &'static str,
    pub public_key: &'static str,
    pub public_key_hash: &'static str,
}

/// The one of each delegate, in the order of [`DELEGATES`].
pub const CONSENSUS_KEYS: [ConsensusKey; 5] = [
    ConsensusKey {
        alias: "consensus1",
        public_key: "BLpk1V8j4wBsDxcML523vxHPbJFryXLaZKDY4QhStdkwXpTf5CyUVC5TL4mzRqeNYfCZo63LsHNM",
        public_key_hash: "tz4DNHQNYnEtt3XBr5xPEGZSETzk5WNjJxCR",
    },
    ConsensusKey {
        alias: "consensus2",
        public_key: "BLpk1TftCvFWMovPMptGkvjTXPxmsSPt1rzD7vBtv59tsRrV4tkHq76YBLt3bqmTep9KBT6jB8SV",
        public_key_hash: "tz4CcwHDCcY8RngkUaaxvCpYpFyERfCkVNsm",
    },
    ConsensusKey {
        alias: "consensus3",
        public_key: "BLpk1rReFuzdAzjRQ7VgsieMrQN5iKWKM8n95oRTsghxeazc8RPxmPgurgESveytW7SWWCztWvca",
        public_key_hash: "tz4Lqr4e8DvSNivDTssUBBys5YqoLqvQggLz",
    },
    ConsensusKey {
        alias: "consensus4",
        public_key: "BLpk1bPqLpwakSu8aRYdErFvg5urVbcYy4C93NCb92HNqVhkg4bw1Mo84XEsW9hG8uBAfWHmRDM1",
        public_key_hash: "tz4UrfU6Hm39unYBMkV49PeTMEW767QemsVZ",
    },
    ConsensusKey {
        alias: "consensus5",
        public_key: "BLpk1jkByBWt8Zww3CS6jCQtv9VuDfhPh1akBGFzUCqbwPiAUdMbXT7PZBMuLFsCW9eVGCSn3Znw",
        public_key_hash: "tz4YBYciSskYtL6os1XQaJaDzENmGoaEH7xw",
    },
];

impl ConsensusKey {
    /// The key of this delegate.
    pub fn of(delegate: &PublicKeyHash) -> Option<&'static Self> {
        let pairs = DELEGATES.iter().zip(&CONSENSUS_KEYS);
        pairs.into_iter().find(|(other, _)| other.pkh() == *delegate).map(|(_, key)| key)
    }

    /// The key with this alias or public key hash, and the delegate it is for.
    pub fn find(name: &str) -> Option<(&'static Self, &'static Identity)> {
        let named = |key: &Self| key.alias == name || key.public_key_hash == name;
        CONSENSUS_KEYS.iter().zip(&DELEGATES).find(|(key, _)| named(key))
    }

    pub fn public_key(&self) -> BlsPublicKey {
        self.public_key.parse().expect("the table holds valid public keys")
    }

    pub fn sign(&self, bytes: &[u8]) -> Signature {
        sign(self.public_key_hash.as_bytes(), bytes)
    }
}

/// The delegate whose consensus key has signed.
pub fn signer(bytes: &[u8], signature: &Signature) -> Option<&'static Identity> {
    let mut pairs = CONSENSUS_KEYS.iter().zip(&DELEGATES);
    pairs.find(|(key, _)| key.sign(bytes) == *signature).map(|(_, delegate)| delegate)
}

/// One signature for several of the same bytes.
pub fn aggregate(signatures: impl IntoIterator<Item = Signature>) -> Signature {
    signatures.into_iter().fold(Signature::ZERO, |mut sum, signature| {
        sum.0.iter_mut().zip(signature.0).for_each(|(byte, other)| *byte ^= other);
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_key_hashes_are_those_of_the_public_keys() {
        use blake2::digest::consts::U20;
        use blake2::{Blake2b, Digest};
        for key in CONSENSUS_KEYS {
            let hash = Blake2b::<U20>::digest(key.public_key());
            let bytes = [&[6, 161, 166], hash.as_slice()].concat();
            let text = bs58::encode(bytes).with_check().into_string();
            assert_eq!(text, key.public_key_hash, "{}", key.alias);
        }
        assert_eq!(ConsensusKey::find("consensus2").unwrap().1, &DELEGATES[1]);
        assert_eq!(ConsensusKey::of(&DELEGATES[4].pkh()), Some(&CONSENSUS_KEYS[4]));
    }

    #[test]
    fn signatures_are_of_one_key_or_of_all_that_were_aggregated() {
        let [one, two] = [0, 1].map(|key: usize| CONSENSUS_KEYS[key].sign(b"text"));
        assert_eq!(signer(b"text", &one), Some(&DELEGATES[0]));
        assert_eq!(super::super::signer(b"text", &one), None, "it is not the delegate's own key");
        assert_eq!(aggregate([one, two]), aggregate([two, one]));
        assert_eq!(signer(b"text", &aggregate([one, two])), None);
        assert_eq!(aggregate([one]), one);
    }
}
