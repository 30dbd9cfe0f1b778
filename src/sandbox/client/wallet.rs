//! The keys that a client knows, in the files of Octez: `public_key_hashs`, `public_keys` and `secret_keys`.
//!
//! The bootstrap accounts, their consensus keys (`consensus1` …) and the activator are known without being imported. No cryptography is done here: a secret key
//! is recognised if it is theirs, and any other gets a public key of its own that no delegate has.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ClientError;
use crate::sandbox::hash::{PublicKey, blake2b};
use crate::sandbox::keys::consensus::ConsensusKey;
use crate::sandbox::keys::{self, Identity};

/// The client's directory.
#[derive(Clone, Debug)]
pub struct Wallet {
    base_dir: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    value: String,
}

/// Secret keys of the sandbox's identities (`tezt/lib_tezos/constant.ml`).
const SECRET_KEYS: [(&str, &str); 6] = [
    ("bootstrap1", "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh"),
    ("bootstrap2", "edsk39qAm1fiMjgmPkw1EgQYkMzkJezLNewd7PLNHTkr6w9XA2zdfo"),
    ("bootstrap3", "edsk4ArLQgBTLWG5FJmnGnT689VKoqhXwmDPBuGx3z4cvwU9MmrPZZ"),
    ("bootstrap4", "edsk2uqQB9AY4FvioK2YMdfmyMrer5R8mGFyuaLLFfSRo8EoyNdht3"),
    ("bootstrap5", "edsk4QLrcijEffxV31gGdN2HU7UpyJjA8drFoNcmnB28n89YjPNRFm"),
    ("activator", "edsk31vznjHSSpGExDMHYASz45VZqXN4DPxvsa4hAyY8dHM28cZzp6"),
];

impl Wallet {
    pub fn new(base_dir: &Path) -> Self {
        Self { base_dir: base_dir.to_owned() }
    }

    /// The identity behind an alias or a public key hash, which must be one of the sandbox's.
    pub fn identity(&self, name: &str) -> Result<&'static Identity, ClientError> {
        let entries = self.read("public_key_hashs")?;
        match entries.iter().find(|entry| entry.name == name) {
            Some(entry) => keys::find(&entry.value)
                .ok_or_else(|| ClientError::NoDelegate { name: name.to_owned() }),
            // A consensus key stands for its delegate.
            None => keys::find(name)
                .or_else(|| ConsensusKey::find(name).map(|(_, delegate)| delegate))
                .ok_or_else(|| ClientError::UnknownKey { name: name.to_owned() }),
        }
    }

    /// Learns a secret key under a name; gives its public key hash.
    pub fn import(&self, name: &str, uri: &str, force: bool) -> Result<String, ClientError> {
        let secret = uri.strip_prefix("unencrypted:").unwrap_or(uri);
        let known = SECRET_KEYS.iter().find(|(_, known)| *known == secret);
        let (pkh, key) = match known.and_then(|(alias, _)| keys::find(alias)) {
            Some(identity) => (identity.public_key_hash.to_owned(), identity.public_key.to_owned()),
            None => derived(secret),
        };
        self.learn(name, &pkh, &key, secret, force)?;
        Ok(pkh)
    }

    /// Makes up a key under a name; gives its public key hash.
    pub fn generate(&self, name: &str, force: bool) -> Result<String, ClientError> {
        let secret = format!("sandbox-{}", std::process::id());
        let (pkh, key) = derived(&format!("{secret}-{name}"));
        self.learn(name, &pkh, &key, &secret, force)?;
        Ok(pkh)
    }

    /// Aliases with their public key hashes; later imports first, as Octez lists them.
    pub fn addresses(&self) -> Result<Vec<(String, String)>, ClientError> {
        let entries = self.read("public_key_hashs")?;
        Ok(entries.into_iter().map(|entry| (entry.name, entry.value)).collect())
    }

    fn learn(
        &self,
        name: &str,
        pkh: &str,
        key: &str,
        secret: &str,
        force: bool,
    ) -> Result<(), ClientError> {
        let taken = self.read("secret_keys")?.iter().any(|entry| entry.name == name);
        if taken && !force {
            return Err(ClientError::Exists { what: "secret_key", name: name.to_owned() });
        }
        self.set("public_key_hashs", name, pkh)?;
        self.set("public_keys", name, &format!("unencrypted:{key}"))?;
        self.set("secret_keys", name, &format!("unencrypted:{secret}"))
    }

    fn set(&self, file: &str, name: &str, value: &str) -> Result<(), ClientError> {
        let mut entries = self.read(file)?;
        entries.retain(|entry| entry.name != name);
        entries.insert(0, Entry { name: name.to_owned(), value: value.to_owned() });
        let path = self.base_dir.join(file);
        let text = serde_json::to_vec(&entries).expect("entries are plain strings");
        // Whole or not at all: another client may read at the same moment.
        let draft = self.base_dir.join(format!("{file}.{}", std::process::id()));
        std::fs::write(&draft, text)
            .and_then(|()| std::fs::rename(&draft, &path))
            .map_err(|source| ClientError::Write { path, source })
    }

    fn read(&self, file: &str) -> Result<Vec<Entry>, ClientError> {
        let path = self.base_dir.join(file);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(ClientError::Read { path, source }),
        };
        serde_json::from_slice(&text).map_err(|source| ClientError::NotJson { path, source })
    }
}

fn derived(secret: &str) -> (String, String) {
    let key = PublicKey(blake2b(&[b"sandbox public key", secret.as_bytes()]));
    (key.hash().to_string(), key.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imported_keys_are_recognised_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let wallet = Wallet::new(directory.path());
        let (alias, secret) = SECRET_KEYS[1];
        let pkh = wallet.import("baker", &format!("unencrypted:{secret}"), false).unwrap();
        assert_eq!(wallet.identity("baker").unwrap().alias, alias);
        assert_eq!(wallet.addresses().unwrap(), [("baker".to_owned(), pkh)]);
        let again = wallet.import("baker", secret, false);
        assert!(matches!(again, Err(ClientError::Exists { .. })));
        wallet.import("baker", SECRET_KEYS[2].1, true).unwrap();
        assert_eq!(wallet.identity("baker").unwrap().alias, "bootstrap3");
    }

    #[test]
    fn a_key_of_ones_own_is_no_delegate() {
        let directory = tempfile::tempdir().unwrap();
        let wallet = Wallet::new(directory.path());
        assert!(wallet.generate("alice", false).unwrap().starts_with("tz1"));
        assert!(matches!(wallet.identity("alice"), Err(ClientError::NoDelegate { .. })));
        assert!(matches!(wallet.identity("bob"), Err(ClientError::UnknownKey { .. })));
        assert_eq!(wallet.identity("bootstrap4").unwrap().alias, "bootstrap4");
    }
}
