//! A string with variables in it, parsed once.

use std::fmt;
use std::ops::Range;

use crate::scenario::diagnostic::{listed, nearest};

/// A string cut into literal text and references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Literal(String),
    Reference(Reference),
}

/// A variable or something built in, and which bytes of the source name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub what: Builtin,
    pub span: Range<usize>,
}

/// What a reference can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// `$name`: from `vars`, a capture, a `let` or a loop.
    Variable(String),
    /// `${port.NAME}`: a port of this run, the same wherever the name stands.
    Port(String),
    /// `${dir.DAEMON}`: its directory.
    Dir(String),
    /// `${pipe.DAEMON}`: its event pipe.
    Pipe(String),
    /// `${data.NODE}`: its data directory.
    Data(String),
    /// `${rpc.NODE}`: the URL of its RPC server.
    Rpc(String),
    /// `${client.NODE}`: the base directory of its client.
    Client(String),
    /// `${pkh.KEY}`: the public key hash of a key of the sandbox.
    Pkh(String),
    /// `${run.dir}`
    RunDir,
    /// `${run.id}`
    RunId,
    /// `${seed}`
    Seed,
    /// `${scenario.dir}`: where the file stands.
    ScenarioDir,
    /// `${env.NAME}`, `${env.NAME:-default}`: of the runner's environment.
    Env { name: String, default: Option<String> },
}

/// Why a string is no template; the span is in bytes of the string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    pub span: Range<usize>,
    pub message: String,
    pub help: String,
}

/// Namespaces that are followed by a name.
const NAMESPACES: [&str; 7] = ["port", "dir", "pipe", "data", "rpc", "client", "pkh"];
/// Everything with a dot that stands by itself.
const FIXED: [&str; 3] = ["run.dir", "run.id", "scenario.dir"];

impl Template {
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(found) = source[at..].find('$') {
            let dollar = at + found;
            literal.push_str(&source[at..dollar]);
            let after = &source[dollar + 1..];
            if after.starts_with('$') {
                literal.push('$');
                at = dollar + 2;
                continue;
            }
            let reference = reference(source, dollar)?;
            at = reference.span.end;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Reference(reference));
        }
        literal.push_str(&source[at..]);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { source: source.to_owned(), parts })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(reference),
            Part::Literal(_) => None,
        })
    }

    /// Its text, if that does not depend on any variable.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The reference, if it is all there is: such a value keeps its JSON type.
    pub fn whole(&self) -> Option<&Reference> {
        match self.parts.as_slice() {
            [Part::Reference(reference)] => Some(reference),
            _ => None,
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.source)
    }
}

/// A letter or `_`, then letters, digits and `_`.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && name_length(text) == text.len()
}

fn name_length(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn reference(source: &str, dollar: usize) -> Result<Reference, TemplateError> {
    let after = &source[dollar + 1..];
    if let Some(inside) = after.strip_prefix('{') {
        let Some(length) = inside.find('}') else {
            return Err(TemplateError {
                span: dollar..source.len(),
                message: "`${` is not closed".to_owned(),
                help: "write `${name}`, or `$${` for the characters themselves".to_owned(),
            });
        };
        let span = dollar..dollar + 2 + length + 1;
        return Ok(Reference { what: builtin(&inside[..length], &span)?, span });
    }
    let length = name_length(after);
    if length == 0 {
        let next = after.chars().next().map_or(0, char::len_utf8);
        let found = &source[dollar..=dollar + next];
        return Err(TemplateError {
            span: dollar..dollar + 1 + next,
            message: format!("`{found}` names no variable"),
            help: format!(
                "write `${found}` if a dollar is meant, as in a shell command or a pattern"
            ),
        });
    }
    let what = match &after[..length] {
        "seed" => Builtin::Seed,
        name => Builtin::Variable(name.to_owned()),
    };
    Ok(Reference { what, span: dollar..dollar + 1 + length })
}

fn builtin(inside: &str, span: &Range<usize>) -> Result<Builtin, TemplateError> {
    let failed =
        |message: String, help: String| TemplateError { span: span.clone(), message, help };
    if inside == "seed" {
        return Ok(Builtin::Seed);
    }
    if is_name(inside) {
        return Ok(Builtin::Variable(inside.to_owned()));
    }
    match inside {
        "run.dir" => return Ok(Builtin::RunDir),
        "run.id" => return Ok(Builtin::RunId),
        "scenario.dir" => return Ok(Builtin::ScenarioDir),
        _ => {}
    }
    let unknown = || {
        let all: Vec<String> = NAMESPACES
            .iter()
            .chain(&["env"])
            .map(|space| format!("{space}.NAME"))
            .chain(FIXED.iter().map(|&fixed| fixed.to_owned()))
            .collect();
        let (space, rest) = inside.split_once('.').unwrap_or((inside, ""));
        let help =
            match nearest(space, NAMESPACES.iter().copied().chain(["env", "run", "scenario"])) {
                Some(near) if near != space && !rest.is_empty() => {
                    format!("did you mean `${{{near}.{rest}}}`?")
                }
                _ => format!(
                    "expected a variable's name, or {}; `$${{` is the characters themselves",
                    listed(all)
                ),
            };
        failed(format!("`${{{inside}}}` is nothing known"), help)
    };
    let (space, name) = inside.split_once('.').ok_or_else(unknown)?;
    if space == "env" {
        let (name, default) = match name.split_once(":-") {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (name, None),
        };
        if !is_name(name) {
            return Err(failed(
                format!("`{name}` cannot be the name of an environment variable"),
                "write `${env.NAME}` or `${env.NAME:-default}`".to_owned(),
            ));
        }
        return Ok(Builtin::Env { name: name.to_owned(), default });
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(legal) {
        return Err(unknown());
    }
    let name = name.to_owned();
    match space {
        "port" => Ok(Builtin::Port(name)),
        "dir" => Ok(Builtin::Dir(name)),
        "pipe" => Ok(Builtin::Pipe(name)),
        "data" => Ok(Builtin::Data(name)),
        "rpc" => Ok(Builtin::Rpc(name)),
        "client" => Ok(Builtin::Client(name)),
        "pkh" => Ok(Builtin::Pkh(name)),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(text: &str) -> Vec<Builtin> {
        Template::parse(text).unwrap().references().map(|r| r.what.clone()).collect()
    }

    #[test]
    fn references_are_found_and_two_dollars_are_one() {
        let name = |n: &str| n.to_owned();
        assert_eq!(whats("$a-${b}c"), [Builtin::Variable(name("a")), Builtin::Variable(name("b"))]);
        assert_eq!(whats("${port.a-b.c}"), [Builtin::Port(name("a-b.c"))]);
        assert_eq!(
            whats("${run.dir}${run.id}${seed}${scenario.dir}"),
            [Builtin::RunDir, Builtin::RunId, Builtin::Seed, Builtin::ScenarioDir]
        );
        assert_eq!(
            whats("${env.HOME:-/x y}"),
            [Builtin::Env { name: name("HOME"), default: Some(name("/x y")) }]
        );
        let template = Template::parse("i=$$((i+1)); echo $$i").unwrap();
        assert_eq!(template.literal(), Some("i=$((i+1)); echo $i"));
        assert_eq!(Template::parse("").unwrap().literal(), Some(""));
    }

    #[test]
    fn only_a_lone_reference_is_the_whole() {
        assert!(Template::parse("$a").unwrap().whole().is_some());
        assert!(Template::parse("${a}").unwrap().whole().is_some());
        assert!(Template::parse("$a ").unwrap().whole().is_none());
        assert!(Template::parse("a").unwrap().whole().is_none());
    }

    #[test]
    fn a_dollar_without_a_name_says_how_to_write_a_dollar() {
        for (text, span, message, help) in [
            ("echo $(date)", 5..7, "`$(` names no variable", "`$$(`"),
            ("^a$", 2..3, "`$` names no variable", "`$$`"),
            ("$1", 0..2, "`$1` names no variable", "`$$1`"),
            ("x ${a", 2..5, "`${` is not closed", "`$${`"),
            ("${prot.a}", 0..9, "`${prot.a}` is nothing known", "did you mean `${port.a}`?"),
            ("${run.dri}", 0..10, "`${run.dri}` is nothing known", "`run.dir`"),
            ("${ops[0].hash}", 0..14, "`${ops[0].hash}` is nothing known", "a variable's name"),
            (
                "${env.A B}",
                0..10,
                "`A B` cannot be the name of an environment variable",
                "${env.NAME}",
            ),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert_eq!((error.span.clone(), error.message.as_str()), (span, message));
            assert!(error.help.contains(help), "{}", error.help);
        }
    }
}
