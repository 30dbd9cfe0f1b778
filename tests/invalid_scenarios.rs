//! Broken scenario files, each with the text that a user sees beside it (`NAME.stderr`); `BLESS=1` writes these anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use tribunal::scenario::{Overrides, ScenarioError, load};

const FOLDER: &str = "tests/scenarios/invalid";

fn main() {
    let trials = files().into_iter().map(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || compare(&path))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(FOLDER).expect("the folder of broken files is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder of the repository can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// What is shown to the user: the error, or the warnings of a file that is valid.
fn rendered(path: &Path) -> String {
    let mut text = match load(path, &Overrides::default()) {
        Ok(loaded) => {
            let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
            warnings.join("\n\n")
        }
        Err(ScenarioError::Unreadable { source, .. }) => format!("unreadable: {source}"),
        Err(error) => error.to_string(),
    };
    writeln!(text).expect("writing to a string cannot fail");
    text
}

fn compare(path: &Path) -> Result<(), Failed> {
    let found = rendered(path);
    let expected_path = path.with_extension("stderr");
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(&expected_path, found).map_err(Failed::from);
    }
    let expected = std::fs::read_to_string(&expected_path)
        .map_err(|error| format!("{}: {error}; BLESS=1 writes it", expected_path.display()))?;
    if found.trim().is_empty() {
        return Err(format!("{} is not broken", path.display()).into());
    }
    if found != expected {
        return Err(format!("expected:\n{expected}\nfound:\n{found}").into());
    }
    Ok(())
}
