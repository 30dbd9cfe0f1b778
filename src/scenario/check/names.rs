//! Names of daemons: declared, of the right kind, and globs that match some.

use super::findings::{Findings, each_step, is_glob};
use super::texts::Reads;
use crate::daemon::{Kind, signal_number};
use crate::scenario::diagnostic::listed;
use crate::scenario::diagnostic::nearest;
use crate::scenario::model::{Action, EventPattern, ExitWanted, Scenario, Step};
use crate::scenario::source::Span;
use crate::scenario::values::{Builtin, Text};

pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    for invariant in &scenario.invariants {
        pattern(&invariant.pattern, findings);
        builtins(&Reads::of_never(invariant), findings);
    }
    for daemon in &scenario.daemons {
        builtins(&Reads::of_settings(&daemon.settings), findings);
    }
    for steps in [&scenario.steps, &scenario.finally] {
        each_step(steps, &mut |each| step(each, findings));
    }
}

fn step(step: &Step, findings: &mut Findings<'_>) {
    findings.look_at(&step.source);
    builtins(&Reads::of(&step.action), findings);
    match &step.action {
        Action::Lifecycle(lifecycle) => {
            for daemon in &lifecycle.daemons {
                name(daemon, findings);
            }
        }
        Action::Signal { daemon, signal } => {
            name(daemon, findings);
            signal_name(signal, findings);
        }
        Action::Exited(exited) => {
            name(&exited.daemon, findings);
            if let ExitWanted::Signal(signal) = &exited.wanted {
                signal_name(signal, findings);
            }
        }
        Action::Expect(expects) => {
            for expect in expects {
                pattern(&expect.pattern, findings);
            }
        }
        Action::Never(never) => {
            pattern(&never.pattern, findings);
            if let Some(until) = &never.until {
                pattern(&until.pattern, findings);
            }
        }
        Action::Reach(reach) => {
            for node in &reach.nodes {
                a_node(node, step.verb, findings);
            }
        }
        Action::Activate(activate) => a_node(&activate.node, step.verb, findings),
        Action::Bake(bake) => a_node(&bake.node, step.verb, findings),
        Action::Vote(vote) => a_node(&vote.node, step.verb, findings),
        Action::Inject(inject) => a_node(&inject.node, step.verb, findings),
        Action::Rpc(rpc) => a_node(&rpc.node, step.verb, findings),
        Action::Connect(peers) | Action::Disconnect(peers) => {
            for node in &peers.nodes {
                a_node(node, step.verb, findings);
            }
            twice(&peers.nodes, findings);
        }
        _ => {}
    }
}

/// One declared daemon.
fn name(text: &Text, findings: &mut Findings<'_>) {
    if let Some(name) = text.literal() {
        declared(name, text.span, findings);
    }
}

/// Reports a name that no daemon has; whether one has.
pub(super) fn declared(name: &str, span: Span, findings: &mut Findings<'_>) -> bool {
    if findings.daemon(name).is_some() {
        return true;
    }
    let help = if is_glob(name) {
        "a glob is allowed in `from` only".to_owned()
    } else if findings.names().next().is_none() {
        "no daemon is declared: add it to `daemons:`; a file that is only for `use` is called *.yml"
            .to_owned()
    } else if let Some(near) = nearest(name, findings.names()) {
        format!("did you mean `{near}`?")
    } else {
        format!("declared are {}", listed(findings.names()).replace(" or ", " and "))
    };
    findings.report(findings.error(span, format!("no daemon is called `{name}`")).help(help));
    false
}

/// One declared node.
fn a_node(text: &Text, verb: &str, findings: &mut Findings<'_>) {
    let Some(name) = text.literal() else { return };
    if declared(name, text.span, findings) {
        of_kind(name, text.span, Kind::Node, &format!("`{verb}`"), findings);
    }
}

/// Reports a daemon of another kind than what is said of it needs.
pub(super) fn of_kind(name: &str, span: Span, kind: Kind, what: &str, findings: &mut Findings<'_>) {
    let Some(daemon) = findings.daemon(name) else { return };
    if daemon.kind == kind {
        return;
    }
    let error = findings.error(
        span,
        format!(
            "{what} needs an `{}`, and `{name}` is of kind `{}`",
            kind.word(),
            daemon.kind.word()
        ),
    );
    let help = match findings.names_of(kind).next() {
        Some(_) => format!("of that kind there is {}", listed(findings.names_of(kind))),
        None => format!("declare one: `{{ kind: {} }}`", kind.word()),
    };
    findings.report(error.help(help));
}

fn twice(nodes: &[Text], findings: &mut Findings<'_>) {
    for (index, node) in nodes.iter().enumerate() {
        let same = |other: &&Text| other.literal().is_some() && other.literal() == node.literal();
        if let Some(first) = nodes[..index].iter().find(same) {
            let error = findings
                .error(node.span, "a node is no peer of itself")
                .also(first.span, "named already");
            findings.report(error.help("name each node once"));
        }
    }
}

fn pattern(pattern: &EventPattern, findings: &mut Findings<'_>) {
    for from in &pattern.from {
        match from.literal() {
            Some(name) if is_glob(name) => glob(name, from.span, findings),
            Some(name) => {
                declared(name, from.span, findings);
            }
            None => {}
        }
    }
}

fn glob(text: &str, span: Span, findings: &mut Findings<'_>) {
    match glob::Pattern::new(text) {
        Ok(pattern) if findings.names().any(|name| pattern.matches(name)) => {}
        Ok(_) => {
            let names = listed(findings.names()).replace(" or ", " and ");
            let error = findings.error(span, format!("no declared daemon matches `{text}`"));
            findings.report(error.help(format!("declared are {names}")));
        }
        Err(error) => {
            let error = findings.error(span, format!("`{text}` is no glob: {}", error.msg));
            findings.report(error.help("`*` is any text, `?` one character, `[ab]` one of these"));
        }
    }
}

fn signal_name(text: &Text, findings: &mut Findings<'_>) {
    let Some(name) = text.literal() else { return };
    if signal_number(name).is_none() {
        let error = findings.error(text.span, format!("there is no signal `{name}`"));
        findings.report(error.help("such as `TERM`, `SIGUSR1` or 10"));
    }
}

/// `${rpc.NODE}` and the like name daemons as well.
fn builtins(reads: &Reads<'_>, findings: &mut Findings<'_>) {
    let references = reads.texts.iter().flat_map(|text| text.references());
    for (reference, span) in references {
        match &reference.what {
            Builtin::Dir(name) | Builtin::Pipe(name) => {
                declared(name, span, findings);
            }
            Builtin::Data(name) | Builtin::Rpc(name) | Builtin::Client(name)
                if declared(name, span, findings) =>
            {
                of_kind(name, span, Kind::Node, shape_of(&reference.what), findings);
            }
            _ => {}
        }
    }
}

fn shape_of(what: &Builtin) -> &'static str {
    match what {
        Builtin::Data(_) => "`${data.NODE}`",
        Builtin::Rpc(_) => "`${rpc.NODE}`",
        _ => "`${client.NODE}`",
    }
}
