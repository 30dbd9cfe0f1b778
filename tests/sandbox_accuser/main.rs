//! The stand-in accuser, client and node as real processes under their Octez names.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

mod clients;
mod detection;
mod migration;
mod node_lost;
mod pipes;
mod startup;
