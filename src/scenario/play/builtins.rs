//! `${port.NAME}`, `${rpc.NODE}` and the like: what only the run knows.

use std::path::PathBuf;

use serde_json::Value;

use super::stage::Stage;
use super::world::World;
use crate::daemon::DaemonName;
use crate::harness::{Harness, InitError};
use crate::octez::SANDBOX_KEYS;
use crate::record::What;
use crate::scenario::values::{Builtin, Builtins, ValueError};

fn unavailable(text: &str, reason: String) -> ValueError {
    ValueError::Unavailable { text: text.to_owned(), reason }
}

impl Builtins for Stage<'_> {
    fn resolve(&self, what: &Builtin) -> Result<Value, ValueError> {
        match what {
            Builtin::Variable(name) => Err(ValueError::Unset { name: name.clone() }),
            Builtin::Pkh(key) => {
                let found = SANDBOX_KEYS.iter().find(|known| known.alias == key);
                found.map(|key| key.public_key_hash.into()).ok_or_else(|| {
                    let known: Vec<&str> = SANDBOX_KEYS.iter().map(|key| key.alias).collect();
                    let reason = format!("no such key; there are {}", known.join(", "));
                    unavailable(key, reason)
                })
            }
            Builtin::RunDir => {
                let path = std::path::absolute(&self.job.run_dir);
                let path = path.unwrap_or_else(|_| self.job.run_dir.clone());
                Ok(path.to_string_lossy().into_owned().into())
            }
            Builtin::Seed => Ok(self.job.seed.into()),
            Builtin::ScenarioDir => Ok(self.scenario_dir().to_string_lossy().into_owned().into()),
            // Not noted: it may be a secret.
            Builtin::Env { name, default } => match (std::env::var(name), default) {
                (Ok(value), _) => Ok(value.into()),
                (Err(_), Some(default)) => Ok(default.clone().into()),
                (Err(_), None) => Err(ValueError::NoEnvironment { name: name.clone() }),
            },
            Builtin::Port(name)
            | Builtin::Dir(name)
            | Builtin::Data(name)
            | Builtin::Pipe(name)
            | Builtin::Rpc(name)
            | Builtin::Client(name) => self.of_the_run(what, name),
            Builtin::RunId => self.of_the_run(what, ""),
        }
    }
}

impl Stage<'_> {
    /// Noted once, so that a record can be judged without the run.
    fn of_the_run(&self, what: &Builtin, name: &str) -> Result<Value, ValueError> {
        let text = written(what);
        match self.world {
            World::Live(harness) => {
                let value = given_by(harness, what, name)?;
                // The pipe is another one for each incarnation.
                let is_new = self.resolved.borrow_mut().insert(text.clone());
                if is_new || matches!(what, Builtin::Pipe(_)) {
                    self.note(What::Value { text, value: value.clone() });
                }
                Ok(value)
            }
            World::Recorded(past) => past
                .value(&text)
                .ok_or_else(|| unavailable(name, "it has no value in the recorded run".to_owned())),
        }
    }

    /// Paths in a scenario are relative to this.
    pub(super) fn scenario_dir(&self) -> std::path::PathBuf {
        let file = std::path::absolute(self.scenario.source.path());
        let file = file.unwrap_or_else(|_| self.scenario.source.path().to_owned());
        file.parent().map(std::path::Path::to_owned).unwrap_or_default()
    }
}

/// As it stands in a file, without the braces.
fn written(what: &Builtin) -> String {
    match what {
        Builtin::Port(name) => format!("port.{name}"),
        Builtin::Dir(name) => format!("dir.{name}"),
        Builtin::Data(name) => format!("data.{name}"),
        Builtin::Pipe(name) => format!("pipe.{name}"),
        Builtin::Rpc(name) => format!("rpc.{name}"),
        Builtin::Client(name) => format!("client.{name}"),
        _ => "run.id".to_owned(),
    }
}

fn given_by(harness: &Harness, what: &Builtin, name: &str) -> Result<Value, ValueError> {
    let directory = |path: Result<PathBuf, InitError>| {
        path.map(|path| Value::from(path.to_string_lossy().into_owned()))
            .map_err(|error| unavailable(name, crate::cause::chain(&error)))
    };
    let port = |name: &str| {
        harness.port(name).map_err(|error| unavailable(name, crate::cause::chain(&error)))
    };
    match what {
        Builtin::Port(_) => port(name).map(Value::from),
        Builtin::Client(_) => directory(harness.client_directory(name)),
        Builtin::Pipe(_) => match DaemonName::new(name) {
            Ok(daemon) => Ok(harness.event_pipe(&daemon).to_string_lossy().into_owned().into()),
            Err(error) => Err(unavailable(name, error.to_string())),
        },
        Builtin::Rpc(_) => {
            port(&format!("{name}.rpc")).map(|port| format!("http://127.0.0.1:{port}").into())
        }
        Builtin::RunId => Ok(harness.run_id().into()),
        _ => directory(harness.directory(name)),
    }
}
