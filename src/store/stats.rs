//! Counts and times of the store.
//!
//! Always: each lane has its own, which its committer alone writes; who reads adds them up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::histogram::{Durations, Recorder};

/// Of all lanes since the start.
#[derive(Debug, Default)]
pub struct Stats {
    lanes: Mutex<Vec<Arc<LaneStats>>>,
}

/// Counts since the start of one lane, and how long its commits took.
#[derive(Debug, Default)]
pub struct LaneStats {
    commits: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    flush: Recorder,
    waiting: AtomicUsize,
}

impl LaneStats {
    pub(super) fn record_commit(&self, records: usize, bytes: usize, nanoseconds: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.flush.record(nanoseconds);
    }

    pub(super) fn set_waiting(&self, records: usize) {
        self.waiting.store(records, Ordering::Relaxed);
    }

    /// Records that wait for the committer now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A copy of [`Stats`].
#[derive(Clone, Debug, Default)]
pub struct StatsView {
    /// Batches committed.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Each batch's write and flush.
    pub flush: Durations,
}

impl Stats {
    /// A lane's own, for its committer.
    pub(super) fn join(&self) -> Arc<LaneStats> {
        let lane = Arc::<LaneStats>::default();
        self.lanes().push(lane.clone());
        lane
    }

    /// Records committed.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.lanes().iter().map(|lane| lane.records.load(Ordering::Relaxed)).sum()
    }

    /// The figures now.
    #[must_use]
    pub fn view(&self) -> StatsView {
        let lanes = self.lanes();
        let sum = |count: fn(&LaneStats) -> &AtomicU64| {
            lanes.iter().map(|lane| count(lane).load(Ordering::Relaxed)).sum()
        };
        StatsView {
            commits: sum(|lane| &lane.commits),
            records: sum(|lane| &lane.records),
            bytes: sum(|lane| &lane.bytes),
            flush: Durations::of(lanes.iter().map(|lane| &lane.flush)),
        }
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, Vec<Arc<LaneStats>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
