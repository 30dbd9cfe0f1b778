//! What is measured, and what it should come to.

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::Signal;
use tribunal::event::decode::{Batch, Envelope, Names};

use crate::emission::{Emission, PROBE, Shape, TICK};
use crate::ours::{self, End, Interest};
use crate::table::{Budget, Metric, Row};
use crate::usage::{Stretch, median, percentile};
use crate::{Failure, baseline};

type Contest = Box<dyn Fn() -> Result<Vec<f64>, Failure>>;

/// One line of the budget: what the contestants do in turns, and what is taken from it.
pub struct Case {
    pub title: String,
    metrics: Vec<Metric>,
    rounds: usize,
    bare: Option<Contest>,
    first_try: Option<Contest>,
    /// Ours without the waits that this case is about.
    unburdened: Option<Contest>,
    ours: Contest,
}

impl Case {
    fn new(title: impl Into<String>, metrics: Vec<Metric>, ours: Contest) -> Self {
        let title = title.into();
        Self { title, metrics, rounds: 1, bare: None, first_try: None, unburdened: None, ours }
    }

    /// Runs the contestants in turns; a row for each metric.
    pub fn measure(&self) -> Result<Vec<Row>, Failure> {
        let contests =
            [&self.bare, &self.first_try, &self.unburdened].map(|contest| contest.as_ref());
        let contests = [contests[0], contests[1], contests[2], Some(&self.ours)];
        let mut results: [Vec<Vec<f64>>; 4] = Default::default();
        for _ in 0..self.rounds {
            for (contest, results) in contests.iter().zip(&mut results) {
                if let Some(contest) = contest {
                    results.push(contest()?);
                }
            }
        }
        let rows = self.metrics.iter().enumerate().map(|(index, metric)| {
            let medians = results.each_ref().map(|rounds| {
                let values: Vec<f64> = rounds.iter().map(|round| round[index]).collect();
                (!values.is_empty()).then(|| median(values))
            });
            Row::new(self.title.clone(), *metric, medians)
        });
        Ok(rows.collect())
    }
}

/// Counts and rounds of a run.
struct Size {
    rounds: usize,
    divisor: u64,
}

/// Every case, in the order of the budget.
pub fn all(quick: bool) -> Vec<Case> {
    let size = if quick { Size { rounds: 3, divisor: 4 } } else { Size { rounds: 7, divisor: 1 } };
    let flat = Emission::of(200_000 / size.divisor, Shape::Flat);
    let batched = Emission { per_write: 100, count: flat.count * 5, ..flat };
    let nested = Emission::of(20_000 / size.divisor, Shape::Nested);
    let loose = [None, Some(Budget::UnderFirstTry(4.0)), None];
    let mut cases = vec![
        decoding("decoding 200 B", flat),
        decoding("decoding 4 KiB", nested),
        throughput(
            "200 B",
            flat,
            1,
            Interest::End,
            &size,
            [Some(Budget::OverBare(2.0)), Some(Budget::UnderFirstTry(4.0)), None],
        ),
        throughput("200 B, 100 lines a write", batched, 1, Interest::End, &size, loose),
        throughput(
            "4 KiB, nested",
            nested,
            1,
            Interest::End,
            &size,
            [None, Some(Budget::UnderFirstTry(10.0)), None],
        ),
    ];
    let unburdened = [None, None, Some(Budget::OverUnburdened(1.3))];
    for (title, interest, budgets) in [
        ("100 waiters, level >= K", Interest::Predicates(100), unburdened),
        ("1,000 waiters, level >= K", Interest::Predicates(1000), unburdened),
        ("1,000 waiters, closures", Interest::Closures(1000), [None; 3]),
        ("one observer", Interest::Observer, [None; 3]),
    ] {
        let few = Emission { count: flat.count / 4, ..flat };
        let emission = if interest == Interest::Closures(1000) { few } else { flat };
        cases.push(throughput(title, emission, 1, interest, &size, budgets));
    }
    let each = Emission { count: flat.count / 4, ..flat };
    cases.push(throughput("8 daemons", each, 8, Interest::End, &size, loose));
    cases.extend([latency(&size), first_event(&size), life(End::Terminate, &size)]);
    cases.extend([life(End::Kill, &size), restarts(&size), death(&size), idle(quick)]);
    cases.extend([memory(200_000, 12.0), memory(2_000_000, 50.0), burst(&size)]);
    cases
}

/// Lines in memory to records, without processes, pipes and files around it.
fn decoding(title: &str, emission: Emission) -> Case {
    let lines = Bytes::from(emission.first_lines(256 * 1024));
    let count = memchr::memchr_iter(b'\n', &lines).count() as u64;
    let timed = move |work: &dyn Fn() -> u64| {
        let stretch = Stretch::begin();
        let decoded: u64 = (0..20).map(|_| work()).sum();
        let cost = stretch.end();
        if decoded == 20 * count {
            Ok(vec![cost.cpu_us_per(decoded)])
        } else {
            Err("lines are lost".into())
        }
    };
    let (first, ours, of_first) = (timed, timed, lines.clone());
    let as_value = |line: &&[u8]| serde_json::from_slice::<serde_json::Value>(line).is_ok();
    Case {
        rounds: 7,
        first_try: Some(Box::new(move || {
            first(&|| of_first.split(|byte| *byte == b'\n').filter(as_value).count() as u64)
        })),
        ..Case::new(
            title,
            vec![Metric { name: "CPU per event", unit: "µs", budget: None }],
            Box::new(move || {
                ours(&|| {
                    let names = &mut Names::default();
                    let batch = Batch::decode(lines.clone(), &Envelope::Octez, names);
                    batch.records.iter().filter(|record| record.content.is_ok()).count() as u64
                })
            }),
        )
    }
}

/// CPU per event and events per second of `daemons` emitters at once.
fn throughput(
    title: &str,
    emission: Emission,
    daemons: usize,
    interest: Interest,
    size: &Size,
    budgets: [Option<Budget>; 3],
) -> Case {
    let events = emission.count * daemons as u64;
    let metric = |name, budget| Metric { name, unit: "µs", budget };
    let metrics = [
        metric("CPU per event", budgets[0]),
        metric("CPU per event", budgets[1]),
        metric("CPU per event", budgets[2]),
        Metric { name: "events per second", unit: "k", budget: None },
    ];
    // The same figure may have to keep several budgets; one row each, and one if it has none.
    let mut kept: Vec<usize> = (0..3).filter(|at| budgets[*at].is_some()).collect();
    if kept.is_empty() {
        kept.push(0);
    }
    kept.push(3);
    let metrics: Vec<Metric> = kept.iter().map(|at| metrics[*at]).collect();
    let figures = move |cost: crate::usage::Cost| {
        let cpu = cost.cpu_us_per(events);
        let all = [cpu, cpu, cpu, cost.events_per_ms(events)];
        kept.iter().map(|at| all[*at]).collect::<Vec<f64>>()
    };
    let timed = {
        let figures = figures.clone();
        move |work: &dyn Fn() -> Result<(), Failure>| {
            let stretch = Stretch::begin();
            work()?;
            Ok(figures(stretch.end()))
        }
    };
    let (bare, first) = (timed.clone(), timed);
    let ours = |interest| -> Contest {
        let figures = figures.clone();
        Box::new(move || Ok(figures(ours::events(emission, daemons, interest)?)))
    };
    Case {
        rounds: size.rounds,
        bare: Some(Box::new(move || bare(&|| baseline::count_lines(emission, daemons)))),
        first_try: Some(Box::new(move || {
            first(&|| baseline::first_try(emission, daemons, interest).map(drop))
        })),
        unburdened: (interest != Interest::End).then(|| ours(Interest::End)),
        ..Case::new(title, metrics, ours(interest))
    }
}

fn micros(name: &'static str) -> Metric {
    Metric { name, unit: "µs", budget: None }
}

fn millis(name: &'static str) -> Metric {
    Metric { name, unit: "ms", budget: None }
}

fn quantiles(mut latencies: Vec<f64>) -> Vec<f64> {
    vec![percentile(&mut latencies, 50), percentile(&mut latencies, 99)]
}

fn latency(size: &Size) -> Case {
    let pause = Duration::from_millis(5);
    let emission = Emission { pause, ..Emission::of(400 / size.divisor, Shape::Stamped) };
    let ours = move || ours::latencies(emission, TICK).map(quantiles);
    let metrics = vec![micros("p50"), micros("p99")];
    Case {
        rounds: size.rounds.min(3),
        bare: Some(Box::new(move || baseline::bare_latencies(emission).map(quantiles))),
        first_try: Some(Box::new(move || {
            baseline::first_try(emission, 1, Interest::End).map(quantiles)
        })),
        ..Case::new("one event per 5 ms → waiter", metrics, Box::new(ours))
    }
}

fn first_event(size: &Size) -> Case {
    let times = 10;
    let emission = Emission::of(1, Shape::Stamped);
    let bare = move || {
        let each = (0..times).map(|_| baseline::bare_latencies(emission));
        Ok(vec![median(each.collect::<Result<Vec<_>, _>>()?.concat())])
    };
    let first = move || {
        let each = (0..times).map(|_| baseline::first_try(emission, 1, Interest::End));
        Ok(vec![median(each.collect::<Result<Vec<_>, _>>()?.concat())])
    };
    Case {
        rounds: size.rounds.min(3),
        bare: Some(Box::new(bare)),
        first_try: Some(Box::new(first)),
        ..Case::new(
            "first event after spawn",
            vec![micros("p50")],
            Box::new(move || Ok(vec![median(ours::first_event(times)?)])),
        )
    }
}

fn life(end: End, size: &Size) -> Case {
    let (title, name, signal) = match end {
        End::Terminate => ("life of a willing daemon", "terminate", Signal::SIGTERM),
        End::Kill => ("life of a killed daemon", "kill", Signal::SIGKILL),
    };
    let in_ms = |times: [Duration; 2]| times.map(|time| time.as_secs_f64() * 1e3).to_vec();
    Case {
        rounds: 3 * size.rounds,
        bare: Some(Box::new(move || baseline::spawn_to_first_line(signal).map(in_ms))),
        ..Case::new(
            title,
            vec![millis("run → first event"), millis(name)],
            Box::new(move || ours::life(end).map(in_ms)),
        )
    }
}

fn restarts(size: &Size) -> Case {
    let times = if size.divisor == 1 { 200 } else { 20 };
    let bare = move || {
        let begun = std::time::Instant::now();
        for _ in 0..times {
            baseline::spawn_and_end(Signal::SIGTERM)?;
        }
        Ok(vec![begun.elapsed().as_secs_f64() * 1e3 / f64::from(times)])
    };
    let ours = move || Ok(vec![ours::restarts(times)?.as_secs_f64() * 1e3 / f64::from(times)]);
    Case {
        rounds: 3,
        bare: Some(Box::new(bare)),
        ..Case::new(format!("{times} restarts"), vec![millis("each")], Box::new(ours))
    }
}

fn death(size: &Size) -> Case {
    let ours = || Ok(vec![ours::death_of(1000)?.as_secs_f64() * 1e3]);
    Case {
        rounds: size.rounds,
        ..Case::new("SIGKILL → 1,000 waiters failed", vec![millis("last")], Box::new(ours))
    }
}

fn idle(quick: bool) -> Case {
    let time = Duration::from_secs(if quick { 2 } else { 10 });
    let metric = Metric { name: "CPU", unit: "%", budget: Some(Budget::AtMost(0.05)) };
    Case::new("idle, 8 daemons", vec![metric], Box::new(move || Ok(vec![ours::idle(8, time)?])))
}

fn memory(events: u64, limit: f64) -> Case {
    let metric = Metric { name: "resident", unit: "MB", budget: Some(Budget::AtMost(limit)) };
    let ours = move || {
        let program = std::env::current_exe()?;
        let output = Command::new(program).args([crate::MEMORY, &events.to_string()]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let told = text.trim().parse::<f64>();
        Ok(vec![told.map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?])
    };
    Case::new(format!("memory after {events} events"), vec![metric], Box::new(ours))
}

fn burst(size: &Size) -> Case {
    let count = 1_000_000 / size.divisor;
    let emission = Emission { probe_every: 5000, ..Emission::of(count, Shape::Flat) };
    let worst = |mut latencies: Vec<f64>| {
        vec![percentile(&mut latencies, 50) / 1e3, percentile(&mut latencies, 100) / 1e3]
    };
    let limited = Metric { name: "worst", unit: "ms", budget: Some(Budget::AtMost(5.0)) };
    Case {
        rounds: size.rounds.min(3),
        first_try: Some(Box::new(move || {
            baseline::first_try(emission, 1, Interest::End).map(worst)
        })),
        ..Case::new(
            "a match during a burst → waiter",
            vec![millis("p50"), limited],
            Box::new(move || ours::latencies(emission, PROBE).map(worst)),
        )
    }
}
