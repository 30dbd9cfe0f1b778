//! Hashes and keys as Tezos prints them: base58check with a prefix that says what they are.
//!
//! Prefixes and sizes are those of Octez (`src/lib_crypto/base58.ml`, module `Prefix`); hashes are BLAKE2b of the
//! thing's binary form.

use std::fmt;
use std::str::FromStr;

use blake2::digest::consts::{U16, U20, U32, U64};
use blake2::{Blake2b, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not the base58check form of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {wanted}")]
pub struct InvalidHash {
    pub text: String,
    pub wanted: &'static str,
}

macro_rules! base58 {
    ($(#[$doc:meta])* $name:ident, $size:literal, $prefix:expr, $noun:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            pub const SIZE: usize = $size;
            const PREFIX: &'static [u8] = &$prefix;
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut bytes = Vec::with_capacity(Self::PREFIX.len() + Self::SIZE);
                bytes.extend_from_slice(Self::PREFIX);
                bytes.extend_from_slice(&self.0);
                f.pad(&bs58::encode(bytes).with_check().into_string())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidHash;

            fn from_str(text: &str) -> Result<Self, InvalidHash> {
                let invalid = || InvalidHash { text: text.to_owned(), wanted: $noun };
                let bytes =
                    bs58::decode(text).with_check(None).into_vec().map_err(|_| invalid())?;
                let body = bytes.strip_prefix(Self::PREFIX).ok_or_else(invalid)?;
                Ok(Self(body.try_into().map_err(|_| invalid())?))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

base58! {
    /// `B…`, 51 characters.
    BlockHash, 32, [1, 52], "block hash"
}
base58! {
    /// `o…`, 51 characters.
    OperationHash, 32, [5, 116], "operation hash"
}
base58! {
    /// `Lo…`: the operations of one validation pass.
    OperationListHash, 32, [133, 233], "operation list hash"
}
base58! {
    /// `LLo…`: the operations of a block.
    OperationListListHash, 32, [29, 159, 109], "operation list list hash"
}
base58! {
    /// `P…`, 51 characters.
    ProtocolHash, 32, [2, 170], "protocol hash"
}
base58! {
    /// `Co…`
    ContextHash, 32, [79, 199], "context hash"
}
base58! {
    /// `vh…`: what a block's attesters agree on.
    PayloadHash, 32, [1, 106, 242], "block payload hash"
}
base58! {
    /// `Net…`, 15 characters.
    ChainId, 4, [87, 82, 0], "chain identifier"
}
base58! {
    /// `id…`, 30 characters.
    PeerId, 16, [153, 103], "peer identifier"
}
base58! {
    /// `tz1…`
    PublicKeyHash, 20, [6, 161, 159], "public key hash"
}
base58! {
    /// `edpk…`
    PublicKey, 32, [13, 15, 37, 217], "public key"
}
base58! {
    /// `BLpk…`
    BlsPublicKey, 48, [6, 149, 135, 204], "BLS public key"
}
base58! {
    /// `sig…`, 96 characters.
    Signature, 64, [4, 130, 43], "signature"
}

impl Signature {
    /// What stands where nobody signs: the denunciations of an accuser.
    pub const ZERO: Self = Self([0; Self::SIZE]);
}

impl ChainId {
    /// The chain that grows from this genesis block.
    pub fn of_genesis(genesis: &BlockHash) -> Self {
        let hash = blake2b(&[genesis.as_ref()]);
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl PeerId {
    pub fn of_public_key(key: &[u8; 32]) -> Self {
        Self(Blake2b::<U16>::digest(key).into())
    }
}

impl PublicKey {
    pub fn hash(&self) -> PublicKeyHash {
        PublicKeyHash(Blake2b::<U20>::digest(self.0).into())
    }
}

impl PayloadHash {
    /// The hash of a block's payload: everything but its consensus operations
    /// (`Block_payload.hash`, `src/proto_alpha/lib_protocol/block_payload_repr.ml`).
    pub fn of(predecessor: &BlockHash, round: u32, operations: &[OperationHash]) -> Self {
        let list = OperationListHash::of(operations);
        Self(blake2b(&[predecessor.as_ref(), &round.to_be_bytes(), list.as_ref()]))
    }
}

impl OperationListHash {
    pub fn of(operations: &[OperationHash]) -> Self {
        Self(merkle_root(operations.iter().map(|hash| hash.0).collect()))
    }
}

impl OperationListListHash {
    /// The hash of a block's operations, one list for each validation pass.
    pub fn of(passes: &[OperationListHash]) -> Self {
        Self(merkle_root(passes.iter().map(|hash| hash.0).collect()))
    }
}

/// BLAKE2b-256 of the parts, one after the other.
pub fn blake2b(parts: &[&[u8]]) -> [u8; 32] {
    digest::<Blake2b<U32>>(parts).into()
}

/// BLAKE2b-512 of the parts, one after the other.
pub fn blake2b_512(parts: &[&[u8]]) -> [u8; 64] {
    digest::<Blake2b<U64>>(parts).into()
}

fn digest<D: Digest>(parts: &[&[u8]]) -> blake2::digest::Output<D> {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// The root of the Merkle tree over these leaves, padded to a power of two with the last one
/// (`Blake2B.Generic_Merkle_tree`, `src/lib_crypto/blake2B.ml`).
fn merkle_root(leaves: Vec<[u8; 32]>) -> [u8; 32] {
    let mut row: Vec<[u8; 32]> = leaves.iter().map(|leaf| blake2b(&[leaf])).collect();
    let Some(last) = row.last().copied() else {
        return blake2b(&[]);
    };
    row.resize(row.len().next_power_of_two(), last);
    while row.len() > 1 {
        row = row.chunks(2).map(|pair| blake2b(&[&pair[0], &pair[1]])).collect();
    }
    row[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: &str = "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2";

    #[test]
    fn the_sandbox_chain_identifier_follows_from_its_genesis_block() {
        let genesis: BlockHash = GENESIS.parse().unwrap();
        assert_eq!(ChainId::of_genesis(&genesis).to_string(), "NetXdQprcVkpaWU");
    }

    #[test]
    fn every_kind_of_hash_is_read_and_printed_as_octez_does() {
        fn round_trip<T: FromStr<Err = InvalidHash> + fmt::Display>(text: &str) {
            let value: T = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(value.to_string(), text);
        }
        round_trip::<BlockHash>(GENESIS);
        round_trip::<BlockHash>("BL6pj2Nx8Y1Fi5FjNueYse7uLHoW4GAAtzAH58q39jBjXabxiME");
        round_trip::<OperationHash>("onhoVNcdRFr5fJjHmp5Y597w87vcwyKVTdMSVqtbmvxRknmPin4");
        round_trip::<ProtocolHash>("ProtoGenesisGenesisGenesisGenesisGenesisGenesk612im");
        round_trip::<ProtocolHash>("PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY");
        round_trip::<ChainId>("NetXdQprcVkpaWU");
        round_trip::<PeerId>("idqTDgsxQ9HZG1PX3EztyyXPgY3b6A");
        round_trip::<ContextHash>("CoWSq5ue7jDNoFxGaQj8UMtzJ1fGso9P4pcPecdsH1imDdxrrxRt");
        round_trip::<OperationListListHash>(
            "LLoa1rSNUriwRxUTpxnkvG5kKQ5R4JvvbBqg9K1JVwjmk1zpQmbCt",
        );
        round_trip::<PublicKeyHash>("tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx");
        assert!(Signature::ZERO.to_string().starts_with("sig"));
        assert!(PayloadHash([7; 32]).to_string().starts_with("vh"));
    }

    #[test]
    fn a_wrong_check_sum_kind_or_length_is_refused() {
        for text in [
            "",
            "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW3",
            "onhoVNcdRFr5fJjHmp5Y597w87vcwyKVTdMSVqtbmvxRknmPin4",
            "NetXdQprcVkpaWU",
            "0OIl",
        ] {
            let error = text.parse::<BlockHash>().expect_err(text);
            assert_eq!(error.wanted, "block hash");
        }
    }

    #[test]
    fn four_empty_passes_hash_as_on_any_tezos_chain() {
        let empty = OperationListHash::of(&[]);
        let passes = OperationListListHash::of(&[empty; 4]);
        assert_eq!(passes.to_string(), "LLoa7bxRTKaQN2bLYoitYB6bU2DvLnBAqrVjZcvJ364cTcX2PZYKU");
        assert_eq!(
            OperationListListHash::of(&[]).to_string(),
            "LLoZS2LW3rEi7KYU4ouBQtorua37aWWCtpDmv1n2x3xoKi6sVXLWp"
        );
    }

    #[test]
    fn merkle_leaves_are_padded_with_the_last_one() {
        let hash = |byte| OperationHash([byte; 32]);
        let three = OperationListHash::of(&[hash(1), hash(2), hash(3)]);
        assert_eq!(three, OperationListHash::of(&[hash(1), hash(2), hash(3), hash(3)]));
        assert_ne!(three, OperationListHash::of(&[hash(1), hash(2)]));
    }
}
