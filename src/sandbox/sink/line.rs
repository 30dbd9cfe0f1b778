//! One event as one line of JSON, in the order of fields and with the escapes of Octez.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use super::number::g16;
use crate::daemon::Level;

/// What stands around a payload.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Told only where the sink advertises levels.
    pub level: Option<Level>,
    pub hostname: &'a str,
    /// Seconds since the epoch.
    pub time: f64,
    pub section: &'a [&'a str],
}

/// The JSON of a payload, minified.
pub fn json<T: Serialize + ?Sized>(value: &T) -> String {
    let mut bytes = Vec::with_capacity(128);
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, Octez))
        .expect("an event's payload is a plain tree with string keys, written to memory");
    String::from_utf8(bytes).expect("the serializer writes UTF-8")
}

/// `{"<name>.v0":<payload>}`, from the payload's JSON.
pub fn versioned(name: &str, payload: &str) -> String {
    format!("{{{}:{payload}}}", json(&format!("{name}.v0")))
}

/// The whole line, without the newline; `event` is JSON.
pub fn render(envelope: &Envelope<'_>, event: &str) -> String {
    let level = envelope.level.map(|level| format!(r#""level":"{}","#, level.word()));
    format!(
        r#"{{"fd-sink-item.v0":{{{}"hostname":{},"time_stamp":{},"section":{},"event":{event}}}}}"#,
        level.unwrap_or_default(),
        json(&envelope.hostname),
        g16(envelope.time),
        json(&envelope.section),
    )
}

/// Floats as `%.16g`; of the control characters only the newline has a short escape.
struct Octez;

impl Formatter for Octez {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(g16(value).as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        let control = match escape {
            CharEscape::Quote => return writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => return writer.write_all(b"\\\\"),
            CharEscape::Solidus => return writer.write_all(b"/"),
            CharEscape::LineFeed => return writer.write_all(b"\\n"),
            CharEscape::Backspace => 0x08,
            CharEscape::FormFeed => 0x0c,
            CharEscape::CarriageReturn => 0x0d,
            CharEscape::Tab => 0x09,
            CharEscape::AsciiControl(byte) => byte,
        };
        write!(writer, "\\u{control:04X}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn fields_stand_in_the_order_of_octez() {
        let mut envelope = Envelope {
            level: None,
            hostname: "host",
            time: 1_787_318_689.25,
            section: &["node", "main"],
        };
        let event = versioned("bye", &json(&127));
        assert_eq!(
            render(&envelope, &event),
            r#"{"fd-sink-item.v0":{"hostname":"host","time_stamp":1787318689.25,"section":["node","main"],"event":{"bye.v0":127}}}"#
        );
        envelope.level = Some(Level::Notice);
        envelope.section = &[];
        assert_eq!(
            render(&envelope, &event),
            r#"{"fd-sink-item.v0":{"level":"notice","hostname":"host","time_stamp":1787318689.25,"section":[],"event":{"bye.v0":127}}}"#
        );
    }

    #[test]
    fn strings_are_escaped_as_octez_escapes_them() {
        let cases = [
            ("a\"b\\c/d", r#""a\"b\\c/d""#),
            ("two\nlines", r#""two\nlines""#),
            ("\t\r\u{8}\u{c}\u{1f}\u{0}", r#""\u0009\u000D\u0008\u000C\u001F\u0000""#),
            ("é€𝄞", "\"é€𝄞\""),
        ];
        for (text, wanted) in cases {
            assert_eq!(json(&text), wanted);
        }
    }

    #[test]
    fn payloads_keep_the_order_of_their_fields() {
        assert_eq!(
            json(&value!({"view": {"hash": "B"}, "level": 2, "delay": 0.5, "none": null})),
            r#"{"view":{"hash":"B"},"level":2,"delay":0.5,"none":null}"#
        );
    }
}
