//! What ours is compared with: a reader that only counts lines, and what one would write first.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use serde_json::Value;
use tokio::io::AsyncBufReadExt;
use tokio::sync::mpsc;

use crate::Failure;
use crate::emission::{DONE, Emission, PROBE, TICK, now_ns};
use crate::ours::Interest;

/// An emitter and its FIFO, without a harness around them.
struct Bare {
    child: Child,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Bare {
    fn spawn(emission: Emission) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("events");
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let child = Command::new(std::env::current_exe()?)
            .args(emission.to_args())
            .env("TRIBUNAL_EVENT_PIPE", &path)
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Self { child, path, _directory: directory })
    }

    fn open(&self) -> std::io::Result<File> {
        let pipe = File::open(&self.path)?;
        // As large as a harness makes them; refused, it stays as it is.
        let _ = fcntl(pipe.as_fd(), FcntlArg::F_SETPIPE_SZ(256 * 1024));
        Ok(pipe)
    }

    fn end(mut self, signal: Signal) -> Result<(), Failure> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?;
        self.child.wait()?;
        Ok(())
    }
}

/// Counts newlines until the pipes are closed, one thread for each.
pub fn count_lines(emission: Emission, daemons: usize) -> Result<(), Failure> {
    let bare: Vec<_> = (0..daemons).map(|_| Bare::spawn(emission)).collect::<Result<_, _>>()?;
    let lines = std::thread::scope(|scope| {
        let readers: Vec<_> = bare.iter().map(|one| scope.spawn(|| count_in(one))).collect();
        readers.into_iter().map(|reader| reader.join().map_or(0, Result::unwrap_or_default)).sum()
    });
    for mut one in bare {
        one.child.wait()?;
    }
    expect((emission.count + 1) * daemons as u64, lines)
}

fn count_in(bare: &Bare) -> std::io::Result<u64> {
    let mut pipe = bare.open()?;
    let mut buffer = vec![0; 64 * 1024];
    let mut lines = 0;
    loop {
        match pipe.read(&mut buffer)? {
            0 => return Ok(lines),
            read => lines += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64,
        }
    }
}

fn expect(wanted: u64, got: u64) -> Result<(), Failure> {
    if wanted == got { Ok(()) } else { Err(format!("{got} of {wanted} lines came").into()) }
}

/// Microseconds from each stamped write to the read that brought it.
pub fn bare_latencies(emission: Emission) -> Result<Vec<f64>, Failure> {
    let mut bare = Bare::spawn(emission)?;
    let mut pipe = bare.open()?;
    let mut buffer = vec![0; 64 * 1024];
    let mut latencies = Vec::new();
    loop {
        let read = pipe.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        let now = now_ns();
        for line in buffer[..read].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line)?;
            latencies.extend(sent(&line["fd-sink-item.v0"]["event"][TICK], now));
        }
    }
    bare.child.wait()?;
    Ok(latencies)
}

fn sent(payload: &Value, now: u64) -> Option<f64> {
    payload["sent_ns"].as_u64().map(|sent| micros(now.saturating_sub(sent)))
}

fn micros(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64() * 1e6
}

/// Spawns an emitter, and waits for its first line.
pub fn spawn_to_first_line(signal: Signal) -> Result<[Duration; 2], Failure> {
    let begun = std::time::Instant::now();
    let bare = Bare::spawn(Emission { hold: true, ..Emission::default() })?;
    let mut pipe = bare.open()?;
    let _read = pipe.read(&mut [0; 4096])?;
    let ready = begun.elapsed();
    let begun = std::time::Instant::now();
    bare.end(signal)?;
    Ok([ready, begun.elapsed()])
}

/// Spawns an emitter and ends it.
pub fn spawn_and_end(signal: Signal) -> Result<(), Failure> {
    Bare::spawn(Emission { hold: true, ..Emission::default() })?.end(signal)
}

/// What one would write first: a `String` and a whole `Value` for each line, one message for each event, and a list of
/// waits that are asked one by one.
pub fn first_try(
    emission: Emission,
    daemons: usize,
    interest: Interest,
) -> Result<Vec<f64>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut children = Vec::new();
        for _ in 0..daemons {
            let bare = Bare::spawn(emission)?;
            // Opened for writing as well, so that there is a reader at once and no end of file.
            let pipe = tokio::net::unix::pipe::OpenOptions::new()
                .read_write(true)
                .open_receiver(&bare.path)?;
            let _ = fcntl(pipe.as_fd(), FcntlArg::F_SETPIPE_SZ(256 * 1024));
            tokio::spawn(read_events(pipe, sender.clone()));
            children.push(bare);
        }
        let consumed = consume(receiver, emission.count, daemons, interest).await;
        for bare in children {
            bare.end(Signal::SIGKILL)?;
        }
        consumed
    })
}

async fn read_events(
    pipe: tokio::net::unix::pipe::Receiver,
    events: mpsc::UnboundedSender<(String, Value)>,
) {
    let mut lines = tokio::io::BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(mut line) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        let Some(Value::Object(event)) =
            line.pointer_mut("/fd-sink-item.v0/event").map(Value::take)
        else {
            continue;
        };
        for event in event {
            if events.send(event).is_err() {
                return;
            }
        }
    }
}

async fn consume(
    mut events: mpsc::UnboundedReceiver<(String, Value)>,
    count: u64,
    daemons: usize,
    interest: Interest,
) -> Result<Vec<f64>, Failure> {
    type Wait = Box<dyn Fn(&Value) -> bool>;
    let threshold = |at: u64| -> Wait {
        Box::new(move |payload| payload["level"].as_u64().is_some_and(|level| level >= at))
    };
    let mut waits: Vec<Wait> = interest.thresholds().map(threshold).collect();
    let (mut ticks, mut done, mut latencies) = (0, 0, Vec::new());
    while done < daemons {
        let Some((name, payload)) = events.recv().await else {
            break;
        };
        match name.as_str() {
            TICK => {
                ticks += 1;
                waits.retain(|wait| !wait(&payload));
                latencies.extend(sent(&payload, now_ns()));
            }
            PROBE => latencies.extend(sent(&payload, now_ns())),
            DONE => done += 1,
            _ => {}
        }
    }
    expect(count * daemons as u64, ticks)?;
    Ok(latencies)
}
