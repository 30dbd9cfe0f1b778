use serde_json::Value;

use crate::folder::{ERRS, FAILS, FLAKY, Folder, INVALID, PASSES};

/// What `tribunal schema OF` prints, and the same without room for what it does not name.
fn schemas(folder: &Folder, of: &str) -> [Value; 2] {
    let output = folder.run(&["schema", of], 0);
    let open: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    jsonschema::meta::validate(&open).unwrap_or_else(|error| panic!("{of}: {error}"));
    let mut closed = open.clone();
    let definitions = closed["definitions"].as_object_mut().expect("definitions");
    // An entry is a result and more: in draft 7 the two cannot be closed apart.
    let more = definitions["entry"]["allOf"][1]["properties"].clone();
    definitions["entry"] = serde_json::json!({ "$ref": "#/definitions/result" });
    for definition in definitions.values_mut().filter(|definition| definition["type"] == "object") {
        definition["additionalProperties"] = Value::Bool(false);
    }
    if of == "report" {
        let known = definitions["result"]["properties"].as_object_mut().expect("properties");
        known.extend(more.as_object().expect("properties").clone());
    }
    [open, closed]
}

#[track_caller]
fn assert_valid(schemas: &[Value; 2], instance: &Value) {
    for schema in schemas {
        let validator = jsonschema::validator_for(schema).expect("a schema");
        let errors: Vec<String> = validator
            .iter_errors(instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}\n{instance:#}", errors.join("\n"));
    }
}

#[test]
fn every_result_is_as_its_schema_says() {
    let files = [("a.yaml", PASSES), ("b.yaml", FAILS), ("c.yaml", ERRS), ("d.yaml", FLAKY)];
    let folder = Folder::with(&files);
    let run = ["run", "--keep", "always", "--retries", "1", "--json", "out.json", "--seed", "7"];
    folder.run(&run, 4);
    let report: Value = serde_json::from_str(&folder.read("out.json")).expect("JSON");
    assert_valid(&schemas(&folder, "report"), &report);
    let outcomes: Vec<&str> = report["scenarios"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["passed", "failed", "error", "passed"], "{report:#}");
    assert_eq!(report["scenarios"][3]["flaky"], true);

    let of_result = schemas(&folder, "result");
    let run_dirs = folder.run_dirs();
    assert!(run_dirs.len() >= 6, "each attempt has one: {run_dirs:?}");
    for run_dir in run_dirs {
        let text = std::fs::read_to_string(run_dir.join("result.json")).expect("it was written");
        assert_valid(&of_result, &serde_json::from_str(&text).expect("JSON"));
    }
}

#[test]
fn so_are_those_of_runs_that_were_interrupted_or_refused() {
    let folder = Folder::with(&[("b.yaml", PASSES)]);
    folder.run_interrupted(&["run", "-j", "1", "--json", "out.json"]);
    let report: Value = serde_json::from_str(&folder.read("out.json")).expect("JSON");
    let schemas = schemas(&folder, "report");
    assert_valid(&schemas, &report);
    assert_eq!(report["scenarios"][0]["outcome"], "interrupted");
    assert_eq!(report["summary"]["not_played"], 1);

    let folder = Folder::with(&[("a.yaml", INVALID)]);
    folder.run(&["run", "--json", "out.json"], 3);
    let report: Value = serde_json::from_str(&folder.read("out.json")).expect("JSON");
    assert_valid(&schemas, &report);
    assert_eq!(report["scenarios"][0]["failure"]["kind"], "invalid");
}

#[test]
fn a_schema_refuses_what_is_no_result() {
    let folder = Folder::with(&[]);
    for of in ["result", "report"] {
        let [open, _] = schemas(&folder, of);
        let validator = jsonschema::validator_for(&open).expect("a schema");
        assert!(!validator.is_valid(&serde_json::json!({ "version": 1 })), "{of}");
        assert!(!validator.is_valid(&serde_json::json!([])), "{of}");
    }
}
