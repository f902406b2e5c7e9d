//! What a lane has to write, and how long that will take.
//!
//! Time, not length, says whether a queue is too long (Nichols and Jacobson, Controlling Queue Delay, 2012). What waits
//! is counted in batches, and a batch takes as long as the last one did, or as long as the one on its way already takes:
//! a stalled disk shows while it stalls. Group commit makes this the fitting measure. A rate in files or bytes depends on
//! how full batches were, and is far too low after a quiet time.
//!
//! Always: a lane with nothing to write has no backlog, whatever was before, and forgets how long batches took.
//! Times are nanoseconds.

use std::cell::Cell;

use super::commit::Size;
use crate::limits::{BATCH_RECORDS_MAX, STORE_WAIT_MS};

/// A lane's backlog. On the lane's core, like the lane.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Of what waits for a batch.
    records: Cell<usize>,
    bytes: Cell<usize>,
    /// When the batch on its way was begun.
    begun_ns: Cell<Option<u64>>,
    /// What the last batch took.
    last_ns: Cell<u64>,
}

impl Backlog {
    /// An append waits.
    pub(super) fn push(&self, size: Size) {
        self.records.set(self.records.get() + size.records);
        self.bytes.set(self.bytes.get() + size.bytes());
    }

    /// So much of what waits is written as a batch from now on.
    pub(super) fn begin(&self, size: Size, now_ns: u64) {
        self.records.set(self.records.get() - size.records);
        self.bytes.set(self.bytes.get() - size.bytes());
        self.begun_ns.set(Some(now_ns));
    }

    /// That batch is durable, or failed.
    pub(super) fn end(&self, now_ns: u64) {
        let begun_ns = self.begun_ns.take().unwrap_or(now_ns);
        let idle = self.records.get() == 0;
        self.last_ns.set(if idle { 0 } else { now_ns - begun_ns });
    }

    /// How long it will take to write all of it, in batches of so many bytes.
    pub(super) fn wait_ns(&self, batch_bytes_max: usize, now_ns: u64) -> u64 {
        let elapsed_ns = self.begun_ns.get().map_or(0, |begun_ns| now_ns - begun_ns);
        let full =
            self.bytes.get().div_ceil(batch_bytes_max).max(self.records.get().div_ceil(BATCH_RECORDS_MAX));
        let batches = full as u64 + u64::from(self.begun_ns.get().is_some());
        batches.saturating_mul(self.last_ns.get().max(elapsed_ns))
    }

    /// Whether that is more than an upload may be made to wait for.
    pub(super) fn is_behind(&self, batch_bytes_max: usize, now_ns: u64) -> bool {
        self.wait_ns(batch_bytes_max, now_ns) > STORE_WAIT_MS * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const BATCH: usize = 1 << 20;

    /// A file of so many bytes.
    fn file(bytes: usize) -> Size {
        Size { records: 2, table: 400, payload: bytes - 400 }
    }

    fn files(count: usize) -> Size {
        (0..count).fold(Size::default(), |sum, _| sum.plus(file(10_000)))
    }

    #[test]
    fn an_idle_lane_is_never_behind_whatever_was_before() {
        let backlog = Backlog::default();
        assert_eq!(backlog.wait_ns(BATCH, 5 * MS), 0);
        for took in [1, 30_000 * MS] {
            backlog.push(file(10_000));
            backlog.begin(file(10_000), 5 * MS);
            backlog.end(5 * MS + took);
            assert_eq!(backlog.wait_ns(BATCH, 5 * MS + took), 0);
            backlog.push(files(1_000_000));
            assert!(!backlog.is_behind(BATCH, 5 * MS + took), "nothing is known of this burst yet");
            backlog.begin(files(1_000_000), 40_000 * MS);
            backlog.end(40_000 * MS);
        }
    }

    #[test]
    fn a_batch_that_does_not_end_shows_while_it_does_not() {
        let backlog = Backlog::default();
        backlog.push(file(10_000));
        backlog.begin(file(10_000), 1_000 * MS);
        assert!(!backlog.is_behind(BATCH, 2_000 * MS));
        assert!(backlog.is_behind(BATCH, 2_001 * MS));
        // What waits behind it waits longer.
        backlog.push(file(10_000));
        assert!(!backlog.is_behind(BATCH, 1_500 * MS));
        assert!(backlog.is_behind(BATCH, 1_501 * MS));
        backlog.end(9_000 * MS);
        backlog.begin(file(10_000), 9_000 * MS);
        assert!(backlog.is_behind(BATCH, 9_001 * MS), "until there is news of the disk");
        backlog.end(9_002 * MS);
        assert!(!backlog.is_behind(BATCH, 9_002 * MS));
    }

    #[test]
    fn a_long_queue_is_fine_on_a_fast_disk_and_a_short_one_not_on_a_slow_disk() {
        for (took, behind) in [(2 * MS, false), (200 * MS, true)] {
            let backlog = Backlog::default();
            backlog.push(files(100));
            backlog.begin(files(100), 0);
            backlog.push(files(1_000));
            backlog.end(took);
            backlog.begin(files(100), took);
            // Nine full batches wait, one is on its way.
            assert_eq!(backlog.wait_ns(BATCH, took), 10 * took);
            assert_eq!(backlog.is_behind(BATCH, took), behind);
        }
    }

    #[test]
    fn many_tiny_records_count_by_their_number() {
        let backlog = Backlog::default();
        backlog.push(file(10_000));
        backlog.begin(file(10_000), 0);
        (0..3 * BATCH_RECORDS_MAX).for_each(|_| backlog.push(Size { records: 1, table: 8, payload: 0 }));
        assert_eq!(backlog.wait_ns(BATCH, MS), 4 * MS);
    }
}
