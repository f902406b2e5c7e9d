//! A store in the bench's own process, on one core and the real disk: the code the daemon stores with, without a network.

use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use rhinobox::ingest::{Ingest, Queue};
use rhinobox::limits::INLINE_BYTES_MAX;
use rhinobox::media::name::HASH_DIGITS;
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::core::launch;
use rhinobox::runtime::disk::Disk;
use rhinobox::runtime::sync::Semaphore;
use rhinobox::runtime::topology;
use rhinobox::store::{CheckpointPace, Choices, Durability, Lane, Store};

use super::Result;

/// Bytes of buffers that a core keeps, and that its slices may take.
pub(crate) const POOL_BYTES: usize = 64 << 20;

/// Runs `work` on a pinned core of its own, with an executor and a ring, to its end.
///
/// # Errors
/// What `work` says, or why there is no core.
pub(crate) fn on_a_core<T, F, Fut>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<T>> + 'static,
{
    let (sender, receiver) = mpsc::channel();
    let cores = launch(&topology::cpus(Some(1))?, move |_| {
        let (work, sender) = (work.clone(), sender.clone());
        async move {
            // The receiver waits for it below.
            let _ = sender.send(work().await);
        }
    })?;
    cores.join();
    receiver.recv()?
}

/// Makes a store in the empty folder `dir`, opens a lane, runs `work` and stops the lane.
///
/// # Errors
/// What `work` says, or why there is no store.
pub(crate) fn with_store<T, F, Fut>(dir: &Path, durability: Durability, pool: &Pool, work: F) -> Result<T>
where
    T: Send + 'static,
    F: Fn(Ingest) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<T>> + 'static,
{
    let (dir, pool) = (dir.to_path_buf(), pool.clone());
    on_a_core(move || {
        let (dir, pool, work) = (dir.clone(), pool.clone(), work.clone());
        async move {
            let choices = Choices {
                durability,
                segment_bytes: None,
                inline_bytes_max: INLINE_BYTES_MAX,
                checkpoint: CheckpointPace::default(),
                compaction_bytes_per_s: 0,
            };
            let (store, opened) = Store::open(Disk::uring(dir), &pool, choices).await?;
            let lane = Lane::start(&store, &pool, store.lane_starts(&opened.recovered, 1)[0]);
            let ingest = Ingest {
                index: store.index.handle(),
                store,
                lane: lane.clone(),
                pool,
                queue: Arc::new(Queue::default()),
                budget: Semaphore::new(POOL_BYTES),
                deal: Rc::new(Err),
                offload: Rc::new(Err),
                path_digits: HASH_DIGITS,
            };
            let result = work(ingest).await;
            lane.stop().await;
            result
        }
    })
}
