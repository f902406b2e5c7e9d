//! How many uploads are admitted, and how many files of them cores are storing, over all cores. Bounded.
//!
//! An upload takes one place before its body is asked for, and keeps it until it is answered. Its files take places, too,
//! while a core stores them. Always: who holds a place never waits for another's, so that no number of uploads can keep
//! each other from going on: what finds no place is stored in the upload's own ([`super::upload`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::FileError;
use crate::limits::{QUEUE_FILES_MAX, QUEUE_POLL_MS, QUEUE_WAIT_MS};
use crate::runtime::clock;
use crate::store::Lane;

/// The count.
#[derive(Debug, Default)]
pub struct Queue {
    files: AtomicUsize,
}

/// Places in the queue; gives them up when dropped.
#[derive(Debug)]
pub struct Admission {
    queue: Arc<Queue>,
    places: usize,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.queue.files.fetch_sub(self.places, Ordering::Relaxed);
    }
}

impl Queue {
    /// Places taken now.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.files.load(Ordering::Relaxed)
    }

    /// All places.
    #[must_use]
    pub fn capacity(&self) -> usize {
        QUEUE_FILES_MAX
    }

    /// So many places, if they are there.
    #[must_use]
    pub fn try_admit(self: &Arc<Self>, places: usize) -> Option<Admission> {
        let free = |taken: usize| taken.checked_add(places).filter(|taken| *taken <= QUEUE_FILES_MAX);
        let taken = self.files.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Admission { queue: Arc::clone(self), places })
    }

    /// The place of an upload on the core of this lane. While none is free it is waited for; while the lane is behind
    /// with its writing there is none at all. An upload that was admitted is not refused later.
    ///
    /// # Errors
    /// `Overloaded`: at once if the lane is behind, after a second in a full queue.
    pub async fn admit(self: &Arc<Self>, lane: &Lane) -> Result<Admission, FileError> {
        let deadline = clock::now_ns() + QUEUE_WAIT_MS * 1_000_000;
        loop {
            if lane.is_behind() {
                return Err(FileError::Overloaded);
            }
            if let Some(admission) = self.try_admit(1) {
                return Ok(admission);
            }
            if clock::now_ns() >= deadline {
                return Err(FileError::Overloaded);
            }
            clock::sleep(Duration::from_millis(QUEUE_POLL_MS)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_holds_its_capacity_and_not_one_more() {
        let queue = Arc::new(Queue::default());
        let held: Vec<_> = (0..QUEUE_FILES_MAX).map(|_| queue.try_admit(1).expect("there is room")).collect();
        assert!(queue.try_admit(1).is_none());
        assert!(queue.try_admit(0).is_some());
        assert_eq!(queue.depth(), QUEUE_FILES_MAX);
        drop(held);
        assert_eq!(queue.depth(), 0);
        assert!(queue.try_admit(QUEUE_FILES_MAX).is_some());
        assert!(queue.try_admit(QUEUE_FILES_MAX + 1).is_none());
        assert!(queue.try_admit(usize::MAX).is_none());
    }
}
