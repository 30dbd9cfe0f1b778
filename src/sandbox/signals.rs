//! SIGINT and SIGTERM as Octez programs answer them (`lwt-exit`): clean up and exit with 127; a second signal a second
//! later or more ends the program at once with 255. Other signals have their usual effect.

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::console::err;

/// Exit code of a program that a signal ended in good order.
pub const EXIT_SIGNALLED: u8 = 127;
/// Exit code of a program that was told twice.
pub const EXIT_FORCED: u8 = 255;

/// For so long, a repeated signal is taken for the same one.
const FORCE_AFTER: Duration = Duration::from_secs(1);

/// How many times a program is wrapped in `lwt-exit`: each wrapper hears the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrappers {
    One,
    /// The accuser: its agnostic part wraps what is wrapped already.
    Two,
}

/// Runs `main` on a runtime of its own and gives its exit code, or the code of a signal.
///
/// At a signal `clean_up` begins, and `main` goes on beside it, so that an event half-written to a full pipe is not cut off;
/// what `main` then returns no longer counts. `exe` is how the program calls itself on stderr.
pub fn supervise(
    exe: &str,
    wrappers: Wrappers,
    main: impl Future<Output = u8>,
    clean_up: impl AsyncFnOnce(),
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return uncaught(exe, &error),
    };
    let code = runtime.block_on(run(exe, wrappers, main, clean_up));
    // A thread may still be waiting for the reader of a FIFO; nothing is lost with it.
    runtime.shutdown_background();
    match code {
        Ok(code) => code.into(),
        Err(error) => uncaught(exe, &error),
    }
}

/// 126 is the code of an exception that nobody caught.
fn uncaught(exe: &str, error: &io::Error) -> ExitCode {
    err(&format!("({exe}) {error}"));
    ExitCode::from(126)
}

async fn run(
    exe: &str,
    wrappers: Wrappers,
    main: impl Future<Output = u8>,
    clean_up: impl AsyncFnOnce(),
) -> io::Result<u8> {
    let mut signals =
        Signals { int: signal(SignalKind::interrupt())?, term: signal(SignalKind::terminate())? };
    let mut main = pin!(main);
    let name = tokio::select! {
        biased;
        name = signals.next() => name,
        code = &mut main => return Ok(code),
    };
    err(&format!("({exe}) {name}: triggering shutdown."));
    if wrappers == Wrappers::Two {
        err(&format!("({exe}) {name}: already in shutdown."));
    }
    let patience = Instant::now() + FORCE_AFTER;
    let mut cleaning = pin!(clean_up());
    let (mut main_ended, mut hinted) = (false, false);
    loop {
        tokio::select! {
            () = &mut cleaning => return Ok(EXIT_SIGNALLED),
            _ = &mut main, if !main_ended => main_ended = true,
            name = signals.next() => {
                if Instant::now() >= patience {
                    return Ok(EXIT_FORCED);
                }
                err(&format!("({exe}) {name}: already in shutdown."));
            }
            () = sleep_until(patience), if !hinted => {
                hinted = true;
                err(&format!("({exe}) send signal again to force-quit."));
            }
        }
    }
}

struct Signals {
    int: Signal,
    term: Signal,
}

impl Signals {
    /// The name of the next one, as the messages have it.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.int.recv() => "INT",
            _ = self.term.recv() => "TERM",
        }
    }
}
