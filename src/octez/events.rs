//! The events that Octez daemons can emit, with their level and section: what a test may name without having seen it.
//!
//! From `delegate_events.ml`, `lib_agnostic_baker/events.ml` and the node's event modules of Octez v25. A name that is
//! not here may still exist; one that is here and never turns up was not emitted.

use serde_json::Value;

use crate::daemon::{EventLevels, Kind, Level};

/// A node's events that tell of a new head. One that is not synchronised with its peers announces an increment by the
/// first of them alone (`lib_shell/chain_validator.ml`).
pub const HEAD_EVENTS: [&str; 3] = ["set_head.v0", "head_increment.v0", "branch_switch.v0"];

/// The level of the head in the payload of one of [`HEAD_EVENTS`]: `[hash, level]`, or a field.
pub fn head_level(payload: &Value) -> Option<i64> {
    payload.get(1).or_else(|| payload.get("level"))?.as_i64()
}

/// One event that a daemon can emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownEvent {
    /// With its version, such as `daemon_start.v0`. A trailing `*` stands for the protocol and the version.
    pub name: &'static str,
    pub level: Level,
    /// Outermost first; `*` stands for the protocol.
    pub section: &'static [&'static str],
}

impl KnownEvent {
    /// Whether an event of this name is meant.
    pub fn is_named(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(stem) => {
                name.strip_prefix(stem).is_some_and(|rest| rest.strip_suffix(".v0").is_some())
            }
            None => self.name == name,
        }
    }

    /// Whether a daemon with these levels can write it. Where that depends on which protocol is active, it can.
    pub fn is_shown(&self, levels: &EventLevels) -> bool {
        for (prefix, level) in &levels.sections {
            let shows = self.level >= *level;
            match self.falls_under(prefix) {
                Fit::Yes => return shows,
                Fit::Perhaps if shows => return true,
                Fit::Perhaps | Fit::No => {}
            }
        }
        self.level >= levels.level
    }

    /// Sinks compare prefixes with the section and the name after it, word by word; `_` or `*` stands for any word.
    fn falls_under(&self, prefix: &str) -> Fit {
        let name = self.name.strip_suffix(".v0").unwrap_or(self.name);
        let mut words = self.section.iter().copied().chain([name]);
        let mut fit = Fit::Yes;
        for wanted in prefix.split('.').filter(|wanted| !wanted.is_empty()) {
            match words.next() {
                Some(_) if wanted == "_" || wanted == "*" => {}
                Some(word) if word == wanted => {}
                Some(word) if is_with_protocol(word, wanted) => fit = Fit::Perhaps,
                Some(_) | None => return Fit::No,
            }
        }
        fit
    }
}

/// Whether this is the word with a protocol's name, `alpha` or `025-PsUshuai`, for its asterisk.
fn is_with_protocol(word: &str, wanted: &str) -> bool {
    let protocol = word.strip_suffix('*').and_then(|stem| wanted.strip_prefix(stem));
    protocol.is_some_and(|name| {
        let number = name.split_once('-').map(|(number, _)| number);
        name == "alpha" || number.is_some_and(|number| number.parse::<u16>().is_ok())
    })
}

/// Whether a prefix matches an event whose section may hold a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Yes,
    /// Under one protocol, not under another.
    Perhaps,
    No,
}

/// The events of daemons of this kind; none for a kind that is not Octez's.
pub fn known_events(kind: Kind) -> &'static [KnownEvent] {
    match kind {
        Kind::Accuser => ACCUSER,
        Kind::Node => NODE,
        Kind::Baker => BAKER,
        Kind::Process => &[],
    }
}

/// The event of this kind and name, if it is known.
pub fn known_event(kind: Kind, name: &str) -> Option<&'static KnownEvent> {
    known_events(kind).iter().find(|event| event.is_named(name))
}

const fn event(name: &'static str, level: Level, section: &'static [&'static str]) -> KnownEvent {
    KnownEvent { name, level, section }
}

const SINK: &[&str] = &["internal_event_unix"];
const DENUNCIATION: &[&str] = &["*", "delegate", "denunciation"];
const SCHEDULING: &[&str] = &["*", "delegate", "baking-scheduling"];
const AGENT: &[&str] = &["agnostic-agent"];

/// Those of the wrapper around all protocols, which it shares with the accuser; those of baking are the protocol's.
const BAKER: &[KnownEvent] = &[
    event("uri_loaded_from_env.v0", Level::Notice, SINK),
    event("starting_daemon.v0", Level::Notice, AGENT),
    event("stopping_daemon.v0", Level::Notice, AGENT),
    event("starting_agent.v0", Level::Notice, AGENT),
    event("agent_running.v0", Level::Notice, AGENT),
    event("stopping_agent.v0", Level::Notice, AGENT),
    event("protocol_encountered.v0", Level::Notice, AGENT),
    event("become_old_agent.v0", Level::Notice, AGENT),
    event("waiting_for_active_protocol.v0", Level::Notice, AGENT),
    event("period_status.v0", Level::Notice, AGENT),
];

const ACCUSER: &[KnownEvent] = &[
    event("uri_loaded_from_env.v0", Level::Notice, SINK),
    event("double_baking_detected.v0", Level::Notice, DENUNCIATION),
    event("double_baking_denounced.v0", Level::Notice, DENUNCIATION),
    event("double_baking_but_not.v0", Level::Debug, DENUNCIATION),
    event("double_attestation_detected.v0", Level::Notice, DENUNCIATION),
    event("double_attestation_denounced.v0", Level::Notice, DENUNCIATION),
    event("attestation_conflict_ignored.v0", Level::Debug, DENUNCIATION),
    event("double_preattestation_detected.v0", Level::Notice, DENUNCIATION),
    event("double_preattestation_denounced.v0", Level::Notice, DENUNCIATION),
    event("preattestation_conflict_ignored.v0", Level::Debug, DENUNCIATION),
    event("double_consensus_already_denounced.v0", Level::Debug, DENUNCIATION),
    event("consensus_operation_too_old.v0", Level::Debug, DENUNCIATION),
    event("consensus_operation_too_far_in_future.v0", Level::Debug, DENUNCIATION),
    event("accuser_saw_block.v0", Level::Debug, DENUNCIATION),
    event("accuser_processed_block.v0", Level::Notice, DENUNCIATION),
    event("accuser_block_error.v0", Level::Error, DENUNCIATION),
    event("protocol_change_detected.v0", Level::Error, DENUNCIATION),
    event("unexpected_pruned_block.v0", Level::Error, DENUNCIATION),
    event("fetch_operations_error.v0", Level::Error, DENUNCIATION),
    event("inconsistent_attestation.v0", Level::Error, DENUNCIATION),
    event("invalid_level_conversion.v0", Level::Error, DENUNCIATION),
    event("daemon_setup.v0", Level::Info, SCHEDULING),
    event("daemon_start.v0", Level::Info, SCHEDULING),
    event("daemon_connection_lost.v0", Level::Error, SCHEDULING),
    event("daemon_error.v0", Level::Error, SCHEDULING),
    event("daemon_wakeup.v0", Level::Debug, SCHEDULING),
    event("cannot_fetch_event.v0", Level::Info, SCHEDULING),
    event("stalling_rpc.v0", Level::Warning, &["*", "baker", "rpc"]),
    event("block-seen-*", Level::Info, &[]),
    event("starting_daemon.v0", Level::Notice, AGENT),
    event("stopping_daemon.v0", Level::Notice, AGENT),
    event("starting_agent.v0", Level::Notice, AGENT),
    event("agent_running.v0", Level::Notice, AGENT),
    event("stopping_agent.v0", Level::Notice, AGENT),
    event("protocol_encountered.v0", Level::Notice, AGENT),
    event("waiting_for_active_protocol.v0", Level::Notice, AGENT),
    event("become_old_agent.v0", Level::Notice, AGENT),
    event("old_baker_stopped.v0", Level::Notice, AGENT),
    event("period_status.v0", Level::Notice, AGENT),
    event("head_stream_ended.v0", Level::Notice, AGENT),
    event("head_stream_reconnected.v0", Level::Notice, AGENT),
    event("retry_on_disconnection.v0", Level::Warning, AGENT),
    event("agnostic_daemon_monitoring_head_from_node.v0", Level::Debug, AGENT),
    event("agnostic_daemon_skipping_lower_or_equal_level.v0", Level::Debug, AGENT),
    event("new_head.v0", Level::Debug, AGENT),
];

const MAIN: &[&str] = &["node", "main"];
const IDENTITY: &[&str] = &["node", "identity"];
const CONFIG: &[&str] = &["node", "config", "validation"];
const NODE_VALIDATOR: &[&str] = &["node", "validator"];
const STORE: &[&str] = &["node", "store"];
const CHAIN: &[&str] = &["validator", "chain"];
const BLOCK: &[&str] = &["validator", "block"];
const PREVALIDATOR: &[&str] = &["prevalidator"];
const HANDLER: &[&str] = &["p2p", "connect_handler"];

const NODE: &[KnownEvent] = &[
    event("uri_loaded_from_env.v0", Level::Notice, SINK),
    event("starting_node.v0", Level::Notice, MAIN),
    event("node_is_ready.v0", Level::Notice, MAIN),
    event("shutting_down_node.v0", Level::Notice, MAIN),
    event("bye.v0", Level::Notice, MAIN),
    event("starting_local_rpc_server.v0", Level::Notice, MAIN),
    event("starting_metrics_server.v0", Level::Notice, MAIN),
    event("disabled_discovery_addr.v0", Level::Notice, MAIN),
    event("disabled_listen_addr.v0", Level::Notice, MAIN),
    event("shutting_down_local_rpc_server.v0", Level::Info, MAIN),
    event("starting_internal_rpc_server.v0", Level::Info, MAIN),
    event("read_identity.v0", Level::Notice, IDENTITY),
    event("identity_generated.v0", Level::Notice, IDENTITY),
    event("generating_identity.v0", Level::Notice, IDENTITY),
    event("config_validation_success.v0", Level::Notice, CONFIG),
    event("p2p-initialization.v0", Level::Notice, &["node"]),
    event("activate_chain.v0", Level::Notice, NODE_VALIDATOR),
    event("shutdown_block_validator.v0", Level::Info, NODE_VALIDATOR),
    event("shutdown_chain_validator.v0", Level::Info, NODE_VALIDATOR),
    event("head_increment.v0", Level::Notice, CHAIN),
    event("branch_switch.v0", Level::Notice, CHAIN),
    event("ignore_head.v0", Level::Notice, CHAIN),
    event("bootstrapped.v0", Level::Notice, CHAIN),
    event("synchronisation_status.v0", Level::Notice, CHAIN),
    event("connection.v0", Level::Info, CHAIN),
    event("disconnection.v0", Level::Info, CHAIN),
    event("block_info.v0", Level::Debug, CHAIN),
    event("set_head.v0", Level::Info, STORE),
    event("store_block.v0", Level::Info, STORE),
    event("update_protocol_table.v0", Level::Notice, STORE),
    event("start_merging_stores.v0", Level::Info, STORE),
    event("end_merging_stores.v0", Level::Info, STORE),
    event("start_cementing_blocks.v0", Level::Info, STORE),
    event("validation_and_application_success.v0", Level::Info, BLOCK),
    event("validation_success.v0", Level::Info, BLOCK),
    event("validation_failure.v0", Level::Notice, BLOCK),
    event("application_failure.v0", Level::Notice, BLOCK),
    event("validating_block.v0", Level::Debug, BLOCK),
    event("validated_block.v0", Level::Debug, BLOCK),
    event("applying_block.v0", Level::Debug, BLOCK),
    event("operation_injected.v0", Level::Notice, PREVALIDATOR),
    event("request_completed_info.v0", Level::Info, PREVALIDATOR),
    event("request_completed_debug.v0", Level::Debug, PREVALIDATOR),
    event("request_failed.v0", Level::Notice, PREVALIDATOR),
    event("operation_classified.v0", Level::Debug, PREVALIDATOR),
    event("operations_to_reclassify.v0", Level::Debug, PREVALIDATOR),
    event("banned_operation_encountered.v0", Level::Debug, PREVALIDATOR),
    event("operation_not_fetched.v0", Level::Debug, PREVALIDATOR),
    event("validator_process_initialized.v0", Level::Info, &["external_validator", "process"]),
    event("validator_hypervisee_initialized.v0", Level::Info, &["external_validator", "process"]),
    event("store_synchronized_on_head.v0", Level::Notice, &["rpc", "process"]),
    event("starting_rpc_server.v0", Level::Notice, &["rpc", "process"]),
    event("rpc_process_started.v0", Level::Info, &["rpc", "process"]),
    event("new_connection.v0", Level::Info, HANDLER),
    event("disconnected.v0", Level::Info, HANDLER),
    event("authenticate_status.v0", Level::Debug, HANDLER),
    event("maintenance_started.v0", Level::Info, &["p2p", "maintenance"]),
    event("maintenance_ended.v0", Level::Info, &["p2p", "maintenance"]),
    event("save_metadata.v0", Level::Info, &["p2p", "pool"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_head_event_tells_the_level() {
        let view = serde_json::json!({ "view": { "hash": "BLx" }, "level": 3 });
        assert_eq!(head_level(&view), Some(3));
        assert_eq!(head_level(&serde_json::json!(["BLx", 3])), Some(3));
        assert_eq!(head_level(&serde_json::json!("BLx")), None);
        for name in HEAD_EVENTS {
            assert!(known_event(Kind::Node, name).is_some(), "{name}");
        }
    }

    #[test]
    fn events_are_found_by_name_and_kind() {
        let level = |kind, name| known_event(kind, name).map(|event| event.level);
        assert_eq!(level(Kind::Accuser, "daemon_start.v0"), Some(Level::Info));
        assert_eq!(level(Kind::Accuser, "accuser_saw_block.v0"), Some(Level::Debug));
        assert_eq!(level(Kind::Accuser, "block-seen-025-PsUshuai.v0"), Some(Level::Info));
        assert_eq!(level(Kind::Accuser, "block-seen-alpha.v0"), Some(Level::Info));
        assert_eq!(level(Kind::Accuser, "block-seen-alpha"), None);
        assert_eq!(level(Kind::Accuser, "daemon_start"), None);
        assert_eq!(level(Kind::Accuser, "head_increment.v0"), None);
        assert_eq!(level(Kind::Node, "head_increment.v0"), Some(Level::Notice));
        assert_eq!(level(Kind::Process, "head_increment.v0"), None);
    }

    #[test]
    fn levels_hide_events_unless_some_protocol_shows_them() {
        let levels = |level, sections: &[(&str, Level)]| EventLevels {
            level,
            sections: sections
                .iter()
                .map(|(prefix, level)| ((*prefix).to_owned(), *level))
                .collect(),
        };
        use Level::{Debug, Error, Info, Notice};
        let cases: [(&str, EventLevels, bool); 10] = [
            ("block-seen-alpha.v0", levels(Error, &[("block-seen-alpha", Info)]), true),
            ("daemon_start.v0", levels(Info, &[]), true),
            ("daemon_start.v0", levels(Notice, &[]), false),
            ("accuser_saw_block.v0", levels(Info, &[("alpha.delegate", Debug)]), true),
            ("accuser_saw_block.v0", levels(Info, &[("agnostic-agent", Debug)]), false),
            ("accuser_saw_block.v0", levels(Info, &[("*.delegate", Debug)]), true),
            ("double_baking_detected.v0", levels(Info, &[("*.delegate", Error)]), false),
            ("double_baking_detected.v0", levels(Info, &[("alpha", Error)]), true),
            (
                "starting_daemon.v0",
                levels(Error, &[("agnostic-agent.starting_daemon", Info)]),
                true,
            ),
            (
                "starting_agent.v0",
                levels(Error, &[("agnostic-agent.starting_daemon", Info)]),
                false,
            ),
        ];
        for (name, levels, shown) in cases {
            let event = known_event(Kind::Accuser, name).expect("a known event");
            assert_eq!(event.is_shown(&levels), shown, "{name} {levels:?}");
        }
    }

    #[test]
    fn no_name_stands_twice_in_a_table() {
        for kind in [Kind::Accuser, Kind::Node] {
            let mut names: Vec<_> = known_events(kind).iter().map(|event| event.name).collect();
            names.sort_unstable();
            names.windows(2).for_each(|pair| assert_ne!(pair[0], pair[1]));
        }
    }
}
