use proptest::prelude::*;

use super::{Batch, Envelope, Malformed, Names, Piece, Splitter};

fn decode(text: &str, envelope: &Envelope) -> Batch {
    Batch::decode(text.to_owned().into(), envelope, &mut Names::default())
}

fn fields(name: &str, value: &str, time: Option<&str>) -> Envelope {
    let path =
        |text: &str| text.split('.').filter(|part| !part.is_empty()).map(Into::into).collect();
    Envelope::Fields { name: path(name), value: path(value), time: time.map(path) }
}

const START: &str = r#"{"fd-sink-item.v0":{"hostname":"h","time_stamp":1787318689.2017,"section":["025","delegate"],"event":{"daemon_start.v0":"025-Ps"}}}"#;

#[test]
fn an_octez_line_gives_its_name_time_section_and_raw_payload() {
    let batch = decode(&format!("{START}\n"), &Envelope::Octez);
    let content = batch.records[0].content.as_ref().unwrap();
    assert_eq!(content.name.as_str(), "daemon_start.v0");
    assert_eq!(content.time, Some(1_787_318_689.201_7));
    assert_eq!(batch.text(&content.section), r#"["025","delegate"]"#);
    assert_eq!(batch.text(&content.payload), r#""025-Ps""#);
}

#[test]
fn bad_lines_are_kept_and_the_next_line_is_read_as_if_nothing_had_happened() {
    let mut bytes = Vec::new();
    for bad in [
        &b"plain text"[..],
        b"{\"fd-sink-item.v0\":{\"event\":{\"a\":1}}",
        b"[1,2]",
        b"{\"other\":1}",
        b"\xff\xfe{}",
        b"{\"fd-sink-item.v0\":{\"event\":{\"attempt\":1,\"delay\":0}}}",
        b"{\"fd-sink-item.v0\":{\"event\":{}}}",
    ] {
        bytes.extend_from_slice(bad);
        bytes.extend_from_slice(b"\n\n  \r\n");
        bytes.extend_from_slice(START.as_bytes());
        bytes.push(b'\n');
    }
    let batch = Batch::decode(bytes.into(), &Envelope::Octez, &mut Names::default());
    let good: Vec<bool> = batch.records.iter().map(|record| record.content.is_ok()).collect();
    assert_eq!(good, [false, true].repeat(7));
    assert!(matches!(batch.records[0].content, Err(Malformed::NotJson { .. })));
    assert!(matches!(batch.records[6].content, Err(Malformed::NoEnvelope { .. })));
    assert!(matches!(batch.records[8].content, Err(Malformed::NotUtf8 { at: 0 })));
}

#[test]
fn deep_nesting_in_a_payload_is_no_panic() {
    let deep = "[".repeat(100_000);
    let line = format!("{{\"fd-sink-item.v0\":{{\"event\":{{\"x\":{deep}\n{START}\n");
    let batch = decode(&line, &Envelope::Octez);
    assert!(batch.records[0].content.is_err());
    assert!(batch.records[1].content.is_ok());
}

#[test]
fn other_envelopes_are_paths_of_fields() {
    let line = r#"{"t":"2026-08-21T13:31:29Z","log":{"msg":"re\u0061dy","data":{"x":1}}}"#;
    let batch = decode(line, &fields("log.msg", "log.data", Some("t")));
    let content = batch.records[0].content.as_ref().unwrap();
    assert_eq!(content.name.as_str(), "ready");
    assert_eq!(batch.text(&content.payload), r#"{"x":1}"#);
    assert_eq!(content.time, Some(1_787_319_089.0));
    let whole = decode(line, &fields("log.msg", "", None));
    assert_eq!(whole.text(&whole.records[0].content.as_ref().unwrap().payload), line);
    let missing = decode(line, &fields("nope", "", None));
    assert_eq!(missing.records[0].content, Err(Malformed::NoEnvelope { missing: "event name" }));
}

#[test]
fn half_a_line_at_the_end_is_malformed_and_a_whole_one_without_newline_is_not() {
    let names = &mut Names::default();
    let half = Batch::decode_unterminated(START[..40].to_owned().into(), &Envelope::Octez, names);
    assert!(matches!(half.records[0].content, Err(Malformed::Unterminated { .. })));
    let whole = Batch::decode_unterminated(START.to_owned().into(), &Envelope::Octez, names);
    assert!(whole.records[0].content.is_ok());
}

/// A line of one of few kinds, all ASCII.
fn sink_line() -> impl Strategy<Value = String> {
    let time = prop::sample::select(vec![
        "1.5",
        "1787318689.2017",
        "7",
        "-0",
        "1e3",
        "null",
        "\"x\"",
        "01",
    ]);
    let payload = prop::sample::select(vec![
        "1",
        "{\"a\":[]}",
        "\"x\"",
        "{}",
        "1,\"b\":2",
        "\"\\u0061\"",
        "[",
        " 1 ",
    ]);
    let name = prop::sample::select(vec!["a.v0", "b.v0", "a.v0\":{},\"", "\\u0061"]);
    let section = prop::sample::select(vec!["\"section\":[\"s\"],", "\"section\":null,", ""]);
    let end = prop::sample::select(vec![
        "}}}",
        "}}}",
        "}}}",
        "} }}",
        ",\"x\":1}}}",
        "},\"section\":[]}}",
        "}}",
    ]);
    (time, section, name, payload, end).prop_map(|(time, section, name, payload, end)| {
        format!(r#"{{"fd-sink-item.v0":{{"time_stamp":{time},{section}"event":{{"{name}":{payload}{end}"#)
    })
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, &'static str)>> {
    let with = prop::sample::select(vec![
        "", " ", "{", "}", "[", "]", ",", ":", "\"", "0", ".", "-", "\\",
    ]);
    prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec((any::<prop::sample::Index>(), with), 1..3),
    ]
}

/// The lines of `input` and the over-long ones, fed in chunks of these sizes.
fn split(input: &[u8], sizes: &[usize], cap: usize) -> Vec<(bool, Vec<u8>)> {
    let mut splitter = Splitter::with_cap(cap);
    let mut lines: Vec<(bool, Vec<u8>)> = Vec::new();
    let mut overlong: Option<Vec<u8>> = None;
    let mut take = |piece: Piece| match piece {
        Piece::Lines(bytes) => {
            assert_eq!(bytes.last(), Some(&b'\n'));
            lines.extend(
                bytes[..bytes.len() - 1].split(|b| *b == b'\n').map(|l| (false, l.to_vec())),
            );
        }
        Piece::Overlong { bytes, last } => {
            let line = overlong.get_or_insert_default();
            line.extend_from_slice(&bytes);
            if last {
                let mut line = overlong.take().unwrap_or_default();
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                lines.push((true, line));
            }
        }
        Piece::Unterminated(bytes) => lines.push((bytes.len() > cap, bytes.to_vec())),
    };
    let mut rest = input;
    for size in sizes.iter().copied().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at(size.clamp(1, rest.len()));
        splitter.buffer().extend_from_slice(chunk);
        while let Some(piece) = splitter.next_piece() {
            take(piece);
        }
        rest = after;
    }
    if let Some(piece) = splitter.finish() {
        take(piece);
    }
    lines
}

fn reference(input: &[u8], cap: usize) -> Vec<(bool, Vec<u8>)> {
    let mut lines: Vec<_> =
        input.split(|b| *b == b'\n').map(|l| (l.len() > cap, l.to_vec())).collect();
    if lines.last().is_some_and(|(_, line)| line.is_empty()) {
        lines.pop();
    }
    lines
}

proptest! {
    #[test]
    fn any_chunking_of_any_bytes_gives_the_same_lines(
        input in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n')], 0..600),
        sizes in prop::collection::vec(1usize..90, 1..12),
        cap in 1usize..60,
    ) {
        prop_assert_eq!(split(&input, &sizes, cap), reference(&input, cap));
    }

    /// What earlier lines were like must not matter to how a line is read.
    #[test]
    fn a_line_is_read_alike_whatever_came_before_it(
        lines in prop::collection::vec((sink_line(), changes()), 1..30),
    ) {
        let names = &mut Names::default();
        for (line, changes) in lines {
            let mut line = line;
            for (at, with) in changes {
                let at = at.index(line.len());
                line.replace_range(at..=at, with);
            }
            let bytes = bytes::Bytes::from(line);
            let after_others = Batch::decode(bytes.clone(), &Envelope::Octez, names);
            let alone = Batch::decode(bytes.clone(), &Envelope::Octez, &mut Names::default());
            prop_assert_eq!(after_others.records, alone.records, "{:?}", bytes);
        }
    }

    #[test]
    fn any_bytes_decode_without_panic_and_every_record_is_a_line(
        input in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let batch = Batch::decode(input.clone().into(), &Envelope::Octez, &mut Names::default());
        let lines = input.split(|b| *b == b'\n').filter(|l| !l.iter().all(u8::is_ascii_whitespace));
        prop_assert_eq!(batch.records.len(), lines.count());
    }
}
