//! `--pidfile`: the process id in a file that stays locked as long as the program lives.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// The locked file; the lock goes with it, the file stays.
#[derive(Debug)]
pub struct Pidfile {
    _file: File,
}

impl Pidfile {
    /// Locks the file and writes our process id into it, without a newline.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        let whole_file = libc::flock {
            l_type: lock_type(libc::F_WRLCK),
            l_whence: lock_type(libc::SEEK_SET),
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_SETLK(&whole_file))?;
        file.set_len(0)?;
        file.write_all(std::process::id().to_string().as_bytes())?;
        Ok(Self { _file: file })
    }
}

fn lock_type(constant: libc::c_int) -> libc::c_short {
    libc::c_short::try_from(constant).expect("the constants of flock are small")
}
