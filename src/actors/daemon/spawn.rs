//! The begin of an incarnation: preparation, pipes, process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};
use regex::Regex;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Daemon, IncarnationStatus, Surroundings};
use crate::actors::command::{CommandError, Done};
use crate::actors::event_bus::Open;
use crate::actors::event_pipe::{EventPipe, LineSeen, Role, Seen, Source, Watch};
use crate::cause::chain;
use crate::daemon::lifecycle::{Fact, State};
use crate::daemon::{CommandLine, EventSource, ExitStatus, Incarnation, Preparation, Readiness};
use crate::event::lifecycle_names;
use crate::host::exec::{self, Execution};
use crate::host::pipe::PipeReader;
use crate::host::process::{self, Spawned};
use crate::host::tail::FileTail;
use crate::octez::events_config;

/// Longest time that one preparing command may take.
const PREPARATION: Duration = Duration::from_mins(1);

/// What servers say when another one has their port.
static ADDRESS_IN_USE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)address (is )?(already )?in use|EADDRINUSE").expect("it is a constant")
});

impl Daemon {
    pub(super) fn prepare(&mut self, incarnation: Incarnation, ctx: &mut Context<Self>) {
        // An explicit restart may have come before the back-off was over.
        self.cancel_pending(ctx);
        let around = self.around.clone();
        let daemon = self.spec.name.clone();
        let preparation = self.spec.preparation.clone();
        let before = self.prepared.clone();
        let prepared = async move {
            for (place, step) in preparation.iter().enumerate() {
                let prepared = run_preparation(step, before.get(place), &around).await;
                prepared.map_err(|lost| lost.named(&daemon))?;
            }
            Ok(preparation)
        };
        self.pending =
            Some(ctx.spawn(prepared.into_actor(self).map(move |prepared, daemon, ctx| {
                daemon.pending = None;
                let spawned = prepared.and_then(|prepared| {
                    daemon.prepared = prepared;
                    daemon.spawn(incarnation, ctx)
                });
                match spawned {
                    Ok(()) => daemon.spawned(incarnation, ctx),
                    Err(error) => daemon.spawn_failed(incarnation, error, ctx),
                }
            })));
    }

    fn spawn(
        &mut self,
        incarnation: Incarnation,
        ctx: &mut Context<Self>,
    ) -> Result<(), CommandError> {
        let daemon = self.spec.name.clone();
        let mut command = self.spec.command.clone();
        surround(&mut command, &self.around);
        let events = self.event_source(incarnation, &mut command)?;
        let guardian = self.around.guardian.upgrade();
        let surroundings = process::Surroundings {
            output: process::Output::Piped,
            input: process::Input::Nothing,
            budget: &self.around.budget,
            guardian: guardian.as_deref(),
        };
        let Spawned { process, stdout, stderr } = process::spawn(&command, surroundings)
            .map_err(|source| CommandError::Spawn { daemon, source: Box::new(source) })?;
        self.open_pipes(incarnation, events, stdout, stderr, ctx);
        let exited = process.exited();
        self.process = Some(process);
        ctx.spawn(exited.into_actor(self).map(move |status, daemon, ctx| {
            daemon.leader_exited(incarnation, status, ctx);
        }));
        Ok(())
    }

    /// Makes this incarnation's FIFO, if it has one, and tells the daemon of it.
    fn event_source(
        &self,
        incarnation: Incarnation,
        command: &mut CommandLine,
    ) -> Result<Option<Source>, CommandError> {
        let failed = |source| CommandError::Pipe { daemon: self.spec.name.clone(), source };
        let fifo = |path: &Path| {
            PipeReader::fifo(path, &self.around.budget).map(Source::Pipe).map_err(failed)
        };
        let path = pipe_path(&self.around.temp_dir, self.spec.name.as_str(), incarnation);
        match &self.spec.events {
            EventSource::OctezSink(levels) => {
                let config = events_config(&path, levels);
                command.env.insert("TEZOS_EVENTS_CONFIG".into(), config.into());
                fifo(&path).map(Some)
            }
            EventSource::Pipe => {
                command.env.insert("TRIBUNAL_EVENT_PIPE".into(), path.clone().into());
                fifo(&path).map(Some)
            }
            EventSource::File(file) => Ok(Some(Source::File(FileTail::new(file)))),
            EventSource::Stdout | EventSource::Stderr => Ok(None),
        }
    }

    fn open_pipes(
        &mut self,
        incarnation: Incarnation,
        events: Option<Source>,
        stdout: Option<PipeReader>,
        stderr: Option<PipeReader>,
        ctx: &mut Context<Self>,
    ) {
        let start = |source: Source, role: Role, watches: Vec<Watch>| {
            let (name, bus) = (self.spec.name.clone(), self.bus.clone());
            let latch = &self.around.latch;
            EventPipe::new(name, incarnation, source, role, bus, latch).watching(watches).start()
        };
        let role = |output: bool| Role::Events { envelope: self.spec.envelope.clone(), output };
        let text_role = |is_events: bool| if is_events { role(true) } else { Role::Output };
        let mut pipes = Vec::new();
        if let Some(source) = events {
            pipes.push(start(source, role(false), Vec::new()));
        }
        let from_stdout = self.spec.events == EventSource::Stdout;
        let from_stderr = self.spec.events == EventSource::Stderr;
        for (reader, is_events) in [(stdout, from_stdout), (stderr, from_stderr)] {
            if let Some(reader) = reader {
                let watches = self.watches(ctx);
                pipes.push(start(Source::Pipe(reader), text_role(is_events), watches));
            }
        }
        self.pipes = pipes;
    }

    /// Lines of output that mean something to us.
    fn watches(&self, ctx: &mut Context<Self>) -> Vec<Watch> {
        let watch = |line: Regex, what: Seen| Watch { line, tell: ctx.address().recipient(), what };
        let mut watches = Vec::new();
        if let Readiness::Stdout(line) = &self.spec.ready {
            watches.push(watch(line.clone(), Seen::Ready));
        }
        watches.push(watch(ADDRESS_IN_USE.clone(), Seen::AddressInUse));
        watches
    }

    fn spawned(&mut self, incarnation: Incarnation, ctx: &mut Context<Self>) {
        let name = self.spec.name.clone();
        if self.lifecycle.state() != (State::Preparing { incarnation }) {
            // The run was called off meanwhile: dropping the process kills and reaps it.
            self.process = None;
            self.pipes.clear();
            return;
        }
        let Some(pid) = self.process.as_ref().map(process::Process::pid) else {
            return;
        };
        self.bus.do_send(Open { daemon: name });
        let first = self.around.log_end.get();
        let (reply, appended) = oneshot::channel();
        self.append(
            lifecycle_names::SPAWNED,
            json!({ "pid": pid, "incarnation": incarnation }),
            Some(reply),
        );
        if std::mem::take(&mut self.restarting_by_policy) {
            self.append(lifecycle_names::RESTARTED, json!({ "incarnation": incarnation }), None);
        }
        let started = IncarnationStatus {
            number: incarnation,
            pid,
            started: Instant::now(),
            exited: None,
            restarted: false,
        };
        self.status.send_modify(|status| {
            status.incarnations.push(started);
            status.first = Some(first);
            status.pid = Some(pid);
        });
        self.observe(Fact::Spawned { incarnation }, ctx);
        self.await_ready(incarnation, ctx);
        let starters = std::mem::take(&mut self.starters);
        ctx.spawn(appended.into_actor(self).map(move |appended, daemon, _| {
            let position = appended.unwrap_or(first);
            daemon.status.send_modify(|status| status.first = Some(position));
            for port in starters {
                // Who asked may have gone on.
                let _ = port.send(Ok(Done { position, incarnation, pid: Some(pid), exit: None }));
            }
        }));
    }

    fn spawn_failed(
        &mut self,
        incarnation: Incarnation,
        error: CommandError,
        ctx: &mut Context<Self>,
    ) {
        tracing::error!(daemon = %self.spec.name, %incarnation, %error, "not spawned");
        let reason = chain(&error);
        self.restarting_by_policy = false;
        // The policy wanted to answer the last death, and has not.
        self.status.send_modify(|status| {
            if let Some(last) = status.incarnations.last_mut() {
                last.restarted = false;
            }
        });
        self.observe(Fact::SpawnFailed { incarnation }, ctx);
        self.close(Vec::new(), Some(reason));
        let mut error = Some(error);
        for port in self.starters.drain(..) {
            let cancelled = || CommandError::Cancelled { daemon: self.spec.name.clone() };
            // Who asked may have gone on.
            let _ = port.send(Err(error.take().unwrap_or_else(cancelled)));
        }
    }

    fn leader_exited(
        &mut self,
        incarnation: Incarnation,
        status: ExitStatus,
        ctx: &mut Context<Self>,
    ) {
        self.ready_by_exit(incarnation, status, ctx);
        self.observe(Fact::LeaderExited { incarnation, status }, ctx);
    }
}

impl actix::Handler<LineSeen> for Daemon {
    type Result = ();

    fn handle(&mut self, seen: LineSeen, ctx: &mut Context<Self>) {
        match seen.what {
            Seen::Ready => self.became_ready(seen.incarnation, ctx),
            // A daemon that counts as ready when it is spawned has not shown that it listens.
            Seen::AddressInUse
                if !self.lifecycle.is_ready() || matches!(self.spec.ready, Readiness::Spawned) =>
            {
                self.address_in_use = Some(seen.incarnation);
            }
            Seen::AddressInUse => {}
        }
    }
}

/// A FIFO of the incarnation's own: nothing that an old one wrote can be read as the new one's.
pub(crate) fn pipe_path(temp_dir: &Path, daemon: &str, incarnation: Incarnation) -> PathBuf {
    temp_dir.join(format!("{daemon}-events-{incarnation}"))
}

/// Adds what every process of the run gets; what the command line says itself wins.
pub(crate) fn surround(command: &mut CommandLine, around: &Surroundings) {
    for (key, value) in around.env.iter() {
        command.env.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// Why a preparing command did not do its work.
enum Unprepared {
    Failed { command: String, status: ExitStatus, stderr: String },
    Lost { command: String, reason: String },
}

impl Unprepared {
    fn named(self, daemon: &crate::daemon::DaemonName) -> CommandError {
        let daemon = daemon.clone();
        match self {
            Self::Failed { command, status, stderr } => {
                CommandError::Preparation { daemon, command, status, stderr }
            }
            Self::Lost { command, reason } => {
                CommandError::PreparationLost { daemon, command, reason }
            }
        }
    }
}

async fn run_preparation(
    step: &Preparation,
    before: Option<&Preparation>,
    around: &Surroundings,
) -> Result<(), Unprepared> {
    let Some(command) = step.due(step.unless_exists.exists(), before) else { return Ok(()) };
    let mut command = command.clone();
    surround(&mut command, around);
    let text = command_text(&command);
    let execution = Execution { command, stdin: Vec::new(), within: PREPARATION };
    let guardian = around.guardian.upgrade();
    match exec::execute(execution, &around.budget, guardian.as_deref()).await {
        Ok(output) if output.status == ExitStatus::Code(0) => match &step.merge {
            Some(more) => merge_into(&step.unless_exists, more)
                .map_err(|error| Unprepared::Lost { command: text, reason: error.to_string() }),
            None => Ok(()),
        },
        Ok(output) => {
            let stderr = output.stderr.text().trim().to_owned();
            Err(Unprepared::Failed { command: text, status: output.status, stderr })
        }
        Err(error) => Err(Unprepared::Lost { command: text, reason: chain(&error) }),
    }
}

/// Merges a JSON object into a file that holds one.
fn merge_into(path: &Path, more: &Value) -> std::io::Result<()> {
    let mut whole: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    crate::daemon::merge(&mut whole, more);
    std::fs::write(path, serde_json::to_vec_pretty(&whole)?)
}

/// A command as a person would type it.
pub(crate) fn command_text(command: &CommandLine) -> String {
    let words = std::iter::once(&command.program).chain(&command.args);
    words.map(OsString::as_os_str).map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
