//! Bytes to records: cutting chunks into lines, and lines into envelope and raw payload.

/// Where a JSON line keeps its name, payload and time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Envelope {
    /// `{"fd-sink-item.v0":{…,"time_stamp":T,"section":[…],"event":{NAME:PAYLOAD}}}`
    #[default]
    Octez,
    /// Any other: paths of field names. An empty `value` path is the whole line.
    Fields { name: Vec<String>, value: Vec<String>, time: Option<Vec<String>> },
}
