//! The identities of the Octez sandbox, and the stand-in for cryptography.
//!
//! A signature here is BLAKE2b-512 over the signer's public key hash and the signed bytes: deterministic, of the real
//! size, different for every signer and text, and checkable by whoever knows the signer. It proves nothing against
//! forgery, and need not: everyone in a sandbox is a test. Because the delegates are few and known, the baker of a
//! block and the author of an operation are found by trying whose signature fits ([`signer`]).

pub mod consensus;

use super::hash::{PublicKeyHash, Signature, blake2b_512};
use crate::octez::{self, SANDBOX_KEYS, SandboxKey};

/// One of the sandbox's identities: what others may know of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub alias: &'static str,
    pub public_key: &'static str,
    pub public_key_hash: &'static str,
}

impl Identity {
    const fn of(key: SandboxKey) -> Self {
        let SandboxKey { alias, public_key, public_key_hash, .. } = key;
        Self { alias, public_key, public_key_hash }
    }

    pub fn pkh(&self) -> PublicKeyHash {
        self.public_key_hash.parse().expect("the table holds valid public key hashes")
    }

    pub fn sign(&self, bytes: &[u8]) -> Signature {
        sign(self.pkh().as_ref(), bytes)
    }
}

/// Who may bake and attest, in the order of their slots.
pub const DELEGATES: [Identity; 5] = {
    let [one, two, three, four, five, _] = SANDBOX_KEYS;
    [
        Identity::of(one),
        Identity::of(two),
        Identity::of(three),
        Identity::of(four),
        Identity::of(five),
    ]
};

/// Who may activate a protocol on the genesis block.
pub const ACTIVATOR: Identity = Identity::of(octez::ACTIVATOR);

/// The identity with this alias or public key hash.
pub fn find(name: &str) -> Option<&'static Identity> {
    DELEGATES
        .iter()
        .chain(std::iter::once(&ACTIVATOR))
        .find(|identity| identity.alias == name || identity.public_key_hash == name)
}

/// What this signer writes under these bytes.
fn sign(signer: &[u8], bytes: &[u8]) -> Signature {
    Signature(blake2b_512(&[b"sandbox signature", signer, bytes]))
}

/// The delegate whose signature this is.
pub fn signer(bytes: &[u8], signature: &Signature) -> Option<&'static Identity> {
    DELEGATES.iter().find(|identity| identity.sign(bytes) == *signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::hash::PublicKey;

    #[test]
    fn public_key_hashes_are_those_of_the_public_keys() {
        for identity in DELEGATES.iter().chain([&ACTIVATOR]) {
            let key: PublicKey = identity.public_key.parse().unwrap();
            assert_eq!(key.hash(), identity.pkh(), "{}", identity.alias);
        }
    }

    #[test]
    fn the_signer_is_found_by_the_signature() {
        let signature = DELEGATES[1].sign(b"text");
        assert_eq!(signer(b"text", &signature), Some(&DELEGATES[1]));
        assert_eq!(signer(b"another text", &signature), None);
        assert_eq!(signer(b"text", &Signature::ZERO), None);
    }

    #[test]
    fn an_identity_is_found_by_alias_and_by_public_key_hash() {
        assert_eq!(find("bootstrap3"), Some(&DELEGATES[2]));
        assert_eq!(find("tz1TGu6TN5GSez2ndXXeDX6LgUDvLzPLqgYV"), Some(&ACTIVATOR));
        assert_eq!(find("bootstrap9"), None);
    }
}
