use std::path::PathBuf;

use libtest_mimic::Trial;
use tribunal::host::marker::RunId;
use tribunal::host::procfs;
use tribunal::host::sweep::sweep;
use tribunal::host::tempdir::{TempDir, TempDirError};

use crate::scenes::{self, PROCESSES, is_expected};
use crate::support::{Life, Run, eventually, trials};

pub fn trials() -> Vec<Trial> {
    trials![
        the_sweep_finds_what_left_its_group_and_nothing_else,
        the_sweep_spares_whom_it_is_told_to,
        the_guardian_kills_everything_when_the_harness_is_killed,
        the_guardian_ends_quietly_when_told_so,
        a_dropped_guardian_cleans_up,
        the_guardian_forgets_groups_that_are_gone,
        the_guardian_holds_nothing_of_ours,
        a_temporary_directory_is_ours_alone_and_goes_with_its_content,
    ]
}

async fn the_sweep_finds_what_left_its_group_and_nothing_else() {
    let (run, other_run) = (Run::new(), Run::new());
    let verbs = format!("pid-file {} forever", run.path("escaped").display());
    let process = run.spawn(&["grandchild", "setsid", &verbs, "exit", "0"]).process;
    process.exited().await;
    let escaped = run.life("escaped").await;
    let other = other_run.spawn(&["forever"]).process;
    process.reap();
    assert!(!escaped.is_over(), "it is in a group of its own");
    let leaks = sweep(&run.id, &[]);
    let pids: Vec<_> = leaks.iter().map(|leak| (leak.pid, leak.comm.as_str())).collect();
    assert_eq!(pids, [(escaped.pid, "fake-daemon")]);
    escaped.over().await;
    assert_eq!(sweep(&run.id, &[]), []);
    assert_eq!(other.status(), None, "another run's daemon lives on");
}

async fn the_sweep_spares_whom_it_is_told_to() {
    let run = Run::new();
    let spawn = |name: &str| {
        run.spawn(&["pid-file", run.path(name).to_str().expect("plain"), "forever"]).process
    };
    let (one, other) = (spawn("one"), spawn("other"));
    run.life("one").await;
    run.life("other").await;
    let leaks = sweep(&run.id, &[one.pid()]);
    assert_eq!(leaks.len(), 1);
    other.exited().await;
    assert_eq!(one.status(), None);
}

async fn the_guardian_kills_everything_when_the_harness_is_killed() {
    let run = Run::new();
    let mut harness = scenes::start("library", run.dir.path());
    let ready = eventually("the scene is ready", || read(&run, "ready")).await;
    let mut lives = Vec::new();
    for file in PROCESSES.into_iter().filter(|file| is_expected("library", file)) {
        lives.push(run.life(file).await);
    }
    harness.kill().expect("it lives");
    harness.wait().expect("it is our child");
    for life in &lives {
        life.over().await;
    }
    assert!(!PathBuf::from(ready).exists(), "the guardian removes the directory");
}

fn read(run: &Run, file: &str) -> Option<String> {
    std::fs::read_to_string(run.path(file)).ok()
}

async fn the_guardian_ends_quietly_when_told_so() {
    let mut run = Run::new();
    let guardian = run.guardian.take().expect("it has one");
    let life = Life::of(guardian.pid());
    let process = run.spawn(&["forever"]).process;
    let _registered = guardian.register(process.pid());
    guardian.finish().await;
    assert!(life.is_over());
    assert!(procfs::stat(life.pid).is_none_or(|stat| stat.state != 'Z'), "it is no zombie");
    assert_eq!(process.status(), None, "whoever is alive has not been touched");
    assert!(run.dir.path().exists());
}

async fn a_dropped_guardian_cleans_up() {
    let mut run = Run::new();
    let verbs = format!("pid-file {} forever", run.path("escaped").display());
    let process = run.spawn(&["grandchild", "setsid", &verbs, "forever"]).process;
    let escaped = run.life("escaped").await;
    run.guardian = None;
    process.exited().await;
    escaped.over().await;
    assert!(!run.dir.path().exists());
}

async fn the_guardian_forgets_groups_that_are_gone() {
    let mut run = Run::new();
    let guardian = run.guardian.take().expect("it has one");
    // Spawned without the marker and the guardian's knowledge: nothing but their registration could give them away.
    let mut command = run.fake(&["forever"]);
    command.env.clear();
    let spawn = || run.try_spawn(&command).expect("it can be spawned").process;
    let (first, spared, last) = (spawn(), spawn(), spawn());
    let [_first, gone, _last] = [&first, &spared, &last].map(|p| guardian.register(p.pid()));
    drop(gone);
    drop(guardian);
    first.exited().await;
    last.exited().await;
    assert_eq!(spared.status(), None);
}

async fn the_guardian_holds_nothing_of_ours() {
    let run = Run::new();
    let guardian = run.guardian.as_ref().expect("it has one").pid();
    let is_shell = || procfs::command_line(guardian).get(3).is_some();
    eventually("the shell runs", || is_shell().then_some(())).await;
    let open = |descriptor: &str| {
        std::fs::read_link(format!("/proc/{guardian}/fd/{descriptor}")).expect("it is open")
    };
    assert_eq!(open("1"), PathBuf::from("/dev/null"));
    assert_eq!(open("2"), PathBuf::from("/dev/null"));
    // While it begins, its loader has libraries open.
    let all = || std::fs::read_dir(format!("/proc/{guardian}/fd")).expect("it lives").count();
    eventually("nothing but the standard streams", || (all() == 3).then_some(())).await;
    let cwd = std::fs::read_link(format!("/proc/{guardian}/cwd")).expect("it lives");
    assert_eq!(cwd, PathBuf::from("/"));
    assert!(!procfs::has_environment_entry(guardian, &run.id.marker()));
    let group = procfs::stat(guardian).expect("it lives").group;
    assert_eq!(group, guardian, "Ctrl-C does not reach it");
}

async fn a_temporary_directory_is_ours_alone_and_goes_with_its_content() {
    use std::os::unix::fs::PermissionsExt;
    let run = Run::new();
    let id = RunId::generate();
    let dir = TempDir::create_in(run.dir.path(), &id).expect("a directory");
    let mode = std::fs::metadata(dir.path()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let taken = TempDir::create_in(run.dir.path(), &id);
    assert!(matches!(taken, Err(TempDirError::Create { .. })), "{taken:?}");
    std::fs::write(dir.path().join("file"), "content").expect("it is ours");
    let path = dir.path().to_owned();
    dir.remove().expect("it can be removed");
    assert!(!path.exists());

    let spaced = run.path("with a space");
    std::fs::create_dir(&spaced).expect("the directory is ours");
    let refused = TempDir::create_in(&spaced, &id);
    assert!(matches!(refused, Err(TempDirError::Path(_))), "{refused:?}");
}
