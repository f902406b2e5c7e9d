//! What the machine itself can do, measured in the same run: durable writes to the same disk, SHA-256 on one core.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::Result;
use crate::load::Random;

const FILE_BYTES: usize = 256 << 20;
const MIB: usize = 1 << 20;
const ALIGNMENT: usize = 4096;
/// A block, a 10 KB file rounded up to blocks, and 1 MB.
const SIZES: [usize; 3] = [4096, 12_288, MIB];

/// Durable writes of one size into written zeros, one after the other, O_DIRECT; times in microseconds.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct DiskWrite {
    pub(crate) bytes: usize,
    /// Each an O_DSYNC write.
    pub(crate) dsync_p50_us: f64,
    pub(crate) dsync_p99_us: f64,
    /// Each a write and an fdatasync.
    pub(crate) fdatasync_p50_us: f64,
    pub(crate) fdatasync_p99_us: f64,
}

/// Measures durable writes for `time` a size and method.
///
/// # Errors
/// If the disk refuses, say for want of direct I/O.
pub(crate) fn disk(dir: &Path, time: Duration) -> Result<Vec<DiskWrite>> {
    let path = dir.join("baseline");
    let measured = disk_in(&path, time);
    std::fs::remove_file(&path)?;
    measured
}

fn disk_in(path: &Path, time: Duration) -> Result<Vec<DiskWrite>> {
    let mut file = File::create(path)?;
    let zeros = vec![0; MIB];
    for _ in 0..FILE_BYTES / MIB {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    let direct = |flags| OpenOptions::new().write(true).custom_flags(libc::O_DIRECT | flags).open(path);
    let (plain, dsync) = (direct(0)?, direct(libc::O_DSYNC)?);
    let mut bytes = vec![0; MIB + ALIGNMENT];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&random.next().to_le_bytes()));
    let start = bytes.as_ptr().align_offset(ALIGNMENT);
    SIZES
        .into_iter()
        .map(|size| {
            let bytes = &bytes[start..start + size];
            let by_dsync = writes(time, size, |at| dsync.write_all_at(bytes, at))?;
            let by_fdatasync = writes(time, size, |at| {
                plain.write_all_at(bytes, at)?;
                plain.sync_data()
            })?;
            let us =
                |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
            Ok(DiskWrite {
                bytes: size,
                dsync_p50_us: us(&by_dsync, 0.5),
                dsync_p99_us: us(&by_dsync, 0.99),
                fdatasync_p50_us: us(&by_fdatasync, 0.5),
                fdatasync_p99_us: us(&by_fdatasync, 0.99),
            })
        })
        .collect()
}

fn writes(
    time: Duration,
    size: usize,
    mut write: impl FnMut(u64) -> std::io::Result<()>,
) -> Result<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    let (start, mut at) = (Instant::now(), 0);
    while start.elapsed() < time {
        let begun = Instant::now();
        write(at as u64)?;
        histogram.record(u64::try_from(begun.elapsed().as_nanos())?)?;
        at = if at + 2 * size > FILE_BYTES { 0 } else { at + size };
    }
    Ok(histogram)
}

/// SHA-256 on one core, bytes a second.
pub(crate) fn sha256_rate(time: Duration) -> f64 {
    let bytes = vec![0x5a; MIB];
    let (start, mut digest, mut hashed) = (Instant::now(), Sha256::new(), 0);
    while start.elapsed() < time {
        digest.update(&bytes);
        hashed += bytes.len();
    }
    std::hint::black_box(digest.finalize());
    hashed as f64 / start.elapsed().as_secs_f64()
}
