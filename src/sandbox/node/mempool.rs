//! Operations that wait for a block, sorted by whether they could be in the next one
//! (`src/lib_shell/prevalidator.ml`, `prevalidator_classification.ml`).

use serde_json::{Value, json};

use super::chain::{Block, Chain};
use super::trace;
use crate::sandbox::hash::{BlockHash, OperationHash, ProtocolHash, PublicKeyHash};
use crate::sandbox::operation::{Contents, Operation, Vote, VoteKind};

/// How many blocks below the head an operation's branch may be (`max_operations_time_to_live`).
pub const OPERATIONS_TIME_TO_LIVE: usize = 450;

/// Which list of `pending_operations` an operation is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Validated,
    Refused,
    Outdated,
    BranchRefused,
    BranchDelayed,
}

impl Class {
    pub const ALL: [Self; 5] =
        [Self::Validated, Self::Refused, Self::Outdated, Self::BranchRefused, Self::BranchDelayed];

    pub fn word(self) -> &'static str {
        match self {
            Self::Validated => "validated",
            Self::Refused => "refused",
            Self::Outdated => "outdated",
            Self::BranchRefused => "branch_refused",
            Self::BranchDelayed => "branch_delayed",
        }
    }
}

/// An operation in the mempool; `error` says why it is not validated.
#[derive(Clone, Debug)]
pub struct Pending {
    pub hash: OperationHash,
    pub operation: Operation,
    pub refusal: Option<Refusal>,
}

impl Pending {
    pub fn class(&self) -> Class {
        self.refusal.as_ref().map_or(Class::Validated, Refusal::class)
    }

    /// As RPCs list it; streams also tell the protocol.
    pub fn to_json(&self, protocol: Option<&ProtocolHash>) -> Value {
        let mut json = json!({ "hash": self.hash });
        if let Some(protocol) = protocol {
            json["protocol"] = json!(protocol);
        }
        json["branch"] = json!(self.operation.branch);
        json["contents"] = json!([self.operation.contents.to_json()]);
        json["signature"] = json!(self.operation.signature);
        if let Some(refusal) = &self.refusal {
            json["error"] = refusal.trace();
        }
        json
    }
}

/// Why an operation could not be in the next block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no protocol is active that has operations")]
    NoProtocol,
    #[error("the branch {branch} is not among the last blocks of the chain")]
    NotLive { branch: BlockHash },
    #[error("no delegate has signed it")]
    InvalidSignature,
    #[error(
        "Delegate {delegate} has committed too many misbehaviours; it is temporarily not allowed to \
         bake/preattest/attest."
    )]
    ForbiddenDelegate { delegate: PublicKeyHash },
    #[error("an aggregate can only be in a block")]
    AggregateInMempool,
    #[error("the evidence proves no misbehaviour")]
    InvalidDenunciation,
    #[error("the misbehaviour was already denounced in a block")]
    AlreadyDenounced { level: u32, delegate: String },
    #[error("the mempool already contains a conflicting operation, {existing}")]
    Conflict { existing: OperationHash },
    #[error("the vote is for level {provided}, below {expected}")]
    OldLevel { expected: u32, provided: u32 },
    #[error("the vote is for level {provided}, above {expected}")]
    FutureLevel { expected: u32, provided: u32 },
}

impl Refusal {
    pub fn class(&self) -> Class {
        match self {
            Self::NoProtocol
            | Self::InvalidSignature
            | Self::ForbiddenDelegate { .. }
            | Self::AggregateInMempool
            | Self::InvalidDenunciation => Class::Refused,
            Self::NotLive { .. } | Self::AlreadyDenounced { .. } => Class::BranchRefused,
            Self::Conflict { .. } | Self::FutureLevel { .. } => Class::BranchDelayed,
            Self::OldLevel { .. } => Class::Outdated,
        }
    }

    /// The error as Octez lists it.
    pub fn trace(&self) -> Value {
        let (kind, id) = match self {
            Self::NoProtocol => ("permanent", "prevalidation.parse_error"),
            Self::NotLive { .. } => ("branch", "prevalidation.oversized_or_old_branch"),
            Self::InvalidSignature => ("permanent", "operation.invalid_signature"),
            Self::ForbiddenDelegate { .. } => {
                ("permanent", "validate.temporarily_forbidden_delegate")
            }
            Self::AggregateInMempool => ("permanent", "validate.aggregate_in_mempool"),
            Self::InvalidDenunciation => {
                ("permanent", "validate.operation.block.invalid_denunciation")
            }
            Self::AlreadyDenounced { .. } => ("branch", "validate.operation.already_denounced"),
            Self::Conflict { .. } => ("temporary", "prevalidation.operation_conflict"),
            Self::OldLevel { .. } => ("outdated", "validate.consensus_operation_for_old_level"),
            Self::FutureLevel { .. } => {
                ("temporary", "validate.consensus_operation_for_future_level")
            }
        };
        let mut error = json!({ "kind": kind, "id": id, "msg": self.to_string() });
        match self {
            Self::NoProtocol
            | Self::InvalidSignature
            | Self::AggregateInMempool
            | Self::InvalidDenunciation => {}
            Self::ForbiddenDelegate { delegate } => error["delegate"] = json!(delegate),
            Self::NotLive { branch } => error["branch"] = json!(branch),
            Self::AlreadyDenounced { level, delegate } => {
                error["level"] = json!(level);
                error["delegate"] = json!(delegate);
            }
            Self::Conflict { existing } => error["existing"] = json!(existing),
            Self::OldLevel { expected, provided } | Self::FutureLevel { expected, provided } => {
                error["expected"] = json!(expected);
                error["provided"] = json!(provided);
            }
        }
        json!([error])
    }
}

/// Why an operation was not injected.
#[derive(Debug, thiserror::Error)]
#[error("error while applying operation {operation}")]
pub struct InjectionError {
    pub operation: OperationHash,
    #[source]
    pub source: Refusal,
}

impl InjectionError {
    pub fn trace(&self) -> Value {
        let mut errors =
            vec![trace::failure(&format!("Error while applying operation {}:", self.operation))];
        errors.extend(self.source.trace().as_array().cloned().unwrap_or_default());
        errors.into()
    }
}

/// What an injection did.
#[derive(Debug, PartialEq, Eq)]
pub enum Injection {
    Added,
    /// It is in the mempool, or in a block of the head's branch, already: as good as added.
    Known,
}

/// Every operation that is known and in no block of the head's branch, in the order of arrival.
#[derive(Debug, Default)]
pub struct Mempool {
    pending: Vec<Pending>,
}

impl Mempool {
    pub fn get(&self, hash: &OperationHash) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.hash == *hash)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.pending.iter()
    }

    pub fn of_class(&self, class: Class) -> impl Iterator<Item = &Pending> {
        self.pending.iter().filter(move |pending| pending.class() == class)
    }

    /// Adds an operation of a client's: only if it is valid on the head, unless `force`d.
    pub fn inject(
        &mut self,
        chain: &Chain,
        operation: Operation,
        force: bool,
    ) -> Result<Injection, InjectionError> {
        let hash = operation.hash();
        let pending = self.get(&hash).is_some_and(|known| force || known.refusal.is_none());
        if pending || included(chain, &hash) {
            return Ok(Injection::Known);
        }
        match self.check(chain, &operation) {
            Err(source) if !force => Err(InjectionError { operation: hash, source }),
            checked => {
                self.keep(Pending { hash, operation, refusal: checked.err() });
                Ok(Injection::Added)
            }
        }
    }

    /// Adds an operation of a peer's, whatever it is; `None` if it was known.
    pub fn receive(&mut self, chain: &Chain, operation: Operation) -> Option<&Pending> {
        let hash = operation.hash();
        if self.get(&hash).is_some() || included(chain, &hash) {
            return None;
        }
        let refusal = self.check(chain, &operation).err();
        self.keep(Pending { hash, operation, refusal });
        self.pending.last()
    }

    fn keep(&mut self, pending: Pending) {
        /// Refused operations are kept only to be recognised; a peer that sends nothing else must not fill the memory.
        const MAX_PENDING: usize = 10_000;
        self.pending.retain(|known| known.hash != pending.hash);
        if self.pending.len() >= MAX_PENDING {
            let oldest = self.pending.iter().position(|known| known.refusal.is_some());
            self.pending.remove(oldest.unwrap_or(0));
        }
        self.pending.push(pending);
    }

    /// Sorts everything again for a new head: what its branch includes goes, what `abandoned` blocks included comes back.
    pub fn flush(&mut self, chain: &Chain, abandoned: &[std::sync::Arc<Block>]) {
        let returned = abandoned.iter().rev().flat_map(|block| block.operations.iter().flatten());
        let operations: Vec<Operation> = returned
            .cloned()
            .chain(std::mem::take(&mut self.pending).into_iter().map(|known| known.operation))
            .collect();
        for operation in operations {
            self.receive(chain, operation);
        }
    }

    /// Whether the operation could be in the next block, after those that are validated already.
    fn check(&self, chain: &Chain, operation: &Operation) -> Result<(), Refusal> {
        if !chain.head().is_protocol_active() {
            return Err(Refusal::NoProtocol);
        }
        if !chain.is_live(&operation.branch, OPERATIONS_TIME_TO_LIVE) {
            return Err(Refusal::NotLive { branch: operation.branch });
        }
        match &operation.contents {
            Contents::Preattestation(vote) => {
                self.check_vote(chain, operation, VoteKind::Preattestation, *vote)
            }
            Contents::Attestation(vote) => {
                self.check_vote(chain, operation, VoteKind::Attestation, *vote)
            }
            Contents::Aggregate(_) => Err(Refusal::AggregateInMempool),
            Contents::UpdateConsensusKey { source, .. } => self.check_update(operation, source),
            Contents::DoubleBaking { .. } | Contents::DoubleConsensus { .. } => {
                self.check_evidence(chain, operation)
            }
        }
    }

    /// A delegate asks for one thing at a time.
    fn check_update(&self, operation: &Operation, source: &PublicKeyHash) -> Result<(), Refusal> {
        if !operation.updates_its_own_key() {
            return Err(Refusal::InvalidSignature);
        }
        let rival = |pending: &&Pending| match &pending.operation.contents {
            Contents::UpdateConsensusKey { source: other, .. } => other == source,
            _ => false,
        };
        match self.of_class(Class::Validated).find(rival) {
            Some(existing) => Err(Refusal::Conflict { existing: existing.hash }),
            None => Ok(()),
        }
    }

    fn check_evidence(&self, chain: &Chain, operation: &Operation) -> Result<(), Refusal> {
        let offence = operation.offence().ok_or(Refusal::InvalidDenunciation)?;
        if chain.head().penalties.knows(&offence) {
            let delegate = offence.delegate.to_string();
            return Err(Refusal::AlreadyDenounced { level: offence.level, delegate });
        }
        let rival = |pending: &&Pending| pending.operation.offence().as_ref() == Some(&offence);
        match self.of_class(Class::Validated).find(rival) {
            Some(existing) => Err(Refusal::Conflict { existing: existing.hash }),
            None => Ok(()),
        }
    }

    /// A vote may be for the head, its predecessor or its successor; one vote of a kind to a slot and round.
    fn check_vote(
        &self,
        chain: &Chain,
        operation: &Operation,
        kind: VoteKind,
        vote: Vote,
    ) -> Result<(), Refusal> {
        let head = chain.head().level();
        let signer = operation.signer().ok_or(Refusal::InvalidSignature)?.pkh();
        if chain.head().penalties.is_forbidden(&signer) {
            return Err(Refusal::ForbiddenDelegate { delegate: signer });
        }
        let (oldest, newest) = (head.saturating_sub(1), head.saturating_add(1));
        if vote.level < oldest {
            return Err(Refusal::OldLevel { expected: oldest, provided: vote.level });
        }
        if vote.level > newest {
            return Err(Refusal::FutureLevel { expected: newest, provided: vote.level });
        }
        let place = |kind, vote: Vote| (kind, vote.level, vote.round, vote.slot);
        let rival = |pending: &&Pending| {
            let theirs = pending.operation.vote().map(|(kind, vote)| place(kind, vote));
            theirs == Some(place(kind, vote))
        };
        match self.of_class(Class::Validated).find(rival) {
            Some(existing) => Err(Refusal::Conflict { existing: existing.hash }),
            None => Ok(()),
        }
    }
}

/// Whether a block of the head's branch has this operation.
fn included(chain: &Chain, hash: &OperationHash) -> bool {
    chain
        .ancestry(chain.head())
        .take(OPERATIONS_TIME_TO_LIVE)
        .any(|block| block.operations.iter().flatten().any(|known| known.hash() == *hash))
}

#[cfg(test)]
mod tests;
