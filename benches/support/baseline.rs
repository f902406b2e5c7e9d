//! What the machine itself can do, measured in the same run: durable writes to the same disk, SHA-256 on one core.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::fs::FallocateFlags;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Result;
use super::random::Random;

const FILE_BYTES: usize = 256 << 20;
const MIB: usize = 1 << 20;
/// Of memory, for direct I/O.
pub(crate) const ALIGNMENT: usize = 4096;
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
    let file = Ground::lay(&dir.join("baseline"), FILE_BYTES, Laid::Zeros)?;
    SIZES.into_iter().map(|size| disk_write(&file, size, time)).collect()
}

/// The disk's own durable write of a block, the unit that other figures are held against.
///
/// # Errors
/// As for [`disk`].
pub(crate) fn block_write(dir: &Path, time: Duration) -> Result<DiskWrite> {
    let file = Ground::lay(&dir.join("baseline"), FILE_BYTES / 8, Laid::Zeros)?;
    disk_write(&file, SIZES[0], time)
}

fn disk_write(file: &Ground, size: usize, time: Duration) -> Result<DiskWrite> {
    let [by_dsync, by_fdatasync] =
        [Flush::Dsync, Flush::Fdatasync].map(|flush| file.write_durably(size, flush, time));
    let (by_dsync, by_fdatasync) = (by_dsync?, by_fdatasync?);
    let us = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Ok(DiskWrite {
        bytes: size,
        dsync_p50_us: us(&by_dsync, 0.5),
        dsync_p99_us: us(&by_dsync, 0.99),
        fdatasync_p50_us: us(&by_fdatasync, 0.5),
        fdatasync_p99_us: us(&by_fdatasync, 0.99),
    })
}

/// How the space of a file was made ready before it is written.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
pub(crate) enum Laid {
    /// Zeros were written: a write changes data only.
    Zeros,
    /// fallocate(2): the first write to a block changes the file's extents too, once.
    Allocated,
}

impl std::fmt::Display for Laid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Laid::Zeros => "written zeros",
            Laid::Allocated => "allocated only",
        })
    }
}

/// How a write is made durable.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
pub(crate) enum Flush {
    /// The write itself, O_DSYNC.
    Dsync,
    /// The write, then fdatasync(2).
    Fdatasync,
}

impl std::fmt::Display for Flush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Flush::Dsync => "O_DSYNC",
            Flush::Fdatasync => "fdatasync",
        })
    }
}

/// Opens a file to write to it past the page cache.
///
/// # Errors
/// If there is none, or the file system has no direct I/O.
pub(crate) fn open_direct(path: &Path, flush: Flush) -> std::io::Result<File> {
    let dsync = if flush == Flush::Dsync { libc::O_DSYNC } else { 0 };
    OpenOptions::new().write(true).custom_flags(libc::O_DIRECT | dsync).open(path)
}

/// A file to be written over, its space there already; removed when dropped.
pub(crate) struct Ground {
    path: PathBuf,
    bytes: usize,
    laid: Laid,
}

impl Ground {
    /// Makes the file and flushes it.
    ///
    /// # Errors
    /// If the disk is full, or does not know fallocate(2).
    pub(crate) fn lay(path: &Path, bytes: usize, laid: Laid) -> Result<Ground> {
        let mut file = File::create(path)?;
        let ground = Ground { path: path.to_path_buf(), bytes, laid };
        match laid {
            Laid::Zeros => {
                let zeros = vec![0; MIB];
                for _ in 0..bytes / MIB {
                    file.write_all(&zeros)?;
                }
            }
            Laid::Allocated => rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes as u64)?,
        }
        file.sync_all()?;
        Ok(ground)
    }

    /// Writes blocks of `size` one after the other, each durable before the next, for `time`; nanoseconds each. From the
    /// end it goes on at the start, but not where only the first write is of the kind that is wanted.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn write_durably(&self, size: usize, flush: Flush, time: Duration) -> Result<Histogram<u64>> {
        let file = open_direct(&self.path, flush)?;
        let mut memory = vec![0; size + ALIGNMENT];
        Random(0x9e37_79b9_7f4a_7c15).fill(&mut memory);
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        let bytes = &memory[start..start + size];
        let mut histogram = Histogram::new(3)?;
        let (start, mut at) = (Instant::now(), 0);
        while start.elapsed() < time {
            let begun = Instant::now();
            file.write_all_at(bytes, at as u64)?;
            if flush == Flush::Fdatasync {
                file.sync_data()?;
            }
            histogram.record(u64::try_from(begun.elapsed().as_nanos())?)?;
            at += size;
            if at + size > self.bytes {
                if self.laid == Laid::Allocated {
                    break;
                }
                at = 0;
            }
        }
        Ok(histogram)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // It lies in a folder that the run removes.
        let _tried = fs::remove_file(&self.path);
    }
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
