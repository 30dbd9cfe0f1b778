use std::collections::BTreeSet;

use super::*;
use crate::scenario::grammar::coverage::all_tables;
use crate::scenario::source::Source;
use crate::scenario::yaml::{Content, Node, Plain, Style, classify, parse};

#[test]
fn every_mapping_of_the_parser_is_in_the_schema_with_the_same_keys() {
    let schema = schema();
    for table in all_tables() {
        let object =
            if table.name == SCENARIO.name { &schema } else { &schema["definitions"][table.name] };
        let properties = object["properties"].as_object().unwrap();
        let described: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(described, table.names().collect(), "{}", table.name);
        assert_eq!(object["additionalProperties"], false, "{}", table.name);
    }
    assert_eq!(
        schema["definitions"].as_object().unwrap().len() + 1,
        all_tables().len(),
        "a table in the schema that the parser's list does not have"
    );
}

/// What an editor shows when the mouse rests on a key or a verb.
#[test]
fn every_key_and_verb_says_what_it_means() {
    let schema = schema();
    let definitions = schema["definitions"].as_object().unwrap();
    for (table, object) in
        definitions.iter().map(|(name, object)| (name.as_str(), object)).chain([("file", &schema)])
    {
        let of_all = object["description"].as_str().unwrap();
        assert!(of_all.len() > 20 && of_all.ends_with('.'), "{table}: {of_all}");
        for (name, property) in object["properties"].as_object().unwrap() {
            let text = property["description"].as_str().unwrap();
            let words = text.split_whitespace().count();
            assert!(words >= 3 && text.ends_with('.'), "{table}, {name}: {text}");
            let capital = text.starts_with(|first: char| first.is_uppercase() || first == '`');
            assert!(capital, "{table}, {name}: {text}");
            // To say of `kind` that it is the kind helps nobody.
            assert!(!text.eq_ignore_ascii_case(&format!("the {name}.")), "{table}, {name}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let schema = schema();
    let text = schema.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let reference = &reference[..reference.find('"').unwrap()];
        let pointer = reference.trim_start_matches('#').replace("%20", " ");
        assert!(schema.pointer(&pointer).is_some(), "{reference}");
    }
}

/// As an editor reads the file: by the core schema of YAML 1.2.
fn json_of(node: &Node) -> Value {
    match &node.content {
        Content::Scalar(scalar) if scalar.style != Style::Plain => json!(scalar.text),
        Content::Scalar(scalar) => match classify(&scalar.text) {
            Plain::Text | Plain::Trap(_) => json!(scalar.text),
            Plain::Null => Value::Null,
            Plain::Boolean(value) => json!(value),
            Plain::Integer(number) | Plain::Float(number) => Value::Number(number),
        },
        Content::Sequence(items) => items.iter().map(json_of).collect(),
        Content::Mapping(mapping) => {
            let entries = mapping.entries.iter();
            entries.map(|entry| (entry.key.text.clone(), json_of(&entry.value))).collect()
        }
    }
}

/// The scenarios of a folder, those that are YAML, by name.
fn scenarios(folder: &str) -> Vec<(String, Value)> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    let read = |path: std::path::PathBuf| {
        let text = String::from_utf8(std::fs::read(&path).ok()?).ok()?;
        let source = std::sync::Arc::new(Source::new(&path, text));
        let tree = parse(&source).ok()?;
        Some((path.file_stem()?.to_string_lossy().into_owned(), json_of(&tree)))
    };
    files.into_iter().filter_map(read).collect()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&schema()).expect("a schema of draft 7")
}

#[test]
fn every_scenario_that_is_valid_is_so_for_somebody_elses_validator() {
    let validator = validator();
    let folders = ["scenarios", "tests/scenarios/pass", "tests/scenarios/fail", "tests/readme"];
    for folder in folders {
        let all = scenarios(folder);
        assert!(!all.is_empty(), "{folder}");
        for (name, scenario) in all {
            let errors: Vec<String> = validator
                .iter_errors(&scenario)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{folder}/{name}.yaml: {errors:#?}");
        }
    }
}

/// What the structure alone shows. The others are well-formed, and wrong in what they say: an undeclared daemon, a
/// predicate that is none, a variable without a value.
#[test]
fn what_is_wrong_in_its_structure_is_refused_by_the_schema() {
    let validator = validator();
    let refused: BTreeSet<String> = scenarios("tests/scenarios/invalid")
        .into_iter()
        .filter(|(_, scenario)| !validator.is_valid(scenario))
        .map(|(name, _)| name)
        .collect();
    for name in [
        "bare_null_as_text",
        "block_step_not_indented",
        "branch_is_one_step",
        "daemon_without_kind",
        "duration_without_unit",
        "empty_values",
        "expect_without_event",
        "integer_out_of_range",
        "kind_with_a_slip",
        "level_word",
        "list_as_file",
        "no_steps",
        "second_key_in_a_step",
        "step_is_a_word",
        "unknown_keys",
        "unknown_verb",
        "wrong_kind_of_settings",
        "wrong_types",
    ] {
        assert!(refused.contains(name), "{name} is not refused; these are: {refused:#?}");
    }
    // A schema that refused everything would be of no use.
    for name in ["unknown_daemon", "predicate_error", "unknown_variable", "sleep_is_a_smell"] {
        assert!(!refused.contains(name), "{name} is well-formed");
    }
}
