//! Which segments are worth compacting, and how urgent it is.

use std::collections::HashSet;
use std::sync::Arc;

use super::tombstones::Horizon;

use crate::base::ids::{Lsn, SegmentId};
use crate::limits::{COMPACTION_GAIN_PERCENT, SPACE_PERCENT_FULL_RATE, SPACE_PERCENT_OF_LIVE};
use crate::store::Store;
use crate::store::index::{Index, Location};
use crate::store::segment::Segment;

/// What a name's record takes, about. What is copied in the end is rather less.
const NAME_BYTES_ESTIMATE: u64 = 256;
/// What a put's entry and slot take.
const PUT_BYTES_ESTIMATE: u64 = 112;
/// The least share of the full rate, in percent: a segment that was begun slowly must not keep urgent ones waiting.
pub(super) const RATE_PERCENT_MIN: u64 = 33;

/// A segment that may be compacted.
pub(super) struct Candidate {
    pub(super) segment: Arc<Segment>,
    /// What lives in it, about.
    pub(super) live: u64,
}

/// The log as it stands.
pub(super) struct Survey {
    /// Bytes of all segments but those on their way out.
    pub(super) used: u64,
    /// Of these, what lives.
    pub(super) alive: u64,
    /// The deadest first.
    pub(super) candidates: Vec<Candidate>,
    /// Some look dead because somebody may still be entering in the index what they hold.
    pub(super) waiting: bool,
}

/// Bytes of all segments but those on their way out.
pub(super) fn bytes_used(store: &Store) -> u64 {
    store.segments.all().iter().filter(|segment| !segment.is_emptied()).map(|segment| segment.bytes()).sum()
}

/// The segments of which the index shows, from now on, all that lives in them.
pub(super) fn settled(store: &Store) -> HashSet<SegmentId> {
    let all = store.segments.all();
    let sealed: Vec<_> =
        all.iter().filter(|it| it.is_sealed()).map(|segment| (segment.id, segment.sealed_at())).collect();
    // Behind that: all these marks were drawn before.
    let oldest = store.epochs.oldest();
    let is_settled = |mark: Lsn| oldest.is_none_or(|began| began > mark);
    sealed.into_iter().filter(|(_, mark)| is_settled(*mark)).map(|(id, _)| id).collect()
}

impl Survey {
    /// The log, of which `live` was counted after these were settled.
    pub(super) fn of(
        store: &Store,
        (settled, live): (&HashSet<SegmentId>, &LiveBytes),
        horizon: &Horizon<'_>,
        is_unfit: impl Fn(&Segment) -> bool,
    ) -> Survey {
        let mut survey = Survey { used: 0, alive: 0, candidates: Vec::new(), waiting: false };
        let last_of_lanes = store.segments.last_of_lanes();
        for segment in store.segments.all().into_iter().filter(|segment| !segment.is_emptied()) {
            let bytes = segment.bytes();
            let kept = if horizon.may_forget(&segment) { 0 } else { segment.kept() };
            let live = live.of(segment.id) + kept;
            // What was written while it was counted is not dead because it was not seen.
            let is_settled = settled.contains(&segment.id);
            survey.used += bytes;
            survey.alive += if is_settled { live.min(bytes) } else { bytes };
            let is_worth_it = segment.is_sealed()
                && last_of_lanes.get(&segment.lane) != Some(&segment.id)
                && live * 100 <= bytes * (100 - COMPACTION_GAIN_PERCENT)
                && !is_unfit(&segment);
            if !is_worth_it {
                continue;
            }
            if is_settled {
                survey.candidates.push(Candidate { segment, live });
            } else {
                survey.waiting = true;
            }
        }
        survey.candidates.sort_by_key(|it| it.live * 1_000 / it.segment.bytes().max(1));
        survey
    }

    /// How much of the full rate is called for; `None` while the log is within bounds of what lives.
    pub(super) fn rate_percent(&self) -> Option<u64> {
        let percent = self.used * 100 / self.alive.max(1);
        let beyond = percent.checked_sub(SPACE_PERCENT_OF_LIVE).filter(|beyond| *beyond > 0)?;
        let share = beyond * 100 / (SPACE_PERCENT_FULL_RATE - SPACE_PERCENT_OF_LIVE);
        Some(share.clamp(RATE_PERCENT_MIN, 100))
    }
}

/// Bytes of each segment that the index shows, about.
pub(super) struct LiveBytes {
    /// From the segment with this number on.
    first: SegmentId,
    bytes: Vec<u64>,
}

impl LiveBytes {
    /// Looks at all contents and names. `first` is the lowest segment there is.
    pub(super) fn count(index: &Index, first: SegmentId) -> LiveBytes {
        let mut live = LiveBytes { first, bytes: Vec::new() };
        index.for_each_content(|_, content| match content.location {
            Location::Inline { segment, len, .. } => live.add(segment, u64::from(len) + PUT_BYTES_ESTIMATE),
            Location::Large { record, entry_len, .. } => live.add(record.segment, u64::from(entry_len)),
        });
        index.for_each_name(|place| live.add(place.segment, NAME_BYTES_ESTIMATE));
        live
    }

    fn add(&mut self, segment: SegmentId, bytes: u64) {
        // What is replayed may name a segment that is gone; nobody asks for it.
        let Some(at) = segment.0.checked_sub(self.first.0) else { return };
        let at = at as usize;
        if at >= self.bytes.len() {
            self.bytes.resize(at + 1, 0);
        }
        self.bytes[at] += bytes;
    }

    fn of(&self, segment: SegmentId) -> u64 {
        segment.0.checked_sub(self.first.0).and_then(|at| self.bytes.get(at as usize)).copied().unwrap_or(0)
    }
}
