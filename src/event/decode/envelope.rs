//! Where a JSON line keeps its name, payload and time.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Malformed;
use crate::event::raw::{self, Cursor};

/// Where a JSON line keeps its name, payload and time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Envelope {
    /// `{"fd-sink-item.v0":{…,"time_stamp":T,"section":[…],"event":{NAME:PAYLOAD}}}`
    /// (`src/lib_base/unix/file_descriptor_sink.ml`).
    #[default]
    Octez,
    /// Any other: paths of field names. An empty `value` path is the whole line.
    Fields { name: Vec<String>, value: Vec<String>, time: Option<Vec<String>> },
}

/// An envelope's parts, borrowed from its line.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) name: Cow<'a, str>,
    /// As it stands there: [`seconds`] tells what that is.
    pub(super) time: Option<&'a str>,
    pub(super) section: Option<&'a str>,
    pub(super) payload: &'a str,
}

impl Envelope {
    /// The parts of a line. The payload is one that the parser can hold as a value.
    pub(super) fn open<'a>(&self, line: &'a str) -> Result<Opened<'a>, Malformed> {
        let opened = match self {
            Self::Octez => match open_plain_octez(line) {
                Some(opened) => return Ok(opened),
                None => open_octez(line),
            },
            Self::Fields { name, value, time } => open_fields(line, name, value, time.as_deref()),
        }?;
        if !raw::is_plain(opened.payload)
            && let Err(error) = serde_json::from_str::<serde_json::Value>(opened.payload)
        {
            return Err(Malformed::NoValue { reason: error.to_string() });
        }
        Ok(opened)
    }
}

/// The ordinary line, in a quarter of the parser's time. `None` for whatever is not quite ordinary: [`open_octez`] decides.
fn open_plain_octez(line: &str) -> Option<Opened<'_>> {
    let mut cursor = Cursor::new(line);
    let mut item = None;
    cursor.fields(|name, cursor| match name {
        "fd-sink-item.v0" if item.is_none() => {
            item = Some(plain_item(cursor)?);
            Some(())
        }
        "fd-sink-item.v0" => None,
        _ => cursor.value().map(drop),
    })?;
    cursor.end()?;
    item
}

fn plain_item<'a>(cursor: &mut Cursor<'a>) -> Option<Opened<'a>> {
    let (mut time, mut section, mut event) = (None, None, None);
    cursor.fields(|name, cursor| {
        match name {
            "time_stamp" if time.is_none() => time = Some(cursor.value()?),
            "section" if section.is_none() => section = Some(cursor.value()?),
            "event" if event.is_none() => event = Some(plain_event(cursor)?),
            "time_stamp" | "section" | "event" => return None,
            _ => drop(cursor.value()?),
        }
        Some(())
    })?;
    let (name, payload) = event?;
    // The parser takes a `null` for an absent field.
    let is_null = |part: Option<&str>| part == Some("null");
    if is_null(time) || is_null(section) {
        return None;
    }
    Some(Opened { name: Cow::Borrowed(name), time, section, payload })
}

fn plain_event<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a str, &'a str)> {
    let mut only = None;
    cursor.fields(|name, cursor| {
        let field = (name, cursor.value()?);
        only.replace(field).is_none().then_some(())
    })?;
    only
}

fn not_json(error: &serde_json::Error) -> Malformed {
    if error.is_data() {
        return Malformed::NoEnvelope { missing: "object of the expected shape" };
    }
    Malformed::NotJson { reason: error.to_string() }
}

fn open_octez(line: &str) -> Result<Opened<'_>, Malformed> {
    let sink: SinkLine<'_> = serde_json::from_str(line).map_err(|error| not_json(&error))?;
    let item = sink.item.ok_or(Malformed::NoEnvelope { missing: "`fd-sink-item.v0`" })?;
    let OneField { name, payload, fields } =
        item.event.ok_or(Malformed::NoEnvelope { missing: "`event`" })?;
    match (name, payload, fields) {
        (Some(Name(name)), Some(payload), 1) => Ok(Opened {
            name,
            time: item.time_stamp.map(RawValue::get),
            section: item.section.map(RawValue::get),
            payload: payload.get(),
        }),
        // A heavy event without version wrapper (`rpc_http_attempt`) has several fields and so no name.
        _ => Err(Malformed::NoEnvelope { missing: "single name in `event`" }),
    }
}

#[derive(serde::Deserialize)]
struct SinkLine<'a> {
    #[serde(rename = "fd-sink-item.v0", borrow)]
    item: Option<SinkItem<'a>>,
}

#[derive(serde::Deserialize)]
struct SinkItem<'a> {
    #[serde(borrow)]
    time_stamp: Option<&'a RawValue>,
    #[serde(borrow)]
    section: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<OneField<'a>>,
}

/// A string that borrows when it has no escapes (serde's own `Cow` always copies).
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// An object's first field and how many there are; for anything but an object, none.
struct OneField<'a> {
    name: Option<Name<'a>>,
    payload: Option<&'a RawValue>,
    fields: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for OneField<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OneFieldVisitor)
    }
}

struct OneFieldVisitor;

impl<'de> Visitor<'de> for OneFieldVisitor {
    type Value = OneField<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the event's name as its only field")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut one = OneField { name: None, payload: None, fields: 0 };
        if let Some((name, payload)) = map.next_entry()? {
            one = OneField { name: Some(name), payload: Some(payload), fields: 1 };
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            one.fields += 1;
        }
        Ok(one)
    }
}

/// Seconds since the epoch, from a number of seconds or an RFC 3339 text.
pub(super) fn seconds(raw: &str) -> Option<f64> {
    if let Ok(number) = raw.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let text: String = serde_json::from_str(raw).ok()?;
    let time = humantime::parse_rfc3339_weak(&text).ok()?;
    Some(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs_f64())
}

fn open_fields<'a>(
    line: &'a str,
    name: &[String],
    value: &[String],
    time: Option<&[String]>,
) -> Result<Opened<'a>, Malformed> {
    let whole: &RawValue = serde_json::from_str(line).map_err(|error| not_json(&error))?;
    let name = field(whole, name)
        .and_then(|raw| serde_json::from_str::<Name<'a>>(raw.get()).ok())
        .ok_or(Malformed::NoEnvelope { missing: "event name" })?;
    let payload = field(whole, value).ok_or(Malformed::NoEnvelope { missing: "payload" })?;
    let time = time.and_then(|path| field(whole, path)).map(RawValue::get);
    Ok(Opened { name: name.0, time, section: None, payload: payload.get() })
}

/// The value at a path of field names; `None` where a field is missing or its parent is no object.
fn field<'a>(raw: &'a RawValue, path: &[String]) -> Option<&'a RawValue> {
    path.iter().try_fold(raw, |parent, wanted| {
        let mut json = serde_json::Deserializer::from_str(parent.get());
        json.deserialize_map(FieldVisitor { wanted }).ok().flatten()
    })
}

struct FieldVisitor<'p> {
    wanted: &'p str,
}

impl<'de> Visitor<'de> for FieldVisitor<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Name<'de>>()? {
            if key.0 == self.wanted {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
