//! JSON text looked into without building values: where a value ends, and what stands in a field.
//!
//! It is fast because it may give up. `None` means "ask the parser"; whatever else is answered is what the parser would
//! say, and a value that was walked over is one that the parser can hold. It gives up at what is rare in events: escapes
//! in names, surrogates, very long numbers, deep nesting; and at anything malformed, for the parser to tell why.

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

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
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
        self.skip_number()?;
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
        self.skip_value(0)?;
        self.text.get(start..self.at)
    }

    fn skip_value(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_string(),
            b'{' if depth < MAX_DEPTH => self.skip_object(depth + 1),
            b'[' if depth < MAX_DEPTH => self.skip_array(depth + 1),
            b'-' | b'0'..=b'9' => self.skip_number(),
            b't' => self.text("true"),
            b'f' => self.text("false"),
            b'n' => self.text("null"),
            _ => None,
        }
    }

    fn skip_object(&mut self, depth: u32) -> Option<()> {
        self.at += 1;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            self.skip_space();
            self.skip_string()?;
            self.take(b':')?;
            self.skip_space();
            self.skip_value(depth)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    fn skip_array(&mut self, depth: u32) -> Option<()> {
        self.at += 1;
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.skip_space();
            self.skip_value(depth)?;
            if self.take(b',').is_none() {
                return self.take(b']');
            }
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.take_here(b'"')?;
        loop {
            self.at = special(self.text.as_bytes(), self.at)?;
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.skip_escape()?,
                _ => return None,
            }
        }
    }

    fn skip_escape(&mut self) -> Option<()> {
        let escape = self.text.as_bytes().get(self.at + 1)?;
        match escape {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let digits = self.text.as_bytes().get(self.at + 2..self.at + 6)?;
                let is_surrogate = matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                if is_surrogate || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                self.at += 6;
            }
            _ => return None,
        }
        Some(())
    }

    fn skip_digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn skip_number(&mut self) -> Option<()> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let leading_zero = self.peek() == Some(b'0');
        let digits = self.skip_digits();
        if digits == 0 || (leading_zero && digits > 1) {
            return None;
        }
        if self.take_here(b'.').is_some() && self.skip_digits() == 0 {
            return None;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if !(1..=2).contains(&self.skip_digits()) {
                return None;
            }
        }
        (self.at - start <= MAX_NUMBER).then_some(())
    }
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

/// The field at this path of a payload. Of fields with one name the last counts, as for the parser.
pub(super) fn field<'a>(payload: &'a str, path: &[PathElement]) -> Option<Field<'a>> {
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
