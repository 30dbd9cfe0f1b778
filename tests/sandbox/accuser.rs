//! The stand-in accuser, and the clients that make it something to look at.

mod aggregates;
mod clients;
mod detection;
mod migration;
mod node_lost;
mod pipes;
mod startup;
