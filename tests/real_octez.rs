//! Scenarios with programs that the runner takes for the real ones of Octez: what they are told, and what is said when
//! they lack something.
//!
//! The programs here are scripts that note their arguments and then do what the sandbox's do. Their client is as
//! particular as the real one: it wants complete parameters, and speaks in log lines of 80 columns.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use serde_json::{Value, json};

const PROGRAMS: [&str; 4] = ["octez-node", "octez-accuser", "octez-client", "octez-admin-client"];

/// Notes its arguments, separated by tabs, and becomes the stand-in.
const SCRIPT: &str = r#"#!/bin/sh
{ printf '%s' "${0##*/}"; for word in "$@"; do printf '\t%s' "$word"; done; echo; } >> "FOLDER/told"
"#;

const CLIENT: &str = r#"echo "${TEZOS_CLIENT_UNSAFE_DISABLE_DISCLAIMER-}" >> "FOLDER/disclaimers"
for word in "$@"; do
    case $word in
    */parameters.json)
        cp "$word" "FOLDER/parameters"
        grep -q bootstrap_accounts "$word" || { printf 'Error:\n  Invalid protocol_parameters\n' >&2; exit 1; } ;;
    esac
done
stamp='Nov 23 17:34:55.195 NOTICE │'
out=$("FOLDER/stand-ins/octez-client" "$@") || exit
[ -z "${QUIET-}" ] || exit 0
echo "$out" | sed "s/^Block \(B.*\) injected$/$stamp block\n$stamp   \1 at level 2, round\n$stamp   0 injected for delegate/
s/^Injected \(p*r*e*attestation\) \(o[^ ]*\) .*level \([0-9]*\), round \([0-9]*\),.*/$stamp injected \1 for level\n$stamp   \3, round \4\n$stamp   (operation hash: \2)/" >&2
"#;

struct Folder(tempfile::TempDir);

impl Folder {
    /// With these programs.
    fn new(programs: &[&str]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir_all(folder.path("stand-ins")).expect("writable");
        fs::create_dir_all(folder.path("octez")).expect("writable");
        fs::create_dir_all(folder.path("tmp")).expect("writable");
        for name in PROGRAMS {
            let link = folder.path("stand-ins").join(name);
            symlink(env!("CARGO_BIN_EXE_tribunal"), link).expect("writable");
        }
        for name in programs {
            folder.program("octez", name);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn program(&self, folder: &str, name: &str) {
        let rest = match name {
            "octez-client" => CLIENT.to_owned(),
            // The sandbox has none: this one only says that it is there.
            "octez-baker" => format!(
                "exec {} on-term exit 127 event starting_daemon.v0 '\"baker\"' forever\n",
                env!("CARGO_BIN_EXE_fake-daemon")
            ),
            name => format!("exec \"FOLDER/stand-ins/{name}\" \"$@\"\n"),
        };
        let script = format!("{SCRIPT}{rest}").replace("FOLDER", &self.0.path().to_string_lossy());
        let path = self.path(folder).join(name);
        fs::write(&path, script).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("writable");
    }

    /// The parameters of a protocol as they come with Octez, as far as it matters here.
    fn parameters(&self, path: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("writable");
        let parameters =
            json!({ "bootstrap_accounts": [["edpk", "4000000"]], "blocks_per_cycle": 8 });
        fs::write(path, parameters.to_string()).expect("writable");
    }

    fn play(&self, scenario: &str, octez: &str) -> (i32, String) {
        self.play_with(scenario, octez, |_| {})
    }

    fn play_with(
        &self,
        scenario: &str,
        octez: &str,
        more: impl FnOnce(&mut Command),
    ) -> (i32, String) {
        fs::write(self.path("scenario.yaml"), scenario).expect("writable");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
        command.current_dir(self.0.path()).env("TMPDIR", self.path("tmp"));
        for variable in ["NO_COLOR", "TRIBUNAL_OCTEZ", "TRIBUNAL_OCTEZ_PARAMETERS"] {
            command.env_remove(variable);
        }
        command.args(["run", "scenario.yaml", "--octez", octez, "--keep", "never"]);
        more(&mut command);
        let Output { status, stdout, stderr } = command.output().expect("the program runs");
        let said =
            format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        // What is read breaks its lines anywhere.
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        (status.code().expect("it exits"), said)
    }

    /// What the programs were told, without what differs from run to run.
    fn told(&self) -> String {
        let mut told = fs::read_to_string(self.path("told")).expect("it was written");
        for (pattern, replacement) in [
            (r"[^\t\n]*/tribunal-[0-9a-f]+/", "TMP/"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
            (r"\d{4}-\d\d-\d\dT[^\t\n]*Z", "TIME"),
            ("\t", " "),
        ] {
            let pattern = Regex::new(pattern).expect("a valid pattern");
            told = pattern.replace_all(&told, replacement).into_owned();
        }
        told
    }
}

const EVERY_VERB: &str = r#"
daemons:
  a:
    kind: octez-node
    synchronisation_threshold: 0
    private_mode: true
    connections: 3
    history_mode: archive
    args: [--log-output, stdout]
  b: { kind: octez-node, peers: [a], singleprocess: false }
  accuser: { kind: octez-accuser, node: a, preserved_levels: 10, keep_alive: true, args: [--pidfile, "${dir.a}/pid"] }
steps:
  - start: a
  - run: b
  - ready: b
  - connect: [a, b]
  - activate: { node: a, parameters: { blocks_per_cycle: 4, cache: { size: 3 } } }
  - reach: { node: [a, b], level: 1 }
  - start: accuser
  - bake: { node: a, capture: { first: self } }
  - bake: { node: a, key: [bootstrap2, bootstrap3], times: 2, capture: { last: self } }
  - assert: $first.level == 2 && $last.level == 4 && $first.hash.startsWith("B")
  - rpc: { node: a, get: /chains/main/blocks/head/hash, where: self == $last.hash }
  - rpc: { node: a, get: /chains/main/blocks/head/header, capture: { payload: payload_hash } }
  - attest: { node: a, capture: { vote: self } }
  - assert: $vote.level == 4 && $vote.round == 0 && $vote.payload == $payload && size($vote.branch) == 51
  - preattest: { node: a, key: bootstrap2 }
  - attest: { node: a, key: nobody, error: no public key hash alias named nobody }
  - inject: { node: a, operation: abcd, error: Invalid operation }
  - disconnect: [a, b]
  - exec: { command: [octez-admin-client, --endpoint, "${rpc.a}", p2p, stat], where: 'self.contains("CONNECTIONS")' }
  - pause: accuser
  - resume: accuser
  - signal: { daemon: accuser, signal: CONT }
  - restart: [a]
  - restart: { daemons: accuser, with: { preserved_levels: 0, keep_alive: false } }
  - kill: b
  - terminate: accuser
  - exited: { daemon: accuser, code: 127 }
"#;

/// As Tezt calls them (`tezt/lib_tezos/node.ml`, `accuser.ml`, `client.ml`).
const TOLD: &str = "\
octez-node identity generate --data-dir TMP/a 0
octez-node config init --data-dir TMP/a --network sandbox --expected-pow 0 --synchronisation-threshold 0 --connections 3 --history-mode archive --private-mode
octez-node run --data-dir TMP/a --net-addr 127.0.0.1:PORT --metrics-addr 127.0.0.1:PORT --rpc-addr 127.0.0.1:PORT --max-active-rpc-connections 500 --allow-all-rpc 127.0.0.1:PORT --singleprocess --log-output stdout
octez-node identity generate --data-dir TMP/b 0
octez-node config init --data-dir TMP/b --network sandbox --expected-pow 0 --peer 127.0.0.1:PORT
octez-node run --data-dir TMP/b --net-addr 127.0.0.1:PORT --metrics-addr 127.0.0.1:PORT --rpc-addr 127.0.0.1:PORT --max-active-rpc-connections 500 --allow-all-rpc 127.0.0.1:PORT
octez-client --endpoint http://127.0.0.1:PORT --base-dir TMP/a-client activate protocol PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY with fitness 1 and key activator and parameters TMP/a-client/parameters.json --timestamp TIME
octez-accuser -E http://127.0.0.1:PORT --base-dir TMP/accuser run --preserved-levels 10 --keep-alive --pidfile TMP/a/pid
octez-client --endpoint http://127.0.0.1:PORT --base-dir TMP/a-client bake for bootstrap1 --minimal-timestamp
octez-client --endpoint http://127.0.0.1:PORT --base-dir TMP/a-client bake for bootstrap2 bootstrap3 --minimal-timestamp
octez-client --endpoint http://127.0.0.1:PORT --base-dir TMP/a-client bake for bootstrap2 bootstrap3 --minimal-timestamp
octez-client --endpoint http://127.0.0.1:PORT --base-dir TMP/a-client attest for bootstrap1 --force
octez-client --endpoint http://127.0.0.1:PORT --base-dir TMP/a-client preattest for bootstrap2 --force
octez-client --endpoint http://127.0.0.1:PORT --base-dir TMP/a-client attest for nobody
octez-admin-client --endpoint http://127.0.0.1:PORT p2p stat
octez-node run --data-dir TMP/a --net-addr 127.0.0.1:PORT --metrics-addr 127.0.0.1:PORT --rpc-addr 127.0.0.1:PORT --max-active-rpc-connections 500 --allow-all-rpc 127.0.0.1:PORT --singleprocess --log-output stdout
octez-accuser -E http://127.0.0.1:PORT --base-dir TMP/accuser run --preserved-levels 0 --pidfile TMP/a/pid
";

#[test]
fn every_verb_tells_the_programs_what_tezt_does() {
    let folder = Folder::new(&PROGRAMS);
    folder.parameters("octez/sandbox-parameters.json");
    let (code, said) = folder.play(EVERY_VERB, "octez");
    assert_eq!(code, 0, "{said}");
    let told = folder.told();
    let mut wrong = String::new();
    for (told, wanted) in told.lines().zip(TOLD.lines()).filter(|(told, wanted)| told != wanted) {
        writeln!(wrong, "- {wanted}\n+ {told}").expect("writing to a string cannot fail");
    }
    assert!(wrong.is_empty() && told.lines().count() == TOLD.lines().count(), "{wrong}\n{told}");
    let disclaimers = fs::read_to_string(folder.path("disclaimers")).expect("it was written");
    assert!(disclaimers.lines().all(|line| line == "Y"), "{disclaimers}");
}

#[test]
fn a_client_that_says_nothing_has_made_what_the_head_became() {
    let folder = Folder::new(&["octez-node", "octez-client"]);
    folder.parameters("octez/sandbox-parameters.json");
    let scenario = "daemons: { n: { kind: octez-node, synchronisation_threshold: 0 } }\n\
                    steps: [ { start: n }, { activate: { node: n } }, \
                    { bake: { node: n, times: 2, capture: { tip: self } } }, \
                    { rpc: { node: n, get: /chains/main/blocks/head/header, \
                    where: 'hash == $tip.hash && level == $tip.level && level == 3' } } ]\n";
    let (code, said) =
        folder.play_with(scenario, "octez", |command| _ = command.env("QUIET", "yes"));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_baker_bakes_with_the_keys_of_its_nodes_client() {
    let folder = Folder::new(&["octez-node", "octez-client", "octez-baker"]);
    folder.parameters("octez/sandbox-parameters.json");
    let scenario = "daemons: { n: { kind: octez-node, synchronisation_threshold: 0 }, \
                    baker: { kind: octez-baker, node: n, keys: [bootstrap1, bootstrap2], keep_alive: true, \
                    args: [--dal-node, none] }, other: { kind: octez-baker, node: n } }\n\
                    steps: [ { start: n }, { activate: { node: n } }, { start: baker }, { start: other }, \
                    { expect: { from: baker, event: starting_daemon.v0, since: start } }, \
                    { terminate: [baker, other] }, { exited: { daemon: baker, code: 127 } } ]\n";
    let (code, said) = folder.play(scenario, "octez");
    assert_eq!(code, 0, "{said}");
    let told = folder.told();
    let wanted = [
        "octez-baker --endpoint http://127.0.0.1:PORT --base-dir TMP/n-client run with local node TMP/n \
         bootstrap1 bootstrap2 --liquidity-baking-toggle-vote pass --without-dal --keep-alive --dal-node none",
        "octez-baker --endpoint http://127.0.0.1:PORT --base-dir TMP/n-client run with local node TMP/n \
         --liquidity-baking-toggle-vote pass --without-dal",
    ];
    let bakers: Vec<&str> = told.lines().filter(|line| line.starts_with("octez-baker")).collect();
    assert_eq!(bakers, wanted);
}

const ACTIVATE: &str = "daemons: { n: { kind: octez-node, synchronisation_threshold: 0 } }\n\
                        steps: [ { start: n }, { activate: { node: n, parameters: { cache: { size: 3 } } } } ]\n";

fn activated_with(folder: &Folder) -> Value {
    let parameters = fs::read(folder.path("parameters")).expect("the client copied it");
    serde_json::from_slice(&parameters).expect("JSON")
}

#[test]
fn the_parameters_of_the_protocol_are_found_where_octez_leaves_them_and_the_users_are_laid_over() {
    for place in [
        "octez/sandbox-parameters.json",
        "share/tezos/025-PsUshuai-parameters/sandbox-parameters.json",
        "octez/src/proto_025_PsUshuai/parameters/sandbox-parameters.json",
    ] {
        let folder = Folder::new(&["octez-node", "octez-client"]);
        folder.parameters(place);
        let (code, said) = folder.play(ACTIVATE, "octez");
        assert_eq!(code, 0, "{said}");
        let wanted = json!({
            "bootstrap_accounts": [["edpk", "4000000"]], "blocks_per_cycle": 8, "cache": { "size": 3 },
        });
        assert_eq!(activated_with(&folder), wanted, "{place}");
    }
}

#[test]
fn the_parameters_can_be_named() {
    let folder = Folder::new(&["octez-node", "octez-client"]);
    folder.parameters("elsewhere.json");
    let named = |name: &str| {
        let path = folder.path(name);
        folder.play_with(ACTIVATE, "octez", |command| {
            command.env("TRIBUNAL_OCTEZ_PARAMETERS", path);
        })
    };
    let (code, said) = named("elsewhere.json");
    assert_eq!(code, 0, "{said}");
    assert_eq!(activated_with(&folder)["blocks_per_cycle"], 8);
    let (code, said) = named("missing.json");
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("missing.json cannot be read"), "{said}");
}

#[test]
fn a_client_that_lacks_parameters_says_where_they_were_looked_for() {
    let folder = Folder::new(&["octez-node", "octez-client"]);
    let (code, said) = folder.play(ACTIVATE, "octez");
    assert_eq!(code, 4, "{said}");
    for part in [
        "Invalid protocol_parameters",
        "TRIBUNAL_OCTEZ_PARAMETERS",
        "octez/sandbox-parameters.json",
        "PsUshuai-parameters/sandbox-parameters.json",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_folder_that_lacks_a_program_is_not_made_up_for_by_the_path() {
    let scenario = "daemons: { n: { kind: octez-node, synchronisation_threshold: 0 }, \
                    accuser: { kind: octez-accuser, node: n } }\n\
                    steps: [ { start: n }, { activate: { node: n } }, { start: accuser } ]\n";
    let have: [&[&str]; 3] =
        [&[], &["octez-node", "octez-accuser"], &["octez-node", "octez-client"]];
    for (programs, missing) in have.into_iter().zip(["octez-node", "octez-client", "octez-accuser"])
    {
        let folder = Folder::new(programs);
        folder.parameters("octez/sandbox-parameters.json");
        let path = path_with(&folder.path("stand-ins"));
        let (code, said) =
            folder.play_with(scenario, "octez", |command| _ = command.env("PATH", path));
        assert_eq!(code, 4, "{said}");
        let wanted =
            format!("there is no program `{missing}` in {}", folder.path("octez").display());
        assert!(said.contains(&wanted), "{wanted}: {said}");
        // And on the PATH alone.
        let (code, said) = folder.play_with(scenario, "path", |command| {
            command.env("PATH", path_with(&folder.path("octez")));
        });
        assert_eq!(code, 4, "{said}");
        let wanted = format!("there is no program `{missing}` on the PATH");
        assert!(said.contains(&wanted) && said.contains("octez:"), "{wanted}: {said}");
    }
}

fn path_with(folder: &Path) -> String {
    format!("{}:/usr/bin:/bin", folder.display())
}

#[test]
fn what_only_the_sandbox_can_is_refused_before_it_is_tried() {
    for (step, wanted) in [
        ("bake: { node: n, parent: head~1, round: 1 }", "`parent`, `round` of `bake`"),
        ("attest: { node: n, of: head~1, payload: head~1 }", "`of`, `payload` of `attest`"),
        ("preattest: { node: n, slot: 1, branch: head~3 }", "`branch`, `slot` of `preattest`"),
        ("attest: { node: n, level: 9, round: 2 }", "`level`, `round` of `attest`"),
    ] {
        let folder = Folder::new(&["octez-node", "octez-client"]);
        let scenario = format!(
            "daemons: {{ n: {{ kind: octez-node, synchronisation_threshold: 0 }} }}\n\
             steps: [ {{ start: n }}, {{ {step} }} ]\n"
        );
        let (code, said) = folder.play(&scenario, "octez");
        assert_eq!(code, 4, "{said}");
        let wanted = format!("{wanted} can be given in the sandbox only");
        assert!(said.contains(&wanted), "{wanted}: {said}");
        assert!(!folder.told().contains("octez-client"), "{}", folder.told());
    }
}
