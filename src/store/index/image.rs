//! The index as the sections of a checkpoint, and back.
//!
//! Shards are copied one after the other while the index changes. What it comes to is made right by two things: whatever
//! changed since the copy began is in the log behind the positions that the checkpoint names, and is read again; and
//! names that were removed meanwhile are noted here, as a copy may have a name in one of the two tables only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Index, PathKey, Place};
use crate::base::digest::Digest;
use crate::base::ids::SegmentId;
use crate::limits::INDEX_SHARDS;
use crate::runtime;
use crate::store::format::FormatError;
use crate::store::format::bytes::{Reader, Writer};
use crate::store::format::checkpoint::Section;

/// What decides where entries stand. Secret, so that nobody chooses files that all go to one place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    pub(super) contents: u64,
    pub(super) paths: u64,
    pub(super) fingerprints: [u64; 2],
}

impl Keys {
    pub(super) fn random() -> Keys {
        let half = |bytes: [u8; 16], high: bool| {
            let number = u128::from_le_bytes(bytes) >> if high { 64 } else { 0 };
            u64::try_from(number & u128::from(u64::MAX)).expect("masked to 64 bits")
        };
        let (tables, names) = (runtime::random(), runtime::random());
        Keys {
            contents: half(tables, false) | 1,
            paths: half(tables, true) | 1,
            fingerprints: [half(names, false), half(names, true)],
        }
    }

    pub(in crate::store) fn encode(&self, to: &mut Writer<'_>) {
        to.u64(self.contents).u64(self.paths).u64(self.fingerprints[0]).u64(self.fingerprints[1]);
    }

    pub(in crate::store) fn decode(from: &mut Reader<'_>) -> Result<Keys, FormatError> {
        Ok(Keys { contents: from.u64()?, paths: from.u64()?, fingerprints: [from.u64()?, from.u64()?] })
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Place {
    pub(in crate::store) fn encode(self, to: &mut Writer<'_>) {
        to.u32(self.segment.0).u32(self.offset);
    }

    pub(in crate::store) fn decode(from: &mut Reader<'_>) -> Result<Place, FormatError> {
        Ok(Place { segment: SegmentId(from.u32()?), offset: from.u32()? })
    }
}

/// A name that was taken away while the index was copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removal {
    /// Its path.
    pub key: PathKey,
    /// Its content.
    pub digest: Digest,
    /// Where it was recorded.
    pub place: Place,
}

/// See [`Removal`].
#[derive(Default)]
pub(super) struct Removals {
    noted: AtomicBool,
    list: Mutex<Vec<Removal>>,
}

impl Removals {
    fn lock(&self) -> MutexGuard<'_, Vec<Removal>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called under the lock of the path's shard.
    pub(super) fn note(&self, removal: Removal) {
        if self.noted.load(Ordering::Acquire) {
            self.lock().push(removal);
        }
    }
}

impl Index {
    /// What decides where its entries stand.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.keys
    }

    /// From now on removed names are noted, until [`Index::end_image`].
    pub fn begin_image(&self) {
        self.removals.lock().clear();
        self.removals.noted.store(true, Ordering::Release);
        // Removals that did not see that have ended.
        self.paths.wait_for_changes();
    }

    /// What a shard of contents holds, section by section. Its lock is held meanwhile.
    #[must_use]
    pub fn image_of_contents(&self, shard: usize) -> [(Section, Vec<u8>); 4] {
        self.contents.image(shard)
    }

    /// As [`Index::image_of_contents`], for names.
    #[must_use]
    pub fn image_of_names(&self, shard: usize) -> [(Section, Vec<u8>); 2] {
        self.paths.image(shard)
    }

    /// The copy is made: the names that were removed meanwhile.
    #[must_use]
    pub fn end_image(&self) -> Vec<Removal> {
        self.removals.noted.store(false, Ordering::Release);
        std::mem::take(&mut *self.removals.lock())
    }

    /// Enters a part of a section of a shard, of which there are `of` entries in all.
    ///
    /// # Errors
    /// If they do not belong there.
    pub fn load_image(
        &self,
        section: Section,
        shard: usize,
        of: usize,
        bytes: &[u8],
    ) -> Result<(), FormatError> {
        if shard >= INDEX_SHARDS {
            return Err(FormatError::Inconsistent);
        }
        match section {
            Section::Names => self.paths.load(shard, of, Reader(bytes)),
            _ => self.contents.load(section, shard, of, Reader(bytes)),
        }
    }

    /// Takes a name away that was removed while the image was made.
    pub fn load_removal(&self, removal: &Removal) {
        self.paths.remove(removal.key, removal.place);
        let _dropped_with_all_nameless = self.unlink(&removal.digest, removal.place);
    }

    /// Forgets all that an image which turned out to be damaged has brought.
    pub fn clear(&self) {
        self.contents.clear();
        self.paths.clear();
    }
}

/// Entries of a section one behind the other.
pub(in crate::store) fn encode_all<T>(
    section: Section,
    count: usize,
    entries: impl Iterator<Item = T>,
    encode: impl Fn(T, &mut Writer<'_>),
) -> Vec<u8> {
    let mut bytes = vec![0; count * section.entry_bytes()];
    let mut to = Writer::new(&mut bytes);
    entries.for_each(|entry| encode(entry, &mut to));
    debug_assert_eq!(to.position(), count * section.entry_bytes());
    bytes
}
