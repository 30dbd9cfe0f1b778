//! Source text to tokens, one at a time, so that the first error of a source is the one reported.

use super::error::{Refusal, Span};
use super::literal;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'s> {
    Int(i128),
    Float(f64),
    Str(String),
    /// A name or a keyword.
    Word(&'s str),
    /// `$name`, without the dollar.
    Variable(&'s str),
    Symbol(&'static str),
    End,
}

/// Longer ones first: the first that fits is taken.
const SYMBOLS: [&str; 22] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ",", ".",
    "(", ")", "[", "]",
];

/// What people write who know another language, and what it is here.
const FOREIGN: [(&str, &str); 19] = [
    ("===", "write `==`"),
    ("!==", "write `!=`"),
    ("=~", "write `text.matches(\"regex\")`"),
    ("!~", "write `!text.matches(\"regex\")`"),
    ("=>", "write `>=`"),
    ("=<", "write `<=`"),
    ("<>", "write `!=`"),
    ("<<", "shifts are not known here"),
    (">>", "shifts are not known here"),
    ("**", "powers are not known here"),
    ("{", "objects cannot be written here, only lists"),
    ("}", "objects cannot be written here, only lists"),
    (";", "join two conditions with `&&`"),
    ("#", "a comment begins with `//`"),
    ("`", "write a name that is no identifier as `self[\"name\"]`"),
    ("“", "write `\"`"),
    ("”", "write `\"`"),
    ("‘", "write `'`"),
    ("’", "write `'`"),
];

#[derive(Debug)]
pub(super) struct Lexer<'s> {
    source: &'s str,
    position: usize,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, position: 0 }
    }

    pub(super) fn next_token(&mut self) -> Result<(Token<'s>, Span), Refusal> {
        self.skip_blank();
        let start = self.position;
        let rest = &self.source[start..];
        let token = match rest.bytes().next() {
            None => Token::End,
            Some(b'0'..=b'9') => {
                let (token, length) = literal::number(rest, start)?;
                self.position += length;
                token
            }
            Some(b'"' | b'\'') => self.string(start)?,
            Some(b'$') => self.variable(start)?,
            Some(byte) if is_name_start(byte) => self.word(start)?,
            Some(_) => self.symbol(start)?,
        };
        Ok((token, Span::new(start, self.position)))
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = &self.source[self.position..];
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
            self.position = self.source.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.position += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn string(&mut self, start: usize) -> Result<Token<'s>, Refusal> {
        let (text, length) = literal::string(&self.source[start..], start)?;
        self.position = start + length;
        Ok(Token::Str(text))
    }

    fn variable(&mut self, start: usize) -> Result<Token<'s>, Refusal> {
        let name = name_at(&self.source[start + 1..]);
        if name.is_empty() {
            let error = Refusal::new(Span::new(start, start + 1), "`$` without a name");
            return Err(error.help("write a variable as `$name`"));
        }
        self.position = start + 1 + name.len();
        Ok(Token::Variable(name))
    }

    fn word(&mut self, start: usize) -> Result<Token<'s>, Refusal> {
        let word = name_at(&self.source[start..]);
        let after = start + word.len();
        if self.source[after..].starts_with(['"', '\'']) {
            match word {
                "r" | "R" => return self.string(start),
                "b" | "B" | "rb" | "Rb" | "rB" | "RB" | "br" | "Br" | "bR" | "BR" => {
                    let error = Refusal::new(Span::new(start, after), "bytes are not JSON");
                    return Err(error.help(format!("leave out the `{word}`")));
                }
                _ => {}
            }
        }
        self.position = after;
        Ok(Token::Word(word))
    }

    fn symbol(&mut self, start: usize) -> Result<Token<'s>, Refusal> {
        let rest = &self.source[start..];
        if let Some((symbol, help)) = FOREIGN.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
            return Err(unknown_symbol(symbol, start).help(*help));
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            self.position += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        let character = rest.chars().next().expect("the caller saw a byte here");
        let error = unknown_symbol(character.encode_utf8(&mut [0; 4]), start);
        Err(match character {
            '=' => error.help("write `==`"),
            '&' => error.help("write `&&`"),
            '|' => error.help("write `||`"),
            other if other.is_alphabetic() => error.help(
                "names are ASCII letters, digits and `_`; any other field is `self[\"name\"]`",
            ),
            _ => error,
        })
    }
}

fn unknown_symbol(symbol: &str, start: usize) -> Refusal {
    // A control character would be invisible in a terminal, or worse.
    let shown = symbol.escape_debug();
    Refusal::new(Span::new(start, start + symbol.len()), format!("`{shown}` is not known here"))
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// The name that the text begins with; empty if it begins with none.
pub(super) fn name_at(text: &str) -> &str {
    if !text.bytes().next().is_some_and(is_name_start) {
        return "";
    }
    let end = text.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'_');
    &text[..end.unwrap_or(text.len())]
}

/// Whether the text is a name from its first byte to its last.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && name_at(text).len() == text.len()
}
