//! Counts and times of the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;

/// Counts since the start, and how long commits took.
#[derive(Debug)]
pub struct Stats {
    commits: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    flush: Mutex<Histogram<u64>>,
}

/// A copy of [`Stats`].
#[derive(Clone, Debug)]
pub struct StatsView {
    /// Batches committed.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Nanoseconds of each batch's write and flush.
    pub flush_ns: Histogram<u64>,
}

impl Default for Stats {
    fn default() -> Self {
        Stats {
            commits: AtomicU64::new(0),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            flush: Mutex::new(latency_histogram()),
        }
    }
}

/// 1 us to 1,000 s in nanoseconds, two digits.
#[must_use]
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 1_000_000_000_000, 2).expect("the bounds are valid")
}

impl Stats {
    pub(super) fn record_commit(&self, records: usize, bytes: usize, nanoseconds: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.flush.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(nanoseconds);
    }

    /// Records committed.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// The figures now.
    #[must_use]
    pub fn view(&self) -> StatsView {
        StatsView {
            commits: self.commits.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            flush_ns: self.flush.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
