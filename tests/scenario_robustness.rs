//! Whatever a file holds, loading it gives a scenario or diagnostics that can be shown: never a panic, never a hang.

use std::io::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use tribunal::scenario::{Colour, Overrides, ScenarioError, Source, load, load_source};

const VALID: &str = include_str!("scenarios/valid/everything.yaml");

/// What mutations insert: everything that means something to YAML, to templates, to predicates or to us.
const PIECES: &[&str] = &[
    " ",
    "\n",
    "\t",
    "\r\n",
    "  ",
    "- ",
    "? ",
    ": ",
    ":",
    ",",
    "{",
    "}",
    "[",
    "]",
    "#",
    " #",
    "\"",
    "'",
    "|",
    ">",
    "|2-\n",
    "&a ",
    "*a",
    "!t ",
    "!!str ",
    "%",
    "@",
    "`",
    "---\n",
    "...\n",
    "<<: ",
    "~",
    "null",
    "no",
    "010",
    "0x1f",
    "1e999",
    "-1",
    "99999999999999999999",
    "$",
    "${",
    "}",
    "$$",
    "$x",
    "${port.a}",
    "${env.A:-b}",
    "where: ",
    "steps",
    "daemons",
    "é",
    "\u{1f980}",
    "\u{0}",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "start: ",
    "use: ",
    "with: ",
    "(",
    ")",
    "&&",
    "==",
    "\\x41",
    "\\",
    "{ start: node }",
    "[[[[[[[[",
    "use: everything.yaml",
];

/// Loads, and renders whatever was found, with and without colours.
fn survives(source: &Arc<Source>) {
    let diagnostics = match load_source(source, &Overrides::default()) {
        Ok(loaded) => loaded.warnings,
        Err(ScenarioError::Invalid { diagnostics }) => {
            assert!(diagnostics.iter().any(tribunal::scenario::Diagnostic::is_error));
            diagnostics
        }
        Err(error) => panic!("a text in memory cannot fail to be read: {error}"),
    };
    for diagnostic in diagnostics {
        assert!(!diagnostic.render(Colour::Plain).is_empty());
        assert!(!diagnostic.render(Colour::Ansi).is_empty());
        if let Some(span) = diagnostic.span {
            let text = diagnostic.source.text();
            assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
        }
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, usize),
    Remove(usize, usize),
    Double(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = 0..VALID.len();
    prop_oneof![
        (at.clone(), 0..PIECES.len()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (at.clone(), 1..40_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (at, 1..200_usize).prop_map(|(at, length)| Edit::Double(at, length)),
    ]
}

fn edited(edits: &[Edit]) -> String {
    let mut text = VALID.to_owned();
    for edit in edits {
        match *edit {
            Edit::Insert(at, piece) => {
                let at = text.floor_char_boundary(at);
                text.insert_str(at, PIECES[piece]);
            }
            Edit::Remove(at, length) => {
                let start = text.floor_char_boundary(at);
                let end = text.floor_char_boundary(at + length).max(start);
                text.replace_range(start..end, "");
            }
            Edit::Double(at, length) => {
                let start = text.floor_char_boundary(at);
                let end = text.floor_char_boundary(at + length).max(start);
                let piece = text[start..end].to_owned();
                text.insert_str(start, &piece);
            }
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_scenario_is_loaded_or_refused(edits in prop::collection::vec(edit(), 1..6)) {
        survives(&Arc::new(Source::new("tests/scenarios/valid/mutated.yaml", edited(&edits))));
    }

    #[test]
    fn any_mixture_of_the_format_is_loaded_or_refused(pieces in prop::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        survives(&Arc::new(Source::new("tests/scenarios/valid/mixed.yaml", text)));
    }

    #[test]
    fn any_text_is_loaded_or_refused(text in any::<String>()) {
        survives(&Arc::new(Source::new("text.yaml", text)));
    }

    #[test]
    fn any_bytes_are_loaded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        file.write_all(&bytes).expect("a temporary file can be written");
        if let Err(error) = load(file.path(), &Overrides::default()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn a_file_beyond_the_limit_is_refused_without_being_read_to_its_end() {
    let error = load("/dev/zero".as_ref(), &Overrides::default()).expect_err("no scenario");
    assert!(error.to_string().contains("not a regular file"), "{error}");
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    file.as_file().set_len(1 << 40).expect("a sparse file can be made");
    let error = load(file.path(), &Overrides::default()).expect_err("no scenario");
    assert!(error.to_string().contains("larger than 4 MiB"), "{error}");
}

#[test]
fn a_folder_and_a_missing_file_are_told_apart() {
    let error = load("tests".as_ref(), &Overrides::default()).expect_err("no scenario");
    assert!(error.to_string().contains("not a regular file"), "{error}");
    let error = load("tests/none.yaml".as_ref(), &Overrides::default()).expect_err("no scenario");
    assert!(matches!(error, ScenarioError::Unreadable { .. }), "{error}");
}

/// Work that grows faster than the file: each of these took seconds or the stack somewhere once, in somebody's parser.
#[test]
fn large_and_deep_files_are_refused_in_no_time() {
    let cases = [
        "[".repeat(1 << 20),
        "- ".repeat(1 << 18),
        "{a: ".repeat(1 << 18),
        "? ".repeat(1 << 18),
        "a:\n ".repeat(1 << 16),
        format!("steps: [{{ log: \"{}\" }}]", "$$".repeat(1 << 20)),
        format!("steps:\n{}", "- log: x\n".repeat(1 << 17)),
        format!("steps:\n{}", "- lgo: x\n".repeat(1 << 17)),
        format!("steps: [{{ assert: '{}' }}]", "(".repeat(1 << 20)),
        format!("vars: {{ {} }}\nsteps: []", "a, ".repeat(1 << 17)),
        format!("\"{}", "x".repeat(1 << 21)),
        "&a ".repeat(1 << 16),
        "!".repeat(1 << 18),
    ];
    for text in cases {
        let shown: String = text.chars().take(20).collect();
        let start = std::time::Instant::now();
        survives(&Arc::new(Source::new("large.yaml", text)));
        let taken = start.elapsed();
        assert!(taken.as_secs() < 20, "{shown}: {taken:?}");
    }
}
