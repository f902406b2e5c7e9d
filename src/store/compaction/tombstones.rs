//! When the record of a delete may be forgotten: it is needed as long as a record that it forbids may be left anywhere.
//!
//! What it forbids has lower numbers, and stands in segments that there were when it was written, or, copied while it was
//! live, in those that there were when the delete took effect. A segment's *guard* is the number that the next segment
//! will have, at a moment when that is over: the segment is sealed, everyone who was active then has ended, and no copy
//! is on its way. What its deletes forbid never comes to a segment from the guard on: the index no longer shows it.
//!
//! So when a segment is emptied, its deletes are left behind if
//!
//! - every other segment has a number from the guard on, and the directory is flushed, so that none of those that are
//!   gone comes back;
//! - the checkpoint was made after all of the segment: an older one may show what they took away;
//! - nothing in the log is damaged: that may be an older record, and readable another day.
//!
//! If not, they are copied, and the segment of the copies takes over their guard. Where old segments are all alive deletes
//! pile up. When they take a certain share of what lives, the oldest segments are rewritten, however much of them lives,
//! and lanes that hardly write begin new ones.

use std::sync::atomic::Ordering;

use super::survey::Candidate;
use crate::base::ids::SegmentId;
use crate::limits::{TOMBSTONES_BYTES_MIN, TOMBSTONES_SHARE};
use crate::store::Store;
use crate::store::segment::Segment;

/// Gives guards to the segments that can have one now. Not while something is copied.
pub(super) fn set_guards(store: &Store) {
    for segment in store.segments.all() {
        if segment.guard().is_none() && store.is_settled(&segment) {
            // Read after it was found that they have passed: what they wrote is below it.
            segment.raise_guard(SegmentId(store.next_segment.load(Ordering::Acquire)));
        }
    }
}

/// Which deletes may be forgotten, as things stand.
pub(super) struct Horizon<'a> {
    store: &'a Store,
    /// Nothing forbids it of all segments.
    is_clear: bool,
    /// The lowest segment there is, and the lowest of the others.
    lowest: [SegmentId; 2],
}

impl Horizon<'_> {
    /// `is_synced` says whether the directory of segments was flushed since the last one was removed.
    pub(super) fn of(store: &Store, is_synced: bool) -> Horizon<'_> {
        let mut lowest = [SegmentId(u32::MAX); 2];
        for segment in store.segments.all() {
            if segment.id < lowest[0] {
                lowest = [segment.id, lowest[0]];
            } else {
                lowest[1] = lowest[1].min(segment.id);
            }
        }
        Horizon { store, is_clear: is_synced && store.log_damage().is_empty(), lowest }
    }

    /// Whether the deletes recorded in a segment may be left behind when it is emptied; see the module.
    pub(super) fn may_forget(&self, segment: &Segment) -> bool {
        let others = if segment.id == self.lowest[0] { self.lowest[1] } else { self.lowest[0] };
        self.is_clear
            && segment.guard().is_some_and(|guard| guard <= others)
            && self.store.checkpoint.covers(segment)
    }
}

/// The segment to be rewritten next so that deletes may be forgotten, if they have piled up beside `alive` bytes that
/// live. Lanes that hardly write are told to begin new segments.
pub(super) fn oldest_in_the_way(
    store: &Store,
    alive: u64,
    is_unfit: impl Fn(&Segment) -> bool,
) -> Option<Candidate> {
    let segments = store.segments.all();
    let kept: u64 = segments.iter().map(|segment| segment.kept()).sum();
    if kept < TOMBSTONES_BYTES_MIN || kept * TOMBSTONES_SHARE < alive || !store.log_damage().is_empty() {
        return None;
    }
    // Without a checkpoint behind them none would be forgotten.
    let covered = segments.iter().filter(|segment| segment.kept() > 0 && store.checkpoint.covers(segment));
    let guard = covered.filter_map(|segment| segment.guard()).max()?;
    let in_the_way = segments.iter().filter(|segment| segment.id < guard && !segment.is_emptied());
    if in_the_way.clone().any(|segment| is_unfit(segment)) {
        // It stays, and so would they all.
        return None;
    }
    store.renew_below.fetch_max(guard.0, Ordering::Relaxed);
    let last_of_lanes = store.segments.last_of_lanes();
    let oldest = in_the_way
        .filter(|segment| last_of_lanes.get(&segment.lane) != Some(&segment.id))
        .find(|segment| store.is_settled(segment))?;
    Some(Candidate { segment: oldest.clone(), live: oldest.bytes() })
}
