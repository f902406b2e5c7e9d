//! The next segment of a lane, made ready before it is needed: a spare, if there is one, or a file that is created,
//! allocated, and filled with zeros as far as that pays; flushed, its name durable.
//!
//! A small durable write into written zeros costs less than half of one into merely allocated space, where the file
//! system must note first that it is written. To a large one that matters little, and zeros take as much of the disk as
//! what is stored. So a lane that writes large batches gets segments without, and nobody waits for them.
//!
//! Always: at most one prepared segment waits for a lane; a file that has a segment's name is zeros where its header
//! goes until its lane writes that. What the rest holds is not promised. While it is prepared it has another name.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::error::is_no_space;
use super::format::FIRST_BATCH_OFFSET;
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
    zeros: Zeros,
    /// The task has ended.
    ended: Notify,
}

/// How far the segment in preparation is to be filled.
struct Zeros {
    /// Beyond its header at all.
    wanted: Cell<bool>,
    /// The lane waits for the segment: as it is, it will do.
    waited_for: Cell<bool>,
    stopped: Cell<bool>,
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
            zeros: Zeros { wanted: Cell::new(true), waited_for: Cell::new(false), stopped: Cell::new(false) },
            ended: Notify::default(),
        });
        spawn(provisioner.clone().run(store.clone(), pool.clone()));
        provisioner
    }

    /// The next segment, once it is ready; `None` while the disk is full. `zeros` says whether the one behind it is to be
    /// filled with zeros.
    pub async fn take(&self, zeros: bool) -> Option<Prepared> {
        self.zeros.wanted.set(zeros);
        loop {
            // A statement of its own: as the head of the match the borrow would last through its arms.
            let state = self.state.replace(State::Preparing);
            match state {
                State::Ready(prepared) => {
                    self.zeros.waited_for.set(false);
                    self.changed.notify();
                    return Some(prepared);
                }
                State::NoSpace => {
                    self.state.replace(State::NoSpace);
                    return None;
                }
                State::Preparing => {}
            }
            self.zeros.waited_for.set(true);
            self.changed.wait().await;
        }
    }

    /// Prepares no more, and removes what was not used.
    pub async fn stop(&self) {
        self.zeros.stopped.set(true);
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
        while !self.zeros.stopped.get() {
            let ready = matches!(*self.state.borrow(), State::Ready(_));
            if ready {
                self.changed.wait().await;
                continue;
            }
            match prepare(store, pool, &self.zeros).await {
                Ok(prepared) => {
                    self.state.replace(State::Ready(prepared));
                    self.changed.notify();
                }
                Err(_) if self.zeros.stopped.get() => return,
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

/// Makes a segment ready. `Interrupted` once it is to stop.
async fn prepare(store: &Store, pool: &Pool, zeros: &Zeros) -> io::Result<Prepared> {
    let id = store.next_segment();
    let size = store.options.segment_bytes;
    let (path, unfinished) = (segment::path(id), segment::unfinished_path(id));
    while let Some(spare) = store.spares.take() {
        match reuse(store, pool, &segment::unfinished_path(spare), &path, size).await {
            Ok(file) => {
                store.spares.note_used();
                return Ok(Prepared { id, file, size });
            }
            // It may be of another size, if it was cut by an earlier start; or the disk fails, which the next write says.
            Err(_) => {
                for path in [segment::unfinished_path(spare), path.clone()] {
                    let _not_both_are_there = store.disk.remove(&path).await;
                }
            }
        }
    }
    match fill(store, pool, &unfinished, &path, size, zeros).await {
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

/// Makes a retired segment's file the next segment: no header, flushed, then the name, flushed. Until that is durable
/// the file may still have its former name, and then it is a retired segment whose header is in part gone.
async fn reuse(store: &Store, pool: &Pool, spare: &str, path: &str, size: u64) -> io::Result<File> {
    let how = Open { write: true, direct: store.direct, ..Open::default() };
    let file = store.disk.open(spare, how).await?;
    if file.len().await? != size {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let head = usize::try_from(FIRST_BATCH_OFFSET).expect("some blocks");
    let mut block = pool.take(head);
    block.set_len(head);
    block.as_mut_slice().fill(0);
    let (result, _buffer) = file.write_all_at(block, 0..head, 0).await;
    result?;
    file.sync_all().await?;
    name(store, spare, path).await
}

/// Gives a file that was made ready its segment's name, durably, and opens it as its lane writes it.
async fn name(store: &Store, unfinished: &str, path: &str) -> io::Result<File> {
    store.disk.rename(unfinished, path).await?;
    store.disk.sync_dir(segment::DIRECTORY).await?;
    let how = Open { write: true, direct: store.direct, dsync: store.dsync(), ..Open::default() };
    store.disk.open(path, how).await
}

/// Creates the file, writes zeros, flushes it, gives it its name and flushes that.
async fn fill(
    store: &Store,
    pool: &Pool,
    unfinished: &str,
    path: &str,
    size: u64,
    zeros: &Zeros,
) -> io::Result<File> {
    // Piece by piece, as batches are: a flush of much that was written at once would hold up every batch meanwhile.
    let how =
        Open { write: true, create_new: true, direct: store.direct, dsync: store.dsync(), ..Open::default() };
    let file = store.disk.open(unfinished, how).await?;
    file.allocate(size).await?;
    let mut block = pool.take(ZERO_WRITE_BYTES);
    block.set_len(ZERO_WRITE_BYTES);
    block.as_mut_slice().fill(0);
    let mut offset = 0;
    // The header's blocks are zeros in any case.
    while offset < size && (offset == 0 || zeros.go_on()) {
        if zeros.stopped.get() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = usize::try_from(size - offset).map_or(ZERO_WRITE_BYTES, |rest| rest.min(ZERO_WRITE_BYTES));
        let (result, buffer) = file.write_all_at(block, 0..len, offset).await;
        result?;
        if store.flushes_apart() {
            file.sync_data().await?;
        }
        block = buffer;
        offset += len as u64;
    }
    file.sync_all().await?;
    name(store, unfinished, path).await
}

impl Zeros {
    /// Whether to write more; or the segment will do as it is.
    fn go_on(&self) -> bool {
        self.stopped.get() || self.wanted.get() && !self.waited_for.get()
    }
}
