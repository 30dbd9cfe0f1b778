//! What the variables are at one point of a run.

use std::collections::BTreeMap;

use serde_json::Value;

use super::template::{Builtin, Part, Template};

/// What a run knows and a file does not: ports, directories, URLs, keys.
pub trait Builtins {
    /// The value of anything but a variable.
    fn resolve(&self, what: &Builtin) -> Result<Value, ValueError>;
}

/// Why a value could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("the variable `${name}` has no value here")]
    Unset { name: String },
    #[error("the environment variable {name} is not set, and `${{env.{name}}}` has no default")]
    NoEnvironment { name: String },
    #[error("`{text}` is {found} where {expected} is expected")]
    WrongType { text: String, found: String, expected: &'static str },
    #[error("{text}: {reason}")]
    Unavailable { text: String, reason: String },
}

/// The variables of one branch. Cloned where branches part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    variables: BTreeMap<String, Value>,
}

impl Scope {
    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        self.variables.insert(name.into(), value);
    }

    pub fn unset(&mut self, name: &str) -> Option<Value> {
        self.variables.remove(name)
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.variables.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Takes over what a branch set or changed, compared with what it started from.
    pub fn join(&mut self, start: &Self, branch: &Self) {
        for (name, value) in &branch.variables {
            if start.get(name) != Some(value) {
                self.set(name.as_str(), value.clone());
            }
        }
    }

    /// Variables that have another value than in an earlier copy.
    pub fn changed_since(&self, before: &Self) -> BTreeMap<String, Value> {
        let changed = self.variables.iter().filter(|(name, value)| before.get(name) != Some(value));
        changed.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The value: of the variable's own type if the template is nothing else, a string otherwise.
    pub fn value(&self, template: &Template, builtins: &dyn Builtins) -> Result<Value, ValueError> {
        if let Some(reference) = template.whole() {
            return self.resolve(&reference.what, builtins);
        }
        self.text(template, builtins).map(Value::String)
    }

    /// The text, whatever the types.
    pub fn text(&self, template: &Template, builtins: &dyn Builtins) -> Result<String, ValueError> {
        let mut text = String::new();
        for part in template.parts() {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Reference(reference) => {
                    text.push_str(&as_text(&self.resolve(&reference.what, builtins)?));
                }
            }
        }
        Ok(text)
    }

    fn resolve(&self, what: &Builtin, builtins: &dyn Builtins) -> Result<Value, ValueError> {
        match what {
            Builtin::Variable(name) => {
                self.get(name).cloned().ok_or_else(|| ValueError::Unset { name: name.clone() })
            }
            other => builtins.resolve(other),
        }
    }
}

/// How a value stands in a string: text as it is, anything else as compact JSON.
pub fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Ports;

    impl Builtins for Ports {
        fn resolve(&self, what: &Builtin) -> Result<Value, ValueError> {
            match what {
                Builtin::Port(_) => Ok(json!(18731)),
                Builtin::Env { name, default: None } => {
                    Err(ValueError::NoEnvironment { name: name.clone() })
                }
                other => Ok(json!(format!("{other:?}"))),
            }
        }
    }

    fn value(text: &str) -> Result<Value, ValueError> {
        let mut scope = Scope::default();
        scope.set("n", json!(3));
        scope.set("list", json!(["a", 1]));
        scope.set("text", json!("x y"));
        scope.value(&Template::parse(text).unwrap(), &Ports)
    }

    #[test]
    fn a_lone_variable_keeps_its_type_and_others_are_text() {
        for (text, expected) in [
            ("$n", json!(3)),
            ("${list}", json!(["a", 1])),
            ("${port.a}", json!(18731)),
            ("$n times", json!("3 times")),
            ("${text}!", json!("x y!")),
            ("l=$list", json!("l=[\"a\",1]")),
            ("127.0.0.1:${port.a}", json!("127.0.0.1:18731")),
            ("$$n", json!("$n")),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        assert_eq!(value("$nope"), Err(ValueError::Unset { name: "nope".to_owned() }));
        assert_eq!(
            value("a ${env.NOPE}"),
            Err(ValueError::NoEnvironment { name: "NOPE".to_owned() })
        );
    }

    #[test]
    fn a_branch_gives_back_what_it_changed_and_nothing_else() {
        let mut start = Scope::default();
        start.set("a", json!(1));
        start.set("b", json!(1));
        let (mut left, mut right) = (start.clone(), start.clone());
        left.set("a", json!(2));
        right.set("c", json!(3));
        let mut joined = start.clone();
        joined.join(&start, &left);
        joined.join(&start, &right);
        let all: Vec<(&str, &Value)> = joined.iter().collect();
        assert_eq!(all, [("a", &json!(2)), ("b", &json!(1)), ("c", &json!(3))]);
    }
}
