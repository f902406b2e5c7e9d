//! A big file on its way to its blob: hashed as it passes, written while more arrives.

use bytes::Bytes;

use super::error::FileError;
use super::hashing::StreamHasher;
use super::slice::Stored;
use super::stages::{Laps, Stage};
use super::staging::Declared;
use super::{Ingest, Offload, naming};
use crate::limits::{
    BLOB_WRITE_BYTES, FAST_LAP_BYTES, FAST_LAP_NS, FAST_UPLOAD_BYTES, FILE_BYTES_MAX, SNIFF_BYTES_MAX,
};
use crate::media::classify::classify;
use crate::runtime::buffer::Buffer;
use crate::runtime::clock;
use crate::runtime::sync::{Permit, Semaphore};
use crate::store::blob::BlobWriter;
use crate::store::commit::{NewBody, NewRecord, Payload};
use crate::store::index::{Claim, Location};

/// How fast a file arrives, and the memory it is given while that is fast: for larger writes, and for what another
/// core hashes. It goes back once the file is slow and its large writes have ended.
struct Pace {
    budget: Semaphore,
    offload: Offload,
    fast: bool,
    memory: Option<Permit>,
    lap_started_ns: u64,
    lap_end: u64,
}

impl Pace {
    fn new(ingest: &Ingest) -> Pace {
        Pace {
            budget: ingest.budget.clone(),
            offload: ingest.offload.clone(),
            fast: false,
            memory: None,
            lap_started_ns: clock::now_ns(),
            lap_end: FAST_LAP_BYTES,
        }
    }

    /// `len` bytes have arrived.
    fn note(&mut self, len: u64) {
        if len < self.lap_end {
            return;
        }
        let now_ns = clock::now_ns();
        let fast = now_ns - self.lap_started_ns < FAST_LAP_NS;
        (self.lap_started_ns, self.lap_end) = (now_ns, len + FAST_LAP_BYTES);
        if fast && self.memory.is_none() {
            self.memory = self.budget.try_acquire(FAST_UPLOAD_BYTES);
        }
        self.fast = fast && self.memory.is_some();
    }
}

/// A big file that is arriving.
pub struct LargeUpload {
    writer: BlobWriter,
    hasher: StreamHasher,
    pace: Pace,
    first: Vec<u8>,
    len: u64,
}

impl LargeUpload {
    /// Opens its blob. `expected` is its length, if the client declared one.
    ///
    /// # Errors
    /// `NoSpace`.
    pub async fn start(ingest: &Ingest, expected: Option<u64>) -> Result<LargeUpload, FileError> {
        let writer = BlobWriter::create(&ingest.store, &ingest.pool, expected).await?;
        Ok(LargeUpload {
            writer,
            hasher: StreamHasher::new(),
            pace: Pace::new(ingest),
            first: Vec::new(),
            len: 0,
        })
    }

    /// Takes in what was staged before the file turned out to be big.
    ///
    /// # Errors
    /// As [`LargeUpload::push`].
    pub async fn push_all(
        &mut self,
        payload: Payload,
        write_bytes: usize,
        laps: &Laps,
    ) -> Result<(), FileError> {
        for piece in payload {
            self.push(&piece, write_bytes, laps).await?;
        }
        Ok(())
    }

    /// Memory it holds, or will when it is written in pieces of `write_bytes`. What it holds while it arrives fast is
    /// its own affair: it has a permit for that.
    #[must_use]
    pub fn held_bytes(&self, write_bytes: usize) -> usize {
        let held = if self.pace.memory.is_some() { 0 } else { self.writer.held_bytes() };
        held.max(BlobWriter::memory_at(write_bytes))
    }

    /// Gives up what only a fast file needs; writes in pieces of `write_bytes` from now on. Whether there was any.
    ///
    /// # Errors
    /// As [`LargeUpload::push`].
    pub async fn relieve(&mut self, write_bytes: usize) -> Result<bool, FileError> {
        let before = (self.pace.fast, self.held_bytes(write_bytes));
        self.pace.fast = false;
        // What waits to be hashed elsewhere holds what it was received in.
        self.hasher.update(&Bytes::new(), None).await?;
        self.writer.write(&Bytes::new(), write_bytes).await?;
        self.settle(write_bytes);
        Ok(before.0 || self.held_bytes(write_bytes) < before.1)
    }

    /// Whether it arrives so fast that [`LargeUpload::lend`] pays.
    #[must_use]
    pub fn lends(&self) -> bool {
        self.pace.fast
    }

    /// See [`BlobWriter::lend`].
    ///
    /// # Errors
    /// As [`LargeUpload::push`].
    pub async fn lend(&mut self) -> Result<Buffer, FileError> {
        Ok(self.writer.lend().await?)
    }

    /// See [`BlobWriter::take_back`].
    pub fn take_back(&mut self, lent: Bytes) {
        self.writer.take_back(lent);
    }

    /// Gives the memory of a fast file back, if it is slow and writes in pieces of `write_bytes` are all it has.
    fn settle(&mut self, write_bytes: usize) {
        if !self.pace.fast && self.writer.held_bytes() <= BlobWriter::memory_at(write_bytes) {
            self.pace.memory = None;
        }
    }

    /// Takes in the next bytes, to be written in pieces of `write_bytes`, or larger ones while it arrives fast.
    ///
    /// # Errors
    /// `NoSpace`, `TooLarge`.
    pub async fn push(&mut self, piece: &Bytes, write_bytes: usize, laps: &Laps) -> Result<(), FileError> {
        laps.lap(Stage::Parse, clock::now_ns());
        self.len += piece.len() as u64;
        if self.len > FILE_BYTES_MAX {
            return Err(FileError::TooLarge(FILE_BYTES_MAX));
        }
        if self.first.len() < SNIFF_BYTES_MAX {
            let wanted = (SNIFF_BYTES_MAX - self.first.len()).min(piece.len());
            self.first.extend_from_slice(&piece[..wanted]);
        }
        self.pace.note(self.len);
        let fast = self.pace.fast;
        self.hasher.update(piece, fast.then_some(&self.pace.offload)).await?;
        laps.lap(Stage::Hash, clock::now_ns());
        let fill = if fast { BLOB_WRITE_BYTES } else { write_bytes };
        self.writer.write(piece, fill).await?;
        laps.lap(Stage::Write, clock::now_ns());
        self.settle(write_bytes);
        Ok(())
    }

    /// The file is whole: makes it durable, unless it is stored already.
    ///
    /// # Errors
    /// `Mismatch`, `NoSpace`, `Stopping`.
    pub async fn finish(self, ingest: &Ingest, declared: Declared, laps: &Laps) -> Result<Stored, FileError> {
        laps.lap(Stage::Parse, clock::now_ns());
        let digest = self.hasher.finish().await?;
        if let Some(expected) = declared.digest.filter(|expected| *expected != digest) {
            return Err(FileError::Mismatch { expected, found: digest });
        }
        let name = naming::base_name(&declared.name);
        let file_type = classify(&self.first, declared.mime.as_deref(), name);
        let stored = |duplicate| Stored { declared, digest, len: self.len, file_type, duplicate };
        laps.lap(Stage::Hash, clock::now_ns());
        let guard = loop {
            match ingest.index.claim(digest) {
                Claim::Fresh(guard) => break guard,
                // Dropping the writer removes its file.
                Claim::Stored(_) => return Ok(stored(true)),
                Claim::Pending(ticket) => {
                    ticket.ended().await;
                    laps.lap(Stage::Claim, clock::now_ns());
                }
            }
        };
        let blob = self.writer.finish().await?;
        laps.lap(Stage::Write, clock::now_ns());
        let body =
            NewBody::PutLarge { digest, len: blob.len, blob: blob.blob, chunk_crcs: blob.chunk_crcs.clone() };
        let record = NewRecord { lsn: guard.lsn(), time: clock::wall(), body };
        let committed = ingest.lane.submit(vec![record]).outcome().await?;
        laps.lap(Stage::Queue, committed.begun_ns);
        laps.lap(Stage::Write, committed.flushed_ns);
        let Some(placed) = committed.places.first() else { return Err(FileError::Lost) };
        let location =
            Location::Large { record: placed.record, entry_len: placed.entry_len, blob: blob.blob };
        blob.keep();
        if let Some(replaced) = guard.publish(location) {
            ingest.store.discard_blob(replaced);
        }
        Ok(stored(false))
    }
}
