//! The way in: a path becomes a checked scenario, or everything that is wrong with it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::check;
use super::diagnostic::Diagnostic;
use super::model::{Scenario, Variable};
use super::parse::{self, Kept, OpenError};
use super::source::Source;

/// What comes before the file's own words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--var K=V`, in order; the last of a name counts.
    pub vars: Vec<(String, String)>,
    pub seed: Option<u64>,
    pub timeout: Option<Duration>,
    pub strict: Option<bool>,
}

/// A scenario that can be played.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub scenario: Scenario,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Why there is nothing to play.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("failed to read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}", rendered(diagnostics))]
    Invalid {
        /// Errors and warnings, in the order of the file; one at least is an error.
        diagnostics: Vec<Diagnostic>,
    },
}

fn rendered(diagnostics: &[Diagnostic]) -> String {
    let all: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    all.join("\n\n")
}

/// Reads a scenario and the files it uses, parses and checks them.
///
/// All errors of a layer are found at once; checking begins when parsing found none.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, ScenarioError> {
    let source = parse::open(path).map_err(|error| match error {
        OpenError::Unreadable(source) => ScenarioError::Unreadable { path: path.into(), source },
        OpenError::Refused(diagnostic) => ScenarioError::Invalid { diagnostics: vec![*diagnostic] },
    })?;
    load_source(&source, overrides)
}

/// The same from text that is in memory; its path says where the files that it uses are.
pub fn load_source(source: &Arc<Source>, overrides: &Overrides) -> Result<Loaded, ScenarioError> {
    load_kept(source, Kept::new(), overrides)
}

/// The same where the files that it uses are in memory, too; what is not is read.
pub(crate) fn load_kept(
    source: &Arc<Source>,
    kept: Kept,
    overrides: &Overrides,
) -> Result<Loaded, ScenarioError> {
    let invalid = |diagnostics| ScenarioError::Invalid { diagnostics };
    let mut scenario = parse::scenario(source, Arc::new(kept)).map_err(invalid)?;
    apply(&mut scenario, overrides);
    let found = check::check(&scenario);
    if found.iter().any(Diagnostic::is_error) {
        return Err(invalid(found));
    }
    Ok(Loaded { scenario, warnings: found })
}

fn apply(scenario: &mut Scenario, overrides: &Overrides) {
    scenario.seed = overrides.seed.or(scenario.seed);
    scenario.timeout = overrides.timeout.unwrap_or(scenario.timeout);
    scenario.strict = overrides.strict.unwrap_or(scenario.strict);
    for (name, text) in &overrides.vars {
        let declared = scenario.vars.iter_mut().find(|variable| variable.name == *name);
        if let Some(variable) = declared {
            variable.value = typed(text, Some(&variable.value));
        } else {
            let (name, value) = (name.clone(), typed(text, None));
            scenario.vars.push(Variable { name, value, span: None });
        }
    }
}

/// Text stays text where the file has text; elsewhere JSON is JSON, and anything else text.
fn typed(text: &str, declared: Option<&Value>) -> Value {
    match declared {
        Some(Value::String(_)) => Value::String(text.to_owned()),
        _ => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn loaded(text: &str, overrides: &Overrides) -> Scenario {
        let source = Arc::new(Source::new("some/file.yaml", text));
        load_source(&source, overrides).unwrap().scenario
    }

    #[test]
    fn a_scenario_without_a_head_has_the_defaults() {
        let scenario = loaded("steps: [{ log: hello }]", &Overrides::default());
        assert_eq!(scenario.name, "file");
        assert_eq!(scenario.timeout, Duration::from_mins(5));
        assert_eq!((scenario.strict, scenario.seed), (false, None));
    }

    #[test]
    fn what_is_given_from_outside_comes_before_the_file() {
        let text = "seed: 7\ntimeout: 1m\nstrict: true\nvars: { id: '7', n: 3 }\nsteps: [{ log: $id $n $x }]";
        let overrides = Overrides {
            vars: [("id", "010"), ("n", "4"), ("x", "a b")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            seed: Some(8),
            timeout: Some(Duration::from_secs(2)),
            strict: Some(false),
        };
        let scenario = loaded(text, &overrides);
        assert_eq!((scenario.seed, scenario.strict), (Some(8), false));
        assert_eq!(scenario.timeout, Duration::from_secs(2));
        let values: Vec<&Value> = scenario.vars.iter().map(|variable| &variable.value).collect();
        assert_eq!(values, [&json!("010"), &json!(4), &json!("a b")]);
    }
}
