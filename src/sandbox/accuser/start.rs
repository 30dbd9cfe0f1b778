//! From the command line to the two tasks, and to the exit code.

use std::cell::{Cell, OnceCell};
use std::process::ExitCode;
use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::agents::{Agents, Origin};
use super::events::WrapperEvents;
use super::pidfile::Pidfile;
use super::wrapper::Wrapper;
use super::{Failure, cli};
use crate::sandbox::console;
use crate::sandbox::globals::{self, Globals, GlobalsError, Request};
use crate::sandbox::rpc_client::RpcClient;
use crate::sandbox::signals::{self, Wrappers};
use crate::sandbox::sink::{Sink, SinkError};

/// What the end of the program, by signal, needs to know of it.
#[derive(Default)]
struct Life {
    sink: OnceCell<Sink>,
    connections: Rc<Cell<u32>>,
}

/// Is `octez-accuser` until it ends; `exe` is how it was called.
pub fn main(exe: &str, args: &[String]) -> ExitCode {
    let (globals, command) = match globals::parse(args) {
        Ok(Request::Version) => {
            globals::print_version();
            return ExitCode::SUCCESS;
        }
        Ok(Request::Command(_, command)) if cli::asks_for_help(command) => return help(),
        Ok(Request::Help) => return help(),
        Ok(Request::Command(globals, command)) => (globals, command),
        Err(error) => {
            console::failure("Error", &error.to_string());
            if matches!(error, GlobalsError::Usage(_)) {
                console::err(cli::HELP);
            }
            return ExitCode::FAILURE;
        }
    };
    let life = Life::default();
    let work = async {
        match run(&life, globals, command).await {
            Ok(()) => 0,
            Err(Failure::Usage(error)) => {
                console::failure("Error", &error.to_string());
                console::err(cli::HELP);
                1
            }
            Err(Failure::Error(text)) => {
                console::failure("Error", &text);
                1
            }
            Err(Failure::Fatal(text)) => {
                console::failure("Fatal error", &text);
                1
            }
            Err(Failure::Exception(text)) => {
                console::out(&console::headed("Fatal error", &text));
                1
            }
        }
    };
    // Agents are tasks of this thread.
    let tasks = LocalSet::new();
    signals::supervise(exe, Wrappers::Two, tasks.run_until(work), async || life.leave().await)
}

fn help() -> ExitCode {
    console::out(cli::HELP);
    ExitCode::SUCCESS
}

impl Life {
    /// What is said and reported when a signal ends the program.
    async fn leave(&self) {
        for _ in 0..self.connections.get() {
            console::out("Shutting down the accuser...");
        }
        if let Some(sink) = self.sink.get() {
            let events = WrapperEvents { sink: sink.clone() };
            events.notice("stopping_daemon", "accuser").await;
        }
    }
}

async fn run(life: &Life, globals: Globals, command: &[String]) -> Result<(), Failure> {
    // Before anything else, so that whoever reads the events misses nothing.
    let sink = Sink::from_env().await.map_err(no_sink)?;
    let options = cli::parse(command)?;
    let sink = life.sink.get_or_init(|| sink).clone();
    let logs = globals.base_dir.join("logs").join("octez-accuser");
    sink.keep_daily_log(&logs).await.map_err(no_sink)?;
    let _pidfile = options
        .pidfile
        .as_deref()
        .map(Pidfile::create)
        .transpose()
        .map_err(|error| Failure::Error(format!("Failed to create the pidfile: {error}")))?;
    let client = RpcClient::new(globals.endpoint);
    let events = WrapperEvents { sink: sink.clone() };
    events.notice("starting_daemon", "accuser").await;
    let wrapper =
        Wrapper { client: client.clone(), events: events.clone(), keep_alive: options.keep_alive };
    let protocol = wrapper.active_protocol().await?;
    let (ended, mut endings) = mpsc::unbounded_channel();
    let connections = Rc::clone(&life.connections);
    let client = client.reporting_to(&sink);
    let origin = Origin { client, events, options, connections, ended };
    let mut agents = Agents::start(origin, &protocol).await?;
    tokio::select! {
        Some(result) = endings.recv() => result,
        result = wrapper.follow_heads(&mut agents) => result,
    }
}

fn no_sink(error: SinkError) -> Failure {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    let text = format!("ERROR Initializing Internal_event_unix: {error}");
    Failure::Fatal(text + &cause.unwrap_or_default())
}
