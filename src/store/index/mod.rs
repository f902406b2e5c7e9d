//! The index: digest to place and path to name, in memory, sharded, shared by all cores. It is also the claim
//! table for deduplication. A pure function of the log.
//!
//! Always:
//! - an entry is published only after its record is flushed;
//! - a mutation's LSN is drawn under the lock of the shard it changes, and per key the highest LSN wins, in
//!   whatever order entries arrive;
//! - no lock is held across an await; a content's lock may be taken under a path's, never the other way.

mod contents;
mod image;
mod paths;
mod table;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use contents::{Claim, ClaimGuard, Content, Location, Ticket};
pub(super) use image::encode_all;
pub use image::{Keys, Removal};
pub use paths::{Amend, Bind, NameGuard, PathKey};

use crate::base::digest::Digest;
use crate::base::ids::{Lsn, SegmentId};
use crate::runtime::fatal;
use contents::Contents;
use image::Removals;
use paths::{Numbers, Paths};

/// The namespace of all names so far.
pub const NAMESPACE: u32 = 0;

/// Where a record's entry begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The segment.
    pub segment: SegmentId,
    /// Bytes from the start of its file.
    pub offset: u32,
}

/// What became of a name that stands in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is what its path means now.
    Shown {
        /// Another one was, since the start.
        is_renewed: bool,
    },
    /// A newer name has its path, or it was deleted.
    Over,
    /// It is about to be entered.
    NotYet,
}

/// A core's hold on the index. Guards keep clones of it: counting them touches nothing that cores share.
#[derive(Clone)]
pub struct Handle(
    #[expect(
        clippy::redundant_allocation,
        reason = "the outer count is this core's own; the inner is shared"
    )]
    Rc<Arc<Index>>,
);

impl std::ops::Deref for Handle {
    type Target = Index;

    fn deref(&self) -> &Index {
        &self.0
    }
}

impl Handle {
    /// Claims a digest for storing it. See [`Claim`].
    #[must_use]
    pub fn claim(&self, digest: Digest) -> Claim {
        contents::claim(self, digest)
    }

    /// Asks to let `key` mean `digest`. See [`Bind`].
    #[must_use]
    pub fn bind(&self, key: PathKey, digest: Digest, fingerprint: u64) -> Bind {
        paths::bind(self, key, digest, fingerprint, None)
    }

    /// As [`Handle::bind`], after the caller has read the name at `place` and found the same digest: only the attributes
    /// change. `Different` if another name, or a copy of it, is there by now.
    #[must_use]
    pub fn rebind(&self, key: PathKey, digest: Digest, fingerprint: u64, place: Place) -> Bind {
        paths::bind(self, key, digest, fingerprint, Some(place))
    }

    /// Asks to give the name at `key`, which was read at `place`, other attributes. See [`Amend`].
    #[must_use]
    pub fn amend(&self, key: PathKey, digest: Digest, fingerprint: u64, place: Place) -> Amend {
        paths::amend(self, key, digest, fingerprint, place)
    }
}

/// The index of a store.
pub struct Index {
    contents: Contents,
    paths: Paths,
    next_lsn: AtomicU64,
    marked: AtomicU64,
    removals: Removals,
    keys: Keys,
}

impl Index {
    /// An empty index whose first mutation will be number 1.
    #[must_use]
    pub fn new() -> Arc<Index> {
        Index::with_keys(Keys::random())
    }

    /// As [`Index::new`], with the keys of another.
    #[must_use]
    pub fn with_keys(keys: Keys) -> Arc<Index> {
        Arc::new(Index {
            contents: Contents::new(keys.contents),
            paths: Paths::new(keys.paths, keys.fingerprints),
            next_lsn: AtomicU64::new(1),
            marked: AtomicU64::new(0),
            removals: Removals::default(),
            keys,
        })
    }

    /// Draws the next LSN. Callers hold the lock of the shard that the mutation changes.
    fn draw_lsn(&self) -> Lsn {
        Lsn(self.next_lsn.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes sure that no LSN up to this one is drawn again.
    pub fn advance_past(&self, lsn: Lsn) {
        self.next_lsn.fetch_max(lsn.0 + 1, Ordering::Relaxed);
    }

    /// Begins to load what a lookup of this content will read first.
    pub fn prefetch_content(&self, digest: &Digest) {
        self.contents.prefetch(digest);
    }

    /// What is stored under this digest, named or not.
    #[must_use]
    pub fn content(&self, digest: &Digest) -> Option<Content> {
        self.contents.get(digest)
    }

    /// The records of all names of a content.
    #[must_use]
    pub fn names(&self, digest: &Digest) -> Vec<Place> {
        self.contents.names(digest, usize::MAX).1
    }

    /// How many names a content has, and the records of up to `most` of them.
    #[must_use]
    pub fn some_names(&self, digest: &Digest, most: usize) -> (usize, Vec<Place>) {
        self.contents.names(digest, most)
    }

    /// Those of the contents with a file of their own whose digest begins with `byte`. Looks at all of these.
    #[must_use]
    pub fn large_contents(&self, byte: u8) -> Vec<Digest> {
        self.contents.large(byte)
    }

    /// The record of the name at this path.
    #[must_use]
    pub fn path(&self, key: PathKey) -> Option<Place> {
        self.paths.get(key)
    }

    /// The number of the name at this path, and whether it is marked as one that replaced another.
    #[must_use]
    pub fn name_lsn(&self, key: PathKey) -> Option<(Lsn, bool)> {
        let Numbers { shown, is_renewed, .. } = self.paths.numbers(key);
        shown.map(|lsn| (lsn, is_renewed))
    }

    /// What became of the name that a flushed record of this number gives to `key`, for who read the record in the log.
    /// `ended` says that whoever wrote it has ended; it must have been known before this is asked.
    #[must_use]
    pub fn fate_of_name(&self, key: PathKey, digest: &Digest, lsn: Lsn, ended: bool) -> Fate {
        // Before the path: a delete that is not noted here any more has taken the name out there.
        let content_deleted = self.contents.deleted(digest);
        let Numbers { shown, is_renewed, deleted } = self.paths.numbers(key);
        if content_deleted.max(deleted).is_some_and(|deleted| lsn < deleted) {
            return Fate::Over;
        }
        match shown {
            Some(shown) if shown == lsn => Fate::Shown { is_renewed },
            Some(shown) if shown > lsn => Fate::Over,
            // Deletes are noted until all who may have come before them have ended: it was never entered, or it was
            // deleted and the note is gone.
            _ if ended => Fate::Over,
            _ => Fate::NotYet,
        }
    }

    /// Whether the index heeds a flushed delete of this content: from then on it enters no older name of it. `ended` as
    /// for [`Index::fate_of_name`].
    #[must_use]
    pub fn heeds_content_delete(&self, digest: &Digest, lsn: Lsn, ended: bool) -> bool {
        ended || self.contents.deleted(digest).is_some_and(|noted| noted >= lsn)
    }

    /// As [`Index::heeds_content_delete`], for a path.
    #[must_use]
    pub fn heeds_path_delete(&self, key: PathKey, lsn: Lsn, ended: bool) -> bool {
        ended || self.paths.numbers(key).deleted.is_some_and(|noted| noted >= lsn)
    }

    /// Notes that the stored copy does not check: the next upload of it becomes the stored copy.
    /// Nothing happens if the content was stored anew (another LSN) in the meantime.
    pub fn mark_damaged(&self, digest: &Digest, lsn: Lsn) {
        self.marked.fetch_add(1, Ordering::Relaxed);
        self.contents.mark_damaged(digest, lsn);
    }

    /// How many contents are known to be damaged, and up to `most` of them. Looks at all contents.
    #[must_use]
    pub fn damaged(&self, most: usize) -> (u64, Vec<Digest>) {
        let (mut total, mut listed) = (0, Vec::new());
        self.for_each_content(|digest, content| {
            if content.damaged {
                total += 1;
                if listed.len() < most {
                    listed.push(*digest);
                }
            }
        });
        (total, listed)
    }

    /// How often a copy was found not to check.
    #[must_use]
    pub fn times_marked(&self) -> u64 {
        self.marked.load(Ordering::Relaxed)
    }

    /// A core's hold on it.
    #[must_use]
    pub fn handle(self: &Arc<Self>) -> Handle {
        Handle(Rc::new(Arc::clone(self)))
    }

    /// See [`Handle::claim`].
    #[must_use]
    pub fn claim(self: &Arc<Self>, digest: Digest) -> Claim {
        self.handle().claim(digest)
    }

    /// See [`Handle::bind`].
    #[must_use]
    pub fn bind(self: &Arc<Self>, key: PathKey, digest: Digest, fingerprint: u64) -> Bind {
        self.handle().bind(key, digest, fingerprint)
    }

    /// See [`Handle::rebind`].
    #[must_use]
    pub fn rebind(self: &Arc<Self>, key: PathKey, digest: Digest, fingerprint: u64, place: Place) -> Bind {
        self.handle().rebind(key, digest, fingerprint, place)
    }

    /// A keyed hash over a name's digest and attributes, to see cheaply whether a name is the same again.
    #[must_use]
    pub fn fingerprint(&self, digest: &Digest, attributes: &[u8]) -> u64 {
        self.paths.fingerprint(digest, attributes)
    }

    /// Replay: a put.
    pub fn replay_content(&self, digest: Digest, lsn: Lsn, location: Location) {
        let _swept_with_all_unnamed = self.contents.put(digest, lsn, location, false);
    }

    /// Replay: a name. `gone` is told of the one that it has replaced at its path, which may be another content's:
    /// [`Index::replay_deletes`] takes it out of that. Of one name there may be copies at several places, read in any
    /// order: the last one counts, so that what was gone may be back.
    pub fn replay_name(
        &self,
        key: PathKey,
        lsn: Lsn,
        place: Place,
        digest: &Digest,
        fingerprint: u64,
        gone: &mut HashSet<Place>,
    ) {
        gone.extend(self.publish_name(key, lsn, place, digest, fingerprint, false));
        if self.path(key) == Some(place) {
            gone.remove(&place);
        }
    }

    /// Replay: takes away what was deleted: names that are older than a delete of their content or path. `gone` are
    /// places of names that others have replaced.
    pub fn replay_deletes(
        &self,
        contents: &HashMap<Digest, Lsn>,
        paths: &HashMap<PathKey, Lsn>,
        mut gone: HashSet<Place>,
    ) {
        for (key, before) in paths {
            self.paths.remove_before(*key, *before, |place| {
                gone.insert(place);
            });
        }
        let mut doomed = HashMap::new();
        for (digest, before) in contents {
            doomed.extend(self.names(digest).into_iter().map(|place| (place, *before)));
        }
        if !doomed.is_empty() {
            self.paths.remove_all_before(&doomed, |place| {
                gone.insert(place);
            });
        }
        if !gone.is_empty() {
            self.contents.unlink_all(&gone);
        }
    }

    /// Draws the number of a delete of this content with all its names; `None` if it has none. Until
    /// [`Index::end_delete_content`] no name of it is amended.
    #[must_use]
    pub fn begin_delete_content(&self, digest: &Digest) -> Option<Lsn> {
        self.contents.begin_delete(digest, || self.draw_lsn())
    }

    /// Draws the number of a delete of this path, and says where its name is recorded; `None` if it means nothing. Until
    /// [`Index::end_delete_path`] the name is not amended.
    #[must_use]
    pub fn begin_delete_name(&self, key: PathKey) -> Option<(Lsn, Place)> {
        self.paths.begin_delete(key, || self.draw_lsn())
    }

    /// A delete that was begun is over, done or not.
    pub fn end_delete_content(&self, digest: &Digest) {
        self.contents.end_delete(digest);
    }

    /// As [`Index::end_delete_content`], for a path.
    pub fn end_delete_path(&self, key: PathKey) {
        self.paths.end_delete(key);
    }

    /// The delete of a content is durable: from now on no older name of it is entered. Its names are still there.
    pub fn note_content_deleted(&self, digest: &Digest, lsn: Lsn) {
        self.contents.note_deleted(digest, lsn);
    }

    /// The delete of a path is durable: from now on no older name is entered there.
    pub fn note_path_deleted(&self, key: PathKey, lsn: Lsn) {
        self.paths.note_deleted(key, lsn);
    }

    /// Takes the name at `key`, which means `digest`, away if it is older than `before`. If it was the content's last,
    /// the content is dying, and is to be buried: gives the number of its death.
    #[must_use]
    pub fn remove_name_before(&self, key: PathKey, digest: &Digest, before: Lsn) -> Option<Lsn> {
        let mut death = None;
        self.paths.remove_before(key, before, |place| {
            self.removals.note(Removal { key, digest: *digest, place });
            death = self.unlink(digest, place);
        });
        death
    }

    /// As [`Index::remove_name_before`], for the name recorded at `place`, whose path is not known. Looks at all paths.
    #[must_use]
    pub fn remove_name_at(&self, digest: &Digest, place: Place) -> Option<Lsn> {
        let mut death = None;
        self.paths.remove_place(place, |key| {
            self.removals.note(Removal { key, digest: *digest, place });
            death = self.unlink(digest, place);
        });
        death
    }

    fn unlink(&self, digest: &Digest, place: Place) -> Option<Lsn> {
        self.contents.unlink(digest, place, || self.draw_mark())
    }

    /// No name with a lower number is on its way any more: the notes of these deletes may go.
    pub fn forget_deleted_content(&self, digest: &Digest, lsn: Lsn) {
        self.contents.forget_deleted(digest, lsn);
    }

    /// As [`Index::forget_deleted_content`], for a path.
    pub fn forget_deleted_path(&self, key: PathKey, lsn: Lsn) {
        self.paths.forget_deleted(key, lsn);
    }

    /// Lets contents die that have no name and whose put is older than `before`: their uploads broke off.
    #[must_use]
    pub fn doom_nameless(&self, before: Lsn) -> Vec<(Digest, Lsn)> {
        self.contents.doom_nameless(before, || self.draw_mark())
    }

    /// Drops a content that is still dying of this death, and says where it was.
    #[must_use]
    pub fn bury(&self, digest: &Digest, death: Lsn) -> Option<Location> {
        self.contents.bury(digest, death)
    }

    /// A content was copied: `to` takes the place of `from`, if that is still what is stored.
    pub fn relocate_content(&self, digest: &Digest, from: Location, to: Location) -> bool {
        self.contents.relocate(digest, from, to)
    }

    /// A name's record was copied: `to` takes the place of `from`, if that is still the name at `key`.
    pub fn relocate_name(&self, key: PathKey, digest: &Digest, from: Place, to: Place) -> bool {
        self.paths.relocate(key, from, to, || self.contents.relocate_name(digest, from, to))
    }

    /// The record of every name, in no order.
    pub fn for_each_name(&self, mut visit: impl FnMut(Place)) {
        self.paths.for_each(&mut visit);
    }

    /// The number that will be drawn next.
    #[must_use]
    pub fn next_lsn(&self) -> Lsn {
        Lsn(self.next_lsn.load(Ordering::Acquire))
    }

    /// Draws a number that no record will have: it tells what came before from what comes after.
    #[must_use]
    pub fn draw_mark(&self) -> Lsn {
        Lsn(self.next_lsn.fetch_add(1, Ordering::AcqRel))
    }

    /// Replay is over: drops contents without a name.
    pub fn drop_nameless(&self) {
        self.contents.drop_nameless();
    }

    fn publish_name(
        &self,
        key: PathKey,
        lsn: Lsn,
        place: Place,
        digest: &Digest,
        fingerprint: u64,
        release: bool,
    ) -> Option<Place> {
        let mut before = None;
        // Linked under the path's lock: of two who publish one path, the later must also link later.
        let link = |replaced| {
            before = replaced;
            self.contents.link(digest, lsn, place, replaced)
        };
        self.paths.put(key, lsn, place, fingerprint, release, link);
        before
    }

    /// Names stored.
    #[must_use]
    pub fn name_count(&self) -> u64 {
        self.paths.usage().0
    }

    /// Contents stored, names stored, bytes of memory the tables take.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (contents, content_bytes, table_bytes) = self.contents.usage();
        let (names, path_bytes) = self.paths.usage();
        Usage { contents, names, content_bytes, memory_bytes: table_bytes + path_bytes }
    }

    /// Every digest with what is stored under it, shard by shard, in no order.
    pub fn for_each_content(&self, mut visit: impl FnMut(&Digest, Content)) {
        self.contents.for_each(&mut visit);
    }
}

/// One less; gone with the last.
fn count_down<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// A core panicked in the middle of a change to a shard: nobody can say what it holds.
fn poisoned<T>(_: std::sync::PoisonError<T>) -> T {
    fatal::exit(fatal::Exit::Panicked, "a shard of the index was left half changed by a panic")
}

/// See [`Index::usage`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Contents stored.
    pub contents: u64,
    /// Names stored.
    pub names: u64,
    /// Bytes of the contents that stand in segments.
    pub content_bytes: u64,
    /// Bytes of memory the tables take.
    pub memory_bytes: usize,
}

#[cfg(test)]
mod tests;
