//! Runs to be drawn: real ones, and ones made up for what no daemon would do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use tribunal::daemon::{DaemonName, Incarnation};
use tribunal::event::Seq;
use tribunal::event::log::IndexEntry;
use tribunal::record::{EnvelopeNote, Note, Recorder, RunDir, What};

/// A folder in which scenarios are played and reports are written.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the program here; it must end with this code.
    #[track_caller]
    pub fn tribunal(&self, arguments: &[&str], code: i32) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_tribunal"))
            .args(arguments)
            .current_dir(self.path())
            .env_remove("TRIBUNAL_OCTEZ")
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(code), "{text}");
        text
    }

    /// Plays a scenario and gives its run directory, which is kept.
    #[track_caller]
    pub fn play(&self, scenario: &str, code: i32) -> PathBuf {
        let file = self.path().join("played.yaml");
        std::fs::write(&file, scenario).expect("writable");
        self.tribunal(
            &["run", "played.yaml", "--seed", "42", "--keep", "always", "--out", "runs"],
            code,
        );
        let entries = std::fs::read_dir(self.path().join("runs")).expect("it was made");
        let mut folders = entries.map(|entry| entry.expect("readable").path());
        folders.find(|path| path.is_dir()).expect("one is kept")
    }

    /// Draws a run directory.
    pub fn report(&self, run_dir: &Path) -> PathBuf {
        let page = self.path().join("page.html");
        let [dir, file] = [run_dir, &page].map(|path| path.to_str().expect("UTF-8"));
        self.tribunal(&["report", dir, "--html", file], 0);
        page
    }
}

/// A node and an accuser that is crashed, two branches, a loop, and a wait for what never comes.
pub const FAILED: &str = r"
name: the head reaches level 10
daemons:
  node: { kind: octez-node, synchronisation_threshold: 0, private_mode: true }
  accuser: { kind: octez-accuser, node: node, restart: { policy: on-failure } }
steps:
  - start: node
  - activate: { node: node }
  - start: accuser
  - parallel:
      - [ { bake: { node: node, times: 2 } } ]
      - [ { expect: { from: accuser, event: accuser_processed_block.v0 } }, { log: one block } ]
  - crash: accuser
  - ready: accuser
  - repeat: { times: 2, steps: [ { bake: { node: node } } ] }
  - expect: { from: node, event: head_increment.v0, where: level >= 10, within: 300ms }
finally:
  - log: done
";

/// A run that was never played: one daemon, `talker`, that wrote these lines, a millisecond apart.
pub fn made_up(folder: &Path, lines: impl IntoIterator<Item = String>) -> PathBuf {
    let path = folder.join("made-up");
    let talker = DaemonName::new("talker").expect("a name");
    let mut recorder = Recorder::create(RunDir::new(&path)).expect("writable");
    let envelope = serde_json::from_value::<EnvelopeNote>(
        json!({ "fields": { "name": ["name"], "value": ["value"] } }),
    );
    let (daemon, kind) = (talker.clone(), "process".to_owned());
    let envelope = envelope.expect("an envelope");
    recorder.note(&Note { at_s: 0.0, what: What::Daemon { daemon, kind, envelope } });
    let mut seq = 0;
    for chunk in lines.into_iter().collect::<Vec<_>>().chunks(100) {
        let entry = IndexEntry {
            first: Seq(seq),
            records: u32::try_from(chunk.len()).expect("a few"),
            incarnation: Incarnation(1),
            offset: 0,
            bytes: 0,
            monotonic_us: (seq + 100) * 1000,
            wall_us: (seq + 100) * 1000,
            late: false,
            overlong: false,
        };
        seq += chunk.len() as u64;
        let mut bytes = chunk.join("\n");
        bytes.push('\n');
        recorder.events(&talker, entry, bytes.as_bytes());
    }
    recorder.flush();
    assert_eq!(recorder.failure(), None);
    path
}
