//! JSON Schemas of what a run writes: a contract with those who read it.

use serde_json::{Map, Value, json};

/// Of `result.json`.
pub fn result() -> Value {
    rooted("result", "The result of a scenario that Tribunal played")
}

/// Of what `tribunal run --json` writes.
pub fn report() -> Value {
    rooted("report", "The results of a run of Tribunal")
}

fn rooted(root: &str, title: &str) -> Value {
    const TEXT: &str = include_str!("result.schema.json");
    let mut schema: Map<String, Value> =
        serde_json::from_str(TEXT).expect("it is a part of this program, and a test reads it");
    schema.insert("title".to_owned(), title.into());
    schema.insert("allOf".to_owned(), json!([{ "$ref": format!("#/definitions/{root}") }]));
    schema.into()
}
