//! `timeline.html`: a run as a picture, in one file that needs no network.
//!
//! ```text
//! Chronicle ─► pack: columns and payloads, deflated, base64 ─► page: what it was and how it ended, as markup
//!                                                                + page/*.js, which unpacks and draws
//! ```
//! Nothing that a daemon wrote is ever markup: in the page it is base64, and the scripts show it as text.

mod failure;
mod pack;
mod page;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::chronicle::{Chronicle, ChronicleError};
use crate::record::RunDir;

pub use self::page::{Book, Entry};

/// Why a timeline cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TimelineError {
    #[error(transparent)]
    Chronicle(#[from] ChronicleError),
    #[error("cannot pack the events")]
    Pack(#[source] io::Error),
    #[error("cannot write {}", path.display())]
    Write { path: std::path::PathBuf, source: io::Error },
}

/// Reads a run directory and writes its `timeline.html`.
pub fn write_beside(dir: &RunDir, chronicle: &mut Chronicle) -> Result<(), TimelineError> {
    let picture = Picture::of(chronicle)?;
    let path = dir.timeline();
    let write = || {
        let mut file = BufWriter::new(File::create(&path)?);
        picture.write_page(&mut file)?;
        file.flush()
    };
    write().map_err(|source| TimelineError::Write { path: path.clone(), source })
}

/// One play, ready to be put into a page.
#[derive(Debug)]
pub struct Picture {
    head: page::Head,
    data: String,
}

impl Picture {
    pub fn of(chronicle: &mut Chronicle) -> Result<Self, TimelineError> {
        let data = pack::pack(chronicle)?;
        Ok(Self { head: page::Head::of(chronicle, data.events), data: data.base64 })
    }

    /// How many bytes it takes in a page, about.
    pub fn size(&self) -> usize {
        self.data.len()
    }

    /// A page with this play alone.
    pub fn write_page(&self, out: &mut dyn Write) -> io::Result<()> {
        page::write_single(self, out)
    }
}

#[cfg(test)]
mod tests;
