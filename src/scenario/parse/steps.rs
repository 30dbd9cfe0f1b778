//! Steps: one key, the verb.

use super::Reader;
use super::fields::{Slot, not_supported};
use crate::octez::VoteKind;
use crate::scenario::diagnostic::{nearest, suggestion};
use crate::scenario::grammar::{STEP, Shape, Table};
use crate::scenario::model::{Act, Action, Step};
use crate::scenario::source::Span;
use crate::scenario::yaml::{Content, Entry, Mapping, Node, shortened};

/// As much of a step as a report shows.
const MAX_TEXT: usize = 200;

impl Reader {
    /// A list of steps; `path` is what it is called, such as `steps` or `steps[2].parallel[0]`.
    pub(super) fn steps(&mut self, slot: Slot<'_>, path: &str) -> Vec<Step> {
        let Some(items) = self.items(slot) else { return Vec::new() };
        let mut steps = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            if self.has_enough() {
                break;
            }
            steps.extend(self.step(item, format!("{path}[{index}]")));
        }
        steps
    }

    fn step(&mut self, node: &Node, path: String) -> Option<Step> {
        let Content::Mapping(mapping) = &node.content else {
            self.no_mapping(node);
            return None;
        };
        let entry = self.only_entry(mapping, node)?;
        let verb = self.verb(entry)?;
        let field = STEP.field(verb)?;
        let slot = Slot { name: verb, shape: field.shape, node: &entry.value, example: None };
        let action = self.action(slot, entry.key.span, &path)?;
        let span = entry.key.span;
        let written = self.one_line(node);
        Some(Step {
            path,
            verb,
            span,
            text: cut(&written),
            written,
            source: self.source.clone(),
            action,
        })
    }

    fn no_mapping(&mut self, node: &Node) {
        let error = self
            .error(node.span, format!("a step is a verb with its value, not {}", node.describe()));
        let help = match &node.content {
            Content::Scalar(scalar) => {
                let mut words = scalar.text.splitn(2, [' ', ':']);
                let verb = words.next().unwrap_or_default();
                let rest = words.next().map_or("…", str::trim);
                match nearest(verb, STEP.names()) {
                    Some(verb) => format!("write `{verb}: {}`", shortened(rest)),
                    None => format!("such as `{}`", trimmed(STEP.example)),
                }
            }
            _ => format!("such as `{}`", trimmed(STEP.example)),
        };
        self.report(error.help(help));
    }

    /// The one key of a step; further ones are reported, with where they belong.
    fn only_entry<'n>(&mut self, mapping: &'n Mapping, node: &Node) -> Option<&'n Entry> {
        let Some((first, more)) = mapping.entries.split_first() else {
            self.no_mapping(node);
            return None;
        };
        if more.is_empty() {
            return Some(first);
        }
        // The verb may stand anywhere among keys that belong below it.
        let verb = mapping.entries.iter().find(|entry| STEP.field(&entry.key.text).is_some());
        let verb = verb.unwrap_or(first);
        for entry in &mapping.entries {
            if !std::ptr::eq(entry, verb) {
                let help = second_key_help(verb, entry);
                let error = self
                    .error(
                        entry.key.span,
                        format!(
                            "a step has one key, its verb; `{}` is another",
                            shortened(&entry.key.text)
                        ),
                    )
                    .also(verb.key.span, "the verb")
                    .help(help);
                self.report(error);
            }
        }
        if !verb.value.is_absent() {
            // What the verb itself says is worth reading, although the step is lost.
            return Some(verb);
        }
        None
    }

    fn verb(&mut self, entry: &Entry) -> Option<&'static str> {
        let key = &entry.key;
        if let Some(field) = STEP.field(&key.text) {
            return Some(field.name);
        }
        let name = shortened(&key.text);
        let error = if STEP.later.contains(&key.text.as_str()) {
            self.error(key.span, not_supported(&name))
        } else {
            self.error(key.span, format!("there is no verb `{name}`"))
                .help(suggestion(&key.text, STEP.names()))
        };
        self.report(error);
        None
    }

    fn action(&mut self, slot: Slot<'_>, key: Span, path: &str) -> Option<Action> {
        if let Some(act) = Act::ALL.into_iter().find(|act| act.verb() == slot.name) {
            return self.lifecycle(slot, act, key).map(Action::Lifecycle);
        }
        match slot.name {
            "signal" => self.signal(slot, key),
            "exited" => self.exited(slot, key).map(Action::Exited),
            "expect" => self.expects(slot, key).map(Action::Expect),
            "never" => self.never(slot, key).map(Action::Never),
            "mark" => self.text(slot).map(Action::Mark),
            "reach" => self.reach(slot, key).map(Action::Reach),
            "activate" => self.activate(slot, key).map(Action::Activate),
            "bake" => self.bake(slot, key).map(Action::Bake),
            "attest" => self.vote(slot, VoteKind::Attestation, key).map(Box::new).map(Action::Vote),
            "preattest" => {
                self.vote(slot, VoteKind::Preattestation, key).map(Box::new).map(Action::Vote)
            }
            "inject" => self.inject(slot, key).map(Action::Inject),
            "connect" => self.peers(slot, key).map(Action::Connect),
            "disconnect" => self.peers(slot, key).map(Action::Disconnect),
            "rpc" => self.rpc(slot, key).map(Action::Rpc),
            "exec" => self.exec(slot, key).map(Action::Exec),
            "let" => self.assignments(slot).map(Action::Let),
            "assert" => self.formula(slot).map(Action::Assert),
            "parallel" => self.parallel(slot, path).map(Action::Parallel),
            "repeat" => self.repeat(slot, key, path).map(Action::Repeat),
            "for" => self.for_each(slot, key, path).map(Action::For),
            "use" => self.use_file(slot, key, path).map(Action::Use),
            "log" => self.text(slot).map(Action::Log),
            "sleep" => self.duration(slot).map(Action::Sleep),
            other => unreachable!("the verb `{other}` is in the table and is not read"),
        }
    }

    /// The step as it was written, without comments, and with every break and indentation as one space.
    fn one_line(&self, node: &Node) -> String {
        let text = self.source.text();
        let mut scalars = Vec::new();
        scalars_of(node, &mut scalars);
        let mut written = String::new();
        let mut at = node.span.start;
        for scalar in scalars {
            push_without_comments(&mut written, text.get(at..scalar.start).unwrap_or_default());
            written.push_str(self.source.slice(scalar));
            at = scalar.end;
        }
        push_without_comments(&mut written, text.get(at..node.span.end).unwrap_or_default());
        written.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// As many of the words as a line has room for.
fn cut(written: &str) -> String {
    let mut line = String::new();
    for word in written.split_whitespace() {
        if line.len() + word.len() > MAX_TEXT {
            line.push_str(" …");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// The places of all keys and scalars, in the order of the file.
fn scalars_of(node: &Node, places: &mut Vec<Span>) {
    match &node.content {
        Content::Scalar(_) => places.push(node.span),
        Content::Sequence(items) => items.iter().for_each(|item| scalars_of(item, places)),
        Content::Mapping(mapping) => {
            for entry in &mapping.entries {
                places.push(entry.key.span);
                scalars_of(&entry.value, places);
            }
        }
    }
}

/// Between scalars stand only indicators, blanks and comments, so a `#` begins a comment. The parser lets a block node
/// reach to the next token, so comments after the step are among them.
fn push_without_comments(written: &mut String, between: &str) {
    for line in between.split_inclusive('\n') {
        let (code, comment) = line.split_once('#').unwrap_or((line, ""));
        written.push_str(code);
        if !comment.is_empty() {
            written.push(' ');
        }
    }
}

/// `{ start: node }` without its braces.
fn trimmed(example: &str) -> &str {
    example.trim_start_matches("{ ").trim_end_matches(" }")
}

fn second_key_help(verb: &Entry, entry: &Entry) -> String {
    let (verb_name, name) = (shortened(&verb.key.text), shortened(&entry.key.text));
    let belongs =
        STEP.field(&verb.key.text).is_some_and(|field| takes(field.shape, &entry.key.text));
    if belongs && verb.value.is_absent() {
        format!("indent `{name}` further, so that it stands below `{verb_name}:`")
    } else if belongs {
        format!("move it into the value: `{verb_name}: {{ …, {name}: … }}`")
    } else {
        "begin a new step: a line with `- ` of its own".to_owned()
    }
}

/// Whether a mapping of this shape has such a key.
fn takes(shape: Shape, key: &str) -> bool {
    let has = |table: &Table| table.field(key).is_some();
    match shape {
        Shape::Table(table) => has(table),
        Shape::OneOf(shapes) => shapes.iter().any(|shape| takes(*shape, key)),
        Shape::AtLeast(_, shape) | Shape::List(shape) => takes(*shape, key),
        _ => false,
    }
}
