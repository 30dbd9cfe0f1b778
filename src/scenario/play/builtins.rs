//! `${port.NAME}`, `${rpc.NODE}` and the like: what only the run knows.

use std::path::PathBuf;

use serde_json::Value;

use super::stage::Stage;
use crate::daemon::DaemonName;
use crate::harness::InitError;
use crate::octez::SANDBOX_KEYS;
use crate::scenario::values::{Builtin, Builtins, ValueError};

impl Builtins for Stage<'_> {
    fn resolve(&self, what: &Builtin) -> Result<Value, ValueError> {
        let unavailable = |text: String, reason: String| ValueError::Unavailable { text, reason };
        let directory = |name: &str, path: Result<PathBuf, InitError>| {
            path.map(|path| Value::from(path.to_string_lossy().into_owned()))
                .map_err(|error| unavailable(name.to_owned(), crate::cause::chain(&error)))
        };
        let port = |name: &str| {
            self.harness
                .port(name)
                .map_err(|error| unavailable(name.to_owned(), crate::cause::chain(&error)))
        };
        match what {
            Builtin::Variable(name) => Err(ValueError::Unset { name: name.clone() }),
            Builtin::Port(name) => port(name).map(Value::from),
            Builtin::Dir(name) | Builtin::Data(name) => {
                directory(name, self.harness.directory(name))
            }
            Builtin::Pipe(name) => match DaemonName::new(name) {
                Ok(daemon) => {
                    Ok(self.harness.event_pipe(&daemon).to_string_lossy().into_owned().into())
                }
                Err(error) => Err(unavailable(name.clone(), error.to_string())),
            },
            Builtin::Rpc(name) => {
                port(&format!("{name}.rpc")).map(|port| format!("http://127.0.0.1:{port}").into())
            }
            Builtin::Client(name) => directory(name, self.harness.client_directory(name)),
            Builtin::Pkh(key) => {
                let found = SANDBOX_KEYS.iter().find(|known| known.alias == key);
                found.map(|key| key.public_key_hash.into()).ok_or_else(|| {
                    let known: Vec<&str> = SANDBOX_KEYS.iter().map(|key| key.alias).collect();
                    let reason = format!("no such key; there are {}", known.join(", "));
                    unavailable(key.clone(), reason)
                })
            }
            Builtin::RunDir => {
                let path = std::path::absolute(&self.job.run_dir);
                let path = path.unwrap_or_else(|_| self.job.run_dir.clone());
                Ok(path.to_string_lossy().into_owned().into())
            }
            Builtin::RunId => Ok(self.harness.run_id().into()),
            Builtin::Seed => Ok(self.job.seed.into()),
            Builtin::ScenarioDir => Ok(self.scenario_dir().to_string_lossy().into_owned().into()),
            Builtin::Env { name, default } => match (std::env::var(name), default) {
                (Ok(value), _) => Ok(value.into()),
                (Err(_), Some(default)) => Ok(default.clone().into()),
                (Err(_), None) => Err(ValueError::NoEnvironment { name: name.clone() }),
            },
        }
    }
}

impl Stage<'_> {
    /// Paths in a scenario are relative to this.
    pub(super) fn scenario_dir(&self) -> std::path::PathBuf {
        let file = std::path::absolute(self.scenario.source.path());
        let file = file.unwrap_or_else(|_| self.scenario.source.path().to_owned());
        file.parent().map(std::path::Path::to_owned).unwrap_or_default()
    }
}
