//! An accuser's command line and readiness.

use std::path::PathBuf;

use regex::Regex;

use super::SUCCESS;
use crate::daemon::{
    CommandLine, DaemonName, DaemonSpec, EventLevels, EventSource, Kind, Level, Readiness,
};

/// What an accuser is made from.
#[derive(Clone, Debug)]
pub struct AccuserOptions {
    /// The program; `None` is `octez-accuser`, the agnostic one (Octez 23 and later).
    pub binary: Option<PathBuf>,
    /// The node it watches, as `http://HOST:PORT`.
    pub endpoint: String,
    /// Must exist: an accuser refuses a `--base-dir` that does not.
    pub base_dir: PathBuf,
    /// Levels whose operations it remembers; its own default is 200.
    pub preserved_levels: Option<u32>,
    /// Whether it waits for a node that is away, instead of ending with exit code 1.
    pub keep_alive: bool,
    pub events: EventLevels,
    /// Added at the end of the command line.
    pub args: Vec<String>,
}

impl AccuserOptions {
    /// The defaults of the program, and events from level info on.
    pub fn new(endpoint: impl Into<String>, base_dir: impl Into<PathBuf>) -> Self {
        Self {
            binary: None,
            endpoint: endpoint.into(),
            base_dir: base_dir.into(),
            preserved_levels: None,
            keep_alive: false,
            events: EventLevels::default(),
            args: Vec::new(),
        }
    }

    /// The specification of an accuser with these options; the caller may still change what is not Octez's.
    pub fn spec(&self, name: DaemonName) -> DaemonSpec {
        DaemonSpec {
            kind: Kind::Accuser,
            events: EventSource::OctezSink(self.events.clone()),
            ready: self.readiness(),
            success: SUCCESS.to_vec(),
            ..DaemonSpec::process(name, self.command())
        }
    }

    /// `octez-accuser -E URL --base-dir DIR run [--preserved-levels N] [--keep-alive]` (`lib_agnostic_baker/commands.ml`).
    fn command(&self) -> CommandLine {
        let program = self.binary.clone().unwrap_or_else(|| "octez-accuser".into());
        let mut args = vec!["-E".into(), self.endpoint.clone(), "--base-dir".into()];
        args.push(self.base_dir.to_string_lossy().into_owned());
        args.push("run".into());
        if let Some(levels) = self.preserved_levels {
            args.extend(["--preserved-levels".into(), levels.to_string()]);
        }
        if self.keep_alive {
            args.push("--keep-alive".into());
        }
        args.extend(self.args.iter().cloned());
        let args = args.into_iter().map(Into::into).collect();
        CommandLine { program: program.into(), args, ..CommandLine::default() }
    }

    /// `daemon_start` is emitted when both streams are open (`client_baking_denunciation.ml`). Tezt's sign, the line on
    /// standard output, comes before that and serves only where the event is switched off.
    fn readiness(&self) -> Readiness {
        let section = ["*", "delegate", "baking-scheduling"];
        if self.events.show(&section, "daemon_start", Level::Info) {
            return Readiness::Event { name: "daemon_start.v0".into(), predicate: None };
        }
        let line = Regex::new(r"^Waiting for protocol .+ to start\.\.\.$").expect("a valid regex");
        Readiness::Stdout(line)
    }
}
