//! Numbers and strings as CEL writes them.

use std::fmt::{self, Write as _};

use super::error::{Refusal, Span};
use super::lex::Token;

/// The number that `text` begins with, and its length; `at` is where `text` stands in the source.
pub(super) fn number(text: &str, at: usize) -> Result<(Token<'static>, usize), Refusal> {
    let (token, length) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits, at)?,
        None => decimal(text, at)?,
    };
    let tail = tail_length(&text[length..]);
    if tail == 0 {
        return Ok((token, length));
    }
    let whole = &text[..length + tail];
    let error = Refusal::new(
        Span::new(at, at + whole.len()),
        format!("`{whole}` is neither a number nor a name"),
    );
    Err(match &text[length..length + tail] {
        "u" | "U" => {
            error.help("write it without the `u`, integers have no separate unsigned type")
        }
        _ => error,
    })
}

/// Letters and digits that are stuck to a number.
fn tail_length(text: &str) -> usize {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    end.unwrap_or(text.len())
}

fn digits_length(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn hexadecimal(digits: &str, at: usize) -> Result<(Token<'static>, usize), Refusal> {
    let count = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    let length = 2 + count;
    let span = Span::new(at, at + length);
    if count == 0 {
        return Err(Refusal::new(span, "`0x` without digits"));
    }
    let value = i128::from_str_radix(&digits[..count], 16).map_err(|_| too_large(span))?;
    Ok((Token::Int(value), length))
}

fn decimal(text: &str, at: usize) -> Result<(Token<'static>, usize), Refusal> {
    let whole = digits_length(text);
    let mut length = whole;
    if text[whole..].starts_with('.') {
        let fraction = digits_length(&text[whole + 1..]);
        if fraction == 0 {
            let error =
                Refusal::new(Span::new(at, at + whole + 1), "a digit is missing after the point");
            return Err(error.help(format!("write `{}.0`", &text[..whole])));
        }
        length += 1 + fraction;
    }
    length += exponent_length(&text[length..]);
    let span = Span::new(at, at + length);
    let digits = &text[..length];
    if length == whole {
        return Ok((Token::Int(digits.parse().map_err(|_| too_large(span))?), length));
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Token::Float(value), length)),
        _ => Err(too_large(span)),
    }
}

/// Of `e5`, `E-5` and the like; 0 if that is not what follows.
fn exponent_length(text: &str) -> usize {
    let Some(after) = text.strip_prefix(['e', 'E']) else { return 0 };
    let unsigned = after.strip_prefix(['+', '-']).unwrap_or(after);
    match digits_length(unsigned) {
        0 => 0,
        digits => text.len() - unsigned.len() + digits,
    }
}

fn too_large(span: Span) -> Refusal {
    Refusal::new(span, "this number is too large")
}

/// The string that `text` begins with (`'…'`, `"…"`, tripled, or raw after `r`), and its length.
pub(super) fn string(text: &str, at: usize) -> Result<(String, usize), Refusal> {
    let raw = text.starts_with(['r', 'R']);
    let open = usize::from(raw);
    let quote = &text[open..=open];
    let triple = quote.repeat(3);
    let quote = if text[open..].starts_with(&triple) { &triple } else { quote };
    let mut value = String::new();
    let mut position = open + quote.len();
    loop {
        let rest = &text[position..];
        if rest.starts_with(quote) {
            return Ok((value, position + quote.len()));
        }
        match rest.chars().next() {
            None => break,
            Some('\n' | '\r') if quote.len() == 1 => break,
            Some('\\') if !raw => {
                let (character, length) = escape(rest, at + position)?;
                value.push(character);
                position += length;
            }
            Some(character) => {
                value.push(character);
                position += character.len_utf8();
            }
        }
    }
    let error = Refusal::new(Span::new(at, at + position), "this string has no end");
    Err(error.help(format!("close it with `{quote}`")))
}

/// The character that `text`, which begins with a backslash, stands for, and the length of the escape.
fn escape(text: &str, at: usize) -> Result<(char, usize), Refusal> {
    let letter = text[1..].chars().next();
    let plain = |character| Ok((character, 2));
    match letter {
        Some(same @ ('\\' | '?' | '"' | '\'' | '`')) => plain(same),
        Some('a') => plain('\x07'),
        Some('b') => plain('\x08'),
        Some('f') => plain('\x0c'),
        Some('n') => plain('\n'),
        Some('r') => plain('\r'),
        Some('t') => plain('\t'),
        Some('v') => plain('\x0b'),
        Some('x' | 'X') => code_point(text, 2, 2, 16, at),
        Some('u') => code_point(text, 2, 4, 16, at),
        Some('U') => code_point(text, 2, 8, 16, at),
        Some('0'..='3') => code_point(text, 1, 3, 8, at),
        other => {
            let length = 1 + other.map_or(0, char::len_utf8);
            let shown = text[..length].escape_debug().to_string().replace("\\\\", "\\");
            let error = Refusal::new(
                Span::new(at, at + length),
                format!("`{shown}` is no escape sequence"),
            );
            Err(error.help("write `\\\\` for a backslash, or a raw string: `r\"…\"`"))
        }
    }
}

fn code_point(
    text: &str,
    skip: usize,
    digits: usize,
    radix: u32,
    at: usize,
) -> Result<(char, usize), Refusal> {
    let found = text[skip..].chars().take(digits).take_while(|c| c.is_digit(radix)).count();
    let length = skip + found;
    let number = u32::from_str_radix(&text[skip..length], radix);
    let character = number.ok().filter(|_| found == digits).and_then(char::from_u32);
    character.map(|character| (character, length)).ok_or_else(|| {
        Refusal::new(
            Span::new(at, at + length),
            format!("this escape sequence needs {digits} digits that name a character"),
        )
    })
}

/// The text, printed as a string literal.
pub(super) struct Quoted<'t>(pub(super) &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                // Not to be seen, or taken by a terminal as an order.
                other if other.is_control() => write!(f, "\\u{:04x}", u32::from(other))?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}
