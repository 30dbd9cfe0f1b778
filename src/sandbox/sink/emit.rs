//! Emitting: one event to every sink that takes it, one line at a time.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::config::{self, Format, SinkConfig};
use super::filter::{Filter, Rule};
use super::line::{self, Envelope};
use super::target::Target;
use super::{EmitError, Level, Sink, SinkError, VARIABLE, text};

/// The sinks of a program once they are open.
#[derive(Debug)]
pub struct Open {
    hostname: String,
    /// Locked while a line is written: events of one program never interleave, whatever they are written to.
    outlets: Mutex<Vec<Outlet>>,
    user_log: Filter,
    user_log_is_closed: AtomicBool,
}

#[derive(Debug)]
struct Outlet {
    config: SinkConfig,
    target: Target,
}

/// An event on its way: its payload is text already, so that nothing borrowed from the caller is held while it waits.
struct Pending<'a> {
    level: Level,
    section: &'a [&'a str],
    name: &'a str,
    payload: String,
    event: String,
    time: SystemTime,
}

impl Sink {
    /// Opens what `TEZOS_EVENTS_CONFIG` names, waiting for the readers of its FIFOs, and emits `uri_loaded_from_env` there.
    /// Without the variable there is only the user's log.
    pub async fn from_env() -> Result<Self, SinkError> {
        let value = std::env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned());
        Self::open(value.as_deref(), hostname()).await
    }

    async fn open(value: Option<&str>, hostname: String) -> Result<Self, SinkError> {
        let outlets = open_outlets(value.unwrap_or_default()).await?;
        let user_log =
            Filter { rules: vec![Rule { prefix: Vec::new(), from: Some(Level::Notice) }] };
        let open = Open {
            hostname,
            outlets: Mutex::new(outlets),
            user_log,
            user_log_is_closed: AtomicBool::new(false),
        };
        let sink = Self { open: std::sync::Arc::new(open) };
        if let Some(value) = value {
            sink.announce(value).await;
        }
        Ok(sink)
    }

    /// Keeps the daily log in this directory too, which is made if need be.
    pub async fn keep_daily_log(&self, directory: &Path) -> Result<(), SinkError> {
        let config = config::daily_log(directory);
        let target = open_target(&config).await?;
        self.open.outlets.lock().await.push(Outlet { config, target });
        Ok(())
    }

    /// Closes every sink, the user's log too, and opens these URIs instead; on an error all stays as it was.
    pub async fn replace(&self, uris: &[String]) -> Result<(), SinkError> {
        let outlets = open_outlets(&uris.join(" ")).await?;
        *self.open.outlets.lock().await = outlets;
        self.open.user_log_is_closed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The first line of every sink of the environment; the user's log, opened later in Octez, never has it.
    async fn announce(&self, value: &str) {
        let payload = line::json(&json!({"variable": VARIABLE, "value": value}));
        let pending = Pending::versioned(
            Level::Notice,
            &["internal_event_unix"],
            "uri_loaded_from_env",
            payload,
        );
        report(self.write(&pending).await);
    }

    /// Emits `<name>.v0` with this payload. A failure is told on stderr and otherwise ignored, as Octez does for its
    /// declared events. Waits as long as a pipe is full.
    pub fn emit<'a, T: Serialize + ?Sized>(
        &'a self,
        level: Level,
        section: &'a [&'a str],
        name: &'a str,
        value: &T,
    ) -> impl Future<Output = ()> + Send + use<'a, T> {
        let pending = Pending::versioned(level, section, name, line::json(value));
        async move {
            self.log_for_user(&pending);
            report(self.write(&pending).await);
        }
    }

    /// As [`Sink::emit`], for the events whose failure their emitter hears of (`block-seen-…`).
    pub async fn emit_heavy(
        &self,
        level: Level,
        section: &[&str],
        name: &str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), EmitError> {
        let pending = Pending::versioned(level, section, name, line::json(value));
        self.log_for_user(&pending);
        self.write(&pending).await
    }

    /// Emits an event that stands in no `<name>.v0` and no section: Octez has one such.
    pub async fn emit_bare(&self, level: Level, name: &str, value: &(impl Serialize + ?Sized)) {
        let pending = Pending::bare(level, name, line::json(value));
        self.log_for_user(&pending);
        report(self.write(&pending).await);
    }

    async fn write(&self, pending: &Pending<'_>) -> Result<(), EmitError> {
        let mut outlets = self.open.outlets.lock().await;
        let mut result = Ok(());
        for outlet in outlets.iter_mut() {
            if !outlet.config.filter.takes(pending.section, pending.name, pending.level) {
                continue;
            }
            let bytes = outlet.config.render(pending, &self.open.hostname);
            if let Err(source) = outlet.target.write(bytes.as_bytes()).await {
                result = Err(EmitError { event: pending.name.to_owned(), source });
            }
        }
        result
    }

    fn log_for_user(&self, pending: &Pending<'_>) {
        if !self.open.user_log_is_closed.load(Ordering::Relaxed)
            && self.open.user_log.takes(pending.section, pending.name, pending.level)
        {
            let message = text::message(pending.name, &pending.payload);
            let lines = text::short(pending.time, pending.level, &message);
            // Nobody can be told when stderr itself is gone.
            let _ = std::io::stderr().lock().write_all(lines.as_bytes());
        }
    }
}

impl<'a> Pending<'a> {
    fn versioned(level: Level, section: &'a [&'a str], name: &'a str, payload: String) -> Self {
        let event = line::versioned(name, &payload);
        Self { level, section, name, payload, event, time: SystemTime::now() }
    }

    fn bare(level: Level, name: &'a str, payload: String) -> Self {
        let event = payload.clone();
        Self { level, section: &[], name, payload, event, time: SystemTime::now() }
    }
}

impl SinkConfig {
    fn render(&self, pending: &Pending<'_>, hostname: &str) -> String {
        let envelope = Envelope {
            level: self.advertise_levels.then_some(pending.level),
            hostname,
            time: seconds(pending.time),
            section: pending.section,
        };
        match self.format {
            Format::OnePerLine => line::render(&envelope, &pending.event) + "\n",
            Format::Netstring => {
                let json = line::render(&envelope, &pending.event);
                format!("{}:{json},", json.len())
            }
            Format::PpShort => {
                let message = text::message(pending.name, &pending.payload);
                text::short(pending.time, pending.level, &message)
            }
            Format::PpRfc5424 => {
                let message = text::message(pending.name, &pending.payload);
                let level = self.advertise_levels.then_some(pending.level);
                text::rfc5424(pending.time, level, pending.section, pending.name, &message)
            }
        }
    }
}

async fn open_outlets(uris: &str) -> Result<Vec<Outlet>, SinkError> {
    let configs = config::parse(uris, std::process::id())?;
    let mut outlets = Vec::with_capacity(configs.len());
    for config in configs {
        let target = open_target(&config).await?;
        outlets.push(Outlet { config, target });
    }
    Ok(outlets)
}

async fn open_target(config: &SinkConfig) -> Result<Target, SinkError> {
    let failed = |source| SinkError::Open {
        path: match &config.destination {
            config::Destination::Path { path, .. } | config::Destination::Daily { path, .. } => {
                path.display().to_string()
            }
            config::Destination::Stdout => "stdout".to_owned(),
            config::Destination::Stderr => "stderr".to_owned(),
        },
        source,
    };
    let destination = config.destination.clone();
    // A FIFO without a reader blocks the open; a thread of its own keeps signals answered meanwhile.
    let opened = tokio::task::spawn_blocking(move || Target::open(&destination)).await;
    opened.map_err(std::io::Error::from).flatten().map_err(failed)
}

fn report(result: Result<(), EmitError>) {
    if let Err(EmitError { event, source }) = result {
        // Nobody can be told when stderr itself is gone.
        let _ = writeln!(std::io::stderr(), "Failed to send event '{event}': {source}");
    }
}

fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // As `gettimeofday` would give it: whole microseconds.
    let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this era fit 53 bits")]
    let micros = micros as f64;
    micros / 1e6
}

fn hostname() -> String {
    match std::env::var_os("TEZOS_EVENT_HOSTNAME") {
        Some(name) => name.to_string_lossy().into_owned(),
        None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests;
