//! Reading all files before anything is played.

use std::path::PathBuf;

use super::{Case, Exit};
use crate::scenario::model::Scenario;
use crate::scenario::{Diagnostic, Overrides, ScenarioError, load};

/// A file that cannot be played, and why.
#[derive(Debug)]
pub struct Refused {
    pub file: PathBuf,
    pub error: ScenarioError,
}

impl Refused {
    /// What it ends the program with.
    pub fn exit(&self) -> Exit {
        match self.error {
            ScenarioError::Unreadable { .. } => Exit::Environment,
            ScenarioError::Invalid { .. } => Exit::Invalid,
        }
    }
}

/// Files as far as they could be read.
#[derive(Debug, Default)]
pub struct Read {
    pub cases: Vec<Case>,
    /// What is allowed in them and probably not meant.
    pub warnings: Vec<Diagnostic>,
    /// If there is one, nothing is to be played.
    pub refused: Vec<Refused>,
}

/// Parses and checks all files, with the variables that are set from outside.
///
/// `look` may find more to warn of in each that can be played.
pub fn read(
    files: Vec<PathBuf>,
    vars: &[(String, String)],
    look: &dyn Fn(&Scenario) -> Vec<Diagnostic>,
) -> Read {
    // The seed of a case is the one that its file pins, so it is not overridden here; nor is what cannot make it invalid.
    let overrides = Overrides { vars: vars.to_vec(), ..Overrides::default() };
    let mut read = Read::default();
    for file in files {
        match load(&file, &overrides) {
            Err(error) => read.refused.push(Refused { file, error }),
            Ok(loaded) => {
                let scenario = loaded.scenario;
                read.warnings.extend(loaded.warnings);
                read.warnings.extend(look(&scenario));
                read.cases.push(Case {
                    file,
                    name: scenario.name,
                    tags: scenario.tags,
                    description: head_comment(scenario.source.text()),
                    seed: scenario.seed,
                });
            }
        }
    }
    read
}

/// The first paragraph of the comment that a file begins with, without what it tells to editors.
fn head_comment(text: &str) -> Option<String> {
    let comment = text.lines().map(str::trim).map_while(|line| line.strip_prefix('#'));
    let lines = comment.map(str::trim).filter(|line| !line.starts_with("yaml-language-server:"));
    let paragraph: Vec<&str> =
        lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    (!paragraph.is_empty()).then(|| paragraph.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_file_describes_it() {
        let table = [
            (
                "# yaml-language-server: $schema=x\n# Shows this\n# and that.\n#\n# More.\nname: a",
                Some("Shows this and that."),
            ),
            ("#\n#  Indented. \nname: a", Some("Indented.")),
            ("name: a\n# not the head", None),
            ("", None),
            ("# yaml-language-server: $schema=x\n\n# apart", None),
        ];
        for (text, expected) in table {
            assert_eq!(head_comment(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn every_file_is_read_even_after_one_was_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("writable");
            path
        };
        let files = vec![
            file("bad.yaml", "steps: ["),
            file("good.yaml", "# Good.\ntags: [x]\nseed: 7\nsteps: [{ log: $who }]\n"),
            folder.path().join("missing.yaml"),
        ];
        let read = read(files, &[("who".to_owned(), "me".to_owned())], &|_| Vec::new());
        let exits: Vec<Exit> = read.refused.iter().map(Refused::exit).collect();
        assert_eq!(exits, [Exit::Invalid, Exit::Environment]);
        assert_eq!(read.cases.len(), 1);
        let good = &read.cases[0];
        assert_eq!((good.name.as_str(), good.seed), ("good", Some(7)));
        assert_eq!(
            (good.tags.as_slice(), good.description.as_deref()),
            (&["x".to_owned()][..], Some("Good."))
        );
    }
}
