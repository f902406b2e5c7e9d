//! The pictures of this bench, in its folder of figures: latency by quantile, rates, and where the time of uploads went.

use hdrhistogram::Histogram;

use crate::Result;
use crate::measure::Measured;
use crate::support::bars::Bars;
use crate::support::plot::{Axis, Line, Plot};

/// Below where the other figures of all benches are.
const FOLDER: &str = "end_to_end";
/// Points each time the distance to the greatest latency halves.
const POINTS_PER_HALF_DISTANCE: u32 = 2;

/// Latencies in milliseconds, nanoseconds in the histogram, over 1/(1-quantile).
pub(crate) fn quantiles(label: String, histogram: &Histogram<u64>) -> Line {
    let points = histogram
        .iter_quantiles(POINTS_PER_HALF_DISTANCE)
        .map(|step| (step.quantile_iterated_to(), step.value_iterated_to() as f64 / 1e6))
        .filter(|(quantile, _)| *quantile < 1.0)
        .map(|(quantile, ms)| (1.0 / (1.0 - quantile), ms))
        .collect();
    Line { label, points }
}

/// Draws latency by quantile: 10 is p90, 100 p99, 1,000 p99.9.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn latency(name: &str, title: &str, lines: Vec<Line>) -> Result<()> {
    let x = Axis::logarithmic("1 / (1 - quantile): 10 is p90, 100 is p99, 1,000 is p99.9");
    draw(name, title, (x, Axis::logarithmic("latency of a request, ms")), lines)
}

/// Draws one thing over another; no picture of nothing.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn draw(name: &str, title: &str, (x, y): (Axis, Axis), lines: Vec<Line>) -> Result<()> {
    if lines.iter().all(|line| line.points.is_empty()) {
        return Ok(());
    }
    Plot { title: title.into(), x, y, lines }.write(&format!("{FOLDER}/{name}"))
}

/// Files a second of rows, over a number each of them has.
pub(crate) fn rate<'a>(label: String, rows: impl IntoIterator<Item = (f64, &'a Measured)>) -> Line {
    let points = rows.into_iter().map(|(x, row)| (x, row.files_per_second)).collect();
    Line { label, points }
}

/// Draws where the time of uploads went, a bar for each row that has some.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn stages<'a>(
    name: &str,
    title: &str,
    rows: impl IntoIterator<Item = (String, &'a Measured)>,
) -> Result<()> {
    let rows: Vec<_> = rows.into_iter().filter(|(_, row)| !row.stages.is_empty()).collect();
    let Some((_, first)) = rows.first() else { return Ok(()) };
    let layer = |at: usize| rows.iter().map(|(_, row)| row.stages[at].mean_us).collect();
    let layers =
        first.stages.iter().enumerate().map(|(at, stage)| (stage.stage.to_owned(), layer(at))).collect();
    let names = rows.iter().map(|(name, _)| name.clone()).collect();
    Bars { title: title.into(), y: "mean of an upload, us".into(), names, layers }
        .write(&format!("{FOLDER}/{name}"))
}
