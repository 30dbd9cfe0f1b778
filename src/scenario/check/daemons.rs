//! Declarations: what each kind needs, and values that cannot work.

use super::findings::Findings;
use super::names::{declared, of_kind};
use crate::daemon::Kind;
use crate::octez;
use crate::scenario::diagnostic::listed;
use crate::scenario::model::{Action, DaemonDeclaration, ReadyWhen, Scenario, Settings, Spanned};
use crate::scenario::source::{Source, Span};
use crate::scenario::values::{Setting, Text};

pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    for daemon in &scenario.daemons {
        needs(daemon, findings);
        settings(&daemon.settings, findings);
    }
    for steps in [&scenario.steps, &scenario.finally] {
        super::findings::each_step(steps, &mut |step| {
            if let Action::Lifecycle(lifecycle) = &step.action
                && let Some(with) = &lifecycle.with
            {
                findings.look_at(&step.source);
                settings(with, findings);
            }
        });
    }
    findings.look_at(&scenario.source);
}

/// What a daemon cannot be run without, from its declaration or the defaults.
fn needs(daemon: &DaemonDeclaration, findings: &mut Findings<'_>) {
    let name = &daemon.name;
    match daemon.kind {
        Kind::Accuser | Kind::Baker if daemon.settings.watched.is_none() => {
            let help = match findings.names_of(Kind::Node).next() {
                Some(node) => format!("such as `node: {node}`"),
                None => "declare an `octez-node`, and name it here: `node: NAME`".to_owned(),
            };
            let what = if daemon.kind == Kind::Baker { "baker" } else { "accuser" };
            let error = findings.error(daemon.span, format!("the {what} `{name}` has no `node`"));
            findings.report(error.help(help));
        }
        Kind::Process if daemon.settings.process.command.is_none() => {
            let error =
                findings.error(daemon.span, format!("the process `{name}` has no `command`"));
            findings.report(error.help("such as `command: [my-daemon, --port, \"${port.mine}\"]`"));
        }
        Kind::Accuser | Kind::Baker | Kind::Node | Kind::Process => {}
    }
}

fn settings(settings: &Settings, findings: &mut Findings<'_>) {
    if let Some(node) = &settings.watched
        && declared(&node.value, node.span, findings)
    {
        of_kind(&node.value, node.span, Kind::Node, "`node`", findings);
    }
    for peer in settings.node.peers.iter().flatten() {
        peer_name(peer, findings);
    }
    for glob in settings.knows.iter().flatten() {
        event_glob(glob, findings);
    }
    if let Some(mode) = &settings.node.history_mode {
        history_mode(mode, findings);
    }
    for upgrade in settings.node.upgrades.iter().flatten() {
        protocol(&upgrade.protocol, findings);
    }
    backoff(settings, findings);
    match &settings.process.ready {
        Some(ReadyWhen::Stdout(pattern)) => regex(pattern, findings),
        Some(ReadyWhen::Tcp(address)) => tcp(address, findings),
        Some(ReadyWhen::Http(url)) => http(url, findings),
        Some(ReadyWhen::Event { .. } | ReadyWhen::Exit(_)) | None => {}
    }
}

fn peer_name(peer: &Text, findings: &mut Findings<'_>) {
    if let Some(name) = peer.literal()
        && !name.contains(':')
        && declared(name, peer.span, findings)
    {
        of_kind(name, peer.span, Kind::Node, "`peers`", findings);
    }
}

fn event_glob(glob: &Spanned<String>, findings: &mut Findings<'_>) {
    if let Err(error) = glob::Pattern::new(&glob.value) {
        let error =
            findings.error(glob.span, format!("`{}` is no glob: {}", glob.value, error.msg));
        findings.report(error.help("`*` is any text, `?` one character, `[ab]` one of these"));
    }
}

fn history_mode(mode: &Text, findings: &mut Findings<'_>) {
    let Some(word) = mode.literal() else { return };
    // `full:5` and `rolling:5` say how many cycles are kept.
    let (word, cycles) = word.split_once(':').unwrap_or((word, "0"));
    let modes = ["archive", "full", "rolling"];
    if !modes.contains(&word) || cycles.parse::<u32>().is_err() {
        let error =
            findings.error(mode.span, format!("there is no history mode `{}`", mode.template));
        findings.report(error.help(format!("{}, the latter two also as `full:5`", listed(modes))));
    }
}

fn protocol(hash: &Text, findings: &mut Findings<'_>) {
    let Some(text) = hash.literal() else { return };
    if !octez::is_protocol_hash(text) {
        let error = findings.error(hash.span, format!("`{text}` is no protocol hash"));
        findings.report(error.help("the whole of it, such as `PsUshuai9QapM5TG…ZLCY`: a node's configuration knows no names"));
    }
}

fn backoff(settings: &Settings, findings: &mut Findings<'_>) {
    let Some(restart) = &settings.restart else { return };
    let factor = restart.backoff.factor.as_ref().and_then(Setting::fixed);
    if factor.is_some_and(|factor| *factor < 1.0) {
        let span = word_in(&findings.source(), restart.span, "factor");
        let error = findings.error(span, "`factor` is less than 1: each delay would be shorter");
        findings.report(error.help("such as `factor: 2`"));
    }
    let jitter = restart.backoff.jitter.as_ref().and_then(Setting::fixed);
    if jitter.is_some_and(|jitter| !(0.0..=1.0).contains(jitter)) {
        let span = word_in(&findings.source(), restart.span, "jitter");
        let error = findings.error(span, "`jitter` is a part of the delay, from 0 to 1");
        findings.report(error.help("such as `jitter: 0.1`"));
    }
}

/// Where a word stands in a part of the file; all of that part if it does not.
fn word_in(source: &Source, part: Span, word: &str) -> Span {
    match source.slice(part).find(word) {
        Some(at) => source.span(part.start + at..part.start + at + word.len()),
        None => part,
    }
}

pub(super) fn regex(pattern: &Text, findings: &mut Findings<'_>) {
    let Some(text) = pattern.literal() else { return };
    if let Err(error) = regex::Regex::new(text) {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let error =
            findings.error(pattern.span, format!("the pattern is no regular expression: {reason}"));
        findings.report(error.help("escape with `\\` what is meant as it stands"));
    }
}

fn tcp(address: &Text, findings: &mut Findings<'_>) {
    let Some(text) = address.literal() else { return };
    let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        let error = findings.error(address.span, format!("`{text}` is no `HOST:PORT`"));
        findings.report(error.help("such as \"127.0.0.1:${port.mine}\""));
    }
}

fn http(url: &Text, findings: &mut Findings<'_>) {
    if !url.template.source().starts_with("http://") && url.template.whole().is_none() {
        let error = findings.error(url.span, format!("`{}` is no http URL", url.template));
        findings.report(error.help("such as \"http://127.0.0.1:${port.mine}/health\""));
    }
}
