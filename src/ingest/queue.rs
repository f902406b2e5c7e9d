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
        let mut deadline_ns = None;
        loop {
            if lane.is_behind() {
                return Err(FileError::Overloaded);
            }
            if let Some(admission) = self.try_admit(1) {
                return Ok(admission);
            }
            let now_ns = clock::now_ns();
            if now_ns >= *deadline_ns.get_or_insert(now_ns + QUEUE_WAIT_MS * 1_000_000) {
                return Err(FileError::Overloaded);
            }
            clock::sleep(Duration::from_millis(QUEUE_POLL_MS)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ingest::staging::Declared;
    use crate::ingest::testing::ingest;
    use crate::ingest::upload::TermsBody;
    use crate::ingest::{Ingest, Mode, Upload};
    use crate::limits::SLICE_FILES;
    use crate::runtime::core::spawn;
    use crate::runtime::sim::Sim;
    use crate::runtime::sync::oneshot;

    /// A batch as a connection sends it; how many of its files were stored.
    async fn send(ingest: &Ingest, batch: usize, files: usize) -> usize {
        let _place = ingest.queue.admit(&ingest.lane).await.unwrap();
        let mut upload = Upload::new(ingest, Mode::AtEnd);
        for number in 0..files {
            let name = format!("{batch}-{number}.txt");
            let content = Bytes::from(name.clone());
            upload.begin(Declared { name: name.into(), ..Declared::default() }, None).await.unwrap();
            upload.data(content).await.unwrap();
            upload.end(None).await.unwrap();
        }
        let outcomes = upload.finish(&Arc::new(TermsBody::default())).await;
        outcomes.iter().filter(|outcome| outcome.is_ok()).count()
    }

    #[test]
    fn batches_that_share_a_full_queue_all_go_on() {
        const BATCHES: usize = 6;
        const FILES: usize = 3 * SLICE_FILES - 1;
        // Places for the batches alone; for one slice of them all; for some.
        for (seed, free) in [(1, 0), (2, SLICE_FILES), (3, SLICE_FILES - 1), (4, 3 * SLICE_FILES)] {
            let work = async move {
                let ingest = ingest(12).await;
                let others = ingest.queue.try_admit(QUEUE_FILES_MAX - BATCHES - free).unwrap();
                let mut stored = Vec::new();
                for batch in 0..BATCHES {
                    let (sender, receiver) = oneshot::channel();
                    let ingest = ingest.clone();
                    spawn(async move { sender.send(send(&ingest, batch, FILES).await) });
                    stored.push(receiver);
                }
                for stored in stored {
                    assert_eq!(stored.await, Some(FILES));
                }
                assert_eq!(ingest.queue.depth(), QUEUE_FILES_MAX - BATCHES - free);
                drop(others);
                assert_eq!(ingest.queue.depth(), 0);
            };
            Sim::new(seed, 1).run(|| work).done();
        }
    }

    #[test]
    fn who_finds_the_queue_full_for_a_second_is_refused() {
        let work = async {
            let ingest = ingest(12).await;
            let others = ingest.queue.try_admit(QUEUE_FILES_MAX).unwrap();
            let begun = clock::now_ns();
            assert_eq!(ingest.queue.admit(&ingest.lane).await.unwrap_err(), FileError::Overloaded);
            assert!(clock::now_ns() - begun >= QUEUE_WAIT_MS * 1_000_000);
            // And who finds it full for less is not.
            let queue = ingest.queue.clone();
            spawn(async move {
                clock::sleep(Duration::from_millis(QUEUE_WAIT_MS / 2)).await;
                drop(others);
            });
            let place = ingest.queue.admit(&ingest.lane).await.unwrap();
            assert_eq!(queue.depth(), 1);
            drop(place);
            assert_eq!(queue.depth(), 0);
        };
        Sim::new(5, 1).run(|| work).done();
    }

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
