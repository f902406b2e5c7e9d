//! Which way of making a batch durable is the faster on this disk. With power-loss protection (or a disk that
//! takes FUA writes) one O_DSYNC write wins; on others it can cost twice a write and an fdatasync.

use std::io;

use super::FlushMethod;
use crate::limits::{BLOCK_BYTES, PROBE_WRITES};
use crate::runtime::buffer::Pool;
use crate::runtime::clock;
use crate::runtime::disk::{Disk, Open};

/// Time of one durable write of a block, in nanoseconds, each way: the lower quartile of several. A median is
/// misled by a machine that is busy just now, and the choice is kept for the store's life.
#[derive(Clone, Copy, Debug)]
pub struct Probed {
    /// One O_DSYNC write.
    pub dsync_ns: u64,
    /// A write and an fdatasync.
    pub fdatasync_ns: u64,
}

impl Probed {
    /// The faster.
    #[must_use]
    pub fn best(&self) -> FlushMethod {
        if self.dsync_ns <= self.fdatasync_ns { FlushMethod::Dsync } else { FlushMethod::Fdatasync }
    }

    /// The time of one way.
    #[must_use]
    pub fn of(&self, method: FlushMethod) -> u64 {
        match method {
            FlushMethod::Dsync => self.dsync_ns,
            FlushMethod::Fdatasync => self.fdatasync_ns,
        }
    }
}

const PROBE_FILE: &str = "state/probe";

/// Times both ways, in turn, on a scratch file of written zeros.
///
/// # Errors
/// What the disk gave.
pub async fn probe(disk: &Disk, pool: &Pool, direct: bool) -> io::Result<Probed> {
    match disk.remove(PROBE_FILE).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let how = |create_new, dsync| Open { write: true, create_new, direct, dsync, ..Open::default() };
    let plain = disk.open(PROBE_FILE, how(true, false)).await?;
    let synced = disk.open(PROBE_FILE, how(false, true)).await?;
    let span = 2 * PROBE_WRITES * BLOCK_BYTES;
    let mut zeros = pool.take(span);
    zeros.set_len(span);
    zeros.as_mut_slice().fill(0);
    let (result, mut buffer) = plain.write_all_at(zeros, 0..span, 0).await;
    result?;
    plain.sync_all().await?;
    let (mut dsync, mut fdatasync) = (Vec::new(), Vec::new());
    for turn in 0..PROBE_WRITES {
        let place = |half: usize| ((2 * turn + half) * BLOCK_BYTES) as u64;
        let started = clock::now_ns();
        let (result, back) = synced.write_all_at(buffer, 0..BLOCK_BYTES, place(0)).await;
        result?;
        let between = clock::now_ns();
        let (result, back) = plain.write_all_at(back, 0..BLOCK_BYTES, place(1)).await;
        result?;
        plain.sync_data().await?;
        dsync.push(between - started);
        fdatasync.push(clock::now_ns() - between);
        buffer = back;
    }
    disk.remove(PROBE_FILE).await?;
    Ok(Probed { dsync_ns: lower_quartile(dsync), fdatasync_ns: lower_quartile(fdatasync) })
}

/// Whether a file that is there already can be opened for direct I/O: all that can be asked of a full disk.
pub async fn opens_directly(disk: &Disk) -> bool {
    let how = Open { direct: true, ..Open::default() };
    disk.open(super::dir::FORMAT_FILE, how).await.is_ok()
}

fn lower_quartile(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 4).copied().unwrap_or_default()
}
