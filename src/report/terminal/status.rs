//! The lines below a run that is going on: a bar of what is done, and each playing scenario with its step.
//!
//! They are drawn on standard error, at most ten times a second, and taken away while anything else is written.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::text::harmless;
use crate::run::Unit;

/// Of more scenarios at once, the rest are only counted.
const ROWS: usize = 8;

/// How often times are brought up to date.
const TICK: Duration = Duration::from_millis(500);

/// The name of a scenario is shown so far.
const NAME: usize = 32;

/// The bar and the rows of a terminal.
#[derive(Debug)]
pub(super) struct Status {
    lines: MultiProgress,
    bar: ProgressBar,
    rows: Vec<(Unit, Option<ProgressBar>)>,
}

impl Status {
    /// `total` is how many verdicts there will be, where that is known.
    pub(super) fn draw(total: Option<u64>) -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        // Not added before it looks as it is to look: adding draws.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        bar.set_style(bar_style(total.is_some()));
        bar.set_message("0 playing");
        let bar = lines.add(bar);
        bar.enable_steady_tick(TICK);
        Self { lines, bar, rows: Vec::new() }
    }

    /// Does something while nothing is drawn.
    pub(super) fn suspend(&self, act: impl FnOnce()) {
        self.lines.suspend(act);
    }

    pub(super) fn began(&mut self, unit: Unit, name: &str) {
        let shown = self.rows.iter().filter(|(_, row)| row.is_some()).count();
        let row = (shown < ROWS).then(|| {
            let row = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            row.set_style(row_style());
            row.set_prefix(short(&harmless(name)));
            row.set_message("preparing");
            let row = self.lines.add(row);
            row.enable_steady_tick(TICK);
            row
        });
        self.rows.push((unit, row));
        self.count();
    }

    /// A step began; its time counts from now.
    pub(super) fn step(&mut self, unit: Unit, text: &str) {
        let row = self.rows.iter().find(|(other, _)| *other == unit);
        if let Some((_, Some(row))) = row {
            row.reset_elapsed();
            row.set_message(harmless(text));
        }
    }

    pub(super) fn ended(&mut self, unit: Unit, is_decided: bool) {
        if let Some(at) = self.rows.iter().position(|(other, _)| *other == unit)
            && let (_, Some(row)) = self.rows.remove(at)
        {
            row.finish_and_clear();
            self.lines.remove(&row);
        }
        if is_decided {
            self.bar.inc(1);
        }
        self.count();
    }

    fn count(&self) {
        let hidden = self.rows.iter().filter(|(_, row)| row.is_none()).count();
        let more = if hidden > 0 { format!(" ({hidden} not shown)") } else { String::new() };
        self.bar.set_message(format!("{} playing{more}", self.rows.len()));
    }

    /// Takes it all away.
    pub(super) fn finish(&mut self) {
        for (_, row) in self.rows.drain(..) {
            if let Some(row) = row {
                row.finish_and_clear();
            }
        }
        self.bar.finish_and_clear();
    }
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

fn bar_style(has_total: bool) -> ProgressStyle {
    let template = if has_total {
        "{elapsed_precise} [{bar:24}] {pos} of {len} done, {wide_msg}"
    } else {
        "{elapsed_precise} {pos} done, {wide_msg}"
    };
    let style = ProgressStyle::with_template(template).expect("the template is legal");
    style.progress_chars("=> ")
}

fn row_style() -> ProgressStyle {
    ProgressStyle::with_template("  {prefix}  {elapsed:>4}  {wide_msg}").expect("as above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_shown_in_part() {
        assert_eq!(short("an accuser"), "an accuser");
        let long = short(&"é".repeat(100));
        assert_eq!(long.chars().count(), NAME);
        assert!(long.ends_with('…'));
    }
}
