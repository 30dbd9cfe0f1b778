//! What stands at a key: a fixed value, or a template that becomes one.

use std::time::Duration;

use serde_json::{Map, Number, Value};

use super::scope::{Builtins, Scope, ValueError, as_text};
use super::template::{Reference, Template};
use crate::scenario::source::Span;

/// A string with its variables, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub template: Template,
    pub span: Span,
    /// Where each of the template's references stands, in their order.
    pub places: Vec<Span>,
}

impl Text {
    /// Its text, if that does not depend on any variable.
    pub fn literal(&self) -> Option<&str> {
        self.template.literal()
    }

    pub fn references(&self) -> impl Iterator<Item = (&Reference, Span)> {
        self.template.references().zip(self.places.iter().copied())
    }

    pub fn resolve(&self, scope: &Scope, builtins: &dyn Builtins) -> Result<String, ValueError> {
        scope.text(&self.template, builtins)
    }
}

/// A value of a type, or a text that will be one.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting<T> {
    Fixed(T),
    Text(Text),
}

impl<T: FromValue + Clone> Setting<T> {
    pub fn fixed(&self) -> Option<&T> {
        match self {
            Self::Fixed(value) => Some(value),
            Self::Text(_) => None,
        }
    }

    pub fn resolve(&self, scope: &Scope, builtins: &dyn Builtins) -> Result<T, ValueError> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Text(text) => {
                let value = scope.value(&text.template, builtins)?;
                T::from_value(&value).ok_or_else(|| ValueError::WrongType {
                    text: text.template.source().to_owned(),
                    found: as_text(&value),
                    expected: T::EXPECTED,
                })
            }
        }
    }
}

/// A type that a variable's value can become.
pub trait FromValue: Sized {
    const EXPECTED: &'static str;

    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_bool(),
        }
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            // Octez prints int64 as strings.
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        }
    }
}

impl FromValue for u64 {
    const EXPECTED: &'static str = "a whole number, not negative";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        }
    }
}

impl FromValue for i32 {
    const EXPECTED: &'static str = "a whole number of 32 bits";

    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).and_then(|number| number.try_into().ok())
    }
}

impl FromValue for u32 {
    const EXPECTED: &'static str = "a whole number of 32 bits, not negative";

    fn from_value(value: &Value) -> Option<Self> {
        u64::from_value(value).and_then(|number| number.try_into().ok())
    }
}

impl FromValue for u16 {
    const EXPECTED: &'static str = "a whole number from 0 to 65535";

    fn from_value(value: &Value) -> Option<Self> {
        u64::from_value(value).and_then(|number| number.try_into().ok())
    }
}

impl FromValue for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_f64(),
        }
    }
}

impl FromValue for Duration {
    const EXPECTED: &'static str = "a duration such as `30s`";

    fn from_value(value: &Value) -> Option<Self> {
        value.as_str().and_then(|text| humantime::parse_duration(text).ok())
    }
}

/// JSON with templates for strings.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Null,
    Boolean(bool),
    Number(Number),
    Text(Text),
    List(Vec<Data>),
    Object(Vec<(String, Data)>),
}

impl Data {
    pub fn resolve(&self, scope: &Scope, builtins: &dyn Builtins) -> Result<Value, ValueError> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => scope.value(&text.template, builtins)?,
            Self::List(items) => {
                let items = items.iter().map(|item| item.resolve(scope, builtins));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Object(entries) => {
                let mut object = Map::new();
                for (key, value) in entries {
                    object.insert(key.clone(), value.resolve(scope, builtins)?);
                }
                Value::Object(object)
            }
        })
    }

    /// Every text in it, in order.
    pub fn texts(&self) -> Vec<&Text> {
        match self {
            Self::Null | Self::Boolean(_) | Self::Number(_) => Vec::new(),
            Self::Text(text) => vec![text],
            Self::List(items) => items.iter().flat_map(Self::texts).collect(),
            Self::Object(entries) => entries.iter().flat_map(|(_, value)| value.texts()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Nothing;

    impl Builtins for Nothing {
        fn resolve(&self, what: &super::super::Builtin) -> Result<Value, ValueError> {
            Err(ValueError::Unavailable {
                text: format!("{what:?}"),
                reason: "not here".to_owned(),
            })
        }
    }

    fn text(source: &str) -> Text {
        Text {
            template: Template::parse(source).unwrap(),
            span: Span::default(),
            places: Vec::new(),
        }
    }

    #[test]
    fn a_setting_takes_the_type_that_its_key_wants() {
        let mut scope = Scope::default();
        scope.set("n", json!(3));
        scope.set("int64", json!("12"));
        scope.set("limit", json!("2m"));
        let number = |source| Setting::<u64>::Text(text(source)).resolve(&scope, &Nothing);
        assert_eq!(number("$n"), Ok(3));
        assert_eq!(number("$int64"), Ok(12));
        assert_eq!(number("1$n"), Ok(13));
        assert!(matches!(number("$limit"), Err(ValueError::WrongType { .. })));
        let limit = Setting::<Duration>::Text(text("$limit")).resolve(&scope, &Nothing);
        assert_eq!(limit, Ok(Duration::from_mins(2)));
    }

    #[test]
    fn data_resolves_its_strings_and_leaves_the_rest() {
        let mut scope = Scope::default();
        scope.set("n", json!({ "deep": [1] }));
        let data = Data::Object(vec![
            ("a".to_owned(), Data::List(vec![Data::Text(text("$n")), Data::Boolean(true)])),
            ("b".to_owned(), Data::Text(text("x$$"))),
            ("c".to_owned(), Data::Null),
        ]);
        assert_eq!(
            data.resolve(&scope, &Nothing),
            Ok(json!({ "a": [{ "deep": [1] }, true], "b": "x$", "c": null }))
        );
        assert_eq!(data.texts().len(), 2);
    }
}
