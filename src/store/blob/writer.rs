//! Writing a blob: bytes are gathered in aligned memory, or received straight into it, and written while more arrive.
//!
//! Always: the file holds what was taken, in order, and whole blocks until it is finished; a finished blob is flushed, and
//! its name durable; one that no record names removes its file when it is dropped.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{chunk_seed, directory, path};
use crate::base::crc::Crc;
use crate::base::ids::BlobId;
use crate::base::units::align_up;
use crate::limits::{
    BLOB_CHUNK_BYTES, BLOB_WRITE_BYTES, BLOB_WRITE_BYTES_MIN, BLOB_WRITES_IN_FLIGHT, BLOCK_BYTES,
};
use crate::runtime::buffer::{Buffer, Pool};
use crate::runtime::core::spawn;
use crate::runtime::disk::{Disk, File, Open};
use crate::runtime::fatal;
use crate::runtime::sync::oneshot;
use crate::store::Store;
use crate::store::error::{CommitError, failed, has_given_up, is_no_space};

/// A content on its way to a file of its own: takes bytes in order, writes them in aligned pieces while more arrive.
/// Dropped before [`BlobWriter::finish`] it removes its file.
pub struct BlobWriter {
    store: Arc<Store>,
    pool: Pool,
    blob: BlobId,
    file: File,
    filling: Option<Buffer>,
    /// What was lent, and has come back with bytes that were not taken yet.
    lent: Option<Bytes>,
    /// Checksums of whole chunks, and of the one that a write may have ended in.
    chunk_crcs: Vec<u32>,
    open_chunk: Option<Crc>,
    /// Bytes taken.
    len: u64,
    /// Bytes of them on their way to the disk, or there: whole blocks, of which the last may be filled up with zeros.
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
    /// See [`PutLargeBody`](crate::store::format::PutLargeBody).
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
        store: &Arc<Store>,
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
            lent: None,
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
    pub async fn write(&mut self, piece: &Bytes, fill: usize) -> Result<(), CommitError> {
        match self.lent.take().and_then(|lent| self.blocks_of(&lent, piece)) {
            Some(blocks) => self.write_lent(blocks, piece).await,
            None => self.write_copy(piece, fill).await,
        }
    }

    /// Writes `blocks` of what was lent, which begin with what of the last block was taken and go on with `piece`.
    async fn write_lent(&mut self, blocks: Bytes, piece: &[u8]) -> Result<(), CommitError> {
        let begun = self.filling.take().map_or(0, |filling| filling.len());
        let (now, later) = piece.split_at(blocks.len() - begun);
        self.len += now.len() as u64;
        self.sum(self.sent, &blocks);
        self.send(blocks, BLOB_WRITE_BYTES).await?;
        // It begins the next block.
        self.write_copy(later, BLOB_WRITE_BYTES_MIN).await
    }

    /// Gathers bytes in buffers of `fill` bytes, and writes those that are full.
    async fn write_copy(&mut self, mut bytes: &[u8], fill: usize) -> Result<(), CommitError> {
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

    /// Memory for one large write, to receive what comes next into: behind what it begins with, which is what of the last
    /// block was taken so far. Once it has come back ([`BlobWriter::take_back`]) and its bytes come as one piece, they
    /// are written from there.
    ///
    /// # Errors
    /// As [`BlobWriter::create`].
    pub async fn lend(&mut self) -> Result<Buffer, CommitError> {
        if self.filling.as_ref().is_some_and(|filling| filling.len() >= BLOCK_BYTES) {
            self.narrow(BLOB_WRITE_BYTES_MIN).await?;
        }
        let mut buffer = self.pool.take(BLOB_WRITE_BYTES);
        if let Some(begun) = &self.filling {
            buffer.extend_from_slice(begun.as_slice());
        }
        Ok(buffer)
    }

    /// What was lent comes back: all of it, also what it began with.
    pub fn take_back(&mut self, lent: Bytes) {
        self.lent = Some(lent);
    }

    /// The whole blocks of what was lent, if `piece` is what was received behind what it began with, nothing was taken
    /// meanwhile, and a write of it pays.
    fn blocks_of(&self, lent: &Bytes, piece: &Bytes) -> Option<Bytes> {
        let begun = self.filling.as_ref().map_or(0, Buffer::len);
        let received = lent.get(begun..).filter(|_| begun < BLOCK_BYTES)?;
        let is_next = received.as_ptr() == piece.as_ptr() && piece.len() <= received.len();
        let whole = (begun + piece.len()) / BLOCK_BYTES * BLOCK_BYTES;
        (is_next && whole >= BLOB_CHUNK_BYTES).then(|| lent.slice(..whole))
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
        if whole > 0 { self.send_buffer(buffer).await } else { Ok(()) }
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
            Some(buffer) => self.send_buffer(buffer).await,
            None => Ok(()),
        }
    }

    /// Writes a buffer behind what was sent; the last of them is filled up with zeros.
    async fn send_buffer(&mut self, mut buffer: Buffer) -> Result<(), CommitError> {
        let (used, capacity) = (buffer.len(), buffer.capacity());
        self.sum(self.sent, buffer.as_slice());
        buffer.set_len(used.next_multiple_of(BLOCK_BYTES));
        buffer.as_mut_slice()[used..].fill(0);
        self.send(buffer.freeze(), capacity).await
    }

    /// Writes whole blocks behind what was sent. They hold `capacity` bytes of memory.
    async fn send(&mut self, blocks: Bytes, capacity: usize) -> Result<(), CommitError> {
        let offset = self.sent;
        self.sent += blocks.len() as u64;
        while self.in_flight.len() >= writes_in_flight(capacity)
            && let Some(oldest) = self.in_flight.pop_front()
        {
            settle("write a blob", oldest.outcome).await?;
        }
        let (sender, outcome) = oneshot::channel();
        let file = self.file.clone();
        // In a task of its own: the connection's task may end at any time, the kernel's write may not be dropped.
        spawn(async move { sender.send(file.write_shared_at(blocks, offset).await) });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sim::{Rng, Sim, SimDisk};
    use crate::store::Choices;

    const FILLS: [usize; 3] = [BLOB_WRITE_BYTES_MIN, BLOB_CHUNK_BYTES, BLOB_WRITE_BYTES];

    async fn store(pool: &Pool) -> Arc<Store> {
        Store::open(Disk::sim(SimDisk::new()), pool, Choices::small()).await.unwrap().0
    }

    /// Up to `most` bytes, of a kind that no other has.
    fn some_bytes(rng: &mut Rng, most: usize) -> Vec<u8> {
        let (len, first) = (rng.index(most) + 1, rng.below(251));
        (0..len as u64).map(|at| u8::try_from((first + at * 7) % 251).unwrap()).collect()
    }

    /// Memory is lent, received into and given back, as far as `rng` likes. Gives the bytes that were taken.
    async fn use_a_loan(writer: &mut BlobWriter, rng: &mut Rng) -> Vec<u8> {
        let mut lent = writer.lend().await.unwrap();
        let begun = lent.len();
        assert!(begun < BLOCK_BYTES && lent.capacity() == BLOB_WRITE_BYTES);
        let full = rng.below(2) == 0;
        let room = lent.capacity() - begun;
        let received = if full { vec![7; room] } else { some_bytes(rng, room) };
        lent.extend_from_slice(&received);
        let whole = lent.freeze();
        let piece = whole.slice(begun..);
        writer.take_back(whole);
        let (taken, fill) = (1 + rng.index(received.len()), FILLS[rng.index(3)]);
        match rng.below(4) {
            // Something else came first, as when a delimiter turns out to be data.
            0 => {
                let most = if rng.below(2) == 0 { 40 } else { received.len() };
                let other = Bytes::from(some_bytes(rng, most));
                writer.write(&other, fill).await.unwrap();
                writer.write(&piece, fill).await.unwrap();
                [&other[..], &received[..]].concat()
            }
            // The file ends within it, or goes on in a second piece.
            1 => {
                writer.write(&piece.slice(..taken), fill).await.unwrap();
                received[..taken].to_vec()
            }
            2 => {
                writer.write(&piece.slice(..taken), fill).await.unwrap();
                writer.write(&piece.slice(taken..), fill).await.unwrap();
                received
            }
            _ => {
                writer.write(&piece, fill).await.unwrap();
                received
            }
        }
    }

    #[test]
    fn a_file_has_its_bytes_and_checksums_however_they_were_received() {
        for seed in 1..40 {
            let mut rng = Rng::new(seed);
            let work = async move {
                let pool = Pool::new(4 << 20);
                let store = store(&pool).await;
                let mut writer = BlobWriter::create(&store, &pool, None).await.unwrap();
                let mut content = Vec::new();
                for _ in 0..1 + rng.below(8) {
                    if rng.below(3) > 0 {
                        content.extend(use_a_loan(&mut writer, &mut rng).await);
                    } else {
                        let piece = some_bytes(&mut rng, 300_000);
                        let fill = FILLS[rng.index(3)];
                        writer.write(&piece.clone().into(), fill).await.unwrap();
                        content.extend(piece);
                    }
                }
                let done = writer.finish().await.unwrap();
                assert_eq!(done.len, content.len() as u64, "seed {seed}");
                let file = store.disk.open(&path(done.blob), Open::default()).await.unwrap();
                assert_eq!(file.len().await.unwrap(), done.len, "seed {seed}");
                let (read, found) = file.read_exact_at(pool.take(content.len()), content.len(), 0).await;
                read.unwrap();
                assert!(found.as_slice() == content, "seed {seed}: the file has other bytes");
                let crcs: Vec<u32> = (0_u64..)
                    .zip(content.chunks(BLOB_CHUNK_BYTES))
                    .map(|(number, chunk)| {
                        let mut crc: Crc = chunk_seed(done.blob, number * BLOB_CHUNK_BYTES as u64).begin();
                        crc.update(chunk);
                        crc.value()
                    })
                    .collect();
                assert_eq!(done.chunk_crcs, crcs, "seed {seed}");
                done.keep();
            };
            Sim::new(seed, 1).run(|| work).done();
        }
    }
}
