//! Uploads from receive buffers to durable names, with the pool and without, and what they allocate.

use std::time::{Duration, Instant};

use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::process::cpu_time;
use rhinobox::store::Durability;
use serde::Serialize;

use crate::Result;
use crate::counting::Counts;
use crate::support::form::Form;
use crate::support::output::DataDir;
use crate::support::samples::Samples;
use crate::support::store::{POOL_BYTES, upload, with_store};
use crate::support::table::Table;
use crate::support::text::{grouped, size, three_digits};
use crate::support::timing::Effort;

/// Files of a form, and bytes of each.
const FORMS: [(usize, usize); 4] = [(1, 10_240), (100, 2_048), (1_000, 2_048), (1, 1 << 20)];
/// Before anything is counted: the pool fills, the index grows, the first segments are made.
const WARM_UPLOADS: usize = 5;

/// Uploads of one form, one after the other.
#[derive(Serialize, Debug)]
pub(crate) struct Row {
    files: usize,
    file_bytes: usize,
    pooled: bool,
    files_per_second: Samples,
    /// Of the whole process, user and system.
    cpu_us_per_file: Samples,
    /// Of the core's thread.
    allocations_per_file: Samples,
    allocated_bytes_per_file: Samples,
}

/// A repetition of one kind.
struct Once {
    files: u64,
    took: Duration,
    cpu: Duration,
    counts: Counts,
}

/// Measures each form with the pool and without, in turn, each time on a new store.
///
/// # Errors
/// If a file is not stored as it should be.
pub(crate) fn measure(effort: Effort, dir: &DataDir) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (files, file_bytes) in FORMS {
        let mut kinds = [(true, Vec::new()), (false, Vec::new())];
        for _ in 0..effort.repetitions.max(1) {
            for (pooled, repetitions) in &mut kinds {
                repetitions.push(once(effort.time, dir, *pooled, files, file_bytes)?);
            }
        }
        rows.extend(kinds.map(|(pooled, repetitions)| {
            let per_file = |of: fn(&Once) -> f64| {
                Samples::of(repetitions.iter().map(|once| of(once) / once.files as f64))
            };
            let rate = |once: &Once| once.files as f64 / once.took.as_secs_f64();
            Row {
                files,
                file_bytes,
                pooled,
                files_per_second: Samples::of(repetitions.iter().map(rate)),
                cpu_us_per_file: per_file(|once| once.cpu.as_secs_f64() * 1e6),
                allocations_per_file: per_file(|once| once.counts.allocations as f64),
                allocated_bytes_per_file: per_file(|once| once.counts.bytes as f64),
            }
        }));
    }
    Ok(rows)
}

fn once(time: Duration, dir: &DataDir, pooled: bool, files: usize, file_bytes: usize) -> Result<Once> {
    let pool = Pool::new(if pooled { POOL_BYTES } else { 0 });
    with_store(&dir.fresh("store")?, Durability::Commit, &pool, move |ingest| async move {
        let mut form = Form::new(files, file_bytes, 0)?;
        for _ in 0..WARM_UPLOADS {
            upload(&ingest, &form).await?;
            form.renew();
        }
        let (begun, before, counts_before) = (Instant::now(), cpu(), Counts::of_this_thread());
        let mut uploads = 0;
        while begun.elapsed() < time {
            upload(&ingest, &form).await?;
            form.renew();
            uploads += 1;
        }
        let counts = Counts::of_this_thread().since(counts_before);
        Ok(Once { files: uploads * files as u64, took: begun.elapsed(), cpu: cpu() - before, counts })
    })
}

fn cpu() -> Duration {
    let (user, system) = cpu_time();
    user + system
}

/// Prints them.
pub(crate) fn print(rows: &[Row]) {
    println!("Uploads in this process, one after the other, durable, on one core");
    let columns =
        ["form", "buffers", "files/s", "spread", "CPU us/file", "spread", "allocations/file", "bytes/file"];
    let mut table = Table::new(2, columns);
    for row in rows {
        table.row([
            format!("{} x {}", grouped(row.files as f64), size(row.file_bytes)),
            if row.pooled { "pooled" } else { "allocated" }.to_owned(),
            grouped(row.files_per_second.median),
            row.files_per_second.plus_minus(),
            three_digits(row.cpu_us_per_file.median),
            row.cpu_us_per_file.plus_minus(),
            three_digits(row.allocations_per_file.median),
            grouped(row.allocated_bytes_per_file.median),
        ]);
    }
    table.print();
}
