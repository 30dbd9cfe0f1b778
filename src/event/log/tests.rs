use std::convert::Infallible;

use bytes::Bytes;
use proptest::prelude::*;

use super::{IndexEntry, Lines, Scan, ScanSource, SparseIndex};
use crate::daemon::{DaemonName, Incarnation};
use crate::event::Seq;
use crate::event::decode::Envelope;

fn name(index: usize) -> DaemonName {
    DaemonName::new(format!("d{index}")).unwrap()
}

/// Several daemons' files and indexes in memory.
#[derive(Default)]
struct Model {
    files: Vec<(Vec<u8>, Vec<IndexEntry>, SparseIndex)>,
    /// What a scan should find: (seq, daemon).
    all: Vec<(Seq, usize)>,
    end: u64,
}

impl Model {
    fn append(&mut self, daemon: usize, records: u32) {
        while self.files.len() <= daemon {
            self.files.push(Default::default());
        }
        let (bytes, entries, sparse) = &mut self.files[daemon];
        let offset = bytes.len() as u64;
        for record in 0..records {
            let seq = self.end + u64::from(record);
            let line = format!("{{\"fd-sink-item.v0\":{{\"event\":{{\"n{seq}\":{seq}}}}}}}\n");
            bytes.extend_from_slice(line.as_bytes());
            self.all.push((Seq(seq), daemon));
        }
        let entry = IndexEntry {
            first: Seq(self.end),
            records,
            incarnation: Incarnation(1),
            offset,
            bytes: bytes.len() as u64 - offset,
            monotonic_us: self.end,
            wall_us: 7,
            late: false,
            overlong: false,
        };
        self.end += u64::from(records);
        if !entries.last_mut().is_some_and(|last| last.merge(&entry)) {
            sparse.push(&entry);
            entries.push(entry);
        }
    }
}

impl Lines for Model {
    type Error = Infallible;

    fn entries(&mut self, daemon: &DaemonName, from: Seq) -> Result<Vec<IndexEntry>, Infallible> {
        let index = (0..self.files.len()).find(|index| name(*index) == *daemon);
        let Some((_, entries, sparse)) = index.map(|index| &self.files[index]) else {
            return Ok(Vec::new());
        };
        let start = usize::try_from(sparse.start(from)).unwrap();
        Ok(entries[start..].iter().filter(|entry| entry.end() > from).take(3).copied().collect())
    }

    fn bytes(&mut self, daemon: &DaemonName, entry: &IndexEntry) -> Result<Bytes, Infallible> {
        let index = (0..self.files.len()).find(|index| name(*index) == *daemon).unwrap();
        let start = usize::try_from(entry.offset).unwrap();
        let length = usize::try_from(entry.bytes).unwrap();
        Ok(Bytes::copy_from_slice(&self.files[index].0[start..][..length]))
    }
}

fn drain(scan: &mut Scan, model: &mut Model, found: &mut Vec<(Seq, usize)>) {
    while let Ok(Some(scanned)) = scan.next(model) {
        for (seq, record) in scanned.records() {
            let content = record.content.as_ref().unwrap();
            assert_eq!(content.name.as_str(), format!("n{seq}"));
            found.push((seq, scanned.source));
        }
    }
}

proptest! {
    #[test]
    fn a_scan_sees_each_record_from_its_position_once_and_in_the_order_of_the_log(
        before in prop::collection::vec((0usize..3, 1u32..5), 0..40),
        after in prop::collection::vec((0usize..3, 1u32..5), 0..20),
        from in prop::collection::vec(0u64..60, 3),
    ) {
        let mut model = Model::default();
        for (daemon, records) in before {
            model.append(daemon, records);
        }
        let sources = (0..3).map(|index| ScanSource {
            daemon: name(index),
            envelope: Envelope::Octez,
            from: Seq(from[index]),
        });
        let mut scan = Scan::new(sources.collect());
        let mut found = Vec::new();
        drain(&mut scan, &mut model, &mut found);
        for (daemon, records) in after {
            model.append(daemon, records);
        }
        drain(&mut scan, &mut model, &mut found);
        let wanted: Vec<_> =
            model.all.iter().filter(|(seq, daemon)| seq.0 >= from[*daemon]).copied().collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn an_index_entry_reads_back_as_it_was_written(
        first in any::<u64>(), records in any::<u32>(), offset in any::<u64>(), bytes in any::<u64>(),
        times in any::<(u64, u64)>(), incarnation in any::<u32>(), flags in any::<(bool, bool)>(),
    ) {
        let entry = IndexEntry {
            first: Seq(first), records, incarnation: Incarnation(incarnation), offset, bytes,
            monotonic_us: times.0, wall_us: times.1, late: flags.0, overlong: flags.1,
        };
        prop_assert_eq!(IndexEntry::from_bytes(&entry.to_bytes()), entry);
    }
}
