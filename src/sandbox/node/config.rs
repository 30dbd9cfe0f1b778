//! `config.json`: what a node is told once and keeps (`src/lib_node_config/config_file.ml`).

mod network;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::sandbox::upgrades::Upgrades;

/// Octez's number of peers that must agree before a node calls itself synchronised.
const DEFAULT_SYNCHRONISATION_THRESHOLD: usize = 4;
const DEFAULT_CONNECTIONS: usize = 50;
const DEFAULT_RPC_PORT: u16 = 8732;
const DEFAULT_NET_PORT: u16 = 9732;

/// What a command line says about the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    pub net_addr: Option<SocketAddr>,
    /// Where peers are told to find the node, if not where it listens.
    pub advertised_net_port: Option<u16>,
    pub rpc_addrs: Vec<SocketAddr>,
    pub metrics_addrs: Vec<SocketAddr>,
    /// `ADDR:PORT` or `ADDR:PORT#PEER`; added to those of the file.
    pub peers: Vec<String>,
    pub private_mode: Option<bool>,
    pub connections: Option<usize>,
    pub synchronisation_threshold: Option<usize>,
}

/// A configuration file, with whatever else stands in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigFile(Map<String, Value>);

/// What a running node needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub net_addr: SocketAddr,
    pub advertised_net_port: u16,
    pub rpc_addrs: Vec<SocketAddr>,
    pub metrics_addrs: Vec<SocketAddr>,
    pub peers: Vec<String>,
    pub private_mode: bool,
    pub max_connections: usize,
    pub synchronisation_threshold: usize,
    pub upgrades: Upgrades,
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path} is no configuration")]
    Parse { path: PathBuf, source: serde_json::Error },
    #[error("{field} in the configuration is not {wanted}: {found}")]
    Field { field: &'static str, wanted: &'static str, found: Value },
}

impl ConfigFile {
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("config.json")
    }

    /// The file of this data directory; an empty configuration where there is none.
    pub fn read(data_dir: &Path) -> Result<Self, ConfigError> {
        let path = Self::path(data_dir);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        match serde_json::from_slice(&text) {
            Ok(map) => Ok(Self(map)),
            Err(source) => Err(ConfigError::Parse { path, source }),
        }
    }

    pub fn write(&self, data_dir: &Path) -> Result<(), ConfigError> {
        let path = Self::path(data_dir);
        std::fs::write(&path, format!("{:#}\n", self.to_json()))
            .map_err(|source| ConfigError::Write { path, source })
    }

    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// This configuration with what the command line says; a fresh one names its network.
    #[must_use]
    pub fn with(mut self, data_dir: &Path, changes: &Changes) -> Self {
        self.0.entry("data-dir").or_insert_with(|| json!(data_dir));
        self.0.entry("network").or_insert_with(|| json!("sandbox"));
        if let Some(addr) = changes.net_addr {
            self.put(&["p2p", "listen-addr"], json!(addr));
        }
        if let Some(port) = changes.advertised_net_port {
            self.put(&["p2p", "advertised-net-port"], json!(port));
        }
        if !changes.rpc_addrs.is_empty() {
            self.put(&["rpc", "listen-addrs"], json!(changes.rpc_addrs));
        }
        if !changes.metrics_addrs.is_empty() {
            self.put(&["metrics_addr"], json!(changes.metrics_addrs));
        }
        if !changes.peers.is_empty() {
            let path = ["p2p", "bootstrap-peers"];
            let mut peers = self.get(&path).and_then(Value::as_array).cloned().unwrap_or_default();
            peers.extend(changes.peers.iter().map(|peer| json!(peer)));
            self.put(&path, peers.into());
        }
        if let Some(private) = changes.private_mode {
            self.put(&["p2p", "private-mode"], json!(private));
        }
        if let Some(connections) = changes.connections {
            let limits = [
                ("min-connections", connections / 2),
                ("expected-connections", connections),
                ("max-connections", max_connections(connections)),
            ];
            for (name, limit) in limits {
                self.put(&["p2p", "limits", name], json!(limit));
            }
        }
        if let Some(threshold) = changes.synchronisation_threshold {
            let path = ["shell", "chain_validator", "synchronisation_threshold"];
            self.put(&path, json!(threshold));
        }
        self
    }

    /// What the configuration means, with Octez's defaults for what it does not say.
    pub fn resolve(&self) -> Result<Config, ConfigError> {
        let rpc_addrs: Vec<SocketAddr> = match self.get(&["rpc", "listen-addrs"]) {
            None => vec![(Ipv4Addr::LOCALHOST, DEFAULT_RPC_PORT).into()],
            Some(found) => typed("rpc.listen-addrs", "a list of addresses", found)?,
        };
        let upgrades = self.get(&["network"]).map(network::upgrades).transpose()?;
        let net_addr: SocketAddr = self.or(
            &["p2p", "listen-addr"],
            "p2p.listen-addr",
            "an address",
            (Ipv4Addr::LOCALHOST, DEFAULT_NET_PORT).into(),
        )?;
        Ok(Config {
            net_addr,
            advertised_net_port: self.or(
                &["p2p", "advertised-net-port"],
                "p2p.advertised-net-port",
                "a port",
                net_addr.port(),
            )?,
            rpc_addrs,
            metrics_addrs: self.or(
                &["metrics_addr"],
                "metrics_addr",
                "a list of addresses",
                Vec::new(),
            )?,
            peers: self.or(
                &["p2p", "bootstrap-peers"],
                "p2p.bootstrap-peers",
                "a list of peers",
                Vec::new(),
            )?,
            private_mode: self.or(
                &["p2p", "private-mode"],
                "p2p.private-mode",
                "a boolean",
                false,
            )?,
            max_connections: self.or(
                &["p2p", "limits", "max-connections"],
                "p2p.limits.max-connections",
                "a number",
                max_connections(DEFAULT_CONNECTIONS),
            )?,
            synchronisation_threshold: self.or(
                &["shell", "chain_validator", "synchronisation_threshold"],
                "shell.chain_validator.synchronisation_threshold",
                "a number",
                DEFAULT_SYNCHRONISATION_THRESHOLD,
            )?,
            upgrades: upgrades.unwrap_or_default(),
        })
    }

    fn get(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.0.get(*first)?, |value, key| value.get(key))
    }

    fn or<T: serde::de::DeserializeOwned>(
        &self,
        path: &[&str],
        field: &'static str,
        wanted: &'static str,
        default: T,
    ) -> Result<T, ConfigError> {
        self.get(path).map_or(Ok(default), |found| typed(field, wanted, found))
    }

    fn put(&mut self, path: &[&str], value: Value) {
        let Some((last, parents)) = path.split_last() else {
            return;
        };
        let mut map = &mut self.0;
        for key in parents {
            let child = map.entry(*key).or_insert_with(|| json!({}));
            if !child.is_object() {
                *child = json!({});
            }
            map = child.as_object_mut().expect("it was just made an object");
        }
        map.insert((*last).to_owned(), value);
    }
}

/// Octez lets a node have half as many peers again as it is told to expect.
fn max_connections(expected: usize) -> usize {
    expected.saturating_mul(3).div_ceil(2).max(1)
}

fn typed<T: serde::de::DeserializeOwned>(
    field: &'static str,
    wanted: &'static str,
    found: &Value,
) -> Result<T, ConfigError> {
    let invalid = |_| ConfigError::Field { field, wanted, found: found.clone() };
    serde_json::from_value(found.clone()).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_config_init_was_told_is_known_to_a_later_run() {
        let dir = tempfile::tempdir().unwrap();
        let told = Changes {
            peers: vec!["127.0.0.1:5".into()],
            private_mode: Some(true),
            connections: Some(1),
            synchronisation_threshold: Some(0),
            ..Changes::default()
        };
        ConfigFile::default().with(dir.path(), &told).write(dir.path()).unwrap();
        let run = Changes {
            net_addr: Some(([127, 0, 0, 1], 7).into()),
            advertised_net_port: Some(9),
            rpc_addrs: vec![([127, 0, 0, 1], 8).into()],
            peers: vec!["127.0.0.1:6".into()],
            ..Changes::default()
        };
        let config = ConfigFile::read(dir.path()).unwrap().with(dir.path(), &run);
        let config = config.resolve().unwrap();
        assert_eq!(config.peers, ["127.0.0.1:5", "127.0.0.1:6"]);
        assert!(config.private_mode);
        assert_eq!((config.max_connections, config.synchronisation_threshold), (2, 0));
        assert_eq!((config.net_addr.port(), config.rpc_addrs[0].port()), (7, 8));
        assert_eq!(config.advertised_net_port, 9);
    }

    #[test]
    fn fields_of_others_are_kept_and_nonsense_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = ConfigFile::path(dir.path());
        std::fs::write(&path, r#"{"mine": [1], "p2p": {"private-mode": "often"}}"#).unwrap();
        let file = ConfigFile::read(dir.path()).unwrap();
        let error = file.resolve().unwrap_err().to_string();
        assert!(error.contains("p2p.private-mode") && error.contains("often"), "{error}");
        let changes = Changes { private_mode: Some(false), ..Changes::default() };
        let file = file.with(dir.path(), &changes);
        assert_eq!(file.to_json()["mine"], json!([1]));
        assert!(file.resolve().is_ok());
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(ConfigFile::read(dir.path()), Err(ConfigError::Parse { .. })));
    }
}
