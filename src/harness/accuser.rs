//! The handle of an accuser: what `Tezt_tezos.Accuser` offers, with the same meaning.

use std::ops::Deref;
use std::path::PathBuf;

use super::core::SharedCore;
use super::{CommandError, Daemon, Done, InitError, Node};
use crate::daemon::{DaemonName, DaemonSpec, EventLevels, Level, RestartPolicy};
use crate::octez::AccuserOptions;

/// An accuser; cheap to clone. Everything of a [`Daemon`] is here too.
#[derive(Clone, Debug)]
pub struct Accuser {
    daemon: Daemon,
    node_rpc_port: u16,
    options: AccuserOptions,
    spec: DaemonSpec,
}

impl Deref for Accuser {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl Accuser {
    /// The RPC port of the node it watches.
    pub fn node_rpc_port(&self) -> u16 {
        self.node_rpc_port
    }

    /// Spawns it with this event level for all sections, now and at later restarts; done as soon as it has been spawned.
    pub async fn run_at(&self, level: Level) -> Result<Done, CommandError> {
        let mut options = self.options.clone();
        options.events = EventLevels { level, sections: Vec::new() };
        let fresh = options.spec(self.name().clone());
        let spec = DaemonSpec { events: fresh.events, ready: fresh.ready, ..self.spec.clone() };
        self.daemon.run_as(spec).await
    }
}

/// An accuser being described.
#[must_use = "no accuser is made until `create` or `init` is awaited"]
#[derive(Debug)]
pub struct AccuserBuilder {
    core: SharedCore,
    name: String,
    node: Node,
    options: AccuserOptions,
    base_dir: Option<PathBuf>,
    restart: RestartPolicy,
}

impl AccuserBuilder {
    pub(super) fn new(core: SharedCore, name: &str, node: &Node) -> Self {
        let options = AccuserOptions::new(node.endpoint(), PathBuf::new());
        let restart = RestartPolicy::default();
        Self { core, name: name.to_owned(), node: node.clone(), options, base_dir: None, restart }
    }

    /// Levels whose operations it remembers.
    pub fn preserved_levels(mut self, levels: u32) -> Self {
        self.options.preserved_levels = Some(levels);
        self
    }

    /// Whether it waits for a node that is away, instead of ending with exit code 1.
    pub fn keep_alive(mut self, keep_alive: bool) -> Self {
        self.options.keep_alive = keep_alive;
        self
    }

    /// Its `--base-dir`, which must exist. Default: a temporary one.
    pub fn base_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.base_dir = Some(path.into());
        self
    }

    /// From which level on its events are written; `Info` by default.
    pub fn event_level(mut self, level: Level) -> Self {
        self.options.events.level = level;
        self
    }

    /// Another level for the sections under this dotted prefix.
    pub fn section_level(mut self, section: &str, level: Level) -> Self {
        self.options.events.sections.push((section.to_owned(), level));
        self
    }

    /// Another program than `octez-accuser`.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.binary = Some(path.into());
        self
    }

    /// An argument at the end of its command line.
    pub fn arg(mut self, arg: &str) -> Self {
        self.options.args.push(arg.to_owned());
        self
    }

    /// What happens when it ends by itself, crashes, or dies of a signal. Default: it stays dead.
    pub fn restart_policy(mut self, policy: RestartPolicy) -> Self {
        self.restart = policy;
        self
    }

    /// Makes it known. Nothing runs yet, and the node need not be ready.
    pub async fn create(mut self) -> Result<Accuser, InitError> {
        let name = DaemonName::new(&self.name)?;
        if self.options.binary.is_none() {
            self.core.programs.find("octez-accuser")?;
        }
        let base_dir = self.base_dir.take();
        self.options.base_dir = match base_dir {
            Some(path) => path,
            None => self.core.directory(&self.name)?,
        };
        let spec = DaemonSpec { restart: self.restart, ..self.options.spec(name) };
        let node_rpc_port = self.node.rpc_port();
        let daemon = Daemon::create(self.core, spec.clone()).await?;
        Ok(Accuser { daemon, node_rpc_port, options: self.options, spec })
    }

    /// Waits for the node to be ready, makes the accuser known, runs it and waits until it is ready.
    pub async fn init(self) -> Result<Accuser, InitError> {
        self.node.wait_for_ready().await.map_err(InitError::not_ready)?;
        let accuser = self.create().await?;
        accuser.run().await?;
        accuser.wait_for_ready().await.map_err(InitError::not_ready)?;
        Ok(accuser)
    }
}
