//! The tables of the batches written last, in memory, for who follows the log closely: reading them back would keep the
//! disk from the next batches.
//!
//! Always: a table here is what the log holds, byte for byte, and no sooner than its commit is over; it may be gone at any
//! time, and then the log is read; none is kept before somebody follows.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::base::ids::SegmentId;
use crate::limits::RECENT_TABLES_BYTES_MAX;

/// Where a batch begins.
type Begin = (SegmentId, u64);

/// Tables of all lanes.
#[derive(Default)]
pub(super) struct Recent {
    is_followed: AtomicBool,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    by_begin: HashMap<Begin, Bytes>,
    /// The oldest first.
    order: VecDeque<Begin>,
    bytes: usize,
}

impl Recent {
    /// Tables are kept from now on.
    pub(super) fn follow(&self) {
        self.is_followed.store(true, Ordering::Relaxed);
    }

    /// A batch with this table was committed at `offset` of a segment.
    pub(super) fn note(&self, segment: SegmentId, offset: u64, table: &[u8]) {
        if !self.is_followed.load(Ordering::Relaxed) || table.len() > RECENT_TABLES_BYTES_MAX {
            return;
        }
        let table = Bytes::copy_from_slice(table);
        let mut tables = self.lock();
        tables.bytes += table.len();
        tables.order.push_back((segment, offset));
        tables.by_begin.insert((segment, offset), table);
        while tables.bytes > RECENT_TABLES_BYTES_MAX
            && let Some(oldest) = tables.order.pop_front()
        {
            tables.bytes -= tables.by_begin.remove(&oldest).map_or(0, |table| table.len());
        }
    }

    /// The table of the batch that begins there, if it is kept.
    pub(super) fn get(&self, segment: SegmentId, offset: u64) -> Option<Bytes> {
        self.lock().by_begin.get(&(segment, offset)).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        // Nothing panics under it.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_tables_are_kept_within_the_bound_once_somebody_follows() {
        let recent = Recent::default();
        recent.note(SegmentId(1), 0, &[0; 10]);
        assert_eq!(recent.get(SegmentId(1), 0), None, "nobody follows");
        recent.follow();
        let table = |number: u8| vec![number; RECENT_TABLES_BYTES_MAX / 4];
        for number in 0..10 {
            recent.note(SegmentId(1), u64::from(number), &table(number));
        }
        recent.note(SegmentId(2), 9, &vec![1; RECENT_TABLES_BYTES_MAX + 1]);
        for number in 0..10 {
            let kept = (number >= 6).then(|| table(number).into());
            assert!(recent.get(SegmentId(1), u64::from(number)) == kept, "{number}");
        }
        assert_eq!(recent.get(SegmentId(2), 9), None, "larger than all of them may be");
        let tables = recent.lock();
        assert_eq!(tables.by_begin.len(), tables.order.len());
    }
}
