//! Files that a program holds locked for as long as it lives, as OCaml's `Unix.lockf` does.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Opens the file, made if it is not there, and locks it; an error if another process holds it. The lock goes with the
/// file, or with the process, however that ends.
pub fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let whole_file = libc::flock {
        l_type: lock_type(libc::F_WRLCK),
        l_whence: lock_type(libc::SEEK_SET),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_SETLK(&whole_file))?;
    Ok(file)
}

fn lock_type(constant: libc::c_int) -> libc::c_short {
    libc::c_short::try_from(constant).expect("the constants of flock are small")
}
