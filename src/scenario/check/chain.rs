//! What steps tell nodes: times, bytes, and the words in which a refusal is expected.

use super::daemons::regex;
use super::findings::{Findings, each_step};
use crate::scenario::model::{Action, Scenario, Step};
use crate::scenario::values::Text;

pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    for steps in [&scenario.steps, &scenario.finally] {
        each_step(steps, &mut |each| step(each, findings));
    }
    findings.look_at(&scenario.source);
}

fn step(step: &Step, findings: &mut Findings<'_>) {
    findings.look_at(&step.source);
    match &step.action {
        Action::Activate(activate) => {
            activate.timestamp.iter().for_each(|text| timestamp(text, findings));
        }
        Action::Vote(vote) => vote.error.iter().for_each(|error| regex(error, findings)),
        Action::Inject(inject) => {
            bytes(&inject.operation, findings);
            inject.error.iter().for_each(|error| regex(error, findings));
        }
        _ => {}
    }
}

fn timestamp(text: &Text, findings: &mut Findings<'_>) {
    let Some(literal) = text.literal() else { return };
    if literal != "now" && humantime::parse_rfc3339(literal).is_err() {
        let error = findings.error(text.span, format!("`{literal}` is no time"));
        findings.report(error.help("`now`, or in UTC such as `2026-01-31T12:00:00Z`"));
    }
}

fn bytes(text: &Text, findings: &mut Findings<'_>) {
    let Some(literal) = text.literal() else { return };
    if hex::decode(literal).is_err() {
        let error = findings.error(text.span, "the operation is not in hexadecimal");
        findings.report(error.help("two digits to a byte, without `0x`"));
    }
}
