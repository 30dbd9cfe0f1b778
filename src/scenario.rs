//! Scenario files: from text to a checked model, and what is wrong with it in words that help.
//!
//! ```text
//! yaml -> parse (by the tables of grammar) -> model -> check -> play
//! ```
//! Each of these knows only what stands to its left. Errors are [`Diagnostic`]s: file, line, column, the source line, the
//! remedy. [`job`] is what a play is given, [`result`] what comes of it, [`state`] what it is doing meanwhile; [`recheck`]
//! is a play whose world is the record of another one.

pub mod check;
pub mod diagnostic;
mod grammar;
pub mod job;
mod load;
pub mod model;
mod parse;
pub mod play;
pub mod recheck;
pub mod result;
pub mod schema;
mod source;
pub mod state;
pub mod values;
mod yaml;

pub use self::diagnostic::{Colour, Diagnostic, Severity};
pub use self::load::{Loaded, Overrides, ScenarioError, load, load_source};
pub use self::source::{Source, Span};
