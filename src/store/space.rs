//! How much room the volume has, as of the last look.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::FREE_INODES_MIN;
use crate::runtime::disk::Space;

/// Whether there is room for an upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// There is.
    Enough,
    /// There is not: bytes that may still be taken.
    NoBytes(u64),
    /// The volume has hardly any inodes left.
    NoInodes,
}

pub(super) struct Gauge {
    free_bytes: AtomicU64,
    free_inodes: AtomicU64,
    /// Kept free for deletes and for the segments that hold them.
    reserve_bytes: u64,
}

impl Gauge {
    pub(super) fn new(space: Space, reserve_bytes: u64) -> Gauge {
        Gauge {
            free_bytes: AtomicU64::new(space.free_bytes),
            free_inodes: AtomicU64::new(space.free_inodes),
            reserve_bytes,
        }
    }

    pub(super) fn set(&self, space: Space) {
        self.free_bytes.store(space.free_bytes, Ordering::Relaxed);
        self.free_inodes.store(space.free_inodes, Ordering::Relaxed);
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn room_for(&self, bytes: u64) -> Room {
        let free = self.free_bytes.load(Ordering::Relaxed).saturating_sub(self.reserve_bytes);
        if free < bytes {
            Room::NoBytes(free)
        } else if self.free_inodes.load(Ordering::Relaxed) < FREE_INODES_MIN {
            Room::NoInodes
        } else {
            Room::Enough
        }
    }
}
