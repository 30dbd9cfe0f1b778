//! A file as a whole: read, refused or made a model.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::daemons::Defaults;
use super::fields::{Fields, SCENARIO_NAME, Slot};
use super::{Kept, Reader};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::grammar::{SCENARIO, Shape};
use crate::scenario::model::{DEFAULT_SCENARIO_TIMEOUT, Fragment, Scenario, Variable};
use crate::scenario::source::{Source, Span};
use crate::scenario::values::Data;
use crate::scenario::yaml::{self, Content, Node};

/// Why a file could not be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    Unreadable(io::Error),
    Refused(Box<Diagnostic>),
}

/// The text of a file, if it can be YAML at all.
pub(crate) fn open(path: &Path) -> Result<Arc<Source>, OpenError> {
    let refused = |text: String, message: String, help: &str| {
        let source = Arc::new(Source::new(path, text));
        OpenError::Refused(Box::new(Diagnostic::of_file(&source, message).help(help)))
    };
    let file = std::fs::File::open(path).map_err(OpenError::Unreadable)?;
    let metadata = file.metadata().map_err(OpenError::Unreadable)?;
    if !metadata.is_file() {
        return Err(refused(
            String::new(),
            "this is not a regular file".to_owned(),
            "a scenario is a YAML file",
        ));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a larger file from one that is just as large, whatever its metadata say.
    file.take(yaml::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(OpenError::Unreadable)?;
    if bytes.len() as u64 > yaml::MAX_BYTES {
        let message = format!("the file is larger than {} MiB", yaml::MAX_BYTES >> 20);
        return Err(refused(
            String::new(),
            message,
            "no scenario needs that: is it the right file?",
        ));
    }
    if bytes.contains(&0) {
        return Err(refused(
            String::new(),
            "this is a binary file".to_owned(),
            "a scenario is a YAML file, in UTF-8",
        ));
    }
    decode(path, bytes)
}

fn decode(path: &Path, bytes: Vec<u8>) -> Result<Arc<Source>, OpenError> {
    match String::from_utf8(bytes) {
        Ok(text) => {
            // A byte order mark is no content; editors on other systems write it.
            let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
            Ok(Arc::new(Source::new(path, text)))
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let source = Arc::new(Source::new(path, text));
            let span = source.span(at..at + char::REPLACEMENT_CHARACTER.len_utf8());
            let diagnostic = Diagnostic::error(&source, span, "the file is not UTF-8")
                .label("the first byte that cannot be read")
                .help("save it as UTF-8");
            Err(OpenError::Refused(Box::new(diagnostic)))
        }
    }
}

/// The model of a file, or everything that is wrong with it.
pub(crate) fn scenario(source: &Arc<Source>, kept: Arc<Kept>) -> Result<Scenario, Vec<Diagnostic>> {
    let root = yaml::parse(source)?;
    let identity = std::fs::canonicalize(source.path()).unwrap_or_else(|_| source.path().into());
    let mut reader = Reader {
        source: Arc::clone(source),
        errors: Vec::new(),
        kinds: BTreeMap::new(),
        files: vec![identity],
        uses: 0,
        kept,
    };
    let scenario = reader.scenario(&root);
    match scenario {
        Some(scenario) if reader.errors.is_empty() => Ok(scenario),
        _ => {
            reader.errors.sort_by_key(|error| {
                (error.source.path() != source.path(), error.span.map(|span| span.start))
            });
            Err(reader.errors)
        }
    }
}

impl Reader {
    fn scenario(&mut self, root: &Node) -> Option<Scenario> {
        let fields = self.top(root)?;
        let defaults = fields.get("defaults").map(|slot| self.defaults(slot));
        let defaults: Defaults = defaults.unwrap_or_default();
        let daemons = fields.get("daemons").map(|slot| self.daemons(slot, &defaults));
        let (name, tags) = self.head(&fields);
        let timeout = fields.get("timeout").and_then(|slot| self.fixed_duration(slot));
        let strict = fields.get("strict").and_then(|slot| self.flag(slot));
        let seed = fields.get("seed").and_then(|slot| self.seed(slot));
        let vars = fields.get("vars").map(|slot| self.vars(slot)).unwrap_or_default();
        let invariants = fields.get("invariants").map(|slot| self.invariants(slot));
        let steps = fields.get("steps").map(|slot| self.steps(slot, "steps"));
        let finally = fields.get("finally").map(|slot| self.steps(slot, "finally"));
        Some(Scenario {
            source: Arc::clone(&self.source),
            name,
            tags,
            timeout: timeout.unwrap_or(DEFAULT_SCENARIO_TIMEOUT),
            strict: strict.unwrap_or(false),
            seed,
            vars,
            daemons: daemons.unwrap_or_default(),
            invariants: invariants.unwrap_or_default(),
            steps: steps.unwrap_or_default(),
            finally: finally.unwrap_or_default(),
        })
    }

    fn top<'n>(&mut self, root: &'n Node) -> Option<Fields<'n>> {
        let slot =
            Slot { name: SCENARIO_NAME, shape: Shape::Table(&SCENARIO), node: root, example: None };
        if let Content::Sequence(_) = &root.content {
            let error = self
                .error(root.span, "a scenario is a mapping, and this is a list")
                .help("put the list below a key: `steps:`");
            self.report(error);
            return None;
        }
        let first_key = match &root.content {
            Content::Mapping(mapping) => mapping.entries.first().map(|entry| entry.key.span),
            _ => None,
        };
        self.fields(slot, &SCENARIO, first_key.unwrap_or(root.span))
    }

    fn head(&mut self, fields: &Fields<'_>) -> (String, Vec<String>) {
        // Not used, but a value that is no text is a mistake there as well.
        let _schema = fields.get("$schema").and_then(|slot| self.name(slot));
        let name = fields.get("name").and_then(|slot| self.name(slot)).map(|name| name.value);
        let stem = || {
            let stem = self.source.path().file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        };
        let name = name.unwrap_or_else(stem);
        let tags = fields.get("tags").and_then(|slot| self.names(slot)).unwrap_or_default();
        (name, tags.into_iter().map(|tag| tag.value).collect())
    }

    fn seed(&mut self, slot: Slot<'_>) -> Option<u64> {
        // The whole range of a seed as the runner prints it, which is more than a signed number has.
        if let Content::Scalar(scalar) = &slot.node.content
            && scalar.style == yaml::Style::Plain
            && let yaml::Plain::Integer(number) = yaml::classify(&scalar.text)
            && let Some(seed) = number.as_u64()
        {
            return Some(seed);
        }
        self.fixed_integer(slot)
    }

    fn vars(&mut self, slot: Slot<'_>) -> Vec<Variable> {
        let Some(mapping) = self.mapping(slot) else { return Vec::new() };
        let mut vars = Vec::new();
        for entry in &mapping.entries {
            let name = self.variable(&entry.key);
            let slot = Slot {
                name: &entry.key.text,
                shape: Shape::Any,
                node: &entry.value,
                example: None,
            };
            let data = self.data(slot);
            if let (Some(name), Some(data)) = (name, data) {
                self.constant(&data);
                let (name, span) = (name.value, Some(name.span));
                vars.push(Variable { name, value: unexpanded(&data), span });
            }
        }
        vars
    }

    /// `vars` are constants: they cannot be made of each other, or of what only a run knows.
    fn constant(&mut self, data: &Data) {
        for text in data.texts() {
            if text.literal().is_none() {
                let error = self
                    .error(text.span, "a value of `vars` cannot have variables in it")
                    .help("use `let` in a step, or write `$$` for a dollar");
                self.report(error);
            }
        }
    }

    /// Reads another file in the place of this one; its errors are added to this one's.
    pub(super) fn inner<T>(
        &mut self,
        source: Arc<Source>,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Option<T> {
        let outer = std::mem::replace(&mut self.source, source);
        let read = match yaml::parse(&self.source) {
            Ok(root) => read(self, &root),
            Err(errors) => {
                for error in errors {
                    self.report(error);
                }
                None
            }
        };
        self.source = outer;
        read
    }

    /// The steps of a used file; what else a scenario has is read, so that mistakes are found, and not used.
    pub(super) fn fragment_body(
        &mut self,
        root: &Node,
        prefix: &str,
        path: PathBuf,
    ) -> Option<Fragment> {
        let fields = self.top(root)?;
        for (name, span) in fields.present(&["daemons", "defaults", "invariants", "finally"]) {
            self.not_in_used_file(name, span);
        }
        self.head(&fields);
        let vars = fields.get("vars").map(|slot| self.vars(slot)).unwrap_or_default();
        let steps = fields.get("steps").map(|slot| self.steps(slot, prefix)).unwrap_or_default();
        Some(Fragment { path, source: Arc::clone(&self.source), vars, steps })
    }

    fn not_in_used_file(&mut self, name: &str, span: Span) {
        let error = self
            .error(
                span,
                format!("a file that is used gives only its steps, and this one has `{name}`"),
            )
            .help("move it into the file that uses this one");
        self.report(error);
    }
}

/// The JSON of data without variables.
fn unexpanded(data: &Data) -> serde_json::Value {
    match data {
        Data::Null => serde_json::Value::Null,
        Data::Boolean(value) => (*value).into(),
        Data::Number(number) => serde_json::Value::Number(number.clone()),
        Data::Text(text) => text.literal().unwrap_or_default().into(),
        Data::List(items) => items.iter().map(unexpanded).collect(),
        Data::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), unexpanded(value)));
            serde_json::Value::Object(entries.collect())
        }
    }
}
