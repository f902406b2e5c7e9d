//! Files from 1 KB to 1 MB, one a request: what a request costs by itself, and what its bytes cost.

use super::sweep;
use crate::Result;
use crate::load::Batch;
use crate::measure::{Measured, Plan};
use crate::plots;
use crate::report::Report;
use crate::rows::Row;
use crate::support::plot::{Axis, Line};

const SIZES: [(&str, &str, usize); 4] = [
    ("1k", "1 KB", 1 << 10),
    ("10k", "10 KB", 10 << 10),
    ("100k", "100 KB", 100 << 10),
    ("1m", "1 MB", 1 << 20),
];
const KB: f64 = 1024.0;
const CONNECTIONS: [u32; 2] = [4, 16];

/// Measures each size over each number of connections.
///
/// # Errors
/// If the daemon fails, or any answer is not what it must be.
pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let rows = CONNECTIONS.into_iter().flat_map(|connections| {
        SIZES.into_iter().map(move |(id, title, bytes)| {
            let batch = Batch { files: 1, bytes };
            Row::post(format!("size-{id}-c{connections}"), title.into(), connections, batch)
        })
    });
    report.sizes = sweep(plan, rows)?;
    let lines = |of: fn(&Measured) -> f64| {
        CONNECTIONS
            .iter()
            .map(|connections| {
                let rows = report.sizes.iter().filter(|row| row.connections == *connections);
                let points = rows.map(|row| (row.file_bytes as f64 / KB, of(row))).collect();
                Line { label: format!("{connections} connections"), points }
            })
            .collect()
    };
    let axes = |y: &str| (Axis::logarithmic("size of a file, KB"), Axis::logarithmic(y));
    let title = "Files a second over their size";
    plots::draw("rate-sizes", title, axes("files a second"), lines(|row| row.files_per_second))?;
    let title = "Bytes a second over the size of files";
    plots::draw("bytes-sizes", title, axes("MB a second"), lines(|row| row.mb_per_second))
}
