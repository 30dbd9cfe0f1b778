//! The lives of daemons, as the lifecycle records tell them: who was alive at a position, and how the others had ended.

use std::time::{Duration, Instant};

use super::Past;
use crate::daemon::{DaemonName, ExitReason};
use crate::event::{Event, Seq, lifecycle_names};
use crate::harness::{IncarnationStatus, Wanted};
use crate::scenario::play::world::Present;

/// A daemon from the record's point of view at one position.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    first: Option<Seq>,
    /// The last exit, and whether nothing follows it.
    exited: Option<(Seq, bool)>,
    gave_up: Option<Seq>,
}

impl Life {
    fn tell(&mut self, event: &Event) {
        match event.name.as_str() {
            lifecycle_names::SPAWNED => *self = Self { first: Some(event.seq), ..Self::default() },
            lifecycle_names::EXITED => {
                self.exited = Some((event.seq, event.value["verdict"] == "final"));
            }
            lifecycle_names::GAVE_UP => self.gave_up = Some(event.seq),
            _ => {}
        }
    }

    fn dead_since(self) -> Option<Seq> {
        let (exited, is_final) = self.exited?;
        (is_final || self.gave_up.is_some()).then(|| self.gave_up.unwrap_or(exited).next())
    }
}

impl Past {
    fn life(&self, daemon: &DaemonName, until: Seq) -> Life {
        let mut life = Life::default();
        let records = self.lifecycle.iter().map(|(_, event)| event);
        let records = records.take_while(|event| event.seq < until);
        records.filter(|event| event.daemon == *daemon).for_each(|event| life.tell(event));
        life
    }

    pub(in crate::scenario::play) fn present(&self, daemon: &DaemonName, now: Seq) -> Present {
        let life = self.life(daemon, now);
        let is_between = life.exited.is_some() && life.dead_since().is_none();
        Present { first: life.first, is_between }
    }

    /// The first position from here on at which all that a wait is on are finally dead; which of them died last, and how.
    pub(super) fn last_hope(
        &self,
        wanted: &Wanted,
        from: Seq,
    ) -> Option<(Seq, (DaemonName, ExitReason))> {
        let mut lives = vec![Life::default(); wanted.sources.len()];
        let dead =
            |lives: &[Life]| lives.iter().map(|life| life.dead_since()).collect::<Option<Vec<_>>>();
        let mut records = self.lifecycle.iter().map(|(_, event)| event).peekable();
        let dead_since = loop {
            let is_past = records.peek().is_none_or(|next| next.seq >= from);
            if is_past && let Some(dead) = dead(&lives) {
                break dead;
            }
            let event = records.next()?;
            let of = wanted.sources.iter().zip(&mut lives);
            for (_, life) in of.filter(|((daemon, _), _)| *daemon == event.daemon) {
                life.tell(event);
                // That it is given up follows its exit at once, and belongs to it.
                let is_next = |next: &&Event| {
                    next.name.as_str() == lifecycle_names::GAVE_UP && next.daemon == event.daemon
                };
                if let Some(gave_up) = records.peek().copied().filter(is_next) {
                    life.tell(gave_up);
                }
            }
        };
        let last = wanted.sources.iter().zip(dead_since).max_by_key(|(_, since)| *since);
        let ((daemon, _), since) = last?;
        let (_, _, exit) = self.exits(daemon).filter(|(seq, _, _)| *seq < since).last()?;
        Some((since.max(from), (daemon.clone(), exit)))
    }

    fn exits<'p>(
        &'p self,
        daemon: &'p DaemonName,
    ) -> impl Iterator<Item = (Seq, f64, ExitReason)> + 'p {
        let is_exit = move |event: &&(f64, Event)| {
            event.1.daemon == *daemon && event.1.name.as_str() == lifecycle_names::EXITED
        };
        self.lifecycle
            .iter()
            .filter(is_exit)
            .map(|(at_s, event)| (event.seq, *at_s, ExitReason::from_record(&event.value)))
    }

    pub(super) fn deaths_before_giving_up(
        &self,
        daemon: &DaemonName,
        until: Seq,
    ) -> Vec<ExitReason> {
        let life = self.life(daemon, until);
        let Some(at) = life.gave_up else { return Vec::new() };
        let record = self.lifecycle.iter().map(|(_, event)| event).find(|event| event.seq == at);
        let deaths = record.and_then(|event| event.value["deaths"].as_array());
        deaths.into_iter().flatten().map(ExitReason::from_record).collect()
    }

    /// Every incarnation up to the end of the play, as instants after `began`, and whether the daemon was given up.
    pub(in crate::scenario::play) fn incarnations(
        &self,
        daemon: &DaemonName,
        began: Instant,
    ) -> (Vec<IncarnationStatus>, bool) {
        let at = |at_s: f64| {
            let after = Duration::try_from_secs_f64(at_s).unwrap_or_default();
            began.checked_add(after).unwrap_or(began)
        };
        let mut all: Vec<IncarnationStatus> = Vec::new();
        let records = self.lifecycle.iter().filter(|(_, event)| event.daemon == *daemon);
        for (at_s, event) in records.take_while(|(_, event)| event.seq < self.play_end.seq) {
            match event.name.as_str() {
                lifecycle_names::SPAWNED => all.push(IncarnationStatus {
                    number: event.incarnation,
                    pid: event.value["pid"]
                        .as_i64()
                        .and_then(|pid| i32::try_from(pid).ok())
                        .unwrap_or_default(),
                    started: at(*at_s),
                    exited: None,
                    restarted: false,
                }),
                lifecycle_names::EXITED => {
                    if let Some(last) = all.last_mut() {
                        last.exited = Some((at(*at_s), ExitReason::from_record(&event.value)));
                        last.restarted = event.value["verdict"] == "restarting";
                    }
                }
                _ => {}
            }
        }
        (all, self.life(daemon, self.play_end.seq).gave_up.is_some())
    }
}
