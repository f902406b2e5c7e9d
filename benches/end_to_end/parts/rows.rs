//! The rows of the first table: what clients send, each on a daemon of its own, beside what the machine itself can do.

use std::time::Duration;

use crate::Result;
use crate::measure::{Measured, Plan, measure as measure_row};
use crate::plots;
use crate::report::Report;
use crate::rows::ROWS;
use crate::support::baseline;

/// Of each size and way of writing.
const BASELINE_TIME_MAX: Duration = Duration::from_millis(500);
/// The greatest file that counts as small here.
const SMALL_BYTES_MAX: usize = 10 << 10;

/// Measures the rows that are asked for, and holds them against their floors.
///
/// # Errors
/// If the daemon or the disk fails, or any answer is not what it must be.
pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let baseline_time = (plan.time / 10).min(BASELINE_TIME_MAX);
    report.disk[0] = baseline::disk(&plan.dir, baseline_time)?;
    report.sha256_mb_per_second = baseline::sha256_rate(baseline_time) / 1e6;
    report.print_rates();
    let is_asked_for = |id: &str| plan.rows.is_empty() || plan.rows.iter().any(|row| row == id);
    for row in ROWS.iter().filter(|row| is_asked_for(&row.id)) {
        let (measured, start_lines) = measure_row(row, plan)?;
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
    report.print_floors();
    print_stages(&report.rows);
    draw(&report.rows)
}

fn is_one_small_file(row: &Measured) -> bool {
    row.files == row.requests && row.file_bytes <= SMALL_BYTES_MAX
}

/// Where the time of small uploads went, by the daemon's own clocks.
fn print_stages(rows: &[Measured]) {
    let rows: Vec<_> = rows.iter().filter(|row| is_one_small_file(row) && !row.stages.is_empty()).collect();
    let Some(first) = rows.first() else { return };
    println!(
        "\nWhere the time of an upload of one small file goes, mean and p99 in us (Server-Timing has the same stages)"
    );
    print!("{:<29}{:>5} |", "sent", "conns");
    for stage in &first.stages {
        print!("{:>16}", stage.stage);
    }
    println!();
    for row in rows {
        print!("{:<29}{:>5} |", row.title, row.connections);
        for stage in &row.stages {
            print!("{:>8.1}{:>8.1}", stage.mean_us, stage.p99_us);
        }
        println!();
    }
}

fn draw(rows: &[Measured]) -> Result<()> {
    let (small, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_one_small_file(row));
    let title = |row: &Measured| match row.connections {
        1 => format!("{}, 1 connection", row.title),
        count => format!("{}, {count} connections", row.title),
    };
    let lines = |rows: &[&Measured]| {
        rows.iter().map(|row| plots::quantiles(title(row), &row.histogram)).collect::<Vec<_>>()
    };
    plots::latency("latency-small", "Latency, one small file a request", lines(&small))?;
    plots::latency("latency-large", "Latency, many or big files a request", lines(&others))?;
    let bars = small.iter().map(|row| (title(row), *row));
    plots::stages("stages", "Where the time of an upload goes, by the daemon's clocks", bars)
}
