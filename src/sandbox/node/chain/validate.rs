//! Whether a block may follow its predecessor.
//!
//! Any delegate may bake at any round: baking rights are the one rule of Tenderbake that the sandbox does not have, so
//! that a test can make whom it likes bake what it likes. Only who is forbidden for an offence ([`super::penalties`]) may not.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::penalties::Denunciation;
use super::{Block, Candidate, Chain};
use crate::sandbox::block::{
    Activation, Contents, Fitness, Header, PASSES, context_after, operations_hash,
};
use crate::sandbox::hash::{BlockHash, OperationHash, PayloadHash, ProtocolHash, PublicKeyHash};
use crate::sandbox::keys::{ACTIVATOR, Identity};
use crate::sandbox::operation::{Contents as OperationContents, Operation, VoteKind};
use crate::sandbox::protocol::Protocol;
use crate::sandbox::upgrades::{Upgrades, proto_level};
use crate::sandbox::wire::DecodeError;

/// Why a block is refused.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBlock {
    #[error("predecessor {predecessor} is unknown")]
    UnknownPredecessor { predecessor: BlockHash },
    #[error("{field} is {found}, but {wanted} was expected")]
    Unexpected { field: &'static str, wanted: String, found: String },
    #[error("the protocol's part of the header does not parse")]
    ProtocolData {
        #[source]
        source: DecodeError,
    },
    #[error("the first block must activate a protocol, signed by the activator")]
    NoActivation,
    #[error("protocol parameters are no JSON object")]
    Parameters,
    #[error("the protocol {protocol} is not available")]
    UnavailableProtocol { protocol: ProtocolHash },
    #[error("nobody who may bake has signed the block")]
    UnknownBaker,
    #[error(
        "Delegate {delegate} has committed too many misbehaviours; it is temporarily not allowed to \
         bake/preattest/attest."
    )]
    ForbiddenDelegate { delegate: PublicKeyHash },
    #[error("operation {operation} is not valid in the block: {reason}")]
    Operation { operation: OperationHash, reason: &'static str },
}

fn expect<T: PartialEq + ToString>(
    field: &'static str,
    found: &T,
    wanted: &T,
) -> Result<(), InvalidBlock> {
    if found == wanted {
        return Ok(());
    }
    Err(InvalidBlock::Unexpected { field, wanted: wanted.to_string(), found: found.to_string() })
}

impl Chain {
    pub(super) fn validate(
        &self,
        candidate: Candidate,
        upgrades: &Upgrades,
    ) -> Result<Block, InvalidBlock> {
        let header = &candidate.header;
        let predecessor = self
            .get(&header.predecessor)
            .ok_or(InvalidBlock::UnknownPredecessor { predecessor: header.predecessor })?;
        expect("level", &header.level, &predecessor.level().saturating_add(1))?;
        if header.timestamp <= predecessor.header.timestamp {
            let wanted = format!("more than {}", predecessor.header.timestamp);
            let found = header.timestamp.to_string();
            return Err(InvalidBlock::Unexpected { field: "timestamp", wanted, found });
        }
        check_operations_hash(&candidate)?;
        if predecessor.is_protocol_active() {
            baked(predecessor, candidate, upgrades)
        } else {
            activation(predecessor, candidate)
        }
    }
}

fn check_operations_hash(candidate: &Candidate) -> Result<(), InvalidBlock> {
    let passes: Vec<Vec<OperationHash>> = candidate
        .operations
        .iter()
        .map(|pass| pass.iter().map(Operation::hash).collect())
        .collect();
    let header = &candidate.header;
    expect("validation_pass", &usize::from(header.validation_pass), &passes.len())?;
    expect("operations_hash", &header.operations_hash, &operations_hash(&passes))
}

fn activation(predecessor: &Block, candidate: Candidate) -> Result<Block, InvalidBlock> {
    let Candidate { header, operations } = candidate;
    let activation =
        Activation::decode(&header.protocol_data).map_err(|_| InvalidBlock::NoActivation)?;
    if activation.signature != ACTIVATOR.sign(&header.unsigned_bytes())
        || operations.iter().any(|pass| !pass.is_empty())
    {
        return Err(InvalidBlock::NoActivation);
    }
    expect("proto", &header.proto, &predecessor.header.proto.saturating_add(1))?;
    check_available(activation.protocol)?;
    let fitness = |fitness: &Fitness| fitness.to_json().to_string();
    expect("fitness", &fitness(&header.fitness), &fitness(&activation.fitness))?;
    let parameters: Map<String, Value> =
        serde_json::from_slice(&activation.parameters).map_err(|_| InvalidBlock::Parameters)?;
    Ok(Block {
        hash: header.hash(),
        header,
        operations,
        protocol: predecessor.next_protocol,
        next_protocol: activation.protocol,
        baker: None,
        parameters: Arc::new(parameters),
        voters: Arc::default(),
        penalties: Arc::default(),
        slashes: Vec::new(),
    })
}

fn baked(
    predecessor: &Block,
    candidate: Candidate,
    upgrades: &Upgrades,
) -> Result<Block, InvalidBlock> {
    let Candidate { header, operations } = candidate;
    expect("validation_pass", &usize::from(header.validation_pass), &PASSES)?;
    let protocol = predecessor.next_protocol;
    let next_protocol = upgrades.after(header.level, protocol);
    let number = proto_level(predecessor.header.proto, &protocol, &next_protocol);
    expect("proto", &header.proto, &number)?;
    if next_protocol != protocol {
        check_available(next_protocol)?;
    }
    let locked = locked_round(&header, &operations)?;
    let before = predecessor.header.round();
    let fitness = Fitness::tenderbake(header.level, locked, before, header.round());
    expect("fitness", &header.fitness.to_json().to_string(), &fitness.to_json().to_string())?;
    let context = context_after(&predecessor.header.context, &header.operations_hash);
    expect("context", &header.context, &context)?;
    check_payload(&header, &operations)?;
    let baker = header.baker().ok_or(InvalidBlock::UnknownBaker)?;
    if predecessor.penalties.is_forbidden(&baker.pkh()) {
        return Err(InvalidBlock::ForbiddenDelegate { delegate: baker.pkh() });
    }
    let mut penalties = Arc::clone(&predecessor.penalties);
    let cycles = predecessor.cycles();
    let (cycle, _) = cycles.cycle(header.level);
    let effects = check_operations(predecessor, &operations, baker, cycle)?;
    for denunciation in effects.denunciations {
        Arc::make_mut(&mut penalties).denounce(denunciation);
    }
    let mut voters = Arc::clone(&predecessor.voters);
    for delegate in effects.new_keys {
        let from = cycle.saturating_add(cycles.consensus_rights_delay).saturating_add(1);
        Arc::make_mut(&mut voters).set(delegate, from);
    }
    let slashes = if cycles.is_last(header.level) {
        Arc::make_mut(&mut penalties).end_cycle(cycle, cycles)
    } else {
        Vec::new()
    };
    Ok(Block {
        hash: header.hash(),
        protocol,
        next_protocol,
        baker: Some(baker),
        parameters: Arc::clone(&predecessor.parameters),
        voters,
        penalties,
        slashes,
        header,
        operations,
    })
}

fn check_available(protocol: ProtocolHash) -> Result<(), InvalidBlock> {
    match Protocol::of_hash(&protocol.to_string()) {
        Some(_) => Ok(()),
        None => Err(InvalidBlock::UnavailableProtocol { protocol }),
    }
}

/// The round at which the block shows that its payload was preattested: only a payload that is proposed again has such votes.
fn locked_round(
    header: &Header,
    operations: &[Vec<Operation>],
) -> Result<Option<u32>, InvalidBlock> {
    let contents = Contents::decode(&header.protocol_data)
        .map_err(|source| InvalidBlock::ProtocolData { source })?;
    let wanted = (header.level, contents.payload_round, contents.payload_hash);
    let mut locked = None;
    for vote in operations.iter().flatten() {
        let found = match &vote.contents {
            OperationContents::Preattestation(vote) => (vote.level, vote.round, vote.payload_hash),
            OperationContents::Aggregate(body) if body.kind == VoteKind::Preattestation => {
                (body.level, body.round, body.payload_hash)
            }
            _ => continue,
        };
        if found != wanted || contents.payload_round >= header.round() {
            let reason = "it preattests another proposal";
            return Err(InvalidBlock::Operation { operation: vote.hash(), reason });
        }
        locked = Some(contents.payload_round);
    }
    Ok(locked)
}

fn check_payload(header: &Header, operations: &[Vec<Operation>]) -> Result<(), InvalidBlock> {
    let contents = Contents::decode(&header.protocol_data)
        .map_err(|source| InvalidBlock::ProtocolData { source })?;
    if contents.payload_round > header.round() {
        let wanted = format!("at most {}", header.round());
        let found = contents.payload_round.to_string();
        return Err(InvalidBlock::Unexpected { field: "payload_round", wanted, found });
    }
    let payload: Vec<OperationHash> =
        operations.iter().skip(1).flatten().map(Operation::hash).collect();
    let wanted = PayloadHash::of(&header.predecessor, contents.payload_round, &payload);
    expect("payload_hash", &contents.payload_hash, &wanted)
}

/// What the operations of a block do.
#[derive(Default)]
struct Effects {
    denunciations: Vec<Denunciation>,
    /// Who will vote with a consensus key.
    new_keys: Vec<PublicKeyHash>,
}

/// Every operation stands in its pass and only once, votes are those of somebody who may vote, and every evidence proves an
/// offence that was not denounced before.
fn check_operations(
    predecessor: &Block,
    operations: &[Vec<Operation>],
    baker: &Identity,
    cycle: u32,
) -> Result<Effects, InvalidBlock> {
    let mut seen = HashSet::new();
    let mut effects = Effects::default();
    for (pass, operation) in
        operations.iter().enumerate().flat_map(|(pass, list)| list.iter().map(move |op| (pass, op)))
    {
        let hash = operation.hash();
        let refused = |reason| InvalidBlock::Operation { operation: hash, reason };
        if operation.pass() != pass {
            return Err(refused("it belongs to another validation pass"));
        }
        if !seen.insert(hash) {
            return Err(refused("it stands there twice"));
        }
        match &operation.contents {
            OperationContents::DoubleBaking { .. } | OperationContents::DoubleConsensus { .. } => {
                let offence = operation.offence().ok_or_else(|| refused("it proves nothing"))?;
                let known = effects.denunciations.iter().any(|one| one.offence == offence);
                if known || predecessor.penalties.knows(&offence) {
                    return Err(refused("the offence was denounced before"));
                }
                let (evidence, rewarded) = (hash, baker.pkh());
                effects.denunciations.push(Denunciation { offence, evidence, rewarded, cycle });
            }
            OperationContents::UpdateConsensusKey { source, .. } => {
                if !operation.updates_its_own_key() {
                    return Err(refused("it is not the source's key, or not its signature"));
                }
                effects.new_keys.push(*source);
            }
            OperationContents::Preattestation(_)
            | OperationContents::Attestation(_)
            | OperationContents::Aggregate(_) => check_voters(predecessor, operation)?,
        }
    }
    Ok(effects)
}

fn check_voters(predecessor: &Block, vote: &Operation) -> Result<(), InvalidBlock> {
    let signers = vote.signers();
    if signers.is_empty() {
        let reason = "no delegate has signed it";
        return Err(InvalidBlock::Operation { operation: vote.hash(), reason });
    }
    let forbidden = |signer: &&&Identity| predecessor.penalties.is_forbidden(&signer.pkh());
    match signers.iter().find(forbidden) {
        Some(signer) => Err(InvalidBlock::ForbiddenDelegate { delegate: signer.pkh() }),
        None => Ok(()),
    }
}
