//! Links that make our binary answer to the Octez names.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::Program;

/// A link could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("cannot create the directory {path:?}")]
    CreateDirectory { path: PathBuf, source: io::Error },
    #[error("cannot link {link:?} to {exe:?}")]
    Link { link: PathBuf, exe: PathBuf, source: io::Error },
    #[error("{path:?} is in the way: it is no link of ours")]
    InTheWay { path: PathBuf },
}

/// Links `octez-node`, `octez-accuser`, `octez-client` and `octez-admin-client` in `dir` to `exe`; gives the links.
///
/// A symbolic link of that name is replaced; anything else there, a real Octez program say, is left alone.
pub fn install(dir: &Path, exe: &Path) -> Result<Vec<PathBuf>, InstallError> {
    std::fs::create_dir_all(dir)
        .map_err(|source| InstallError::CreateDirectory { path: dir.to_owned(), source })?;
    Program::ALL.into_iter().map(|program| link(&dir.join(program.name()), exe)).collect()
}

fn link(link: &Path, exe: &Path) -> Result<PathBuf, InstallError> {
    let failed = |source| InstallError::Link { link: link.to_owned(), exe: exe.to_owned(), source };
    match std::fs::symlink_metadata(link) {
        Ok(found) if found.file_type().is_symlink() => {
            std::fs::remove_file(link).map_err(failed)?;
        }
        Ok(_) => return Err(InstallError::InTheWay { path: link.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    symlink(exe, link).map_err(failed)?;
    Ok(link.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_made_and_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let bin = directory.path().join("deep/bin");
        install(&bin, Path::new("/old")).unwrap();
        let links = install(&bin, Path::new("/new")).unwrap();
        assert_eq!(links.len(), Program::ALL.len());
        for link in links {
            assert_eq!(std::fs::read_link(link).unwrap(), Path::new("/new"));
        }
    }

    #[test]
    fn a_real_program_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("octez-node"), "real").unwrap();
        let error = install(directory.path(), Path::new("/exe")).unwrap_err();
        assert!(matches!(error, InstallError::InTheWay { .. }), "{error}");
    }
}
