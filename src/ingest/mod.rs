//! One upload, from its first byte to durable and named.
//!
//! [`Upload`] takes the files of a request in the order they arrive. Small ones are staged in memory and
//! processed in [`mod@slice`]s, here or on another core; a big one streams into a blob file ([`large`]) while it is hashed
//! ([`hashing`]). When the request is complete every file gets its name ([`naming`]). A request that fits one
//! slice commits contents and names in one batch: one flush.
//!
//! Always: nothing is answered that is not flushed (with `durability=os`: that the kernel does not have). A request that
//! was not received in full names nothing, unless its answer streams: then each file is final when it has its line.

pub mod amend;
pub mod error;
pub mod hashing;
pub mod large;
pub mod naming;
pub mod queue;
pub mod slice;
pub mod stages;
pub mod staging;
#[cfg(test)]
mod testing;
pub mod upload;

use std::rc::Rc;
use std::sync::Arc;

use crate::runtime::buffer::Pool;
use crate::runtime::sync::Semaphore;
use crate::store::index::Handle;
use crate::store::{Lane, Store};

pub use error::FileError;
pub use hashing::{HashJob, Offload};
pub use queue::Queue;
pub use slice::Slice;
pub use stages::{Laps, Stage};
pub use upload::{Mode, Terms, Upload};

/// Gives a slice to another core. Hands it back if none can take it.
pub type Deal = Rc<dyn Fn(Slice) -> Result<(), Slice>>;

/// What an upload needs of the core it is on. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    /// The store.
    pub store: Arc<Store>,
    /// This core's hold on the store's index.
    pub index: Handle,
    /// This core's lane.
    pub lane: Rc<Lane>,
    /// This core's buffers.
    pub pool: Pool,
    /// Files admitted and not yet stored, of all cores.
    pub queue: Arc<Queue>,
    /// Bytes that slices on their way may take on this core.
    pub budget: Semaphore,
    /// Gives slices to other cores.
    pub deal: Deal,
    /// Gives hashing to idle cores.
    pub offload: Offload,
    /// How many digits of the hash a path has; fewer in tests, to make paths clash.
    pub path_digits: usize,
}
