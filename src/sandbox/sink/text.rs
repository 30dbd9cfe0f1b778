//! Events in words, for the user's log: never to be parsed, since long ones are wrapped.

use std::time::SystemTime;

use serde_json::Value;

use crate::daemon::Level;

/// What Octez says for an event; `{}` is a bare payload, `{field}` a field of one.
const MESSAGES: &[(&str, &str)] = &[
    ("accuser_processed_block", "block {} registered"),
    ("accuser_block_error", "error while processing block {hash} {errors}"),
    ("activate_chain", "activate chain {}"),
    ("agent_running", "{agent} for protocol {proto} is now running"),
    (
        "become_old_agent",
        "old {agent} for protocol {proto_hash} will be stopped at level {level_to_kill}",
    ),
    ("bootstrapped", "chain is bootstrapped"),
    ("branch_switch", "update current head to {view.hash} (level {level}), branch switch"),
    ("bye", "bye (exit code {})"),
    ("daemon_connection_lost", "connection to node lost, {} daemon exiting"),
    ("double_attestation_denounced", "double attestation evidence injected {hash}"),
    ("double_attestation_detected", "double attestation detected"),
    ("double_baking_denounced", "double baking evidence injected {hash}"),
    ("double_baking_detected", "double baking detected"),
    ("double_preattestation_denounced", "double preattestation evidence injected {hash}"),
    ("double_preattestation_detected", "double preattestation detected"),
    ("head_increment", "head is now {view.hash} ({level})"),
    ("head_stream_ended", "head stream from node {} ended"),
    ("head_stream_reconnected", "head stream from node {} reconnected"),
    ("ignore_head", "current head is better than {view.hash} (level {level}), we do not switch"),
    ("node_is_ready", "the Tezos node is now running"),
    ("operation_injected", "operation {} injected"),
    (
        "period_status",
        "new block ({block}) on {period} period (remaining period duration {remaining})",
    ),
    ("protocol_encountered", "the {status} protocol {proto_hash} was encountered"),
    ("read_identity", "read identity file with id {}"),
    ("retry_on_disconnection", "{}"),
    ("shutting_down_node", "shutting down the Tezos node"),
    ("starting_agent", "starting {agent} for protocol {proto}"),
    ("starting_daemon", "starting {} daemon"),
    (
        "starting_local_rpc_server",
        "starting local RPC server on {host}:{port} (acl = {acl_policy})",
    ),
    ("starting_node", "starting the Tezos node v{version.major}.{version.minor} ({git_info})"),
    ("stopping_agent", "stopping {agent} for protocol {proto}"),
    ("stopping_daemon", "stopping {} daemon"),
    ("synchronisation_status", "synchronisation status: {}"),
    ("waiting_for_active_protocol", "waiting for active protocol"),
];

/// Columns after which the pretty-printer of Octez breaks a line, off a terminal.
const MARGIN: usize = 80;

/// The event in words; one without words of its own is told by its name and payload.
pub fn message(name: &str, payload: &str) -> String {
    let value: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
    if let Some((_, template)) = MESSAGES.iter().find(|(known, _)| *known == name) {
        return filled(template, &value);
    }
    let words = name.replace('_', " ");
    if payload == "{}" { words } else { format!("{words}: {payload}") }
}

fn filled(template: &str, value: &Value) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((path, after)) = after.split_once('}') else { break };
        let fields = path.split('.').filter(|field| !field.is_empty());
        let found = fields.fold(value, |value, field| &value[field]);
        text.push_str(before);
        match found {
            Value::String(plain) => text.push_str(plain),
            other => text.push_str(&other.to_string()),
        }
        rest = after;
    }
    text + rest
}

/// `Aug 21 13:31:29.123 NOTICE │ text`, wrapped, each line with the prefix. The time is UTC.
pub fn short(time: SystemTime, level: Level, message: &str) -> String {
    let stamp = humantime::format_rfc3339_millis(time).to_string();
    let prefix = format!(
        "{} {} {} {:<6} │ ",
        month(&stamp),
        stamp.get(8..10).unwrap_or_default(),
        stamp.get(11..23).unwrap_or_default(),
        level.word().to_uppercase()
    );
    wrapped(message).iter().fold(String::new(), |lines, line| lines + &prefix + line + "\n")
}

/// `2026-08-21T13:31:29.123-00:00 [section.name] text`, behind the level as a syslog priority where it is told: `<005> `.
pub fn rfc5424(
    time: SystemTime,
    level: Option<Level>,
    section: &[&str],
    name: &str,
    message: &str,
) -> String {
    let priority = level.map(|level| format!("<{:03}> ", severity(level))).unwrap_or_default();
    let stamp = humantime::format_rfc3339_millis(time).to_string();
    let path = section.iter().copied().chain([name]).collect::<Vec<_>>().join(".");
    format!("{priority}{}-00:00 [{path}] {message}\n", stamp.trim_end_matches('Z'))
}

/// The severity of RFC 5424 for a level.
fn severity(level: Level) -> u8 {
    match level {
        Level::Debug => 7,
        Level::Info => 6,
        Level::Notice => 5,
        Level::Warning => 4,
        Level::Error => 3,
        Level::Fatal => 2,
    }
}

fn month(stamp: &str) -> &'static str {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let number = stamp.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    MONTHS.get(number.saturating_sub(1)).copied().unwrap_or("Jan")
}

fn wrapped(message: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in message.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > MARGIN - 2 {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn an_event_is_told_in_words() {
        let cases = [
            ("accuser_processed_block", r#""BLx""#, "block BLx registered"),
            ("head_increment", r#"{"view":{"hash":"BLx"},"level":2}"#, "head is now BLx (2)"),
            ("shutting_down_node", "{}", "shutting down the Tezos node"),
            ("something_else", "{}", "something else"),
            ("something_else", "[1,2]", "something else: [1,2]"),
        ];
        for (name, payload, wanted) in cases {
            assert_eq!(message(name, payload), wanted);
        }
    }

    #[test]
    fn a_long_message_is_wrapped_under_repeated_prefixes() {
        let time = UNIX_EPOCH + Duration::from_millis(1_787_318_689_123);
        assert_eq!(
            short(time, Level::Notice, "head is now BLx (2)"),
            "Aug 21 13:24:49.123 NOTICE │ head is now BLx (2)\n"
        );
        let hash = "o".repeat(51);
        let text = short(time, Level::Notice, &format!("double baking evidence injected {hash}"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines.iter().all(|line| line.starts_with("Aug 21 13:24:49.123 NOTICE │ ")));
        assert!(lines[1].ends_with(&hash));
    }

    #[test]
    fn the_long_form_names_section_and_event() {
        let time = UNIX_EPOCH + Duration::from_millis(1_787_318_689_123);
        let line = "2026-08-21T13:24:49.123-00:00 [node.main.bye] bye\n";
        assert_eq!(rfc5424(time, None, &["node", "main"], "bye", "bye"), line);
        assert_eq!(
            rfc5424(time, Some(Level::Notice), &["node", "main"], "bye", "bye"),
            format!("<005> {line}")
        );
    }
}
