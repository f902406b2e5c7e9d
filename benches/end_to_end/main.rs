//! The daemon end to end: a closed-loop client over loopback against the real program, on a real disk, durable.
//!
//! `cargo bench --bench end_to_end` measures all rows and prints one table; `-- --rows 10k-c1,1000x2k --seconds 2`
//! some of them, shortly. Every row has a daemon of its own on a fresh data folder. Every answer is checked; a wrong
//! one ends the run, while a missed floor is only told. `-- --overload` measures another thing: what is answered in time
//! as more and more is offered, in an open loop, on a disk that is slow on purpose. `-- --churn` measures what compaction
//! costs and brings.

mod answer;
mod churn;
mod client;
mod daemon;
mod load;
mod measure;
mod overload;
mod report;
mod rows;
#[path = "../support/mod.rs"]
mod support;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::measure::Plan;
use crate::report::Report;
use crate::rows::ROWS;
use crate::support::machine::Machine;
use crate::support::{baseline, output};

pub(crate) use crate::support::Result;

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures the rhinobox daemon end to end, over loopback, durable.")]
struct Cli {
    /// Rows to measure, by id [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    rows: Vec<String>,
    /// Measured time of each row; a tenth more is warm-up
    #[arg(long, env = "RHINOBOX_BENCH_SECONDS", default_value_t = 10.0)]
    seconds: f64,
    /// Folder for data, on the disk to be measured [default: bench in cargo's target folder]
    #[arg(long, env = "RHINOBOX_BENCH_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
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
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("end_to_end: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    if let Some(id) = cli.rows.iter().find(|id| ROWS.iter().all(|row| row.id != **id)) {
        let known = ROWS.map(|row| row.id).join(", ");
        return Err(format!("no row is called {id}; there are {known}").into());
    }
    let target = output::figures_dir();
    let dir = cli.dir.clone().unwrap_or_else(|| target.clone());
    fs::create_dir_all(&dir)?;
    // What an interrupted run left is removed, but not under a run that goes on.
    let lock = File::create(dir.join("end_to_end.lock"))?;
    lock.try_lock().map_err(|error| format!("another run uses {}: {error}", dir.display()))?;
    if cli.overload.is_asked_for() {
        let machine = Machine::look(&dir)?;
        return overload::measure(&cli.overload, &cli.daemon, &cli.daemon_arg, cli.seconds, &machine);
    }
    if cli.churn.is_asked_for() {
        let machine = Machine::look(&dir)?;
        return churn::measure(&cli.churn, &cli.daemon, &cli.daemon_arg, (&dir, cli.seconds), &machine);
    }
    let json = cli.json.clone().unwrap_or_else(|| target.join("end_to_end.json"));
    let time = Duration::try_from_secs_f64(cli.seconds)?;
    let baseline_time = (time / 10).min(Duration::from_secs(1));
    let plan = Plan {
        program: cli.daemon.clone(),
        arguments: cli.daemon_arg.clone(),
        dir: dir.join("end_to_end.data"),
        time,
        connections: cli.connections,
        threads: cli.client_threads,
        client_core: cli.client_core,
    };
    if plan.dir.exists() {
        fs::remove_dir_all(&plan.dir)?;
    }
    fs::create_dir_all(&plan.dir)?;
    let measured = measure_all(cli, &plan, baseline_time, Machine::look(&dir)?);
    fs::remove_dir_all(&plan.dir)?;
    let report = measured?;
    report.print_rest();
    if let Some(parent) = json.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&json, serde_json::to_vec_pretty(&report)?)?;
    println!("\nThe same as JSON: {}", json.display());
    Ok(())
}

fn measure_all(cli: &Cli, plan: &Plan, baseline_time: Duration, machine: Machine) -> Result<Report> {
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION").into(),
        machine,
        daemon_start_lines: Vec::new(),
        seconds_per_row: cli.seconds,
        disk: [baseline::disk(&plan.dir, baseline_time)?, Vec::new()],
        sha256_mb_per_second: baseline::sha256_rate(baseline_time) / 1e6,
        rows: Vec::new(),
        floors: Vec::new(),
    };
    report.print_head();
    for row in ROWS.iter().filter(|row| cli.rows.is_empty() || cli.rows.iter().any(|id| id == row.id)) {
        let (measured, start_lines) = measure::measure(row, plan)?;
        if report.rows.is_empty() {
            Report::print_start_lines(&start_lines);
            report.daemon_start_lines = start_lines;
            Report::print_table_head();
        }
        Report::print_row(&measured);
        report.rows.push(measured);
    }
    report.disk[1] = baseline::disk(&plan.dir, baseline_time)?;
    report.check();
    Ok(report)
}
