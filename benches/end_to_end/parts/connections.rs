//! 10 KB files over more and more connections: where throughput ends, and what a request waits then.

use super::sweep;
use crate::Result;
use crate::load::Batch;
use crate::measure::Plan;
use crate::plots;
use crate::report::Report;
use crate::rows::Row;
use crate::support::plot::Axis;

const CONNECTIONS: [u32; 5] = [1, 4, 16, 64, 256];
const FILE: Batch = Batch { files: 1, bytes: 10 << 10 };

/// Measures each number of connections.
///
/// # Errors
/// If the daemon fails, or any answer is not what it must be.
pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let row =
        |connections| Row::post(format!("connections-{connections}"), "10 KB".into(), connections, FILE);
    report.connections = sweep(plan, CONNECTIONS.map(row))?;
    let rows = &report.connections;
    let line = plots::rate("10 KB".into(), rows.iter().map(|row| (f64::from(row.connections), row)));
    let axes = (Axis::logarithmic("connections"), Axis::linear("files a second"));
    plots::draw("rate-connections", "Files a second over connections, 10 KB each", axes, vec![line])?;
    let lines = rows
        .iter()
        .map(|row| plots::quantiles(format!("{} connections", row.connections), &row.histogram))
        .collect();
    plots::latency("latency-connections", "Latency of 10 KB over more and more connections", lines)
}
