//! The JSON Schema of the format, for editors: made of the parser's own tables, so that the two cannot disagree.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::grammar::{ACCUSER, BAKER, NODE, Need, PROCESS, SCENARIO, STEP, Shape, Table};

/// The schema of a scenario file (draft 7, which editors know best), with descriptions for what they show on hover.
pub fn schema() -> Value {
    let mut definitions = BTreeMap::new();
    define(&SCENARIO, &mut definitions);
    let root = definitions.remove(SCENARIO.name).unwrap_or_default();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!("A scenario of Tribunal"));
    if let Value::Object(root) = root {
        schema.extend(root);
    }
    schema.insert("definitions".to_owned(), json!(definitions));
    Value::Object(schema)
}

/// Adds the table and all that it refers to.
fn define(table: &'static Table, definitions: &mut BTreeMap<&'static str, Value>) {
    if definitions.contains_key(table.name) {
        return;
    }
    // Before what is below, which may lead back here.
    definitions.insert(table.name, Value::Null);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in table.fields() {
        let mut property = shape(field.shape, definitions);
        // A reference must stand alone in draft 7.
        if property.get("$ref").is_some() {
            property = json!({ "allOf": [property] });
        }
        if let Value::Object(property) = &mut property {
            property.insert("description".to_owned(), json!(field.doc));
        }
        properties.insert(field.name.to_owned(), property);
        if field.need == Need::Required {
            required.push(field.name);
        }
    }
    let mut schema = json!({
        "type": "object",
        "description": table.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if std::ptr::eq(table, &raw const STEP) {
        schema["minProperties"] = json!(1);
        schema["maxProperties"] = json!(1);
    }
    definitions.insert(table.name, schema);
}

fn shape(value: Shape, definitions: &mut BTreeMap<&'static str, Value>) -> Value {
    match value {
        // A bare number is taken for the text that it is written with.
        Shape::Text | Shape::Name => json!({ "type": ["string", "number"] }),
        Shape::Formula => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Duration => json!({
            "type": "string",
            "pattern": "\\$|^\\s*[0-9].*[a-zA-Zµ]\\s*$",
            "examples": ["250ms", "30s", "2m"],
        }),
        Shape::Integer(least) => or_variable(json!({ "type": "integer", "minimum": least })),
        Shape::Number => or_variable(json!({ "type": "number" })),
        Shape::Boolean => or_variable(json!({ "type": "boolean" })),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Any => json!({}),
        Shape::Object => json!({ "type": "object" }),
        Shape::List(item) => json!({ "type": "array", "items": shape(*item, definitions) }),
        Shape::AtLeast(least, item) => {
            json!({ "type": "array", "minItems": least, "items": shape(*item, definitions) })
        }
        Shape::Map(item) => {
            json!({ "type": "object", "additionalProperties": shape(*item, definitions) })
        }
        Shape::Table(table) => reference(table, definitions),
        Shape::OneOf(shapes) => {
            let shapes: Vec<Value> = shapes.iter().map(|each| shape(*each, definitions)).collect();
            json!({ "anyOf": shapes })
        }
        Shape::Daemon => {
            let kinds =
                [&NODE, &ACCUSER, &BAKER, &PROCESS].map(|table| reference(table, definitions));
            json!({ "oneOf": kinds })
        }
        Shape::Steps => json!({ "type": "array", "items": reference(&STEP, definitions) }),
    }
}

fn or_variable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "string", "pattern": "\\$" }] })
}

fn reference(table: &'static Table, definitions: &mut BTreeMap<&'static str, Value>) -> Value {
    define(table, definitions);
    // The names have blanks, which a reference must not have.
    json!({ "$ref": format!("#/definitions/{}", table.name.replace(' ', "%20")) })
}

#[cfg(test)]
mod tests;
