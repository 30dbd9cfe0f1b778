//! Calls of functions and macros.

use regex::{Regex, RegexBuilder};

use super::ast::{Convert, Expr, Literal, Macro, Node, Pattern, TextTest};
use super::error::{Refusal, Span};
use super::lex::Token;
use super::parse::{Parsed, Parser, RESERVED, boolean};

/// A compiled regular expression may take this many bytes, and so may its cache.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// One that is computed has less, since each evaluation compiles it again.
const MAX_COMPUTED_REGEX_BYTES: usize = 1 << 18;

/// As one writes them, to be shown.
const USAGES: [(&str, &str); 14] = [
    ("has", "has(field)"),
    ("size", "size(x)"),
    ("int", "int(x)"),
    ("double", "double(x)"),
    ("string", "string(x)"),
    ("startsWith", "text.startsWith(prefix)"),
    ("endsWith", "text.endsWith(suffix)"),
    ("contains", "text.contains(part)"),
    ("matches", "text.matches(regex)"),
    ("exists", "list.exists(x, condition)"),
    ("all", "list.all(x, condition)"),
    ("filter", "list.filter(x, condition)"),
    ("map", "list.map(x, value)"),
    ("size", "x.size()"),
];

fn usage(name: &str) -> Option<&'static str> {
    USAGES.iter().find(|(candidate, _)| *candidate == name).map(|(_, usage)| *usage)
}

impl<'s> Parser<'s> {
    /// `name(…)`, at the bracket.
    pub(super) fn function(&mut self, name: &str, start: Span) -> Parsed {
        let (has, convert) = (name == "has", Convert::named(name));
        if !has && convert.is_none() {
            return Err(unknown_function(name, start));
        }
        let [argument] = self.arguments(name, start)?;
        let node = if let Some(function) = convert {
            Node::Convert { function, argument }
        } else {
            is_place(&argument)?;
            Node::Has(argument)
        };
        self.build(node, start)
    }

    /// `base.name(…)`, at the bracket; `word` is where the name stands.
    pub(super) fn method(
        &mut self,
        text: Box<Expr>,
        name: &'s str,
        word: Span,
        start: Span,
    ) -> Parsed {
        if let Some(kind) = Macro::named(name) {
            return self.macro_call(kind, text, word, start);
        }
        let node = if let Some(function) = TextTest::named(name) {
            let [argument] = self.arguments(name, word)?;
            Node::TextTest { function, text, argument: string(argument, name)? }
        } else if name == "matches" {
            let [pattern] = self.arguments(name, word)?;
            let pattern = string(pattern, name)?;
            let regex = literal_regex(&pattern)?;
            Node::Matches { text, pattern, regex }
        } else if name == "size" {
            let [] = self.arguments(name, word)?;
            Node::Convert { function: Convert::Size, argument: text }
        } else {
            return Err(unknown_function(name, word));
        };
        self.build(node, start)
    }

    fn macro_call(&mut self, kind: Macro, list: Box<Expr>, word: Span, start: Span) -> Parsed {
        let misused = |span| {
            let message = format!("`{}` takes a name and an expression", kind.as_str());
            Refusal::new(span, message).help(format!("write `{}`", kind.usage()))
        };
        let opened = self.span;
        self.advance()?;
        let Token::Word(name) = self.token else { return Err(misused(word)) };
        let span = self.span;
        if RESERVED.contains(&name) || name == "self" || name == "event" {
            let error = Refusal::new(span, format!("`{name}` has a meaning of its own"));
            return Err(error.help("give the element another name"));
        }
        self.advance()?;
        if !self.eat(",")? {
            return Err(misused(word));
        }
        self.bound.push(name);
        let body = self.expression()?;
        self.bound.pop();
        if self.at(",") {
            return Err(misused(word));
        }
        self.expect(")", opened)?;
        if kind != Macro::Map {
            boolean(&body)?;
        }
        self.build(Node::Macro { kind, list, name: name.into(), body }, start)
    }

    /// Exactly `N` arguments in brackets.
    fn arguments<const N: usize>(
        &mut self,
        name: &str,
        word: Span,
    ) -> Result<[Box<Expr>; N], Refusal> {
        let opened = self.span;
        self.advance()?;
        let mut arguments = Vec::new();
        while !self.at(")") || !arguments.is_empty() {
            arguments.push(self.expression()?);
            if !self.eat(",")? {
                break;
            }
        }
        self.expect(")", opened)?;
        let span = word.to(self.previous);
        arguments.try_into().map_err(|arguments: Vec<Box<Expr>>| {
            let (wanted, found) = (count(N), arguments.len());
            let error = Refusal::new(span, format!("`{name}` takes {wanted}, not {found}"));
            match usage(name) {
                Some(usage) => error.help(format!("write `{usage}`")),
                None => error,
            }
        })
    }
}

fn count(arguments: usize) -> &'static str {
    if arguments == 0 { "no argument" } else { "one argument" }
}

impl Macro {
    pub(super) fn gives_list(self) -> bool {
        matches!(self, Self::Filter | Self::Map)
    }

    fn usage(self) -> &'static str {
        usage(self.as_str()).expect("every macro has its usage in the table")
    }
}

/// Whether something is there can be asked of a field, an element, a variable or what `event` has.
fn is_place(expr: &Expr) -> Result<(), Refusal> {
    match expr.node {
        Node::Member { .. } | Node::Index { .. } | Node::Variable(_) | Node::Event(_) => Ok(()),
        _ => {
            let error = Refusal::new(expr.span, "`has` asks for a field");
            Err(error.help("write `has(a.b)`"))
        }
    }
}

fn string(argument: Box<Expr>, name: &str) -> Parsed {
    match &argument.node {
        Node::Literal(literal) if !matches!(literal, Literal::Str(_)) => {
            Err(Refusal::new(argument.span, format!("`{name}` takes a string")))
        }
        _ => Ok(argument),
    }
}

fn literal_regex(pattern: &Expr) -> Result<Option<Pattern>, Refusal> {
    let Node::Literal(Literal::Str(text)) = &pattern.node else { return Ok(None) };
    let regex = regex(text).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            Refusal::new(pattern.span, "this regular expression is too large")
        }
        error => {
            Refusal::new(pattern.span, format!("not a regular expression: {}", last_line(&error)))
        }
    })?;
    Ok(Some(Pattern(regex)))
}

pub(super) fn regex(text: &str) -> Result<Regex, regex::Error> {
    limited_regex(text, MAX_REGEX_BYTES)
}

pub(super) fn computed_regex(text: &str) -> Result<Regex, regex::Error> {
    limited_regex(text, MAX_COMPUTED_REGEX_BYTES)
}

fn limited_regex(text: &str, bytes: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(bytes).dfa_size_limit(bytes).build()
}

/// The message without the drawing of the pattern that the crate puts above it.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn unknown_function(name: &str, span: Span) -> Refusal {
    if let Some(usage) = usage(name) {
        let error = Refusal::new(span, format!("`{name}` is not called like this"));
        return error.help(format!("write `{usage}`"));
    }
    let error = Refusal::new(span, format!("there is no function `{name}`"));
    let foreign = match name {
        "not" => Some("write `!(…)`".to_owned()),
        "and" => Some("write `a && b`".to_owned()),
        "or" => Some("write `a || b`".to_owned()),
        "len" | "length" | "count" => Some("write `size(x)`".to_owned()),
        "float" => Some("write `double(x)`".to_owned()),
        "str" => Some("write `string(x)`".to_owned()),
        "any" | "some" | "exists_one" => Some("write `list.exists(x, condition)`".to_owned()),
        "every" => Some("write `list.all(x, condition)`".to_owned()),
        _ => nearest(name, USAGES.iter().map(|(name, _)| *name))
            .map(|near| format!("did you mean `{near}`?")),
    };
    if let Some(help) = foreign {
        error.help(help)
    } else {
        let names: Vec<_> = USAGES[..USAGES.len() - 1].iter().map(|(name, _)| *name).collect();
        error.help(format!("there are {}", names.join(", ")))
    }
}

/// The candidate that a slip of the pen could have turned into `name`.
fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .map(|candidate| {
            (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(similarity, _)| *similarity > 0.84)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}
