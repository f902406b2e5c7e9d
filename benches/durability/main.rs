//! What it costs on this disk that nothing answered is lost: writes into zeros and into merely allocated space, by O_DSYNC
//! and by fdatasync; and uploads in this process that are durable when they are answered (`commit`), or not (`os`).
//!
//! `cargo bench --bench durability -- --seconds 0.2 --repeat 3`. All kinds of a size take turns.

mod disk;
#[path = "../support/mod.rs"]
mod support;
mod uploads;

use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

pub(crate) use crate::support::Result;
use crate::support::head::Head;
use crate::support::output::{DataDir, Flags, write_json};
use crate::support::samples::Samples;
use crate::support::timing::EffortFlags;

/// A block, a small file with its record, a part of a large batch, a piece of a big file.
pub(crate) const SIZES: [usize; 4] = [4 << 10, 12 << 10, 128 << 10, 1 << 20];

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures what durability costs on this disk.")]
struct Cli {
    #[command(flatten)]
    effort: EffortFlags,
    #[command(flatten)]
    flags: Flags,
}

/// Latencies and rate, each by repetition.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Figures {
    pub(crate) p50_us: Samples,
    pub(crate) p99_us: Samples,
    pub(crate) mb_per_second: Samples,
}

impl Figures {
    /// Of repetitions: their times in nanoseconds, with the bytes of each.
    pub(crate) fn of(
        repetitions: &[hdrhistogram::Histogram<u64>],
        bytes: usize,
        in_flight: usize,
    ) -> Figures {
        let us = |quantile| {
            Samples::of(repetitions.iter().map(|times| times.value_at_quantile(quantile) as f64 / 1e3))
        };
        let rate = repetitions.iter().map(|times| (bytes * in_flight) as f64 * 1e3 / times.mean());
        Figures { p50_us: us(0.5), p99_us: us(0.99), mb_per_second: Samples::of(rate) }
    }
}

#[derive(Serialize)]
struct Report {
    head: Head,
    seconds: f64,
    repetitions: usize,
    disk: Vec<disk::Row>,
    uploads: Vec<uploads::Row>,
}

fn main() -> ExitCode {
    support::exit("durability", run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    let full = cli.flags.full;
    let effort = cli.effort.or(if full { (2.0, 7) } else { (0.2, 5) })?;
    let (seconds, repetitions) = (effort.time.as_secs_f64(), effort.repetitions);
    let dir = DataDir::make("durability", cli.flags.dir.as_deref())?;
    let head = Head::look(&dir)?;
    head.print(&format!("what durability costs: medians of {repetitions} x {seconds} s, in turn"));

    let disk = disk::measure(effort, &dir)?;
    disk::print(&disk);
    let uploads = uploads::measure(effort, &dir)?;
    uploads::print(&uploads);
    disk::draw(&disk)?;
    write_json("durability", &Report { head, seconds, repetitions, disk, uploads })
}
