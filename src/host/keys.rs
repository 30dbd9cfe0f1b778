//! Keys that are pressed while a run goes on, without taking the terminal away from anybody.
//!
//! The terminal is set to hand out keys one by one and not to show them; what Ctrl-C and Ctrl-Z do stays as it was. It is
//! put back at the end, also by [`Keys`]' drop. Nothing is read and nothing is set unless standard input and standard
//! error are the terminal of which this process group is the foreground: a job in the background that did would be
//! stopped by SIGTTIN or SIGTTOU (termios(3), setpgid(2)).

use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::sys::signal::{SigSet, Signal};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use rustix::termios::{tcgetattr, tcgetpgrp, tcsetattr};
use tokio::sync::mpsc;

/// Asks for the state of the run.
const STATE: u8 = b't';

/// The keys of the terminal, if there is one.
#[derive(Debug)]
pub(super) struct Keys(Option<Listening>);

#[derive(Debug)]
struct Listening {
    /// How the terminal was.
    before: Termios,
    pressed: mpsc::UnboundedReceiver<u8>,
    resumed: Sender<()>,
}

impl Keys {
    /// Listens from now on, if there is somebody to listen to.
    pub(super) fn listen() -> Self {
        Self(Listening::begin().ok().flatten())
    }

    /// Returns when the state of the run is asked for; never, if there is no terminal.
    pub(super) async fn asked(&mut self) {
        let Some(listening) = &mut self.0 else { return std::future::pending().await };
        loop {
            match listening.pressed.recv().await {
                Some(STATE) => return,
                Some(_) => {}
                None => return std::future::pending().await,
            }
        }
    }

    /// This process was stopped and goes on: whoever had the terminal meanwhile may have set it otherwise.
    pub(super) fn resume(&self) {
        if let Some(listening) = &self.0
            && is_foreground()
            && one_by_one(&listening.before).is_ok()
        {
            // The reader that does not wait has ended, and with it all this.
            let _ = listening.resumed.send(());
        }
    }
}

impl Listening {
    fn begin() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() || !is_foreground() {
            return Ok(None);
        }
        let before = tcgetattr(io::stdin())?;
        let (sender, pressed) = mpsc::unbounded_channel();
        let (resumed, resumptions) = channel();
        one_by_one(&before)?;
        // From here on, its drop puts the terminal back.
        let listening = Self { before, pressed, resumed };
        thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read_keys(&sender, &resumptions))?;
        Ok(Some(listening))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if is_foreground() {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
    }
}

fn is_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
}

fn one_by_one(before: &Termios) -> io::Result<()> {
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    Ok(tcsetattr(io::stdin(), OptionalActions::Now, &modes)?)
}

/// Reads until the terminal is gone. Its thread ends with the process.
fn read_keys(pressed: &mpsc::UnboundedSender<u8>, resumptions: &Receiver<()>) {
    // To a thread that blocks it, a read from the background is an error instead of a signal to all of the group.
    let mut background = SigSet::empty();
    background.add(Signal::SIGTTIN);
    if background.thread_block().is_err() {
        return;
    }
    let mut key = [0];
    loop {
        match rustix::io::read(io::stdin(), &mut key) {
            Ok(1) if pressed.send(key[0]).is_ok() => {}
            Err(rustix::io::Errno::INTR) => {}
            // In the background. Once it is in front again, it is told.
            Err(rustix::io::Errno::IO) if resumptions.recv().is_ok() => {}
            _ => return,
        }
    }
}

/// For whoever is left over when the process that has set the terminal is killed: keys are shown and lines are read again.
pub(super) fn restore() {
    if !io::stdin().is_terminal() || !is_foreground() {
        return;
    }
    if let Ok(mut modes) = tcgetattr(io::stdin()) {
        modes.local_modes.insert(LocalModes::ICANON | LocalModes::ECHO);
        // As above.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
}
