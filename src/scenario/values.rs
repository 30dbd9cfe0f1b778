//! Values in a scenario: strings with variables in them, and what resolves these.
//!
//! `$name` and `${name}` expand, `$$` is a dollar. A value that is one variable and nothing else keeps its JSON type.
//! `template` parses, `scope` resolves; what only a run can know comes from its [`Builtins`].

mod scope;
mod setting;
mod template;

pub use self::scope::{Builtins, Scope, ValueError, as_text};
pub use self::setting::{Data, FromValue, Setting, Text};
pub use self::template::{Builtin, Part, Reference, Template, TemplateError, is_name};
