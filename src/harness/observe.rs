//! Seeing every event of a daemon, beside the waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::core::Core;
use crate::actors::event_bus::{Listen, Listener, Observe, Sink};
use crate::daemon::DaemonName;
use crate::event::Event;

/// The events of a daemon for a blocking test thread, in order. Dropping it ends the observation.
#[derive(Debug)]
pub struct EventReceiver {
    receiver: crossbeam_channel::Receiver<Event>,
    dropped: Arc<AtomicU64>,
}

impl EventReceiver {
    /// Events that came while the channel was full, and are lost to this receiver (not to the log).
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl std::ops::Deref for EventReceiver {
    type Target = crossbeam_channel::Receiver<Event>;

    fn deref(&self) -> &Self::Target {
        &self.receiver
    }
}

pub(super) fn receive(core: &Core, daemon: Option<DaemonName>, capacity: usize) -> EventReceiver {
    let (sender, receiver) = crossbeam_channel::bounded(capacity.max(1));
    let dropped = Arc::new(AtomicU64::new(0));
    let sink = Sink::Channel { sender, dropped: Arc::clone(&dropped) };
    core.bus.do_send(Observe { daemon, lifecycle: false, sink });
    EventReceiver { receiver, dropped }
}

pub(super) fn call(
    core: &Core,
    daemon: Option<DaemonName>,
    lifecycle: bool,
    mut call: impl FnMut(&Event) + Send + 'static,
) {
    let mut poisoned = false;
    let guarded = move |event: &Event| {
        if !poisoned && catch_unwind(AssertUnwindSafe(|| call(event))).is_err() {
            poisoned = true;
            tracing::error!(daemon = %event.daemon, event = %event.name, "an on_event closure panicked");
        }
    };
    core.bus.do_send(Observe { daemon, lifecycle, sink: Sink::Call(Box::new(guarded)) });
}

pub(super) fn log(core: &Core, daemon: &DaemonName, max_length: usize) {
    call(core, Some(daemon.clone()), false, move |event| {
        let text = event.value.to_string();
        let end = text.floor_char_boundary(max_length.min(text.len()));
        let more = if end < text.len() { "[...]" } else { "" };
        tracing::info!(daemon = %event.daemon, event = %event.name, "{}{more}", &text[..end]);
    });
}

impl super::Harness {
    /// Calls this with every event of every daemon from now on, in the harness's thread; it must be quick.
    pub fn on_event(&self, closure: impl FnMut(&Event) + Send + 'static) {
        call(&self.core, None, false, closure);
    }

    /// Calls this with every `tribunal.*` record of every daemon from now on, in the harness's thread; it must be quick.
    pub fn on_lifecycle(&self, closure: impl FnMut(&Event) + Send + 'static) {
        call(&self.core, None, true, closure);
    }

    /// Calls this with complete lines of every daemon's output from now on, in the harness's thread; it must be quick.
    pub fn on_output(&self, mut closure: impl FnMut(&DaemonName, &[u8]) + Send + 'static) {
        let guarded = move |daemon: &DaemonName, lines: &[u8]| {
            if catch_unwind(AssertUnwindSafe(|| closure(daemon, lines))).is_err() {
                tracing::error!(%daemon, "an on_output closure panicked");
            }
        };
        self.core.bus.do_send(Listen(Listener(Box::new(guarded))));
    }
}
