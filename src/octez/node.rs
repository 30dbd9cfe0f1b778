//! A node's command lines, data directory and readiness.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::SUCCESS;
use super::network::{Upgrade, sandbox_with};
use crate::daemon::{
    CommandLine, DaemonName, DaemonSpec, EventLevels, EventSource, Kind, Level, Preparation,
    Readiness, merge,
};

/// The ports that a node listens on, all on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePorts {
    pub rpc: u16,
    pub net: u16,
    pub metrics: u16,
}

/// What a node is made from.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The program; `None` is `octez-node`.
    pub binary: Option<PathBuf>,
    /// Made by the preparation if it does not exist; a restarted node finds its chain there.
    pub data_dir: PathBuf,
    pub ports: NodePorts,
    pub synchronisation_threshold: Option<u32>,
    pub private_mode: bool,
    pub connections: Option<u32>,
    /// `HOST:PORT` of nodes to connect to.
    pub peers: Vec<String>,
    pub history_mode: Option<String>,
    /// Validate in the node's own process, without an `octez-validator` beside it.
    pub singleprocess: bool,
    /// Protocol changes to come, which its network has agreed on.
    pub upgrades: Vec<Upgrade>,
    /// Merged into `config.json` once it has been made.
    pub config: Option<Value>,
    pub events: EventLevels,
    /// Added at the end of the `run` command line.
    pub args: Vec<String>,
}

impl NodeOptions {
    /// The defaults of the program, events from level info on, and validation in its own process.
    pub fn new(data_dir: impl Into<PathBuf>, ports: NodePorts) -> Self {
        Self {
            binary: None,
            data_dir: data_dir.into(),
            ports,
            synchronisation_threshold: None,
            private_mode: false,
            connections: None,
            peers: Vec::new(),
            history_mode: None,
            singleprocess: true,
            upgrades: Vec::new(),
            config: None,
            events: EventLevels::default(),
            args: Vec::new(),
        }
    }

    /// The node's RPC as the harness and its accusers reach it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.rpc)
    }

    /// The specification of a node with these options: `identity generate`, `config init`, then `run`.
    pub fn spec(&self, name: DaemonName) -> DaemonSpec {
        DaemonSpec {
            kind: Kind::Node,
            preparation: vec![self.identity(), self.configuration()],
            events: EventSource::OctezSink(self.events.clone()),
            ready: self.readiness(),
            success: SUCCESS.to_vec(),
            ..DaemonSpec::process(name, self.run_command())
        }
    }

    fn command(&self, args: Vec<String>) -> CommandLine {
        let program: OsString =
            self.binary.clone().map_or_else(|| "octez-node".into(), PathBuf::into_os_string);
        let args = args.into_iter().map(Into::into).collect();
        CommandLine { program, args, ..CommandLine::default() }
    }

    fn identity(&self) -> Preparation {
        let data_dir = text(&self.data_dir);
        let args = ["identity", "generate", "--data-dir", &data_dir, "0"].map(Into::into);
        Preparation {
            command: self.command(args.into()),
            unless_exists: self.data_dir.join("identity.json"),
            renewal: None,
            merge: None,
        }
    }

    /// What is told here is not repeated on `run`: a restarted node reads its `config.json`.
    fn configuration(&self) -> Preparation {
        let data_dir = text(&self.data_dir);
        let mut args: Vec<String> =
            ["--data-dir", &data_dir, "--network", "sandbox", "--expected-pow", "0"]
                .map(Into::into)
                .into();
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                args.extend([name.to_owned(), value]);
            }
        };
        option(
            "--synchronisation-threshold",
            self.synchronisation_threshold.map(|n| n.to_string()),
        );
        option("--connections", self.connections.map(|n| n.to_string()));
        option("--history-mode", self.history_mode.clone());
        for peer in &self.peers {
            option("--peer", Some(peer.clone()));
        }
        if self.private_mode {
            args.push("--private-mode".into());
        }
        let config = |verb: &str| {
            let words = ["config", verb].map(String::from);
            self.command(words.into_iter().chain(args.iter().cloned()).collect())
        };
        Preparation {
            command: config("init"),
            unless_exists: self.data_dir.join("config.json"),
            renewal: Some(config("reset")),
            merge: self.merged(),
        }
    }

    /// The network, if it has upgrades, and the user's part, which has the last word.
    fn merged(&self) -> Option<Value> {
        if self.upgrades.is_empty() {
            return self.config.clone();
        }
        let mut whole = json!({ "network": sandbox_with(&self.upgrades) });
        if let Some(config) = &self.config {
            merge(&mut whole, config);
        }
        Some(whole)
    }

    /// The arguments with which Tezt runs a node (`tezt/lib_tezos/node.ml`).
    fn run_command(&self) -> CommandLine {
        let NodePorts { rpc, net, metrics } = self.ports;
        let local = |port: u16| format!("127.0.0.1:{port}");
        let mut args = vec!["run".into(), "--data-dir".into(), text(&self.data_dir)];
        let mut option = |name: &str, value: String| args.extend([name.to_owned(), value]);
        option("--net-addr", local(net));
        option("--metrics-addr", local(metrics));
        option("--rpc-addr", local(rpc));
        option("--max-active-rpc-connections", "500".into());
        option("--allow-all-rpc", local(rpc));
        if self.singleprocess {
            args.push("--singleprocess".into());
        }
        args.extend(self.args.iter().cloned());
        self.command(args)
    }

    fn readiness(&self) -> Readiness {
        if self.events.show(&["node", "main"], "node_is_ready", Level::Notice) {
            return Readiness::Event { name: "node_is_ready.v0".into(), predicate: None };
        }
        Readiness::Http(format!("{}/health/ready", self.endpoint()))
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
