//! One line for each runtime and work, the three of a work together.

use serde::Serialize;

use crate::support::baseline::Flush;
use crate::support::head::Head;
use crate::support::plot::{Axis, Line, Plot};
use crate::support::samples::Samples;
use crate::support::table::Table;
use crate::support::text::{grouped, size, three_digits};
use crate::work::{Once, Plan};
use crate::{IN_FLIGHT, Result, SIZES, WAYS};

/// A work by one runtime.
#[derive(Serialize, Debug)]
pub(crate) struct Row {
    runtime: &'static str,
    flush: Flush,
    bytes: usize,
    in_flight: usize,
    files_per_second: Samples,
    p50_us: Samples,
    p99_us: Samples,
    cpu_us_per_file: Samples,
}

impl Row {
    /// Sums up.
    pub(crate) fn of(runtime: &'static str, plan: &Plan, repetitions: &[Once]) -> Row {
        let samples = |of: fn(&Once) -> f64| Samples::of(repetitions.iter().map(of));
        Row {
            runtime,
            flush: plan.flush,
            bytes: plan.bytes,
            in_flight: plan.in_flight,
            files_per_second: samples(|once| once.files_per_second),
            p50_us: samples(|once| once.p50_us),
            p99_us: samples(|once| once.p99_us),
            cpu_us_per_file: samples(|once| once.cpu_us_per_file),
        }
    }
}

/// All of it.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) head: Head,
    pub(crate) seconds: f64,
    pub(crate) repetitions: usize,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// Prints it.
    pub(crate) fn print(&self) {
        let columns = [
            "durable by",
            "content",
            "at once",
            "runtime",
            "files/s",
            "spread",
            "MB/s",
            "p50 us",
            "p99 us",
            "CPU us/file",
        ];
        let mut table = Table::new(4, columns);
        for row in &self.rows {
            table.row([
                row.flush.to_string(),
                size(row.bytes),
                row.in_flight.to_string(),
                row.runtime.to_owned(),
                grouped(row.files_per_second.median),
                row.files_per_second.plus_minus(),
                grouped(row.files_per_second.median * row.bytes as f64 / 1e6),
                grouped(row.p50_us.median),
                grouped(row.p99_us.median),
                three_digits(row.cpu_us_per_file.median),
            ]);
        }
        table.print();
    }

    /// Draws how the files a second of the smallest content grow with what is under way.
    ///
    /// # Errors
    /// If the picture cannot be written.
    pub(crate) fn draw(&self) -> Result<()> {
        let of = |runtime: &str, flush: Flush, in_flight: usize| {
            self.rows.iter().find(|row| {
                (row.runtime, row.flush, row.bytes, row.in_flight) == (runtime, flush, SIZES[0], in_flight)
            })
        };
        let mut lines = Vec::new();
        for flush in [Flush::Dsync, Flush::Fdatasync] {
            for (runtime, _) in WAYS {
                let points = IN_FLIGHT
                    .into_iter()
                    .filter_map(|at_once| {
                        Some((at_once as f64, of(runtime, flush, at_once)?.files_per_second.median))
                    })
                    .collect();
                lines.push(Line { label: format!("{runtime}, {flush}"), points });
            }
        }
        let plot = Plot {
            title: format!("SHA-256 of {} and a durable write", size(SIZES[0])),
            x: Axis::logarithmic("files under way at once"),
            y: Axis::linear("files/s"),
            lines,
        };
        plot.write("runtimes")
    }
}
