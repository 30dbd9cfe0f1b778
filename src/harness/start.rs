//! A harness's thread: started with its actors, and shut down in order.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Actor;
use actix_rt::{Arbiter, System};
use tokio::sync::oneshot;

use super::core::Core;
use super::programs::Programs;
use super::{Harness, OctezSource};
use crate::actors::daemon::{Surroundings, WaiterIds};
use crate::actors::event_bus::{EventBus, Finish, LogEnd};
use crate::actors::latch::PanicLatch;
use crate::actors::supervisor::{Shutdown, Supervisor};
use crate::host::guardian::{Guardian, GuardianError};
use crate::host::marker::{self, RunId};
use crate::host::pipe::PipeBudget;
use crate::host::ports::Ports;
use crate::host::sweep::{self, Leak};
use crate::host::tempdir::{TempDir, TempDirError};
use crate::record::{RecordError, Recorder, RunDir};

/// How a harness is to be started.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    run_dir: Option<PathBuf>,
    octez: OctezSource,
    sandbox: Option<PathBuf>,
    seed: Option<u64>,
}

/// Why there is no harness, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    TempDir(#[from] TempDirError),
    #[error(transparent)]
    Guardian(#[from] GuardianError),
    #[error("no run directory")]
    Record(#[from] RecordError),
    #[error("no thread for the harness")]
    Thread(#[source] std::io::Error),
    #[error("the harness is gone")]
    Gone,
}

/// What was found when a harness was shut down.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Processes that had left their daemon's group and were still alive; they were killed.
    pub leaks: Vec<Leak>,
    /// An actor of ours that panicked: nothing that the run says can be relied on.
    pub panicked: Option<&'static str>,
    /// Why recording stopped, if it did.
    pub recording_failure: Option<String>,
}

impl Builder {
    /// Records the run here; the directory must not hold one yet. Default: a temporary one, gone with the harness.
    #[must_use]
    pub fn run_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.run_dir = Some(path.into());
        self
    }

    /// Where the Octez programs come from. Default: the folder in `TRIBUNAL_OCTEZ`, else the sandbox.
    #[must_use]
    pub fn octez(mut self, source: OctezSource) -> Self {
        self.octez = source;
        self
    }

    /// The `tribunal` program whose sandbox is to be used, where it is not the one that would be found.
    #[must_use]
    pub fn sandbox(mut self, tribunal: impl Into<PathBuf>) -> Self {
        self.sandbox = Some(tribunal.into());
        self
    }

    /// Decides everything that is drawn: the jitter of restarts.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts the harness's thread, its guardian and its actors.
    pub async fn start(self) -> Result<Harness, StartError> {
        let (started, ready) = oneshot::channel();
        let (stop, stopping) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("tribunal".into())
            .spawn(move || {
                System::new().block_on(live(self, started, stopping));
            })
            .map_err(StartError::Thread)?;
        let core = ready.await.map_err(|_| StartError::Gone)??;
        Ok(Harness { core, thread: Some(Thread { stop: Some(stop), join: Some(thread) }) })
    }
}

/// Asks the thread to shut down.
#[derive(Debug)]
struct Stop {
    grace: Duration,
    reply: oneshot::Sender<Summary>,
}

/// The harness's thread. Dropping it kills everything at once and waits for that.
#[derive(Debug)]
pub(super) struct Thread {
    stop: Option<oneshot::Sender<Stop>>,
    join: Option<std::thread::JoinHandle<()>>,
}

impl Thread {
    pub(super) async fn shut_down(mut self, grace: Duration) -> Result<Summary, StartError> {
        let (reply, summary) = oneshot::channel();
        if let Some(stop) = self.stop.take() {
            // A thread that is gone answers by dropping the port.
            let _ = stop.send(Stop { grace, reply });
        }
        let summary = summary.await.map_err(|_| StartError::Gone);
        self.join();
        summary
    }

    fn join(&mut self) {
        if let Some(join) = self.join.take() {
            // A panic of that thread has been reported by then.
            let _ = join.join();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let (reply, _) = oneshot::channel();
        if let Some(stop) = self.stop.take() {
            // As above.
            let _ = stop.send(Stop { grace: Duration::ZERO, reply });
        }
        self.join();
    }
}

/// What the thread keeps to itself, in the order in which it goes.
struct Life {
    core: Arc<Core>,
    run: RunId,
    latch: PanicLatch,
    guardian: Arc<Guardian>,
    temp: TempDir,
}

async fn live(
    builder: Builder,
    started: oneshot::Sender<Result<Arc<Core>, StartError>>,
    stopping: oneshot::Receiver<Stop>,
) {
    let life = match begin(builder) {
        Ok(life) => life,
        Err(error) => {
            // Who asked may have gone on.
            let _ = started.send(Err(error));
            return;
        }
    };
    if started.send(Ok(Arc::clone(&life.core))).is_err() {
        end(life, Duration::ZERO).await;
        return;
    }
    // All handles dropped without a word is an order to stop as well.
    let Ok(Stop { grace, reply }) = stopping.await else {
        end(life, Duration::ZERO).await;
        return;
    };
    let summary = end(life, grace).await;
    // As above.
    let _ = reply.send(summary);
}

fn begin(builder: Builder) -> Result<Life, StartError> {
    let run = RunId::generate();
    let temp = TempDir::create(&run)?;
    let guardian = Arc::new(Guardian::start(&run, temp.path())?);
    let run_dir = RunDir::new(builder.run_dir.unwrap_or_else(|| temp.path().join("run")));
    let recorder = Recorder::create(run_dir.clone())?;
    let recording = recorder.failure_flag();
    let links = temp.path().join("bin");
    let programs = Programs::resolve(&builder.octez, builder.sandbox.as_deref(), &links);
    let latch = PanicLatch::default();
    let log_end = LogEnd::default();

    let mut env: Vec<(OsString, OsString)> = vec![(marker::VARIABLE.into(), run.as_str().into())];
    env.extend(programs.search_path().map(|path| ("PATH".into(), path)));
    let around = Surroundings {
        guardian: Arc::downgrade(&guardian),
        budget: PipeBudget::default(),
        ports: Arc::new(Mutex::new(Ports::new())),
        temp_dir: temp.path().to_owned(),
        env: env.into(),
        log_end: log_end.clone(),
        waiter_ids: WaiterIds::default(),
        latch: latch.clone(),
    };
    let seed = builder.seed.unwrap_or_else(|| fastrand::u64(..));
    let bus = EventBus::new(recorder, log_end.clone(), &latch).start();
    let supervisor = Supervisor::new(bus.clone(), around.clone(), seed).start();
    let core = Core {
        supervisor,
        bus,
        arbiter: Arbiter::current(),
        around,
        log_end,
        recording,
        run_id: run.clone(),
        run_dir,
        programs,
        faults: AtomicU32::new(0),
        daemons: Mutex::new(HashMap::new()),
    };
    Ok(Life { core: Arc::new(core), run, latch, guardian, temp })
}

/// Ends the daemons, then the waits, then what had escaped, then the guardian and the temporary files.
async fn end(life: Life, grace: Duration) -> Summary {
    let Life { core, run, latch, guardian, temp } = life;
    let (reply, down) = oneshot::channel();
    core.supervisor.do_send(Shutdown { grace, reply });
    // A supervisor that panicked answers by dropping the port; its daemons' groups are the guardian's then.
    let orderly = down.await.is_ok();
    let recording_failure = core.survey().await.recording_failure;
    let (reply, finished) = oneshot::channel();
    core.bus.do_send(Finish { reply });
    // As above: a bus that is gone has nothing to finish.
    let _ = finished.await;

    let leaks = sweep::sweep(&run, &[guardian.pid()]);
    let panicked = latch.panicked().or((!orderly).then_some("Supervisor"));
    match Arc::try_unwrap(guardian) {
        Ok(guardian) if orderly => guardian.finish().await,
        // Not all groups are known to be dead: dropped, it kills and sweeps as its last act.
        _ => {}
    }
    if let Err(error) = temp.remove() {
        tracing::warn!(%error, "temporary files stay behind");
    }
    Summary { leaks, panicked, recording_failure }
}
