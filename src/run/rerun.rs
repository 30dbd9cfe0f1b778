//! The commands that play a scenario again as it was played, and that check its record again.

use std::path::Path;

use super::{Case, Options};
use crate::scenario::job::OctezSource;

/// `tribunal run FILE --seed N`, with those options of this run that change what is played; ready for a shell.
pub fn command(case: &Case, seed: u64, options: &Options) -> String {
    let mut words = vec!["tribunal".to_owned(), "run".to_owned()];
    words.push(case.file.to_string_lossy().into_owned());
    words.extend(["--seed".to_owned(), seed.to_string()]);
    for (name, value) in &options.vars {
        words.extend(["--var".to_owned(), format!("{name}={value}")]);
    }
    if let Some(timeout) = options.timeout {
        let timeout = humantime::format_duration(timeout).to_string().replace(' ', "");
        words.extend(["--timeout".to_owned(), timeout]);
    }
    if (options.timeout_scale - 1.0).abs() > f64::EPSILON {
        words.extend(["--timeout-scale".to_owned(), options.timeout_scale.to_string()]);
    }
    match options.strict {
        Some(true) => words.push("--strict".to_owned()),
        Some(false) => words.push("--no-strict".to_owned()),
        None => {}
    }
    match &options.octez {
        OctezSource::Sandbox => {}
        OctezSource::Path => words.extend(["--octez".to_owned(), "path".to_owned()]),
        OctezSource::Folder(folder) => {
            words.extend(["--octez".to_owned(), folder.to_string_lossy().into_owned()]);
        }
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// `tribunal recheck RUN_DIR`, ready for a shell.
pub fn recheck(run_dir: &Path) -> String {
    format!("tribunal recheck {}", quoted(&run_dir.to_string_lossy()))
}

/// As one word of a POSIX shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,+@%-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::run::dispatch::tests::options;

    #[test]
    fn only_what_changes_the_play_is_repeated() {
        let case = Case {
            file: "my scenarios/it's.yaml".into(),
            name: "a".to_owned(),
            tags: Vec::new(),
            description: None,
            seed: None,
        };
        let plain = options("unused".as_ref());
        let words = r"tribunal run 'my scenarios/it'\''s.yaml' --seed 42";
        assert_eq!(command(&case, 42, &plain), words);

        let mut all = plain;
        all.vars.push(("key".to_owned(), "a b".to_owned()));
        all.vars.push(("times".to_owned(), "3".to_owned()));
        all.timeout = Some(Duration::from_secs(90));
        all.timeout_scale = 2.5;
        all.strict = Some(true);
        all.octez = OctezSource::Folder("/opt/octez".into());
        let rest = " --var 'key=a b' --var times=3 --timeout 1m30s --timeout-scale 2.5 --strict --octez /opt/octez";
        assert_eq!(command(&case, 42, &all), format!("{words}{rest}"));
    }

    #[test]
    fn a_run_directory_can_be_checked_again_whatever_its_name() {
        assert_eq!(recheck("runs/a-42".as_ref()), "tribunal recheck runs/a-42");
        assert_eq!(recheck("my runs/a".as_ref()), "tribunal recheck 'my runs/a'");
    }
}
