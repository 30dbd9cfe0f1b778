//! What the evidence in a block leads to: the offender is forbidden at once, and pays at the end of a cycle.
//!
//! Octez's rules in small (`src/proto_alpha/lib_protocol/`: `forbidden_delegates_storage.ml`,
//! `delegate_slashed_deposits_storage.ml`, `slash_percentage.ml`):
//!
//! - From the block with the evidence on, the offender may neither bake nor vote. Octez lets it back some cycles after it
//!   has paid, once rights follow from what it has left; the sandbox, where nobody can stake anew, never does.
//! - It pays with the last block of the cycle after that of its offence. Evidence that comes later still, which Octez does
//!   not take, is paid for with the last block of the cycle it came in.
//! - Double baking costs [`DOUBLE_BAKING`] of the deposit that it began with. Double voting costs the more, the more
//!   delegates did it at one level and round: the square of their share of the committee over [`THRESHOLD`], so 36 % for
//!   one of five and everything for two.
//! - One part in [`REWARD_DENOMINATOR`] of that is the reward of whoever baked the block with the evidence. The rest is
//!   burned.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::cycle::Cycles;
use crate::sandbox::hash::{OperationHash, PublicKeyHash};
use crate::sandbox::keys::DELEGATES;
use crate::sandbox::operation::Offence;

/// What each delegate has at stake to begin with, in mutez.
pub const DEPOSIT: u64 = 200_000_000_000;
/// In hundredths of a per cent (`percentage_of_frozen_deposits_slashed_per_double_baking`).
pub const DOUBLE_BAKING: u64 = 500;
/// The share of the committee that, voting twice, loses everything (`max_slashing_threshold`).
pub const THRESHOLD: (u64, u64) = (1, 3);
/// `global_limit_of_staking_over_baking` and two: nobody gains by denouncing itself.
pub const REWARD_DENOMINATOR: u64 = STAKING_OVER_BAKING + 2;
pub const STAKING_OVER_BAKING: u64 = 9;

const ALL: u64 = 10_000;

/// The offences that a branch knows of, and what they have cost.
#[derive(Clone, Debug, Default)]
pub struct Penalties {
    denounced: HashSet<Offence>,
    /// Not yet paid for, in the order of their denunciation.
    due: Vec<Denunciation>,
    /// What is left to those who have paid.
    deposits: BTreeMap<PublicKeyHash, u64>,
}

/// An offence with its evidence in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denunciation {
    pub offence: Offence,
    pub evidence: OperationHash,
    /// The baker of that block.
    pub rewarded: PublicKeyHash,
    /// The cycle of that block.
    pub cycle: u32,
}

/// What one denunciation has cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slash {
    pub evidence: OperationHash,
    pub punished: PublicKeyHash,
    pub rewarded: PublicKeyHash,
    pub burned: u64,
    pub reward: u64,
}

impl Penalties {
    pub fn knows(&self, offence: &Offence) -> bool {
        self.denounced.contains(offence)
    }

    pub fn is_forbidden(&self, delegate: &PublicKeyHash) -> bool {
        self.denounced.iter().any(|offence| offence.delegate == *delegate)
    }

    /// What the delegate has at stake, in mutez.
    pub fn deposit(&self, delegate: &PublicKeyHash) -> u64 {
        self.deposits.get(delegate).copied().unwrap_or(DEPOSIT)
    }

    /// Whether the offence was not denounced before; now it is.
    pub fn denounce(&mut self, denunciation: Denunciation) -> bool {
        let is_new = self.denounced.insert(denunciation.offence.clone());
        if is_new {
            self.due.push(denunciation);
        }
        is_new
    }

    /// Collects what is due at the end of this cycle.
    pub fn end_cycle(&mut self, cycle: u32, cycles: Cycles) -> Vec<Slash> {
        let is_due = |denunciation: &Denunciation| {
            let (committed, _) = cycles.cycle(denunciation.offence.level);
            cycle >= (committed.saturating_add(1)).max(denunciation.cycle)
        };
        let (due, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.due).into_iter().partition(is_due);
        self.due = rest;
        due.iter().map(|denunciation| self.slash(denunciation)).collect()
    }

    fn slash(&mut self, denunciation: &Denunciation) -> Slash {
        let Denunciation { offence, evidence, rewarded, .. } = denunciation;
        let left = self.deposit(&offence.delegate);
        let price = (DEPOSIT / ALL * self.part(offence)).min(left);
        let reward = price / REWARD_DENOMINATOR;
        self.deposits.insert(offence.delegate, left - price);
        Slash {
            evidence: *evidence,
            punished: offence.delegate,
            rewarded: *rewarded,
            burned: price - reward,
            reward,
        }
    }

    /// How much of its deposit an offence costs, in hundredths of a per cent.
    fn part(&self, offence: &Offence) -> u64 {
        if offence.vote.is_none() {
            return DOUBLE_BAKING;
        }
        let place = |offence: &Offence| (offence.level, offence.round, offence.vote);
        let together = self.denounced.iter().filter(|other| place(other) == place(offence)).count();
        let over = together as u64 * THRESHOLD.1;
        let under = DELEGATES.len() as u64 * THRESHOLD.0;
        (ALL * over * over / (under * under)).min(ALL)
    }
}

impl Slash {
    /// The lines of a block's `balance_updates` (`receipt_repr.ml`): burned, then rewarded.
    pub fn balance_updates(&self) -> [Value; 4] {
        let stake = |change: u64| {
            json!({
                "kind": "freezer",
                "category": "deposits",
                "staker": { "baker_own_stake": self.punished },
                "change": format!("-{change}"),
            })
        };
        let lines = [
            stake(self.burned),
            json!({ "kind": "burned", "category": "punishments", "change": self.burned.to_string() }),
            stake(self.reward),
            json!({ "kind": "contract", "contract": self.rewarded, "change": self.reward.to_string() }),
        ];
        lines.map(|mut line| {
            line["origin"] = "delayed_operation".into();
            line["delayed_operation_hash"] = json!(self.evidence);
            line
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::operation::VoteKind;

    const CYCLES: Cycles =
        Cycles { blocks_per_cycle: 8, voting_period: 2, consensus_rights_delay: 2 };

    fn denunciation(
        delegate: usize,
        level: u32,
        vote: Option<VoteKind>,
        cycle: u32,
    ) -> Denunciation {
        Denunciation {
            offence: Offence { level, round: 0, delegate: DELEGATES[delegate].pkh(), vote },
            evidence: OperationHash([7; 32]),
            rewarded: DELEGATES[4].pkh(),
            cycle,
        }
    }

    #[test]
    fn an_offender_is_forbidden_at_once_and_pays_at_the_end_of_the_next_cycle() {
        let mut penalties = Penalties::default();
        let offender = DELEGATES[1].pkh();
        assert!(!penalties.is_forbidden(&offender));
        assert!(penalties.denounce(denunciation(1, 3, None, 0)));
        assert!(!penalties.denounce(denunciation(1, 3, None, 1)), "one offence, one punishment");
        assert!(penalties.is_forbidden(&offender) && !penalties.is_forbidden(&DELEGATES[0].pkh()));
        assert_eq!(penalties.end_cycle(0, CYCLES), []);
        let slashes = penalties.end_cycle(1, CYCLES);
        let paid = Slash {
            evidence: OperationHash([7; 32]),
            punished: offender,
            rewarded: DELEGATES[4].pkh(),
            burned: 9_090_909_091,
            reward: 909_090_909,
        };
        assert_eq!(slashes, [paid]);
        assert_eq!(penalties.deposit(&offender), 190_000_000_000);
        assert_eq!(penalties.end_cycle(2, CYCLES), []);
        assert!(penalties.is_forbidden(&offender));
    }

    #[test]
    fn late_evidence_is_paid_for_in_its_own_cycle() {
        let mut penalties = Penalties::default();
        penalties.denounce(denunciation(0, 3, None, 5));
        assert_eq!(penalties.end_cycle(4, CYCLES), []);
        assert_eq!(penalties.end_cycle(5, CYCLES).len(), 1);
    }

    #[test]
    fn double_votes_cost_more_the_more_delegates_cast_them_and_never_more_than_there_is() {
        let vote = Some(VoteKind::Attestation);
        let price = |delegates: &[usize]| {
            let mut penalties = Penalties::default();
            for delegate in delegates {
                penalties.denounce(denunciation(*delegate, 3, vote, 0));
            }
            let slashes = penalties.end_cycle(1, CYCLES);
            slashes.iter().map(|slash| slash.burned + slash.reward).collect::<Vec<_>>()
        };
        assert_eq!(price(&[0]), [DEPOSIT / 100 * 36]);
        assert_eq!(price(&[0, 1]), [DEPOSIT; 2]);
        let mut apart = Penalties::default();
        for (delegate, level) in [(0, 3), (1, 4)] {
            apart.denounce(denunciation(delegate, level, vote, 0));
        }
        apart.end_cycle(1, CYCLES);
        assert_eq!(apart.deposit(&DELEGATES[1].pkh()), DEPOSIT / 100 * 64, "not at one level");
        let mut penalties = Penalties::default();
        for level in [3, 4, 5] {
            penalties.denounce(denunciation(0, level, vote, 0));
        }
        penalties.end_cycle(1, CYCLES);
        assert_eq!(penalties.deposit(&DELEGATES[0].pkh()), 0, "108 % is all there is");
    }

    #[test]
    fn balance_updates_of_a_slash_sum_up_to_nothing() {
        let mut penalties = Penalties::default();
        penalties.denounce(denunciation(1, 3, None, 0));
        let slash = penalties.end_cycle(1, CYCLES).remove(0);
        let updates = slash.balance_updates();
        let changes =
            updates.iter().map(|line| line["change"].as_str().unwrap().parse::<i64>().unwrap());
        assert_eq!(changes.sum::<i64>(), 0);
        assert_eq!(updates[0]["staker"]["baker_own_stake"], DELEGATES[1].public_key_hash);
        assert_eq!(updates[3]["contract"], DELEGATES[4].public_key_hash);
    }
}
