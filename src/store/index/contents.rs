//! Digest to place, and who is storing what right now.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use hashbrown::HashTable;

use super::image::encode_all;
use super::table::{self, Keyed, Table, mix};
use super::{Handle, Place, poisoned};
use crate::base::digest::Digest;
use crate::base::ids::{BlobId, Lsn, SegmentId};
use crate::limits::INDEX_SHARDS;
use crate::runtime::sync::oneshot;
use crate::store::format::bytes::{Reader, Writer};
use crate::store::format::checkpoint::Section;
use crate::store::format::{FormatError, PutBody};

/// Where a content is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Location {
    /// In the payload area of a batch.
    Inline {
        /// The segment.
        segment: SegmentId,
        /// Bytes from the start of its file.
        offset: u32,
        /// Bytes of content.
        len: u32,
        /// Its checksum, seeded with nonce and place.
        crc: u32,
    },
    /// In a file of its own, which this put-large record describes.
    Large {
        /// The record.
        record: Place,
        /// Bytes of its entry.
        entry_len: u32,
        /// The file.
        blob: BlobId,
    },
}

impl Location {
    /// Where the payload of a put is that stands in the batch at `batch_offset` of a segment.
    #[must_use]
    pub fn of_put(segment: SegmentId, batch_offset: u64, put: &PutBody) -> Location {
        let offset = u32::try_from(batch_offset + u64::from(put.offset)).expect("a segment is at most 1 GiB");
        Location::Inline { segment, offset, len: put.len, crc: put.crc }
    }
}

/// What the index knows of a stored content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Content {
    /// The put's number.
    pub lsn: Lsn,
    /// Where it is.
    pub location: Location,
    /// The copy is known not to check.
    pub damaged: bool,
    /// Its first name; `None` while it has none, and then nobody may see it.
    pub first_name: Option<Place>,
}

/// The answer to a claim.
pub enum Claim {
    /// Nobody has it: store it and [`ClaimGuard::publish`]. An entry known to be damaged is claimed like this.
    Fresh(ClaimGuard),
    /// It is stored, and durable.
    Stored(Content),
    /// Another upload is storing it: await the ticket, then claim again.
    Pending(Ticket),
}

/// Ends when the claim it waits for has ended, one way or the other.
pub struct Ticket(oneshot::Receiver<()>);

impl Ticket {
    /// Waits for the end of the other's claim.
    pub async fn ended(self) {
        // Nothing is ever sent: the other side is dropped.
        let _nothing: Option<()> = self.0.await;
    }
}

/// The right to store a digest, and the duty to tell the waiters. Dropped for whatever reason before
/// it is published, it fails: the next waiter, who still holds its bytes, claims again and stores them.
pub struct ClaimGuard {
    index: Handle,
    digest: Digest,
    lsn: Lsn,
    released: bool,
}

impl ClaimGuard {
    /// The number drawn for the put.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// What is claimed.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Begins to load what publishing will look at first.
    pub fn prefetch(&self) {
        self.index.contents.prefetch(&self.digest);
    }

    /// The put is flushed: enters it and wakes the waiters. Gives the blob that it has replaced, which is garbage now.
    #[must_use]
    pub fn publish(mut self, location: Location) -> Option<BlobId> {
        self.released = true;
        let (waiters, replaced) = self.index.contents.put(self.digest, self.lsn, location, true);
        // Woken outside the lock: each will take it.
        drop(waiters);
        replaced
    }
}

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        let hash = self.index.contents.hash(&self.digest);
        let waiters = self.index.contents.shard(&self.digest).release(hash, &self.digest);
        // Woken outside the lock: each will take it.
        drop(waiters);
    }
}

pub(super) fn claim(index: &Handle, digest: Digest) -> Claim {
    let contents = &index.contents;
    let hash = contents.hash(&digest);
    let mut shard = contents.shard(&digest);
    if let Some(entry) = shard.find(hash, &digest)
        && !entry.is_damaged()
        && !entry.is_dying()
    {
        return Claim::Stored(shard.content(entry));
    }
    if let Some(claimed) = shard.claims.find_mut(hash, |claimed| claimed.digest == digest) {
        let (sender, receiver) = oneshot::channel();
        claimed.waiters.push(sender);
        return Claim::Pending(Ticket(receiver));
    }
    let claimed = Claimed { digest, waiters: Vec::new() };
    shard.claims.insert_unique(hash, claimed, |claimed| contents.hash(&claimed.digest));
    let lsn = index.draw_lsn();
    drop(shard);
    Claim::Fresh(ClaimGuard { index: index.clone(), digest, lsn, released: false })
}

/// 64 bytes, of which there is one for each content.
struct Entry {
    digest: Digest,
    lsn: u64,
    /// Of the payload, or of the put-large record's entry.
    segment: u32,
    offset: u32,
    /// Bytes of the payload or the entry; the three top bits are flags.
    len_and_flags: u32,
    crc: u32,
    /// `first_name_segment` 0 is "none": segments count from 1.
    first_name_segment: u32,
    first_name_offset: u32,
}

const _: () = assert!(size_of::<Entry>() == 64);
const FLAG_LARGE: u32 = 1 << 31;
const FLAG_DAMAGED: u32 = 1 << 30;
/// Its last name is gone: it may be dropped, and who sends it again stores it anew.
const FLAG_DYING: u32 = 1 << 29;
const LEN_MASK: u32 = FLAG_DYING - 1;

impl Keyed for Entry {
    fn hash(&self, secret: u64) -> u64 {
        mix(first_word(&self.digest.0), secret)
    }
}

impl Entry {
    fn new(digest: Digest) -> Entry {
        Entry {
            digest,
            lsn: 0,
            segment: 0,
            offset: 0,
            len_and_flags: 0,
            crc: 0,
            first_name_segment: 0,
            first_name_offset: 0,
        }
    }

    /// A name was replayed before its put.
    fn is_placeholder(&self) -> bool {
        self.lsn == 0
    }

    fn is_damaged(&self) -> bool {
        self.len_and_flags & FLAG_DAMAGED != 0 || self.is_placeholder()
    }

    fn is_dying(&self) -> bool {
        self.len_and_flags & FLAG_DYING != 0
    }

    /// Enters a newer copy, which is neither damaged nor dying.
    fn set(&mut self, lsn: Lsn, location: Location) {
        self.lsn = lsn.0;
        match location {
            Location::Inline { segment, offset, len, crc } => {
                assert!(len <= LEN_MASK, "inline contents are far below 512 MiB");
                (self.segment, self.offset, self.len_and_flags, self.crc) = (segment.0, offset, len, crc);
            }
            Location::Large { record, entry_len, .. } => {
                assert!(entry_len <= LEN_MASK, "a record fits a batch");
                (self.segment, self.offset) = (record.segment.0, record.offset);
                (self.len_and_flags, self.crc) = (entry_len | FLAG_LARGE, 0);
            }
        }
    }

    fn is_large(&self) -> bool {
        self.len_and_flags & FLAG_LARGE != 0
    }

    /// Bytes of the payload if it stands in a segment, else 0.
    fn inline_len(&self) -> u64 {
        if self.is_large() { 0 } else { u64::from(self.len_and_flags & LEN_MASK) }
    }

    fn first_name(&self) -> Option<Place> {
        (self.first_name_segment != 0)
            .then_some(Place { segment: SegmentId(self.first_name_segment), offset: self.first_name_offset })
    }

    /// Whether what it shows is there. Of a big content the record tells.
    fn is_at(&self, location: Location) -> bool {
        let (segment, offset, large) = match location {
            Location::Inline { segment, offset, .. } => (segment, offset, false),
            Location::Large { record, .. } => (record.segment, record.offset, true),
        };
        !self.is_placeholder()
            && (SegmentId(self.segment), self.offset, self.is_large()) == (segment, offset, large)
    }

    fn set_first_name(&mut self, place: Option<Place>) {
        let place = place.unwrap_or(Place { segment: SegmentId(0), offset: 0 });
        (self.first_name_segment, self.first_name_offset) = (place.segment.0, place.offset);
    }
}

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
    more_names: HashMap<Digest, Vec<Place>>,
    /// Deletes that a name on its way may not have seen: whichever has a lower number is gone.
    deleted: HashMap<Digest, Lsn>,
    /// The contents that are dying, each with the number of its death: one that was named again and dies again has
    /// another.
    dying: HashMap<Digest, Lsn>,
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

pub(super) struct Contents {
    shards: Vec<Mutex<Shard>>,
    secret: u64,
}

impl Contents {
    pub(super) fn new(secret: u64) -> Contents {
        Contents { shards: (0..INDEX_SHARDS).map(|_| Mutex::new(Shard::new(secret))).collect(), secret }
    }

    fn hash(&self, digest: &Digest) -> u64 {
        mix(first_word(&digest.0), self.secret)
    }

    fn shard(&self, digest: &Digest) -> MutexGuard<'_, Shard> {
        self.shards[table::shard_of(self.hash(digest))].lock().unwrap_or_else(poisoned)
    }

    pub(super) fn prefetch(&self, digest: &Digest) {
        self.shard(digest).entries.prefetch(self.hash(digest));
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Content> {
        let shard = self.shard(digest);
        shard.find(self.hash(digest), digest).map(|entry| shard.content(entry))
    }

    pub(super) fn names(&self, digest: &Digest) -> Vec<Place> {
        let shard = self.shard(digest);
        let first = shard.find(self.hash(digest), digest).and_then(Entry::first_name);
        let more = shard.more_names.get(digest).map_or(&[][..], Vec::as_slice);
        first.into_iter().chain(more.iter().copied()).collect()
    }

    pub(super) fn mark_damaged(&self, digest: &Digest, lsn: Lsn) {
        let hash = self.hash(digest);
        if let Some(entry) = self.shard(digest).find_mut(hash, digest)
            && entry.lsn == lsn.0
        {
            entry.len_and_flags |= FLAG_DAMAGED;
        }
    }

    /// Enters a content, unless a newer one is there. With `release` it ends the claim on it, and gives those who
    /// wait for that; and the blob that it has replaced.
    pub(super) fn put(
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
    pub(super) fn link(&self, digest: &Digest, lsn: Lsn, place: Place, replaced: Option<Place>) -> bool {
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
                match more.iter_mut().find(|name| Some(**name) == replaced || **name == place) {
                    Some(name) => *name = place,
                    None => more.push(place),
                }
            }
        }
        true
    }

    /// The name recorded at `place` is gone. If it was the last the content is dying: gives the number of its death.
    pub(super) fn unlink(&self, digest: &Digest, place: Place, draw: impl FnOnce() -> Lsn) -> Option<Lsn> {
        let hash = self.hash(digest);
        let mut shard = self.shard(digest);
        let shard = &mut *shard;
        let entry = shard.entries.find_mut(hash, |entry| entry.digest == *digest)?;
        let mut more = shard.more_names.remove(digest).unwrap_or_default();
        if entry.first_name() == Some(place) {
            let next = if more.is_empty() { None } else { Some(more.remove(0)) };
            entry.set_first_name(next);
        } else {
            more.retain(|name| *name != place);
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
    pub(super) fn begin_delete(&self, digest: &Digest, draw: impl FnOnce() -> Lsn) -> Option<Lsn> {
        let shard = self.shard(digest);
        let entry = shard.find(self.hash(digest), digest)?;
        entry.first_name().map(|_| draw())
    }

    /// The delete is durable: names with lower numbers that are still on their way will not be entered.
    pub(super) fn note_deleted(&self, digest: &Digest, lsn: Lsn) {
        let mut shard = self.shard(digest);
        let latest = shard.deleted.entry(*digest).or_default();
        *latest = lsn.max(*latest);
    }

    /// No name with a lower number is on its way any more.
    pub(super) fn forget_deleted(&self, digest: &Digest, lsn: Lsn) {
        let mut shard = self.shard(digest);
        if shard.deleted.get(digest) == Some(&lsn) {
            shard.deleted.remove(digest);
        }
    }

    /// Lets contents die that never got a name, and whose put is older than `before`; gives their digests
    /// and the numbers of their deaths.
    pub(super) fn doom_nameless(&self, before: Lsn, draw: impl Fn() -> Lsn) -> Vec<(Digest, Lsn)> {
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
    pub(super) fn bury(&self, digest: &Digest, death: Lsn) -> Option<Location> {
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
    pub(super) fn relocate(&self, digest: &Digest, from: Location, to: Location) -> bool {
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
    pub(super) fn relocate_name(&self, digest: &Digest, from: Place, to: Place) {
        let hash = self.hash(digest);
        let mut shard = self.shard(digest);
        let shard = &mut *shard;
        let Some(entry) = shard.entries.find_mut(hash, |entry| entry.digest == *digest) else { return };
        if entry.first_name() == Some(from) {
            entry.set_first_name(Some(to));
        } else if let Some(more) = shard.more_names.get_mut(digest) {
            more.iter_mut().filter(|name| **name == from).for_each(|name| *name = to);
        }
    }

    pub(super) fn drop_nameless(&self) {
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
    pub(super) fn unlink_all(&self, gone: &HashSet<Place>) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(poisoned);
            let Shard { entries, more_names, .. } = &mut *shard;
            more_names.values_mut().for_each(|names| names.retain(|name| !gone.contains(name)));
            for entry in entries.iter_mut() {
                if entry.first_name().is_some_and(|name| gone.contains(&name)) {
                    let more = more_names.get_mut(&entry.digest).filter(|names| !names.is_empty());
                    entry.set_first_name(more.map(|names| names.remove(0)));
                }
            }
            more_names.retain(|_, names| !names.is_empty());
        }
    }

    pub(super) fn for_each(&self, visit: &mut impl FnMut(&Digest, Content)) {
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(poisoned);
            shard.entries.iter().for_each(|entry| visit(&entry.digest, shard.content(entry)));
        }
    }

    /// Contents, their inline bytes, bytes of memory.
    pub(super) fn usage(&self) -> (u64, u64, usize) {
        let mut usage = (0, 0, 0);
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(poisoned);
            usage.0 += shard.entries.len() as u64;
            usage.1 += shard.inline_bytes;
            usage.2 += shard.entries.memory_bytes();
        }
        usage
    }
}

/// As it stands in a checkpoint.
impl Entry {
    fn encode(&self, to: &mut Writer<'_>) {
        to.bytes(&self.digest.0).u64(self.lsn).u32(self.segment).u32(self.offset);
        // What is dying has no name, and is dropped when it is read.
        to.u32(self.len_and_flags & !FLAG_DYING).u32(self.crc);
        to.u32(self.first_name_segment).u32(self.first_name_offset);
    }

    fn decode(from: &mut Reader<'_>) -> Result<Entry, FormatError> {
        Ok(Entry {
            digest: Digest(from.array()?),
            lsn: from.u64()?,
            segment: from.u32()?,
            offset: from.u32()?,
            len_and_flags: from.u32()?,
            crc: from.u32()?,
            first_name_segment: from.u32()?,
            first_name_offset: from.u32()?,
        })
    }
}

impl Contents {
    /// What a shard holds, section by section.
    pub(super) fn image(&self, shard: usize) -> [(Section, Vec<u8>); 4] {
        let shard = self.shards[shard].lock().unwrap_or_else(poisoned);
        let Shard { entries, blobs, more_names, deleted, .. } = &*shard;
        let names =
            || more_names.iter().flat_map(|(digest, names)| names.iter().map(move |name| (digest, name)));
        [
            (Section::Contents, encode_all(Section::Contents, entries.len(), entries.iter(), Entry::encode)),
            (
                Section::MoreNames,
                encode_all(Section::MoreNames, names().count(), names(), |(digest, name), to| {
                    to.bytes(&digest.0);
                    name.encode(to);
                }),
            ),
            (
                Section::Blobs,
                encode_all(Section::Blobs, blobs.len(), blobs.iter(), |(digest, blob), to| {
                    to.bytes(&digest.0).u64(blob.0);
                }),
            ),
            (
                Section::ContentsDeleted,
                encode_all(Section::ContentsDeleted, deleted.len(), deleted.iter(), |(digest, lsn), to| {
                    to.bytes(&digest.0).u64(lsn.0);
                }),
            ),
        ]
    }

    /// Enters a part of a section of a shard, which has `of` entries in all.
    ///
    /// # Errors
    /// `Inconsistent` if they do not belong there.
    pub(super) fn load(
        &self,
        section: Section,
        shard: usize,
        of: usize,
        mut from: Reader<'_>,
    ) -> Result<(), FormatError> {
        let mut held = self.shards[shard].lock().unwrap_or_else(poisoned);
        let Shard { entries, blobs, more_names, inline_bytes, .. } = &mut *held;
        match section {
            Section::Contents => entries.reserve(of),
            Section::Blobs => blobs.reserve(of.saturating_sub(blobs.len())),
            _ => {}
        }
        while !from.is_empty() {
            match section {
                Section::Contents => {
                    let entry = Entry::decode(&mut from)?;
                    let hash = entry.hash(self.secret);
                    if table::shard_of(hash) != shard {
                        return Err(FormatError::Inconsistent);
                    }
                    *inline_bytes += entry.inline_len();
                    entries.insert(hash, entry);
                }
                Section::MoreNames => {
                    more_names.entry(Digest(from.array()?)).or_default().push(Place::decode(&mut from)?);
                }
                Section::Blobs => {
                    blobs.insert(Digest(from.array()?), BlobId(from.u64()?));
                }
                _ => return Err(FormatError::Inconsistent),
            }
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

fn first_word(digest: &[u8; 32]) -> u64 {
    u64::from_le_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
}
