//! JSON text looked into without building values: where a value ends, and what stands in a field.
//!
//! It is fast because it may give up. `None` means "ask the parser"; whatever else is answered is what the parser would
//! say, and a value that was walked over is one that the parser can hold. It gives up at what is rare in events: escapes
//! in names, surrogates, very long numbers, deep nesting; and at anything malformed, for the parser to tell why.

use memchr::memmem;

use crate::predicate::PathElement;

/// A place in a JSON text.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// Deeper values are the parser's business, which has a limit of its own (128).
const MAX_DEPTH: u32 = 64;

/// A number this short, with an exponent of two digits at most, is finite.
const MAX_NUMBER: usize = 40;

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        self.at = after_space(self.text.as_bytes(), self.at);
    }

    /// Steps over this byte, if it is the next one that is no white space.
    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        self.take_here(byte)
    }

    #[inline]
    fn take_here(&mut self, byte: u8) -> Option<()> {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next.then_some(())
    }

    /// What has not been stepped over.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Steps over this very text.
    pub(super) fn text(&mut self, wanted: &str) -> Option<()> {
        let stands_here = self.rest().starts_with(wanted);
        self.at += wanted.len();
        stands_here.then_some(())
    }

    /// Steps over a number.
    pub(super) fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.at = number_end(self.text.as_bytes(), start)?;
        self.text.get(start..self.at)
    }

    /// Nothing but white space is left.
    pub(super) fn end(mut self) -> Option<()> {
        self.skip_space();
        (self.at == self.text.len()).then_some(())
    }

    /// The text of a string without escapes.
    fn plain_string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        self.at = special(self.text.as_bytes(), start)?;
        let string = self.text.get(start..self.at)?;
        self.take_here(b'"')?;
        Some(string)
    }

    /// Walks over an object: for each field, `each` gets the name and must step over the value.
    pub(super) fn fields(
        &mut self,
        mut each: impl FnMut(&'a str, &mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.plain_string()?;
            self.take(b':')?;
            each(name, self)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// Steps over a value and gives its text, without white space around it.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        self.at = value_end(self.text.as_bytes(), start)?;
        self.text.get(start..self.at)
    }
}

/// Where the value ends that begins here.
fn value_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    // The arrays and objects around, innermost lowest: 1 is an object.
    let (mut around, mut depth) = (0_u64, 0);
    loop {
        at = match bytes.get(at)? {
            b'"' => string_end(bytes, at + 1)?,
            open @ (b'{' | b'[') => {
                let is_object = *open == b'{';
                at = after_space(bytes, at + 1);
                if *bytes.get(at)? == if is_object { b'}' } else { b']' } {
                    at + 1
                } else {
                    if depth == MAX_DEPTH {
                        return None;
                    }
                    around = around << 1 | u64::from(is_object);
                    depth += 1;
                    if is_object {
                        at = after_name(bytes, at)?;
                    }
                    continue;
                }
            }
            b'-' | b'0'..=b'9' => number_end(bytes, at)?,
            b't' => word_end(bytes, at, b"true")?,
            b'f' => word_end(bytes, at, b"false")?,
            b'n' => word_end(bytes, at, b"null")?,
            _ => return None,
        };
        // Behind a value: the ends of what is around it, then a comma and the next one.
        loop {
            if depth == 0 {
                return Some(at);
            }
            at = after_space(bytes, at);
            let in_object = around & 1 == 1;
            match bytes.get(at)? {
                b',' => {
                    at = after_space(bytes, at + 1);
                    if in_object {
                        at = after_name(bytes, at)?;
                    }
                    break;
                }
                b'}' if in_object => {}
                b']' if !in_object => {}
                _ => return None,
            }
            at += 1;
            around >>= 1;
            depth -= 1;
        }
    }
}

#[inline]
fn after_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Where the value begins whose field's name begins here.
#[inline]
fn after_name(bytes: &[u8], at: usize) -> Option<usize> {
    if *bytes.get(at)? != b'"' {
        return None;
    }
    let at = after_space(bytes, string_end(bytes, at + 1)?);
    (*bytes.get(at)? == b':').then(|| after_space(bytes, at + 1))
}

/// Behind the closing quote of the string whose first character stands here.
#[inline]
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = special(bytes, at)?;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape_end(bytes, at)?,
            _ => return None,
        }
    }
}

fn escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => {
            let digits = bytes.get(at + 2..at + 6)?;
            let is_surrogate = matches!(digits, [b'd' | b'D', second, ..] if *second >= b'8');
            let legal = !is_surrogate && digits.iter().all(u8::is_ascii_hexdigit);
            legal.then_some(at + 6)
        }
        _ => None,
    }
}

fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

#[inline]
fn number_end(bytes: &[u8], start: usize) -> Option<usize> {
    let first = start + usize::from(bytes.get(start) == Some(&b'-'));
    let mut at = digits_end(bytes, first);
    if at == first || (bytes[first] == b'0' && at > first + 1) {
        return None;
    }
    if bytes.get(at) == Some(&b'.') {
        let first = at + 1;
        at = digits_end(bytes, first);
        if at == first {
            return None;
        }
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let first = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = digits_end(bytes, first);
        if !(1..=2).contains(&(at - first)) {
            return None;
        }
    }
    (at - start <= MAX_NUMBER).then_some(at)
}

fn word_end(bytes: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(word).then_some(at + word.len())
}

/// Where the next byte stands that ends a run of plain characters in a string: a quote, a backslash, a control character.
#[inline]
fn special(bytes: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // Eight bytes at a time. The lowest marked byte is exact; those above it need not be.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGHS;
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    while let Some(chunk) = bytes.get(at..)?.first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let marks = below(word, b' ') | equal(word, b'"') | equal(word, b'\\');
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += chunk.len();
    }
    let rest = bytes.get(at..)?;
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
    Some(at + found)
}

/// Whether the parser can certainly hold this text as a value.
pub(super) fn is_plain(value: &str) -> bool {
    let mut cursor = Cursor::new(value);
    cursor.value().and_then(|_| cursor.end()).is_some()
}

/// What stands in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// There is no such field, or it has another type than these.
    Nothing,
    Int(i128),
    Str(&'a str),
}

/// Finds one field in the payloads of many events.
#[derive(Debug)]
pub(super) struct FieldFinder {
    path: Vec<PathElement>,
    /// The field's name as it stands in a text without escapes; for a field of the payload itself.
    quoted: Option<memmem::Finder<'static>>,
}

impl FieldFinder {
    pub(super) fn new(path: &[PathElement]) -> Self {
        let quoted = match path {
            [PathElement::Field(name)] => Some(serde_json::Value::from(name.as_str()).to_string()),
            _ => None,
        };
        let quoted = quoted.map(|quoted| memmem::Finder::new(&quoted).into_owned());
        Self { path: path.to_vec(), quoted }
    }

    /// The field in this payload, which the decoder has found to be a value.
    pub(super) fn find<'a>(&self, payload: &'a str) -> Option<Field<'a>> {
        self.glance(payload).or_else(|| field(payload, &self.path))
    }

    /// Decides the common cases by searching for the name: it stands nowhere, or in front and nowhere else.
    fn glance<'a>(&self, payload: &'a str) -> Option<Field<'a>> {
        let quoted = self.quoted.as_ref()?;
        if memchr::memchr(b'\\', payload.as_bytes()).is_some() {
            return None;
        }
        let Some(at) = quoted.find(payload.as_bytes()) else {
            return Some(Field::Nothing);
        };
        let rest = payload.get(at + quoted.needle().len()..)?;
        if payload.get(..at)? != "{" || quoted.find(rest.as_bytes()).is_some() {
            return None;
        }
        scalar(Cursor::new(rest.strip_prefix(':')?).value()?)
    }
}

/// The field at this path of a payload. Of fields with one name the last counts, as for the parser.
fn field<'a>(payload: &'a str, path: &[PathElement]) -> Option<Field<'a>> {
    let mut value = Cursor::new(payload).value()?;
    for step in path {
        let mut cursor = Cursor::new(value);
        let found = match (step, value.as_bytes().first()) {
            (PathElement::Field(wanted), Some(b'{')) => {
                let mut found = None;
                cursor.fields(|name, cursor| {
                    let value = cursor.value()?;
                    if name == wanted.as_str() {
                        found = Some(value);
                    }
                    Some(())
                })?;
                found
            }
            (PathElement::Index(_), Some(b'[')) => return None,
            _ => None,
        };
        let Some(found) = found else {
            return Some(Field::Nothing);
        };
        value = found;
    }
    scalar(value)
}

fn scalar(value: &str) -> Option<Field<'_>> {
    Some(match value.as_bytes().first()? {
        b'"' => Field::Str(Cursor::new(value).plain_string()?),
        // `-0` is a float for the parser, and what has a fraction or does not fit 64 bits is one, too.
        b'-' => Field::Int(value.parse::<i64>().ok().filter(|int| *int != 0)?.into()),
        b'0'..=b'9' => Field::Int(value.parse::<u64>().ok()?.into()),
        _ => Field::Nothing,
    })
}

#[cfg(test)]
mod tests;
