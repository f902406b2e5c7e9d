//! Following the log from outside: what its records did to names, segment by segment, each from where the follower is.
//!
//! Always:
//! - a record is handed over once the index shows what it did, or shows that something newer undid it; a batch with one
//!   that is still on its way is left for the next time. So who takes all batches of all segments, in whatever order,
//!   ends with what the index holds;
//! - what is handed over is flushed (with `durability commit`);
//! - of a segment that was freed while it was read nothing is handed over, and a read is short: who follows holds up nothing;
//! - segments are read as they are written, past the page cache: what stands behind the last batch must not get into it. Of
//!   the last batches the tables are in memory, and the disk is not asked.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Store;
use super::epoch::Entrance;
use super::error::ReadError;
use super::format::{Body, FIRST_BATCH_OFFSET, SegmentHeader};
use super::index::{Fate, Location, PathKey};
use super::read::StoredName;
use super::scan::{self, FoundBatch, SegmentHead, Window};
use super::segment::{self, Segment, Written};
use crate::base::digest::Digest;
use crate::base::ids::{BatchSeq, Lsn, SegmentId};
use crate::limits::{BLOCK_BYTES, SCAN_WINDOW_BYTES, TAIL_RECORDS_AT_ONCE, TAIL_WINDOW_BYTES};
use crate::runtime::buffer::Pool;
use crate::runtime::core::yield_now;
use crate::runtime::disk::{File, Open};

/// What a record did, as far as names go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A path means a content of so many bytes.
    Named {
        /// The path.
        key: PathKey,
        /// What the record says.
        name: Box<StoredName>,
        /// Bytes of the content; 0 where its record cannot be read.
        size: u64,
        /// The content has a file of its own.
        is_large: bool,
        /// Older names of this path may have been handed over.
        is_renewed: bool,
    },
    /// Names of lower numbers at this path are gone.
    PathDeleted(PathKey, Lsn),
    /// Names of lower numbers of this content are gone.
    ContentDeleted(Digest, Lsn),
}

/// A segment as one who follows sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// Which.
    pub segment: SegmentId,
    /// How far it is written.
    pub written: Written,
    /// Nothing more will be.
    pub is_final: bool,
}

/// What was read of a segment in one go.
#[derive(Debug)]
pub struct Taken {
    /// In the order of the log.
    pub changes: Vec<Change>,
    /// The greatest number of a record in it.
    pub greatest: Lsn,
    /// How far that is.
    pub reached: Written,
    /// Bytes of log records read.
    pub bytes: usize,
    /// The next batch says something that the index does not show yet.
    pub is_early: bool,
    /// Something could not be read, and was passed over.
    pub has_passed: bool,
}

/// What becomes of what the disk cannot read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// It may be read another time.
    Fails,
    /// It is as what does not check.
    Passed,
}

/// What becomes of it in one go, and whether there was any.
struct Passing {
    unreadable: Unreadable,
    has_passed: bool,
}

impl Passing {
    fn pass<T>(&mut self, read: io::Result<T>) -> io::Result<Option<T>> {
        match (self.unreadable, read) {
            (_, Ok(read)) => Ok(Some(read)),
            (Unreadable::Fails, Err(error)) => Err(error),
            (Unreadable::Passed, Err(_)) => {
                self.has_passed = true;
                Ok(None)
            }
        }
    }
}

/// One who follows the log of a store. Stays on its core.
pub struct Tail {
    store: Arc<Store>,
    pool: Pool,
    entrance: Entrance,
    /// See [`Tail::recovered`].
    recovered: Lsn,
    /// All mutations of lower numbers have ended. Kept, as copies that compaction makes count as active since the numbers they
    /// copy, and what has ended stays so.
    ended: Cell<Lsn>,
    /// Those that are read on.
    open: RefCell<HashMap<SegmentId, Rc<Source>>>,
}

/// A segment's file and header.
struct Source {
    file: File,
    header: Box<SegmentHeader>,
}

impl Tail {
    /// One that has read nothing.
    #[must_use]
    pub fn new(store: &Arc<Store>, pool: &Pool) -> Tail {
        store.recent.follow();
        Tail {
            store: store.clone(),
            pool: pool.clone(),
            entrance: store.epochs.join(),
            recovered: Lsn(store.recovered_through.load(Ordering::Relaxed)),
            ended: Cell::default(),
            open: RefCell::default(),
        }
    }

    /// No record of a greater number was in the log when the store was opened, unless it was damaged.
    #[must_use]
    pub fn recovered(&self) -> Lsn {
        self.recovered
    }

    /// Whose log it is.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// All mutations of lower numbers have ended: they are in the log, or never will be. Never falls.
    #[must_use]
    pub fn settled(&self) -> Lsn {
        // In this order: whoever draws a number has entered before.
        let next = self.store.index.next_lsn();
        let ended = self.store.epochs.oldest().map_or(next, |began| began.min(next));
        self.ended.set(ended.max(self.ended.get()));
        self.ended.get()
    }

    /// Those of these segments that are gone.
    #[must_use]
    pub fn gone(&self, segments: impl Iterator<Item = SegmentId>) -> Vec<SegmentId> {
        self.store.segments.missing(segments)
    }

    /// The segments that `is_wanted`, by number.
    #[must_use]
    pub fn ends(&self, is_wanted: impl Fn(SegmentId) -> bool) -> Vec<End> {
        let end = |segment: &Arc<Segment>| {
            // In this order: what is sealed is not written to any more.
            let is_final = segment.is_sealed();
            End { segment: segment.id, written: segment.written(), is_final }
        };
        let ends: Vec<End> = self.store.segments.some(is_wanted).iter().map(end).collect();
        // Of those that are written to a file stays open; of others as long as they are read in one go.
        let grows = |id: &SegmentId| {
            ends.binary_search_by_key(id, |end| end.segment).is_ok_and(|at| !ends[at].is_final)
        };
        self.open.borrow_mut().retain(|id, _| grows(id));
        ends
    }

    /// Segments that compaction has removed since the start.
    #[must_use]
    pub fn removed_segments(&self) -> u64 {
        self.store.compaction.segments.load(Ordering::Relaxed)
    }

    /// Reads a segment on from `from` (`None`: from its beginning) up to `to`, one of its [`Tail::ends`]; about
    /// `bytes_max` bytes of records at most. `None` if the segment is gone.
    ///
    /// # Errors
    /// What the disk gave; with [`Unreadable::Passed`] only that the file cannot be opened. A batch that does not check is
    /// passed over: recovery and scrubbing tell of those.
    pub async fn take(
        &self,
        segment: SegmentId,
        from: Option<Written>,
        to: Written,
        bytes_max: usize,
        unreadable: Unreadable,
    ) -> io::Result<Option<Taken>> {
        let _active = self.entrance.enter(self.store.index.next_lsn());
        let Some(segment) = self.store.segments.get(segment) else { return Ok(None) };
        let mut passing = Passing { unreadable, has_passed: false };
        let nothing = Taken {
            changes: Vec::new(),
            greatest: Lsn(0),
            reached: to,
            bytes: 0,
            is_early: false,
            has_passed: false,
        };
        let Some(source) = self.source(&segment, &mut passing).await? else {
            tracing::warn!(segment = %segment.id, "the head of a segment cannot be read; its names are not listed");
            return Ok(Some(Taken { has_passed: passing.has_passed, ..nothing }));
        };
        let Source { file, header } = &*source;
        let first = BatchSeq(header.first_batch.0 - 1);
        let reached = from.unwrap_or(Written { end: FIRST_BATCH_OFFSET, last_batch: first });
        let far = to.end.saturating_sub(reached.end) > SCAN_WINDOW_BYTES as u64;
        let window_bytes = match unreadable {
            // No block that is not needed.
            Unreadable::Passed => BLOCK_BYTES,
            Unreadable::Fails if far => SCAN_WINDOW_BYTES,
            Unreadable::Fails => TAIL_WINDOW_BYTES,
        };
        let mut window = Window::of(file, &self.pool, window_bytes);
        let mut taken = Taken { reached, ..nothing };
        // Records looked at since others went first.
        let mut unbroken = 0;
        while taken.reached.last_batch < to.last_batch && taken.bytes < bytes_max {
            let kept = self.kept_batch(header, taken.reached, to);
            let batch = match kept {
                Some(batch) => Some(batch),
                None => next_batch(&mut window, header, taken.reached, to, &mut passing).await?,
            };
            let Some(batch) = batch else {
                taken.reached = to;
                break;
            };
            let before = taken.changes.len();
            let Some(greatest) = self.interpret(&segment, &batch, &mut taken.changes, &mut passing).await?
            else {
                taken.changes.truncate(before);
                taken.is_early = true;
                break;
            };
            taken.greatest = taken.greatest.max(greatest);
            unbroken += batch.header.records as usize;
            if unbroken >= TAIL_RECORDS_AT_ONCE {
                unbroken = 0;
                yield_now().await;
            }
            taken.bytes += batch.table.len();
            taken.reached = Written { end: batch.header.end(), last_batch: batch.header.seq };
        }
        if segment.is_sealed() && taken.reached.last_batch >= segment.written().last_batch {
            self.open.borrow_mut().remove(&segment.id);
        }
        taken.has_passed = passing.has_passed;
        // It may have been freed and used again while it was read.
        Ok(self.store.segments.get(segment.id).map(|_| taken))
    }

    /// The batch behind `reached`, if its table is still in memory.
    fn kept_batch(&self, header: &SegmentHeader, reached: Written, to: Written) -> Option<FoundBatch> {
        let table = self.store.recent.get(header.segment, reached.end)?;
        let batch = scan::batch_of(&table, header, reached.end, to.end).ok()?;
        (batch.header.seq > reached.last_batch).then_some(batch)
    }

    /// `None` if its header cannot be read.
    async fn source(&self, segment: &Segment, passing: &mut Passing) -> io::Result<Option<Rc<Source>>> {
        if let Some(source) = self.open.borrow().get(&segment.id) {
            return Ok(Some(source.clone()));
        }
        let how = Open { direct: self.store.direct, ..Open::default() };
        let file = self.store.disk.open(&segment::path(segment.id), how).await?;
        let head = scan::read_head(&file, &self.pool, self.store.id, segment.id).await;
        let Some(SegmentHead::Open { header, .. }) = passing.pass(head)? else { return Ok(None) };
        let source = Rc::new(Source { file, header });
        self.open.borrow_mut().insert(segment.id, source.clone());
        Ok(Some(source))
    }

    /// Appends what the records of a batch did, and gives the greatest of their numbers. `None` if one of them is still on its
    /// way to the index.
    async fn interpret(
        &self,
        segment: &Segment,
        batch: &FoundBatch,
        changes: &mut Vec<Change>,
        passing: &mut Passing,
    ) -> io::Result<Option<Lsn>> {
        // Known before the index is asked.
        let settled = self.settled();
        let mut greatest = Lsn(0);
        let index = &self.store.index;
        for (number, (_, _, record)) in batch.records(segment.seed).enumerate() {
            if number > 0 && number.is_multiple_of(TAIL_RECORDS_AT_ONCE) {
                yield_now().await;
            }
            // Damage is told by those who look for it.
            let Ok(record) = record else { continue };
            let (lsn, ended) = (record.lsn, record.lsn < settled);
            greatest = greatest.max(lsn);
            match record.body {
                Body::Name(name) => {
                    let key = PathKey::new(name.namespace, &name.path);
                    let is_renewed = match index.fate_of_name(key, &name.digest, lsn, ended) {
                        Fate::NotYet => return Ok(None),
                        Fate::Over => continue,
                        Fate::Shown { is_renewed } => is_renewed,
                    };
                    // The index was told of none that is not.
                    let Ok(path) = String::from_utf8(name.path.into_owned()) else { continue };
                    let attributes = name.attributes.into_owned();
                    let stored = StoredName { lsn, time: record.time, digest: name.digest, path, attributes };
                    let (size, is_large) = self.size_of(&name.digest, passing).await?;
                    let name = Box::new(stored);
                    changes.push(Change::Named { key, name, size, is_large, is_renewed });
                }
                Body::DeleteName { namespace, path } => {
                    let key = PathKey::new(namespace, &path);
                    if !index.heeds_path_delete(key, lsn, ended) {
                        return Ok(None);
                    }
                    changes.push(Change::PathDeleted(key, lsn));
                }
                Body::DeleteContent(digest) => {
                    if !index.heeds_content_delete(&digest, lsn, ended) {
                        return Ok(None);
                    }
                    changes.push(Change::ContentDeleted(digest, lsn));
                }
                Body::Put(_)
                | Body::PutLarge(_)
                | Body::Attributes { .. }
                | Body::RetireSegment(_)
                | Body::RetireBlob(_)
                | Body::Unknown(_) => {}
            }
        }
        Ok(Some(greatest))
    }

    /// Bytes of a content, 0 of one whose record is damaged, which says nothing; and whether it has a file of its own.
    async fn size_of(&self, digest: &Digest, passing: &mut Passing) -> io::Result<(u64, bool)> {
        let Some(content) = self.store.index.content(digest) else { return Ok((0, false)) };
        match content.location {
            Location::Inline { len, .. } => Ok((u64::from(len), false)),
            Location::Large { record, entry_len, .. } => {
                match self.store.read_large(&self.pool, record, entry_len).await {
                    Ok(large) => Ok((large.len, true)),
                    // It may be read another time: what is entered is never asked for again.
                    Err(ReadError::Io(error)) => passing.pass(Err(error)).map(|_: Option<()>| (0, true)),
                    Err(ReadError::Damaged(_)) => Ok((0, true)),
                }
            }
        }
    }
}

/// The first batch behind `reached` that can be read and ends at `to` or before; `None` if there is none.
async fn next_batch(
    window: &mut Window<'_>,
    header: &SegmentHeader,
    reached: Written,
    to: Written,
    passing: &mut Passing,
) -> io::Result<Option<FoundBatch>> {
    let mut offset = reached.end;
    while offset < to.end {
        let found = scan::batch_at(window, header, offset, to.end).await;
        if let Some(Ok(batch)) = passing.pass(found)?
            && batch.header.seq > reached.last_batch
        {
            return Ok(Some(batch));
        }
        offset += BLOCK_BYTES as u64;
    }
    Ok(None)
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
