//! The declared daemons, and their handles once they have been made known.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::branch::Branch;
use super::stage::Stage;
use super::trouble::Trouble;
use crate::daemon::{DaemonName, DaemonSpec, Kind};
use crate::harness::{Daemon, Node};
use crate::octez::NodeOptions;
use crate::scenario::model::{DaemonDeclaration, Scenario, Settings};
use crate::scenario::result::FailureKind;
use crate::scenario::values::Text;

#[derive(Debug)]
pub(super) struct Roster {
    entries: RefCell<BTreeMap<DaemonName, Entry>>,
    /// In the order of the file.
    order: Vec<DaemonName>,
}

#[derive(Clone, Debug)]
struct Entry {
    declaration: DaemonDeclaration,
    handle: Option<Handle>,
}

/// A daemon that was made known.
#[derive(Clone, Debug)]
pub(super) enum Handle {
    Node(Node),
    Other(Daemon),
}

impl std::ops::Deref for Handle {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        match self {
            Self::Node(node) => node,
            Self::Other(daemon) => daemon,
        }
    }
}

/// What a declaration comes to.
pub(super) enum Prepared {
    Node(Box<NodeOptions>, DaemonSpec),
    Other(DaemonSpec),
}

impl Prepared {
    pub(super) fn into_spec(self) -> DaemonSpec {
        match self {
            Self::Node(_, spec) | Self::Other(spec) => spec,
        }
    }
}

impl Roster {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let entry = |declaration: &DaemonDeclaration| {
            (declaration.name.clone(), Entry { declaration: declaration.clone(), handle: None })
        };
        Self {
            entries: RefCell::new(scenario.daemons.iter().map(entry).collect()),
            order: scenario.daemons.iter().map(|declaration| declaration.name.clone()).collect(),
        }
    }

    /// Declared names, in the order of the file.
    pub(super) fn names(&self) -> &[DaemonName] {
        &self.order
    }

    pub(super) fn declaration(&self, name: &DaemonName) -> Option<DaemonDeclaration> {
        self.entries.borrow().get(name).map(|entry| entry.declaration.clone())
    }

    pub(super) fn handle(&self, name: &DaemonName) -> Option<Handle> {
        self.entries.borrow().get(name)?.handle.clone()
    }

    fn set_handle(&self, name: &DaemonName, handle: &Handle) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(name) {
            entry.handle = Some(handle.clone());
        }
    }

    /// Replaces declaration keys, from the next incarnation on.
    pub(super) fn replace(&self, name: &DaemonName, with: &Settings) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(name) {
            entry.declaration.settings = with.clone().or(&entry.declaration.settings);
        }
    }
}

fn undeclared(name: &str, roster: &Roster) -> Trouble {
    let known: Vec<&str> = roster.names().iter().map(DaemonName::as_str).collect();
    let message = format!("no daemon is called {name:?}; there are {}", known.join(", "));
    Trouble::new(FailureKind::Spawn, message)
}

impl Branch {
    pub(super) fn name(&self, stage: &Stage<'_>, text: &Text) -> Result<DaemonName, Trouble> {
        let name = text.resolve(&self.scope, stage)?;
        let known = stage.roster.names().iter().find(|known| known.as_str() == name);
        known.cloned().ok_or_else(|| undeclared(&name, &stage.roster))
    }

    /// The names that a `from` means, each once.
    pub(super) fn names(
        &self,
        stage: &Stage<'_>,
        from: &[Text],
    ) -> Result<Vec<DaemonName>, Trouble> {
        let mut names = Vec::new();
        for name in self.groups(stage, from)?.into_iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// What each entry of a `from` means: a name, or a glob over what is declared.
    pub(super) fn groups(
        &self,
        stage: &Stage<'_>,
        from: &[Text],
    ) -> Result<Vec<Vec<DaemonName>>, Trouble> {
        let mut groups = Vec::new();
        for text in from {
            let text = text.resolve(&self.scope, stage)?;
            let matches: Vec<DaemonName> = match glob::Pattern::new(&text) {
                Ok(glob) => {
                    let all = stage.roster.names().iter();
                    all.filter(|name| glob.matches(name.as_str())).cloned().collect()
                }
                Err(_) => Vec::new(),
            };
            if matches.is_empty() {
                return Err(undeclared(&text, &stage.roster));
            }
            groups.push(matches);
        }
        Ok(groups)
    }

    /// The daemon's handle; it is made known if it has not been.
    pub(super) async fn handle(
        &self,
        stage: &Stage<'_>,
        name: &DaemonName,
    ) -> Result<Handle, Trouble> {
        if let Some(handle) = stage.roster.handle(name) {
            return Ok(handle);
        }
        let declared = stage.roster.declaration(name);
        if declared.as_ref().is_some_and(|daemon| daemon.kind == Kind::Baker)
            && !stage.live()?.is_octez_real()
        {
            let message = format!(
                "{name} is an `octez-baker`, which the sandbox does not have: play it with `--octez`, or `bake`"
            );
            return Err(Trouble::environment(message).of(name));
        }
        if let Some(daemon) = declared.filter(|daemon| daemon.settings.binary.is_none())
            && daemon.kind != Kind::Process
        {
            let found = stage.live()?.octez_program(daemon.kind.word());
            found.map_err(|error| Trouble::environment(crate::cause::chain(&error)))?;
        }
        let handle = match self.prepare(stage, name)? {
            Prepared::Node(options, spec) => {
                Handle::Node(stage.live()?.create_node(*options, spec).await?)
            }
            Prepared::Other(spec) => Handle::Other(stage.live()?.create(spec).await?),
        };
        stage.roster.set_handle(name, &handle);
        Ok(handle)
    }

    pub(super) async fn node(&self, stage: &Stage<'_>, text: &Text) -> Result<Node, Trouble> {
        let name = self.name(stage, text)?;
        match self.handle(stage, &name).await? {
            Handle::Node(node) => Ok(node),
            Handle::Other(_) => {
                let message = format!("{name} is no octez-node");
                Err(Trouble::new(FailureKind::Rpc, message).of(&name))
            }
        }
    }
}
