//! A baker's command line and readiness. Only real Octez has one.

use std::path::PathBuf;

use super::SUCCESS;
use crate::daemon::{
    CommandLine, DaemonName, DaemonSpec, EventLevels, EventSource, Kind, Level, Readiness,
};

/// What a baker is made from.
#[derive(Clone, Debug)]
pub struct BakerOptions {
    /// The program; `None` is `octez-baker`, the agnostic one.
    pub binary: Option<PathBuf>,
    /// The node it bakes on, as `http://HOST:PORT`.
    pub endpoint: String,
    /// Of that node, which must be on the same host.
    pub node_data_dir: PathBuf,
    /// Holds its keys.
    pub base_dir: PathBuf,
    /// For whom it bakes; all keys in its base directory if there are none.
    pub keys: Vec<String>,
    /// Whether it waits for a node that is away, instead of ending with exit code 1.
    pub keep_alive: bool,
    pub events: EventLevels,
    /// Added at the end of the command line.
    pub args: Vec<String>,
}

impl BakerOptions {
    /// The specification of a baker with these options.
    pub fn spec(&self, name: DaemonName) -> DaemonSpec {
        DaemonSpec {
            kind: Kind::Baker,
            events: EventSource::OctezSink(self.events.clone()),
            ready: self.readiness(),
            success: SUCCESS.to_vec(),
            ..DaemonSpec::process(name, self.command())
        }
    }

    /// As Tezt runs it (`tezt/lib_tezos/agnostic_baker.ml`): a vote is mandatory, and no DAL node is there.
    fn command(&self) -> CommandLine {
        let program = self.binary.clone().unwrap_or_else(|| "octez-baker".into());
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let mut args = vec!["--endpoint".into(), self.endpoint.clone()];
        args.extend(["--base-dir".into(), path(&self.base_dir)]);
        args.extend(["run", "with", "local", "node"].map(Into::into));
        args.push(path(&self.node_data_dir));
        args.extend(self.keys.iter().cloned());
        args.extend(["--liquidity-baking-toggle-vote", "pass", "--without-dal"].map(Into::into));
        if self.keep_alive {
            args.push("--keep-alive".into());
        }
        args.extend(self.args.iter().cloned());
        let args = args.into_iter().map(Into::into).collect();
        CommandLine { program: program.into(), args, ..CommandLine::default() }
    }

    /// Tezt's sign; it comes before a protocol is active, as a baker can be started on a node that has only genesis.
    fn readiness(&self) -> Readiness {
        if self.events.show(&["agnostic-agent"], "starting_daemon", Level::Notice) {
            return Readiness::Event { name: "starting_daemon.v0".into(), predicate: None };
        }
        Readiness::Spawned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baker_whose_events_do_not_show_its_start_is_ready_when_it_runs() {
        let ready = |level| {
            let events = EventLevels { level, sections: Vec::new() };
            let options = BakerOptions {
                binary: None,
                endpoint: String::new(),
                node_data_dir: PathBuf::new(),
                base_dir: PathBuf::new(),
                keys: Vec::new(),
                keep_alive: false,
                events,
                args: Vec::new(),
            };
            options.spec(DaemonName::new("baker").expect("a valid name")).ready
        };
        assert!(matches!(ready(Level::Notice), Readiness::Event { .. }));
        assert!(matches!(ready(Level::Error), Readiness::Spawned));
    }
}
