//! Bytes to records: cutting chunks into lines, and lines into envelope and raw payload.
//!
//! Only the envelope is looked at. The payload stays a range of the batch's bytes until somebody waits for it, which
//! is what makes large events cheap.

mod envelope;
mod split;
mod template;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

pub use self::envelope::Envelope;
use self::envelope::Opened;
pub use self::split::{Piece, Splitter};
use self::template::{Parts, Templates};
use super::EventName;

/// The longest line that is looked at as an event; a longer one is kept as a malformed record.
pub const LINE_CAP: usize = 16 * 1024 * 1024;

/// Complete lines of one daemon, as they came, and what stands in them, in order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub bytes: Bytes,
    pub records: Vec<Record>,
}

/// One line: where it is in its batch, and what its envelope says.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The line without its newline.
    pub line: Range<usize>,
    pub content: Result<Content, Malformed>,
}

impl Record {
    /// Both are events, and have one name.
    pub fn is_like(&self, other: &Self) -> bool {
        match (&self.content, &other.content) {
            (Ok(content), Ok(other)) => content.name == other.name,
            _ => false,
        }
    }
}

/// The envelope of a line that is an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    pub name: EventName,
    pub time: Option<f64>,
    /// Where the section stands as JSON; empty if there is none.
    pub section: Range<usize>,
    /// Where the payload stands as JSON.
    pub payload: Range<usize>,
}

/// Why a line is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 { at: usize },
    #[error("not JSON: {reason}")]
    NotJson { reason: String },
    #[error("no {missing} in its envelope")]
    NoEnvelope { missing: &'static str },
    #[error("its payload cannot be held as a value: {reason}")]
    NoValue { reason: String },
    #[error("{bytes} bytes in one line, more than {LINE_CAP}")]
    TooLong { bytes: u64 },
    #[error("it ended in the middle of a line: {reason}")]
    Unterminated { reason: String },
}

/// What was seen of a source's lines: their names, so that a name is allocated once and not once an event, and what is
/// alike in them.
///
/// Bounded: a daemon that invents names pays for them itself.
#[derive(Debug, Default)]
pub struct Names {
    seen: HashMap<Box<str>, EventName>,
    templates: Templates,
}

impl Names {
    const LIMIT: usize = 4096;

    fn intern(&mut self, name: &str) -> EventName {
        if let Some(known) = self.seen.get(name) {
            return known.clone();
        }
        let fresh = EventName::from(name);
        if self.seen.len() < Self::LIMIT {
            self.seen.insert(name.into(), fresh.clone());
        }
        fresh
    }
}

impl Batch {
    /// Decodes complete lines. Blank lines are no records.
    pub fn decode(bytes: Bytes, envelope: &Envelope, names: &mut Names) -> Self {
        let mut records = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
            if let Some(record) = decode_line(&bytes, start..end, envelope, names) {
                records.push(record);
            }
            start = end + 1;
        }
        Self { bytes, records }
    }

    /// The last bytes of a source that ended without a newline: an event if they are whole, else a malformed record.
    pub fn decode_unterminated(bytes: Bytes, envelope: &Envelope, names: &mut Names) -> Self {
        let mut batch = Self::decode(bytes, envelope, names);
        for record in &mut batch.records {
            if let Err(reason) = &record.content {
                let reason = reason.to_string();
                record.content = Err(Malformed::Unterminated { reason });
            }
        }
        batch
    }

    /// The text of a part of this batch. Ranges of a decoded record are always valid UTF-8.
    pub fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(self.bytes.get(range.clone()).unwrap_or_default()).unwrap_or_default()
    }
}

fn decode_line(
    bytes: &Bytes,
    line: Range<usize>,
    envelope: &Envelope,
    names: &mut Names,
) -> Option<Record> {
    let raw = &bytes[line.clone()];
    if raw.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let content = match std::str::from_utf8(raw) {
        Err(error) => Err(Malformed::NotUtf8 { at: error.valid_up_to() }),
        Ok(text) => open_line(text, envelope, names).map(|parts| Content {
            name: parts.name,
            time: parts.time.and_then(envelope::seconds),
            section: range_of(text, parts.section, line.start),
            payload: range_of(text, Some(parts.payload), line.start),
        }),
    };
    Some(Record { line, content })
}

fn open_line<'a>(
    line: &'a str,
    envelope: &Envelope,
    names: &mut Names,
) -> Result<Parts<'a>, Malformed> {
    if *envelope == Envelope::Octez
        && let Some(parts) = names.templates.open(line)
    {
        return Ok(parts);
    }
    let Opened { name, time, section, payload } = envelope.open(line)?;
    let parts = Parts { name: names.intern(&name), time, section, payload };
    if *envelope == Envelope::Octez {
        names.templates.learn(line, &parts);
    }
    Ok(parts)
}

/// Where `part`, a subslice of `text`, stands in the batch that `text` begins at `base` of.
fn range_of(text: &str, part: Option<&str>, base: usize) -> Range<usize> {
    part.map_or(base..base, |part| {
        let start = base + (part.as_ptr() as usize - text.as_ptr() as usize);
        start..start + part.len()
    })
}

/// Shows bytes that are no event: lossy, shortened, on one line.
#[derive(Debug)]
pub struct Excerpt<'a>(pub &'a [u8]);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LIMIT: usize = 120;
        let shown = &self.0[..self.0.len().min(LIMIT)];
        for c in String::from_utf8_lossy(shown).chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        if self.0.len() > LIMIT { write!(f, "… ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
