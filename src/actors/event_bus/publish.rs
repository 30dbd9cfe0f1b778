//! Records come in: counted, recorded, offered to waits, shown to observers.

use std::sync::Arc;
use std::time::Instant;

use actix::{Context, Handler, Message};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::oneshot;

use super::EventBus;
use crate::daemon::{DaemonName, Incarnation};
use crate::event::decode::{Batch, Content, Excerpt, Malformed};
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

        let watched = self.waiters.listens_to(&daemon)
            || self.observers.iter().any(|observer| observer.watches(&daemon));
        let tally = self.tallies.entry(daemon.clone()).or_default();
        let mut malformed = Vec::new();
        for (record, seq) in batch.records.iter().zip((first.0..).map(Seq)) {
            match &record.content {
                Ok(content) => tally.count_event(&content.name, seq),
                Err(reason) => {
                    tally.malformed += 1;
                    malformed.push((seq, reason, &batch.bytes[record.line.clone()]));
                }
            }
        }
        tally.last_event_at = Some(Instant::now());
        if watched {
            self.offer_batch(&daemon, incarnation, &batch, first, late);
        }
        for (seq, reason, bytes) in malformed {
            self.report_malformed(&daemon, seq, reason, bytes, ctx);
        }
    }
}

impl EventBus {
    fn offer_batch(
        &mut self,
        daemon: &DaemonName,
        incarnation: Incarnation,
        batch: &Batch,
        first: Seq,
        late: bool,
    ) {
        let observed = self.observers.iter().any(|observer| observer.watches(daemon));
        for (record, seq) in batch.records.iter().zip((first.0..).map(Seq)) {
            let Ok(content) = &record.content else {
                continue;
            };
            if !observed && !self.waiters.wants(daemon, &content.name) {
                continue;
            }
            if let Some(event) = open(daemon, incarnation, batch, content, seq, late) {
                self.offer(&event);
                if observed {
                    self.observers.retain_mut(|observer| {
                        !observer.watches(daemon) || observer.deliver(&event)
                    });
                }
            }
        }
    }

    /// Offers one event to the registry and resolves what it ends.
    pub(super) fn offer(&mut self, event: &Event) {
        for id in self.waiters.offer(event) {
            self.resolve(id, event.clone());
        }
    }

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
        self.note(What::Malformed { seq, daemon: daemon.clone(), reason, excerpt }, ctx);
    }
}

/// A record as an event, its payload parsed. `None` if the payload is JSON that no value can hold (nested too deep).
pub(super) fn open(
    daemon: &DaemonName,
    incarnation: Incarnation,
    batch: &Batch,
    content: &Content,
    seq: Seq,
    late: bool,
) -> Option<Event> {
    let value: Value = serde_json::from_str(batch.text(&content.payload)).ok()?;
    let section: Vec<String> =
        serde_json::from_str(batch.text(&content.section)).unwrap_or_default();
    Some(Event {
        daemon: daemon.clone(),
        incarnation,
        seq,
        name: content.name.clone(),
        time: content.time,
        section: section.into(),
        value: Arc::new(value),
        late,
    })
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
        self.tally(&daemon).malformed += 1;
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
