//! The event path against its limits: a reader that only counts lines, and what one would write first.
//!
//! ```text
//! cargo bench [-- [--quick] [--only PART] [--json PATH]]
//! ```
//!
//! All contestants get their lines from the same emitter, in the same run, in turns; the table shows medians and their
//! ratios, which are what counts: times of one machine say nothing about another. Nothing here fails for being slow.
//! `--only` takes part of a line's title. The table is also written to `target/bench/event_path.json`.

mod baseline;
mod cases;
mod emission;
mod ours;
mod table;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use self::emission::{Emission, Shape};
use self::table::Row;

pub type Failure = Box<dyn std::error::Error>;

/// The first argument that makes this program measure the memory of one harness, which must be alone in its process.
const MEMORY: &str = "memory";

#[derive(Debug)]
struct Options {
    quick: bool,
    only: Option<String>,
    json: PathBuf,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some(emission::ROLE) => Emission::from_args(&args[1..])
            .ok_or_else(|| "the emitter's arguments are wrong".into())
            .and_then(|emission| emission.play().map_err(Failure::from)),
        Some(MEMORY) => print_memory(args.get(1).and_then(|count| count.parse().ok())),
        _ => options(&args).and_then(|options| measure(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("event_path: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(args: &[String]) -> Result<Options, Failure> {
    let json = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../bench/event_path.json");
    let mut options = Options { quick: false, only: None, json };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg}: a value is missing"));
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--only" => options.only = Some(value()?.clone()),
            "--json" => options.json = PathBuf::from(value()?),
            // Cargo says so to every benchmark.
            "--bench" => {}
            unknown => return Err(format!("{unknown}: no such option").into()),
        }
    }
    Ok(options)
}

fn measure(options: &Options) -> Result<(), Failure> {
    let mut rows: Vec<Row> = Vec::new();
    table::print_head();
    for case in cases::all(options.quick) {
        if options.only.as_ref().is_some_and(|only| !case.title.contains(only)) {
            continue;
        }
        let of_case = case.measure()?;
        of_case.iter().for_each(table::print_row);
        rows.extend(of_case);
    }
    table::write_json(&rows, &options.json)?;
    println!("\nwritten to {}", options.json.display());
    Ok(())
}

fn print_memory(count: Option<u64>) -> Result<(), Failure> {
    let count = count.ok_or("how many events?")?;
    println!("{}", ours::memory(Emission::of(count, Shape::Flat))?);
    Ok(())
}
