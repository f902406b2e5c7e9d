//! A histogram as HdrHistogram's percentile distribution, the text that its plotters read (`.hgrm`): value in
//! milliseconds, quantile, how many were at most that, and 1/(1-quantile), which makes the tail a straight line.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use hdrhistogram::Histogram;

use crate::Result;

/// Steps each time the distance to the greatest value halves, as HdrHistogram's own programs take them.
const TICKS_PER_HALF_DISTANCE: u32 = 5;
const NS_PER_MS: f64 = 1e6;

/// Writes a histogram of nanoseconds.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write(path: &Path, histogram: &Histogram<u64>) -> Result<()> {
    let mut text = Vec::new();
    writeln!(text, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let (ms, quantile) = (step.value_iterated_to() as f64 / NS_PER_MS, step.quantile_iterated_to());
        if quantile < 1.0 {
            writeln!(text, "{ms:>12.3} {quantile:>14.12} {total:>10} {:>14.2}", 1.0 / (1.0 - quantile))?;
        } else {
            writeln!(text, "{ms:>12.3} {quantile:>14.12} {total:>10}")?;
        }
    }
    let (mean, deviation) = (histogram.mean() / NS_PER_MS, histogram.stdev() / NS_PER_MS);
    let (max, sub_buckets) =
        (histogram.max() as f64 / NS_PER_MS, (2 * 10_u32.pow(histogram.sigfig().into())).next_power_of_two());
    writeln!(text, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]")?;
    writeln!(text, "#[Max     = {max:>12.3}, Total count    = {:>12}]", histogram.len())?;
    writeln!(text, "#[Buckets = {:>12}, SubBuckets     = {sub_buckets:>12}]", histogram.buckets())?;
    fs::write(path, text)?;
    Ok(())
}
