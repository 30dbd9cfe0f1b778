//! The table of events, and the comparison of a line with it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::shape::{Shape, Types, matches};

/// One event of one daemon.
#[derive(Debug)]
pub struct Row {
    /// The stand-in emits it.
    pub in_sandbox: bool,
    pub daemon: String,
    pub level: String,
    pub section: Vec<String>,
    /// With its version; `P` for the protocol in it.
    pub event: String,
    payload: Shape,
}

#[derive(Debug)]
pub struct Table {
    types: Types,
    pub rows: Vec<Row>,
}

/// The words that P stands for.
const PROTOCOL: &str = r"^(alpha|\d{3}-P[1-9A-HJ-NP-Za-km-z]{7})$";

impl Table {
    pub fn read() -> Self {
        let mut table = Self { types: Types::new(), rows: Vec::new() };
        let lines = include_str!("events.txt").lines();
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [name, "=", payload] => {
                    table.types.insert((*name).to_owned(), Shape::parse(payload));
                }
                [who @ ("sandbox" | "octez"), daemon, level, section, event, payload] => {
                    let words = section.split('.').filter(|word| *word != "-");
                    table.rows.push(Row {
                        in_sandbox: *who == "sandbox",
                        daemon: (*daemon).to_owned(),
                        level: (*level).to_owned(),
                        section: words.map(str::to_owned).collect(),
                        event: (*event).to_owned(),
                        payload: Shape::parse(payload),
                    });
                }
                _ => panic!("no row: {line}"),
            }
        }
        table
    }

    /// The row that this line of the daemon's pipe agrees with in every respect, levels advertised.
    pub fn check(&self, daemon: &str, line: &str) -> Result<&Row, String> {
        let envelope = envelope(line)?;
        let event = envelope["event"].as_object().ok_or("no event")?;
        let (name, payload) = match event.iter().next() {
            Some((name, payload)) if event.len() == 1 => (name.as_str(), payload),
            // The one event without a name of its own has fields in its place.
            _ => ("rpc_http_attempt", &envelope["event"]),
        };
        let named = |row: &&Row| row.daemon == daemon && is_called(&row.event, name);
        let row =
            self.rows.iter().find(named).ok_or_else(|| format!("{name} is not in the table"))?;
        if envelope["level"] != row.level {
            return Err(format!("{name} is {}, not {}", row.level, envelope["level"]));
        }
        let section: Vec<&str> = envelope["section"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let same = |(word, wanted): (&&str, &String)| stands_for(wanted, word);
        if section.len() != row.section.len() || !section.iter().zip(&row.section).all(same) {
            return Err(format!("{name} is in section {:?}, not {section:?}", row.section));
        }
        match row.payload.misfit(payload, &self.types) {
            Some(misfit) => Err(format!("{name}{misfit}")),
            None => Ok(row),
        }
    }

    /// What the stand-ins claim to emit and is not among these.
    pub fn unseen(&self, seen: &BTreeSet<(String, String)>) -> Vec<String> {
        let claimed = self.rows.iter().filter(|row| row.in_sandbox);
        let missing =
            claimed.filter(|row| !seen.contains(&(row.daemon.clone(), row.event.clone())));
        missing.map(|row| format!("{} {}", row.daemon, row.event)).collect()
    }
}

/// The envelope, if its fields, their order and the form of the time are Octez's.
fn envelope(line: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let outer: Vec<&String> = value.as_object().into_iter().flat_map(|map| map.keys()).collect();
    if outer != ["fd-sink-item.v0"] {
        return Err(format!("an envelope of {outer:?}"));
    }
    let envelope = &value["fd-sink-item.v0"];
    let fields: Vec<&String> =
        envelope.as_object().into_iter().flat_map(|map| map.keys()).collect();
    if fields != ["level", "hostname", "time_stamp", "section", "event"] {
        return Err(format!("an envelope with {fields:?}"));
    }
    // Microseconds, no zeros at the end; no space anywhere outside strings.
    let head = r#"^\{"fd-sink-item\.v0":\{"level":"[a-z]+","hostname":"host","time_stamp":\d{10}(\.\d{0,5}[1-9])?,"section":\["#;
    if !matches(line, head) {
        return Err("an envelope that is written otherwise".to_owned());
    }
    Ok(envelope.clone())
}

/// Whether a row's event is the one of this name: `block-seen-P.v0` is `block-seen-alpha.v0`.
fn is_called(event: &str, name: &str) -> bool {
    match event.split_once("-P.") {
        None => event == name,
        Some((before, after)) => name
            .strip_prefix(before)
            .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(after)?.strip_suffix('.'))
            .is_some_and(|protocol| matches(protocol, PROTOCOL)),
    }
}

fn stands_for(wanted: &str, word: &str) -> bool {
    wanted == word || (wanted == "P" && matches(word, PROTOCOL))
}

/// Users' scenarios are checked against the harness's own table, which says less of each event.
#[test]
fn the_harness_knows_every_event_of_the_table_with_its_level_and_section() {
    use tribunal::daemon::Kind;
    use tribunal::octez::events::known_events;

    let table = Table::read();
    for (daemon, kind) in [("accuser", Kind::Accuser), ("node", Kind::Node)] {
        let ours: BTreeSet<String> = known_events(kind)
            .iter()
            .map(|event| {
                let section: Vec<_> =
                    event.section.iter().map(|word| word.replace('*', "P")).collect();
                let name = event.name.replace('*', "P.v0");
                format!("{} {} {name}", event.level.word(), section.join("."))
            })
            .collect();
        let rows = table.rows.iter().filter(|row| row.daemon == daemon);
        // What has no name cannot be waited for.
        let named = rows.filter(|row| row.event.strip_suffix(".v0").is_some());
        let theirs: BTreeSet<String> = named
            .map(|row| format!("{} {} {}", row.level, row.section.join("."), row.event))
            .collect();
        assert_eq!(ours, theirs, "{daemon}");
    }
}

#[test]
fn a_line_that_differs_in_anything_is_refused() {
    let table = Table::read();
    let good = r#"{"fd-sink-item.v0":{"level":"notice","hostname":"host","time_stamp":1787318680.248604,"section":["node","main"],"event":{"bye.v0":127}}}"#;
    assert!(table.check("node", good).is_ok(), "{:?}", table.check("node", good));
    for (from, to, told) in [
        (r#""notice""#, r#""info""#, "bye.v0 is notice"),
        (r#"["node","main"]"#, r#"["node"]"#, "section"),
        ("127", r#""127""#, "bye.v0 is no int"),
        ("bye", "farewell", "not in the table"),
        ("248604", "248600", "written otherwise"),
        (r#""hostname":"host","#, "", "an envelope with"),
        (r#""section":"#, r#""section": "#, "written otherwise"),
    ] {
        let bad = good.replacen(from, to, 1);
        let error = table.check("node", &bad).expect_err(&bad);
        assert!(error.contains(told), "{bad}: {error}");
    }
    assert!(table.check("accuser", good).is_err());
}
