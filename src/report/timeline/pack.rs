//! The data of a page: columns of numbers, a table of names, and the payloads, packed.
//!
//! Before packing it is text: a line for each payload, then one line of JSON that describes them. `page/data.js` reads it.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderStringWriter;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde_json::{Value, json};

use super::TimelineError;
use crate::report::chronicle::{Chronicle, Told, ToldKind};
use crate::scenario::result::StepOutcome;

/// A page holds so many events; of a longer run the newest.
const MAX_EVENTS: u64 = 500_000;

/// All payloads together may have about so many bytes; a run with fewer events shows more of each.
const PAYLOADS: u64 = 64 * 1024 * 1024;
const SHORTEST: u64 = 320;
const LONGEST: u64 = 16 * 1024;

/// Names are shown in full up to here.
const NAME: usize = 300;

const MALFORMED: u8 = 2;
const LATE: u8 = 4;
const CUT: u8 = 8;

pub(super) struct Packed {
    pub base64: String,
    /// Of the whole run, also those that the page has no room for.
    pub events: u64,
}

/// Numbers are differences to the one before: they pack better.
#[derive(Default, Serialize)]
struct Columns {
    seq: Vec<i64>,
    t: Vec<i64>,
    /// Daemon, incarnation, name, kind.
    d: Vec<usize>,
    i: Vec<u32>,
    n: Vec<u32>,
    k: Vec<u8>,
}

pub(super) fn pack(chronicle: &mut Chronicle) -> Result<Packed, TimelineError> {
    pack_at_most(chronicle, MAX_EVENTS)
}

pub(super) fn pack_at_most(chronicle: &mut Chronicle, most: u64) -> Result<Packed, TimelineError> {
    let events = chronicle.count()?;
    let left_out = events.saturating_sub(most);
    let limit = (PAYLOADS / events.clamp(1, most)).clamp(SHORTEST, LONGEST);
    // Chunks of some size: the packer is slow when it is fed in small pieces.
    let packer = DeflateEncoder::new(EncoderStringWriter::new(&STANDARD), Compression::fast());
    let mut packing = Packing {
        out: BufWriter::with_capacity(256 * 1024, packer),
        failure: None,
        columns: Columns::default(),
        names: Names::default(),
        last: (0, 0),
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let mut number = 0;
    chronicle.tell(&mut |told| {
        number += 1;
        if number > left_out {
            packing.take(told);
        }
    })?;
    let base64 = packing.finish(chronicle, left_out).map_err(TimelineError::Pack)?;
    Ok(Packed { base64, events })
}

type Packer = DeflateEncoder<EncoderStringWriter<'static, base64::engine::GeneralPurpose, String>>;

struct Packing {
    out: BufWriter<Packer>,
    failure: Option<io::Error>,
    columns: Columns,
    names: Names,
    last: (i64, i64),
    limit: usize,
}

impl Packing {
    fn take(&mut self, told: Told<'_>) {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let now = (signed(told.seq), signed(told.at_us));
        let shown = &told.payload[..told.payload.floor_char_boundary(self.limit)];
        let kind = match told.kind {
            ToldKind::Event => 0,
            ToldKind::Lifecycle => 1,
            ToldKind::Malformed => MALFORMED,
        };
        let late = if told.late { LATE } else { 0 };
        let cut = if shown.len() < told.payload.len() { CUT } else { 0 };
        let columns = &mut self.columns;
        columns.seq.push(now.0 - self.last.0);
        columns.t.push(now.1 - self.last.1);
        columns.d.push(told.daemon);
        columns.i.push(told.incarnation);
        columns.n.push(self.names.number(told.name));
        columns.k.push(kind | late | cut);
        self.last = now;
        let written = self.out.write_all(shown.as_bytes()).and_then(|()| self.out.write_all(b"\n"));
        if let Err(error) = written {
            self.failure.get_or_insert(error);
        }
    }

    fn finish(mut self, chronicle: &Chronicle, left_out: u64) -> io::Result<String> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let mut told = describe(chronicle);
        told["left_out"] = left_out.into();
        told["names"] = self.names.list.into();
        told["events"] = serde_json::to_value(&self.columns)?;
        serde_json::to_writer(&mut self.out, &told)?;
        let packer = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(packer.finish()?.into_inner())
    }
}

#[derive(Default)]
struct Names {
    list: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        let name = &name[..name.floor_char_boundary(NAME)];
        if let Some(known) = self.numbers.get(name) {
            return *known;
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// All but the events.
fn describe(chronicle: &Chronicle) -> Value {
    let daemons = chronicle.daemons.iter().map(|daemon| {
        let lives = daemon.incarnations.iter().map(|life| {
            json!({ "n": life.number, "pid": life.pid, "from": life.from_us, "ready": life.ready_us,
                    "to": life.to_us, "exit": life.exit, "cause": life.cause, "policy": life.by_policy })
        });
        json!({ "name": daemon.name, "kind": daemon.kind, "lives": lives.collect::<Vec<_>>() })
    });
    let steps = chronicle.steps.iter().map(|step| {
        let outcome = match step.outcome {
            StepOutcome::Passed => "passed",
            StepOutcome::Failed => "failed",
            StepOutcome::Skipped => "skipped",
        };
        json!({ "path": step.path, "verb": step.verb, "text": step.text, "line": step.line, "outcome": outcome,
                "from": step.from_us, "to": step.to_us, "detail": step.detail, "branch": step.branch(),
                "depth": step.depth(), "block": is_block(&step.verb) })
    });
    let waits = chronicle.waits.iter().map(|wait| {
        json!({ "step": wait.step, "sources": wait.sources, "event": wait.event, "where": wait.predicate,
                "count": wait.count, "never": wait.never, "matched": wait.matched, "from": wait.from_us,
                "to": wait.to_us })
    });
    let faults = chronicle.faults.iter().map(|fault| {
        json!({ "n": fault.number, "kind": fault.kind, "target": fault.target, "daemon": fault.daemon,
                "at": fault.at_us, "hit": fault.hit })
    });
    let failure = chronicle.result.as_ref().and_then(|result| result.failure.as_ref());
    json!({
        "end": chronicle.end_us,
        "daemons": daemons.collect::<Vec<_>>(),
        "branches": chronicle.branches(),
        "steps": steps.collect::<Vec<_>>(),
        "waits": waits.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
        "failure": failure.map(|failure| json!({ "step": failure.step })),
    })
}

/// Steps that hold other steps.
fn is_block(verb: &str) -> bool {
    ["parallel", "repeat", "for", "use", "chaos"].contains(&verb)
}
