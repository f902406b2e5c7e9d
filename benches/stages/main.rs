//! Each stage of an upload by itself, on one core: hashing, parsing, typing, the index, naming, the layout of a batch, and
//! its commit on a real disk. What they sum to, against what a file costs end to end, is what the rest of the way takes.
//!
//! `cargo bench --bench stages -- --repeat 5 --seconds 0.2`. The code measured is the daemon's, called as the daemon
//! calls it; what it gives is checked before it is timed.

mod commit;
mod hash;
mod index;
mod parse;
mod record;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

pub(crate) use crate::support::Result;
use crate::support::head::Head;
use crate::support::output::{DataDir, Flags, write_json};
use crate::support::samples::Samples;
use crate::support::table::Table;
use crate::support::text::{grouped, three_digits};
use crate::support::timing::EffortFlags;

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures each stage of an upload by itself.")]
struct Cli {
    #[command(flatten)]
    effort: EffortFlags,
    #[command(flatten)]
    flags: Flags,
}

/// A stage with one kind of work.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Row {
    pub(crate) stage: &'static str,
    pub(crate) case: String,
    /// Nanoseconds for each file.
    pub(crate) ns_per_file: Samples,
    /// Content of a file, where its bytes are what the time goes into.
    pub(crate) file_bytes: Option<usize>,
}

#[derive(Serialize)]
struct Report {
    head: Head,
    seconds: f64,
    repetitions: usize,
    rows: Vec<Row>,
    commits: Vec<commit::Row>,
}

fn main() -> ExitCode {
    support::exit("stages", run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    let full = cli.flags.full;
    let effort = cli.effort.or(if full { (0.5, 11) } else { (0.1, 5) })?;
    let (seconds, repetitions) = (effort.time.as_secs_f64(), effort.repetitions);
    let dir = DataDir::make("stages", cli.flags.dir.as_deref())?;
    let head = Head::look(&dir)?;
    head.print(&format!("stages by themselves on one core, medians of {repetitions} x {seconds} s"));

    let mut rows = hash::measure(effort)?;
    rows.extend(parse::measure(effort)?);
    rows.extend(index::measure(effort, full)?);
    let (laid, commits) = commit::measure(effort, &dir.fresh("store")?)?;
    rows.extend(laid);
    rows.push(record::measure(effort)?);
    print(&rows);
    commit::print(&commits, &head);
    index::draw(&rows)?;
    write_json("stages", &Report { head, seconds, repetitions, rows, commits })
}

fn print(rows: &[Row]) {
    let mut table = Table::new(2, ["stage", "work", "ns a file", "spread", "MB/s"]);
    for row in rows {
        let mb_per_second = row.file_bytes.map(|bytes| bytes as f64 * 1e3 / row.ns_per_file.median);
        table.row([
            row.stage.to_owned(),
            row.case.clone(),
            three_digits(row.ns_per_file.median),
            row.ns_per_file.plus_minus(),
            mb_per_second.map_or_else(String::new, grouped),
        ]);
    }
    table.print();
}
