//! The disk by itself: one write after the other past the page cache, each durable before the next.

use serde::Serialize;

use crate::support::baseline::{Flush, Ground, Laid};
use crate::support::output::DataDir;
use crate::support::plot::{Axis, Line, Plot};
use crate::support::table::Table;
use crate::support::text::{grouped, size, three_digits};
use crate::support::timing::Effort;
use crate::{Figures, Result, SIZES};

const FILE_BYTES: usize = 256 << 20;
const KINDS: [(Laid, Flush); 4] = [
    (Laid::Zeros, Flush::Dsync),
    (Laid::Zeros, Flush::Fdatasync),
    (Laid::Allocated, Flush::Dsync),
    (Laid::Allocated, Flush::Fdatasync),
];

/// Writes of a size, in one kind of file, flushed one way.
#[derive(Serialize, Debug)]
pub(crate) struct Row {
    bytes: usize,
    laid: Laid,
    flush: Flush,
    #[serde(flatten)]
    figures: Figures,
}

/// Measures all.
///
/// # Errors
/// If the disk refuses.
pub(crate) fn measure(effort: Effort, dir: &DataDir) -> Result<Vec<Row>> {
    let zeros = Ground::lay(&dir.path().join("zeros"), FILE_BYTES, Laid::Zeros)?;
    let mut rows = Vec::new();
    for bytes in SIZES {
        let mut kinds = KINDS.map(|_| Vec::new());
        for _ in 0..effort.repetitions {
            for ((laid, flush), repetitions) in KINDS.into_iter().zip(&mut kinds) {
                repetitions.push(match laid {
                    Laid::Zeros => zeros.write_durably(bytes, flush, effort.time)?,
                    // Each block can be written for the first time once.
                    Laid::Allocated => Ground::lay(&dir.path().join("allocated"), FILE_BYTES, laid)?
                        .write_durably(bytes, flush, effort.time)?,
                });
            }
        }
        rows.extend(KINDS.iter().zip(&kinds).map(|((laid, flush), repetitions)| Row {
            bytes,
            laid: *laid,
            flush: *flush,
            figures: Figures::of(repetitions, bytes, 1),
        }));
    }
    Ok(rows)
}

/// Prints them.
pub(crate) fn print(rows: &[Row]) {
    println!("The disk by itself: writes one after the other, O_DIRECT");
    let columns = ["write", "space", "durable by", "p50 us", "spread", "p99 us", "MB/s"];
    let mut table = Table::new(3, columns);
    for row in rows {
        table.row([
            size(row.bytes),
            row.laid.to_string(),
            row.flush.to_string(),
            grouped(row.figures.p50_us.median),
            row.figures.p50_us.plus_minus(),
            grouped(row.figures.p99_us.median),
            three_digits(row.figures.mb_per_second.median),
        ]);
    }
    table.print();
}

/// Draws the medians over the size of a write.
///
/// # Errors
/// If the picture cannot be written.
pub(crate) fn draw(rows: &[Row]) -> Result<()> {
    let line = |(laid, flush): (Laid, Flush)| Line {
        label: format!("{laid}, {flush}"),
        points: rows
            .iter()
            .filter(|row| (row.laid, row.flush) == (laid, flush))
            .map(|row| ((row.bytes >> 10) as f64, row.figures.p50_us.median))
            .collect(),
    };
    let plot = Plot {
        title: "A durable write, p50".to_owned(),
        x: Axis::logarithmic("KiB"),
        y: Axis::logarithmic("us"),
        lines: KINDS.into_iter().map(line).collect(),
    };
    plot.write("durability")
}
