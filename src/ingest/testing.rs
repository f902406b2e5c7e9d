//! An [`Ingest`] on a fresh store of a simulated core, for unit tests.

use std::rc::Rc;
use std::sync::Arc;

use super::{Ingest, Queue};
use crate::limits::COMPACTION_BYTES_PER_S;
use crate::runtime::buffer::Pool;
use crate::runtime::disk::Disk;
use crate::runtime::sim::disk::SimDisk;
use crate::runtime::sync::Semaphore;
use crate::store::{CheckpointPace, Choices, Durability, Lane, Store};

/// With so many digits of the hash in paths.
pub(super) async fn ingest(path_digits: usize) -> Ingest {
    let pool = Pool::new(1 << 20);
    let choices = Choices {
        durability: Durability::Commit,
        segment_bytes: Some(1 << 20),
        inline_bytes_max: 4096,
        checkpoint: CheckpointPace::default(),
        compaction_bytes_per_s: COMPACTION_BYTES_PER_S,
    };
    let (store, opened) = Store::open(Disk::sim(SimDisk::new()), &pool, choices).await.unwrap();
    let lane = Lane::start(&store, &pool, store.lane_starts(&opened.recovered, 1)[0]);
    Ingest {
        index: store.index.handle(),
        store,
        lane,
        pool,
        queue: Arc::new(Queue::default()),
        budget: Semaphore::new(1 << 20),
        deal: Rc::new(Err),
        offload: Rc::new(Err),
        path_digits,
    }
}
