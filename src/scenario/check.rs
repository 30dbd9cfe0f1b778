//! What a file says that cannot be right, or is probably not meant, although every key of it is.
//!
//! One file per question: do the daemons make sense (`daemons`), do names mean something (`names`), can events come
//! (`events`), do nodes get what they can read (`chain`), has every variable a value (`variables`), is every mark set (`marks`), does what is started run
//! (`lifecycle`), has any run shown it (`seen`, when asked). None of them runs anything.

mod chain;
mod daemons;
mod events;
mod findings;
mod lifecycle;
mod marks;
mod names;
mod seen;
mod texts;
mod variables;

pub use self::findings::check;
pub use self::seen::unseen;
