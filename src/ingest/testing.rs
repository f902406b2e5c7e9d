//! An [`Ingest`] on a fresh store of a simulated core, for unit tests.

use std::rc::Rc;
use std::sync::Arc;

use super::{Ingest, Queue};
use crate::runtime::buffer::Pool;
use crate::runtime::disk::Disk;
use crate::runtime::sim::disk::SimDisk;
use crate::runtime::sync::Semaphore;
use crate::store::{Choices, Lane, Store};

/// With so many digits of the hash in paths.
pub(super) async fn ingest(path_digits: usize) -> Ingest {
    let pool = Pool::new(1 << 20);
    let (store, opened) = Store::open(Disk::sim(SimDisk::new()), &pool, Choices::small()).await.unwrap();
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
