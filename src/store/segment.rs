//! Segments as readers see them: which there are, what their checksums start from, and their open files.
//!
//! Always: no block of a segment comes into the page cache before the batch in it was written, for stale zeros could
//! stay there: a segment is read without reading ahead, and no further than it was written. Where a page is larger than
//! a block, one that is still written to is read past the page cache.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::format::{FIRST_BATCH_OFFSET, SegmentHeader};
use crate::base::crc::Seed;
use crate::base::ids::{BatchSeq, LaneId, Lsn, SegmentId};
use crate::runtime::disk::{Disk, File, Open};

/// The directory of segments.
pub const DIRECTORY: &str = "segments";

/// The file of a segment.
#[must_use]
pub fn path(segment: SegmentId) -> String {
    format!("{DIRECTORY}/{segment}.seg")
}

/// Where a segment's file is filled with zeros before it gets its name.
#[must_use]
pub fn unfinished_path(segment: SegmentId) -> String {
    format!("{DIRECTORY}/{segment}.new")
}

/// Whether a file of this name was being filled when its process ended.
#[must_use]
pub fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".new").is_some_and(|digits| digits.len() == 8 && is_hex(digits))
}

/// The segment whose file has this name.
#[must_use]
pub fn parse_name(name: &str) -> Option<SegmentId> {
    let digits = name.strip_suffix(".seg").filter(|digits| digits.len() == 8 && is_hex(digits))?;
    u32::from_str_radix(digits, 16).ok().filter(|number| *number != 0).map(SegmentId)
}

/// Digits only: `from_str_radix` also takes a sign.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// One segment.
#[derive(Debug)]
pub struct Segment {
    /// Its number.
    pub id: SegmentId,
    /// What its checksums start from.
    pub seed: Seed,
    /// The lane it belongs to.
    pub lane: LaneId,
    /// The one before it in its lane.
    pub predecessor: Option<SegmentId>,
    sealed: AtomicBool,
    written: Mutex<Written>,
    /// A number that was drawn when it was sealed.
    sealed_at: AtomicU64,
    /// All that lives in it was copied.
    emptied: AtomicBool,
    /// Bytes of records that are kept although the index does not show them, as far as this run has written them.
    kept: AtomicU64,
    /// See [`Segment::guard`]; 0 while there is none.
    guard: AtomicU32,
}

/// How far a segment was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// Bytes up to the end of the last batch.
    pub end: u64,
    /// The last batch, or the one before the segment's first.
    pub last_batch: BatchSeq,
}

impl Segment {
    /// Whether nothing will be written to it any more.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// Bytes up to its end, a whole number of blocks.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written().end
    }

    /// How far it was written; with `durability commit`, flushed.
    #[must_use]
    pub fn written(&self) -> Written {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another batch was. Before anyone who waits for it is told.
    pub fn note_written(&self, written: Written) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = written;
    }

    /// A number that was drawn when it was sealed: whoever began after that has written nothing to it.
    #[must_use]
    pub fn sealed_at(&self) -> Lsn {
        Lsn(self.sealed_at.load(Ordering::Relaxed))
    }

    /// Whether all that lives in it was copied.
    #[must_use]
    pub fn is_emptied(&self) -> bool {
        self.emptied.load(Ordering::Acquire)
    }

    /// All that lives in it was copied.
    pub fn mark_emptied(&self) {
        self.emptied.store(true, Ordering::Release);
    }

    /// Bytes of records that are kept although the index does not show them; without those of earlier runs.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }

    /// More of them.
    pub fn note_kept(&self, bytes: u64) {
        self.kept.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What the deletes recorded in it forbid stands in segments below this one only. `None` while that is not known.
    #[must_use]
    pub fn guard(&self) -> Option<SegmentId> {
        Some(SegmentId(self.guard.load(Ordering::Relaxed))).filter(|guard| guard.0 > 0)
    }

    /// Gives it this guard, if it has no higher one.
    pub fn raise_guard(&self, guard: SegmentId) {
        self.guard.fetch_max(guard.0, Ordering::Relaxed);
    }
}

/// All segments of a store.
pub struct Segments {
    disk: Disk,
    open_past_cache: bool,
    open_max: usize,
    known: RwLock<BTreeMap<SegmentId, Arc<Segment>>>,
    retired: Mutex<BTreeSet<SegmentId>>,
    open: Mutex<OpenFiles>,
    /// The lanes that are written in this run; `None` while that is not known.
    lanes_in_use: Mutex<Option<HashSet<LaneId>>>,
}

#[derive(Default)]
struct OpenFiles {
    files: HashMap<(SegmentId, bool), File>,
    /// In the order of opening; the oldest is closed first.
    order: VecDeque<(SegmentId, bool)>,
}

impl Segments {
    /// No segments yet. `open_past_cache` says whether those that are still written to must be read past the page cache,
    /// `open_max` how many files are held open for readers.
    #[must_use]
    pub fn new(disk: Disk, open_past_cache: bool, open_max: usize) -> Segments {
        Segments {
            disk,
            open_past_cache,
            open_max,
            known: RwLock::default(),
            retired: Mutex::default(),
            open: Mutex::default(),
            lanes_in_use: Mutex::default(),
        }
    }

    /// The lanes that are written in this run, and no others.
    pub fn set_lanes_in_use(&self, lanes: HashSet<LaneId>) {
        *self.lanes_in_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(lanes);
    }

    /// Makes a segment known to readers. `sealed` is its end, if nothing will be written to it any more.
    pub fn add(&self, header: &SegmentHeader, sealed: Option<Written>) -> Arc<Segment> {
        let id = header.segment;
        let none = Written { end: FIRST_BATCH_OFFSET, last_batch: BatchSeq(header.first_batch.0 - 1) };
        let segment = Arc::new(Segment {
            id,
            seed: header.nonce.seed(id),
            lane: header.lane,
            predecessor: header.predecessor.map(|before| before.segment),
            sealed: AtomicBool::new(sealed.is_some()),
            written: Mutex::new(sealed.unwrap_or(none)),
            sealed_at: AtomicU64::new(0),
            emptied: AtomicBool::new(false),
            kept: AtomicU64::new(0),
            guard: AtomicU32::new(0),
        });
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, segment.clone());
        segment
    }

    /// Nothing will be written to it any more. `mark` is a number drawn now.
    pub fn mark_sealed(&self, id: SegmentId, mark: Lsn) {
        if let Some(segment) = self.get(id) {
            segment.sealed_at.store(mark.0, Ordering::Relaxed);
            segment.sealed.store(true, Ordering::Release);
        }
    }

    /// The segment of this number.
    #[must_use]
    pub fn get(&self, id: SegmentId) -> Option<Arc<Segment>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// It is gone: readers no longer find it.
    pub fn remove(&self, id: SegmentId) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let mut open = self.lock_open();
        open.files.retain(|(segment, _), _| *segment != id);
        open.order.retain(|(segment, _)| *segment != id);
    }

    /// All, by number.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Segment>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Those of these that are not there.
    #[must_use]
    pub fn missing(&self, ids: impl Iterator<Item = SegmentId>) -> Vec<SegmentId> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        ids.filter(|id| !known.contains_key(id)).collect()
    }

    /// Those that `is_wanted`, by number.
    #[must_use]
    pub fn some(&self, is_wanted: impl Fn(SegmentId) -> bool) -> Vec<Arc<Segment>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|(id, _)| is_wanted(**id)).map(|(_, segment)| segment.clone()).collect()
    }

    /// Those that are still written to.
    #[must_use]
    pub fn open(&self) -> Vec<Arc<Segment>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().filter(|segment| !segment.is_sealed()).cloned().collect()
    }

    /// The first of the sealed ones behind this number.
    #[must_use]
    pub fn sealed_after(&self, id: SegmentId) -> Option<Arc<Segment>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let behind = (Bound::Excluded(id), Bound::Unbounded);
        known.range(behind).map(|(_, segment)| segment).find(|segment| segment.is_sealed()).cloned()
    }

    /// The last segment of every lane in use: it will be named by its successor.
    #[must_use]
    pub fn last_of_lanes(&self) -> HashMap<LaneId, SegmentId> {
        let in_use = self.lanes_in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let used = known.values().filter(|it| in_use.as_ref().is_none_or(|lanes| lanes.contains(&it.lane)));
        // In the order of their numbers, which grow within a lane.
        used.map(|segment| (segment.lane, segment.id)).collect()
    }

    /// Whether a segment's header names this one as the one before it.
    #[must_use]
    pub fn is_named_as_predecessor(&self, id: SegmentId) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().any(|segment| segment.predecessor == Some(id))
    }

    /// A segment is gone, and a record says so.
    pub fn note_retired(&self, id: SegmentId) {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    /// Those that are gone, and that others still name as the one before them.
    #[must_use]
    pub fn retired(&self) -> Vec<SegmentId> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let named: HashSet<SegmentId> = known.values().filter_map(|segment| segment.predecessor).collect();
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.iter().filter(|id| named.contains(id)).copied().collect()
    }

    /// How far each was written.
    #[must_use]
    pub fn written(&self) -> Vec<(SegmentId, Written)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().map(|segment| (segment.id, segment.written())).collect()
    }

    /// Bytes written in all of them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().map(|segment| segment.bytes()).sum()
    }

    /// Number of segments.
    #[must_use]
    pub fn count(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Its file, open for reading.
    ///
    /// # Errors
    /// What opening it gave.
    pub async fn file(&self, segment: &Segment) -> io::Result<File> {
        let direct = self.open_past_cache && !segment.is_sealed();
        let key = (segment.id, direct);
        if let Some(file) = self.lock_open().files.get(&key) {
            return Ok(file.clone());
        }
        let how = Open { direct, random: true, ..Open::default() };
        let file = self.disk.open(&path(segment.id), how).await?;
        let mut open = self.lock_open();
        if open.files.insert(key, file.clone()).is_none() {
            open.order.push_back(key);
        }
        if open.order.len() > self.open_max
            && let Some(oldest) = open.order.pop_front()
        {
            open.files.remove(&oldest);
        }
        Ok(file)
    }

    fn lock_open(&self) -> std::sync::MutexGuard<'_, OpenFiles> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        assert_eq!(path(SegmentId(0x1a)), "segments/0000001a.seg");
        assert_eq!(parse_name("0000001a.seg"), Some(SegmentId(0x1a)));
        for name in ["1a.seg", "0000001a", "0000001g.seg", "00000000.seg", "+000001a.seg"] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }
}
