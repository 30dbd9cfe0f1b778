//! Which scenarios of a folder are meant: finding the files, then choosing by name, tag and shard.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use walkdir::WalkDir;

use super::Case;
use super::expression::NameExpression;
use crate::record::RunDir;

/// Where scenarios are looked for when no path is given.
pub const DEFAULT_FOLDER: &str = "scenarios";

#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    #[error("no such file or folder: {}", path.display())]
    Missing { path: PathBuf },
    #[error("no folder `{DEFAULT_FOLDER}` here; name the files or folders to play")]
    NoDefaultFolder,
    #[error("no *.yaml file below {}", path.display())]
    Empty { path: PathBuf },
    #[error("cannot look through {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// The files to read: each path that is a file, and every `*.yaml` below each that is a folder, sorted within it.
///
/// A file that is reached twice is named once. Hidden files and folders, and run directories, below a named folder are passed
/// over.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DiscoverError> {
    let default = [PathBuf::from(DEFAULT_FOLDER)];
    if paths.is_empty() && !default[0].is_dir() {
        return Err(DiscoverError::NoDefaultFolder);
    }
    let roots = if paths.is_empty() { &default[..] } else { paths };
    let mut files = Vec::new();
    for root in roots {
        let found = below(root)?;
        files.extend(found.into_iter().filter(|file| !files.contains(file)).collect::<Vec<_>>());
    }
    Ok(files)
}

fn below(root: &Path) -> Result<Vec<PathBuf>, DiscoverError> {
    if !root.is_dir() {
        return if root.exists() {
            Ok(vec![root.to_owned()])
        } else {
            Err(DiscoverError::Missing { path: root.to_owned() })
        };
    }
    let mut files = Vec::new();
    // Run directories hold copies of what was played.
    let is_run = |entry: &walkdir::DirEntry| RunDir::new(entry.path()).log().is_file();
    let visible = |entry: &walkdir::DirEntry| {
        entry.depth() == 0
            || !(entry.file_name().to_string_lossy().starts_with('.') || is_run(entry))
    };
    let walk = WalkDir::new(root).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(visible) {
        let entry = entry.map_err(|error| DiscoverError::Unreadable {
            path: error.path().unwrap_or(root).to_owned(),
            source: error.into(),
        })?;
        let yaml = entry.path().extension().is_some_and(|extension| extension == "yaml");
        if yaml && entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    if files.is_empty() {
        return Err(DiscoverError::Empty { path: root.to_owned() });
    }
    Ok(files)
}

/// `-t TAG` wants the tag, `-t /TAG` its absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagRule {
    With(String),
    Without(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tag is missing")]
pub struct EmptyTag;

impl FromStr for TagRule {
    type Err = EmptyTag;

    fn from_str(text: &str) -> Result<Self, EmptyTag> {
        let (tag, rule): (_, fn(String) -> Self) = match text.strip_prefix('/') {
            Some(tag) => (tag, Self::Without),
            None => (text, Self::With),
        };
        if tag.is_empty() { Err(EmptyTag) } else { Ok(rule(tag.to_owned())) }
    }
}

/// What `-k` and `-t` say; nothing said selects all.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub names: Option<NameExpression>,
    /// All must hold.
    pub tags: Vec<TagRule>,
}

impl Selection {
    /// A scenario goes by its name and by the name of its file without `.yaml`.
    pub fn selects(&self, case: &Case) -> bool {
        let stem = case.file.file_stem().unwrap_or_default().to_string_lossy();
        let named = self.names.as_ref().is_none_or(|names| names.matches(&[&case.name, &stem]));
        named
            && self.tags.iter().all(|rule| match rule {
                TagRule::With(tag) => case.tags.contains(tag),
                TagRule::Without(tag) => !case.tags.contains(tag),
            })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn case(file: &str, name: &str, tags: &[&str]) -> Case {
        Case {
            file: file.into(),
            name: name.to_owned(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            description: None,
            seed: None,
        }
    }

    #[test]
    fn names_and_tags_select_together() {
        let kill = case("s/accuser_kill.yaml", "an accuser is killed", &["accuser", "chaos"]);
        let two = case("s/two.yaml", "two accusers", &["accuser"]);
        let table: [(&str, &[&str], bool, bool); 8] = [
            ("", &[], true, true),
            ("killed", &[], true, false),
            ("accuser_kill", &[], true, false),
            ("", &["accuser"], true, true),
            ("", &["chaos"], true, false),
            ("", &["/chaos"], false, true),
            ("", &["accuser", "/chaos"], false, true),
            ("two", &["chaos"], false, false),
        ];
        for (names, tags, kill_expected, two_expected) in table {
            let selection = Selection {
                names: (!names.is_empty()).then(|| names.parse().expect(names)),
                tags: tags.iter().map(|tag| tag.parse().expect(tag)).collect(),
            };
            assert_eq!(selection.selects(&kill), kill_expected, "{names} {tags:?}");
            assert_eq!(selection.selects(&two), two_expected, "{names} {tags:?}");
        }
    }

    #[test]
    fn an_empty_tag_is_refused() {
        assert_eq!("".parse::<TagRule>(), Err(EmptyTag));
        assert_eq!("/".parse::<TagRule>(), Err(EmptyTag));
    }

    #[test]
    fn folders_are_searched_in_order_and_files_taken_as_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let root = folder.path();
        fs::create_dir_all(root.join("deep/.hidden")).expect("folders");
        for file in
            ["b.yaml", "a.yaml", "deep/c.yaml", "note.txt", "deep/.hidden/d.yaml", ".e.yaml"]
        {
            fs::write(root.join(file), "").expect(file);
        }
        let found = discover(&[root.join("b.yaml"), root.to_owned(), root.join("note.txt")]);
        let expected = ["b.yaml", "a.yaml", "deep/c.yaml", "note.txt"].map(|file| root.join(file));
        assert_eq!(found.expect("all there"), expected);
    }

    #[test]
    fn the_copies_in_run_directories_are_no_scenarios() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let root = folder.path();
        fs::create_dir_all(root.join("tribunal-runs/one/used")).expect("folders");
        let in_run = ["one/log.jsonl", "one/scenario.yaml", "one/used/0-part.yaml"];
        for file in in_run.map(|file| format!("tribunal-runs/{file}")) {
            fs::write(root.join(&file), "").expect(&file);
        }
        fs::write(root.join("a.yaml"), "").expect("writable");
        assert_eq!(discover(&[root.to_owned()]).expect("there"), [root.join("a.yaml")]);
        // Who names one means it.
        let one = root.join("tribunal-runs/one");
        let found = discover(std::slice::from_ref(&one)).expect("there");
        assert_eq!(found, [one.join("scenario.yaml"), one.join("used/0-part.yaml")]);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let missing = folder.path().join("nowhere.yaml");
        assert!(matches!(discover(&[missing]), Err(DiscoverError::Missing { .. })));
        let empty = folder.path().to_owned();
        assert!(matches!(discover(&[empty]), Err(DiscoverError::Empty { .. })));
    }
}
