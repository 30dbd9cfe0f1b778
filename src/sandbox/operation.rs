//! Operations in Octez's binary layout: consensus votes and the evidence of misbehaviour.
//!
//! An operation is the branch it is valid on (32 bytes), one content, and a signature (64 bytes); its hash is BLAKE2b
//! of all that (`src/proto_alpha/lib_protocol/operation_repr.ml`). Content kinds that no sandbox daemon produces are
//! not read.

pub mod aggregate;

use serde_json::{Value, json};

use self::aggregate::Aggregate;
use super::block::Header;
use super::hash::{
    BlockHash, BlsPublicKey, OperationHash, PayloadHash, PublicKeyHash, Signature, blake2b,
};
use super::keys::consensus::{self, ConsensusKey};
use super::keys::{self, Identity};
use super::wire::{DecodeError, Reader, from_hex, put_sized};

const TAG_DOUBLE_CONSENSUS: u8 = 0x02;
const TAG_DOUBLE_BAKING: u8 = 0x03;
const TAG_PREATTESTATION: u8 = 0x14;
const TAG_ATTESTATION: u8 = 0x15;
const TAG_PREATTESTATIONS_AGGREGATE: u8 = 0x1e;
const TAG_ATTESTATIONS_AGGREGATE: u8 = 0x1f;
const TAG_UPDATE_CONSENSUS_KEY: u8 = 0x72;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub branch: BlockHash,
    pub contents: Contents,
    pub signature: Signature,
}

/// What an operation says; one content to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    Preattestation(Vote),
    Attestation(Vote),
    Aggregate(Aggregate),
    /// From some cycle on, the delegate votes with this key.
    UpdateConsensusKey {
        source: PublicKeyHash,
        key: BlsPublicKey,
    },
    DoubleBaking {
        bh1: Box<Header>,
        bh2: Box<Header>,
    },
    DoubleConsensus {
        slot: u16,
        op1: Box<Operation>,
        op2: Box<Operation>,
    },
}

/// The body of an attestation or preattestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    pub slot: u16,
    pub level: u32,
    pub round: u32,
    pub payload_hash: PayloadHash,
}

/// Which of the two consensus votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VoteKind {
    Preattestation,
    Attestation,
}

impl VoteKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Preattestation => "preattestation",
            Self::Attestation => "attestation",
        }
    }
}

/// What an evidence accuses whom of; two evidences of one offence differ at most in branch and order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offence {
    pub level: u32,
    pub round: u32,
    pub delegate: PublicKeyHash,
    /// `None`: double baking.
    pub vote: Option<VoteKind>,
}

impl Operation {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.unsigned_bytes();
        bytes.extend_from_slice(self.signature.as_ref());
        bytes
    }

    pub fn to_hex(&self) -> String {
        hex::encode(self.encode())
    }

    /// Branch and contents: what `helpers/forge/operations` answers, and what a signer signs.
    pub fn unsigned_bytes(&self) -> Vec<u8> {
        unsigned_bytes(&self.branch, &self.contents)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        /// Evidence holds two votes, and votes hold no operation: deeper nesting is no Octez operation.
        const NESTING: u8 = 1;
        Self::decode_nested(bytes, NESTING)
    }

    fn decode_nested(bytes: &[u8], nesting: u8) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let operation = Self {
            branch: BlockHash(reader.array("branch")?),
            contents: Contents::decode(&mut reader, nesting)?,
            signature: Signature(reader.array("signature")?),
        };
        reader.finish("operation")?;
        Ok(operation)
    }

    pub fn from_hex(text: &str) -> Result<Self, DecodeError> {
        Self::decode(&from_hex("operation", text)?)
    }

    pub fn hash(&self) -> OperationHash {
        OperationHash(blake2b(&[&self.encode()]))
    }

    /// The operation that this identity signs.
    pub fn signed(branch: BlockHash, contents: Contents, signer: &Identity) -> Self {
        let signature = signer.sign(&unsigned_bytes(&branch, &contents));
        Self { branch, contents, signature }
    }

    /// The vote that is signed with a consensus key.
    pub fn voted(branch: BlockHash, kind: VoteKind, vote: Vote, key: &ConsensusKey) -> Self {
        let signature = key.sign(&aggregate::signed_bytes(kind, &branch, &vote));
        Self { branch, contents: Contents::vote(kind, vote), signature }
    }

    /// The denunciation an accuser makes: nobody signs it, so its hash depends on branch and evidence alone.
    pub fn unsigned(branch: BlockHash, contents: Contents) -> Self {
        Self { branch, contents, signature: Signature::ZERO }
    }

    /// The delegate that signed this operation, with its own key or its consensus key.
    pub fn signer(&self) -> Option<&'static Identity> {
        let own = keys::signer(&self.unsigned_bytes(), &self.signature);
        own.or_else(|| self.consensus_signer())
    }

    fn consensus_signer(&self) -> Option<&'static Identity> {
        let (kind, vote) = self.vote()?;
        consensus::signer(&aggregate::signed_bytes(kind, &self.branch, &vote), &self.signature)
    }

    /// The delegates that signed it: one, or those of an aggregate; none if the signature is nobody's.
    pub fn signers(&self) -> Vec<&'static Identity> {
        match &self.contents {
            Contents::Aggregate(body) => {
                body.signers(&self.branch, &self.signature).unwrap_or_default()
            }
            _ => self.signer().into_iter().collect(),
        }
    }

    /// Whether this is a new consensus key that its delegate itself has asked for.
    pub fn updates_its_own_key(&self) -> bool {
        let Contents::UpdateConsensusKey { source, key } = &self.contents else { return false };
        let own = ConsensusKey::of(source).is_some_and(|own| own.public_key() == *key);
        own && self.signer().is_some_and(|signer| signer.pkh() == *source)
    }

    /// The vote, if it is one that can be put together with others: signed with the consensus key of its slot.
    pub fn aggregable(&self) -> Option<(VoteKind, Vote)> {
        let (kind, vote) = self.vote()?;
        let seat = keys::DELEGATES.get(usize::from(vote.slot));
        (seat.is_some() && self.consensus_signer() == seat).then_some((kind, vote))
    }

    /// What sort of vote, or of several votes, it is.
    pub fn kind(&self) -> Option<VoteKind> {
        match &self.contents {
            Contents::Aggregate(body) => Some(body.kind),
            _ => self.vote().map(|(kind, _)| kind),
        }
    }

    /// The vote that it casts for this slot, and whose that is.
    fn ballot(&self, slot: u16) -> Option<(VoteKind, Vote, &'static Identity)> {
        if let Contents::Aggregate(body) = &self.contents {
            let vote = body.vote(slot)?;
            let seat = keys::DELEGATES.get(usize::from(slot))?;
            return self.signers().contains(&seat).then_some((body.kind, vote, seat));
        }
        let (kind, vote) = self.vote()?;
        Some((kind, vote, self.signer()?))
    }

    /// The validation pass a block keeps it in: 0 consensus, 2 anonymous, 3 manager.
    pub fn pass(&self) -> usize {
        match self.contents {
            Contents::Preattestation(_) | Contents::Attestation(_) | Contents::Aggregate(_) => 0,
            Contents::DoubleBaking { .. } | Contents::DoubleConsensus { .. } => 2,
            Contents::UpdateConsensusKey { .. } => 3,
        }
    }

    /// The vote this operation casts, if it is one.
    pub fn vote(&self) -> Option<(VoteKind, Vote)> {
        match self.contents {
            Contents::Preattestation(vote) => Some((VoteKind::Preattestation, vote)),
            Contents::Attestation(vote) => Some((VoteKind::Attestation, vote)),
            _ => None,
        }
    }

    /// What this evidence proves; `None` for a vote, and for evidence that proves nothing.
    pub fn offence(&self) -> Option<Offence> {
        match &self.contents {
            Contents::DoubleBaking { bh1, bh2 } => {
                let same_slot = bh1.level == bh2.level && bh1.round() == bh2.round();
                let baker = bh1.baker()?;
                let proved = same_slot && bh1 != bh2 && bh2.baker() == Some(baker);
                proved.then(|| Offence {
                    level: bh1.level,
                    round: bh1.round(),
                    delegate: baker.pkh(),
                    vote: None,
                })
            }
            Contents::DoubleConsensus { slot, op1, op2 } => {
                let (kind1, vote1, signer) = op1.ballot(*slot)?;
                let (kind2, vote2, other) = op2.ballot(*slot)?;
                let same_slot = (kind1, vote1.level, vote1.round, vote1.slot)
                    == (kind2, vote2.level, vote2.round, vote2.slot);
                let differing =
                    vote1.payload_hash != vote2.payload_hash || op1.branch != op2.branch;
                let proved = same_slot && differing && signer == other;
                proved.then(|| Offence {
                    level: vote1.level,
                    round: vote1.round,
                    delegate: signer.pkh(),
                    vote: Some(kind1),
                })
            }
            _ => None,
        }
    }

    /// As the shell sees it: branch, and the rest in hexadecimal.
    pub fn raw_json(&self) -> Value {
        let bytes = self.encode();
        json!({ "branch": self.branch, "data": hex::encode(&bytes[BlockHash::SIZE..]) })
    }

    /// A vote as it stands inside an evidence: branch, `operations`, signature.
    fn inlined_json(&self) -> Value {
        json!({
            "branch": self.branch,
            "operations": self.contents.to_json(),
            "signature": self.signature,
        })
    }

    fn from_inlined_json(json: &Value) -> Option<Self> {
        Some(Self {
            branch: json["branch"].as_str()?.parse().ok()?,
            contents: Contents::from_json(&json["operations"])?,
            signature: json["signature"].as_str()?.parse().ok()?,
        })
    }
}

fn unsigned_bytes(branch: &BlockHash, contents: &Contents) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(640);
    bytes.extend_from_slice(branch.as_ref());
    contents.encode(&mut bytes);
    bytes
}

impl Contents {
    pub fn vote(kind: VoteKind, vote: Vote) -> Self {
        match kind {
            VoteKind::Preattestation => Self::Preattestation(vote),
            VoteKind::Attestation => Self::Attestation(vote),
        }
    }

    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Preattestation(vote) => vote.encode(TAG_PREATTESTATION, bytes),
            Self::Attestation(vote) => vote.encode(TAG_ATTESTATION, bytes),
            Self::Aggregate(body) => {
                bytes.push(match body.kind {
                    VoteKind::Preattestation => TAG_PREATTESTATIONS_AGGREGATE,
                    VoteKind::Attestation => TAG_ATTESTATIONS_AGGREGATE,
                });
                body.encode(bytes);
            }
            Self::UpdateConsensusKey { source, key } => {
                bytes.push(TAG_UPDATE_CONSENSUS_KEY);
                bytes.extend_from_slice(source.as_ref());
                bytes.extend_from_slice(key.as_ref());
            }
            Self::DoubleBaking { bh1, bh2 } => {
                bytes.push(TAG_DOUBLE_BAKING);
                put_sized(bytes, &bh1.encode());
                put_sized(bytes, &bh2.encode());
            }
            Self::DoubleConsensus { slot, op1, op2 } => {
                bytes.push(TAG_DOUBLE_CONSENSUS);
                bytes.extend_from_slice(&slot.to_be_bytes());
                put_sized(bytes, &op1.encode());
                put_sized(bytes, &op2.encode());
            }
        }
    }

    fn decode(reader: &mut Reader<'_>, nesting: u8) -> Result<Self, DecodeError> {
        let what = "operation contents";
        match reader.u8(what)? {
            TAG_PREATTESTATION => Ok(Self::Preattestation(Vote::decode(reader)?)),
            TAG_ATTESTATION => Ok(Self::Attestation(Vote::decode(reader)?)),
            TAG_PREATTESTATIONS_AGGREGATE => {
                Aggregate::decode(VoteKind::Preattestation, reader).map(Self::Aggregate)
            }
            TAG_ATTESTATIONS_AGGREGATE => {
                Aggregate::decode(VoteKind::Attestation, reader).map(Self::Aggregate)
            }
            TAG_UPDATE_CONSENSUS_KEY => Ok(Self::UpdateConsensusKey {
                source: PublicKeyHash(reader.array("source")?),
                key: BlsPublicKey(reader.array("consensus key")?),
            }),
            TAG_DOUBLE_BAKING => Ok(Self::DoubleBaking {
                bh1: Box::new(Header::decode(reader.sized("first header")?)?),
                bh2: Box::new(Header::decode(reader.sized("second header")?)?),
            }),
            TAG_DOUBLE_CONSENSUS if nesting > 0 => {
                let slot = reader.u16("slot")?;
                let mut vote = |what| {
                    let bytes = reader.sized(what)?;
                    Operation::decode_nested(bytes, nesting - 1).map(Box::new)
                };
                Ok(Self::DoubleConsensus {
                    slot,
                    op1: vote("first vote")?,
                    op2: vote("second vote")?,
                })
            }
            tag => Err(DecodeError::UnknownTag { what, tag }),
        }
    }

    /// The content as RPCs print it, `kind` first.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Preattestation(vote) => vote.to_json(VoteKind::Preattestation),
            Self::Attestation(vote) => vote.to_json(VoteKind::Attestation),
            Self::Aggregate(body) => body.to_json(),
            Self::UpdateConsensusKey { source, key } => json!({
                "kind": "update_consensus_key",
                "source": source,
                "fee": "0",
                "counter": "1",
                "gas_limit": "0",
                "storage_limit": "0",
                "pk": key,
            }),
            Self::DoubleBaking { bh1, bh2 } => json!({
                "kind": "double_baking_evidence",
                "bh1": bh1.to_json(),
                "bh2": bh2.to_json(),
            }),
            Self::DoubleConsensus { slot, op1, op2 } => json!({
                "kind": "double_consensus_operation_evidence",
                "slot": slot,
                "op1": op1.inlined_json(),
                "op2": op2.inlined_json(),
            }),
        }
    }

    /// Reads what [`Self::to_json`] prints; `None` for anything else.
    pub fn from_json(json: &Value) -> Option<Self> {
        match json["kind"].as_str()? {
            "preattestation" => Some(Self::Preattestation(Vote::from_json(json)?)),
            "attestation" => Some(Self::Attestation(Vote::from_json(json)?)),
            "preattestations_aggregate" | "attestations_aggregate" => {
                Aggregate::from_json(json).map(Self::Aggregate)
            }
            "update_consensus_key" => Some(Self::UpdateConsensusKey {
                source: json["source"].as_str()?.parse().ok()?,
                key: json["pk"].as_str()?.parse().ok()?,
            }),
            "double_baking_evidence" => Some(Self::DoubleBaking {
                bh1: Box::new(Header::from_json(&json["bh1"])?),
                bh2: Box::new(Header::from_json(&json["bh2"])?),
            }),
            "double_consensus_operation_evidence" => Some(Self::DoubleConsensus {
                slot: u16::try_from(json["slot"].as_u64()?).ok()?,
                op1: Box::new(Operation::from_inlined_json(&json["op1"])?),
                op2: Box::new(Operation::from_inlined_json(&json["op2"])?),
            }),
            _ => None,
        }
    }
}

impl Vote {
    fn encode(&self, tag: u8, bytes: &mut Vec<u8>) {
        bytes.push(tag);
        bytes.extend_from_slice(&self.slot.to_be_bytes());
        bytes.extend_from_slice(&self.level.to_be_bytes());
        bytes.extend_from_slice(&self.round.to_be_bytes());
        bytes.extend_from_slice(self.payload_hash.as_ref());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            slot: reader.u16("slot")?,
            level: reader.natural("level")?,
            round: reader.natural("round")?,
            payload_hash: PayloadHash(reader.array("block payload hash")?),
        })
    }

    fn to_json(self, kind: VoteKind) -> Value {
        json!({
            "kind": kind.word(),
            "slot": self.slot,
            "level": self.level,
            "round": self.round,
            "block_payload_hash": self.payload_hash,
        })
    }

    fn from_json(json: &Value) -> Option<Self> {
        let natural = |field: &str| i32::try_from(json[field].as_i64()?).ok()?.try_into().ok();
        Some(Self {
            slot: u16::try_from(json["slot"].as_u64()?).ok()?,
            level: natural("level")?,
            round: natural("round")?,
            payload_hash: json["block_payload_hash"].as_str()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
