//! A node's directory: identity, version, store, and the lock that only one node can hold.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::sandbox::hash::PeerId;
use crate::sandbox::lockfile;

/// The version of the layout that Octez v24 and later write.
const VERSION: &str = "3.3";

/// The identity by which peers know a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeIdentity {
    pub peer_id: PeerId,
    public_key: String,
    secret_key: String,
    proof_of_work_stamp: String,
}

/// What can be wrong with a node's directory.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("cannot make the data directory {path}")]
    Create { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is no identity")]
    Identity { path: PathBuf, source: serde_json::Error },
    #[error("{path} is no list of peers")]
    Peers { path: PathBuf, source: serde_json::Error },
    #[error("the identity file {path} exists already")]
    IdentityExists { path: PathBuf },
    #[error("no identity file in {path}")]
    NoIdentity { path: PathBuf },
    #[error("the data directory has version {found:?}, but {VERSION:?} is needed")]
    Version { found: String },
    #[error("Data directory is locked by another process")]
    Locked,
}

/// The lock of a running node; the kernel releases it with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Makes the directory (only its owner may look into it) and its `version.json`, or checks those that are there.
pub fn prepare(data_dir: &Path) -> Result<(), DataDirError> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(data_dir);
    made.map_err(|source| DataDirError::Create { path: data_dir.to_owned(), source })?;
    let path = data_dir.join("version.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let version: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            match version.as_ref().and_then(|version| version["version"].as_str()) {
                Some(VERSION) => Ok(()),
                found => Err(DataDirError::Version { found: found.unwrap_or(&text).to_owned() }),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write(&path, format!("{}\n", json!({ "version": VERSION })).as_bytes())
        }
        Err(source) => Err(DataDirError::Read { path, source }),
    }
}

/// Takes the lock, or says that another node has it.
pub fn lock(data_dir: &Path) -> Result<Lock, DataDirError> {
    let path = data_dir.join("lock");
    match lockfile::lock(&path) {
        Ok(file) => Ok(Lock { _file: file }),
        // Either may be said of a lock that is held (fcntl(2)).
        Err(error)
            if [Errno::EAGAIN as i32, Errno::EACCES as i32]
                .map(Some)
                .contains(&error.raw_os_error()) =>
        {
            Err(DataDirError::Locked)
        }
        Err(source) => Err(DataDirError::Write { path, source }),
    }
}

/// The file that keeps the chain, in a directory that is made for it.
pub fn store_path(data_dir: &Path) -> Result<PathBuf, DataDirError> {
    for dir in ["store", "context", "protocol"] {
        let path = data_dir.join(dir);
        std::fs::create_dir_all(&path).map_err(|source| DataDirError::Create { path, source })?;
    }
    Ok(data_dir.join("store").join("blocks.jsonl"))
}

impl NodeIdentity {
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("identity.json")
    }

    /// The identity of this data directory, if it has one.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, DataDirError> {
        let path = Self::path(data_dir);
        match std::fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(identity) => Ok(Some(identity)),
                Err(source) => Err(DataDirError::Identity { path, source }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DataDirError::Read { path, source }),
        }
    }

    /// Makes a new identity and stores it.
    pub fn generate(data_dir: &Path) -> Result<Self, DataDirError> {
        let path = Self::path(data_dir);
        let [public_key, secret_key, stamp] = [(); 3].map(|()| random_bytes());
        let identity = Self {
            peer_id: PeerId::of_public_key(&public_key),
            public_key: hex::encode(public_key),
            secret_key: hex::encode(secret_key),
            proof_of_work_stamp: hex::encode(&stamp[..24]),
        };
        write(&path, format!("{:#}\n", json!(identity)).as_bytes())?;
        Ok(identity)
    }
}

/// `peers.json`: the peers that are trusted by their identifier, which a restart remembers. Points are not in it.
#[derive(Clone, Debug)]
pub struct PeersFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct PeerRecord {
    peer_id: PeerId,
    trusted: bool,
}

impl PeersFile {
    pub fn of(data_dir: &Path) -> Self {
        Self { path: data_dir.join("peers.json") }
    }

    /// The peers of the file, which is made if there is none.
    pub fn open(&self) -> Result<Vec<PeerId>, DataDirError> {
        let path = self.path.clone();
        match std::fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice::<Vec<PeerRecord>>(&bytes) {
                Ok(records) => {
                    let trusted = records.into_iter().filter(|record| record.trusted);
                    Ok(trusted.map(|record| record.peer_id).collect())
                }
                Err(source) => Err(DataDirError::Peers { path, source }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.write(&[])?;
                Ok(Vec::new())
            }
            Err(source) => Err(DataDirError::Read { path, source }),
        }
    }

    pub fn write(&self, trusted: &[PeerId]) -> Result<(), DataDirError> {
        let records: Vec<PeerRecord> =
            trusted.iter().map(|peer| PeerRecord { peer_id: *peer, trusted: true }).collect();
        write(&self.path, format!("{:#}\n", json!(records)).as_bytes())
    }
}

fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    fastrand::Rng::new().fill(&mut bytes);
    bytes
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), DataDirError> {
    let written = File::create(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| DataDirError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_back_as_it_was_generated() {
        let dir = tempfile::tempdir().unwrap();
        assert!(NodeIdentity::read(dir.path()).unwrap().is_none());
        let made = NodeIdentity::generate(dir.path()).unwrap();
        let read = NodeIdentity::read(dir.path()).unwrap().unwrap();
        assert_eq!(read.peer_id, made.peer_id);
        assert!(made.peer_id.to_string().starts_with("id"));
        let other = NodeIdentity::generate(dir.path()).unwrap();
        assert_ne!(other.peer_id, made.peer_id);
    }

    #[test]
    fn a_directory_of_another_version_or_with_garbage_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("deep/node");
        prepare(&data_dir).unwrap();
        prepare(&data_dir).unwrap();
        std::fs::write(data_dir.join("version.json"), r#"{"version":"0.1"}"#).unwrap();
        assert!(matches!(prepare(&data_dir), Err(DataDirError::Version { .. })));
        std::fs::write(NodeIdentity::path(&data_dir), "{}").unwrap();
        assert!(matches!(NodeIdentity::read(&data_dir), Err(DataDirError::Identity { .. })));
    }

    #[test]
    fn trusted_peers_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let file = PeersFile::of(dir.path());
        assert_eq!(file.open().unwrap(), []);
        file.write(&[PeerId([7; 16])]).unwrap();
        assert_eq!(file.open().unwrap(), [PeerId([7; 16])]);
        std::fs::write(dir.path().join("peers.json"), "{}").unwrap();
        assert!(matches!(file.open(), Err(DataDirError::Peers { .. })));
    }
}
