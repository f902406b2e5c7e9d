//! The next segment of a lane, made ready before it is needed: created, filled with zeros, flushed, its
//! name durable. A durable write into written zeros costs less than half of one into merely allocated space.
//!
//! Always: at most one prepared segment waits for a lane; a file that has a segment's name is zeros throughout
//! until its lane writes the header. While it is filled it has another name: what new blocks hold is not promised.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::error::is_no_space;
use super::segment;
use crate::base::ids::SegmentId;
use crate::limits::{PROVISION_RETRY_MS, ZERO_WRITE_BYTES};
use crate::runtime::buffer::Pool;
use crate::runtime::clock;
use crate::runtime::core::spawn;
use crate::runtime::disk::{File, Open};
use crate::runtime::sync::Notify;

/// A segment file that nothing was written to yet.
pub struct Prepared {
    /// Its number.
    pub id: SegmentId,
    /// Its file, open for writing as the flush method wants it.
    pub file: File,
    /// Its bytes.
    pub size: u64,
}

/// Prepares segments for one lane.
pub struct Provisioner {
    state: RefCell<State>,
    /// Something changed: a segment is ready, there is no space, or one was taken.
    changed: Notify,
    stopped: Cell<bool>,
    /// The task has ended.
    ended: Notify,
}

enum State {
    Preparing,
    Ready(Prepared),
    NoSpace,
}

impl Provisioner {
    /// Starts preparing the first segment at once.
    #[must_use]
    pub fn start(store: &Arc<Store>, pool: &Pool) -> Rc<Provisioner> {
        let provisioner = Rc::new(Provisioner {
            state: RefCell::new(State::Preparing),
            changed: Notify::default(),
            stopped: Cell::new(false),
            ended: Notify::default(),
        });
        spawn(provisioner.clone().run(store.clone(), pool.clone()));
        provisioner
    }

    /// The next segment, once it is ready; `None` while the disk is full.
    pub async fn take(&self) -> Option<Prepared> {
        loop {
            // A statement of its own: as the head of the match the borrow would last through its arms.
            let state = self.state.replace(State::Preparing);
            match state {
                State::Ready(prepared) => {
                    self.changed.notify();
                    return Some(prepared);
                }
                State::NoSpace => {
                    self.state.replace(State::NoSpace);
                    return None;
                }
                State::Preparing => {}
            }
            self.changed.wait().await;
        }
    }

    /// Prepares no more, and removes what was not used.
    pub async fn stop(&self) {
        self.stopped.set(true);
        self.changed.notify();
        self.ended.wait().await;
    }

    async fn run(self: Rc<Self>, store: Arc<Store>, pool: Pool) {
        self.prepare_until_stopped(&store, &pool).await;
        let state = std::mem::replace(&mut *self.state.borrow_mut(), State::NoSpace);
        if let State::Ready(prepared) = state {
            discard(&store, prepared).await;
        }
        self.ended.notify();
    }

    async fn prepare_until_stopped(&self, store: &Store, pool: &Pool) {
        while !self.stopped.get() {
            let ready = matches!(*self.state.borrow(), State::Ready(_));
            if ready {
                self.changed.wait().await;
                continue;
            }
            match prepare(store, pool, &self.stopped).await {
                Ok(prepared) => {
                    self.state.replace(State::Ready(prepared));
                    self.changed.notify();
                }
                Err(_) if self.stopped.get() => return,
                Err(error) => {
                    if !is_no_space(&error) {
                        tracing::error!(%error, "a segment could not be prepared; uploads are refused until one can");
                    }
                    // Uploads are refused, not queued, until there is space again.
                    self.state.replace(State::NoSpace);
                    self.changed.notify();
                    clock::sleep(Duration::from_millis(PROVISION_RETRY_MS)).await;
                }
            }
        }
    }
}

/// Removes a prepared segment that will not be used.
async fn discard(store: &Store, prepared: Prepared) {
    if let Err(error) = store.disk.remove(&segment::path(prepared.id)).await {
        // The next start removes it: its header is blank.
        tracing::warn!(segment = %prepared.id, %error, "a prepared segment could not be removed");
    }
}

/// Makes a segment ready. `Interrupted` once `stopped` is set.
async fn prepare(store: &Store, pool: &Pool, stopped: &Cell<bool>) -> io::Result<Prepared> {
    let id = store.next_segment();
    let size = store.options.segment_bytes;
    let (path, unfinished) = (segment::path(id), segment::unfinished_path(id));
    match fill(store, pool, &unfinished, &path, size, stopped).await {
        Ok(file) => Ok(Prepared { id, file, size }),
        Err(error) => {
            // Gives back what was taken, whichever name it has; if that fails too, the next start does it.
            for path in [unfinished, path] {
                let _already_failing = store.disk.remove(&path).await;
            }
            Err(error)
        }
    }
}

/// Creates the file, writes zeros, flushes it, gives it its name and flushes that.
async fn fill(
    store: &Store,
    pool: &Pool,
    unfinished: &str,
    path: &str,
    size: u64,
    stopped: &Cell<bool>,
) -> io::Result<File> {
    let how = Open { write: true, create_new: true, direct: store.direct, dsync: false };
    let file = store.disk.open(unfinished, how).await?;
    file.allocate(size).await?;
    let mut zeros = pool.take(ZERO_WRITE_BYTES);
    zeros.set_len(ZERO_WRITE_BYTES);
    zeros.as_mut_slice().fill(0);
    let mut offset = 0;
    while offset < size {
        if stopped.get() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = usize::try_from(size - offset).map_or(ZERO_WRITE_BYTES, |rest| rest.min(ZERO_WRITE_BYTES));
        let (result, buffer) = file.write_all_at(zeros, 0..len, offset).await;
        result?;
        zeros = buffer;
        offset += len as u64;
    }
    file.sync_all().await?;
    store.disk.rename(unfinished, path).await?;
    store.disk.sync_dir(segment::DIRECTORY).await?;
    store.disk.open(path, Open { create_new: false, dsync: store.dsync(), ..how }).await
}
