//! Passing on what daemons do, as it happens, from the harness's thread to whoever follows the play.

use tokio::sync::mpsc;

use crate::event::{Event, lifecycle_names};
use crate::harness::Harness;
use crate::scenario::job::{Listener, Progress};

enum Heard {
    Lifecycle { daemon: String, text: String },
    Event { daemon: String, name: String, payload: String },
    Output { daemon: String, line: String },
}

pub(super) struct Live {
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl Live {
    /// `everything` also shows events and output; lifecycle is always shown.
    pub(super) fn attach(harness: &Harness, everything: bool) -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        // Nobody may listen any more; then there is nothing to pass on.
        let lifecycle = sender.clone();
        harness.on_lifecycle(move |event| {
            let (daemon, text) = (event.daemon.to_string(), lifecycle_text(event));
            let _ = lifecycle.send(Heard::Lifecycle { daemon, text });
        });
        if everything {
            let events = sender.clone();
            harness.on_event(move |event| {
                let (daemon, name) = (event.daemon.to_string(), event.name.to_string());
                let payload = event.value.to_string();
                let _ = events.send(Heard::Event { daemon, name, payload });
            });
            harness.on_output(move |daemon, lines| {
                for line in String::from_utf8_lossy(lines).lines() {
                    let (daemon, line) = (daemon.to_string(), line.to_owned());
                    let _ = sender.send(Heard::Output { daemon, line });
                }
            });
        }
        Self { heard }
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
                Some(heard) = self.heard.recv() => pass_on(listener, &heard),
            }
        };
        while let Ok(heard) = self.heard.try_recv() {
            pass_on(listener, &heard);
        }
        ended
    }
}

fn pass_on(listener: &dyn Listener, heard: &Heard) {
    listener.heard(match heard {
        Heard::Lifecycle { daemon, text } => Progress::Lifecycle { daemon, text },
        Heard::Event { daemon, name, payload } => Progress::Event { daemon, name, payload },
        Heard::Output { daemon, line } => Progress::Output { daemon, line },
    });
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
