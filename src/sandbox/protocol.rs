//! The protocols that the sandbox knows.

/// A protocol by its hash and by the name that daemons, event sections and `block-seen-…` use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    pub hash: &'static str,
    pub name: &'static str,
}

/// What a chain has before any protocol is activated.
pub const GENESIS: &str = "ProtoGenesisGenesisGenesisGenesisGenesisGenesk612im";

/// Those with a daemon for them, newest stable one first.
pub const ACTIVE: [Protocol; 2] = [
    Protocol { hash: "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY", name: "025-PsUshuai" },
    Protocol { hash: "ProtoALphaALphaALphaALphaALphaALphaALphaALphaDdp3zK", name: "alpha" },
];

/// Whether no daemon runs under this protocol any more; of the sandbox's, under none before the first activation.
pub fn is_frozen(hash: &str) -> bool {
    hash == GENESIS
}

impl Protocol {
    /// The protocol with this hash, if there is a daemon for it.
    pub fn of_hash(hash: &str) -> Option<Self> {
        ACTIVE.into_iter().find(|protocol| protocol.hash == hash)
    }

    /// The protocol with this hash or beginning of one, or this name; what a command line may say.
    pub fn find(text: &str) -> Option<Self> {
        ACTIVE.into_iter().find(|protocol| {
            protocol.name == text || (!text.is_empty() && protocol.hash.starts_with(text))
        })
    }

    /// Its hash as messages shorten it.
    pub fn short_hash(self) -> &'static str {
        short_hash(self.hash)
    }
}

/// The first twelve characters.
pub fn short_hash(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::Protocol;

    #[test]
    fn protocols_are_found_by_hash_prefix_and_name() {
        let name = |text| Protocol::find(text).map(|protocol| protocol.name);
        assert_eq!(name("PsUshuai9Qap"), Some("025-PsUshuai"));
        assert_eq!(name("alpha"), Some("alpha"));
        assert_eq!(name("ProtoALphaALpha"), Some("alpha"));
        assert_eq!(name(""), None);
        assert_eq!(name("ProtoGenesis"), None);
    }
}
