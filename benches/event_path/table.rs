//! The table of results, for people and as JSON.

use std::path::Path;

use serde_json::{Value, json};

use crate::Failure;

/// What a case takes from each contestant.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub unit: &'static str,
    pub budget: Option<Budget>,
}

/// What ours should keep to.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// At most so many times the bare reader.
    OverBare(f64),
    /// At least so many times better than the first try.
    UnderFirstTry(f64),
    /// At most so many times ours without the waits.
    OverUnburdened(f64),
    AtMost(f64),
}

/// Medians of one metric of one case.
#[derive(Debug)]
pub struct Row {
    title: String,
    metric: Metric,
    bare: Option<f64>,
    first_try: Option<f64>,
    unburdened: Option<f64>,
    ours: f64,
}

impl Row {
    /// The medians of the bare reader, the first try, ours without waits, and ours.
    pub fn new(title: String, metric: Metric, medians: [Option<f64>; 4]) -> Self {
        let [bare, first_try, unburdened, ours] = medians;
        Self { title, metric, bare, first_try, unburdened, ours: ours.unwrap_or(f64::NAN) }
    }

    fn over_bare(&self) -> Option<f64> {
        self.bare.map(|bare| self.ours / bare)
    }

    fn under_first_try(&self) -> Option<f64> {
        self.first_try.map(|first| first / self.ours)
    }

    /// The budget in words, and whether it was kept.
    fn judged(&self) -> Option<(String, bool)> {
        let unit = self.metric.unit;
        Some(match self.metric.budget? {
            Budget::OverBare(times) => (format!("≤ {times} × bare"), self.over_bare()? <= times),
            Budget::UnderFirstTry(times) => {
                (format!("≥ {times} × better"), self.under_first_try()? >= times)
            }
            Budget::OverUnburdened(times) => {
                let over = self.ours / self.unburdened?;
                (format!("≤ {times} × no waits ({over:.2})"), over <= times)
            }
            Budget::AtMost(limit) => (format!("≤ {limit} {unit}"), self.ours <= limit),
        })
    }

    fn to_json(&self) -> Value {
        let (budget, kept) = self.judged().unzip();
        json!({
            "what": self.title,
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "bare": self.bare,
            "first_try": self.first_try,
            "ours_without_waits": self.unburdened,
            "ours": self.ours,
            "ours_over_bare": self.over_bare(),
            "first_try_over_ours": self.under_first_try(),
            "budget": budget,
            "kept": kept,
        })
    }
}

pub fn print_head() {
    println!(
        "{:<32} {:<18} {:>4} {:>9} {:>9} {:>9} {:>7} {:>7}  budget",
        "what", "", "", "bare", "first try", "ours", "÷ bare", "better"
    );
}

pub fn print_row(row: &Row) {
    let figure = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
    let ratio = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
    let judged = row.judged().map_or_else(String::new, |(budget, kept)| {
        format!("{budget}: {}", if kept { "kept" } else { "MISSED" })
    });
    println!(
        "{:<32} {:<18} {:>4} {:>9} {:>9} {:>9} {:>7} {:>7}  {judged}",
        row.title,
        row.metric.name,
        row.metric.unit,
        figure(row.bare),
        figure(row.first_try),
        figure(Some(row.ours)),
        ratio(row.over_bare()),
        ratio(row.under_first_try()),
    );
}

pub fn write_json(rows: &[Row], path: &Path) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
    std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
    Ok(())
}
