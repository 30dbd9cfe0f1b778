//! Lines that differ from an earlier one in nothing but the time and the payload.
//!
//! Of such a line only these two have to be walked over: where the text before, between and behind them is the same,
//! the parser would be in the same state there. Most events of a daemon are of few kinds, so most lines are.

use super::EventName;
use crate::event::raw::Cursor;

/// What the lines of a source have had around their times and payloads.
#[derive(Debug, Default)]
pub(super) struct Templates {
    /// From the line's begin to the time.
    before_time: String,
    kinds: Vec<Kind>,
    /// Which one gives way to the next new one.
    oldest: usize,
}

#[derive(Debug)]
struct Kind {
    /// From behind the time to the payload, with the name at its end.
    before_payload: String,
    /// Where the section stands in that.
    section: Option<(usize, usize)>,
    name: EventName,
}

/// Behind the payload of a line that has nothing else there.
const END: &str = "}}}";

/// The parts of a line. All are slices of it, the name apart.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) name: EventName,
    pub(super) time: Option<&'a str>,
    pub(super) section: Option<&'a str>,
    pub(super) payload: &'a str,
}

impl Templates {
    const LIMIT: usize = 8;

    /// The parts of a line that is like an earlier one.
    pub(super) fn open<'a>(&self, line: &'a str) -> Option<Parts<'a>> {
        if self.kinds.is_empty() {
            return None;
        }
        let mut cursor = Cursor::new(line);
        cursor.text(&self.before_time)?;
        let time = cursor.number()?;
        let rest = cursor.rest();
        let kind = self.kinds.iter().find(|kind| rest.starts_with(&kind.before_payload))?;
        cursor.text(&kind.before_payload)?;
        let payload = cursor.value()?;
        if cursor.rest() != END {
            return None;
        }
        let section = kind.section.and_then(|(start, end)| rest.get(start..end));
        Some(Parts { name: kind.name.clone(), time: Some(time), section, payload })
    }

    /// Remembers what is around the parts of a line, if others can be recognised by that.
    pub(super) fn learn(&mut self, line: &str, parts: &Parts<'_>) {
        let Some((before_time, kind)) = kind_of(line, parts) else {
            return;
        };
        if self.before_time != before_time {
            *self = Self { before_time: before_time.to_owned(), ..Self::default() };
        }
        if self.kinds.len() < Self::LIMIT {
            self.kinds.push(kind);
        } else {
            self.kinds[self.oldest] = kind;
            self.oldest = (self.oldest + 1) % Self::LIMIT;
        }
    }
}

fn kind_of<'a>(line: &'a str, parts: &Parts<'a>) -> Option<(&'a str, Kind)> {
    let time = parts.time.filter(|time| Cursor::new(time).number() == Some(*time))?;
    // All parts are slices of the line: where one begins in it.
    let place = |part: &str| (part.as_ptr() as usize).checked_sub(line.as_ptr() as usize);
    let (time_start, payload_start) = (place(time)?, place(parts.payload)?);
    let before_time = line.get(..time_start)?;
    let time_end = time_start + time.len();
    let before_payload = line.get(time_end..payload_start)?;
    if line.get(payload_start + parts.payload.len()..)? != END {
        return None;
    }
    let section = match parts.section {
        Some(section) => {
            let start = place(section)?.checked_sub(time_end)?;
            Some((start, start + section.len()))
        }
        None => None,
    };
    let before_payload = before_payload.to_owned();
    Some((before_time, Kind { before_payload, section, name: parts.name.clone() }))
}
