//! A bounded rate for work in the background.

use std::cell::Cell;
use std::time::Duration;

use crate::limits::PACE_SLACK_NS;
use crate::runtime::clock;

/// Who has spent waits before it spends more.
pub(super) struct Pace {
    bytes_per_s: Cell<u64>,
    free_at_ns: Cell<u64>,
}

impl Pace {
    pub(super) fn new(bytes_per_s: u64) -> Pace {
        Pace { bytes_per_s: Cell::new(bytes_per_s.max(1)), free_at_ns: Cell::new(0) }
    }

    /// From now on so much.
    pub(super) fn set(&self, bytes_per_s: u64) {
        self.bytes_per_s.set(bytes_per_s.max(1));
    }

    /// Waits until what was spent before is paid for. A sleep that took too long is made up for, within limits.
    pub(super) async fn spend(&self, bytes: u64) {
        let (now_ns, free_at_ns) = (clock::now_ns(), self.free_at_ns.get());
        if now_ns < free_at_ns {
            clock::sleep(Duration::from_nanos(free_at_ns - now_ns)).await;
        }
        let from_ns = free_at_ns.max(clock::now_ns().saturating_sub(PACE_SLACK_NS));
        self.free_at_ns.set(from_ns + bytes.saturating_mul(1_000_000_000) / self.bytes_per_s.get());
    }
}
