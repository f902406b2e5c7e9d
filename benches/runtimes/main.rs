//! The same store work by three ways to do it: monoio (as the daemon does it, through its own disk), tokio-uring, and
//! plain threads with pwrite(2). A file's content is hashed and then written durably, past the page cache, into written zeros,
//! with so many files under way at once.
//!
//! `cargo bench --bench runtimes -- --seconds 0.3 --repeat 5`. The three take turns, so that a disk that changes its
//! pace does not favour one. What was written last is read back and checked.

mod by_monoio;
mod by_threads;
mod by_tokio_uring;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod work;

use std::process::ExitCode;

use clap::Parser;

use crate::report::{Report, Row};
pub(crate) use crate::support::Result;
use crate::support::baseline::{Flush, Ground, Laid};
use crate::support::head::Head;
use crate::support::output::{DataDir, Flags, write_json};
use crate::support::timing::EffortFlags;
use crate::work::{Once, Plan};

/// A small file with its record, a part of a large batch, a piece of a big file.
const SIZES: [usize; 3] = [12 << 10, 128 << 10, 1 << 20];
const IN_FLIGHT: [usize; 3] = [1, 4, 16];
const FILE_BYTES: usize = 256 << 20;

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures the same store work on monoio, tokio-uring and plain threads.")]
struct Cli {
    #[command(flatten)]
    effort: EffortFlags,
    #[command(flatten)]
    flags: Flags,
}

type Way = fn(&Plan) -> Result<Vec<work::Slot>>;

const WAYS: [(&str, Way); 3] =
    [("monoio", by_monoio::run), ("tokio-uring", by_tokio_uring::run), ("threads", by_threads::run)];

fn main() -> ExitCode {
    support::exit("runtimes", run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    let full = cli.flags.full;
    let effort = cli.effort.or(if full { (2.0, 7) } else { (0.2, 5) })?;
    let (seconds, repetitions) = (effort.time.as_secs_f64(), effort.repetitions);
    let dir = DataDir::make("runtimes", cli.flags.dir.as_deref())?;
    let head = Head::look(&dir)?;
    head.print(&format!(
        "one work by three runtimes: SHA-256 and a durable write; medians of {repetitions} x {seconds} s, in turn"
    ));

    let path = dir.path().join("ground");
    let ground = Ground::lay(&path, FILE_BYTES, Laid::Zeros)?;
    let mut rows = Vec::new();
    for flush in [Flush::Dsync, Flush::Fdatasync] {
        for bytes in SIZES {
            for in_flight in IN_FLIGHT {
                let plan = Plan {
                    path: path.clone(),
                    file_bytes: FILE_BYTES,
                    bytes,
                    flush,
                    in_flight,
                    time: effort.time,
                };
                let mut ways = WAYS.map(|_| Vec::new());
                for _ in 0..repetitions {
                    for ((_, way), repetitions) in WAYS.iter().zip(&mut ways) {
                        repetitions.push(Once::measure(&plan, *way)?);
                    }
                }
                rows.extend(WAYS.iter().zip(&ways).map(|((name, _), all)| Row::of(name, &plan, all)));
            }
        }
    }
    drop(ground);
    let report = Report { head, seconds, repetitions, rows };
    report.print();
    report.draw()?;
    write_json("runtimes", &report)
}
