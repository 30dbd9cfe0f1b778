//! The daemon of the measurements: this program, run again to write events.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first argument that makes this program the emitter.
pub const ROLE: &str = "emit";

/// The name of the events; the last one of an emission is called [`DONE`], the stamped ones in between [`PROBE`].
pub const TICK: &str = "tick.v0";
pub const PROBE: &str = "probe.v0";
pub const DONE: &str = "done.v0";

/// What the payload of an event looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object with an integer `level` and padding: lines of 200 bytes.
    Flat,
    /// As [`Flat`](Self::Flat), with the time of the write in `sent_ns`.
    Stamped,
    /// Lists of objects: lines of 4 KiB.
    Nested,
}

impl Shape {
    fn word(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Stamped => "stamped",
            Self::Nested => "nested",
        }
    }

    fn line_bytes(self) -> usize {
        if self == Self::Nested { 4096 } else { 200 }
    }
}

/// What the emitter is to write; the last event has `level` = `count`, and [`DONE`] follows it.
#[derive(Clone, Copy, Debug)]
pub struct Emission {
    pub count: u64,
    pub shape: Shape,
    /// Lines in one write(2).
    pub per_write: u64,
    /// Between two writes.
    pub pause: Duration,
    /// A [`PROBE`] after so many lines; 0 is never.
    pub probe_every: u64,
    /// Stay alive afterwards.
    pub hold: bool,
}

impl Default for Emission {
    fn default() -> Self {
        Self {
            count: 0,
            shape: Shape::Flat,
            per_write: 1,
            pause: Duration::ZERO,
            probe_every: 0,
            hold: false,
        }
    }
}

impl Emission {
    pub fn of(count: u64, shape: Shape) -> Self {
        Self { count, shape, ..Self::default() }
    }

    pub fn to_args(self) -> Vec<String> {
        let numbers = [
            self.count,
            self.per_write,
            u64::try_from(self.pause.as_micros()).unwrap_or(u64::MAX),
            self.probe_every,
            u64::from(self.hold),
        ];
        let words = [ROLE.to_owned(), self.shape.word().to_owned()];
        words.into_iter().chain(numbers.iter().map(ToString::to_string)).collect()
    }

    pub fn from_args(args: &[String]) -> Option<Self> {
        let shape = *[Shape::Flat, Shape::Stamped, Shape::Nested]
            .iter()
            .find(|shape| args.first().is_some_and(|word| word == shape.word()))?;
        let numbers: Vec<u64> = args[1..].iter().map_while(|word| word.parse().ok()).collect();
        let [count, per_write, pause_us, probe_every, hold] = numbers[..] else {
            return None;
        };
        let (pause, hold) = (Duration::from_micros(pause_us), hold != 0);
        Some(Self { count, shape, per_write, pause, probe_every, hold })
    }

    /// The lines that it begins with, as many as fit into so many bytes.
    pub fn first_lines(self, bytes: usize) -> Vec<u8> {
        let mut lines = Vec::new();
        let count = (bytes / self.shape.line_bytes()) as u64;
        (1..=count).for_each(|level| Lines::new(TICK, self.shape).push(level, &mut lines));
        lines
    }

    /// Writes to the FIFO in `TRIBUNAL_EVENT_PIPE`.
    pub fn play(self) -> io::Result<()> {
        let path = std::env::var_os("TRIBUNAL_EVENT_PIPE")
            .ok_or_else(|| io::Error::other("no TRIBUNAL_EVENT_PIPE in the environment"))?;
        let mut pipe = OpenOptions::new().append(true).open(path)?;
        self.write_ticks(&mut pipe)?;
        let mut done = Vec::new();
        Lines::new(DONE, Shape::Stamped).push(self.count, &mut done);
        pipe.write_all(&done)?;
        if !self.hold {
            return Ok(());
        }
        loop {
            std::thread::sleep(Duration::from_hours(1));
        }
    }

    fn write_ticks(&self, pipe: &mut File) -> io::Result<()> {
        let ticks = Lines::new(TICK, self.shape);
        let probes = Lines::new(PROBE, Shape::Stamped);
        let mut buffer = Vec::with_capacity(64 * 1024);
        let mut in_buffer = 0;
        for level in 1..=self.count {
            ticks.push(level, &mut buffer);
            in_buffer += 1;
            if self.probe_every != 0 && level.is_multiple_of(self.probe_every) {
                probes.push(level, &mut buffer);
            }
            if in_buffer == self.per_write || level == self.count {
                pipe.write_all(&buffer)?;
                buffer.clear();
                in_buffer = 0;
                if !self.pause.is_zero() {
                    std::thread::sleep(self.pause);
                }
            }
        }
        Ok(())
    }
}

/// Nanoseconds since the epoch, as [`Shape::Stamped`] writes them.
pub fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// Lines of one name and shape, all of the same length.
struct Lines {
    begin: String,
    shape: Shape,
    end: String,
}

impl Lines {
    fn new(name: &str, shape: Shape) -> Self {
        let begin = format!(
            r#"{{"fd-sink-item.v0":{{"hostname":"bench","time_stamp":1787318689.2017,"section":["bench","emitter"],"event":{{"{name}":{{"level":"#
        );
        let operation = r#"{"hash":"ooFz1vYn3kPq9sVd7mT5","contents":[{"kind":"attestation","slot":12,"level":1042,"round":0,"delegate":{"alias":"b1","hash":"tz1Qx"}}],"signature":"sigXkv9"}"#;
        let payload = match shape {
            Shape::Nested => {
                let operations = [operation; 22].join(",");
                format!(r#","operations":[{operations}],"valid":true"#)
            }
            Shape::Flat | Shape::Stamped => String::new(),
        };
        // Both numbers have a fixed width; the padding makes up the length.
        let numbers = if shape == Shape::Stamped { 10 + 11 + 19 } else { 10 };
        let frame = payload.len() + begin.len() + numbers + r#","pad":""}}}}"#.len() + 1;
        let padding = "p".repeat(shape.line_bytes().saturating_sub(frame));
        let end = format!("{payload},\"pad\":\"{padding}\"}}}}}}}}\n");
        Self { begin, shape, end }
    }

    /// An integer of ten digits, so that no JSON number has to begin with a zero.
    fn push(&self, level: u64, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(self.begin.as_bytes());
        push_number(level + LEVEL_BASE, buffer);
        if self.shape == Shape::Stamped {
            buffer.extend_from_slice(br#","sent_ns":"#);
            push_number(now_ns(), buffer);
        }
        buffer.extend_from_slice(self.end.as_bytes());
    }
}

/// The level of the event before the first.
pub const LEVEL_BASE: u64 = 1_000_000_000;

fn push_number(mut number: u64, buffer: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    while at == digits.len() || number > 0 {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    buffer.extend_from_slice(&digits[at..]);
}
