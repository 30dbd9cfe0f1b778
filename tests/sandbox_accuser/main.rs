//! The stand-in accuser, client and node as real processes under their Octez names.

mod support;

mod detection;
mod node_lost;
mod pipes;
mod startup;
