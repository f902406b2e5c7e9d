//! Where things wait until nobody is active who may still use them: contents without a name, replaced blobs, segments whose
//! live records were copied, notes about deletes. The compactor frees them.
//!
//! Always: what is put here was taken out of the index before, and its mark was drawn after that.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Store;
use super::index::{Index, PathKey};
use crate::base::digest::Digest;
use crate::base::ids::{BlobId, Lsn, SegmentId};
use crate::limits::GRAVES_AT_ONCE;

/// Something that is freed once nobody is active who may use it.
pub(super) enum Grave {
    /// A content that lost its last name, or never got one, with the number of its death.
    Content(Digest, Lsn),
    /// A note that a content was deleted.
    ContentNote(Digest, Lsn),
    /// A note that a path was deleted.
    PathNote(PathKey, Lsn),
    /// A segment whose live records were copied.
    Segment(SegmentId),
    /// A blob whose content was stored again elsewhere.
    Blob(BlobId),
}

/// What waits to be freed, oldest first. Shared by the cores.
#[derive(Default)]
pub(super) struct Graveyard {
    graves: Mutex<VecDeque<(Lsn, Grave)>>,
    /// Grows with everything that has become garbage.
    garbage: AtomicU64,
}

impl Graveyard {
    pub(super) fn add(&self, index: &Index, grave: Grave) {
        let mut graves = self.lock();
        // Drawn under the lock, so that the queue is in order.
        graves.push_back((index.draw_mark(), grave));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Lsn, Grave)>> {
        self.graves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A content has lost its last name.
    pub(super) fn dying(&self, digest: Digest, death: Lsn) {
        // A later mark than those around it only lets these wait too.
        self.lock().push_back((death, Grave::Content(digest, death)));
    }

    /// A content was deleted: names of lower numbers may still be on their way.
    pub(super) fn deleted_content(&self, index: &Index, digest: Digest, lsn: Lsn) {
        self.note_garbage();
        self.add(index, Grave::ContentNote(digest, lsn));
    }

    /// As [`Graveyard::deleted_content`], for a path.
    pub(super) fn deleted_path(&self, index: &Index, key: PathKey, lsn: Lsn) {
        self.note_garbage();
        self.add(index, Grave::PathNote(key, lsn));
    }

    /// A content was stored again; its former blob is garbage.
    pub(super) fn replaced_blob(&self, index: &Index, blob: BlobId) {
        self.add(index, Grave::Blob(blob));
    }

    /// Some of what may be freed now; nothing if there is no more.
    pub(super) fn take_passed(&self, store: &Store) -> Vec<Grave> {
        let mut graves = self.lock();
        // Behind the lock: all marks that are there were drawn before.
        let oldest = store.epochs.oldest();
        let mut passed = Vec::new();
        while passed.len() < GRAVES_AT_ONCE
            && let Some((mark, _)) = graves.front()
            && oldest.is_none_or(|began| began > *mark)
            && let Some((_, grave)) = graves.pop_front()
        {
            passed.push(grave);
        }
        passed
    }

    /// Something more has become garbage.
    pub(super) fn note_garbage(&self) {
        self.garbage.fetch_add(1, Ordering::Relaxed);
    }

    /// Grows with everything that has become garbage.
    pub(super) fn garbage(&self) -> u64 {
        self.garbage.load(Ordering::Relaxed)
    }
}
