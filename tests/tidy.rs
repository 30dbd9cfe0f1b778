//! The order of the sources: who may import whom, how long a file may be, what must not be left lying about.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// The layers, lowest first. A module imports its own layer and lower ones.
const LAYERS: [&[&str]; 7] = [
    &["cause", "event", "predicate", "daemon", "fault", "octez"],
    &["host", "record"],
    &["actors"],
    &["harness"],
    &["scenario"],
    &["run", "report"],
    &["cli", "commands", "main"],
];

/// The stand-ins use nothing of ours but the lowest layer, and nothing but `main` and `commands` uses them.
const ASIDE: &str = "sandbox";

const MAX_LINES: usize = 500;

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// All files below these folders of the repository with this ending.
fn files(folders: &[&str], ending: &str) -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a folder of the repository can be read").path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {folders:?} ends with {ending}");
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first component below `src/`, without its ending.
fn module_of(path: &Path) -> String {
    let below = path.strip_prefix("src").expect("a file of src");
    let first = below.components().next().expect("a file has a name").as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Lines of code with their numbers: comments are left out, and the texts of messages are not.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// What is wrong, one line each.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, path: &Path, line: usize, what: &str) {
        self.0.push(format!("{}:{line}: {what}", path.display()));
    }

    fn assert_none(self) {
        assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
    }
}

#[test]
fn a_layer_imports_only_lower_ones() {
    let import = Regex::new(r"\bcrate::([a-z_]+)").unwrap();
    let mut findings = Findings::default();
    let mut modules = BTreeSet::new();
    for path in files(&["src"], ".rs") {
        let module = module_of(&path);
        modules.insert(module.clone());
        let text = read(&path);
        for (line, code) in code(&text) {
            for found in import.captures_iter(code) {
                let imported = &found[1];
                let fine = match (layer(&module), layer(imported)) {
                    (Some(own), Some(other)) => other <= own,
                    // The stand-ins, and `lib.rs`, which has them all.
                    (None, other) => imported == module || other == Some(0),
                    (Some(_), None) => false,
                };
                if !fine {
                    findings.add(&path, line, &format!("`{module}` imports `{imported}`"));
                }
            }
        }
    }
    findings.assert_none();
    modules.remove("lib");
    modules.remove(ASIDE);
    for module in modules {
        assert!(layer(&module).is_some(), "say in which layer `{module}` is");
    }
}

#[test]
fn only_some_modules_know_actors_processes_and_unsafe_code() {
    let rules = [
        (r"\bactix(_rt)?::", &["actors", "harness"][..]),
        (r"\b(nix|rustix)::", &["host", "sandbox"]),
        (r"\bunsafe\b[^_-]", &["host", "sandbox"]),
    ]
    .map(|(pattern, modules)| (Regex::new(pattern).unwrap(), modules));
    let runtime = Regex::new(r"\b(tokio|std::process|Instant::now|SystemTime::now)\b").unwrap();
    let mut findings = Findings::default();
    for path in files(&["src"], ".rs") {
        let module = module_of(&path);
        let text = read(&path);
        for (line, code) in code(&text) {
            for (rule, modules) in &rules {
                if rule.is_match(code) && !modules.contains(&module.as_str()) {
                    findings.add(&path, line, &format!("only {modules:?} may use this: {code}"));
                }
            }
            let decides = ["event", "predicate", "daemon", "fault"].contains(&module.as_str());
            let is_test = path.ends_with("tests.rs");
            if decides && !is_test && runtime.is_match(code) {
                findings.add(&path, line, &format!("`{module}` takes time as an argument: {code}"));
            }
        }
    }
    findings.assert_none();
}

#[test]
fn no_file_is_long_and_no_module_is_called_mod() {
    let mut findings = Findings::default();
    for path in files(&["src", "tests", "benches"], ".rs") {
        let lines = read(&path).lines().count();
        if lines > MAX_LINES {
            findings.add(&path, lines, &format!("more than {MAX_LINES} lines"));
        }
        if path.ends_with("mod.rs") {
            findings.add(&path, 1, "`foo.rs` with `foo/`, not `foo/mod.rs`");
        }
    }
    findings.assert_none();
}

#[test]
fn nothing_is_left_to_be_done_later() {
    let left = ["to", "do!("].concat();
    let mut words = vec![left, ["unimple", "mented!("].concat(), ["db", "g!("].concat()];
    words.extend([["FIX", "ME"].concat(), ["TO", "DO"].concat(), ["XX", "X"].concat()]);
    words.extend([["#[al", "low("].concat(), ["#[ig", "nore"].concat()]);
    let mut findings = Findings::default();
    for path in files(&["src", "tests", "benches"], ".rs") {
        for (index, text) in read(&path).lines().enumerate() {
            for word in words.iter().filter(|word| text.contains(word.as_str())) {
                findings.add(&path, index + 1, &format!("`{word}`"));
            }
        }
    }
    findings.assert_none();
}

#[test]
fn every_scenario_begins_with_what_it_shows() {
    let mut findings = Findings::default();
    for path in files(&["scenarios"], ".yaml") {
        if !read(&path).starts_with("# Shows ") {
            findings.add(&path, 1, "begin with a comment that says what it shows");
        }
    }
    findings.assert_none();
}
