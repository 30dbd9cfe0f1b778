//! Which stand-in to be, and being it.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use super::{accuser, client};

/// The programs that our binary can stand in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Node,
    Accuser,
    Client,
    AdminClient,
}

impl Program {
    pub const ALL: [Self; 4] = [Self::Node, Self::Accuser, Self::Client, Self::AdminClient];

    /// The file name that chooses it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "octez-node",
            Self::Accuser => "octez-accuser",
            Self::Client => "octez-client",
            Self::AdminClient => "octez-admin-client",
        }
    }

    /// The program that is called by this path; `None` where it is our own name.
    pub fn from_argv0(argv0: &OsStr) -> Option<Self> {
        let name = Path::new(argv0).file_name()?;
        Self::ALL.into_iter().find(|program| program.name() == name)
    }
}

/// Is that program until it ends. `args` begins with the name it was called by.
pub fn run(program: Program, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter().map(|arg| arg.to_string_lossy().into_owned());
    let exe = path_of(&args.next().unwrap_or_else(|| program.name().to_owned()));
    let args: Vec<String> = args.collect();
    match program {
        Program::Node => super::node::main(&exe, &args),
        Program::Accuser => accuser::main(&exe, &args),
        Program::Client => client::main(&args),
        Program::AdminClient => client::admin_main(&args),
    }
}

/// The path of a program that was called by its bare name, as OCaml's `Sys.executable_name` has it: messages begin with it.
fn path_of(argv0: &str) -> String {
    if argv0.contains('/') {
        return argv0.to_owned();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(argv0)).find(|file| file.is_file());
    found.map_or_else(|| argv0.to_owned(), |file| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::Program;

    #[test]
    fn the_file_name_chooses_the_program() {
        let cases = [
            ("octez-node", Some(Program::Node)),
            ("/usr/bin/octez-accuser", Some(Program::Accuser)),
            ("./octez-client", Some(Program::Client)),
            ("octez-admin-client", Some(Program::AdminClient)),
            ("/usr/bin/tribunal", None),
            ("octez-node/tribunal", None),
            ("", None),
        ];
        for (argv0, program) in cases {
            assert_eq!(Program::from_argv0(OsStr::new(argv0)), program, "{argv0}");
        }
    }
}
