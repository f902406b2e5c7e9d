//! Segments that the disk does not read: how often each has failed in a row, and of which something was passed over.
//!
//! Always: a segment that is given up stays so until it is gone, or the daemon stops. Otherwise the second of two places that
//! cannot be read would bring the first one back, and the two would be tried in turn for ever.

use std::collections::{HashMap, HashSet};

use crate::base::ids::SegmentId;
use crate::limits::CATALOGUE_READ_TRIES;
use crate::store::tail::Unreadable;

#[derive(Default)]
pub(super) struct Lost {
    /// How often in a row, up to where it is given up.
    failed: HashMap<SegmentId, u32>,
    passed: HashSet<SegmentId>,
}

impl Lost {
    /// What becomes of what cannot be read of a segment.
    pub(super) fn unreadable(&self, segment: SegmentId) -> Unreadable {
        if self.is_given_up(segment) { Unreadable::Passed } else { Unreadable::Fails }
    }

    /// Whether something of it was passed over: how far it was read is not to be kept then.
    pub(super) fn has_passed(&self, segment: SegmentId) -> bool {
        self.passed.contains(&segment)
    }

    pub(super) fn note_failed(&mut self, segment: SegmentId) {
        *self.failed.entry(segment).or_default() += 1;
    }

    /// It was read on, with or without all that stands there.
    pub(super) fn note_read(&mut self, segment: SegmentId, has_passed: bool) {
        if has_passed && self.passed.insert(segment) {
            tracing::error!(%segment, "a part of the log cannot be read; names in it are not listed");
        }
        if !self.is_given_up(segment) {
            self.failed.remove(&segment);
        }
    }

    /// Those that it knows something of; some twice.
    pub(super) fn segments(&self) -> impl Iterator<Item = SegmentId> {
        self.failed.keys().chain(&self.passed).copied()
    }

    /// Forgets those that are not there any more.
    pub(super) fn retain(&mut self, is_there: impl Fn(SegmentId) -> bool) {
        self.failed.retain(|segment, _| is_there(*segment));
        self.passed.retain(|segment| is_there(*segment));
    }

    fn is_given_up(&self, segment: SegmentId) -> bool {
        self.failed.get(&segment).is_some_and(|times| *times >= CATALOGUE_READ_TRIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a segment, part by part, of which some cannot be read, as the follower does: from its beginning after each
    /// failure. Says how often it began, and how many parts it has in the end.
    fn read(parts: &[bool]) -> (u32, usize) {
        let (segment, mut lost) = (SegmentId(1), Lost::default());
        for begun in 1..100 {
            let mut read = 0;
            let is_whole = parts.iter().all(|is_readable| {
                let goes_on = *is_readable || lost.unreadable(segment) == Unreadable::Passed;
                if goes_on {
                    lost.note_read(segment, !is_readable);
                    read += usize::from(*is_readable);
                } else {
                    lost.note_failed(segment);
                }
                goes_on
            });
            if is_whole {
                assert_eq!(lost.has_passed(segment), read < parts.len());
                return (begun, read);
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn a_segment_is_read_to_its_end_however_many_places_of_it_are_lost() {
        let tries = CATALOGUE_READ_TRIES + 1;
        assert_eq!(read(&[true, true]), (1, 2));
        assert_eq!(read(&[false, true, true]), (tries, 2));
        assert_eq!(read(&[false, true, false, true, false]), (tries, 2));
    }

    #[test]
    fn failures_that_pass_by_themselves_do_not_add_up() {
        let (segment, mut lost) = (SegmentId(1), Lost::default());
        for _ in 0..3 * CATALOGUE_READ_TRIES {
            lost.note_failed(segment);
            lost.note_read(segment, false);
            assert_eq!(lost.unreadable(segment), Unreadable::Fails);
        }
    }

    #[test]
    fn a_segment_that_is_gone_is_forgotten() {
        let (segment, mut lost) = (SegmentId(1), Lost::default());
        (0..CATALOGUE_READ_TRIES).for_each(|_| lost.note_failed(segment));
        lost.note_read(segment, true);
        lost.retain(|_| false);
        assert!(lost.unreadable(segment) == Unreadable::Fails && !lost.has_passed(segment));
    }
}
