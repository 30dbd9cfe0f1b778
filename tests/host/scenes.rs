//! Runners that tests kill. Each starts some daemons, says `ready`, and then waits to be killed or interrupted.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

use tribunal::host::descendants;
use tribunal::host::front::{self, Role};
use tribunal::host::guardian::Guardian;
use tribunal::host::interrupts::{Asked, FrontLink, Interrupt, Interrupts};
use tribunal::host::marker::{self, RunId};
use tribunal::host::pipe::PipeBudget;
use tribunal::host::process::{Input, Output, Process, Surroundings, spawn};
use tribunal::host::sweep::sweep;
use tribunal::host::tempdir::TempDir;

use crate::support::{eventually, fake};

const SCENE: &str = "HOST_TEST_SCENE";
const DIRECTORY: &str = "HOST_TEST_DIRECTORY";

/// A runner in a group of its own, as a shell with job control makes it.
pub fn start(scene: &str, directory: &Path) -> Child {
    let mut command = Command::new(env::current_exe().expect("this program has a file"));
    command.env(SCENE, scene).env(DIRECTORY, directory).process_group(0);
    command.spawn().expect("this program can be run")
}

/// A runner whose parent ignored SIGCHLD, which is inherited.
pub fn start_ignoring_children(scene: &str, directory: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' CHLD; exec \"$0\""]);
    command.arg(env::current_exe().expect("this program has a file"));
    command.env(SCENE, scene).env(DIRECTORY, directory);
    command.spawn().expect("there is a shell")
}

/// The files in which the processes of a scene have written their ids; `ready` is there when all the others are.
pub const PROCESSES: [&str; 6] = ["worker", "guardian", "daemon", "in-group", "setsid", "cleared"];

/// Plays the scene that the environment asks for, if it does.
pub fn play() -> Option<ExitCode> {
    let scene = env::var(SCENE).ok()?;
    let directory = PathBuf::from(env::var_os(DIRECTORY)?);
    let link = match scene.as_str() {
        // A test that uses the library: nobody stands over it.
        "library" | "one-daemon" => None,
        _ => match Role::take().expect("a front or a worker") {
            Role::Front => return Some(front::run(env::args_os()).expect("a worker").into()),
            Role::Worker(link) => Some(link),
        },
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = runtime.expect("a runtime").block_on(work(&scene, &directory, link));
    Some(code.into())
}

async fn work(scene: &str, directory: &Path, link: Option<FrontLink>) -> u8 {
    let mut interrupts = Interrupts::listen(link).expect("signals");
    let run = RunId::generate();
    let dir = TempDir::create_in(directory, &run).expect("the directory is the test's");
    let guardian = Guardian::start(&run, dir.path()).expect("a guardian");
    if scene == "one-daemon" {
        let status = spawned(&["exit", "3"], &run, &guardian).exited().await;
        return status.code().and_then(|code| code.try_into().ok()).unwrap_or(u8::MAX);
    }
    write(directory, "worker", std::process::id());
    write(directory, "guardian", guardian.pid());
    let daemons = daemons(scene, directory, &run, &guardian);
    for file in PROCESSES {
        let there = || directory.join(file).exists() || !is_expected(scene, file);
        eventually(file, || there().then_some(())).await;
    }
    write(directory, "ready", dir.path().display());
    if scene == "code" {
        shut_down(daemons, &run, guardian).await;
        return 7;
    }
    loop {
        let Asked::End(interrupt) = interrupts.next().await else {
            write(directory, "asked", "");
            continue;
        };
        write(directory, "heard", format!("{interrupt:?}"));
        // One that is stuck does not even listen to this.
        if scene != "stuck" || interrupt == Interrupt::FrontLost {
            shut_down(daemons, &run, guardian).await;
            return 130;
        }
    }
}

/// What only a subreaper can find has no place in a scene without a front.
pub fn is_expected(scene: &str, file: &str) -> bool {
    scene != "library" || file != "cleared"
}

fn daemons(scene: &str, directory: &Path, run: &RunId, guardian: &Guardian) -> Vec<Process> {
    let live_as = |file: &str| format!("pid-file {} forever", directory.join(file).display());
    let (in_group, setsid, cleared) = (live_as("in-group"), live_as("setsid"), live_as("cleared"));
    let daemon = directory.join("daemon").display().to_string();
    let mut verbs = vec!["grandchild", "plain", &in_group, "grandchild", "setsid", &setsid];
    verbs.extend(["ignore-term", "pid-file", &daemon, "forever"]);
    // Its parent has ended, its environment and its group tell nothing.
    let orphan = ["grandchild", "setsid,clearenv", &cleared];
    let mut daemons = vec![spawned(&verbs, run, guardian)];
    if is_expected(scene, "cleared") {
        daemons.push(spawned(&orphan, run, guardian));
    }
    daemons
}

fn spawned(verbs: &[&str], run: &RunId, guardian: &Guardian) -> Process {
    let mut command = fake(verbs);
    command.env.insert(marker::VARIABLE.into(), run.as_str().into());
    let around = Surroundings {
        output: Output::Piped,
        input: Input::Nothing,
        budget: &PipeBudget::default(),
        guardian: Some(guardian),
    };
    spawn(&command, around).expect("the fake daemon can be spawned").process
}

async fn shut_down(daemons: Vec<Process>, run: &RunId, guardian: Guardian) {
    drop(daemons);
    sweep(run, &[]);
    guardian.finish().await;
    descendants::kill_all(&[]);
}

fn write(directory: &Path, file: &str, text: impl ToString) {
    let unfinished = directory.join(format!("{file}.unfinished"));
    fs::write(&unfinished, text.to_string()).expect("the directory is the test's");
    fs::rename(unfinished, directory.join(file)).expect("the directory is the test's");
}
