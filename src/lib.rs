//! Tribunal: a test-harness runtime for daemons that report what they do as JSON events, Octez nodes and accusers first.
//!
//! A [`Harness`](harness::Harness) runs daemons as real processes, keeps what they say in one append-only log, and lets a
//! test wait for an event by a [`Predicate`](predicate::Predicate), kill a daemon, restart it, and look at what it left.
//!
//! ```no_run
#![doc = include_str!("../tests/readme.rs")]
//! ```
//!
//! # What can be relied on
//!
//! - A wait is a scan of the log from a position, history first: when it was registered makes no difference.
//! - It ends with its event, or with a [`WaitError`](harness::WaitError): timed out, the daemon is finally dead, the harness
//!   is shutting down. It never hangs; the default limit is 60 s.
//! - What a daemon wrote before it died stands in the log before the record of its death.
//! - Dropping a harness kills all that it started; a guardian process does so if this process dies without a word.
//! - Handles are cheap to clone, are `Send`, work under any async runtime, and change nothing when they are dropped.
//!
//! # Layers
//!
//! A module uses its own layer and those above it in this table.
//!
//! | | |
//! | --- | --- |
//! | [`event`], [`predicate`], [`daemon`], [`octez`] | every decision, as plain functions of plain data: no actor, no process, and `now` is an argument |
//! | `host`, [`record`] | processes, FIFOs, ports; the run directory |
//! | `actors` | one Supervisor and one EventBus a harness, an actor for each daemon and each source of its events: they move messages |
//! | [`harness`] | the handles; no actor shows in them |
//! | [`scenario`] | scenario files: parsed, checked, played through handles, and judged again on a record |
//! | [`run`], [`report`] | many scenarios: chosen, repeated, judged; told to people and programs, live, as files and as pictures |
//! | `sandbox` | stand-ins for the Octez programs, apart from all this: they use the first layer, and only the program itself uses them |
//!
//! # The way of an event
//!
//! ```text
//! scenario or test -> handle -> Supervisor -> daemon -> process
//!                                                         | FIFO
//!     waiter <- EventBus <------------- EventPipe <-------+
//!                  ^                        |
//!                  +---- drained, closed ---+ -> exited -> Supervisor: restart?
//! ```
//!
//! # Where a change belongs
//!
//! An event of a new Octez version: [`octez::events`]. When a daemon is run again: [`daemon::restart`]. Which commands are
//! legal when: [`daemon::lifecycle`]. What a line is: [`event::decode`]. What ends a wait: [`event::waiters`]. A function of
//! predicates: [`predicate`]. A key or verb of scenario files: `scenario::grammar` says that it exists,
//! `scenario::parse` reads it, `scenario::check` finds mistakes, `scenario::play` does it, and `scenario::play::recall`
//! knows what a recorded run tells of it. What a run leaves: [`record`] writes and reads it, [`report::chronicle`] puts it
//! together, [`report::timeline`] and [`report::trace`] draw that. What a failure says: [`event::miss`] finds what came
//! nearest, [`report::failure`] puts it into words. A field of `result.json`: [`scenario::result`] and the schema of
//! [`report::schema`]. What events and fields runs have shown: [`event::catalogue`]. A protocol change: `upgrades` of
//! [`octez`] and of `sandbox`; who is forbidden and slashed: `sandbox::node::chain::penalties`. An option: `cli` of the
//! program.

#![cfg_attr(not(target_os = "linux"), allow(unused))]
#[cfg(not(target_os = "linux"))]
compile_error!("tribunal needs Linux 5.4 or later: it waits for processes by pidfd");

mod actors;
#[doc(hidden)]
pub mod cause;
pub mod daemon;
pub mod event;
pub mod harness;
#[doc(hidden)]
pub mod host;
pub mod octez;
pub mod predicate;
pub mod record;
pub mod report;
pub mod run;
#[doc(hidden)]
pub mod sandbox;
pub mod scenario;
