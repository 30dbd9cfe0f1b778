//! Records come in: counted, recorded, offered to waits, shown to observers.

use std::sync::Arc;
use std::time::Instant;

use actix::{Context, Handler, Message};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::oneshot;

use super::EventBus;
use crate::daemon::{DaemonName, Incarnation};
use crate::event::decode::{Batch, Content, Excerpt, Malformed, Record};
use crate::event::history::{Origin, open};
use crate::event::{Event, EventName, Seq};
use crate::record::What;

/// One batch of a daemon's lines. The sender reads on when this has been handled.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Publish {
    pub(crate) daemon: DaemonName,
    pub(crate) incarnation: Incarnation,
    pub(crate) batch: Batch,
    pub(crate) late: bool,
}

impl Handler<Publish> for EventBus {
    type Result = ();

    fn handle(&mut self, publish: Publish, ctx: &mut Context<Self>) {
        let Publish { daemon, incarnation, batch, late } = publish;
        // The positions are taken only when all is recorded: who reads the end of the log may scan up to it.
        let first = self.next_seq();
        let mut entry = self.entry(first, batch.records.len());
        entry.incarnation = incarnation;
        entry.late = late;
        self.recorder.events(&daemon, entry, &batch.bytes);
        self.flush_soon(ctx);
        self.take_seqs(batch.records.len());

        let observed = self.observers.iter().any(|observer| observer.watches(&daemon));
        let watched = observed || self.waiters.listens_to(&daemon);
        let origin = Origin { daemon: &daemon, incarnation, late };
        self.tally(&daemon).last_event_at = Some(Instant::now());
        let mut seq = first;
        for run in batch.records.chunk_by(Record::is_like) {
            let run = Run { batch: &batch, records: run, first: seq };
            seq = run.end();
            match &run.records[0].content {
                Ok(content) => {
                    self.tally(&daemon).count_events(&content.name, run.records.len(), run.last());
                    if observed {
                        self.show_run(&origin, &run);
                    } else if watched {
                        self.offer_run(&origin, &content.name, run);
                    }
                }
                Err(reason) => {
                    let bytes = &batch.bytes[run.records[0].line.clone()];
                    self.report_malformed(&daemon, run.first, reason, bytes, ctx);
                }
            }
        }
    }
}

/// Consecutive events of one name, or one malformed record.
struct Run<'a> {
    batch: &'a Batch,
    records: &'a [Record],
    first: Seq,
}

impl<'a> Run<'a> {
    fn end(&self) -> Seq {
        Seq(self.first.0 + self.records.len() as u64)
    }

    fn last(&self) -> Seq {
        Seq(self.end().0.saturating_sub(1))
    }

    fn events(&self) -> impl Iterator<Item = (Seq, &'a Content)> + use<'a> {
        let contents = self.records.iter().filter_map(|record| record.content.as_ref().ok());
        (self.first.0..).map(Seq).zip(contents)
    }

    fn payloads(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let batch = self.batch;
        self.events().map(|(_, content)| batch.text(&content.payload))
    }

    fn without_first(&self, count: usize) -> Self {
        let first = Seq(self.first.0 + count as u64);
        Self { batch: self.batch, records: self.records.get(count..).unwrap_or_default(), first }
    }
}

impl EventBus {
    /// Offers those events of a run that may matter to a wait; the others' payloads are not parsed.
    fn offer_run(&mut self, origin: &Origin<'_>, name: &EventName, run: Run<'_>) {
        let mut rest = run;
        while let Some(at) = self.waiters.first_wanted(origin.daemon, name, rest.payloads()) {
            rest = rest.without_first(at);
            if let Some((seq, content)) = rest.events().next()
                && let Some(event) = open(origin, rest.batch, content, seq, &mut self.sections)
            {
                self.offer(&event);
            }
            rest = rest.without_first(1);
        }
    }

    /// Offers all events of a run, and shows them to the observers.
    fn show_run(&mut self, origin: &Origin<'_>, run: &Run<'_>) {
        for (seq, content) in run.events() {
            if let Some(event) = open(origin, run.batch, content, seq, &mut self.sections) {
                self.offer(&event);
                self.observers.retain_mut(|observer| {
                    !observer.watches(origin.daemon) || observer.deliver(&event)
                });
            }
        }
    }

    /// Offers one event to the registry and resolves what it ends.
    pub(super) fn offer(&mut self, event: &Event) {
        for id in self.waiters.offer(event) {
            self.resolve(id, event.clone());
        }
    }

    /// Counts a line that is no event, and says so in the log.
    fn report_malformed(
        &mut self,
        daemon: &DaemonName,
        seq: Seq,
        reason: &Malformed,
        bytes: &[u8],
        ctx: &mut Context<Self>,
    ) {
        tracing::warn!(%daemon, %seq, %reason, "malformed line");
        let (reason, excerpt) = (reason.to_string(), Excerpt(bytes).to_string());
        let tally = self.tally(daemon);
        tally.malformed += 1;
        tally.last_malformed = Some(format!("{reason}: {excerpt}"));
        self.note(What::Malformed { seq, daemon: daemon.clone(), reason, excerpt }, ctx);
    }
}

/// Part of a line over the cap; the last part makes it a malformed record.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Overlong {
    pub(crate) daemon: DaemonName,
    pub(crate) incarnation: Incarnation,
    pub(crate) bytes: Bytes,
    pub(crate) last: bool,
    /// Bytes of the whole line so far, this part included.
    pub(crate) length: u64,
}

impl Handler<Overlong> for EventBus {
    type Result = ();

    fn handle(&mut self, part: Overlong, ctx: &mut Context<Self>) {
        let Overlong { daemon, incarnation, bytes, last, length } = part;
        if !last {
            self.recorder.fragment(&daemon, &bytes);
            return;
        }
        let seq = self.next_seq();
        let end = self.recorder.offset(&daemon) + bytes.len() as u64;
        let mut entry = self.entry(seq, 1);
        entry.incarnation = incarnation;
        entry.overlong = true;
        entry.offset = end.saturating_sub(length);
        entry.bytes = length;
        self.recorder.events(&daemon, entry, &bytes);
        self.take_seqs(1);
        self.report_malformed(&daemon, seq, &Malformed::TooLong { bytes: length }, &bytes, ctx);
    }
}

/// Complete lines of a daemon's standard output or error.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Output {
    pub(crate) daemon: DaemonName,
    pub(crate) bytes: Bytes,
}

impl Handler<Output> for EventBus {
    type Result = ();

    fn handle(&mut self, output: Output, ctx: &mut Context<Self>) {
        self.recorder.output(&output.daemon, &output.bytes);
        self.flush_soon(ctx);
        self.tally(&output.daemon).add_output(&output.bytes);
        for listener in &mut self.listeners {
            (listener.0)(&output.daemon, &output.bytes);
        }
    }
}

/// Appends a lifecycle record as an event of the daemon, and tells its position.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Append {
    pub(crate) daemon: DaemonName,
    pub(crate) incarnation: Incarnation,
    pub(crate) event: &'static str,
    pub(crate) value: Value,
    pub(crate) reply: Option<oneshot::Sender<Seq>>,
}

impl Handler<Append> for EventBus {
    type Result = ();

    fn handle(&mut self, append: Append, ctx: &mut Context<Self>) {
        let Append { daemon, incarnation, event, value, reply } = append;
        let seq = self.take_seqs(1);
        let name = EventName::from(event);
        let value = Arc::new(value);
        tracing::info!(%daemon, %incarnation, %seq, event, %value, "lifecycle");
        self.tally(&daemon).add_lifecycle(seq, incarnation, name.clone(), Arc::clone(&value));
        let note = What::Lifecycle {
            seq,
            daemon: daemon.clone(),
            incarnation,
            event: name.clone(),
            value: Value::clone(&value),
        };
        self.note(note, ctx);
        let event = Event {
            daemon,
            incarnation,
            seq,
            name,
            time: None,
            section: Arc::default(),
            value,
            late: false,
        };
        self.offer(&event);
        self.observers.retain_mut(|observer| !observer.lifecycle || observer.deliver(&event));
        if let Some(reply) = reply {
            // Who asked may have gone on.
            let _ = reply.send(seq);
        }
    }
}
