//! What the pool of buffers saves: buffers taken from it against buffers allocated each time, alone and in uploads that go
//! the daemon's way in this process; and how often an upload allocates at all.
//!
//! `cargo bench --bench pooling -- --seconds 0.5 --repeat 5`. Both kinds take turns, so that a machine that
//! changes its pace does not favour one.

mod counting;
#[path = "../support/mod.rs"]
mod support;
mod uploads;

use std::process::ExitCode;

use clap::Parser;
use rhinobox::runtime::buffer::Pool;
use serde::Serialize;

use crate::counting::{Counting, Counts};
pub(crate) use crate::support::Result;
use crate::support::head::Head;
use crate::support::output::{DataDir, Flags, write_json};
use crate::support::samples::Samples;
use crate::support::store::POOL_BYTES;
use crate::support::table::Table;
use crate::support::text::{size, three_digits};
use crate::support::timing::{Effort, EffortFlags, ns_per_call};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The pool's classes.
const SIZES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures the pool of buffers against plain allocation.")]
struct Cli {
    #[command(flatten)]
    effort: EffortFlags,
    #[command(flatten)]
    flags: Flags,
}

/// A buffer taken, filled, and given back.
#[derive(Serialize, Debug)]
struct Taking {
    bytes: usize,
    pooled_ns: Samples,
    allocated_ns: Samples,
    /// The filling alone.
    filled_ns: Samples,
}

#[derive(Serialize)]
struct Report {
    head: Head,
    seconds: f64,
    repetitions: usize,
    buffers: Vec<Taking>,
    uploads: Vec<uploads::Row>,
}

fn main() -> ExitCode {
    support::exit("pooling", run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    let full = cli.flags.full;
    let effort = cli.effort.or(if full { (2.0, 11) } else { (0.5, 5) })?;
    let (seconds, repetitions) = (effort.time.as_secs_f64(), effort.repetitions);
    let dir = DataDir::make("pooling", cli.flags.dir.as_deref())?;
    let head = Head::look(&dir)?;
    head.print(&format!(
        "the pool of buffers, medians of {repetitions} x {seconds} s, of buffers alone a tenth"
    ));

    let buffers = buffers(Effort { time: effort.time / 10, ..effort })?;
    print(&buffers);
    let uploads = uploads::measure(effort, &dir)?;
    uploads::print(&uploads);
    write_json("pooling", &Report { head, seconds, repetitions, buffers, uploads })
}

fn buffers(effort: Effort) -> Result<Vec<Taking>> {
    SIZES.into_iter().map(|bytes| taking(bytes, effort)).collect()
}

fn taking(bytes: usize, effort: Effort) -> Result<Taking> {
    let (pooled, allocated) = (Pool::new(POOL_BYTES), Pool::new(0));
    let content = vec![0x5a; bytes];
    let fill = |pool: &Pool| {
        let mut buffer = pool.take(bytes);
        buffer.extend_from_slice(&content);
        buffer
    };
    // Of the pool only the first take allocates; without it each does.
    for (pool, expected) in [(&pooled, 0), (&allocated, 10)] {
        drop(fill(pool));
        let before = Counts::of_this_thread();
        (0..10).for_each(|_| drop(fill(pool)));
        let counted = Counts::of_this_thread().since(before).allocations;
        if counted != expected {
            return Err(format!("ten buffers of {bytes} bytes took {counted} allocations").into());
        }
    }
    let mut held = pooled.take(bytes);
    let filled_ns = ns_per_call(effort, || {
        held.set_len(0);
        held.extend_from_slice(&content);
    });
    // The two take turns by the repetition.
    let once = Effort { repetitions: 1, ..effort };
    let (mut by_pool, mut by_allocation) = (Vec::new(), Vec::new());
    for _ in 0..effort.repetitions {
        by_pool.push(ns_per_call(once, || fill(&pooled)).median);
        by_allocation.push(ns_per_call(once, || fill(&allocated)).median);
    }
    let (pooled_ns, allocated_ns) = (Samples::of(by_pool), Samples::of(by_allocation));
    Ok(Taking { bytes, pooled_ns, allocated_ns, filled_ns })
}

fn print(rows: &[Taking]) {
    let columns = [
        "a buffer filled and given back",
        "filling alone ns",
        "pooled ns",
        "spread",
        "allocated ns",
        "spread",
    ];
    let mut table = Table::new(1, columns);
    for row in rows {
        table.row([
            size(row.bytes),
            three_digits(row.filled_ns.median),
            three_digits(row.pooled_ns.median),
            row.pooled_ns.plus_minus(),
            three_digits(row.allocated_ns.median),
            row.allocated_ns.plus_minus(),
        ]);
    }
    table.print();
}
