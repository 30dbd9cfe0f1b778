//! What the README shows is what there is: its code is that of files which are compiled and played, its outputs are those
//! of the program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::process::Command;

use regex::Regex;

const TRIBUNAL: &str = env!("CARGO_BIN_EXE_tribunal");

const README: &str = include_str!("../README.md");

/// The contents of the README's blocks in this language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("\n```{language}\n");
    let after = README.split(opening.as_str()).skip(1);
    after.map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn the_readmes_rust_is_a_test_that_passes() {
    assert_eq!(blocks("rust"), [include_str!("readme.rs")]);
}

#[test]
fn the_readmes_scenarios_are_files_that_are_played() {
    let files = ["../scenarios/accuser_comes_back.yaml", "readme/too_high.yaml"];
    let good = include_str!("../scenarios/accuser_comes_back.yaml");
    assert_eq!(blocks("yaml"), [good, include_str!("readme/too_high.yaml")], "{files:?}");
}

/// What differs from run to run is masked: times, process ids, positions, a node's own words.
fn masked(output: &str) -> String {
    let masks = [
        (r"(?m)(^ {12}\| .*\n)+", "            | …\n"),
        (r"(?m)^  host .*\n", ""),
        // Where a line is broken depends on what is masked.
        (r"\n {12}([^|])", " $1"),
        (r" +\+?\d+\.\d s", " T s"),
        (r#""hash":"[^"]*""#, r#""hash":"…""#),
        (r"pid \d+", "pid N"),
        (r"ago, [\w.-]+", "ago, EVENT"),
        (r"seq \d+", "seq N"),
        (r"\b\d+\s+events\s+searched", "N events searched"),
        (r"\b\d{8}T\d{6}Z\b", "TIME"),
        (r"(?m) +$", ""),
    ];
    let mut text = output.trim_end().to_owned();
    for (pattern, mask) in masks {
        text = Regex::new(pattern).unwrap().replace_all(&text, mask).into_owned();
    }
    text
}

#[test]
fn the_readmes_outputs_are_the_programs() {
    let mut played = 0;
    for block in blocks("text") {
        let (command, shown) = block.split_once('\n').unwrap();
        let words: Vec<&str> = command.split_whitespace().collect();
        let ["$", "tribunal", arguments @ ..] = &words[..] else {
            panic!("no command of ours: {command}");
        };
        // Where it puts what it leaves, too, is as in the README: below the repository's target directory.
        let output = Command::new(TRIBUNAL).args(arguments).env_remove("TRIBUNAL_OCTEZ").output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(masked(&text), masked(shown), "{command}");
        if let Some(run_dir) = text.lines().find_map(|line| line.strip_prefix("  run dir   ")) {
            assert!(fs::metadata(run_dir).unwrap().is_dir());
            fs::remove_dir_all(run_dir).unwrap();
        }
        played += 1;
    }
    assert_eq!(played, 2);
}

#[test]
fn the_readmes_exit_codes_and_options_are_those_of_the_help() {
    let help = |arguments: &[&str]| {
        let output = Command::new(TRIBUNAL).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let general = help(&["--help"]);
    for code in ["0", "1", "2", "3", "4", "70", "130"] {
        assert!(README.contains(&format!("\n| {code} | ")), "{code}");
        assert!(general.contains(&format!("\n  {code:<4} ")), "{code}: {general}");
    }
    let commands = ["run", "check", "events", "recheck", "report"];
    let commands = commands.map(|command| help(&[command, "--help"])).concat();
    for option in Regex::new(r"`[^`]*?(--[a-z][a-z-]+)").unwrap().captures_iter(README) {
        let known = ["--release", "--path", "--open"].contains(&&option[1]);
        assert!(known || commands.contains(&option[1]), "{}", &option[1]);
    }
}

#[test]
fn every_folder_and_module_of_the_sources_is_on_the_map() {
    for entry in fs::read_dir("src").unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let module = name.trim_end_matches(".rs");
        if !["lib", "cause"].contains(&module) {
            assert!(README.contains(&format!("`{module}`")), "{module} is not on the map");
        }
    }
}
