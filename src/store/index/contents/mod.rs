//! Digest to place: what is stored, what is dying, what was deleted.

mod claim;
mod entry;
mod image;
mod names;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use hashbrown::HashTable;

pub(super) use self::claim::claim;
pub use self::claim::{Claim, ClaimGuard, Ticket};
pub use self::entry::{Content, Location};
use self::entry::{Entry, FLAG_DAMAGED, FLAG_DYING, LEN_MASK, first_word};
use self::names::MoreNames;
use super::table::{self, Table, mix};
use super::{Place, poisoned};
use crate::base::digest::Digest;
use crate::base::ids::{BlobId, Lsn, SegmentId};
use crate::limits::INDEX_SHARDS;
use crate::runtime::sync::oneshot;

/// A claim in force, with those who wait for its end.
struct Claimed {
    digest: Digest,
    waiters: Vec<oneshot::Sender<()>>,
}

struct Shard {
    entries: Table<Entry>,
    /// The files of big contents.
    blobs: HashMap<Digest, BlobId>,
    /// Names beyond the first. Few contents have any.
    more_names: HashMap<Digest, MoreNames>,
    /// Deletes that a name on its way may not have seen: whichever has a lower number is gone.
    deleted: HashMap<Digest, Lsn>,
    /// The contents that are dying, each with the number of its death: one that was named again and dies again has
    /// another.
    dying: HashMap<Digest, Lsn>,
    /// Contents with deletes that are not over, and how many.
    deleting: HashMap<Digest, u32>,
    /// Claims in force.
    claims: HashTable<Claimed>,
    inline_bytes: u64,
}

impl Shard {
    fn new(secret: u64) -> Shard {
        Shard {
            entries: Table::new(secret),
            blobs: HashMap::new(),
            more_names: HashMap::new(),
            deleted: HashMap::new(),
            dying: HashMap::new(),
            deleting: HashMap::new(),
            claims: HashTable::new(),
            inline_bytes: 0,
        }
    }

    /// Ends a claim, and gives those who wait for that.
    fn release(&mut self, hash: u64, digest: &Digest) -> Vec<oneshot::Sender<()>> {
        match self.claims.find_entry(hash, |claimed| claimed.digest == *digest) {
            Ok(found) => found.remove().0.waiters,
            Err(_) => Vec::new(),
        }
    }

    fn location(&self, entry: &Entry) -> Location {
        let (segment, offset) = (SegmentId(entry.segment), entry.offset);
        let len = entry.len_and_flags & LEN_MASK;
        if entry.is_large() {
            let blob = self.blobs.get(&entry.digest).copied().unwrap_or_default();
            Location::Large { record: Place { segment, offset }, entry_len: len, blob }
        } else {
            Location::Inline { segment, offset, len, crc: entry.crc }
        }
    }

    fn content(&self, entry: &Entry) -> Content {
        Content {
            lsn: Lsn(entry.lsn),
            location: self.location(entry),
            damaged: entry.is_damaged(),
            first_name: entry.first_name(),
        }
    }

    fn find(&self, hash: u64, digest: &Digest) -> Option<&Entry> {
        self.entries.find(hash, |entry| entry.digest == *digest)
    }

    fn find_mut(&mut self, hash: u64, digest: &Digest) -> Option<&mut Entry> {
        self.entries.find_mut(hash, |entry| entry.digest == *digest)
    }
}

pub(in crate::store::index) struct Contents {
    shards: Vec<Mutex<Shard>>,
    secret: u64,
}

impl Contents {
    pub(in crate::store::index) fn new(secret: u64) -> Contents {
        Contents { shards: (0..INDEX_SHARDS).map(|_| Mutex::new(Shard::new(secret))).collect(), secret }
    }

    fn hash(&self, digest: &Digest) -> u64 {
        mix(first_word(&digest.0), self.secret)
    }

    fn shard(&self, digest: &Digest) -> MutexGuard<'_, Shard> {
        self.shards[table::shard_of(self.hash(digest))].lock().unwrap_or_else(poisoned)
    }

    pub(in crate::store::index) fn prefetch(&self, digest: &Digest) {
        self.shard(digest).entries.prefetch(self.hash(digest));
    }

    pub(in crate::store::index) fn get(&self, digest: &Digest) -> Option<Content> {
        let shard = self.shard(digest);
        shard.find(self.hash(digest), digest).map(|entry| shard.content(entry))
    }

    pub(in crate::store::index) fn names(&self, digest: &Digest, most: usize) -> (usize, Vec<Place>) {
        let shard = self.shard(digest);
        let first = shard.find(self.hash(digest), digest).and_then(Entry::first_name);
        let more = shard.more_names.get(digest);
        let count = usize::from(first.is_some()) + more.map_or(0, MoreNames::len);
        let all = first.into_iter().chain(more.into_iter().flat_map(MoreNames::iter).copied());
        (count, all.take(most).collect())
    }

    pub(in crate::store::index) fn mark_damaged(&self, digest: &Digest, lsn: Lsn) {
        let hash = self.hash(digest);
        if let Some(entry) = self.shard(digest).find_mut(hash, digest)
            && entry.lsn == lsn.0
        {
            entry.len_and_flags |= FLAG_DAMAGED;
        }
    }

    /// Enters a content, unless a newer one is there. With `release` it ends the claim on it, and gives those who
    /// wait for that; and the blob that it has replaced.
    pub(in crate::store::index) fn put(
        &self,
        digest: Digest,
        lsn: Lsn,
        location: Location,
        release: bool,
    ) -> (Vec<oneshot::Sender<()>>, Option<BlobId>) {
        let hash = self.hash(&digest);
        let mut replaced = None;
        let mut shard = self.shard(&digest);
        let Shard { entries, blobs, dying, inline_bytes, .. } = &mut *shard;
        let entry = entries.find_or_insert(hash, |entry| entry.digest == digest, || Entry::new(digest));
        // Of one number there may be several records when the log is read again: copies, of which the later one is taken.
        if entry.lsn <= lsn.0 && !entry.is_at(location) {
            *inline_bytes -= entry.inline_len();
            if let Location::Large { blob, .. } = location {
                replaced = blobs.insert(digest, blob).filter(|before| *before != blob);
            } else if entry.is_large() {
                replaced = blobs.remove(&digest);
            }
            entry.set(lsn, location);
            *inline_bytes += entry.inline_len();
            dying.remove(&digest);
        }
        (if release { shard.release(hash, &digest) } else { Vec::new() }, replaced)
    }

    /// A name of this content is now recorded at `place`, instead of at `replaced` if it had that path before.
    /// False if the content was deleted after the name's number was drawn: the name is gone before it was there.
    pub(in crate::store::index) fn link(
        &self,
        digest: &Digest,
        lsn: Lsn,
        place: Place,
        replaced: Option<Place>,
    ) -> bool {
        let hash = self.hash(digest);
        let mut shard = self.shard(digest);
        let shard = &mut *shard;
        if shard.deleted.get(digest).is_some_and(|deleted| lsn < *deleted) {
            return false;
        }
        let entry =
            shard.entries.find_or_insert(hash, |entry| entry.digest == *digest, || Entry::new(*digest));
        if entry.is_dying() {
            entry.len_and_flags &= !FLAG_DYING;
            shard.dying.remove(digest);
        }
        match entry.first_name() {
            None => entry.set_first_name(Some(place)),
            first if first == replaced => entry.set_first_name(Some(place)),
            // Read from the log again.
            first if first == Some(place) => {}
            Some(_) => {
                let more = shard.more_names.entry(*digest).or_default();
                replaced.map(|replaced| more.remove(replaced));
                more.add(place);
            }
        }
        true
    }

    /// The name recorded at `place` is gone. If it was the last the content is dying: gives the number of its death.
    pub(in crate::store::index) fn unlink(
        &self,
        digest: &Digest,
        place: Place,
        draw: impl FnOnce() -> Lsn,
    ) -> Option<Lsn> {
        let hash = self.hash(digest);
        let mut shard = self.shard(digest);
        let shard = &mut *shard;
        let entry = shard.entries.find_mut(hash, |entry| entry.digest == *digest)?;
        let mut more = shard.more_names.remove(digest).unwrap_or_default();
        if entry.first_name() == Some(place) {
            entry.set_first_name(more.take_first());
        } else {
            more.remove(place);
        }
        let last = entry.first_name().is_none();
        if !more.is_empty() {
            shard.more_names.insert(*digest, more);
        }
        if !last || entry.is_dying() {
            return None;
        }
        entry.len_and_flags |= FLAG_DYING;
        let death = draw();
        shard.dying.insert(*digest, death);
        Some(death)
    }

    /// Draws the number of a delete, if there is anything to delete.
    pub(in crate::store::index) fn begin_delete(
        &self,
        digest: &Digest,
        draw: impl FnOnce() -> Lsn,
    ) -> Option<Lsn> {
        let mut shard = self.shard(digest);
        shard.find(self.hash(digest), digest)?.first_name()?;
        *shard.deleting.entry(*digest).or_default() += 1;
        Some(draw())
    }

    /// A delete that was begun is over, one way or the other.
    pub(in crate::store::index) fn end_delete(&self, digest: &Digest) {
        crate::store::index::count_down(&mut self.shard(digest).deleting, digest);
    }

    /// Whether a delete was begun that is not over.
    pub(in crate::store::index) fn is_being_deleted(&self, digest: &Digest) -> bool {
        self.shard(digest).deleting.contains_key(digest)
    }

    /// The delete is durable: names with lower numbers that are still on their way will not be entered.
    pub(in crate::store::index) fn note_deleted(&self, digest: &Digest, lsn: Lsn) {
        let mut shard = self.shard(digest);
        let latest = shard.deleted.entry(*digest).or_default();
        *latest = lsn.max(*latest);
    }

    /// The latest delete of this content that is not forgotten.
    pub(in crate::store::index) fn deleted(&self, digest: &Digest) -> Option<Lsn> {
        self.shard(digest).deleted.get(digest).copied()
    }

    /// No name with a lower number is on its way any more.
    pub(in crate::store::index) fn forget_deleted(&self, digest: &Digest, lsn: Lsn) {
        let mut shard = self.shard(digest);
        if shard.deleted.get(digest) == Some(&lsn) {
            shard.deleted.remove(digest);
        }
    }

    /// Lets contents die that never got a name, and whose put is older than `before`; gives their digests
    /// and the numbers of their deaths.
    pub(in crate::store::index) fn doom_nameless(
        &self,
        before: Lsn,
        draw: impl Fn() -> Lsn,
    ) -> Vec<(Digest, Lsn)> {
        let mut doomed = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(poisoned);
            let Shard { entries, dying, .. } = &mut *shard;
            for entry in entries.iter_mut() {
                let nameless = entry.first_name().is_none() && !entry.is_placeholder();
                if nameless && !entry.is_dying() && entry.lsn < before.0 {
                    entry.len_and_flags |= FLAG_DYING;
                    let death = draw();
                    dying.insert(entry.digest, death);
                    doomed.push((entry.digest, death));
                }
            }
        }
        doomed
    }

    /// Drops a content that is still dying of this death, and says where it was.
    pub(in crate::store::index) fn bury(&self, digest: &Digest, death: Lsn) -> Option<Location> {
        let hash = self.hash(digest);
        let mut shard = self.shard(digest);
        if shard.dying.get(digest) != Some(&death) {
            return None;
        }
        shard.dying.remove(digest);
        let dead = |entry: &Entry| entry.digest == *digest && entry.is_dying();
        let entry = shard.entries.remove(hash, dead)?;
        let location = shard.location(&entry);
        shard.inline_bytes -= entry.inline_len();
        shard.blobs.remove(digest);
        (!entry.is_placeholder()).then_some(location)
    }

    /// The content's bytes, or its record, were copied: `to` takes the place of `from` if that is what is stored.
    pub(in crate::store::index) fn relocate(&self, digest: &Digest, from: Location, to: Location) -> bool {
        let hash = self.hash(digest);
        let mut shard = self.shard(digest);
        if shard.find(hash, digest).is_none_or(|entry| shard.location(entry) != from) {
            return false;
        }
        let Some(entry) = shard.find_mut(hash, digest) else { return false };
        let (lsn, flags) = (Lsn(entry.lsn), entry.len_and_flags & (FLAG_DAMAGED | FLAG_DYING));
        entry.set(lsn, to);
        entry.len_and_flags |= flags;
        true
    }

    /// As [`Contents::relocate`], for the record of a name.
    pub(in crate::store::index) fn relocate_name(&self, digest: &Digest, from: Place, to: Place) {
        let hash = self.hash(digest);
        let mut shard = self.shard(digest);
        let shard = &mut *shard;
        let Some(entry) = shard.entries.find_mut(hash, |entry| entry.digest == *digest) else { return };
        if entry.first_name() == Some(from) {
            entry.set_first_name(Some(to));
        } else if let Some(more) = shard.more_names.get_mut(digest)
            && more.remove(from)
        {
            more.add(to);
        }
    }

    pub(in crate::store::index) fn drop_nameless(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(poisoned);
            let Shard { entries, blobs, dying, inline_bytes, .. } = &mut *shard;
            entries.retain(|entry| {
                let named = entry.first_name_segment != 0;
                if !named {
                    *inline_bytes -= entry.inline_len();
                    blobs.remove(&entry.digest);
                }
                named
            });
            dying.clear();
        }
    }

    /// Takes these places from all contents' lists of names. No content dies of it: [`Contents::drop_nameless`] follows.
    pub(in crate::store::index) fn unlink_all(&self, gone: &HashSet<Place>) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(poisoned);
            let Shard { entries, more_names, .. } = &mut *shard;
            more_names.values_mut().for_each(|names| names.retain(|name| !gone.contains(name)));
            for entry in entries.iter_mut() {
                if entry.first_name().is_some_and(|name| gone.contains(&name)) {
                    let more = more_names.get_mut(&entry.digest);
                    entry.set_first_name(more.and_then(MoreNames::take_first));
                }
            }
            more_names.retain(|_, names| !names.is_empty());
        }
    }

    pub(in crate::store::index) fn for_each(&self, visit: &mut impl FnMut(&Digest, Content)) {
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(poisoned);
            shard.entries.iter().for_each(|entry| visit(&entry.digest, shard.content(entry)));
        }
    }

    /// Those of the contents with a file whose digest begins with `byte`.
    pub(in crate::store::index) fn large(&self, byte: u8) -> Vec<Digest> {
        let mut large = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(poisoned);
            large.extend(shard.blobs.keys().filter(|digest| digest.0[0] == byte));
        }
        large
    }

    /// Contents, their inline bytes, bytes of memory.
    pub(in crate::store::index) fn usage(&self) -> (u64, u64, usize) {
        let mut usage = (0, 0, 0);
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(poisoned);
            usage.0 += shard.entries.len() as u64;
            usage.1 += shard.inline_bytes;
            usage.2 += shard.entries.memory_bytes();
            usage.2 += shard.blobs.capacity() * size_of::<(Digest, BlobId)>();
            usage.2 += shard.more_names.capacity() * size_of::<(Digest, MoreNames)>();
        }
        usage
    }

    /// Forgets all.
    pub(in crate::store::index) fn clear(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(poisoned) = Shard::new(self.secret);
        }
    }
}
