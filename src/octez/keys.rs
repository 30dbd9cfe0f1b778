//! The keys of every Octez sandbox. Nobody needs to keep them secret: they stand in the sources of Octez.

use serde_json::{Value, json};

/// A key with its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxKey {
    pub alias: &'static str,
    pub public_key_hash: &'static str,
    pub public_key: &'static str,
    pub secret_key: &'static str,
}

/// Who may activate the first protocol of a sandbox (`tezt/lib_tezos/constant.ml`).
pub const ACTIVATOR: SandboxKey = SandboxKey {
    alias: "activator",
    public_key_hash: "tz1TGu6TN5GSez2ndXXeDX6LgUDvLzPLqgYV",
    public_key: "edpkuSLWfVU1Vq7Jg9FucPyKmma6otcMHac9zG4oU1KMHSTBpJuGQ2",
    secret_key: "edsk31vznjHSSpGExDMHYASz45VZqXN4DPxvsa4hAyY8dHM28cZzp6",
};

/// The bakers of a sandbox, and who activates a protocol in it (`tezt/lib_tezos/account.ml`, `constant.ml`).
pub const SANDBOX_KEYS: [SandboxKey; 6] = [
    SandboxKey {
        alias: "bootstrap1",
        public_key_hash: "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx",
        public_key: "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav",
        secret_key: "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh",
    },
    SandboxKey {
        alias: "bootstrap2",
        public_key_hash: "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN",
        public_key: "edpktzNbDAUjUk697W7gYg2CRuBQjyPxbEg8dLccYYwKSKvkPvjtV9",
        secret_key: "edsk39qAm1fiMjgmPkw1EgQYkMzkJezLNewd7PLNHTkr6w9XA2zdfo",
    },
    SandboxKey {
        alias: "bootstrap3",
        public_key_hash: "tz1faswCTDciRzE4oJ9jn2Vm2dvjeyA9fUzU",
        public_key: "edpkuTXkJDGcFd5nh6VvMz8phXxU3Bi7h6hqgywNFi1vZTfQNnS1RV",
        secret_key: "edsk4ArLQgBTLWG5FJmnGnT689VKoqhXwmDPBuGx3z4cvwU9MmrPZZ",
    },
    SandboxKey {
        alias: "bootstrap4",
        public_key_hash: "tz1b7tUupMgCNw2cCLpKTkSD1NZzB5TkP2sv",
        public_key: "edpkuFrRoDSEbJYgxRtLx2ps82UdaYc1WwfS9sE11yhauZt5DgCHbU",
        secret_key: "edsk2uqQB9AY4FvioK2YMdfmyMrer5R8mGFyuaLLFfSRo8EoyNdht3",
    },
    SandboxKey {
        alias: "bootstrap5",
        public_key_hash: "tz1ddb9NMYHZi5UzPdzTZMYQQZoMub195zgv",
        public_key: "edpkv8EUUH68jmo3f7Um5PezmfGrRF24gnfLpH3sVNwJnV5bVCxL2n",
        secret_key: "edsk4QLrcijEffxV31gGdN2HU7UpyJjA8drFoNcmnB28n89YjPNRFm",
    },
    ACTIVATOR,
];

/// The files of a client's base directory that make it know these keys, by name.
///
/// Tezt writes them just so, and spares itself an `import secret key` for each (`tezt/lib_tezos/account.ml`).
pub fn wallet() -> [(&'static str, Value); 3] {
    let file = |value: &dyn Fn(&SandboxKey) -> String| {
        SANDBOX_KEYS.iter().map(|key| json!({ "name": key.alias, "value": value(key) })).collect()
    };
    [
        ("public_key_hashs", file(&|key| key.public_key_hash.to_owned())),
        ("public_keys", file(&|key| format!("unencrypted:{}", key.public_key))),
        ("secret_keys", file(&|key| format!("unencrypted:{}", key.secret_key))),
    ]
}
