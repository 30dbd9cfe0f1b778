//! What a play is given: which file, with which seed and limits, where to record, whom to tell, when to end early.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use super::state::PlayState;

/// One play of one scenario, as the runner asks for it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The scenario's file.
    pub file: PathBuf,
    /// Which repetition, from 0. Its seed is already in `seed`.
    pub repetition: u32,
    /// Which attempt at it, from 1; more than 1 is a retry.
    pub attempt: u32,
    pub seed: u64,
    /// Set before the file's `vars`; the last of a name counts.
    pub vars: Vec<(String, String)>,
    /// Replaces the file's `timeout`; not yet scaled.
    pub timeout: Option<Duration>,
    /// Multiplies every limit (`within`, `timeout`, grace, readiness), never `for`, `sleep`, `every` or a back-off.
    pub timeout_scale: f64,
    /// Replaces the file's `strict`.
    pub strict: Option<bool>,
    pub octez: OctezSource,
    /// Exists, is empty, and is this play's own; relative to the working directory, maybe.
    pub run_dir: PathBuf,
    /// Tell the listener also of every event and line of output.
    pub live: bool,
    pub cancellation: Cancellation,
    pub inquiries: Inquiries,
}

/// Where the programs `octez-node` and so on come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OctezSource {
    /// The stand-ins in our own binary.
    Sandbox,
    /// The PATH of whoever started us.
    Path,
    Folder(PathBuf),
}

/// How soon a play is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// When it is over.
    None,
    /// Leave the steps, play `finally`, terminate what runs.
    Graceful,
    /// Kill what runs.
    Now,
}

/// Tells plays to end early; dropping it changes nothing for them.
#[derive(Debug)]
pub struct Canceller(watch::Sender<Urgency>);

impl Canceller {
    pub fn new() -> (Self, Cancellation) {
        let (sender, receiver) = watch::channel(Urgency::None);
        (Self(sender), Cancellation(receiver))
    }

    /// Asks for at least this much haste; a play that was told `Now` stays told.
    pub fn hasten(&self, urgency: Urgency) {
        self.0.send_if_modified(|current| {
            let more = urgency > *current;
            *current = urgency.max(*current);
            more
        });
    }
}

/// A play's view of the [`Canceller`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct Cancellation(watch::Receiver<Urgency>);

impl Cancellation {
    pub fn urgency(&self) -> Urgency {
        *self.0.borrow()
    }

    /// Returns when at least this much haste is asked for, at once if it already is; never, if it never will be.
    pub async fn at_least(&self, urgency: Urgency) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|current| *current >= urgency).await.is_err() {
            // Nobody is left who could cancel.
            std::future::pending::<()>().await;
        }
    }
}

/// Asks all plays what they are doing; dropping it changes nothing for them.
#[derive(Debug)]
pub struct Inquirer(watch::Sender<()>);

impl Inquirer {
    pub fn new() -> (Self, Inquiries) {
        let (sender, receiver) = watch::channel(());
        (Self(sender), Inquiries(receiver))
    }

    /// Every play that is going on tells its [`PlayState`].
    pub fn ask(&self) {
        self.0.send_replace(());
    }
}

/// A play's view of the [`Inquirer`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct Inquiries(watch::Receiver<()>);

impl Inquiries {
    /// What was asked by now was not asked of this play.
    pub fn forget(&mut self) {
        self.0.mark_unchanged();
    }

    /// Returns when somebody asks; of several questions at once, the last counts. Never, if nobody can ask any more.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What happens during a play, as it happens.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A step began; `path` is that of the result.
    Step { path: &'a str, verb: &'a str, text: &'a str },
    /// The text of a `log` step.
    Log { text: &'a str },
    /// A daemon was spawned, became ready, exited, was given up.
    Lifecycle { daemon: &'a str, text: &'a str },
    /// An event with its payload as the daemon wrote it; only of a live job.
    Event { daemon: &'a str, name: &'a str, payload: &'a str },
    /// A line of standard output or error; only of a live job.
    Output { daemon: &'a str, line: &'a str },
    /// Of those two, so many were left out: whoever follows does not keep up.
    LeftOut { count: u64 },
    /// What it is doing, because somebody asked, or because it ends by a limit or an interrupt.
    State(&'a PlayState),
}

/// Whoever follows a play. Called on the runner's thread, between two polls of the play; must not block.
pub trait Listener {
    fn heard(&self, progress: Progress<'_>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn haste_grows_and_never_shrinks() {
        let (canceller, cancellation) = Canceller::new();
        assert_eq!(cancellation.urgency(), Urgency::None);
        canceller.hasten(Urgency::Now);
        canceller.hasten(Urgency::Graceful);
        assert_eq!(cancellation.urgency(), Urgency::Now);
    }

    #[tokio::test]
    async fn a_play_that_asks_late_hears_it_all_the_same() {
        let (canceller, cancellation) = Canceller::new();
        canceller.hasten(Urgency::Graceful);
        cancellation.at_least(Urgency::Graceful).await;
        drop(canceller);
        let never = tokio::time::timeout(Duration::ZERO, cancellation.at_least(Urgency::Now));
        assert!(never.await.is_err(), "nobody asked for Now");
    }
}
