use std::ffi::OsString;
use std::process::ExitCode;

use tribunal::sandbox::{self, Program};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(program) = args.first().and_then(|argv0| Program::from_argv0(argv0)) {
        return sandbox::run(program, args);
    }
    ExitCode::SUCCESS
}
