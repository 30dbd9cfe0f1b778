//! `--pidfile`: the process id in a file that stays locked as long as the program lives.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::sandbox::lockfile;

/// The locked file; the lock goes with it, the file stays.
#[derive(Debug)]
pub struct Pidfile {
    _file: File,
}

impl Pidfile {
    /// Locks the file and writes our process id into it, without a newline.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = lockfile::lock(path)?;
        file.set_len(0)?;
        file.write_all(std::process::id().to_string().as_bytes())?;
        Ok(Self { _file: file })
    }
}
