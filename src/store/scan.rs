//! Reading a segment file from front to back: its header, its batches, what of it is durable, what is damaged,
//! where it ends. Used by recovery, compaction, scrubbing and the offline tools; changes nothing.
//!
//! The rules:
//! - batches whose number is at most `durable_through` (the greatest that any valid header of the lane says,
//!   here or by way of a seal or a successor) were flushed: what is bad among them is **damage**;
//! - batches above were never known to be flushed: all their payloads are verified, and from the first
//!   that does not check everything is **tail**: never acknowledged, cut, even if valid batches follow.

use std::cell::Cell;
use std::io;

use bytes::Bytes;

use super::format::batch::{BATCH_HEADER_BYTES, Slot};
use super::format::header::{HEADER_BYTES, Predecessor};
use super::format::{
    BatchHeader, Body, FIRST_BATCH_OFFSET, FormatError, HEADER_COPY_OFFSET, Record, SEAL_OFFSET, Seal,
    SegmentHeader,
};
use super::pace::Pace;
use crate::base::crc::Seed;
use crate::base::ids::{BatchSeq, SegmentId, StoreId};
use crate::base::units::align_down;
use crate::limits::{BLOCK_BYTES, SCAN_WINDOW_BYTES};
use crate::runtime::buffer::{Buffer, Pool};
use crate::runtime::core::yield_now;
use crate::runtime::disk::File;

/// Something that was durable and does not check any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The segment it is in.
    pub segment: SegmentId,
    /// From the start of the file.
    pub offset: u64,
    /// In words.
    pub what: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "segment {} at byte {}: {}", self.segment, self.offset, self.what)
    }
}

/// A batch with its table (header, slots and entries).
#[derive(Clone, Debug)]
pub struct FoundBatch {
    /// Its header.
    pub header: BatchHeader,
    /// From the start of the batch to its first payload.
    pub table: Vec<u8>,
}

impl FoundBatch {
    /// Each record with the place of its entry in the segment and its length, or why it cannot be read.
    pub fn records(&self, seed: Seed) -> impl Iterator<Item = (u64, u32, Result<Record<'_>, FormatError>)> {
        // Entries stand one behind the other: a slot that skips one, or names one twice, was damaged.
        let mut expected = Some(Slot::first_entry(self.header.records));
        (0..self.header.records).map(move |index| {
            let slot = match Slot::decode(&self.table, index) {
                Ok(slot) if expected.is_none_or(|offset| offset == slot.offset) => slot,
                Ok(_) => {
                    expected = None;
                    return (self.header.offset, 0, Err(FormatError::Inconsistent));
                }
                Err(error) => {
                    expected = None;
                    return (self.header.offset, 0, Err(error));
                }
            };
            let position = self.header.offset + u64::from(slot.offset);
            let record = Record::decode(slot.of(&self.table), seed, position);
            expected = record.is_ok().then(|| slot.next_entry());
            (position, slot.len, record)
        })
    }
}

/// What a segment file says of itself.
#[derive(Clone, Debug)]
pub enum SegmentHead {
    /// A prepared file: never opened for writing.
    Blank,
    /// Neither copy of the header can be read.
    Damaged(FormatError),
    /// A segment.
    Open {
        /// Its header.
        header: Box<SegmentHeader>,
        /// Its seal, if one can be read.
        seal: Option<Seal>,
        /// One copy of the header, or a seal that is not blank, could not be read.
        damage: Vec<Damage>,
    },
}

/// Reads the header blocks of the segment file that is named `segment`.
///
/// # Errors
/// What the disk gave; `InvalidData` for a header of a later version.
pub async fn read_head(
    file: &File,
    pool: &Pool,
    store: StoreId,
    segment: SegmentId,
) -> io::Result<SegmentHead> {
    let wanted = usize::try_from(FIRST_BATCH_OFFSET).expect("four blocks");
    let (result, buffer) = read_up_to(file, pool.take(wanted), wanted, 0).await;
    result?;
    let bytes = buffer.as_slice();
    let part = |offset: u64, len: usize| {
        let start = usize::try_from(offset).expect("within four blocks");
        bytes.get(start..start + len).unwrap_or_default()
    };
    let first = SegmentHeader::decode(part(0, HEADER_BYTES), store, segment);
    let second = SegmentHeader::decode(part(HEADER_COPY_OFFSET, HEADER_BYTES), store, segment);
    let mut damage = Vec::new();
    let note = |offset, what: String| Damage { segment, offset, what };
    let header = match (first, second) {
        (Ok(header), Ok(_)) => header,
        (Ok(header), Err(error)) => {
            // A power cut while the segment was opened leaves this too: the second sector did not make it.
            if error != FormatError::Blank {
                damage.push(note(HEADER_COPY_OFFSET, format!("the header's copy: {error}")));
            }
            header
        }
        (Err(error), Ok(header)) => {
            if error != FormatError::Blank {
                damage.push(note(0, format!("the header: {error}")));
            }
            header
        }
        (Err(FormatError::Blank | FormatError::Short), Err(FormatError::Blank | FormatError::Short)) => {
            return Ok(SegmentHead::Blank);
        }
        (Err(FormatError::Unsupported), _) | (_, Err(FormatError::Unsupported)) => {
            let why = format!("segment {segment} is of a later format");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        (Err(error), Err(_)) => return Ok(SegmentHead::Damaged(error)),
    };
    let seed = header.nonce.seed(segment);
    let seal = match Seal::decode(part(SEAL_OFFSET, super::format::seal::SEAL_BYTES), seed) {
        Ok(seal) => Some(seal),
        Err(FormatError::Blank | FormatError::Short) => None,
        Err(error) => {
            damage.push(note(SEAL_OFFSET, format!("the seal: {error}")));
            None
        }
    };
    Ok(SegmentHead::Open { header: Box::new(header), seal, damage })
}

/// What a scan found.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// The batches to be trusted, in order.
    pub batches: Vec<FoundBatch>,
    /// Where they end; what lies beyond is tail.
    pub end: u64,
    /// The last of them, or the one before the segment's first.
    pub last_batch: BatchSeq,
    /// What was durable and is not readable.
    pub damage: Vec<Damage>,
    /// Why the first batch of the tail was not trusted, where there is something to tell.
    pub tail: Option<String>,
}

/// Scans the batches of a segment. `known_end` is what a seal or a successor's header says about its end.
///
/// # Errors
/// What the disk gave.
pub async fn scan(
    file: &File,
    pool: &Pool,
    header: &SegmentHeader,
    known_end: Option<Predecessor>,
) -> io::Result<Scanned> {
    let seed = header.nonce.seed(header.segment);
    let file_len = file.len().await?;
    let limit = known_end.map_or(file_len, |known| known.end.min(file_len));
    let mut window = Window::new(file, pool);
    let mut damage = Vec::new();
    let mut note = |offset, what: String| damage.push(Damage { segment: header.segment, offset, what });
    let batches = find_batches(&mut window, header, limit, known_end, &mut note).await?;

    let said = batches.iter().map(|batch| batch.header.durable_through).max().unwrap_or_default();
    let durable = known_end.map_or(said, |known| known.last_batch.max(said));
    let mut end = FIRST_BATCH_OFFSET;
    let mut last_batch = BatchSeq(header.first_batch.0 - 1);
    let mut trusted = Vec::with_capacity(batches.len());
    let mut tail = None;
    for batch in batches {
        // A daemon that compacts and scrubs has requests to serve beside.
        yield_now().await;
        if batch.header.seq > durable {
            if let Some(why) = first_fault(&mut window, &batch, seed).await? {
                tail = Some(format!(
                    "batch {} does not check and was never acknowledged: {why}",
                    batch.header.seq
                ));
                break;
            }
        } else {
            for (position, _, record) in batch.records(seed) {
                if let Err(error) = record {
                    note(position, format!("a record: {error}"));
                }
            }
        }
        (end, last_batch) = (batch.header.end(), batch.header.seq);
        trusted.push(batch);
    }
    if let Some(known) = known_end {
        if end < known.end && tail.is_none() {
            note(end, format!("batches up to {} are missing", known.last_batch));
        }
        (end, last_batch) = (known.end, known.last_batch.max(last_batch));
    }
    Ok(Scanned { batches: trusted, end, last_batch, damage, tail })
}

/// All batches that parse, up to the first gap that nothing behind it says was durable.
async fn find_batches(
    window: &mut Window<'_>,
    header: &SegmentHeader,
    limit: u64,
    known_end: Option<Predecessor>,
    note: &mut impl FnMut(u64, String),
) -> io::Result<Vec<FoundBatch>> {
    let mut batches = Vec::new();
    let mut offset = FIRST_BATCH_OFFSET;
    let mut expected = header.first_batch;
    while offset < limit {
        match batch_at(window, header, offset, limit).await? {
            Ok(batch) if batch.header.seq == expected => {
                expected = BatchSeq(expected.0 + 1);
                offset = batch.header.end();
                batches.push(batch);
            }
            Ok(_) | Err(_) => {
                let durable = known_end.map_or(BatchSeq(0), |known| known.last_batch);
                let Some(next) = next_batch(window, header, offset, limit, expected, durable).await? else {
                    break;
                };
                note(offset, format!("batches {expected} to {} cannot be read", next.header.seq.0 - 1));
                expected = BatchSeq(next.header.seq.0 + 1);
                offset = next.header.end();
                batches.push(next);
            }
        }
    }
    Ok(batches)
}

/// The next valid batch behind a gap that shows that the gap was durable: its `durable_through`, or what is
/// known of the segment's end, covers `missing`.
async fn next_batch(
    window: &mut Window<'_>,
    header: &SegmentHeader,
    gap: u64,
    limit: u64,
    missing: BatchSeq,
    durable: BatchSeq,
) -> io::Result<Option<FoundBatch>> {
    let mut offset = gap + BLOCK_BYTES as u64;
    while offset < limit {
        if let Ok(batch) = batch_at(window, header, offset, limit).await?
            && batch.header.seq > missing
            && (batch.header.durable_through >= missing || durable >= missing)
        {
            return Ok(Some(batch));
        }
        offset += BLOCK_BYTES as u64;
    }
    Ok(None)
}

/// The batch at `offset`, which must end before `limit`, or why there is none.
pub(super) async fn batch_at(
    window: &mut Window<'_>,
    header: &SegmentHeader,
    offset: u64,
    limit: u64,
) -> io::Result<Result<FoundBatch, FormatError>> {
    let bytes = window.get(offset, BATCH_HEADER_BYTES).await?;
    let found = match batch_header(&bytes, header, offset, limit) {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let table = window.get(offset, found.table_bytes as usize).await?;
    if table.len() < found.table_bytes as usize {
        return Ok(Err(FormatError::Short));
    }
    Ok(Ok(FoundBatch { table: table.to_vec(), header: found }))
}

/// The batch of which `table` has been kept, as [`batch_at`] would find it.
///
/// # Errors
/// Why it is none.
pub(super) fn batch_of(
    table: &[u8],
    header: &SegmentHeader,
    offset: u64,
    limit: u64,
) -> Result<FoundBatch, FormatError> {
    let found = batch_header(table, header, offset, limit)?;
    let table = table.get(..found.table_bytes as usize).ok_or(FormatError::Short)?;
    Ok(FoundBatch { table: table.to_vec(), header: found })
}

fn batch_header(
    bytes: &[u8],
    header: &SegmentHeader,
    offset: u64,
    limit: u64,
) -> Result<BatchHeader, FormatError> {
    let seed = header.nonce.seed(header.segment);
    let found = BatchHeader::decode(bytes, seed, header.nonce.tag(), offset)?;
    if found.segment != header.segment || found.lane != header.lane || found.end() > limit {
        return Err(FormatError::Inconsistent);
    }
    Ok(found)
}

/// Why a batch is not whole, checking every entry and every payload.
async fn first_fault(window: &mut Window<'_>, batch: &FoundBatch, seed: Seed) -> io::Result<Option<String>> {
    for (position, _, record) in batch.records(seed) {
        let record = match record {
            Ok(record) => record,
            // Whole, and of a newer build: not ours to cut. Who reads it refuses the store.
            Err(FormatError::Unsupported) => continue,
            Err(error) => return Ok(Some(format!("a record at byte {position}: {error}"))),
        };
        if let Body::Put(put) = record.body {
            let at = batch.header.offset + u64::from(put.offset);
            let payload = window.get(at, put.len as usize).await?;
            if payload.len() < put.len as usize || seed.at(at).sum(&payload) != put.crc {
                return Ok(Some(format!("the payload at byte {at}: checksum mismatch")));
            }
        }
    }
    Ok(None)
}

/// Reads `len` bytes at `offset`, or as many as there are up to the end of the file. One read may bring fewer for
/// other reasons, and here a file that seems to end is one that is cut.
///
/// # Errors
/// What the disk gave.
pub async fn read_up_to(file: &File, buffer: Buffer, len: usize, offset: u64) -> (io::Result<()>, Buffer) {
    let (result, buffer) = file.read_exact_at(buffer, len, offset).await;
    match result {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => (Ok(()), buffer),
        other => (other, buffer),
    }
}

/// A sliding view of a file.
pub struct Window<'a> {
    file: &'a File,
    pool: &'a Pool,
    bytes: Bytes,
    start: u64,
    read_bytes: usize,
    /// At what rate it reads, and what ends the waiting.
    pace: Option<(&'a Pace, &'a Cell<bool>)>,
}

impl<'a> Window<'a> {
    /// A view that has read nothing.
    #[must_use]
    pub fn new(file: &'a File, pool: &'a Pool) -> Window<'a> {
        Window::of(file, pool, SCAN_WINDOW_BYTES)
    }

    /// As [`Window::new`], of a size of its own.
    #[must_use]
    pub fn of(file: &'a File, pool: &'a Pool, read_bytes: usize) -> Window<'a> {
        Window { file, pool, bytes: Bytes::new(), start: 0, read_bytes, pace: None }
    }

    /// As [`Window::new`], reading at a bounded rate until `stopping`.
    pub(super) fn paced(
        file: &'a File,
        pool: &'a Pool,
        pace: &'a Pace,
        stopping: &'a Cell<bool>,
    ) -> Window<'a> {
        Window { pace: Some((pace, stopping)), ..Window::new(file, pool) }
    }

    /// The bytes at `offset`: `len` of them, or fewer at the end of the file. They hold the buffer that they stand in.
    ///
    /// # Errors
    /// What the disk gave.
    pub async fn get(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        let end = offset + len as u64;
        let covered = offset >= self.start && end <= self.start + self.bytes.len() as u64;
        if !covered {
            let start = align_down(offset, BLOCK_BYTES as u64);
            let span = usize::try_from(end - start).expect("a window is far below 4 GiB");
            let span = span.next_multiple_of(BLOCK_BYTES).max(self.read_bytes);
            if let Some((pace, stopping)) = self.pace {
                pace.spend(span as u64, stopping).await;
            }
            // Comes home first, if nobody holds it.
            self.bytes = Bytes::new();
            let (result, buffer) = read_up_to(self.file, self.pool.take(span), span, start).await;
            result?;
            self.start = start;
            self.bytes = buffer.freeze();
        }
        let skip = usize::try_from(offset - self.start).expect("within the window");
        Ok(self.bytes.slice(skip.min(self.bytes.len())..(skip + len).min(self.bytes.len())))
    }
}
