//! Predicates over JSON in CEL's syntax: parsed once, evaluated three-valued, explained when they miss.

/// A predicate over one event; cheap to clone.
#[derive(Clone, Debug)]
pub struct Predicate {}
