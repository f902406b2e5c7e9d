//! The daemon end to end: clients over loopback against the real program, on a real disk, durable.
//!
//! `cargo bench --bench end_to_end` measures all of [`PARTS`] and prints a table each; `-- --parts sizes,open-loop`
//! some of them, and `-- --rows 10k-c1,1000x2k --seconds 2` some rows of the first. Every answer is checked; a wrong one
//! ends the run, while a missed floor is only told. More measurements take longer and are asked for by flags of
//! their own: `--overload`, what is answered in time as more and more is offered, on a disk that is slow on purpose;
//! `--churn`, what compaction costs and brings; `--peers`, rhinobox beside other servers.

mod answer;
mod churn;
mod client;
mod daemon;
mod download;
mod hgrm;
mod load;
mod measure;
mod metrics;
mod open_loop;
mod overload;
mod parts;
mod peers;
mod plots;
mod proc;
mod report;
mod rows;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::measure::Plan;
use crate::parts::PARTS;
use crate::report::Report;
use crate::rows::ROWS;
use crate::support::machine::Machine;
use crate::support::output;

pub(crate) use crate::support::Result;

/// Measured time of a row.
const SECONDS: f64 = 10.0;
const SECONDS_FULL: f64 = 30.0;

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures the rhinobox daemon end to end, over loopback, durable.")]
struct Cli {
    /// Parts to measure: rows, open-loop, sizes, connections, cores, stores, memory [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    parts: Vec<String>,
    /// Rows to measure, by id, and no other part unless --parts names it [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    rows: Vec<String>,
    /// Measured time of each row, behind a tenth of it as warm-up; steps of other parts take a share of it [default: 10, with
    /// --full 30]
    #[arg(long, env = "RHINOBOX_BENCH_SECONDS")]
    seconds: Option<f64>,
    /// Where the figures go as JSON [default: bench/end_to_end.json in cargo's target folder]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Connections, in place of each row's own
    #[arg(long, value_name = "N")]
    connections: Option<u32>,
    /// Threads of the client; connections are shared among them
    #[arg(long, value_name = "N", default_value_t = 1)]
    client_threads: u32,
    /// Pins the client's threads to a core
    #[arg(long, value_name = "CORE")]
    client_core: Option<usize>,
    /// The program to measure [default: the one cargo built]
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_rhinobox"), hide_default_value = true)]
    daemon: PathBuf,
    /// An argument for the daemon; may be repeated
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    daemon_arg: Vec<String>,
    #[command(flatten)]
    overload: overload::Flags,
    #[command(flatten)]
    churn: churn::Flags,
    #[command(flatten)]
    peers: peers::Flags,
    #[command(flatten)]
    common: output::Flags,
}

fn main() -> ExitCode {
    support::exit("end_to_end", run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    known("row", &cli.rows, ROWS.iter().map(|row| row.id.as_ref()))?;
    known("part", &cli.parts, PARTS.iter().map(|part| part.id))?;
    let data = output::DataDir::make("end_to_end", cli.common.dir.as_deref())?;
    let machine = Machine::look(data.path())?;
    let seconds = cli.seconds.unwrap_or(if cli.common.full { SECONDS_FULL } else { SECONDS });
    if cli.overload.is_asked_for() {
        return overload::measure(&cli.overload, &cli.daemon, &cli.daemon_arg, seconds, &machine);
    }
    if cli.churn.is_asked_for() {
        return churn::measure(&cli.churn, &cli.daemon, &cli.daemon_arg, (data.path(), seconds), &machine);
    }
    if cli.peers.is_asked_for() {
        return peers::measure(&cli.peers, &cli.daemon, data.path(), machine);
    }
    let plan = Plan {
        program: cli.daemon.clone(),
        arguments: cli.daemon_arg.clone(),
        dir: data.path().to_path_buf(),
        figures: output::figures_dir().join("end_to_end"),
        rows: cli.rows.clone(),
        full: cli.common.full,
        time: Duration::try_from_secs_f64(seconds)?,
        connections: cli.connections,
        threads: cli.client_threads,
        client_core: cli.client_core,
    };
    fs::create_dir_all(&plan.figures)?;
    let report = measure(cli, &plan, machine)?;
    report.print_predecessor();
    match &cli.json {
        Some(json) => output::write_json_to(json, &report)?,
        None => output::write_json("end_to_end", &report)?,
    }
    println!("All latencies, for HdrHistogram's plotters: {}/*.hgrm", plan.figures.display());
    Ok(())
}

/// Measures the parts that are asked for.
fn measure(cli: &Cli, plan: &Plan, machine: Machine) -> Result<Report> {
    let mut report = Report::new(machine, plan);
    report.print_head();
    for part in &PARTS {
        let is_named = cli.parts.iter().any(|id| id == part.id);
        let by_its_rows = part.id == "rows" && !cli.rows.is_empty();
        let is_default = cli.parts.is_empty() && cli.rows.is_empty();
        if is_named || by_its_rows || is_default {
            println!("\n{}: {}", part.id, part.title);
            (part.measure)(plan, &mut report)?;
        }
    }
    Ok(report)
}

/// Whether all that is asked for exists.
///
/// # Errors
/// If something does not, in words that list what does.
pub(crate) fn known<'a>(kind: &str, asked: &[String], known: impl Iterator<Item = &'a str>) -> Result<()> {
    let known: Vec<&str> = known.collect();
    match asked.iter().find(|id| !known.contains(&id.as_str())) {
        Some(id) => Err(format!("no {kind} is called {id}; there are {}", known.join(", ")).into()),
        None => Ok(()),
    }
}
