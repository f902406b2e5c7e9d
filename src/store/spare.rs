//! Spares: the files of retired segments, kept to be used again.
//!
//! All of such a file is written already, so a lane that gets it needs no zeros ahead, and a write to it changes nothing
//! in the file system's journal. Removing it instead would have the file system give its blocks back, which holds up
//! every write that waits for the journal: on a device that is told of each block given back, 50 to 70 ms for 64 MiB.
//!
//! Always: a spare has the name of an unfinished segment, so that a start removes it; there are few; none is kept while
//! the volume is full.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Store;
use super::segment;
use super::space::Room;
use crate::base::ids::SegmentId;
use crate::limits::SPARE_SEGMENTS_MAX;

/// All spares.
#[derive(Default)]
pub(super) struct Spares {
    waiting: Mutex<Vec<SegmentId>>,
    used: AtomicU64,
}

impl Spares {
    /// One to be used; the caller removes it if it is of no use.
    pub(super) fn take(&self) -> Option<SegmentId> {
        self.lock().pop()
    }

    /// One has become a segment.
    pub(super) fn note_used(&self) {
        self.used.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SegmentId>> {
        // Nothing panics under it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> usize {
        self.lock().len()
    }

    /// These may be used from now on.
    pub(super) fn add(&self, spares: Vec<SegmentId>) {
        self.lock().extend(spares);
    }
}

impl Store {
    /// Takes the file of a retired segment away from its name. Once the directory is flushed, and no sooner, the spare
    /// that this may give is to be added: until then a power cut brings the segment back, which must be as it was.
    ///
    /// # Errors
    /// What the disk gave; the file has its name still.
    pub(super) async fn discard_segment(&self, id: SegmentId, begun: usize) -> io::Result<Option<SegmentId>> {
        let path = segment::path(id);
        if self.spares.count() + begun >= SPARE_SEGMENTS_MAX || self.room_for(0) != Room::Enough {
            return self.disk.remove(&path).await.map(|()| None);
        }
        // A number of its own, which no segment has had or will have.
        let spare = self.next_segment();
        match self.disk.rename(&path, &segment::unfinished_path(spare)).await {
            Ok(()) => Ok(Some(spare)),
            Err(_) => self.disk.remove(&path).await.map(|()| None),
        }
    }

    /// Files of retired segments that became segments again.
    #[must_use]
    pub fn reused_segments(&self) -> u64 {
        self.spares.used.load(Ordering::Relaxed)
    }

    /// Gives the room of all spares back.
    pub(super) async fn remove_spares(&self) {
        while let Some(spare) = self.spares.take() {
            if let Err(error) = self.disk.remove(&segment::unfinished_path(spare)).await {
                tracing::warn!(%error, "a retired segment's file could not be removed; the next start will");
            }
        }
    }
}
