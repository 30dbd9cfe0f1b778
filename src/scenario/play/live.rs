//! Passing on what daemons do, as it happens, from the harness's thread to whoever follows the play.
//!
//! Whoever follows may be slow, a terminal that nobody reads for one: then events and output are left out and counted,
//! so that neither memory grows nor a daemon waits for a reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc;

use crate::event::{Event, lifecycle_names};
use crate::harness::Harness;
use crate::scenario::job::{Listener, Progress};

/// So many bytes of events and output may wait to be passed on.
const MAX_QUEUED: usize = 4 << 20;

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Lifecycle { daemon: String, text: String },
    Event { daemon: String, name: String, payload: String },
    Output { daemon: String, line: String },
    LeftOut { count: u64 },
}

impl Heard {
    /// What it takes of the queue. Lifecycle is rare, and always passed on.
    fn size(&self) -> usize {
        match self {
            Self::Lifecycle { .. } | Self::LeftOut { .. } => 0,
            Self::Event { daemon, name, payload } => {
                size_of::<Self>() + daemon.len() + name.len() + payload.len()
            }
            Self::Output { daemon, line } => size_of::<Self>() + daemon.len() + line.len(),
        }
    }
}

/// The harness's end of the queue; cheap to clone.
#[derive(Clone, Debug)]
struct Teller {
    sender: mpsc::UnboundedSender<Heard>,
    load: Arc<Load>,
}

/// What is in the queue, and what found no room in it.
#[derive(Debug, Default)]
struct Load {
    queued: AtomicUsize,
    left_out: AtomicU64,
}

impl Teller {
    /// Called by the harness's thread alone.
    fn tell(&self, heard: Heard) {
        let size = heard.size();
        let queued = self.load.queued.load(Ordering::Relaxed);
        // One that is larger than the whole queue still has its turn when nothing else waits.
        if size > 0 && queued > 0 && queued + size > MAX_QUEUED {
            self.load.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.load.queued.fetch_add(size, Ordering::Relaxed);
        let count = self.load.left_out.swap(0, Ordering::Relaxed);
        // Nobody may listen any more; then there is nothing to pass on.
        if count > 0 {
            let _ = self.sender.send(Heard::LeftOut { count });
        }
        let _ = self.sender.send(heard);
    }
}

pub(super) struct Live {
    heard: mpsc::UnboundedReceiver<Heard>,
    load: Arc<Load>,
}

impl Live {
    fn new() -> (Teller, Self) {
        let (sender, heard) = mpsc::unbounded_channel();
        let load = Arc::<Load>::default();
        (Teller { sender, load: Arc::clone(&load) }, Self { heard, load })
    }

    /// `everything` also shows events and output; lifecycle is always shown.
    pub(super) fn attach(harness: &Harness, everything: bool) -> Self {
        let (teller, live) = Self::new();
        let lifecycle = teller.clone();
        harness.on_lifecycle(move |event| {
            let (daemon, text) = (event.daemon.to_string(), lifecycle_text(event));
            lifecycle.tell(Heard::Lifecycle { daemon, text });
        });
        if everything {
            let events = teller.clone();
            harness.on_event(move |event| {
                let (daemon, name) = (event.daemon.to_string(), event.name.to_string());
                let payload = event.value.to_string();
                events.tell(Heard::Event { daemon, name, payload });
            });
            harness.on_output(move |daemon, lines| {
                for line in String::from_utf8_lossy(lines).lines() {
                    let (daemon, line) = (daemon.to_string(), line.to_owned());
                    teller.tell(Heard::Output { daemon, line });
                }
            });
        }
        live
    }

    /// Passes on while the play goes on, and then what is still there.
    pub(super) async fn pass_on_while<T>(
        mut self,
        listener: &dyn Listener,
        play: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(play);
        let ended = loop {
            tokio::select! {
                ended = &mut play => break ended,
                Some(heard) = self.heard.recv() => self.pass_on(listener, &heard),
            }
        };
        while let Ok(heard) = self.heard.try_recv() {
            self.pass_on(listener, &heard);
        }
        let count = self.load.left_out.swap(0, Ordering::Relaxed);
        if count > 0 {
            listener.heard(Progress::LeftOut { count });
        }
        ended
    }

    fn pass_on(&self, listener: &dyn Listener, heard: &Heard) {
        self.load.queued.fetch_sub(heard.size(), Ordering::Relaxed);
        listener.heard(match heard {
            Heard::Lifecycle { daemon, text } => Progress::Lifecycle { daemon, text },
            Heard::Event { daemon, name, payload } => Progress::Event { daemon, name, payload },
            Heard::Output { daemon, line } => Progress::Output { daemon, line },
            Heard::LeftOut { count } => Progress::LeftOut { count: *count },
        });
    }
}

fn lifecycle_text(event: &Event) -> String {
    let incarnation = event.incarnation;
    match event.name.as_str() {
        lifecycle_names::SPAWNED => {
            format!("spawned as incarnation {incarnation}, pid {}", event.value["pid"])
        }
        lifecycle_names::READY => "ready".to_owned(),
        lifecycle_names::RESTARTED => format!("restarted by its policy, incarnation {incarnation}"),
        lifecycle_names::GAVE_UP => "given up: its restart budget is spent".to_owned(),
        lifecycle_names::EXITED => {
            let how = match (event.value["code"].as_i64(), event.value["signal"].as_i64()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, signal) => {
                    crate::daemon::signal_name(i32::try_from(signal.unwrap_or(0)).unwrap_or(0))
                }
            };
            format!("exited: {how}, by {}", event.value["cause"].as_str().unwrap_or("itself"))
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Default)]
    struct Collected(RefCell<Vec<String>>);

    impl Listener for Collected {
        fn heard(&self, progress: Progress<'_>) {
            self.0.borrow_mut().push(match progress {
                Progress::Output { line, .. } => format!("{} bytes", line.len()),
                other => format!("{other:?}"),
            });
        }
    }

    fn output(bytes: usize) -> Heard {
        Heard::Output { daemon: "a".to_owned(), line: "x".repeat(bytes) }
    }

    #[tokio::test]
    async fn what_finds_no_room_is_counted_where_it_would_have_stood_and_lifecycle_is_not_left_out()
    {
        let (teller, live) = Live::new();
        let collected = Collected::default();
        teller.tell(output(MAX_QUEUED - 1000));
        (0..3).for_each(|_| teller.tell(output(2000)));
        let lifecycle = Heard::Lifecycle { daemon: "a".to_owned(), text: "ready".to_owned() };
        teller.tell(lifecycle);
        (0..5).for_each(|_| teller.tell(output(2000)));
        live.pass_on_while(&collected, async {}).await;
        let expected = [
            format!("{} bytes", MAX_QUEUED - 1000),
            "LeftOut { count: 3 }".to_owned(),
            "Lifecycle { daemon: \"a\", text: \"ready\" }".to_owned(),
            "LeftOut { count: 5 }".to_owned(),
        ];
        assert_eq!(*collected.0.borrow(), expected);
    }

    #[tokio::test]
    async fn a_reader_that_keeps_up_misses_nothing_and_a_huge_line_has_its_turn() {
        let (teller, mut live) = Live::new();
        let collected = Collected::default();
        for bytes in [MAX_QUEUED * 2, 10, MAX_QUEUED - 200, 10] {
            teller.tell(output(bytes));
            let heard = live.heard.recv().await.expect("it was told");
            live.pass_on(&collected, &heard);
        }
        assert_eq!(collected.0.borrow().len(), 4);
        assert_eq!(live.load.queued.load(Ordering::Relaxed), 0);
        assert_eq!(live.load.left_out.load(Ordering::Relaxed), 0);
    }
}
