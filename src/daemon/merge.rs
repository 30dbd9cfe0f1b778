//! JSON laid over JSON: how a user's part of a file is brought into the whole.

use serde_json::Value;

/// Lays `more` over `into`, object by object; anything that is no object is replaced.
pub(crate) fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_merged_and_everything_else_is_replaced() {
        let mut whole = json!({ "a": { "b": 1, "c": [1, 2] }, "d": 4 });
        merge(&mut whole, &json!({ "a": { "c": [3], "e": null }, "d": { "f": 1 } }));
        assert_eq!(whole, json!({ "a": { "b": 1, "c": [3], "e": null }, "d": { "f": 1 } }));
    }
}
