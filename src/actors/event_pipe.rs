//! One source of a daemon's lines: its FIFO, its standard output or error, or a file.
//!
//! At most one batch is on its way to the bus: the next read follows when the bus has taken the last. A daemon that
//! writes faster than that fills its pipe and waits, which is the only back-pressure there is (actix has none).
//!
//! When the daemon has exited, `Drain` reads what the pipe holds at that moment and no more, so that an escaped
//! grandchild that writes on cannot delay anybody. What it writes later is still read, and recorded as *late*.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message};
use actix::{Recipient, WrapFuture};
use bytes::Bytes;
use regex::Regex;
use tokio::sync::{Notify, oneshot};

use super::event_bus::{EventBus, Output, Overlong, Publish};
use super::latch::{PanicGuard, PanicLatch};
use crate::daemon::{DaemonName, Incarnation};
use crate::event::decode::{Batch, Envelope, Names, Piece, Splitter};
use crate::host::pipe::{PipeReader, ReadOutcome};
use crate::host::tail::FileTail;

/// Where the bytes come from.
#[derive(Debug)]
pub(crate) enum Source {
    Pipe(PipeReader),
    File(FileTail),
}

impl Source {
    async fn readable(&self) -> std::io::Result<()> {
        match self {
            Self::Pipe(pipe) => pipe.readable().await,
            Self::File(file) => file.readable().await,
        }
    }

    fn try_read(&mut self, buffer: &mut bytes::BytesMut) -> std::io::Result<ReadOutcome> {
        match self {
            Self::Pipe(pipe) => pipe.try_read(buffer),
            Self::File(file) => file.try_read(buffer),
        }
    }

    fn available(&self) -> usize {
        match self {
            Self::Pipe(pipe) => pipe.available(),
            Self::File(file) => file.available(),
        }
    }

    /// The incarnation has ended: from now on its end is the end.
    fn release_writer(&mut self) {
        match self {
            Self::Pipe(pipe) => pipe.release_writer(),
            Self::File(file) => file.release_writer(),
        }
    }
}

/// What the lines are.
#[derive(Debug)]
pub(crate) enum Role {
    /// Events. Lines that are none also count as output where `output` says so (events on standard output).
    Events { envelope: Envelope, output: bool },
    /// Text for people.
    Output,
}

/// Tells the daemon's actor, once, that a line matches.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) line: Regex,
    pub(crate) tell: Recipient<LineSeen>,
    pub(crate) what: Seen,
}

/// What a watched line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Ready,
    AddressInUse,
}

/// A watched line was seen.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LineSeen {
    pub(crate) incarnation: Incarnation,
    pub(crate) what: Seen,
}

#[derive(Debug)]
pub(crate) struct EventPipe {
    daemon: DaemonName,
    incarnation: Incarnation,
    /// With the future that waits for it to be readable while there is one.
    source: Option<Source>,
    /// Calls that future back early.
    called_back: Arc<Notify>,
    role: Role,
    watches: Vec<Watch>,
    bus: Addr<EventBus>,
    splitter: Splitter,
    names: Names,
    /// Cut from what was read, not yet sent.
    pieces: VecDeque<Piece>,
    /// Bytes so far of the line over the cap that is passing through.
    overlong: u64,
    /// A batch is with the bus.
    in_flight: bool,
    draining: Option<Draining>,
    /// Drains asked for while one was under way.
    queued: VecDeque<Drain>,
    /// The incarnation has ended and its pipe was drained.
    late: bool,
    closed: bool,
    _guard: PanicGuard,
}

#[derive(Debug)]
struct Draining {
    /// Bytes that were in the pipe when the drain began and have not been read.
    left: Option<usize>,
    last: bool,
    reply: oneshot::Sender<()>,
}

impl EventPipe {
    pub(crate) fn new(
        daemon: DaemonName,
        incarnation: Incarnation,
        source: Source,
        role: Role,
        bus: Addr<EventBus>,
        latch: &PanicLatch,
    ) -> Self {
        Self {
            daemon,
            incarnation,
            source: Some(source),
            called_back: Arc::default(),
            role,
            watches: Vec::new(),
            bus,
            splitter: Splitter::default(),
            names: Names::default(),
            pieces: VecDeque::new(),
            overlong: 0,
            in_flight: false,
            draining: None,
            queued: VecDeque::new(),
            late: false,
            closed: false,
            _guard: latch.guard("EventPipe"),
        }
    }

    pub(crate) fn watching(mut self, watches: Vec<Watch>) -> Self {
        self.watches = watches;
        self
    }

    fn await_readable(&mut self, ctx: &mut Context<Self>) {
        if self.closed {
            return;
        }
        let Some(source) = self.source.take() else {
            return;
        };
        let called_back = Arc::clone(&self.called_back);
        let readable = async move {
            let ready = tokio::select! {
                biased;
                () = called_back.notified() => Ok(()),
                ready = source.readable() => ready,
            };
            (source, ready)
        };
        ctx.spawn(readable.into_actor(self).map(|(source, ready), pipe, ctx| {
            pipe.source = Some(source);
            match ready {
                Ok(()) => pipe.read(ctx),
                Err(error) => pipe.give_up(&error, ctx),
            }
        }));
    }

    /// Reads once and sends what that completes, unless a batch is still with the bus.
    fn read(&mut self, ctx: &mut Context<Self>) {
        if self.in_flight {
            return;
        }
        if self.closed {
            if self.draining.is_some() {
                self.finish_drain(ctx);
            }
            return;
        }
        let Some(source) = &mut self.source else {
            return;
        };
        if let Some(draining) = &mut self.draining
            && *draining.left.get_or_insert_with(|| source.available()) == 0
        {
            self.finish_drain(ctx);
            return;
        }
        match source.try_read(self.splitter.buffer()) {
            Ok(ReadOutcome::Read(read)) => {
                if let Some(Draining { left: Some(left), .. }) = &mut self.draining {
                    *left = left.saturating_sub(read);
                }
                self.pieces.extend(std::iter::from_fn(|| self.splitter.next_piece()));
                self.send_next(ctx);
            }
            Ok(ReadOutcome::WouldBlock) if self.draining.is_some() => self.finish_drain(ctx),
            Ok(ReadOutcome::WouldBlock) => self.await_readable(ctx),
            Ok(ReadOutcome::Closed) => self.close(ctx),
            Err(error) => self.give_up(&error, ctx),
        }
    }

    /// Sends the next piece; when there is none, reads on.
    fn send_next(&mut self, ctx: &mut Context<Self>) {
        let Some(piece) = self.pieces.pop_front() else {
            if self.draining.is_some() {
                self.read(ctx);
            } else if self.closed && self.late {
                ctx.stop();
            } else {
                self.await_readable(ctx);
            }
            return;
        };
        self.look_for_watched(&piece);
        match piece {
            Piece::Lines(bytes) => self.send_lines(bytes, ctx),
            Piece::Unterminated(bytes) => self.send_unterminated(bytes, ctx),
            Piece::Overlong { bytes, last } => self.send_overlong(bytes, last, ctx),
        }
    }

    fn send_lines(&mut self, bytes: Bytes, ctx: &mut Context<Self>) {
        match &self.role {
            Role::Events { envelope, output } => {
                let batch = Batch::decode(bytes, envelope, &mut self.names);
                if *output {
                    self.pass_on_text(&batch);
                }
                self.publish(batch, ctx);
            }
            Role::Output => self.send_output(bytes, ctx),
        }
    }

    fn send_unterminated(&mut self, bytes: Bytes, ctx: &mut Context<Self>) {
        match &self.role {
            Role::Events { envelope, output } => {
                let batch = Batch::decode_unterminated(bytes, envelope, &mut self.names);
                if *output {
                    self.pass_on_text(&batch);
                }
                self.publish(batch, ctx);
            }
            Role::Output => self.send_output(bytes, ctx),
        }
    }

    fn publish(&mut self, batch: Batch, ctx: &mut Context<Self>) {
        let (daemon, incarnation, late) = (self.daemon.clone(), self.incarnation, self.late);
        self.send(Publish { daemon, incarnation, batch, late }, ctx);
    }

    fn send_output(&mut self, bytes: Bytes, ctx: &mut Context<Self>) {
        self.send(Output { daemon: self.daemon.clone(), bytes }, ctx);
    }

    fn send_overlong(&mut self, bytes: Bytes, last: bool, ctx: &mut Context<Self>) {
        if matches!(self.role, Role::Output) {
            self.send_output(bytes, ctx);
            return;
        }
        self.overlong += bytes.len() as u64;
        let length = if last { std::mem::take(&mut self.overlong) } else { self.overlong };
        let (daemon, incarnation) = (self.daemon.clone(), self.incarnation);
        self.send(Overlong { daemon, incarnation, bytes, last, length }, ctx);
    }

    /// Lines on standard output that are no events are what a person would read there.
    fn pass_on_text(&self, batch: &Batch) {
        for record in batch.records.iter().filter(|record| record.content.is_err()) {
            let end = (record.line.end + 1).min(batch.bytes.len());
            let bytes = batch.bytes.slice(record.line.start..end);
            self.bus.do_send(Output { daemon: self.daemon.clone(), bytes });
        }
    }

    /// Sends one message and goes on when the bus has handled it.
    fn send<M>(&mut self, message: M, ctx: &mut Context<Self>)
    where
        M: Message<Result = ()> + Send + 'static,
        EventBus: Handler<M>,
    {
        self.in_flight = true;
        ctx.spawn(self.bus.send(message).into_actor(self).map(|taken, pipe, ctx| {
            pipe.in_flight = false;
            match taken {
                Ok(()) => pipe.send_next(ctx),
                // The bus is gone: the harness is going down, and so are we.
                Err(_) => ctx.stop(),
            }
        }));
    }

    fn look_for_watched(&mut self, piece: &Piece) {
        if self.watches.is_empty() {
            return;
        }
        let (Piece::Lines(bytes) | Piece::Unterminated(bytes)) = piece else {
            return;
        };
        let text = String::from_utf8_lossy(bytes);
        let incarnation = self.incarnation;
        self.watches.retain(|watch| {
            let seen = text.lines().any(|line| watch.line.is_match(line));
            if seen {
                watch.tell.do_send(LineSeen { incarnation, what: watch.what });
            }
            !seen
        });
    }

    /// All that was in the pipe has been sent and taken. Half a line will not get its other half any more.
    fn finish_drain(&mut self, ctx: &mut Context<Self>) {
        let is_last = self.draining.as_ref().is_none_or(|draining| draining.last);
        if is_last && let Some(rest) = self.splitter.finish() {
            self.pieces.push_back(rest);
            self.send_next(ctx);
            return;
        }
        if let Some(draining) = self.draining.take() {
            if draining.last {
                self.late = true;
                if let Some(source) = &mut self.source {
                    source.release_writer();
                }
            }
            // The daemon's actor may have been stopped meanwhile.
            let _ = draining.reply.send(());
        }
        if let Some(next) = self.queued.pop_front() {
            self.begin_drain(next, ctx);
            return;
        }
        if !self.closed {
            self.await_readable(ctx);
        } else if self.late {
            ctx.stop();
        }
    }

    fn begin_drain(&mut self, drain: Drain, ctx: &mut Context<Self>) {
        self.draining = Some(Draining { left: None, last: drain.last, reply: drain.reply });
        if self.closed {
            self.finish_drain(ctx);
        } else if self.source.is_none() {
            self.called_back.notify_one();
        } else {
            self.read(ctx);
        }
    }

    /// Nobody is left who could write.
    fn close(&mut self, ctx: &mut Context<Self>) {
        self.closed = true;
        if self.draining.is_some() || self.late {
            self.finish_drain(ctx);
        }
    }

    fn give_up(&mut self, error: &std::io::Error, ctx: &mut Context<Self>) {
        tracing::error!(daemon = %self.daemon, incarnation = %self.incarnation, %error, "a pipe cannot be read");
        self.close(ctx);
    }
}

impl Actor for EventPipe {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.await_readable(ctx);
    }
}

/// Reads what is there now, then answers.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain {
    /// The incarnation has exited: half a line gets no other half any more, and what comes later is late.
    pub(crate) last: bool,
    pub(crate) reply: oneshot::Sender<()>,
}

impl Handler<Drain> for EventPipe {
    type Result = ();

    fn handle(&mut self, drain: Drain, ctx: &mut Context<Self>) {
        if self.draining.is_some() {
            self.queued.push_back(drain);
        } else {
            self.begin_drain(drain, ctx);
        }
    }
}

/// Stops reading, whatever is still to come.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Stop;

impl Handler<Stop> for EventPipe {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// What a source holds that has not been taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Its lines are events.
    pub is_events: bool,
    /// Bytes in it that have not been read.
    pub bytes: u64,
    /// Lines that were read are still being recorded.
    pub is_busy: bool,
}

/// Asks how much is still to be read.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Gauge {
    pub(crate) reply: oneshot::Sender<Backlog>,
}

impl Handler<Gauge> for EventPipe {
    type Result = ();

    fn handle(&mut self, gauge: Gauge, _: &mut Context<Self>) {
        // Without its source it waits for the first byte to come: there is none.
        let unread = self.source.as_ref().map_or(0, Source::available);
        let backlog = Backlog {
            is_events: matches!(self.role, Role::Events { .. }),
            bytes: unread as u64,
            is_busy: self.in_flight,
        };
        // Who asked may have gone on.
        let _ = gauge.reply.send(backlog);
    }
}
