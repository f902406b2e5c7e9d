//! The daemon's store and uploads on a simulated machine, and the oracle that stands outside of both.
//!
//! [`Machine`] opens the store and starts lanes, inboxes and [`Ingest`]s on every core, as the daemon's launch does.
//! [`Ledger`] is what a client keeps: what was sent, what was answered. [`look`] reads all that a recovered store
//! serves, byte by byte, and [`Ledger::check`] holds one against the other.

mod ledger;
mod machine;
mod recovery;
mod request;
mod view;
mod workload;

use std::sync::{Mutex, PoisonError};

use rhinobox::runtime::sim;
use rhinobox::store::{CheckpointPace, Choices, Durability};

pub(crate) use ledger::{Ledger, Shared, lock};
pub(crate) use machine::{Machine, Uploading, start, start_with};
pub(crate) use recovery::{Recovery, recover, recover_and_check, recover_both_ways};
pub(crate) use request::{Request, ToSend};
pub(crate) use view::{View, look, read};
pub(crate) use workload::{Workload, content};

/// The checkpoint of the index.
pub(crate) const CHECKPOINT: &str = "index/checkpoint";
/// Small, so that rotation, seals and blobs occur often.
pub(crate) const SEGMENT_BYTES: u64 = 192 * 1024;
/// Contents above this are blobs.
pub(crate) const INLINE_BYTES_MAX: usize = 6 * 1024;

/// What the stores of these tests run with.
pub(crate) fn choices() -> Choices {
    Choices {
        durability: Durability::Commit,
        segment_bytes: Some(SEGMENT_BYTES),
        inline_bytes_max: INLINE_BYTES_MAX,
        // Often: some while others write.
        checkpoint: CheckpointPace { records_min: 8, interval_ms: 300 },
        compaction_bytes_per_s: rhinobox::limits::COMPACTION_BYTES_PER_S,
    }
}

/// Says how to see a failure again.
pub(crate) struct Told(pub u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("see it again with RHINOBOX_SEED={}", self.0);
        }
    }
}

/// Runs `test` for each seed on as many threads as the machine has cores. `RHINOBOX_SEED` picks one seed,
/// `RHINOBOX_SOAK_SEEDS` another count.
pub(crate) fn each_seed(count: u64, test: impl Fn(u64) + Sync) {
    let count = std::env::var("RHINOBOX_SOAK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(count);
    let left = Mutex::new(sim::seeds(count));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(seed) = next else { return };
                    let _told = Told(seed);
                    test(seed);
                }
            });
        }
    });
}
