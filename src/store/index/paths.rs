//! Path to name record, and which paths are being bound right now.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::{Mutex, MutexGuard};

use hashbrown::HashTable;
use sha2::Digest as _;
use siphasher::sip::SipHasher13;

use super::image::encode_all;
use super::table::{self, Keyed, Table, mix};
use super::{Handle, Place, poisoned};
use crate::base::digest::Digest;
use crate::base::ids::{Lsn, SegmentId};
use crate::limits::INDEX_SHARDS;
use crate::store::format::FormatError;
use crate::store::format::bytes::{Reader, Writer};
use crate::store::format::checkpoint::Section;

/// A path as the index knows it: half of a SHA-256, so that two paths never share one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PathKey(u128);

impl PathKey {
    /// The key of a path in a namespace.
    #[must_use]
    pub fn new(namespace: u32, path: &[u8]) -> PathKey {
        let mut hasher = sha2::Sha256::new();
        hasher.update(namespace.to_le_bytes());
        hasher.update(path);
        let digest: [u8; 32] = hasher.finalize().into();
        PathKey(u128::from_le_bytes(*digest.first_chunk().expect("a digest has 32 bytes")))
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// The key of these bytes; see [`PathKey::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> PathKey {
        PathKey(u128::from_le_bytes(bytes))
    }

    fn of([low, high]: [u64; 2]) -> PathKey {
        PathKey(u128::from(high) << 64 | u128::from(low))
    }

    /// As it stands in a checkpoint.
    pub(in crate::store) fn encode(self, to: &mut Writer<'_>) {
        to.bytes(&self.0.to_le_bytes());
    }

    /// See [`PathKey::encode`].
    pub(in crate::store) fn decode(from: &mut Reader<'_>) -> Result<PathKey, FormatError> {
        Ok(PathKey(u128::from_le_bytes(from.array()?)))
    }

    fn low(self) -> u64 {
        u64::try_from(self.0 & u128::from(u64::MAX)).expect("masked to 64 bits")
    }
}

/// The answer to the wish that a path mean a digest.
pub enum Bind {
    /// Write the name with the guard's LSN, flush it, then [`NameGuard::publish`].
    Write(NameGuard),
    /// The same name with the same attributes is there and durable: nothing to write.
    Same,
    /// A name is there with other attributes or another content: read it. If its digest is the same,
    /// [`Handle::rebind`]; if not, the path is [`Bind::Taken`].
    Different(Place),
    /// Another content is about to get this path. A path never changes its bytes: take a longer one.
    Taken,
    /// The name there is being amended: ask again when that is over, and build on what it is then.
    Busy,
}

/// A path on its way to be bound. Dropped unpublished, the wish is forgotten.
pub struct NameGuard {
    index: Handle,
    key: PathKey,
    digest: Digest,
    fingerprint: u64,
    lsn: Lsn,
    released: bool,
}

impl NameGuard {
    /// The number drawn for the name.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// Begins to load what publishing will look at first.
    pub fn prefetch(&self) {
        self.index.paths.prefetch(self.key);
        self.index.contents.prefetch(&self.digest);
    }

    /// The name is flushed: enters it.
    pub fn publish(mut self, place: Place) {
        self.released = true;
        let _before =
            self.index.publish_name(self.key, self.lsn, place, &self.digest, self.fingerprint, true);
    }
}

impl Drop for NameGuard {
    fn drop(&mut self) {
        if !self.released {
            self.index.paths.shard(self.key).release(self.key);
        }
    }
}

/// The answer to the wish that a name have other attributes.
pub enum Amend {
    /// Write the name with the guard's LSN, flush it, then [`NameGuard::publish`].
    Write(NameGuard),
    /// Another record says what the name is by now: read it again.
    Changed,
    /// Another name is on its way there, or a delete: ask again when that is over.
    Busy,
}

pub(super) fn amend(index: &Handle, key: PathKey, digest: Digest, fingerprint: u64, place: Place) -> Amend {
    let mut shard = index.paths.shard(key);
    if shard.find(key).is_none_or(|entry| entry.place() != place) {
        return Amend::Changed;
    }
    let is_pending = shard.pending.find(key.low(), |pending| pending.key == key).is_some();
    // Its number would be higher than that of the delete, and the name would be back after it.
    if is_pending || shard.deleting.contains_key(&key) || index.contents.is_being_deleted(&digest) {
        return Amend::Busy;
    }
    let amended = Pending { key, digest, count: 1, is_amended: true };
    shard.pending.insert_unique(key.low(), amended, |pending| pending.key.low());
    let lsn = index.draw_lsn();
    drop(shard);
    Amend::Write(NameGuard { index: index.clone(), key, digest, fingerprint, lsn, released: false })
}

/// `same` is where a name of the same content was read.
pub(super) fn bind(
    index: &Handle,
    key: PathKey,
    digest: Digest,
    fingerprint: u64,
    same: Option<Place>,
) -> Bind {
    let mut shard = index.paths.shard(key);
    if let Some(entry) = shard.find(key) {
        if entry.fingerprint == fingerprint {
            return Bind::Same;
        }
        if same != Some(entry.place()) {
            return Bind::Different(entry.place());
        }
    }
    let found = shard.pending.entry(key.low(), |pending| pending.key == key, |pending| pending.key.low());
    let mut pending = found.or_insert_with(|| Pending { key, digest, count: 0, is_amended: false });
    if pending.get().digest != digest {
        return Bind::Taken;
    }
    if pending.get().is_amended {
        return Bind::Busy;
    }
    pending.get_mut().count += 1;
    let lsn = index.draw_lsn();
    drop(shard);
    Bind::Write(NameGuard { index: index.clone(), key, digest, fingerprint, lsn, released: false })
}

/// 40 bytes, of which there is one for each name.
struct Entry {
    /// A [`PathKey`] in two halves, so that an entry aligns to 8 bytes.
    key: [u64; 2],
    /// With [`RENEWED`].
    lsn: u64,
    fingerprint: u64,
    segment: u32,
    offset: u32,
}

/// Beside the number of a name: since the start it has replaced another at its path, or one that had. Numbers of the log stay
/// far below this.
const RENEWED: u64 = 1 << 63;

const _: () = assert!(size_of::<Entry>() == 40);

impl Keyed for Entry {
    fn hash(&self, secret: u64) -> u64 {
        mix(self.key[0], secret)
    }
}

impl Entry {
    fn place(&self) -> Place {
        Place { segment: SegmentId(self.segment), offset: self.offset }
    }

    fn lsn(&self) -> Lsn {
        Lsn(self.lsn & !RENEWED)
    }
}

/// See [`Paths::numbers`].
pub(super) struct Numbers {
    /// Of the name that is there.
    pub(super) shown: Option<Lsn>,
    /// It is not the first there since the start.
    pub(super) is_renewed: bool,
    /// Of the latest delete that is not forgotten.
    pub(super) deleted: Option<Lsn>,
}

struct Shard {
    secret: u64,
    entries: Table<Entry>,
    /// Deletes that a name on its way may not have seen.
    deleted: HashMap<PathKey, Lsn>,
    /// Paths with names on their way to the log.
    pending: HashTable<Pending>,
    /// Paths with deletes that are not over, and how many.
    deleting: HashMap<PathKey, u32>,
}

/// A path that is being bound: what it will mean, and how many names are on their way.
struct Pending {
    key: PathKey,
    digest: Digest,
    count: u32,
    /// By an amendment, which was built on the name that is there: nobody else's may come in between.
    is_amended: bool,
}

impl Shard {
    fn new(secret: u64) -> Shard {
        Shard {
            secret,
            entries: Table::new(secret),
            deleted: HashMap::new(),
            pending: HashTable::new(),
            deleting: HashMap::new(),
        }
    }

    /// One name less is on its way.
    fn release(&mut self, key: PathKey) {
        if let Ok(mut found) = self.pending.find_entry(key.low(), |pending| pending.key == key) {
            found.get_mut().count -= 1;
            if found.get().count == 0 {
                found.remove();
            }
        }
    }

    fn find(&self, key: PathKey) -> Option<&Entry> {
        let halves = halves(key);
        self.entries.find(mix(key.low(), self.secret), |entry| entry.key == halves)
    }
}

pub(super) struct Paths {
    shards: Vec<Mutex<Shard>>,
    secret: u64,
    fingerprints: SipHasher13,
}

impl Paths {
    pub(super) fn new(secret: u64, fingerprints: [u64; 2]) -> Paths {
        let shards = (0..INDEX_SHARDS).map(|_| Mutex::new(Shard::new(secret))).collect();
        Paths { shards, secret, fingerprints: SipHasher13::new_with_keys(fingerprints[0], fingerprints[1]) }
    }

    fn shard(&self, key: PathKey) -> MutexGuard<'_, Shard> {
        self.shards[table::shard_of(mix(key.low(), self.secret))].lock().unwrap_or_else(poisoned)
    }

    pub(super) fn fingerprint(&self, digest: &Digest, attributes: &[u8]) -> u64 {
        let mut hasher = self.fingerprints;
        hasher.write(&digest.0);
        hasher.write(attributes);
        hasher.finish()
    }

    pub(super) fn prefetch(&self, key: PathKey) {
        self.shard(key).entries.prefetch(mix(key.low(), self.secret));
    }

    pub(super) fn get(&self, key: PathKey) -> Option<Place> {
        self.shard(key).find(key).map(Entry::place)
    }

    /// What is known of a path at one moment.
    pub(super) fn numbers(&self, key: PathKey) -> Numbers {
        let shard = self.shard(key);
        let entry = shard.find(key);
        Numbers {
            shown: entry.map(Entry::lsn),
            is_renewed: entry.is_some_and(|entry| entry.lsn & RENEWED != 0),
            deleted: shard.deleted.get(&key).copied(),
        }
    }

    /// Enters a name, unless a newer one is there, the path was deleted since, or `linked` says no: that is told, under
    /// the lock, which one it would replace. With `release` the name is no longer on its way.
    pub(super) fn put(
        &self,
        key: PathKey,
        lsn: Lsn,
        place: Place,
        fingerprint: u64,
        release: bool,
        linked: impl FnOnce(Option<Place>) -> bool,
    ) {
        let halves = halves(key);
        let mut shard = self.shard(key);
        let new =
            Entry { key: halves, lsn: lsn.0, fingerprint, segment: place.segment.0, offset: place.offset };
        let hash = mix(key.low(), self.secret);
        let deleted = shard.deleted.get(&key).is_some_and(|deleted| lsn < *deleted);
        match shard.entries.find_mut(hash, |entry| entry.key == halves) {
            _ if deleted => {}
            None => {
                if linked(None) {
                    shard.entries.insert(hash, new);
                }
            }
            Some(old) => {
                // Of one number there may be several records when the log is read again: copies, of which the later one
                // is taken.
                if old.lsn() <= lsn && linked(Some(old.place())) {
                    let renewed = if old.lsn() < lsn { RENEWED } else { old.lsn & RENEWED };
                    *old = Entry { lsn: new.lsn | renewed, ..new };
                }
            }
        }
        if release {
            shard.release(key);
        }
    }

    /// Draws the number of a delete, if the path means anything.
    pub(super) fn begin_delete(&self, key: PathKey, draw: impl FnOnce() -> Lsn) -> Option<(Lsn, Place)> {
        let mut shard = self.shard(key);
        let place = shard.find(key)?.place();
        *shard.deleting.entry(key).or_default() += 1;
        Some((draw(), place))
    }

    /// A delete that was begun is over, one way or the other.
    pub(super) fn end_delete(&self, key: PathKey) {
        super::count_down(&mut self.shard(key).deleting, &key);
    }

    /// The delete of this path is durable: names with lower numbers that are still on their way will not be entered.
    pub(super) fn note_deleted(&self, key: PathKey, lsn: Lsn) {
        let mut shard = self.shard(key);
        let latest = shard.deleted.entry(key).or_default();
        *latest = lsn.max(*latest);
    }

    /// No name with a lower number is on its way any more.
    pub(super) fn forget_deleted(&self, key: PathKey, lsn: Lsn) {
        let mut shard = self.shard(key);
        if shard.deleted.get(&key) == Some(&lsn) {
            shard.deleted.remove(&key);
        }
    }

    /// Takes a name away if its number is lower than `before`, and tells `removed`, under the lock, where it was
    /// recorded.
    pub(super) fn remove_before(&self, key: PathKey, before: Lsn, removed: impl FnOnce(Place)) {
        let halves = halves(key);
        let mut shard = self.shard(key);
        let gone = |entry: &Entry| entry.key == halves && entry.lsn() < before;
        if let Some(entry) = shard.entries.remove(mix(key.low(), self.secret), gone) {
            removed(entry.place());
        }
    }

    /// As [`Paths::remove_before`], for all names that are recorded at one of these places.
    pub(super) fn remove_all_before(&self, doomed: &HashMap<Place, Lsn>, mut removed: impl FnMut(Place)) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(poisoned);
            shard.entries.retain(|entry| {
                let gone = doomed.get(&entry.place()).is_some_and(|before| entry.lsn() < *before);
                if gone {
                    removed(entry.place());
                }
                !gone
            });
        }
    }

    /// As [`Paths::remove_before`], for a name whose path is not known: looks at all of them.
    pub(super) fn remove_place(&self, place: Place, removed: impl FnOnce(PathKey)) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(poisoned);
            let found = shard.entries.iter().find(|entry| entry.place() == place).map(|entry| entry.key);
            let Some(key) = found else { continue };
            let hash = mix(key[0], shard.secret);
            if shard.entries.remove(hash, |entry| entry.key == key).is_some() {
                return removed(PathKey::of(key));
            }
        }
    }

    /// The name's record was copied: if the name is still the one at `from` it is now at `to`, and `moved` is told so
    /// under the lock.
    pub(super) fn relocate(&self, key: PathKey, from: Place, to: Place, moved: impl FnOnce()) -> bool {
        let halves = halves(key);
        let mut shard = self.shard(key);
        let here = |entry: &Entry| entry.key == halves && entry.place() == from;
        let Some(entry) = shard.entries.find_mut(mix(key.low(), self.secret), here) else { return false };
        (entry.segment, entry.offset) = (to.segment.0, to.offset);
        moved();
        true
    }

    /// The record of every name, in no order.
    pub(super) fn for_each(&self, visit: &mut impl FnMut(Place)) {
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(poisoned);
            shard.entries.iter().for_each(|entry| visit(entry.place()));
        }
    }

    /// Takes a name away if it is the one recorded at `place`.
    pub(super) fn remove(&self, key: PathKey, place: Place) {
        let halves = halves(key);
        let mut shard = self.shard(key);
        let gone = |entry: &Entry| entry.key == halves && entry.place() == place;
        shard.entries.remove(mix(key.low(), self.secret), gone);
    }

    /// Names, bytes of memory.
    pub(super) fn usage(&self) -> (u64, usize) {
        let mut usage = (0, 0);
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(poisoned);
            usage.0 += shard.entries.len() as u64;
            usage.1 += shard.entries.memory_bytes();
        }
        usage
    }
}

fn halves(key: PathKey) -> [u64; 2] {
    [key.low(), PathKey(key.0 >> 64).low()]
}

/// As it stands in a checkpoint.
impl Entry {
    fn encode(&self, to: &mut Writer<'_>) {
        to.u64(self.key[0]).u64(self.key[1]).u64(self.lsn().0).u64(self.fingerprint);
        to.u32(self.segment).u32(self.offset);
    }

    fn decode(from: &mut Reader<'_>) -> Result<Entry, FormatError> {
        Ok(Entry {
            key: [from.u64()?, from.u64()?],
            lsn: from.u64()?,
            fingerprint: from.u64()?,
            segment: from.u32()?,
            offset: from.u32()?,
        })
    }
}

impl Paths {
    /// Waits until every change that is under way has ended.
    pub(super) fn wait_for_changes(&self) {
        self.shards.iter().for_each(|shard| drop(shard.lock().unwrap_or_else(poisoned)));
    }

    /// What a shard holds, section by section.
    pub(super) fn image(&self, shard: usize) -> [(Section, Vec<u8>); 2] {
        let shard = self.shards[shard].lock().unwrap_or_else(poisoned);
        [
            (
                Section::Names,
                encode_all(Section::Names, shard.entries.len(), shard.entries.iter(), Entry::encode),
            ),
            (
                Section::PathsDeleted,
                encode_all(
                    Section::PathsDeleted,
                    shard.deleted.len(),
                    shard.deleted.iter(),
                    |(key, lsn), to| {
                        key.encode(to);
                        to.u64(lsn.0);
                    },
                ),
            ),
        ]
    }

    /// Enters names of a shard, of which there will be `of` in all.
    ///
    /// # Errors
    /// `Inconsistent` if they do not belong there.
    pub(super) fn load(&self, shard: usize, of: usize, mut from: Reader<'_>) -> Result<(), FormatError> {
        let mut entries = self.shards[shard].lock().unwrap_or_else(poisoned);
        let entries = &mut entries.entries;
        entries.reserve(of);
        while !from.is_empty() {
            let entry = Entry::decode(&mut from)?;
            let hash = mix(entry.key[0], self.secret);
            if table::shard_of(hash) != shard {
                return Err(FormatError::Inconsistent);
            }
            entries.insert(hash, entry);
        }
        Ok(())
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(poisoned) = Shard::new(self.secret);
        }
    }
}
