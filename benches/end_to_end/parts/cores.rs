//! One batch on more and more of the daemon's cores: a request of 50 files of 10 KB, alone and beside others.
//!
//! The daemon takes any number of cores and lets them share the processors there are, so numbers beyond those say what
//! sharing costs, not how it scales.

use serde::Serialize;

use crate::Result;
use crate::load::Batch;
use crate::measure::{Measured, Plan, measure as measure_row};
use crate::plots;
use crate::report::Report;
use crate::rows::Row;
use crate::support::plot::Axis;

const CORES: [u32; 5] = [1, 2, 4, 8, 16];
const BATCH: Batch = Batch { files: 50, bytes: 10 << 10 };
/// One request by itself, and enough of them for both cores.
const CONNECTIONS: [u32; 2] = [1, 8];

/// A number of cores.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct OnCores {
    pub(crate) cores: u32,
    /// Whether each had a processor of its own.
    pub(crate) own_processors: bool,
    pub(crate) measured: Measured,
}

/// Measures each number of cores over each number of connections.
///
/// # Errors
/// If the daemon fails, or any answer is not what it must be.
pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut plan = plan.brief();
    println!("{} s each", plan.time.as_secs_f64());
    Report::print_table_head();
    let arguments = plan.arguments.clone();
    for connections in CONNECTIONS {
        for cores in CORES {
            let own_processors = usize::try_from(cores)? <= report.machine.cores;
            let sharing = if own_processors { "" } else { ", shared" };
            let plural = if cores == 1 { "" } else { "s" };
            let title = format!("50 x 10 KB, {cores} core{plural}{sharing}");
            plan.arguments.clone_from(&arguments);
            plan.arguments.extend(["--cores".into(), cores.to_string()]);
            let row = Row::post(format!("cores-{cores}-c{connections}"), title, connections, BATCH);
            let (measured, _) = measure_row(&row, &plan)?;
            Report::print_row(&measured);
            report.cores.push(OnCores { cores, own_processors, measured });
        }
    }
    if report.cores.iter().any(|row| !row.own_processors) {
        println!(
            "Shared: more cores than the {} processors of this machine; how they scale is not to be seen on it.",
            report.machine.cores
        );
    }
    let lines = CONNECTIONS.map(|connections| {
        let rows = report.cores.iter().filter(|row| row.measured.connections == connections);
        let plural = if connections == 1 { "" } else { "s" };
        let points = rows.map(|row| (f64::from(row.cores), &row.measured));
        plots::rate(format!("{connections} connection{plural}"), points)
    });
    let x = format!("cores of the daemon, on {} processors", report.machine.cores);
    let axes = (Axis::linear(&x), Axis::linear("files a second"));
    plots::draw("rate-cores", "Files a second over cores, 50 x 10 KB in one request", axes, lines.into())
}
