//! The same work through the public handles, with real processes, and recorded as always.

use std::time::{Duration, Instant};

use tribunal::daemon::{CommandLine, DaemonName, DaemonSpec};
use tribunal::harness::{Daemon, Grace, Harness};

use crate::Failure;
use crate::emission::{DONE, Emission, LEVEL_BASE, PROBE, TICK, now_ns};
use crate::usage::{Cost, Stretch};

const TIMEOUT: Duration = Duration::from_mins(5);

/// Who waits while the events come. Nothing matches before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// One wait for the event that ends the emission, as in every measurement.
    End,
    /// And so many for `level >= K`, as predicates.
    Predicates(u64),
    /// And so many for the same, as closures.
    Closures(u64),
    /// And one that sees every event.
    Observer,
}

impl Interest {
    /// Levels that are never reached.
    pub fn thresholds(self) -> impl Iterator<Item = u64> {
        let waits = match self {
            Self::End | Self::Observer => 0,
            Self::Predicates(waits) | Self::Closures(waits) => waits,
        };
        (1..=waits).map(|wait| 2 * LEVEL_BASE + wait)
    }
}

fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

fn spec(name: &str, emission: Emission) -> Result<DaemonSpec, Failure> {
    let program = std::env::current_exe()?.into_os_string();
    let words = emission.to_args().into_iter().map(std::ffi::OsString::from);
    Ok(DaemonSpec::process(
        DaemonName::new(name)?,
        CommandLine::new(std::iter::once(program).chain(words)),
    ))
}

async fn create(harness: &Harness, name: &str, emission: Emission) -> Result<Daemon, Failure> {
    Ok(harness.create(spec(name, emission)?).await?)
}

/// Runs this on a harness of its own, which is shut down afterwards.
fn with_harness<T, F>(work: impl FnOnce(std::sync::Arc<Harness>) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    block_on(async {
        let harness = std::sync::Arc::new(Harness::builder().start().await?);
        let result = work(std::sync::Arc::clone(&harness)).await;
        let harness = std::sync::Arc::into_inner(harness).ok_or("the harness is still used")?;
        harness.shutdown_now().await?;
        result
    })
}

/// What it costs until the last event of every daemon has resumed its waiter.
pub fn events(emission: Emission, daemons: usize, interest: Interest) -> Result<Cost, Failure> {
    // What a death costs is not what is measured here.
    let emission = Emission { hold: true, ..emission };
    with_harness(|harness| async move {
        let mut running = Vec::new();
        for number in 0..daemons {
            let daemon = create(&harness, &format!("emitter-{number}"), emission).await?;
            running.push((daemon.wait_for(DONE), daemon));
        }
        let pending = running.iter().map(|(_, daemon)| add(daemon, interest));
        let pending = pending.collect::<Result<Vec<_>, _>>()?;
        // All that was asked of the bus is done when it has answered.
        harness.survey().await;
        let stretch = Stretch::begin();
        for (_, daemon) in &running {
            daemon.run().await?;
        }
        for (done, _) in running {
            done.within(TIMEOUT).await?;
        }
        let cost = stretch.end();
        drop(pending);
        let survey = harness.survey().await;
        let events: u64 = survey.daemons.values().map(|daemon| daemon.events).sum();
        let wanted = (emission.count + 1) * daemons as u64;
        if events != wanted {
            return Err(format!("{events} of {wanted} events came").into());
        }
        Ok(cost)
    })
}

type Pending = std::pin::Pin<Box<dyn Future<Output = ()>>>;

fn add(daemon: &Daemon, interest: Interest) -> Result<Vec<Pending>, Failure> {
    let mut pending: Vec<Pending> = Vec::new();
    for threshold in interest.thresholds() {
        let wait = daemon.wait_for(TICK);
        if matches!(interest, Interest::Predicates(_)) {
            let wait = wait.matching(&format!("level >= {threshold}"))?.into_future();
            pending.push(Box::pin(async { drop(wait.await) }));
        } else {
            let reached = move |event: &tribunal::event::Event| {
                event.value["level"].as_u64().filter(|level| *level >= threshold)
            };
            let mut wait = Box::pin(wait.filter_map(reached).within(TIMEOUT));
            // Registered when it is polled for the first time.
            let waker = &mut std::task::Context::from_waker(std::task::Waker::noop());
            let _ = wait.as_mut().poll(waker);
            pending.push(Box::pin(async { drop(wait.await) }));
        }
    }
    if interest == Interest::Observer {
        daemon.on_event(|event| {
            std::hint::black_box(event.value["level"].as_u64());
        });
    }
    Ok(pending)
}

/// Microseconds from each stamped write to the resumption of the one waiter for it.
pub fn latencies(emission: Emission, name: &str) -> Result<Vec<f64>, Failure> {
    with_harness(|harness| async move {
        let daemon = create(&harness, "emitter", emission).await?;
        let events =
            if name == PROBE { emission.count / emission.probe_every } else { emission.count };
        let mut latencies = Vec::new();
        let mut wait = daemon.wait_for(name).into_future();
        daemon.run().await?;
        for _ in 0..events {
            let event = wait.await?;
            let now = now_ns();
            let sent = event.value["sent_ns"].as_u64().unwrap_or(now);
            latencies.push(Duration::from_nanos(now.saturating_sub(sent)).as_secs_f64() * 1e6);
            wait = daemon.wait_for(name).since(event.seq.next()).into_future();
        }
        Ok(latencies)
    })
}

/// From the first write of a process to its waiter, in microseconds.
pub fn first_event(times: usize) -> Result<Vec<f64>, Failure> {
    (0..times)
        .map(|_| Ok(latencies(Emission::of(1, crate::emission::Shape::Stamped), TICK)?[0]))
        .collect()
}

const WILLING: Emission = Emission {
    count: 0,
    shape: crate::emission::Shape::Flat,
    per_write: 1,
    pause: Duration::ZERO,
    probe_every: 0,
    hold: true,
};

/// How a daemon is to be ended.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Terminate,
    Kill,
}

/// From `run` to its first event, and from `terminate` or `kill` to their return.
pub fn life(end: End) -> Result<[Duration; 2], Failure> {
    with_harness(|harness| async move {
        let daemon = create(&harness, "willing", WILLING).await?;
        let first = daemon.wait_for(DONE);
        let begun = Instant::now();
        daemon.run().await?;
        first.within(TIMEOUT).await?;
        let ready = begun.elapsed();
        let begun = Instant::now();
        match end {
            End::Terminate => daemon.terminate(Grace::default()).await?,
            End::Kill => daemon.kill().await?,
        };
        Ok([ready, begun.elapsed()])
    })
}

/// So many restarts in a row, each until ready.
pub fn restarts(times: u32) -> Result<Duration, Failure> {
    with_harness(|harness| async move {
        let daemon = create(&harness, "willing", WILLING).await?;
        daemon.run().await?;
        let begun = Instant::now();
        for _ in 0..times {
            daemon.restart().await?;
        }
        Ok(begun.elapsed())
    })
}

/// From SIGKILL to the failure of the last of so many waits.
pub fn death_of(waits: u64) -> Result<Duration, Failure> {
    with_harness(|harness| async move {
        let daemon = create(&harness, "willing", WILLING).await?;
        let ready = daemon.wait_for(DONE);
        daemon.run().await?;
        ready.within(TIMEOUT).await?;
        let pending: Vec<_> = (0..waits).map(|_| daemon.wait_for(TICK).into_future()).collect();
        harness.survey().await;
        let begun = Instant::now();
        daemon.signal(9).await?;
        for wait in pending {
            if wait.await.is_ok() {
                return Err("a wait for nothing was fulfilled".into());
            }
        }
        Ok(begun.elapsed())
    })
}

/// The CPU that so many daemons cost which say nothing, in percent of one core.
pub fn idle(daemons: usize, time: Duration) -> Result<f64, Failure> {
    with_harness(|harness| async move {
        for number in 0..daemons {
            let daemon = create(&harness, &format!("idle-{number}"), WILLING).await?;
            let ready = daemon.wait_for(DONE);
            daemon.run().await?;
            ready.within(TIMEOUT).await?;
        }
        // What is written behind its back is written by then.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let stretch = Stretch::begin();
        tokio::time::sleep(time).await;
        let cost = stretch.end();
        Ok(cost.cpu.as_secs_f64() / cost.wall.as_secs_f64() * 100.0)
    })
}

/// Resident memory in MB after so many events, all of them recorded.
pub fn memory(emission: Emission) -> Result<f64, Failure> {
    with_harness(|harness| async move {
        let daemon = create(&harness, "emitter", emission).await?;
        let done = daemon.wait_for(DONE);
        daemon.run().await?;
        done.within(TIMEOUT).await?;
        harness.survey().await;
        let recorded = std::fs::metadata(harness.run_dir().join("events/emitter.jsonl"))?.len();
        if recorded < emission.count * 200 {
            return Err(format!("only {recorded} bytes were recorded").into());
        }
        Ok(crate::usage::resident_mb())
    })
}
