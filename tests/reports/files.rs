//! Where reports go, and what happens if they cannot.

use std::path::PathBuf;

use crate::folder::{FAILS, Folder, PASSES};

#[test]
fn a_file_that_cannot_be_written_is_known_before_anything_is_played() {
    let folder = Folder::with(&[("a.yaml", PASSES)]);
    for option in ["--json", "--junit", "--html", "--trace"] {
        for file in ["missing/out", "scenarios"] {
            let output = folder.run(&["run", option, file, "--keep", "always"], 4);
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(told.contains(&format!("cannot write the report {file}")), "{option}: {told}");
            assert_eq!(folder.run_dirs(), Vec::<PathBuf>::new(), "{option}");
        }
    }
}

#[test]
fn a_full_disk_is_told_and_changes_the_exit_code() {
    let folder = Folder::with(&[("a.yaml", PASSES)]);
    for option in ["--json", "--junit", "--html", "--trace"] {
        let output = folder.run(&["run", option, "/dev/full"], 4);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("cannot write the report /dev/full: "), "{option}: {told}");
    }
}

#[test]
fn a_report_on_standard_output_stands_there_alone() {
    let folder = Folder::with(&[("a.yaml", PASSES)]);
    let starts =
        [("--json", "{"), ("--junit", "<?xml"), ("--html", "<!DOCTYPE html>"), ("--trace", "{\"")];
    for (option, start) in starts {
        let output = folder.run(&["run", option, "-"], 0);
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(out.starts_with(start) && !out.contains("1 passed in"), "{option}: {out}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("1 passed in"), "{option}");
    }
    let output = folder.run(&["run", "--json", "-", "--junit", "-"], 2);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("only one report can go to standard output"), "{told}");
}

#[test]
fn a_kept_run_directory_has_its_timeline() {
    let folder = Folder::with(&[("a.yaml", PASSES), ("b.yaml", FAILS)]);
    folder.run(&["run"], 1);
    let [run_dir] = &folder.run_dirs()[..] else { panic!("one is kept") };
    let page = std::fs::read_to_string(run_dir.join("timeline.html")).expect("it was drawn");
    assert!(page.contains("bad &lt;luck&gt; &amp; &quot;quotes&quot;"));
    // Drawn again, it is the same page: nothing of it depends on when it is drawn.
    folder.run(&["report", run_dir.to_str().expect("UTF-8"), "--html", "again.html"], 0);
    assert_eq!(folder.read("again.html"), page);
}

#[test]
fn report_says_what_is_wrong_with_its_arguments() {
    let folder = Folder::with(&[]);
    folder.run(&["report", "."], 2);
    folder.run(&["report", ".", "--html", "-", "--trace", "-"], 2);
    let output = folder.run(&["report", ".", "--html", "out.html"], 4);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("is no run directory"), "{told}");
    assert!(!folder.path().join("out.html").exists(), "nothing is left of what could not be drawn");
}

#[test]
fn a_report_does_not_overwrite_a_scenario_that_is_to_be_played() {
    let folder = Folder::with(&[("a.yaml", PASSES)]);
    for option in ["--json", "--junit", "--html", "--trace"] {
        let output = folder.run(&["run", "scenarios", option, "./scenarios/a.yaml"], 2);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("would overwrite a scenario"), "{option}: {told}");
        assert_eq!(folder.read("scenarios/a.yaml"), PASSES, "{option}");
    }
}

#[test]
fn an_event_that_no_daemon_has_said_is_told_with_the_closest_that_one_has() {
    let folder = Folder::with(&[("a.yaml", PASSES)]);
    folder.run(&["run", "--keep", "always"], 0);
    let [run_dir] = &folder.run_dirs()[..] else { panic!("one is kept") };
    let run_dir = run_dir.to_str().expect("UTF-8");
    let table = [
        (&["--event", "helo.v0"][..], "no event `helo.v0` in this run; did you mean hello.v0?"),
        (&["--event", "zzz"], "no event `zzz` in this run\n"),
        (&["--event", "hello.*", "--where", "level > 1"], "no such event in this run\n"),
    ];
    for (filter, expected) in table {
        let output = folder.run(&[&["events", run_dir][..], filter].concat(), 0);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout.is_empty() && told.contains(expected), "{filter:?}: {told}");
    }
}
