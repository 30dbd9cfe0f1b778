//! What a play is doing, in words: printed when somebody asks, and kept in the run directory of a play that ran out of time.

use super::text::{DIM, ODD, STRONG, duration, harmless, labelled, styled};
use crate::harness::{Backlog, PendingWait};
use crate::host::usage::Usage;
use crate::scenario::state::{DaemonNow, Occasion, PlayState, RunningStep};

/// The whole block, each line ended.
pub fn block(scenario: &str, state: &PlayState) -> String {
    let why = match &state.occasion {
        Occasion::Asked => "asked for".to_owned(),
        Occasion::Interrupted => "interrupted".to_owned(),
        Occasion::OutOfTime(what) => what.clone(),
    };
    let head = format!("state of `{}` after {}", harmless(scenario), duration(state.after_s));
    let head = styled(STRONG, head);
    let mut block =
        format!("{head}, seed {}, log at {}: {}\n", state.seed, state.log_end, harmless(&why));
    if state.steps.is_empty() {
        block.push_str("  no step is going on\n");
    }
    block.extend(state.steps.iter().map(step));
    block.extend(state.waits.iter().map(|wait| labelled("also", DIM, &harmless(&waiting(wait)))));
    block.extend(state.daemons.iter().map(daemon));
    block
}

fn step(step: &RunningStep) -> String {
    let place = if step.line == 0 { String::new() } else { format!("line {}, ", step.line) };
    let text = format!("{place}for {}: {}", duration(step.for_s), step.text);
    let mut block = labelled(&step.path, STRONG, &harmless(&text));
    block.extend(step.waits.iter().map(|wait| labelled("", DIM, &harmless(&waiting(wait)))));
    block
}

/// `waits for up.v0 of a where n > 1, for 8.2 s, 21.8 s left; from seq 131, 74 records searched`
fn waiting(wait: &PendingWait) -> String {
    let names: Vec<String> = wait.sources.iter().map(|source| source.daemon.to_string()).collect();
    let mut text = format!("waits for {} of {}", wait.event, names.join(" or "));
    if let Some(predicate) = &wait.r#where {
        text.push_str(" where ");
        text.push_str(predicate);
    }
    let left = wait.left.as_secs_f64();
    // A day is no limit that anybody has set.
    let left =
        if left > 86_400.0 { "no limit".to_owned() } else { format!("{} left", duration(left)) };
    let since = duration(wait.since.as_secs_f64());
    let searched = wait.sources.iter().map(|source| {
        let records = if source.searched == 1 { "record" } else { "records" };
        let of =
            if wait.sources.len() > 1 { format!(" of {}", source.daemon) } else { String::new() };
        format!("from seq {}, {} {records}{of} searched", source.from, source.searched)
    });
    let searched: Vec<String> = searched.collect();
    let mut text = format!("{text}, for {since}, {left}; {}", searched.join("; "));
    if wait.is_looking_back {
        text.push_str(", still searching history");
    }
    text
}

fn daemon(now: &DaemonNow) -> String {
    let state = &now.state;
    let mut parts = Vec::new();
    let word = state.state.replace('-', " ");
    parts.push(match (state.incarnation, state.pid) {
        (0, _) => word,
        (number, None) => format!("{word}, incarnation {number}"),
        (number, Some(pid)) => {
            let usage = now.usage.map_or_else(|| ", its process is gone".to_owned(), used);
            format!("{word}, incarnation {number}, pid {pid}{usage}")
        }
    });
    parts.extend(now.backlogs.iter().filter_map(unread));
    match (state.last_event_age_s, &state.last_event) {
        (Some(age), Some(event)) => {
            parts.push(format!("last event {} ago, {event}", duration(age)));
        }
        (Some(age), None) => parts.push(format!("last event {} ago", duration(age))),
        (None, _) => parts.push("no event yet".to_owned()),
    }
    parts.push(format!("{} {}", now.events, if now.events == 1 { "event" } else { "events" }));
    if state.malformed > 0 {
        parts.push(format!("{} lines were no event", state.malformed));
    }
    labelled(&state.name, ODD, &harmless(&parts.join("; ")))
}

/// `, sleeping, 12.3 MB, cpu 0.4 s, 5 threads`
fn used(usage: Usage) -> String {
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
    let megabytes = usage.resident_bytes as f64 / 1e6;
    let threads = if usage.threads == 1 { "thread" } else { "threads" };
    let cpu = duration(usage.cpu.as_secs_f64());
    format!(", {}, {megabytes:.1} MB, cpu {cpu}, {} {threads}", usage.doing(), usage.threads)
}

/// The pipe of events is told of always, the others while they hold something.
fn unread(backlog: &Backlog) -> Option<String> {
    if !backlog.is_events && backlog.bytes == 0 {
        return None;
    }
    let what = if backlog.is_events { "events" } else { "output" };
    let busy = if backlog.is_busy { ", some being recorded" } else { "" };
    Some(format!("{} bytes of {what} unread{busy}", backlog.bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::daemon::DaemonName;
    use crate::event::Seq;
    use crate::event::waiters::WaiterId;
    use crate::harness::PendingSource;
    use crate::scenario::result::DaemonState;

    fn wait(event: &str, left: u64) -> PendingWait {
        let source = |name: &str, from, searched| PendingSource {
            daemon: DaemonName::new(name).expect("a name"),
            from: Seq(from),
            searched,
        };
        PendingWait {
            id: WaiterId(1),
            sources: vec![source("accuser", 131, 74)],
            event: event.to_owned(),
            r#where: Some("level >= 10".to_owned()),
            since: Duration::from_millis(8_200),
            left: Duration::from_secs(left),
            is_looking_back: false,
        }
    }

    #[test]
    fn it_says_what_is_waited_for_and_how_every_daemon_is() {
        let state = DaemonState {
            name: "accuser".to_owned(),
            alive: true,
            incarnation: 2,
            state: "paused".to_owned(),
            pid: Some(4711),
            last_event_age_s: Some(0.4),
            last_event: Some("daemon_start.v0".to_owned()),
            ..DaemonState::default()
        };
        let usage = Usage {
            state: 'T',
            threads: 1,
            resident_bytes: 12_345_678,
            cpu: Duration::from_millis(420),
        };
        let backlogs = vec![
            Backlog { is_events: true, bytes: 65_536, is_busy: false },
            Backlog { is_events: false, bytes: 0, is_busy: false },
        ];
        let never_run = DaemonState { name: "node".to_owned(), ..DaemonState::default() };
        let never_run = DaemonState { state: "never-run".to_owned(), ..never_run };
        let state = PlayState {
            occasion: Occasion::Asked,
            after_s: 12.3,
            seed: 42,
            log_end: 205,
            steps: vec![RunningStep {
                path: "steps[3]".to_owned(),
                text: "expect: { from: accuser, event: x.v0, where: level >= 10 }".to_owned(),
                line: 14,
                for_s: 8.2,
                waits: vec![wait("x.v0", 21)],
            }],
            waits: vec![wait("bad*", 30 * 86_400)],
            daemons: vec![
                DaemonNow { state, events: 120, usage: Some(usage), backlogs },
                DaemonNow { state: never_run, events: 0, usage: None, backlogs: Vec::new() },
            ],
        };
        let text = anstream::adapter::strip_str(&block("a", &state)).to_string();
        let expected = "\
state of `a` after 12.3 s, seed 42, log at 205: asked for
  steps[3]  line 14, for 8.2 s: expect: { from: accuser, event: x.v0, where:
            level >= 10 }
            waits for x.v0 of accuser where level >= 10, for 8.2 s, 21.0 s left;
            from seq 131, 74 records searched
  also      waits for bad* of accuser where level >= 10, for 8.2 s, no limit;
            from seq 131, 74 records searched
  accuser   paused, incarnation 2, pid 4711, stopped by a signal, 12.3 MB, cpu
            0.4 s, 1 thread; 65536 bytes of events unread; last event 0.4 s ago,
            daemon_start.v0; 120 events
  node      never run; no event yet; 0 events
";
        assert_eq!(text, expected);
    }
}
