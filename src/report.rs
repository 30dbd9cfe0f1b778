//! What people and programs are shown of a run.
//!
//! [`terminal`] follows it live and has [`failure`] write the block that explains a failure; [`json`] and [`junit`] collect
//! it for a file; [`listing`] is `tribunal run --list`, [`events`] and [`catalogue`] `tribunal events`, [`recheck`]
//! `tribunal recheck`. Text carries ANSI colours: the stream it is written to takes them out where they are not wanted.
//!
//! Pictures are drawn from run directories: [`chronicle`] reads one back, [`timeline`] makes a page of it and [`trace`] a
//! trace; [`archive`] does so while a run goes on.

pub mod archive;
pub mod catalogue;
pub mod chronicle;
pub mod events;
pub mod failure;
pub mod json;
pub mod junit;
pub mod listing;
pub mod recheck;
pub mod schema;
pub mod sink;
pub mod state;
pub mod terminal;
pub mod text;
pub mod timeline;
pub mod trace;
