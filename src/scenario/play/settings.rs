//! From what a scenario says of a daemon to the specification that the harness runs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use regex::Regex;

use super::branch::Branch;
use super::roster::Prepared;
use super::stage::Stage;
use super::trouble::Trouble;
use crate::daemon::{
    CommandLine, DEFAULT_TIMEOUT, DaemonName, DaemonSpec, EventSource, Kind, Readiness,
    RestartPolicy,
};
use crate::event::Envelope;
use crate::octez::{AccuserOptions, BakerOptions, NodeOptions, NodePorts, Upgrade};
use crate::scenario::model::{
    DaemonDeclaration, EventsFrom, ProcessSettings, ReadyWhen, RestartSettings, Settings,
    UpgradeSetting,
};
use crate::scenario::result::FailureKind;
use crate::scenario::values::{FromValue, Setting, Text, ValueError};

/// Exit codes that are no failure.
pub(super) fn success_codes(declaration: &DaemonDeclaration) -> Vec<i32> {
    let declared = declaration.settings.restart.as_ref();
    let declared = declared.and_then(|restart| restart.success.clone());
    declared.unwrap_or_else(|| match declaration.kind {
        Kind::Process => vec![0],
        _ => crate::octez::SUCCESS.to_vec(),
    })
}

/// What the values of a declaration are resolved in.
struct Resolver<'b, 's> {
    branch: &'b Branch,
    stage: &'b Stage<'s>,
}

impl Resolver<'_, '_> {
    fn text(&self, text: &Text) -> Result<String, ValueError> {
        text.resolve(&self.branch.scope, self.stage)
    }

    fn optional_text(&self, text: Option<&Text>) -> Result<Option<String>, ValueError> {
        text.map(|text| self.text(text)).transpose()
    }

    fn texts(&self, texts: Option<&Vec<Text>>) -> Result<Vec<String>, ValueError> {
        texts.into_iter().flatten().map(|text| self.text(text)).collect()
    }

    fn setting<T: FromValue + Clone>(
        &self,
        setting: Option<&Setting<T>>,
    ) -> Result<Option<T>, ValueError> {
        setting.map(|setting| setting.resolve(&self.branch.scope, self.stage)).transpose()
    }

    fn number(&self, setting: Option<&Setting<u64>>) -> Result<Option<u32>, ValueError> {
        let number = self.setting(setting)?;
        Ok(number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// A path in the file is relative to the file.
    fn path(&self, text: &Text) -> Result<PathBuf, ValueError> {
        Ok(self.stage.scenario_dir().join(self.text(text)?))
    }

    fn binary(&self, settings: &Settings) -> Result<Option<PathBuf>, ValueError> {
        settings.binary.as_ref().map(|binary| self.program(binary)).transpose()
    }

    /// A program with a slash is a path; without, it is looked up in PATH.
    fn program(&self, text: &Text) -> Result<PathBuf, ValueError> {
        let program = self.text(text)?;
        Ok(if program.contains('/') {
            self.stage.scenario_dir().join(program)
        } else {
            program.into()
        })
    }
}

impl Branch {
    /// The specification that the declaration, as it is now, comes to.
    pub(super) fn prepare(
        &self,
        stage: &Stage<'_>,
        name: &DaemonName,
    ) -> Result<Prepared, Trouble> {
        let Some(declaration) = stage.roster.declaration(name) else {
            return Err(Trouble::new(FailureKind::Spawn, format!("{name} is not declared")));
        };
        let resolver = Resolver { branch: self, stage };
        let settings = &declaration.settings;
        let mut prepared = match declaration.kind {
            Kind::Node => resolver.node(name, settings)?,
            Kind::Accuser => Prepared::Other(resolver.accuser(name, settings)?),
            Kind::Baker => Prepared::Other(resolver.baker(name, settings)?),
            Kind::Process => Prepared::Other(resolver.process(name, settings)?),
        };
        let (Prepared::Node(_, spec) | Prepared::Other(spec)) = &mut prepared;
        resolver.common(spec, settings)?;
        Ok(prepared)
    }
}

impl Resolver<'_, '_> {
    fn node(&self, name: &DaemonName, settings: &Settings) -> Result<Prepared, Trouble> {
        let harness = self.stage.live()?;
        let port = |what: &str| {
            let port = harness.port(&format!("{name}.{what}"));
            port.map_err(|error| Trouble::environment(crate::cause::chain(&error)))
        };
        let ports = NodePorts { rpc: port("rpc")?, net: port("net")?, metrics: port("metrics")? };
        let mut options = NodeOptions::new(harness.directory(name.as_str())?, ports);
        let own = &settings.node;
        options.binary = self.binary(settings)?;
        options.synchronisation_threshold = self.number(own.synchronisation_threshold.as_ref())?;
        options.private_mode = self.setting(own.private_mode.as_ref())?.unwrap_or(false);
        options.connections = self.number(own.connections.as_ref())?;
        for peer in self.texts(own.peers.as_ref())? {
            options.peers.push(self.peer(&peer)?);
        }
        options.history_mode = self.optional_text(own.history_mode.as_ref())?;
        options.singleprocess = self.setting(own.singleprocess.as_ref())?.unwrap_or(true);
        let config = own.config.as_ref();
        options.config =
            config.map(|data| data.resolve(&self.branch.scope, self.stage)).transpose()?;
        for upgrade in own.upgrades.iter().flatten() {
            options.upgrades.push(self.upgrade(upgrade)?);
        }
        options.events = settings.events.clone().unwrap_or_default();
        options.args = self.texts(settings.args.as_ref())?;
        let spec = options.spec(name.clone());
        Ok(Prepared::Node(Box::new(options), spec))
    }

    fn upgrade(&self, upgrade: &UpgradeSetting) -> Result<Upgrade, ValueError> {
        let level = self.number(Some(&upgrade.level))?.unwrap_or_default();
        Ok(Upgrade { level, protocol: self.text(&upgrade.protocol)? })
    }

    /// A peer is a node of the scenario, or `HOST:PORT`.
    fn peer(&self, peer: &str) -> Result<String, Trouble> {
        let is_ours = self.stage.roster.names().iter().any(|name| name.as_str() == peer);
        if !is_ours {
            return Ok(peer.to_owned());
        }
        let port = self.stage.live()?.port(&format!("{peer}.net"));
        let port = port.map_err(|error| Trouble::environment(crate::cause::chain(&error)))?;
        Ok(format!("127.0.0.1:{port}"))
    }

    fn accuser(&self, name: &DaemonName, settings: &Settings) -> Result<DaemonSpec, Trouble> {
        let own = &settings.accuser;
        let (_, endpoint) = self.watched(name, settings)?;
        let base_dir = match &own.base_dir {
            Some(path) => self.path(path)?,
            None => self.stage.live()?.directory(name.as_str())?,
        };
        let mut options = AccuserOptions::new(endpoint, base_dir);
        options.binary = self.binary(settings)?;
        options.preserved_levels = self.number(own.preserved_levels.as_ref())?;
        options.keep_alive = self.setting(settings.keep_alive.as_ref())?.unwrap_or(false);
        options.events = settings.events.clone().unwrap_or_default();
        options.args = self.texts(settings.args.as_ref())?;
        Ok(options.spec(name.clone()))
    }

    /// The node that an accuser or a baker talks to, and where.
    fn watched<'a>(
        &self,
        name: &DaemonName,
        settings: &'a Settings,
    ) -> Result<(&'a str, String), Trouble> {
        let Some(node) = &settings.watched else {
            let message = format!("{name} has no `node`");
            return Err(Trouble::new(FailureKind::Spawn, message).of(name));
        };
        let port = self.stage.live()?.port(&format!("{}.rpc", node.value));
        let port = port.map_err(|error| Trouble::environment(crate::cause::chain(&error)))?;
        Ok((&node.value, format!("http://127.0.0.1:{port}")))
    }

    /// It has the keys of its node's client.
    fn baker(&self, name: &DaemonName, settings: &Settings) -> Result<DaemonSpec, Trouble> {
        let harness = self.stage.live()?;
        let (node, endpoint) = self.watched(name, settings)?;
        let options = BakerOptions {
            binary: self.binary(settings)?,
            endpoint,
            node_data_dir: harness.directory(node)?,
            base_dir: harness.client_directory(node)?,
            keys: self.texts(settings.keys.as_ref())?,
            keep_alive: self.setting(settings.keep_alive.as_ref())?.unwrap_or(false),
            events: settings.events.clone().unwrap_or_default(),
            args: self.texts(settings.args.as_ref())?,
        };
        Ok(options.spec(name.clone()))
    }

    fn process(&self, name: &DaemonName, settings: &Settings) -> Result<DaemonSpec, Trouble> {
        let own = &settings.process;
        let mut words: Vec<OsString> = Vec::new();
        for (index, word) in own.command.iter().flatten().enumerate() {
            words.push(match index {
                0 => self.program(word)?.into_os_string(),
                _ => self.text(word)?.into(),
            });
        }
        words.extend(self.texts(settings.args.as_ref())?.into_iter().map(Into::into));
        let mut spec = DaemonSpec::process(name.clone(), CommandLine::new(words));
        spec.command.cwd = Some(self.stage.scenario_dir());
        spec.events = self.event_source(own)?;
        if let Some(envelope) = &own.envelope {
            spec.envelope = Envelope::Fields {
                name: envelope.name.clone(),
                value: envelope.value.clone(),
                time: envelope.time.clone(),
            };
        }
        if let Some(ready) = &own.ready {
            spec.ready = self.readiness(ready)?;
        }
        Ok(spec)
    }

    fn event_source(&self, own: &ProcessSettings) -> Result<EventSource, Trouble> {
        Ok(match &own.events_from {
            None | Some(EventsFrom::Pipe) => EventSource::Pipe,
            Some(EventsFrom::Stdout) => EventSource::Stdout,
            Some(EventsFrom::Stderr) => EventSource::Stderr,
            Some(EventsFrom::File(path)) => EventSource::File(self.path(path)?),
        })
    }

    fn readiness(&self, ready: &ReadyWhen) -> Result<Readiness, Trouble> {
        Ok(match ready {
            ReadyWhen::Event { event, condition } => Readiness::Event {
                name: self.text(event)?.into(),
                predicate: condition.as_ref().map(|own| Arc::new(own.predicate.clone())),
            },
            ReadyWhen::Stdout(pattern) => {
                let pattern = self.text(pattern)?;
                Readiness::Stdout(Regex::new(&pattern).map_err(|error| {
                    let message = format!("`ready` has no valid pattern: {error}");
                    Trouble::new(FailureKind::Invalid, message)
                })?)
            }
            ReadyWhen::Tcp(address) => Readiness::Tcp(self.text(address)?),
            ReadyWhen::Http(url) => Readiness::Http(self.text(url)?),
            ReadyWhen::Exit(code) => Readiness::Exit(*code),
        })
    }

    /// What all kinds have.
    fn common(&self, spec: &mut DaemonSpec, settings: &Settings) -> Result<(), Trouble> {
        for (key, value) in settings.env.iter().flatten() {
            spec.command.env.insert(key.into(), self.text(value)?.into());
        }
        if let Some(cwd) = &settings.cwd {
            spec.command.cwd = Some(self.path(cwd)?);
        }
        if let Some(restart) = &settings.restart {
            spec.restart = self.restart(restart)?;
            if let Some(success) = &restart.success {
                spec.success.clone_from(success);
            }
        }
        if let Some(grace) = self.setting(settings.grace.as_ref())? {
            spec.grace = grace;
        }
        spec.grace = self.stage.scaled(spec.grace);
        // The step that waits for it has the limit; this one must only not come before.
        spec.ready_within = self.stage.scaled(DEFAULT_TIMEOUT).saturating_mul(100);
        spec.knows = settings.knows.iter().flatten().map(|name| name.value.clone()).collect();
        Ok(())
    }

    fn restart(&self, restart: &RestartSettings) -> Result<RestartPolicy, Trouble> {
        let mut policy = RestartPolicy { rule: restart.policy, ..RestartPolicy::default() };
        if let Some(max) = self.setting(restart.max_restarts.as_ref())? {
            policy.max_restarts = max;
        }
        if let Some(window) = self.setting(restart.window.as_ref())? {
            policy.window = window;
        }
        let backoff = &restart.backoff;
        if let Some(initial) = self.setting(backoff.initial.as_ref())? {
            policy.backoff.initial = initial;
        }
        if let Some(factor) = self.setting(backoff.factor.as_ref())? {
            policy.backoff.factor = factor;
        }
        if let Some(max) = self.setting(backoff.max.as_ref())? {
            policy.backoff.max = max;
        }
        if let Some(jitter) = self.setting(backoff.jitter.as_ref())? {
            policy.backoff.jitter = jitter;
        }
        Ok(policy)
    }
}
