//! How many files are admitted and not yet stored, over all cores. Bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::FileError;
use crate::limits::{QUEUE_FILES_MAX, QUEUE_POLL_MS, QUEUE_WAIT_MS};
use crate::runtime::clock;

/// The count.
#[derive(Debug, Default)]
pub struct Queue {
    files: AtomicUsize,
}

/// Places in the queue, for one file or several; gives them up when dropped.
#[derive(Debug)]
pub struct Admission {
    queue: Arc<Queue>,
    places: usize,
}

impl Admission {
    /// No place.
    #[must_use]
    pub fn none(queue: &Arc<Queue>) -> Admission {
        Admission { queue: Arc::clone(queue), places: 0 }
    }

    /// Places held.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places
    }

    /// Hands one of them to `other`, if there is one.
    pub fn give_one_to(&mut self, other: &mut Admission) -> bool {
        let any = self.places > 0;
        if any {
            self.places -= 1;
            other.places += 1;
        }
        any
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.places > 0 {
            self.queue.files.fetch_sub(self.places, Ordering::Relaxed);
        }
    }
}

impl Queue {
    /// Files in it now.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.files.load(Ordering::Relaxed)
    }

    /// The most files it holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        QUEUE_FILES_MAX
    }

    /// So many places, if they are there.
    #[must_use]
    pub fn try_admit(self: &Arc<Self>, places: usize) -> Option<Admission> {
        let before = self.files.fetch_add(places, Ordering::Relaxed);
        let admission = Admission { queue: Arc::clone(self), places };
        (before + places <= QUEUE_FILES_MAX).then_some(admission)
    }

    /// A place, waiting for one for a second. The socket is not read meanwhile.
    ///
    /// # Errors
    /// `QueueFull` after that second.
    pub async fn admit(self: &Arc<Self>) -> Result<Admission, FileError> {
        let deadline = clock::now_ns() + QUEUE_WAIT_MS * 1_000_000;
        loop {
            if let Some(admission) = self.try_admit(1) {
                return Ok(admission);
            }
            if clock::now_ns() >= deadline {
                return Err(FileError::QueueFull);
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
        assert_eq!(queue.depth(), QUEUE_FILES_MAX);
        drop(held);
        assert_eq!(queue.depth(), 0);
        assert!(queue.try_admit(QUEUE_FILES_MAX).is_some());
        assert!(queue.try_admit(QUEUE_FILES_MAX + 1).is_none());
    }
}
