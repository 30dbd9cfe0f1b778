use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};

use libtest_mimic::Trial;
use rustix::process::{Pid as RawPid, Signal, kill_process, kill_process_group};

use crate::scenes::{self, PROCESSES};
use crate::support::{Life, Run, eventually, trials};

pub fn trials() -> Vec<Trial> {
    trials![
        the_front_passes_the_exit_code_on,
        a_killed_worker_leaves_nothing_and_is_reported,
        a_killed_front_leaves_nothing,
        a_front_and_a_worker_killed_at_once_leave_what_the_guardian_kills,
        a_daemon_knows_nothing_of_the_front,
        without_a_front_signals_are_heard_directly,
        the_first_ctrl_c_ends_gracefully,
        sigterm_and_sighup_end_gracefully_too,
        a_worker_that_is_stuck_ends_with_the_second_ctrl_c,
    ]
}

/// A scene that has said that it is ready, with all of its processes.
struct Scene {
    front: Child,
    lives: Vec<Life>,
    temp_dir: PathBuf,
}

impl Scene {
    async fn start(run: &Run, scene: &str) -> Self {
        let front = scenes::start(scene, run.dir.path());
        let ready = || std::fs::read_to_string(run.path("ready")).ok();
        let temp_dir = PathBuf::from(eventually("the scene is ready", ready).await);
        let mut lives = Vec::new();
        for file in PROCESSES {
            lives.push(run.life(file).await);
        }
        Self { front, lives, temp_dir }
    }

    fn front(&self) -> RawPid {
        RawPid::from_child(&self.front)
    }

    fn worker(&self) -> RawPid {
        RawPid::from_raw(self.lives[0].pid).expect("a process id")
    }

    /// As a terminal does it: to everybody in the foreground.
    fn press_ctrl_c(&self) {
        kill_process_group(self.front(), Signal::INT).expect("the front lives");
    }

    async fn ended(&mut self) -> ExitStatus {
        eventually("the front has ended", || self.front.try_wait().expect("it is our child")).await
    }

    async fn nothing_is_left(&self) {
        for life in &self.lives {
            life.over().await;
        }
        eventually("the directory is gone", || (!self.temp_dir.exists()).then_some(())).await;
    }
}

impl Drop for Scene {
    /// Of a test that has failed, nothing must stay either.
    fn drop(&mut self) {
        if let Ok(None) = self.front.try_wait() {
            let _ = kill_process_group(self.front(), Signal::KILL);
            let _ = self.front.wait();
        }
        self.lives.iter().for_each(Life::end);
    }
}

async fn the_front_passes_the_exit_code_on() {
    let run = Run::new();
    let mut front = scenes::start("code", run.dir.path());
    let status = eventually("it has ended", || front.try_wait().expect("it is our child")).await;
    assert_eq!(status.code(), Some(7));
}

async fn a_killed_worker_leaves_nothing_and_is_reported() {
    let run = Run::new();
    let mut scene = Scene::start(&run, "plain").await;
    kill_process(scene.worker(), Signal::KILL).expect("the worker lives");
    assert_eq!(scene.ended().await.code(), Some(70));
    // Not only in the end: when the front has ended everything has.
    assert!(scene.lives.iter().all(Life::is_over));
    assert!(!scene.temp_dir.exists());
}

async fn a_killed_front_leaves_nothing() {
    let run = Run::new();
    let mut scene = Scene::start(&run, "plain").await;
    kill_process(scene.front(), Signal::KILL).expect("the front lives");
    assert_eq!(scene.ended().await.signal(), Some(9));
    scene.nothing_is_left().await;
    let heard = std::fs::read_to_string(run.path("heard")).expect("the worker has heard");
    assert_eq!(heard, "FrontLost");
}

async fn a_front_and_a_worker_killed_at_once_leave_what_the_guardian_kills() {
    let run = Run::new();
    let mut scene = Scene::start(&run, "plain").await;
    kill_process_group(scene.front(), Signal::KILL).expect("they live");
    scene.ended().await;
    // Nobody is left who could find this one: it has no marker, no group and no parent of ours.
    let unmarked = scene.lives.pop().expect("there are some");
    scene.nothing_is_left().await;
    unmarked.end();
    unmarked.over().await;
}

async fn the_first_ctrl_c_ends_gracefully() {
    let run = Run::new();
    let mut scene = Scene::start(&run, "plain").await;
    scene.press_ctrl_c();
    assert_eq!(scene.ended().await.code(), Some(130));
    assert!(scene.lives.iter().all(Life::is_over));
    let heard = std::fs::read_to_string(run.path("heard")).expect("the worker has heard");
    assert_eq!(heard, "Graceful");
}

async fn sigterm_and_sighup_end_gracefully_too() {
    for signal in [Signal::TERM, Signal::HUP] {
        let run = Run::new();
        let mut scene = Scene::start(&run, "plain").await;
        kill_process(scene.front(), signal).expect("the front lives");
        assert_eq!(scene.ended().await.code(), Some(130));
        assert!(scene.lives.iter().all(Life::is_over));
    }
}

async fn a_worker_that_is_stuck_ends_with_the_second_ctrl_c() {
    let run = Run::new();
    let mut scene = Scene::start(&run, "stuck").await;
    scene.press_ctrl_c();
    let heard = |what: &str| {
        let file = std::fs::read_to_string(run.path("heard")).unwrap_or_default();
        (file == what).then_some(())
    };
    eventually("the worker hears the first", || heard("Graceful")).await;
    scene.press_ctrl_c();
    eventually("the worker hears the second", || heard("Now")).await;
    assert_eq!(scene.ended().await.code(), Some(130));
    assert!(scene.lives.iter().all(Life::is_over));
    assert!(!scene.temp_dir.exists());
}

async fn a_daemon_knows_nothing_of_the_front() {
    let run = Run::new();
    let mut scene = Scene::start(&run, "plain").await;
    let daemon = run.life("daemon").await.pid;
    let environ = std::fs::read(format!("/proc/{daemon}/environ")).expect("it lives");
    assert!(!String::from_utf8_lossy(&environ).contains("TRIBUNAL_FRONT_FD"));
    // What we were given by our own parent goes down to everybody; the control pipe must not.
    let (ours, theirs) = (descriptors(std::process::id()), descriptors(daemon));
    let control: Vec<_> =
        descriptors(scene.front.id()).into_iter().filter(|open| !ours.contains(open)).collect();
    assert!(control.iter().any(|open| open.starts_with("pipe:")), "the front has one");
    assert!(theirs.iter().all(|open| !control.contains(open)), "{theirs:?} of {control:?}");
    scene.press_ctrl_c();
    scene.ended().await;
}

fn descriptors(pid: impl std::fmt::Display) -> Vec<String> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives");
    let target = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_link(entry.ok()?.path()).ok()?.into_os_string().into_string().ok()
    };
    // Many have this one open, each for itself.
    open.filter_map(target).filter(|open| open != "/dev/null").collect()
}

async fn without_a_front_signals_are_heard_directly() {
    let run = Run::new();
    let mut runner = scenes::start("library", run.dir.path());
    eventually("the scene is ready", || run.path("ready").exists().then_some(())).await;
    kill_process(RawPid::from_child(&runner), Signal::TERM).expect("it lives");
    let ended = || runner.try_wait().expect("it is our child");
    assert_eq!(eventually("it has ended", ended).await.code(), Some(130));
    let heard = std::fs::read_to_string(run.path("heard")).expect("it has heard");
    assert_eq!(heard, "Graceful");
}
