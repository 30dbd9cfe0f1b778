//! The scenarios that come with the program, and the example of the format's description: valid, and without a warning.

use std::path::Path;

use tribunal::scenario::{Overrides, load};

#[test]
fn every_shipped_scenario_is_valid_and_without_warnings() {
    let mut files = 0;
    for entry in std::fs::read_dir("scenarios").expect("the scenarios are there") {
        let path = entry.expect("a folder of the repository can be read").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        files += 1;
        let loaded = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.is_empty(), "{}", warnings.join("\n"));
        let text = std::fs::read_to_string(&path).expect("it was read before");
        assert!(text.starts_with("# Shows "), "{}: says what it shows", path.display());
    }
    assert!(files >= 7, "only {files} scenarios were found");
}

#[test]
fn the_example_with_everything_in_it_is_valid() {
    let path = Path::new("tests/scenarios/valid/everything.yaml");
    let loaded = load(path, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
    let scenario = loaded.scenario;
    assert_eq!((scenario.steps.len(), scenario.finally.len()), (10, 1));
    assert_eq!((scenario.seed, scenario.strict), (Some(42), true));
    // Declared for the example's sake.
    assert!(loaded.warnings.iter().all(|warning| warning.message == "no step starts `redis`"));
}
