//! What is seen of a run while it goes on: in a terminal, on a question, by a reader that does not keep up.

mod questions;
mod screen;
mod support;
mod terminal;
mod verbose;
