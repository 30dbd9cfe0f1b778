//! What `TEZOS_EVENTS_CONFIG` says: a list of sinks, each a URI, separated by white space.
//!
//! Octez neither unescapes a path nor lets one hold white space; an unknown option is ignored, a bad value of a known one is
//! an error (`configure` in `src/lib_base/unix/file_descriptor_sink.ml`).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::SinkError;
use super::filter::{Filter, Rule, parse_level};
use super::target::OpenMode;
use crate::daemon::Level;

/// One sink as configured, not yet open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkConfig {
    pub destination: Destination,
    pub filter: Filter,
    pub format: Format,
    /// Each line says its level.
    pub advertise_levels: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    Path {
        path: PathBuf,
        mode: OpenMode,
    },
    /// A file for each day, the last so many of them kept.
    Daily {
        path: PathBuf,
        mode: OpenMode,
        days: usize,
    },
    Stdout,
    Stderr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    OnePerLine,
    /// `LENGTH:json,` and no newline.
    Netstring,
    PpShort,
    PpRfc5424,
}

/// Nobody but the owner may read what a daemon writes, unless `chmod` says otherwise.
const DEFAULT_MODE: u32 = 0o600;

/// A file of sinks, named where a sink could be.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(alias = "activate")]
    active_sinks: Vec<String>,
}

/// The log that nodes and accusers keep in a directory of theirs, besides what the variable says.
pub fn daily_log(directory: &Path) -> SinkConfig {
    /// A week, as in Octez (`src/lib_base/unix/internal_event_unix.ml`).
    const DAYS: usize = 7;
    let mode = OpenMode { mode: DEFAULT_MODE, fresh: false, create_dirs: true };
    SinkConfig {
        destination: Destination::Daily { path: directory.join("daily.log"), mode, days: DAYS },
        filter: Filter { rules: vec![Rule { prefix: Vec::new(), from: Some(Level::Info) }] },
        format: Format::PpRfc5424,
        advertise_levels: true,
    }
}

/// Reads the whole value of the variable; `pid` is for `with-pid`.
pub fn parse(value: &str, pid: u32) -> Result<Vec<SinkConfig>, SinkError> {
    let mut sinks = Vec::new();
    for item in value.split([' ', '\n', '\t']).filter(|item| !item.is_empty()) {
        if scheme(item).is_some() {
            sinks.push(parse_uri(item, pid)?);
        } else {
            for uri in read_file(item)? {
                sinks.push(parse_uri(&uri, pid)?);
            }
        }
    }
    Ok(sinks)
}

fn read_file(path: &str) -> Result<Vec<String>, SinkError> {
    let failed = |source| SinkError::ReadConfig { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let file: ConfigFile =
        serde_json::from_str(&text).map_err(std::io::Error::from).map_err(failed)?;
    Ok(file.active_sinks)
}

fn scheme(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let legal = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(legal))
        .then_some((scheme, rest))
}

fn parse_uri(uri: &str, pid: u32) -> Result<SinkConfig, SinkError> {
    let invalid = |reason: String| SinkError::Invalid { uri: uri.to_owned(), reason };
    let (scheme, rest) = scheme(uri).ok_or_else(|| invalid("it has no scheme".to_owned()))?;
    let (hierarchy, query) = rest.split_once('?').unwrap_or((rest, ""));
    let options = Options::parse(query.split('#').next().unwrap_or_default());
    let destination = match scheme {
        "file-descriptor-path" => path_destination(hierarchy, &options, pid).map_err(invalid)?,
        "file-descriptor-stdout" => Destination::Stdout,
        "file-descriptor-stderr" => Destination::Stderr,
        _ => return Err(invalid(format!("the scheme {scheme:?} is not known here"))),
    };
    Ok(SinkConfig {
        destination,
        filter: options.filter().map_err(invalid)?,
        format: options.format().map_err(invalid)?,
        advertise_levels: options.advertise_levels().map_err(invalid)?,
    })
}

fn path_destination(hierarchy: &str, options: &Options, pid: u32) -> Result<Destination, String> {
    // After an authority (`//host`), the path begins at the next slash.
    let path = match hierarchy.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => hierarchy,
    };
    if path.is_empty() {
        return Err("it has no path".to_owned());
    }
    let path = PathBuf::from(path);
    let mode = OpenMode {
        mode: options.mode()?,
        fresh: options.flag("fresh"),
        create_dirs: options.flag("create-dirs"),
    };
    if let Some(days) = options.last("daily-logs") {
        let days =
            days.parse().map_err(|_| format!("daily-logs: {days:?} is no number of days"))?;
        return Ok(Destination::Daily { path, mode, days });
    }
    let path = if options.flag("with-pid") { with_pid(path, pid) } else { path };
    Ok(Destination::Path { path, mode })
}

/// `/a/b.log` becomes `/a/b-4711.log`.
fn with_pid(path: PathBuf, pid: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{pid}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{pid}"),
    };
    path.with_file_name(name)
}

/// The query of a URI: keys in order, their values split at commas and unescaped.
struct Options(Vec<(String, Vec<String>)>);

impl Options {
    fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, values) = pair.split_once('=').unwrap_or((pair, ""));
            (unescaped(key), values.split(',').map(unescaped).collect())
        });
        Self(pairs.collect())
    }

    fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(other, _)| other == key)
            .flat_map(|(_, values)| values.iter().map(String::as_str))
    }

    fn last<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).last()
    }

    /// Anything but `true` is false.
    fn flag(&self, key: &str) -> bool {
        self.last(key) == Some("true")
    }

    fn filter(&self) -> Result<Filter, String> {
        let mut rules =
            self.all("section-prefix").map(Rule::parse).collect::<Result<Vec<_>, _>>()?;
        if let Some(level) = self.last("level-at-least") {
            rules.push(Rule { prefix: Vec::new(), from: Some(parse_level(level)?) });
        } else if rules.is_empty() {
            rules.push(Rule { prefix: Vec::new(), from: Some(Level::Info) });
        }
        Ok(Filter { rules })
    }

    fn format(&self) -> Result<Format, String> {
        match self.last("format") {
            None | Some("one-per-line") => Ok(Format::OnePerLine),
            Some("netstring") => Ok(Format::Netstring),
            Some("pp-short") => Ok(Format::PpShort),
            Some("pp" | "pp-rfc5424") => Ok(Format::PpRfc5424),
            Some(other) => Err(format!("{other:?} is not a format")),
        }
    }

    fn advertise_levels(&self) -> Result<bool, String> {
        match self.last("advertise-levels") {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(format!("advertise-levels is true or false, not {other:?}")),
        }
    }

    fn mode(&self) -> Result<u32, String> {
        let Some(text) = self.last("chmod") else { return Ok(DEFAULT_MODE) };
        ocaml_int(text).ok_or_else(|| format!("chmod: {text:?} is not an integer"))
    }
}

/// An integer as OCaml's `int_of_string` reads it: `416`, `0o640`, `0x1a0`, `0b110`, with underscores.
fn ocaml_int(text: &str) -> Option<u32> {
    let digits = text.replace('_', "");
    let (radix, digits) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0o") => (8, &digits[2..]),
        Some("0x") => (16, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some("0u") => (10, &digits[2..]),
        _ => (10, digits.as_str()),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = escape
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = byte {
            plain.push(byte);
            at += 3;
        } else {
            plain.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str) -> SinkConfig {
        let mut sinks = parse(value, 4711).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sinks.len(), 1, "{value}");
        sinks.remove(0)
    }

    fn path_of(value: &str) -> (String, u32, bool, bool) {
        match one(value).destination {
            Destination::Path { path, mode } => {
                (path.display().to_string(), mode.mode, mode.fresh, mode.create_dirs)
            }
            other => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn a_path_sink_has_the_defaults_of_octez() {
        let sink = one("file-descriptor-path:///tmp/pipe");
        assert_eq!(sink.format, Format::OnePerLine);
        assert!(!sink.advertise_levels);
        assert!(sink.filter.takes(&["x"], "y", Level::Info));
        assert!(!sink.filter.takes(&["x"], "y", Level::Debug));
        assert_eq!(path_of("file-descriptor-path:///tmp/pipe").1, 0o600);
    }

    #[test]
    fn sinks_are_separated_by_white_space() {
        let value =
            " file-descriptor-path:///a\tfile-descriptor-stdout://\n\nfile-descriptor-stderr:// ";
        let sinks = parse(value, 1).unwrap();
        assert_eq!(sinks.len(), 3);
        assert_eq!(sinks[1].destination, Destination::Stdout);
        assert_eq!(sinks[2].destination, Destination::Stderr);
        assert!(parse("", 1).unwrap().is_empty());
    }

    #[test]
    fn options_of_a_path_sink_are_read() {
        let cases = [
            (
                "file-descriptor-path:///a/b.log?with-pid=true",
                ("/a/b-4711.log", 0o600, false, false),
            ),
            ("file-descriptor-path:///a/b?with-pid=true", ("/a/b-4711", 0o600, false, false)),
            ("file-descriptor-path:///a/b?with-pid=yes&fresh=1", ("/a/b", 0o600, false, false)),
            ("file-descriptor-path:///a/b?fresh=true", ("/a/b", 0o600, true, false)),
            ("file-descriptor-path:///a/b?create-dirs=true", ("/a/b", 0o600, false, true)),
            ("file-descriptor-path:///a/b?chmod=0o640", ("/a/b", 0o640, false, false)),
            ("file-descriptor-path:///a/b?chmod=416", ("/a/b", 0o640, false, false)),
            ("file-descriptor-path:///a/b?chmod=0x1a0", ("/a/b", 0o640, false, false)),
            ("file-descriptor-path:///a/b%20c?unknown=1", ("/a/b%20c", 0o600, false, false)),
            ("file-descriptor-path:/a/b", ("/a/b", 0o600, false, false)),
            ("file-descriptor-path://host/a/b", ("/a/b", 0o600, false, false)),
        ];
        for (value, (path, mode, fresh, create_dirs)) in cases {
            assert_eq!(path_of(value), (path.to_owned(), mode, fresh, create_dirs), "{value}");
        }
    }

    #[test]
    fn a_daily_log_has_no_process_id_in_its_name() {
        let mode = OpenMode { mode: 0o600, fresh: false, create_dirs: false };
        assert_eq!(
            one("file-descriptor-path:///a/b.log?daily-logs=5&with-pid=true").destination,
            Destination::Daily { path: "/a/b.log".into(), mode, days: 5 }
        );
    }

    #[test]
    fn section_prefixes_may_be_repeated_or_listed_and_the_level_comes_last() {
        let sink = one(
            "file-descriptor-path:///p?level-at-least=error&section-prefix=a.b:debug,c:none&section-prefix=d",
        );
        let takes = |section: &[&str], level| sink.filter.takes(section, "e", level);
        assert!(takes(&["a", "b"], Level::Debug));
        assert!(!takes(&["c"], Level::Fatal));
        assert!(takes(&["d"], Level::Info));
        assert!(!takes(&["z"], Level::Warning));
        assert!(takes(&["z"], Level::Error));
    }

    #[test]
    fn formats_are_known_by_their_names() {
        let cases = [
            ("one-per-line", Format::OnePerLine),
            ("netstring", Format::Netstring),
            ("pp-short", Format::PpShort),
            ("pp", Format::PpRfc5424),
            ("pp-rfc5424", Format::PpRfc5424),
        ];
        for (name, format) in cases {
            assert_eq!(one(&format!("file-descriptor-stderr://?format={name}")).format, format);
        }
        assert!(one("file-descriptor-path:///p?advertise-levels=true").advertise_levels);
    }

    #[test]
    fn bad_values_are_refused() {
        for value in [
            "file-descriptor-path:///p?level-at-least=none",
            "file-descriptor-path:///p?level-at-least=loud",
            "file-descriptor-path:///p?section-prefix=a:loud",
            "file-descriptor-path:///p?format=xml",
            "file-descriptor-path:///p?advertise-levels=yes",
            "file-descriptor-path:///p?chmod=rw",
            "file-descriptor-path:///p?chmod=0o9",
            "file-descriptor-path:///p?daily-logs=some",
            "file-descriptor-path://",
            "file-descriptor-syslog:///p",
            "ftp://host/p",
            "/does/not/exist.json",
        ] {
            assert!(parse(value, 1).is_err(), "{value}");
        }
    }

    #[test]
    fn a_path_without_scheme_is_a_file_of_sinks() {
        let directory = tempfile::tempdir().unwrap();
        for key in ["active_sinks", "activate"] {
            let path = directory.path().join(key);
            std::fs::write(&path, format!(r#"{{"{key}":["file-descriptor-path:///p"]}}"#)).unwrap();
            assert_eq!(path_of(path.to_str().unwrap()).0, "/p");
        }
    }
}
