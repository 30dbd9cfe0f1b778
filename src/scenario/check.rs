//! What a file says that cannot be right, although every key of it is.

use super::diagnostic::Diagnostic;
use super::model::Scenario;

pub fn check(_scenario: &Scenario) -> Vec<Diagnostic> {
    Vec::new()
}
