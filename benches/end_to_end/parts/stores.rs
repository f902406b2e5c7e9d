//! What a file costs on stores that hold more and more: the price must not grow with them, as the predecessor's did.
//!
//! The stores are made by the code that the daemon stores with. What is measured is stored onto them, so that a small
//! store is not small for long: the table tells how many files there were at the start and at the end.

use std::fs;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::Result;
use crate::client::Connection;
use crate::daemon::Daemon;
use crate::load::Batch;
use crate::measure::{Measured, Plan, measure_on};
use crate::metrics::Metrics;
use crate::plots;
use crate::report::Report;
use crate::rows::Row;
use crate::support::generate::{alike, generate};
use crate::support::plot::{Axis, Line};
use crate::support::text::grouped;

const FILES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const FILES_FULL: u64 = 10_000_000;
/// Of each file that is there before.
const BYTES_BEFORE: usize = 64;
const KINDS: [(&str, &str, u32, Batch); 2] = [
    ("10k", "10 KB", 16, Batch { files: 1, bytes: 10 << 10 }),
    ("100x2k", "100 x 2 KB", 8, Batch { files: 100, bytes: 2 << 10 }),
];

/// A kind of request on a store of one size.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct OnStore {
    pub(crate) kind: &'static str,
    /// Files in the store before its warm-up, and when all was over.
    pub(crate) files_before: u64,
    pub(crate) files_after: u64,
    pub(crate) measured: Measured,
}

/// Measures both kinds of requests on each store.
///
/// # Errors
/// If the daemon fails, or any answer is not what it must be.
pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let plan = plan.brief();
    println!("{} s each, the second kind onto what the first has left", plan.time.as_secs_f64());
    Report::print_table_head();
    for files in FILES.into_iter().chain(plan.full.then_some(FILES_FULL)) {
        let dir = plan.dir.join("stores");
        fs::create_dir(&dir)?;
        generate(&dir, files, alike(BYTES_BEFORE))?;
        let mut daemon = Daemon::start_on(&plan.program, &dir, &plan.arguments)?;
        if let Err(error) = measure_on_store(&daemon, files, &plan, &mut report.stores) {
            return Err(format!("{files} files: {error}\nthe daemon said:\n{}", daemon.last_lines()).into());
        }
        daemon.end()?;
    }
    for (kind, title, ..) in KINDS {
        let mut rows = report.stores.iter().filter(|row| row.kind == kind);
        let Some((least, most)) = rows.next().zip(rows.next_back()) else { continue };
        let cpu = |row: &OnStore| row.measured.user_us_per_file + row.measured.system_us_per_file;
        println!(
            "{title}: onto {} files each costs {:.2} x the processor time and {:.2} x the p50 of onto {}",
            grouped(most.files_before as f64),
            cpu(most) / cpu(least),
            most.measured.latency_ms.p50 / least.measured.latency_ms.p50,
            grouped(least.files_before as f64)
        );
    }
    draw(&report.stores)
}

/// Each point's processor time is of uploads onto a store that grows meanwhile, so it stands at the middle of the two.
fn draw(rows: &[OnStore]) -> Result<()> {
    let line = |(kind, title, ..): (&str, &str, u32, Batch)| {
        let rows = rows.iter().filter(|row| row.kind == kind);
        let point = |row: &OnStore| {
            let files = f64::midpoint(row.files_before as f64, row.files_after as f64);
            (files, row.measured.user_us_per_file + row.measured.system_us_per_file)
        };
        Line { label: title.into(), points: rows.map(point).collect() }
    };
    let axes = (
        Axis::logarithmic("files in the store"),
        Axis::linear("processor time of the daemon for a file, us"),
    );
    plots::draw("cost-stores", "What a file costs on larger and larger stores", axes, KINDS.map(line).into())
}

fn measure_on_store(daemon: &Daemon, files: u64, plan: &Plan, rows: &mut Vec<OnStore>) -> Result<()> {
    let mut reader = Connection::open(daemon.address)?;
    let names = |reader: &mut Connection| -> Result<u64> {
        let names = Metrics::read(reader, daemon)?.get("rhinobox_names");
        Ok(names.ok_or("the daemon does not say how many names it has")?)
    };
    let mut files_before = names(&mut reader)?;
    if files_before != files {
        return Err(format!("{files_before} names after the start, {files} were stored").into());
    }
    for (kind, title, connections, batch) in KINDS {
        // What it costs to make the catalogue of what was there is not a cost of what comes.
        while Metrics::read(&mut reader, daemon)?
            .get("rhinobox_catalogue_lag_records")
            .is_some_and(|lag: u64| lag > 0)
        {
            thread::sleep(Duration::from_millis(100));
        }
        let title = format!("{title} onto {}", grouped(files_before as f64));
        let row = Row::post(format!("store-{files}-{kind}"), title, connections, batch);
        let measured = measure_on(daemon, &row, plan)?;
        Report::print_row(&measured);
        let files_after = names(&mut reader)?;
        if files_after != files_before + measured.files_in_store {
            let stored = measured.files_in_store;
            return Err(format!("{files_after} names after {stored} files onto {files_before}").into());
        }
        rows.push(OnStore { kind, files_before, files_after, measured });
        files_before = files_after;
    }
    Ok(())
}
