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

/// A file's place in the queue; gives it up when dropped.
#[derive(Debug)]
pub struct Admission(Arc<Queue>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.files.fetch_sub(1, Ordering::Relaxed);
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

    /// A place, if there is one.
    #[must_use]
    pub fn try_admit(self: &Arc<Self>) -> Option<Admission> {
        let before = self.files.fetch_add(1, Ordering::Relaxed);
        let admission = Admission(Arc::clone(self));
        (before < QUEUE_FILES_MAX).then_some(admission)
    }

    /// A place, waiting for one for a second. The socket is not read meanwhile.
    ///
    /// # Errors
    /// `QueueFull` after that second.
    pub async fn admit(self: &Arc<Self>) -> Result<Admission, FileError> {
        let deadline = clock::now_ns() + QUEUE_WAIT_MS * 1_000_000;
        loop {
            if let Some(admission) = self.try_admit() {
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
        let held: Vec<_> = (0..QUEUE_FILES_MAX).map(|_| queue.try_admit().expect("there is room")).collect();
        assert!(queue.try_admit().is_none());
        assert_eq!(queue.depth(), QUEUE_FILES_MAX);
        drop(held);
        assert_eq!(queue.depth(), 0);
        assert!(queue.try_admit().is_some());
    }
}
