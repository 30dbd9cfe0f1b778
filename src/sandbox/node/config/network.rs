//! `network` in the configuration: the name `sandbox`, or the same network spelt out, which alone can say upgrades
//! (`blockchain_network_encoding`, `src/lib_node_config/config_file.ml`).

use serde_json::{Value, json};

use super::ConfigError;
use crate::sandbox::keys::ACTIVATOR;
use crate::sandbox::node::chain::{GENESIS, GENESIS_TIME};
use crate::sandbox::protocol;
use crate::sandbox::upgrades::Upgrades;

const FIELD: &str = "network";
const WANTED: &str = "\"sandbox\" or that network spelt out, the only one of the stand-in";

/// The upgrades of the network, which must be the sandbox.
pub fn upgrades(network: &Value) -> Result<Upgrades, ConfigError> {
    if network == "sandbox" {
        return Ok(Upgrades::default());
    }
    let other = || ConfigError::Field { field: FIELD, wanted: WANTED, found: network.clone() };
    let genesis = &network["genesis"];
    let is_sandbox = genesis["block"] == GENESIS
        && genesis["protocol"] == protocol::GENESIS
        && genesis["timestamp"] == crate::sandbox::block::rfc3339(GENESIS_TIME)
        && network["genesis_parameters"]["values"]["genesis_pubkey"] == ACTIVATOR.public_key
        && network["chain_name"].is_string()
        && network["sandboxed_chain_name"].is_string();
    if !is_sandbox {
        return Err(other());
    }
    let found = network.get("user_activated_upgrades").cloned().unwrap_or_else(|| json!([]));
    Upgrades::from_json(&found).map_err(|_| ConfigError::Field {
        field: "network.user_activated_upgrades",
        wanted: "a list of {\"level\", \"replacement_protocol\"}",
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt_out() -> Value {
        json!({
            "genesis": {
                "timestamp": "2018-06-30T16:07:32Z",
                "block": "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2",
                "protocol": "ProtoGenesisGenesisGenesisGenesisGenesisGenesk612im",
            },
            "genesis_parameters": { "values": { "genesis_pubkey": ACTIVATOR.public_key } },
            "chain_name": "TEZOS",
            "sandboxed_chain_name": "SANDBOXED_TEZOS",
        })
    }

    #[test]
    fn the_sandbox_spelt_out_may_have_upgrades() {
        assert_eq!(upgrades(&json!("sandbox")).unwrap(), Upgrades::default());
        assert_eq!(upgrades(&spelt_out()).unwrap(), Upgrades::default());
        let list = json!([{ "level": 8, "replacement_protocol": protocol::ACTIVE[1].hash }]);
        let mut network = spelt_out();
        network["user_activated_upgrades"] = list.clone();
        assert_eq!(upgrades(&network).unwrap().to_json(), list);
    }

    #[test]
    fn another_network_and_upgrades_that_are_none_are_named() {
        let mut other = spelt_out();
        other["genesis"]["block"] = "BLockGenesisGenesisGenesisGenesisGenesis1db77eJNeJ9".into();
        for network in [json!("mainnet"), json!(3), json!({}), other] {
            let error = upgrades(&network).unwrap_err().to_string();
            assert!(error.starts_with("network in the configuration is not"), "{error}");
        }
        let mut network = spelt_out();
        network["user_activated_upgrades"] = json!([{ "level": 8 }]);
        let error = upgrades(&network).unwrap_err().to_string();
        assert!(error.starts_with("network.user_activated_upgrades in the"), "{error}");
    }
}
