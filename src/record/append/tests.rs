use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use super::{Recorder, RunDir};
use crate::daemon::{DaemonName, Incarnation};
use crate::event::Seq;
use crate::event::decode::Envelope;
use crate::event::log::{IndexEntry, Lines, Scan, ScanSource};
use crate::record::{Note, RecordError, RecordedRun, What};

fn name(index: usize) -> DaemonName {
    DaemonName::new(format!("d{index}")).unwrap()
}

fn entry(first: u64, records: u32, incarnation: u32) -> IndexEntry {
    IndexEntry {
        first: Seq(first),
        records,
        incarnation: Incarnation(incarnation),
        offset: 0,
        bytes: 0,
        monotonic_us: first * 100,
        wall_us: first * 100,
        late: false,
        overlong: false,
    }
}

fn lines(first: u64, count: u64) -> String {
    let line = |seq| format!("{{\"fd-sink-item.v0\":{{\"event\":{{\"n{seq}\":{seq}}}}}}}\n");
    (first..first + count).map(line).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Lines { daemon: usize, count: u32 },
    HalfLine { daemon: usize },
    Overlong { daemon: usize, parts: Vec<usize>, ended: bool },
    NextIncarnation { daemon: usize },
    Flush,
}

fn steps() -> impl Strategy<Value = Step> {
    let daemon = || 0..2_usize;
    prop_oneof![
        8 => (daemon(), 1_u32..6).prop_map(|(daemon, count)| Step::Lines { daemon, count }),
        1 => daemon().prop_map(|daemon| Step::HalfLine { daemon }),
        1 => (daemon(), prop::collection::vec(1_usize..40_000, 1..4), any::<bool>())
            .prop_map(|(daemon, parts, ended)| Step::Overlong { daemon, parts, ended }),
        1 => daemon().prop_map(|daemon| Step::NextIncarnation { daemon }),
        1 => Just(Step::Flush),
    ]
}

/// What was recorded: position, daemon, incarnation, and whether it reads back as an event.
type Recorded = (Seq, usize, Incarnation, bool);

/// A recorder, and what a reader should find.
struct Model {
    recorder: Recorder,
    files: [Vec<u8>; 2],
    incarnations: [u32; 2],
    end: u64,
    /// Without the overlong lines, which are not read back.
    all: Vec<Recorded>,
}

impl Model {
    fn new(dir: &Path) -> Self {
        let recorder = Recorder::create(RunDir::new(dir)).unwrap();
        Self { recorder, files: Default::default(), incarnations: [1; 2], end: 0, all: Vec::new() }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Lines { daemon, count } => {
                let text = lines(self.end, u64::from(*count));
                self.put(*daemon, *count, text.as_bytes(), true);
            }
            Step::HalfLine { daemon } => {
                self.put(*daemon, 1, b"{\"fd-sink", false);
                self.files[*daemon].push(b'\n');
            }
            Step::Overlong { daemon, parts, ended } => self.overlong(*daemon, parts, *ended),
            Step::NextIncarnation { daemon } => self.incarnations[*daemon] += 1,
            Step::Flush => self.recorder.flush(),
        }
    }

    fn put(&mut self, daemon: usize, count: u32, bytes: &[u8], is_event: bool) {
        let incarnation = self.incarnations[daemon];
        self.recorder.events(&name(daemon), entry(self.end, count, incarnation), bytes);
        self.files[daemon].extend_from_slice(bytes);
        for _ in 0..count {
            self.all.push((Seq(self.end), daemon, Incarnation(incarnation), is_event));
            self.end += 1;
        }
    }

    fn overlong(&mut self, daemon: usize, parts: &[usize], ended: bool) {
        let begin = self.recorder.offset(&name(daemon));
        assert_eq!(begin, self.files[daemon].len() as u64);
        let (last, first) = parts.split_last().unwrap();
        for part in first {
            let bytes = vec![b'x'; *part];
            self.recorder.fragment(&name(daemon), &bytes);
            self.files[daemon].extend_from_slice(&bytes);
        }
        let mut bytes = vec![b'y'; *last];
        if ended {
            bytes.push(b'\n');
        }
        let mut entry = entry(self.end, 1, self.incarnations[daemon]);
        entry.overlong = true;
        entry.offset = begin;
        entry.bytes = (parts.iter().sum::<usize>() + usize::from(ended)) as u64;
        self.recorder.events(&name(daemon), entry, &bytes);
        bytes.resize(*last, b'y');
        self.files[daemon].extend_from_slice(&bytes);
        self.files[daemon].push(b'\n');
        self.end += 1;
    }
}

/// All that a scan from these positions finds, in its order.
fn scan<L: Lines<Error = RecordError>>(lines: &mut L, from: [u64; 2]) -> Vec<Recorded> {
    let source = |index: usize| ScanSource {
        daemon: name(index),
        envelope: Envelope::Octez,
        from: Seq(from[index]),
    };
    let mut scan = Scan::new((0..2).map(source).collect());
    let mut found = Vec::new();
    while let Some(scanned) = scan.next(lines).unwrap() {
        for (seq, record) in scanned.records() {
            if let Ok(content) = &record.content {
                assert_eq!(content.name.as_str(), format!("n{seq}"));
                assert_eq!(scanned.batch.text(&content.payload), seq.to_string());
            }
            let is_event = record.content.is_ok();
            found.push((seq, scanned.source, scanned.entry.incarnation, is_event));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_was_appended_is_read_back_during_the_run_and_after_it(
        before in prop::collection::vec(steps(), 0..60),
        after in prop::collection::vec(steps(), 0..30),
        from in prop::array::uniform2(0_u64..120),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let mut model = Model::new(&run);
        for step in &before {
            model.take(step);
        }
        let wanted = |model: &Model| -> Vec<Recorded> {
            let wanted = |(seq, daemon, ..): &&Recorded| seq.0 >= from[*daemon];
            model.all.iter().filter(wanted).copied().collect()
        };
        prop_assert_eq!(scan(&mut model.recorder, from), wanted(&model));
        for step in &after {
            model.take(step);
        }
        prop_assert_eq!(scan(&mut model.recorder, from), wanted(&model));
        model.recorder.flush();
        prop_assert_eq!(model.recorder.failure(), None);
        let mut recorded = RecordedRun::open(RunDir::new(&run)).unwrap();
        prop_assert_eq!(scan(&mut recorded, from), wanted(&model));
        for (index, bytes) in model.files.iter().enumerate() {
            let path = recorded.dir().events(&name(index));
            prop_assert!(*bytes == std::fs::read(path).unwrap_or_default(), "other bytes");
        }
    }
}

#[test]
fn a_run_directory_that_holds_a_run_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = Recorder::create(RunDir::new(dir.path())).unwrap();
    let second = Recorder::create(RunDir::new(dir.path()));
    assert!(matches!(second, Err(RecordError::Create { .. })), "{second:?}");
    drop(first);
}

/// A file system of 64 KiB, unmounted when dropped. Only root may have one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tribunal-test"]).arg(&path);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path().join("disk")) else {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    };
    let mut recorder = Recorder::create(RunDir::new(disk.0.join("run"))).unwrap();
    let mut first = 0;
    while recorder.failure().is_none() && first < 100_000 {
        recorder.events(&name(0), entry(first, 50, 1), lines(first, 50).as_bytes());
        first += 50;
    }
    let failure = recorder.failure().expect("64 KiB hold no 100,000 lines").to_owned();
    assert!(failure.contains("d0.jsonl") && failure.contains("No space left"), "{failure}");
    // From here on all is refused or dropped, whatever it is.
    recorder.events(&name(1), entry(first, 1, 1), b"x\n");
    recorder.fragment(&name(0), b"x");
    recorder.output(&name(0), b"x\n");
    recorder.note(&Note { at_s: 0.0, what: What::Text { text: "x".into() } });
    recorder.flush();
    assert_eq!(recorder.failure(), Some(failure.as_str()));
    let scanned = recorder.entries(&name(0), Seq(0));
    assert!(matches!(&scanned, Err(RecordError::Stopped { reason }) if *reason == failure));
    drop(recorder);
    // What had been written is still a run, as far as it goes.
    let run = RecordedRun::open(RunDir::new(disk.0.join("run"))).unwrap();
    assert_eq!(run.notes().unwrap(), []);
}
