//! A bounded rate for work in the background: compaction, checkpoints, scrubbing.

use std::cell::Cell;
use std::time::Duration;

use crate::limits::{PACE_SLACK_NS, PACE_TICK_MS};
use crate::runtime::clock;

/// Who has spent waits before it spends more.
pub(super) struct Pace {
    bytes_per_s: Cell<u64>,
    /// When all that was spent is paid for.
    paid_at_ns: Cell<u64>,
}

impl Pace {
    /// So many bytes a second.
    pub(super) fn new(bytes_per_s: u64) -> Pace {
        Pace { bytes_per_s: Cell::new(bytes_per_s.max(1)), paid_at_ns: Cell::new(0) }
    }

    /// From now on so many.
    pub(super) fn set(&self, bytes_per_s: u64) {
        self.bytes_per_s.set(bytes_per_s.max(1));
    }

    /// Waits until what was spent before is paid for, or until `stopping`. A sleep that took too long is made up for,
    /// within limits.
    pub(super) async fn spend(&self, bytes: u64, stopping: &Cell<bool>) {
        let paid_at_ns = self.paid_at_ns.get();
        while let Some(rest_ns) = paid_at_ns.checked_sub(clock::now_ns()).filter(|rest_ns| *rest_ns > 0)
            && !stopping.get()
        {
            clock::sleep(Duration::from_nanos(rest_ns.min(PACE_TICK_MS * 1_000_000))).await;
        }
        let from_ns = paid_at_ns.max(clock::now_ns().saturating_sub(PACE_SLACK_NS));
        self.paid_at_ns.set(from_ns + bytes.saturating_mul(1_000_000_000) / self.bytes_per_s.get());
    }
}
