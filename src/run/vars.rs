//! The values of `--var K=V`: JSON where V is JSON, else the text as it stands.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not K=V with a name of A-Z, a-z, 0-9 and `_`")]
pub struct InvalidVar {
    text: String,
}

/// `times=3` is the number 3, `key=bootstrap1` a text, `id="3"` (with the quotes) the text 3.
pub fn parse(text: &str) -> Result<(String, Value), InvalidVar> {
    let invalid = || InvalidVar { text: text.to_owned() };
    let (name, value) = text.split_once('=').ok_or_else(invalid)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(legal) || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(invalid());
    }
    Ok((name.to_owned(), value_of(value)))
}

/// What [`parse`] reads back as the same.
pub fn print(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) if value_of(text) == *value => format!("{name}={text}"),
        other => format!("{name}={other}"),
    }
}

fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_keeps_its_json_type() {
        let table = [
            ("times=3", "times", json!(3)),
            ("key=bootstrap1", "key", json!("bootstrap1")),
            ("id=\"3\"", "id", json!("3")),
            ("on=true", "on", json!(true)),
            ("keys=[\"a\", 1]", "keys", json!(["a", 1])),
            ("url=http://a/?b=c", "url", json!("http://a/?b=c")),
            ("empty=", "empty", json!("")),
            ("brace={", "brace", json!("{")),
        ];
        for (text, name, value) in table {
            assert_eq!(parse(text), Ok((name.to_owned(), value)), "{text}");
        }
        for text in ["", "a", "=1", "a b=1", "1a=1", "a.b=1", "é=1"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same(text in ".*") {
            for value in [json!(text), json!([text]), json!(3), json!(null)] {
                prop_assert_eq!(parse(&print("x", &value)), Ok(("x".to_owned(), value)));
            }
        }
    }
}
