//! The timeline in a real browser: Chromium, headless, driven over a pipe.

mod browser;
mod harmless;
mod many;
mod overview;
mod page;
mod predicates;
mod runs;
