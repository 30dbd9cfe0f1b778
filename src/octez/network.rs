//! The sandbox's network, spelt out for `config.json`: how a node is told of protocol changes to come.

use serde_json::{Value, json};

use super::{ACTIVATOR, GENESIS_PROTOCOL};

/// A protocol change that a node's configuration names (`user_activated_upgrades`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Of the last block of the old protocol; the one after it is of the new one.
    pub level: u32,
    /// The hash of the new protocol.
    pub protocol: String,
}

/// What `network` holds for a sandbox with these upgrades.
///
/// `--network sandbox` writes a name, and a name cannot have upgrades: Octez takes them from a network that is spelt out
/// (`src/lib_node_config/config_file.ml`). This is the built-in sandbox, field by field, so that chain and activator stay
/// the same (`tezt/lib_tezos/node.ml` does likewise).
pub(super) fn sandbox_with(upgrades: &[Upgrade]) -> Value {
    let upgrade = |one: &Upgrade| json!({"level": one.level, "replacement_protocol": one.protocol});
    json!({
        "genesis": {
            "timestamp": "2018-06-30T16:07:32Z",
            "block": "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2",
            "protocol": GENESIS_PROTOCOL,
        },
        "genesis_parameters": { "values": { "genesis_pubkey": ACTIVATOR.public_key } },
        "chain_name": "TEZOS",
        "sandboxed_chain_name": "SANDBOXED_TEZOS",
        "user_activated_upgrades": upgrades.iter().map(upgrade).collect::<Value>(),
    })
}

/// Whether this is a protocol hash: 32 bytes in base58check behind the prefix that makes it begin with `P`
/// (`src/lib_crypto/base58.ml`).
pub fn is_protocol_hash(text: &str) -> bool {
    let bytes = bs58::decode(text).with_check(None).into_vec();
    bytes.is_ok_and(|bytes| bytes.len() == 34 && bytes.starts_with(&[2, 170]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Upgrade, is_protocol_hash};
    use crate::daemon::DaemonName;
    use crate::octez::{NEWEST_PROTOCOL, NodeOptions, NodePorts};

    /// What is merged into the configuration of a node with these upgrades, and this `config` of the user's.
    fn merged(upgrades: &[Upgrade], config: Option<Value>) -> Option<Value> {
        let ports = NodePorts { rpc: 1, net: 2, metrics: 3 };
        let upgrades = upgrades.to_vec();
        let options = NodeOptions { upgrades, config, ..NodeOptions::new("/d", ports) };
        let spec = options.spec(DaemonName::new("node").unwrap());
        spec.preparation.into_iter().find_map(|step| step.merge)
    }

    #[test]
    fn upgrades_spell_the_network_out_and_the_users_part_has_the_last_word() {
        let user = json!({ "network": { "chain_name": "MINE" }, "p2p": {} });
        assert_eq!(merged(&[], None), None);
        assert_eq!(merged(&[], Some(user.clone())), Some(user.clone()));
        let upgrade = Upgrade { level: 8, protocol: NEWEST_PROTOCOL.to_owned() };
        let config = merged(&[upgrade], Some(user)).unwrap();
        let list = json!([{ "level": 8, "replacement_protocol": NEWEST_PROTOCOL }]);
        assert_eq!(config["network"]["user_activated_upgrades"], list);
        assert!(config["network"]["genesis"]["block"].is_string());
        assert_eq!(
            (&config["network"]["chain_name"], &config["p2p"]),
            (&json!("MINE"), &json!({}))
        );
    }

    #[test]
    fn protocol_hashes_are_told_from_names_slips_and_other_hashes() {
        assert!(is_protocol_hash(NEWEST_PROTOCOL));
        for text in [
            "",
            "alpha",
            "PsUshuai9Qap",
            "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCZ",
            "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2",
        ] {
            assert!(!is_protocol_hash(text), "{text}");
        }
    }
}
