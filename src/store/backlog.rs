//! What a lane has to write, and how long that will take.
//!
//! Time, not length, says whether a queue is too long (Nichols and Jacobson, Controlling Queue Delay, 2012). What waits
//! is counted in full batches, and a batch takes as long as the quicker of the last two: every disk hesitates now and
//! then, and one slow batch is no slow disk. Group commit makes this the fitting measure. A rate in files or bytes depends
//! on how full batches were, and is far too low after a quiet time. A disk that has stalled shows by the batch on its way.
//!
//! Always: a lane with nothing to write is not behind, whatever was before, and forgets how long batches took.
//! Times are nanoseconds.

use std::cell::Cell;

use super::commit::Size;
use crate::limits::{BATCH_RECORDS_MAX, STALL_MS, STORE_WAIT_MS};

/// A lane's backlog. On the lane's core, like the lane.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Of what waits for a batch.
    records: Cell<usize>,
    bytes: Cell<usize>,
    /// When the batch on its way was begun.
    begun_ns: Cell<Option<u64>>,
    /// What the last two batches took; 0 for what is not known.
    took_ns: Cell<[u64; 2]>,
}

impl Backlog {
    /// An append waits.
    pub(super) fn push(&self, size: Size) {
        self.records.set(self.records.get() + size.records);
        self.bytes.set(self.bytes.get() + size.bytes());
    }

    /// Records that wait for a batch.
    pub(super) fn records(&self) -> usize {
        self.records.get()
    }

    /// Whether nothing waits and nothing is being written.
    pub(super) fn is_empty(&self) -> bool {
        self.records.get() == 0 && self.begun_ns.get().is_none()
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
        let [last_ns, _] = self.took_ns.get();
        let idle = self.records.get() == 0;
        self.took_ns.set(if idle { [0, 0] } else { [now_ns - begun_ns, last_ns] });
    }

    /// How long what waits will take to write, in batches of so many bytes.
    fn wait_ns(&self, batch_bytes_max: usize) -> u64 {
        let [last_ns, before_ns] = self.took_ns.get();
        let batch_ns = u128::from(last_ns.min(before_ns));
        let by_bytes = self.bytes.get() as u128 * batch_ns / batch_bytes_max as u128;
        let by_records = self.records.get() as u128 * batch_ns / BATCH_RECORDS_MAX as u128;
        u64::try_from(by_bytes.max(by_records)).unwrap_or(u64::MAX)
    }

    /// Whether that is more than an upload may be made to wait for, or the disk has stalled.
    pub(super) fn is_behind(&self, batch_bytes_max: usize, now_ns: u64) -> bool {
        let elapsed_ns = self.begun_ns.get().map_or(0, |begun_ns| now_ns - begun_ns);
        self.wait_ns(batch_bytes_max) > STORE_WAIT_MS * 1_000_000 || elapsed_ns > STALL_MS * 1_000_000
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

    /// A lane that is never idle, and takes so long for each of these batches.
    fn busy(took: &[u64]) -> Backlog {
        let backlog = Backlog::default();
        backlog.push(files(1_000));
        for took in took {
            backlog.push(files(100));
            backlog.begin(files(100), 0);
            backlog.end(*took);
        }
        backlog
    }

    #[test]
    fn an_idle_lane_is_never_behind_whatever_was_before() {
        let backlog = Backlog::default();
        let mut now_ns = 5 * MS;
        assert!(!backlog.is_behind(BATCH, now_ns));
        for _ in 0..3 {
            backlog.push(files(100));
            backlog.begin(files(100), now_ns);
            now_ns += 30_000 * MS;
            assert!(backlog.is_behind(BATCH, now_ns));
            backlog.end(now_ns);
            assert!(!backlog.is_behind(BATCH, now_ns));
            // Nothing is known of this burst yet.
            backlog.push(files(1_000_000));
            assert!(!backlog.is_behind(BATCH, now_ns));
            backlog.begin(files(1_000_000), now_ns);
            backlog.end(now_ns);
        }
    }

    #[test]
    fn a_batch_that_does_not_end_shows_while_it_does_not() {
        let backlog = Backlog::default();
        backlog.push(file(10_000));
        backlog.begin(file(10_000), 1_000 * MS);
        assert!(!backlog.is_behind(BATCH, (1_000 + STALL_MS) * MS));
        assert!(backlog.is_behind(BATCH, (1_001 + STALL_MS) * MS));
        backlog.push(file(10_000));
        backlog.end(9_000 * MS);
        backlog.begin(file(10_000), 9_000 * MS);
        assert!(!backlog.is_behind(BATCH, 9_001 * MS), "it goes on");
    }

    #[test]
    fn a_long_queue_is_fine_on_a_fast_disk_and_a_short_one_not_on_a_slow_disk() {
        for (took, behind) in [(2 * MS, false), (100 * MS, false), (110 * MS, true), (1_000 * MS, true)] {
            let backlog = busy(&[took, took]);
            // A thousand files are nine and a half full batches.
            let wait_ns = backlog.wait_ns(BATCH);
            assert!(9 * took < wait_ns && wait_ns < 10 * took, "{wait_ns}");
            assert_eq!(backlog.is_behind(BATCH, took), behind, "{took}");
        }
    }

    #[test]
    fn one_slow_batch_is_no_slow_disk_and_two_are() {
        assert!(!busy(&[2 * MS, 2_000 * MS]).is_behind(BATCH, 0));
        assert!(!busy(&[2_000 * MS, 2 * MS]).is_behind(BATCH, 0));
        assert!(!busy(&[2_000 * MS]).is_behind(BATCH, 0), "nor is the first");
        assert!(busy(&[2 * MS, 2_000 * MS, 2_000 * MS]).is_behind(BATCH, 0));
        assert!(
            !busy(&[2_000 * MS, 2_000 * MS, 2 * MS]).is_behind(BATCH, 0),
            "one quick one, and it goes on"
        );
    }

    #[test]
    fn many_tiny_records_count_by_their_number() {
        let backlog = Backlog::default();
        (0..3 * BATCH_RECORDS_MAX + 2).for_each(|_| backlog.push(Size { records: 1, table: 8, payload: 0 }));
        for _ in 0..2 {
            backlog.begin(Size { records: 1, table: 8, payload: 0 }, 0);
            backlog.end(MS);
        }
        assert_eq!(backlog.wait_ns(BATCH), 3 * MS);
    }
}
