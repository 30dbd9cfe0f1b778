//! The host with real processes: what is spawned, read, signalled and cleaned up.
//!
//! This program also plays the runner that is killed in some tests: with `HOST_TEST_SCENE` set it is one of [`scenes`].

mod exec;
mod files;
mod front;
mod orphans;
mod pipes;
mod ports;
mod processes;
mod scenes;
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, run};

fn main() -> ExitCode {
    if let Some(code) = scenes::play() {
        return code;
    }
    let trials = [
        processes::trials(),
        pipes::trials(),
        files::trials(),
        ports::trials(),
        exec::trials(),
        orphans::trials(),
        front::trials(),
    ];
    run(&Arguments::from_args(), trials.into_iter().flatten().collect()).exit_code()
}
