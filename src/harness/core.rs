//! What every handle holds: addresses, positions, ports, directories.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix::Addr;
use actix_rt::ArbiterHandle;
use tokio::sync::{oneshot, watch};

use super::InitError;
use super::programs::Programs;
use crate::actors::command::CommandError;
use crate::actors::daemon::{DaemonStatus, Order, Surroundings, pipe_path};
use crate::actors::event_bus::{EventBus, LogEnd, Survey, Surveyed, Write};
use crate::actors::supervisor::{Command, Create, Settle, Supervisor};
use crate::daemon::lifecycle::{Request, State};
use crate::daemon::{DaemonName, DaemonSpec, Incarnation};
use crate::harness::Done;
use crate::host::marker::RunId;
use crate::host::ports::PortError;
use crate::record::{RecordingFailure, RunDir, What};

#[derive(Debug)]
pub(super) struct Core {
    pub(super) supervisor: Addr<Supervisor>,
    pub(super) bus: Addr<EventBus>,
    pub(super) arbiter: ArbiterHandle,
    pub(super) around: Surroundings,
    pub(super) log_end: LogEnd,
    pub(super) recording: RecordingFailure,
    pub(super) run_id: RunId,
    pub(super) run_dir: RunDir,
    pub(super) programs: Programs,
    pub(super) faults: AtomicU32,
    pub(super) daemons: Mutex<HashMap<DaemonName, watch::Receiver<DaemonStatus>>>,
}

impl Core {
    /// Runs a future on the harness's thread, where timers and sockets work whatever the caller's runtime is.
    ///
    /// `None` if the harness went down meanwhile. Dropping the returned future drops the one on the thread.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (mut reply, result) = oneshot::channel();
        self.arbiter.spawn(async move {
            tokio::select! {
                done = future => {
                    // Who asked may have gone on.
                    let _ = reply.send(done);
                }
                () = reply.closed() => {}
            }
        });
        result.await.ok()
    }

    pub(super) async fn create(
        &self,
        spec: DaemonSpec,
    ) -> Result<watch::Receiver<DaemonStatus>, CommandError> {
        let (reply, created) = oneshot::channel();
        let name = spec.name.clone();
        self.supervisor.do_send(Create { spec: Box::new(spec), reply });
        let status = created.await.map_err(|_| CommandError::ShuttingDown)??;
        self.lock_daemons().insert(name, status.clone());
        Ok(status)
    }

    /// Sends a request at once; the answer may be awaited or not.
    pub(super) fn order(
        &self,
        daemon: &DaemonName,
        request: Request,
        spec: Option<DaemonSpec>,
        grace: Option<std::time::Duration>,
    ) -> impl Future<Output = Result<Done, CommandError>> + Send + use<> {
        let (reply, done) = oneshot::channel();
        let order = Order { request, spec: spec.map(Box::new), grace, reply };
        self.supervisor.do_send(Command { daemon: daemon.clone(), order });
        async move { done.await.unwrap_or(Err(CommandError::ShuttingDown)) }
    }

    pub(super) fn lock_daemons(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<DaemonName, watch::Receiver<DaemonStatus>>> {
        self.daemons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_fault(&self) -> u32 {
        self.faults.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn port(&self, name: &str) -> Result<u16, PortError> {
        self.around.ports.lock().unwrap_or_else(PoisonError::into_inner).get(name)
    }

    pub(super) fn directory(&self, name: &str) -> Result<PathBuf, InitError> {
        let path = self.around.temp_dir.join(name);
        std::fs::create_dir_all(&path)
            .map_err(|source| InitError::Directory { path: path.clone(), source })?;
        Ok(path)
    }

    /// The base directory of a node's client, with the keys of the sandbox in it.
    pub(super) fn client_directory(&self, node: &str) -> Result<PathBuf, InitError> {
        let directory = self.directory(&format!("{node}-client"))?;
        for (name, keys) in crate::octez::wallet() {
            let path = directory.join(name);
            // What a test has put there since is not undone.
            if path.exists() {
                continue;
            }
            // Whole or not at all: another client may read at the same moment.
            let draft = directory.join(format!("{name}.{:x}", fastrand::u64(..)));
            std::fs::write(&draft, keys.to_string())
                .and_then(|()| std::fs::rename(&draft, &path))
                .map_err(|source| InitError::File { path, source })?;
        }
        Ok(directory)
    }

    /// The FIFO of the living incarnation, or of the next one.
    pub(super) fn event_pipe(&self, daemon: &DaemonName) -> PathBuf {
        let daemons = self.lock_daemons();
        let incarnation = daemons.get(daemon).map_or(Incarnation(1), |status| {
            let status = status.borrow();
            let is_there = status.pid.is_some() || matches!(status.state, State::Preparing { .. });
            if is_there { status.incarnation } else { status.incarnation.next() }
        });
        pipe_path(&self.around.temp_dir, daemon.as_str(), incarnation)
    }

    pub(super) fn note(&self, what: What) {
        self.bus.do_send(Write(what));
    }

    pub(super) async fn settle(&self) {
        let (reply, settled) = oneshot::channel();
        self.supervisor.do_send(Settle { reply });
        // A supervisor that is gone has nothing to settle.
        let _ = settled.await;
    }

    pub(super) async fn survey(&self) -> Surveyed {
        let (reply, surveyed) = oneshot::channel();
        self.bus.do_send(Survey { reply });
        surveyed.await.unwrap_or_default()
    }
}

/// Shared by every handle of a harness.
pub(super) type SharedCore = Arc<Core>;
