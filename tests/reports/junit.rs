use std::process::Command;

use crate::folder::{ERRS, FAILS, FLAKY, Folder, INVALID, PASSES};

/// Checks the file against the schema, and gives its text.
#[track_caller]
fn valid(folder: &Folder, file: &str) -> String {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reports/junit.xsd");
    let output = Command::new("xmllint")
        .args(["--noout", "--schema", schema, file])
        .current_dir(folder.path())
        .output()
        .unwrap_or_else(|error| {
            panic!("xmllint: {error}; install it with `apt-get install libxml2-utils`")
        });
    let text = folder.read(file);
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The part of a test case of that name.
#[track_caller]
fn case<'t>(text: &'t str, name: &str) -> &'t str {
    let start = text
        .find(&format!("<testcase name=\"{name}"))
        .unwrap_or_else(|| panic!("no {name}:\n{text}"));
    let rest = &text[start..];
    let end = rest.find("</testcase>").unwrap_or(rest.len());
    &rest[..end]
}

#[test]
fn failures_errors_retries_and_properties_stand_where_ci_looks_for_them() {
    let files = [("a.yaml", PASSES), ("b.yaml", FAILS), ("c.yaml", ERRS), ("d.yaml", FLAKY)];
    let folder = Folder::with(&files);
    folder.run(
        &["run", "--retries", "1", "--junit", "out.xml", "--seed", "7", "--keep", "always"],
        4,
    );
    let text = valid(&folder, "out.xml");
    let all = text.lines().find(|line| line.contains("<testsuites")).expect("it begins so");
    for count in ["tests=\"4\"", "skipped=\"0\"", "errors=\"1\"", "failures=\"1\""] {
        assert!(all.contains(count), "{all}");
    }

    let passed = case(&text, "a passing one");
    assert!(passed.contains("classname=\"scenarios/a.yaml\""), "{passed}");
    assert!(passed.contains("<property name=\"seed\" value=\"7\"/>"), "{passed}");
    assert!(passed.contains("<property name=\"run-dir\" value=\"tribunal-runs/"), "{passed}");
    assert!(!passed.contains("<failure") && !passed.contains("Failure"), "{passed}");

    let failed = case(&text, "bad &lt;luck&gt; &amp; &quot;quotes&quot;");
    assert!(failed.contains(" type=\"timed-out\""), "{failed}");
    assert!(failed.contains("scenarios/b.yaml:8:5  expect  FAILED"), "{failed}");
    assert!(failed.contains("<rerunFailure ") && failed.contains("<stackTrace>"), "{failed}");
    assert!(!failed.contains(['\u{1b}', '\u{1}']), "{failed}");

    let broken = case(&text, "nothing to run");
    assert!(broken.contains("<error ") && !broken.contains("<failure"), "{broken}");

    let flaky = case(&text, "fails once");
    assert!(flaky.contains("<flakyFailure ") && !flaky.contains("<failure"), "{flaky}");
}

#[test]
fn what_was_not_played_is_skipped_and_what_was_interrupted_an_error() {
    let folder = Folder::with(&[("b.yaml", PASSES)]);
    folder.run_interrupted(&["run", "-j", "1", "--junit", "out.xml"]);
    let text = valid(&folder, "out.xml");
    assert!(case(&text, "too long").contains("type=\"interrupted\""), "{text}");
    assert!(case(&text, "a passing one").contains("<skipped message=\"not played"), "{text}");

    let folder = Folder::with(&[("a.yaml", FAILS)]);
    folder.run(&["run", "-j", "1", "--repeat", "3", "--fail-fast", "--junit", "out.xml"], 1);
    let text = valid(&folder, "out.xml");
    assert!(text.contains("(2 more repetitions)"), "{text}");
}

#[test]
fn a_file_that_is_invalid_is_an_error() {
    let folder = Folder::with(&[("a.yaml", INVALID)]);
    folder.run(&["run", "--junit", "out.xml"], 3);
    let text = valid(&folder, "out.xml");
    let case = case(&text, "scenarios/a.yaml");
    assert!(case.contains("type=\"invalid\"") && case.contains("dance"), "{case}");
}
