//! Steps of steps, and the files they come from.

use std::path::Path;

use super::fields::Slot;
use super::{MAX_USES, OpenError, Reader};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::grammar::{FOR, REPEAT, Shape, USE};
use crate::scenario::model::{For, Fragment, Repeat, Spanned, Step, Use};
use crate::scenario::source::Span;
use crate::scenario::values::Data;
use crate::scenario::yaml::Content;

impl Reader {
    pub(super) fn parallel(&mut self, slot: Slot<'_>, path: &str) -> Option<Vec<Vec<Step>>> {
        let items = self.items(slot)?;
        if items.is_empty() {
            let error = self
                .error(slot.node.span, "`parallel` has no branch")
                .help("it takes a list of branches, each a list of steps");
            self.report(error);
        }
        let mut branches = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let branch = slot.item(Shape::Steps, item);
            match &item.content {
                Content::Sequence(steps) if steps.is_empty() => {
                    let error = self.error(item.span, "this branch has no steps").help("remove it");
                    self.report(error);
                }
                Content::Mapping(_) => {
                    let error = self
                        .error(item.span, "a branch is a list of steps, and this is one step")
                        .help("put it into brackets: `- [ { … } ]`, or begin its line with `- - `");
                    self.report(error);
                }
                _ => branches.push(self.steps(branch, &format!("{path}.parallel[{index}]"))),
            }
        }
        Some(branches)
    }

    pub(super) fn repeat(&mut self, slot: Slot<'_>, key: Span, path: &str) -> Option<Repeat> {
        let fields = self.fields(slot, &REPEAT, key)?;
        let times = fields.get("times").and_then(|slot| self.integer(slot));
        let steps = fields.get("steps").map(|slot| self.steps(slot, &format!("{path}.repeat")));
        Some(Repeat { times: times?, steps: steps? })
    }

    pub(super) fn for_each(&mut self, slot: Slot<'_>, key: Span, path: &str) -> Option<For> {
        let fields = self.fields(slot, &FOR, key)?;
        let var = fields.get("var").and_then(|slot| self.name(slot));
        let var = var.and_then(|name| self.variable_name(name));
        let items = fields.get("in");
        let items_span = items.map(|slot| slot.node.span);
        let items = items.and_then(|slot| self.list_data(slot));
        let steps = fields.get("steps").map(|slot| self.steps(slot, &format!("{path}.for")));
        Some(For { var: var?, items: items?, items_span: items_span?, steps: steps? })
    }

    /// A list, or a variable that will be one.
    fn list_data(&mut self, slot: Slot<'_>) -> Option<Data> {
        let data = self.data(slot)?;
        match &data {
            Data::List(_) => Some(data),
            Data::Text(text) if text.template.whole().is_some() => Some(data),
            _ => {
                self.mismatch(slot);
                None
            }
        }
    }

    pub(super) fn use_file(&mut self, slot: Slot<'_>, key: Span, path: &str) -> Option<Use> {
        let (file, vars) = if let Content::Mapping(_) = &slot.node.content {
            let fields = self.fields(slot, &USE, key)?;
            let vars = fields.get("vars").and_then(|slot| self.use_vars(slot)).unwrap_or_default();
            (fields.get("file").and_then(|slot| self.name(slot))?, vars)
        } else {
            (self.name(slot.item(Shape::Name, slot.node))?, Vec::new())
        };
        if file.value.contains('$') {
            let error = self
                .error(
                    file.span,
                    "the file of `use` must be known before the run, without variables",
                )
                .help("write its path, relative to this file");
            self.report(error);
            return None;
        }
        let fragment = self.fragment(&file, &format!("{path}.use"))?;
        Some(Use { file, vars, fragment })
    }

    fn use_vars(&mut self, slot: Slot<'_>) -> Option<Vec<(Spanned<String>, Data)>> {
        let mapping = self.mapping(slot)?;
        let mut vars = Vec::new();
        for entry in &mapping.entries {
            let name = self.variable(&entry.key);
            let slot = Slot {
                name: &entry.key.text,
                shape: Shape::Any,
                node: &entry.value,
                example: None,
            };
            if let (Some(name), Some(data)) = (name, self.data(slot)) {
                vars.push((name, data));
            }
        }
        Some(vars)
    }

    fn fragment(&mut self, file: &Spanned<String>, prefix: &str) -> Option<Fragment> {
        let folder = self.source.path().parent().unwrap_or_else(|| Path::new(""));
        let path = folder.join(&file.value);
        let identity = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if let Some(error) = self.refused_use(&identity, file) {
            self.report(error);
            return None;
        }
        let kept = self.kept.get(&path).cloned();
        let source = match kept.map_or_else(|| super::open(&path), Ok) {
            Ok(source) => source,
            Err(OpenError::Unreadable(error)) => {
                let error = self
                    .error(file.span, format!("cannot read {}: {error}", path.display()))
                    .help("the path is relative to the file that uses it");
                self.report(error);
                return None;
            }
            Err(OpenError::Refused(diagnostic)) => {
                // What is about the whole of that file is told where it is used.
                let told = if diagnostic.span.is_some() {
                    *diagnostic
                } else {
                    let message = format!("{}: {}", path.display(), diagnostic.message);
                    self.error(file.span, message).help(diagnostic.help.unwrap_or_default())
                };
                self.report(told);
                return None;
            }
        };
        self.uses += 1;
        self.files.push(identity);
        let fragment = self.inner(source, |inner, root| inner.fragment_body(root, prefix, path));
        self.files.pop();
        fragment
    }

    fn refused_use(&self, identity: &Path, file: &Spanned<String>) -> Option<Diagnostic> {
        if self.files.iter().any(|file| file == identity) {
            return Some(
                self.error(file.span, format!("`{}` would use itself for ever", file.value))
                    .help("a used file must not lead back to the one that uses it"),
            );
        }
        (self.uses >= MAX_USES).then(|| {
            self.error(file.span, format!("more than {MAX_USES} files are used"))
                .help("write the steps out, or `repeat` them")
        })
    }
}
