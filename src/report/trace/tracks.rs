//! One play as processes, threads, spans and instants.

use serde::Serialize;
use serde_json::{Value, json};

use crate::report::chronicle::{Chronicle, IncarnationBar, Told, ToldKind};
use crate::scenario::result::StepOutcome;

/// Longer payloads are shown in part: a trace is for looking, not for searching.
const PAYLOAD: usize = 1024;

/// Threads of a daemon's process: lives, events, and from there on waits.
const LIVES: u64 = 1;
const EVENTS: u64 = 2;
const WAITS: u64 = 3;

/// One object of `traceEvents`.
#[derive(Serialize)]
struct Entry {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'static str>,
    ph: Phase,
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<u64>,
    pid: u64,
    tid: u64,
    /// How far the line of an instant reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<Reach>,
    args: Value,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
enum Phase {
    #[serde(rename = "M")]
    Metadata,
    #[serde(rename = "X")]
    Complete,
    #[serde(rename = "i")]
    Instant,
}

#[derive(Clone, Copy, Serialize)]
enum Reach {
    #[serde(rename = "t")]
    Thread,
    #[serde(rename = "p")]
    Process,
}

pub(super) struct Tracks {
    first: u64,
    offset_us: u64,
    names: Vec<Entry>,
    entries: Vec<(u64, String)>,
}

impl Tracks {
    /// All but the events. The process of the steps is `first`, the daemons' follow.
    pub fn of(chronicle: &Chronicle, first: u64, offset_us: u64) -> Self {
        let mut tracks = Self { first, offset_us, names: Vec::new(), entries: Vec::new() };
        tracks.steps(chronicle);
        tracks.lives(chronicle);
        tracks.waits(chronicle);
        for fault in &chronicle.faults {
            let pid = fault.daemon.map_or(first, |daemon| tracks.process_of(daemon));
            let args = json!({ "target": fault.target, "hit": fault.hit });
            let name = format!("fault #{}: {}", fault.number, fault.kind);
            tracks.instant(name, "fault", fault.at_us, (pid, LIVES), Reach::Process, args);
        }
        for (at_us, text) in &chronicle.texts {
            tracks.instant(text.clone(), "log", *at_us, (first, 1), Reach::Thread, json!({}));
        }
        tracks
    }

    /// Says so, if there is no room for all.
    pub fn left_out(&mut self, events: u64) {
        if events > 0 {
            let name = format!("{events} older events are left out");
            self.instant(name, "note", 0, (self.first, 1), Reach::Process, json!({}));
        }
    }

    pub fn event(&mut self, told: Told<'_>) {
        let payload = if told.payload.len() > PAYLOAD || told.kind == ToldKind::Malformed {
            let end = told.payload.floor_char_boundary(PAYLOAD);
            let rest = if end < told.payload.len() { "…" } else { "" };
            Value::from(format!("{}{rest}", &told.payload[..end]))
        } else {
            serde_json::from_str(told.payload).unwrap_or_else(|_| told.payload.into())
        };
        let args = json!({ "seq": told.seq, "incarnation": told.incarnation, "payload": payload });
        let (category, tid) = match told.kind {
            ToldKind::Event => ("event", EVENTS),
            ToldKind::Lifecycle => ("lifecycle", LIVES),
            ToldKind::Malformed => ("malformed", EVENTS),
        };
        let track = (self.process_of(told.daemon), tid);
        self.instant(told.name.to_owned(), category, told.at_us, track, Reach::Thread, args);
    }

    /// The objects as JSON, the names first, then by time; of two that begin together the longer one first.
    pub fn into_lines(mut self) -> impl Iterator<Item = String> {
        self.entries.sort_by_key(|(at, _)| *at);
        let names = self.names.into_iter().filter_map(|entry| serde_json::to_string(&entry).ok());
        names.collect::<Vec<_>>().into_iter().chain(self.entries.into_iter().map(|(_, line)| line))
    }

    fn process_of(&self, daemon: usize) -> u64 {
        self.first + 1 + daemon as u64
    }

    fn steps(&mut self, chronicle: &Chronicle) {
        self.process(self.first, &format!("steps of {}", chronicle.name));
        for (tid, branch) in (1..).zip(chronicle.branches()) {
            self.thread((self.first, tid), branch);
            let mut spans: Vec<_> =
                chronicle.steps.iter().filter(|step| step.branch() == branch).collect();
            spans.sort_by_key(|step| (step.from_us, std::cmp::Reverse(step.to_us), step.depth()));
            // A step that was cut short must not seem to outlast the block around it.
            let mut around: Vec<u64> = Vec::new();
            for step in spans {
                around.truncate(step.depth());
                let to_us =
                    around.iter().fold(step.to_us, |to, end| to.min(*end)).max(step.from_us);
                around.push(to_us);
                let outcome = match step.outcome {
                    StepOutcome::Passed => "passed",
                    StepOutcome::Failed => "failed",
                    StepOutcome::Skipped => "skipped",
                };
                let args = json!({ "path": step.path, "text": step.text, "line": step.line,
                                   "outcome": outcome, "detail": step.detail });
                let name = if step.outcome == StepOutcome::Failed {
                    format!("{} FAILED", step.verb)
                } else {
                    step.verb.clone()
                };
                self.span(name, "step", (step.from_us, to_us), (self.first, tid), args);
            }
        }
    }

    fn lives(&mut self, chronicle: &Chronicle) {
        for (index, daemon) in chronicle.daemons.iter().enumerate() {
            let pid = self.process_of(index);
            self.process(pid, &format!("{} ({})", daemon.name, daemon.kind));
            self.thread((pid, LIVES), "incarnations");
            self.thread((pid, EVENTS), "events");
            for life in &daemon.incarnations {
                let to_us = life.to_us.unwrap_or(chronicle.end_us).max(life.from_us);
                let name = format!("incarnation {}", life.number);
                self.span(name, "incarnation", (life.from_us, to_us), (pid, LIVES), of_life(life));
            }
        }
    }

    fn waits(&mut self, chronicle: &Chronicle) {
        for index in 0..chronicle.daemons.len() {
            let pid = self.process_of(index);
            // When the last wait of each thread ends.
            let mut rows: Vec<u64> = Vec::new();
            for wait in &chronicle.waits {
                let Some((_, from_seq)) = wait.sources.iter().find(|(of, _)| *of == index) else {
                    continue;
                };
                let free = rows.iter().position(|end| *end <= wait.from_us);
                let row = free.unwrap_or_else(|| {
                    self.thread((pid, WAITS + rows.len() as u64), "waits");
                    rows.push(0);
                    rows.len() - 1
                });
                rows[row] = wait.to_us;
                let word = if wait.never { "never" } else { "wait" };
                let matched = wait.matched.filter(|(of, _)| *of == index).map(|(_, seq)| seq);
                let step = chronicle.steps.get(wait.step).map(|step| step.path.as_str());
                let args = json!({ "step": step, "from_seq": from_seq, "matched_seq": matched,
                                   "where": wait.predicate, "count": wait.count });
                let track = (pid, WAITS + row as u64);
                let name = format!("{word}: {}", wait.event);
                self.span(name, "wait", (wait.from_us, wait.to_us), track, args);
            }
        }
    }

    fn process(&mut self, pid: u64, name: &str) {
        self.named("process_name", (pid, 0), json!({ "name": name }));
        self.named("process_sort_index", (pid, 0), json!({ "sort_index": pid }));
    }

    fn thread(&mut self, (pid, tid): (u64, u64), name: &str) {
        self.named("thread_name", (pid, tid), json!({ "name": name }));
        self.named("thread_sort_index", (pid, tid), json!({ "sort_index": tid }));
    }

    fn named(&mut self, name: &str, (pid, tid): (u64, u64), args: Value) {
        let (name, ph) = (name.to_owned(), Phase::Metadata);
        self.names.push(Entry { name, cat: None, ph, ts: 0, dur: None, pid, tid, s: None, args });
    }

    fn span(
        &mut self,
        name: String,
        category: &'static str,
        (from_us, to_us): (u64, u64),
        (pid, tid): (u64, u64),
        args: Value,
    ) {
        let (ts, dur) = (from_us + self.offset_us, Some(to_us - from_us));
        let (cat, ph) = (Some(category), Phase::Complete);
        self.put(&Entry { name, cat, ph, ts, dur, pid, tid, s: None, args });
    }

    fn instant(
        &mut self,
        name: String,
        category: &'static str,
        at_us: u64,
        (pid, tid): (u64, u64),
        reach: Reach,
        args: Value,
    ) {
        let (ts, cat, ph) = (at_us + self.offset_us, Some(category), Phase::Instant);
        self.put(&Entry { name, cat, ph, ts, dur: None, pid, tid, s: Some(reach), args });
    }

    fn put(&mut self, entry: &Entry) {
        // Plain data with text as keys: there is nothing in it that cannot be written.
        if let Ok(line) = serde_json::to_string(entry) {
            self.entries.push((entry.ts, line));
        }
    }
}

fn of_life(life: &IncarnationBar) -> Value {
    let begun_by = if life.by_policy { "restart policy" } else { "step" };
    json!({ "pid": life.pid, "ready_us": life.ready_us, "exit": life.exit, "cause": life.cause,
            "begun_by": begun_by })
}
