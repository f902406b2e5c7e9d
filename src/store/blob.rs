//! Big contents in files of their own.
//!
//! Always: a blob's number is unique within the store, its directory exists and is durable since the store
//! was made, its file is never renamed and never written again after its put-large record. A file that no
//! record names is swept at the next start.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use super::Store;
use super::error::{CommitError, failed, has_given_up, is_no_space};
use crate::base::crc::{Crc, Seed};
use crate::base::ids::BlobId;
use crate::base::units::align_up;
use crate::limits::{BLOB_CHUNK_BYTES, BLOB_WRITE_BYTES_MIN, BLOB_WRITES_IN_FLIGHT, BLOCK_BYTES};
use crate::runtime::buffer::{Buffer, Pool};
use crate::runtime::core::spawn;
use crate::runtime::disk::{Disk, File, Open};
use crate::runtime::fatal;
use crate::runtime::sync::oneshot;

/// The directory of blobs; below it one for each last byte of the number.
pub const DIRECTORY: &str = "blobs";

/// The directory that a blob's file is in.
#[must_use]
pub fn directory(blob: BlobId) -> String {
    format!("{DIRECTORY}/{:02x}", blob.0 & 0xff)
}

/// The file of a blob.
#[must_use]
pub fn path(blob: BlobId) -> String {
    format!("{}/{blob}", directory(blob))
}

/// The blob whose file has this name.
#[must_use]
pub fn parse_name(name: &str) -> Option<BlobId> {
    (name.len() == 16 && super::segment::is_hex(name))
        .then(|| u64::from_str_radix(name, 16).ok())
        .flatten()
        .map(BlobId)
}

/// What the checksum of the chunk at `offset` starts from.
#[must_use]
pub fn chunk_seed(blob: BlobId, offset: u64) -> Seed {
    Seed::new(&blob.0.to_le_bytes()).at(offset)
}

/// Open files of blobs that are read.
pub struct Blobs {
    open_max: usize,
    open: Mutex<(HashMap<BlobId, File>, VecDeque<BlobId>)>,
}

impl Blobs {
    /// None are open. At most so many are held open for readers.
    #[must_use]
    pub fn new(open_max: usize) -> Blobs {
        Blobs { open_max, open: Mutex::default() }
    }

    /// The blob is deleted: its file is not kept open.
    pub(super) fn forget(&self, blob: BlobId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.0.remove(&blob);
        open.1.retain(|other| *other != blob);
    }

    /// The file of a blob, open for reading through the page cache.
    ///
    /// # Errors
    /// What opening it gave.
    pub async fn open(&self, disk: &Disk, blob: BlobId) -> io::Result<File> {
        let lock = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = lock().0.get(&blob) {
            return Ok(file.clone());
        }
        let file = disk.open(&path(blob), Open::default()).await?;
        let mut open = lock();
        if open.0.insert(blob, file.clone()).is_none() {
            open.1.push_back(blob);
        }
        if open.1.len() > self.open_max
            && let Some(oldest) = open.1.pop_front()
        {
            open.0.remove(&oldest);
        }
        Ok(file)
    }
}

/// A content on its way to a file of its own: takes bytes in order, writes them in aligned pieces while more arrive.
/// Dropped before [`BlobWriter::finish`] it removes its file.
pub struct BlobWriter {
    store: std::sync::Arc<Store>,
    pool: Pool,
    blob: BlobId,
    file: File,
    filling: Option<Buffer>,
    /// Checksums of whole chunks, and of the one that a write may have ended in.
    chunk_crcs: Vec<u32>,
    open_chunk: Option<Crc>,
    /// Bytes taken.
    len: u64,
    /// Bytes of them on their way to the disk, or there. A whole number of blocks until the last.
    sent: u64,
    in_flight: VecDeque<InFlight>,
    /// Until the directory is flushed: the outcome of that.
    named: Option<oneshot::Receiver<io::Result<()>>>,
    /// Removes the file unless the blob was finished.
    remove: Rc<RemoveOnDrop>,
}

/// A write on its way, and the memory it holds.
struct InFlight {
    capacity: usize,
    outcome: oneshot::Receiver<io::Result<()>>,
}

/// What a finished blob's put-large record needs.
pub struct FinishedBlob {
    /// Its number.
    pub blob: BlobId,
    /// Bytes of content.
    pub len: u64,
    /// See [`PutLargeBody`](super::format::PutLargeBody).
    pub chunk_crcs: Vec<u32>,
    remove: Rc<RemoveOnDrop>,
}

impl FinishedBlob {
    /// A record names it now: the file stays.
    pub fn keep(self) {
        self.remove.armed.set(false);
    }
}

struct RemoveOnDrop {
    disk: Disk,
    blob: BlobId,
    armed: std::cell::Cell<bool>,
}

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        if !self.armed.get() {
            return;
        }
        let (disk, blob) = (self.disk.clone(), self.blob);
        spawn(async move {
            // If this fails the next start sweeps it: no record names it.
            if let Err(error) = disk.remove(&path(blob)).await {
                tracing::warn!(%blob, %error, "an abandoned blob could not be removed; the next start will");
            }
        });
    }
}

impl BlobWriter {
    /// Creates the file. `expected` is the length, where the client declared one: its space is
    /// reserved now, so that a full disk shows at once.
    ///
    /// # Errors
    /// `NoSpace` if disk or inodes are full. Any other failure ends the process, as for a batch.
    pub async fn create(
        store: &std::sync::Arc<Store>,
        pool: &Pool,
        expected: Option<u64>,
    ) -> Result<BlobWriter, CommitError> {
        let blob = store.next_blob();
        let how = Open { write: true, create_new: true, direct: store.direct, ..Open::default() };
        let file = store.disk.open(&path(blob), how).await.map_err(|error| not_created(&error))?;
        let disk = store.disk.clone();
        let remove = Rc::new(RemoveOnDrop { disk, blob, armed: std::cell::Cell::new(true) });
        if let Some(len) = expected {
            let reserved = file.allocate(align_up(len, BLOCK_BYTES as u64)).await;
            reserved.map_err(|error| failed("reserve space for a blob", &error))?;
        }
        // The name becomes durable while the bytes arrive.
        let (sender, named) = oneshot::channel();
        let disk = store.disk.clone();
        spawn(async move { sender.send(disk.sync_dir(&directory(blob)).await) });
        Ok(BlobWriter {
            store: store.clone(),
            pool: pool.clone(),
            blob,
            file,
            filling: None,
            chunk_crcs: Vec::new(),
            open_chunk: None,
            len: 0,
            sent: 0,
            in_flight: VecDeque::new(),
            named: Some(named),
            remove,
        })
    }

    /// The most memory that writing in pieces of `fill` bytes takes.
    #[must_use]
    pub const fn memory_at(fill: usize) -> usize {
        (1 + writes_in_flight(fill)) * fill
    }

    /// Memory it holds now.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let filling = self.filling.as_ref().map_or(0, Buffer::capacity);
        filling + self.in_flight.iter().map(|write| write.capacity).sum::<usize>()
    }

    /// Takes in the next bytes, to be written in pieces of `fill` bytes: a size class of the pool, which may change from
    /// call to call. Waits when as many writes are on their way as may be.
    ///
    /// # Errors
    /// As [`BlobWriter::create`].
    pub async fn write(&mut self, mut bytes: &[u8], fill: usize) -> Result<(), CommitError> {
        if self.filling.as_ref().is_some_and(|filling| filling.capacity() > fill) {
            self.narrow(fill).await?;
        }
        while !bytes.is_empty() {
            let buffer = self.filling.get_or_insert_with(|| self.pool.take(fill));
            if buffer.len() == buffer.capacity() {
                if buffer.capacity() < fill {
                    // The client turned out to be fast: a larger write is worth the copy.
                    let mut larger = self.pool.take(fill);
                    larger.extend_from_slice(buffer.as_slice());
                    *buffer = larger;
                } else {
                    self.send_filled().await?;
                }
                continue;
            }
            let room = buffer.capacity() - buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            buffer.extend_from_slice(now);
            self.len += now.len() as u64;
            bytes = later;
            if buffer.len() == buffer.capacity() && buffer.capacity() >= BLOB_CHUNK_BYTES {
                self.send_filled().await?;
            }
        }
        Ok(())
    }

    /// Gives up a buffer larger than `fill`: its whole blocks are written, the rest moves to a smaller one.
    async fn narrow(&mut self, fill: usize) -> Result<(), CommitError> {
        let Some(mut buffer) = self.filling.take() else { return Ok(()) };
        let whole = buffer.len() / BLOCK_BYTES * BLOCK_BYTES;
        if whole < buffer.len() {
            let mut rest = self.pool.take(fill);
            rest.extend_from_slice(&buffer.as_slice()[whole..]);
            self.filling = Some(rest);
        }
        buffer.set_len(whole);
        if whole > 0 { self.send(buffer).await } else { Ok(()) }
    }

    /// Writes what is left, flushes, and makes sure that the file's name is durable.
    ///
    /// # Errors
    /// As [`BlobWriter::create`].
    pub async fn finish(mut self) -> Result<FinishedBlob, CommitError> {
        if self.filling.is_some() {
            self.send_filled().await?;
        }
        while let Some(write) = self.in_flight.pop_front() {
            settle("write a blob", write.outcome).await?;
        }
        self.chunk_crcs.extend(self.open_chunk.take().map(Crc::value));
        self.file.set_len(self.len).await.map_err(|error| failed("set a blob's length", &error))?;
        if self.store.options.durability.flushes() {
            self.file.sync_data().await.map_err(|error| failed("flush a blob", &error))?;
        }
        if let Some(named) = self.named.take() {
            settle("flush a blob's directory", named).await?;
        }
        Ok(FinishedBlob { blob: self.blob, len: self.len, chunk_crcs: self.chunk_crcs, remove: self.remove })
    }

    async fn send_filled(&mut self) -> Result<(), CommitError> {
        match self.filling.take() {
            Some(buffer) => self.send(buffer).await,
            None => Ok(()),
        }
    }

    /// Writes a buffer behind what was sent.
    async fn send(&mut self, mut buffer: Buffer) -> Result<(), CommitError> {
        let offset = self.sent;
        self.sum(offset, buffer.as_slice());
        self.sent += buffer.len() as u64;
        let padded = buffer.len().next_multiple_of(BLOCK_BYTES);
        let used = buffer.len();
        buffer.set_len(padded);
        buffer.as_mut_slice()[used..].fill(0);
        let capacity = buffer.capacity();
        while self.in_flight.len() >= writes_in_flight(capacity)
            && let Some(oldest) = self.in_flight.pop_front()
        {
            settle("write a blob", oldest.outcome).await?;
        }
        let (sender, outcome) = oneshot::channel();
        let file = self.file.clone();
        // In a task of its own: the connection's task may end at any time, the kernel's write may not be dropped.
        spawn(async move {
            let (result, _buffer) = file.write_all_at(buffer, 0..padded, offset).await;
            sender.send(result);
        });
        self.in_flight.push_back(InFlight { capacity, outcome });
        Ok(())
    }

    /// Takes the bytes at `offset`, where the last call ended, into the chunks' checksums.
    fn sum(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let chunk = self.chunk_crcs.len() as u64 * BLOB_CHUNK_BYTES as u64;
            let within = usize::try_from(offset - chunk).expect("within a chunk");
            let (now, later) = bytes.split_at((BLOB_CHUNK_BYTES - within).min(bytes.len()));
            let mut crc = self.open_chunk.take().unwrap_or_else(|| chunk_seed(self.blob, chunk).begin());
            crc.update(now);
            if within + now.len() == BLOB_CHUNK_BYTES {
                self.chunk_crcs.push(crc.value());
            } else {
                self.open_chunk = Some(crc);
            }
            offset += now.len() as u64;
            bytes = later;
        }
    }
}

/// How many writes of this size are on their way while the next is filled. The smallest are those of slow clients,
/// which hold as little as can be.
const fn writes_in_flight(fill: usize) -> usize {
    if fill <= BLOB_WRITE_BYTES_MIN { 1 } else { BLOB_WRITES_IN_FLIGHT }
}

async fn settle(doing: &str, outcome: oneshot::Receiver<io::Result<()>>) -> Result<(), CommitError> {
    match outcome.await {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(failed(doing, &error)),
        None => fatal::exit(fatal::Exit::Panicked, &format!("the task to {doing} was lost")),
    }
}

/// Nothing was written yet, so nothing is unknown: the upload is refused, the daemon goes on. Unless the file system has
/// given up: it does not come back by itself, and whoever watches over the daemon is to know.
fn not_created(error: &io::Error) -> CommitError {
    if is_no_space(error) || has_given_up(error) {
        return failed("create a file for a big content", error);
    }
    tracing::error!(%error, "a file for a big content could not be created");
    CommitError::Unavailable
}
