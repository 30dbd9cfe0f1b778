//! What a run writes for programs: JSON, JUnit XML, traces; each checked against its schema or its rules.

mod files;
mod folder;
mod json;
mod junit;
mod trace;
