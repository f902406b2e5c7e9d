//! What the program costs before it does any work: start and stop of the daemon and of its cores, a message to another
//! core, a task.
//!
//! `cargo bench --bench overhead -- --repeat 20`.

mod cores;
mod process;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

pub(crate) use crate::support::Result;
use crate::support::head::Head;
use crate::support::output::{DataDir, Flags, write_json};
use crate::support::samples::Samples;
use crate::support::table::Table;
use crate::support::text::three_digits;

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures starts, stops, messages between cores, and tasks.")]
struct Cli {
    /// Starts and stops of each kind; the median is told [default: 10, with --full 50]
    #[arg(long, value_name = "N")]
    repeat: Option<usize>,
    /// Messages of each kind between cores [default: 2000, with --full 20000]
    #[arg(long, value_name = "N")]
    messages: Option<u32>,
    /// The program to start [default: the one cargo built]
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_rhinobox"), hide_default_value = true)]
    daemon: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

/// Something that starts or stops.
#[derive(Serialize, Debug)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) ms: Samples,
}

#[derive(Serialize)]
struct Report {
    head: Head,
    starts_and_stops: Vec<Row>,
    hops: Vec<cores::Hop>,
    tasks: Vec<cores::Task>,
}

fn main() -> ExitCode {
    support::exit("overhead", run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    let full = cli.flags.full;
    let repetitions = cli.repeat.unwrap_or(if full { 50 } else { 10 }).max(1);
    let messages = cli.messages.unwrap_or(if full { 20_000 } else { 2_000 }).max(1);
    let dir = DataDir::make("overhead", cli.flags.dir.as_deref())?;
    let head = Head::look(&dir)?;
    head.print(&format!(
        "what it costs before any work: medians of {repetitions}, {messages} messages a kind"
    ));

    let mut starts_and_stops = process::measure(&cli.daemon, &dir.fresh("store")?, repetitions)?;
    for count in [1, 2] {
        starts_and_stops.extend(cores::starts_and_stops(count, repetitions)?);
    }
    print(&starts_and_stops);
    let hops = cores::hops(messages)?;
    cores::print_hops(&hops);
    let tasks = cores::tasks(repetitions)?;
    cores::print_tasks(&tasks);
    write_json("overhead", &Report { head, starts_and_stops, hops, tasks })
}

fn print(rows: &[Row]) {
    let mut table = Table::new(1, ["start or stop", "ms", "least", "most"]);
    for row in rows {
        table.row([
            row.what.to_owned(),
            three_digits(row.ms.median),
            three_digits(row.ms.least),
            three_digits(row.ms.most),
        ]);
    }
    table.print();
}
