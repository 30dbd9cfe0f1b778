//! Block headers in Octez's binary layout, and what they say about round, baker and protocol.
//!
//! The shell part is `Block_header.shell_header` (`src/lib_base/block_header.ml`). The rest depends on the level: the
//! first block activates a protocol ([`Activation`]), every later one is a Tenderbake block ([`Contents`]) signed by
//! its baker in the manner of [`super::keys`], so the baker can be recovered from the header alone
//! ([`Header::baker`]).

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::hash::{
    BlockHash, ContextHash, OperationHash, OperationListHash, OperationListListHash, PayloadHash,
    ProtocolHash, Signature, blake2b,
};
use super::keys::{self, Identity};
use super::wire::{DecodeError, Reader, from_hex, put_sized};

/// Validation passes of a block: consensus, votes, anonymous (denunciations), manager.
pub const PASSES: usize = 4;

/// How far a chain has come; chains are compared by it (`src/lib_base/fitness.ml`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fitness(pub Vec<Vec<u8>>);

impl Fitness {
    /// Tenderbake's fitness (`src/proto_alpha/lib_protocol/fitness_repr.ml`). `locked`: the round at which the block shows
    /// that its payload was preattested.
    pub fn tenderbake(level: u32, locked: Option<u32>, predecessor_round: u32, round: u32) -> Self {
        let minus_predecessor_round_minus_one = !predecessor_round;
        Self(vec![
            vec![2],
            level.to_be_bytes().to_vec(),
            locked.map_or_else(Vec::new, |locked| locked.to_be_bytes().to_vec()),
            minus_predecessor_round_minus_one.to_be_bytes().to_vec(),
            round.to_be_bytes().to_vec(),
        ])
    }

    /// The round of a Tenderbake fitness; 0 for the fitness of genesis and of an activation, which have none.
    pub fn round(&self) -> u32 {
        match self.0.as_slice() {
            [version, _, _, _, round] if version == &[2] => {
                round.as_slice().try_into().map_or(0, u32::from_be_bytes)
            }
            _ => 0,
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let mut items = Vec::new();
        for item in &self.0 {
            put_sized(&mut items, item);
        }
        put_sized(bytes, &items);
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut items = Vec::new();
        while reader.left() > 0 {
            items.push(reader.sized("fitness item")?.to_vec());
        }
        Ok(Self(items))
    }

    pub fn to_json(&self) -> Value {
        self.0.iter().map(hex::encode).collect()
    }
}

impl Ord for Fitness {
    /// The longer one is greater; then the first item that differs decides, by length and then by bytes.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_length_then_bytes =
            |a: &Vec<u8>, b: &Vec<u8>| a.len().cmp(&b.len()).then_with(|| a.cmp(b));
        self.0.len().cmp(&other.0.len()).then_with(|| {
            let differing = self.0.iter().zip(&other.0).map(|(a, b)| by_length_then_bytes(a, b));
            differing.into_iter().find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        })
    }
}

impl PartialOrd for Fitness {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A block header; its hash is the block's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub level: u32,
    /// How many protocols have been activated.
    pub proto: u8,
    pub predecessor: BlockHash,
    /// Seconds since the epoch.
    pub timestamp: i64,
    pub validation_pass: u8,
    pub operations_hash: OperationListListHash,
    pub fitness: Fitness,
    pub context: ContextHash,
    /// [`Contents`] or [`Activation`] in binary form, signature included.
    pub protocol_data: Vec<u8>,
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&self.level.to_be_bytes());
        bytes.push(self.proto);
        bytes.extend_from_slice(self.predecessor.as_ref());
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.push(self.validation_pass);
        bytes.extend_from_slice(self.operations_hash.as_ref());
        self.fitness.encode(&mut bytes);
        bytes.extend_from_slice(self.context.as_ref());
        bytes.extend_from_slice(&self.protocol_data);
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            level: reader.natural("block level")?,
            proto: reader.u8("protocol number")?,
            predecessor: BlockHash(reader.array("predecessor")?),
            timestamp: reader.i64("block timestamp")?,
            validation_pass: reader.u8("validation pass")?,
            operations_hash: OperationListListHash(reader.array("operations hash")?),
            fitness: Fitness::decode(reader.sized("fitness")?)?,
            context: ContextHash(reader.array("context")?),
            protocol_data: reader.rest().to_vec(),
        })
    }

    pub fn from_hex(text: &str) -> Result<Self, DecodeError> {
        Self::decode(&from_hex("block header", text)?)
    }

    pub fn hash(&self) -> BlockHash {
        BlockHash(blake2b(&[&self.encode()]))
    }

    pub fn round(&self) -> u32 {
        self.fitness.round()
    }

    /// The delegate that signed this header; `None` for genesis, an activation, and a forged one.
    pub fn baker(&self) -> Option<&'static Identity> {
        let contents = Contents::decode(&self.protocol_data).ok()?;
        keys::signer(&self.unsigned_bytes(), &contents.signature)
    }

    /// Puts this identity's signature where the header keeps it.
    #[must_use]
    pub fn signed_by(mut self, identity: &Identity) -> Self {
        let signature = identity.sign(&self.unsigned_bytes());
        let start = self.protocol_data.len().saturating_sub(Signature::SIZE);
        self.protocol_data.splice(start.., signature.0);
        self
    }

    pub(super) fn unsigned_bytes(&self) -> Vec<u8> {
        let mut bytes = self.encode();
        bytes.truncate(bytes.len().saturating_sub(Signature::SIZE));
        bytes
    }

    /// The shell part as RPCs print it, `level` first.
    pub fn shell_json(&self) -> Value {
        json!({
            "level": self.level,
            "proto": self.proto,
            "predecessor": self.predecessor,
            "timestamp": rfc3339(self.timestamp),
            "validation_pass": self.validation_pass,
            "operations_hash": self.operations_hash,
            "fitness": self.fitness.to_json(),
            "context": self.context,
        })
    }

    /// The header as RPCs print it where they do not look into the protocol's part.
    pub fn raw_json(&self) -> Value {
        let mut json = self.shell_json();
        json["protocol_data"] = hex::encode(&self.protocol_data).into();
        json
    }

    /// The header as RPCs print it, with the protocol's part spelt out.
    pub fn to_json(&self) -> Value {
        let mut json = self.shell_json();
        let part = Contents::decode(&self.protocol_data)
            .map(|contents| contents.to_json())
            .or_else(|_| Activation::decode(&self.protocol_data).map(|made| made.to_json()));
        match (part, json.as_object_mut()) {
            (Ok(Value::Object(part)), Some(json)) => json.extend(part),
            (_, Some(json)) => {
                json.insert("protocol_data".into(), hex::encode(&self.protocol_data).into());
            }
            (_, None) => {}
        }
        json
    }

    /// Reads what [`Self::to_json`] prints; also the form that stands in a double baking evidence.
    pub fn from_json(json: &Value) -> Option<Self> {
        let field = |name: &str| json[name].as_str();
        let protocol_data = match field("protocol_data") {
            Some(hex) => hex::decode(hex).ok()?,
            None => Contents::from_json(json)?.encode(),
        };
        let fitness = json["fitness"].as_array()?;
        let fitness: Option<Vec<_>> =
            fitness.iter().map(|item| hex::decode(item.as_str()?).ok()).collect();
        Some(Self {
            level: natural(&json["level"])?,
            proto: u8::try_from(json["proto"].as_u64()?).ok()?,
            predecessor: field("predecessor")?.parse().ok()?,
            timestamp: from_rfc3339(field("timestamp")?)?,
            validation_pass: u8::try_from(json["validation_pass"].as_u64()?).ok()?,
            operations_hash: field("operations_hash")?.parse().ok()?,
            fitness: Fitness(fitness?),
            context: field("context")?.parse().ok()?,
            protocol_data,
        })
    }
}

/// The protocol's part of a Tenderbake block (`src/proto_alpha/lib_protocol/block_header_repr.ml`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub payload_hash: PayloadHash,
    pub payload_round: u32,
    pub proof_of_work_nonce: [u8; 8],
    pub seed_nonce_hash: Option<[u8; 32]>,
    /// The lowest two bits are the vote on liquidity baking: on, off, pass.
    pub per_block_votes: u8,
    pub signature: Signature,
}

impl Contents {
    /// Liquidity baking toggle: pass.
    pub const PASS: u8 = 2;

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(110);
        bytes.extend_from_slice(self.payload_hash.as_ref());
        bytes.extend_from_slice(&self.payload_round.to_be_bytes());
        bytes.extend_from_slice(&self.proof_of_work_nonce);
        match &self.seed_nonce_hash {
            None => bytes.push(0),
            Some(hash) => {
                bytes.push(0xff);
                bytes.extend_from_slice(hash);
            }
        }
        bytes.push(self.per_block_votes);
        bytes.extend_from_slice(self.signature.as_ref());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let contents = Self {
            payload_hash: PayloadHash(reader.array("payload hash")?),
            payload_round: reader.natural("payload round")?,
            proof_of_work_nonce: reader.array("proof of work nonce")?,
            seed_nonce_hash: match reader.u8("seed nonce hash")? {
                0 => None,
                0xff => Some(reader.array("seed nonce hash")?),
                tag => return Err(DecodeError::UnknownTag { what: "seed nonce hash", tag }),
            },
            per_block_votes: reader.u8("per block votes")?,
            signature: Signature(reader.array("signature")?),
        };
        reader.finish("block header")?;
        Ok(contents)
    }

    fn to_json(&self) -> Value {
        json!({
            "payload_hash": self.payload_hash,
            "payload_round": self.payload_round,
            "proof_of_work_nonce": hex::encode(self.proof_of_work_nonce),
            "liquidity_baking_toggle_vote": VOTES[usize::from(self.per_block_votes & 3).min(2)],
            "signature": self.signature,
        })
    }

    fn from_json(json: &Value) -> Option<Self> {
        let nonce = hex::decode(json["proof_of_work_nonce"].as_str()?).ok()?;
        let vote = json["liquidity_baking_toggle_vote"].as_str()?;
        Some(Self {
            payload_hash: json["payload_hash"].as_str()?.parse().ok()?,
            payload_round: natural(&json["payload_round"])?,
            proof_of_work_nonce: nonce.try_into().ok()?,
            seed_nonce_hash: None,
            per_block_votes: u8::try_from(VOTES.iter().position(|word| *word == vote)?).ok()?,
            signature: json["signature"].as_str()?.parse().ok()?,
        })
    }
}

const VOTES: [&str; 3] = ["on", "off", "pass"];

/// The protocol's part of the block that activates one: genesis's `activate` command
/// (`src/proto_genesis/lib_protocol/data.ml`), with the protocol's parameters as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    pub protocol: ProtocolHash,
    pub fitness: Fitness,
    pub parameters: Vec<u8>,
    pub signature: Signature,
}

impl Activation {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend_from_slice(self.protocol.as_ref());
        self.fitness.encode(&mut bytes);
        put_sized(&mut bytes, &self.parameters);
        bytes.extend_from_slice(self.signature.as_ref());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8("genesis command")? {
            0 => {}
            tag => return Err(DecodeError::UnknownTag { what: "genesis command", tag }),
        }
        let activation = Self {
            protocol: ProtocolHash(reader.array("protocol")?),
            fitness: Fitness::decode(reader.sized("fitness")?)?,
            parameters: reader.sized("protocol parameters")?.to_vec(),
            signature: Signature(reader.array("signature")?),
        };
        reader.finish("activation")?;
        Ok(activation)
    }

    fn to_json(&self) -> Value {
        json!({
            "content": {
                "command": "activate",
                "hash": self.protocol,
                "fitness": self.fitness.to_json(),
                "protocol_parameters": hex::encode(&self.parameters),
            },
            "signature": self.signature,
        })
    }
}

/// The hash over a block's operations, pass by pass.
pub fn operations_hash(passes: &[Vec<OperationHash>]) -> OperationListListHash {
    let lists: Vec<_> = passes.iter().map(|pass| OperationListHash::of(pass)).collect();
    OperationListListHash::of(&lists)
}

/// The context a block of the sandbox has: its state is a function of its history, so this is a hash over both.
pub fn context_after(predecessor: &ContextHash, operations: &OperationListListHash) -> ContextHash {
    ContextHash(blake2b(&[predecessor.as_ref(), operations.as_ref()]))
}

/// `2026-08-21T13:31:29Z`, the form of `Time.Protocol`.
pub fn rfc3339(seconds: i64) -> String {
    /// 9999-12-31T23:59:59Z, the last second that has four digits for the year.
    const LAST: u64 = 253_402_300_799;
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Seconds since the epoch; `None` for what is no such time.
pub fn from_rfc3339(text: &str) -> Option<i64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    i64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()
}

fn natural(json: &Value) -> Option<u32> {
    json.as_i64().and_then(|number| i32::try_from(number).ok())?.try_into().ok()
}

#[cfg(test)]
mod tests;
