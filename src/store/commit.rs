//! Group commit: what a batch holds, and its encoding. Pure; the lane does the I/O.
//!
//! Always: an append (the records that one caller handed over together) is in one batch, so that it is
//! durable as a whole or not at all.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::epoch::Active;
use super::error::CommitError;
use super::format::batch::{BATCH_HEADER_BYTES, SLOT_BYTES, Slot};
use super::format::record::{ENTRY_ALIGN, PUT_BYTES};
use super::format::{Attributes, BatchHeader, Body, NameBody, PutBody, PutLargeBody, Record};
use super::index::Place;
use super::lane::Committed;
use crate::base::crc::Seed;
use crate::base::digest::Digest;
use crate::base::ids::{BatchSeq, BlobId, LaneId, Lsn, SegmentId};
use crate::base::time::Wall;
use crate::limits::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BLOCK_BYTES};
use crate::runtime::buffer::Buffer;
use crate::runtime::sync::oneshot;

/// A content in memory, in the pieces it arrived in.
pub type Payload = SmallVec<[Bytes; 2]>;

/// A mutation on its way to the log.
#[derive(Debug)]
pub struct NewRecord {
    /// Drawn from the index.
    pub lsn: Lsn,
    /// Now.
    pub time: Wall,
    /// What it does.
    pub body: NewBody,
}

/// What a new record does.
#[derive(Debug)]
pub enum NewBody {
    /// Store these bytes.
    Put {
        /// Their digest.
        digest: Digest,
        /// The bytes.
        payload: Payload,
        /// How many.
        len: u32,
    },
    /// Content in a file that is already flushed.
    PutLarge {
        /// Its digest.
        digest: Digest,
        /// Its length.
        len: u64,
        /// Its file.
        blob: BlobId,
        /// Its checksums.
        chunk_crcs: Vec<u32>,
    },
    /// Let a path mean a digest.
    Name {
        /// The digest.
        digest: Digest,
        /// The path.
        path: Arc<str>,
        /// What is known.
        attributes: Attributes,
    },
    /// Forget a content's names.
    DeleteContent(Digest),
    /// Forget the name at a path.
    DeleteName(Arc<str>),
    /// All that lives in a segment was copied.
    RetireSegment(SegmentId),
}

impl NewBody {
    /// Whether it is needed although the index does not show it: it forbids older records, or excuses what is missing.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self, NewBody::DeleteContent(_) | NewBody::DeleteName(_) | NewBody::RetireSegment(_))
    }
}

/// Where a committed record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Its entry.
    pub record: Place,
    /// Bytes of its entry.
    pub entry_len: u32,
    /// Where its payload begins in the segment, and the payload's checksum; zero without one.
    pub payload_offset: u32,
    /// See above.
    pub payload_crc: u32,
}

/// Records that must become durable together, and who waits for that.
pub struct Append {
    /// The records.
    pub records: Vec<NewRecord>,
    /// Frees space: may use the part of a segment that is kept for that, and is flushed whatever the durability, as what
    /// is freed does not come back.
    pub frees_space: bool,
    /// Told the places, in the records' order.
    pub done: oneshot::Sender<Result<Committed, CommitError>>,
    /// Since the lowest of the records' numbers: who submitted them may be gone before they are written.
    pub active: Option<Active>,
}

/// Bytes a set of records will take in a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Number of records.
    pub records: usize,
    /// Slots and entries.
    pub table: usize,
    /// Payloads.
    pub payload: usize,
}

impl Size {
    /// The size of one record.
    #[must_use]
    pub fn of(body: &NewBody) -> Size {
        let payload = match body {
            NewBody::Put { len, .. } => pad(*len as usize),
            _ => 0,
        };
        Size { records: 1, table: SLOT_BYTES + pad(entry_bytes(body)), payload }
    }

    /// The size of several.
    #[must_use]
    pub fn of_all(records: &[NewRecord]) -> Size {
        records.iter().fold(Size::default(), |sum, record| sum.plus(Size::of(&record.body)))
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Size) -> Size {
        Size {
            records: self.records + other.records,
            table: self.table + other.table,
            payload: self.payload + other.payload,
        }
    }

    /// Bytes of the records alone.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.table + self.payload
    }

    /// Bytes of the table of a batch with these records: what is in front of the payloads.
    #[must_use]
    pub fn table_bytes(self) -> usize {
        BATCH_HEADER_BYTES + self.table
    }

    /// Bytes of a batch with these records.
    #[must_use]
    pub fn batch_bytes(self) -> usize {
        (BATCH_HEADER_BYTES + self.bytes()).next_multiple_of(BLOCK_BYTES)
    }

    /// Whether a batch can hold them.
    #[must_use]
    pub fn fits(self) -> bool {
        self.records <= BATCH_RECORDS_MAX && self.batch_bytes() <= BATCH_BYTES_MAX
    }
}

fn pad(bytes: usize) -> usize {
    bytes.next_multiple_of(ENTRY_ALIGN)
}

fn entry_bytes(body: &NewBody) -> usize {
    use super::format::record::{NAME_FIXED_BYTES, PUT_LARGE_FIXED_BYTES};
    match body {
        NewBody::Put { .. } => PUT_BYTES,
        NewBody::PutLarge { chunk_crcs, .. } => PUT_LARGE_FIXED_BYTES + 4 * chunk_crcs.len(),
        NewBody::Name { path, attributes, .. } => NAME_FIXED_BYTES + path.len() + attributes.as_bytes().len(),
        NewBody::DeleteContent(digest) => Body::DeleteContent(*digest).entry_bytes(),
        NewBody::DeleteName(path) => delete_name(path).entry_bytes(),
        NewBody::RetireSegment(segment) => Body::RetireSegment(*segment).entry_bytes(),
    }
}

fn delete_name(path: &str) -> Body<'_> {
    Body::DeleteName { namespace: 0, path: Cow::Borrowed(path.as_bytes()) }
}

/// Where a batch will stand and what seeds it.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Segment.
    pub segment: SegmentId,
    /// Lane.
    pub lane: LaneId,
    /// Byte in the segment.
    pub offset: u64,
    /// Number in the lane.
    pub seq: BatchSeq,
    /// See [`BatchHeader`].
    pub durable_through: BatchSeq,
    /// The segment's seed.
    pub seed: Seed,
    /// The segment's tag.
    pub tag: u64,
}

/// Encodes the records of `appends` as one batch into `buffer`, whose capacity is at least the batch's size,
/// and says where each record will be, append by append.
pub fn encode(buffer: &mut Buffer, at: Position, now: Wall, appends: &[Append]) -> Vec<Vec<Placed>> {
    let size = appends.iter().fold(Size::default(), |sum, append| sum.plus(Size::of_all(&append.records)));
    assert!(size.fits(), "a group is taken so that it fits a batch");
    let batch_bytes = size.batch_bytes();
    buffer.set_len(batch_bytes);
    let to = buffer.as_mut_slice();
    let mut cursor = Cursor {
        slot: BATCH_HEADER_BYTES,
        entry: BATCH_HEADER_BYTES + SLOT_BYTES * size.records,
        payload: size.table_bytes(),
    };
    let table_bytes = cursor.payload;
    let mut lsns = (Lsn(u64::MAX), Lsn(0));
    let mut places = Vec::with_capacity(appends.len());
    for append in appends {
        let mut placed = Vec::with_capacity(append.records.len());
        for record in &append.records {
            lsns = (lsns.0.min(record.lsn), lsns.1.max(record.lsn));
            placed.push(encode_record(to, &mut cursor, at, record));
        }
        places.push(placed);
    }
    assert_eq!(cursor.entry, table_bytes, "the table is as long as was computed");
    to[cursor.payload..].fill(0);
    let header = BatchHeader {
        seq: at.seq,
        durable_through: at.durable_through,
        segment: at.segment,
        lane: at.lane,
        offset: at.offset,
        batch_bytes: u32_of(batch_bytes),
        table_bytes: u32_of(table_bytes),
        records: u32_of(size.records),
        least_lsn: if size.records == 0 { Lsn(0) } else { lsns.0 },
        greatest_lsn: lsns.1,
        written: now,
    };
    to[..BATCH_HEADER_BYTES].copy_from_slice(&header.encode(at.seed, at.tag));
    places
}

/// Where in the batch the next slot, entry and payload go.
struct Cursor {
    slot: usize,
    entry: usize,
    payload: usize,
}

fn encode_record(to: &mut [u8], cursor: &mut Cursor, at: Position, record: &NewRecord) -> Placed {
    let in_segment = |in_batch: usize| at.offset + in_batch as u64;
    let mut placed = Placed {
        record: Place { segment: at.segment, offset: segment_u32(in_segment(cursor.entry)) },
        entry_len: 0,
        payload_offset: 0,
        payload_crc: 0,
    };
    let body = match &record.body {
        NewBody::Put { digest, payload, len } => {
            let position = in_segment(cursor.payload);
            let mut crc = at.seed.at(position).begin();
            let mut end = cursor.payload;
            for piece in payload {
                crc.update(piece);
                to[end..end + piece.len()].copy_from_slice(piece);
                end += piece.len();
            }
            assert_eq!(end - cursor.payload, *len as usize, "a payload is as long as it says");
            let padded = cursor.payload + pad(*len as usize);
            to[end..padded].fill(0);
            placed.payload_offset = segment_u32(position);
            placed.payload_crc = crc.value();
            let offset = u32_of(cursor.payload);
            cursor.payload = padded;
            Body::Put(PutBody { digest: *digest, len: *len, offset, crc: crc.value() })
        }
        NewBody::PutLarge { digest, len, blob, chunk_crcs } => Body::PutLarge(PutLargeBody {
            digest: *digest,
            len: *len,
            blob: *blob,
            chunk_crcs: Cow::Borrowed(chunk_crcs),
        }),
        NewBody::Name { digest, path, attributes } => Body::Name(NameBody {
            namespace: 0,
            digest: *digest,
            path: Cow::Borrowed(path.as_bytes()),
            attributes: Cow::Borrowed(attributes),
        }),
        NewBody::DeleteContent(digest) => Body::DeleteContent(*digest),
        NewBody::DeleteName(path) => delete_name(path),
        NewBody::RetireSegment(segment) => Body::RetireSegment(*segment),
    };
    let len = body.entry_bytes();
    let position = in_segment(cursor.entry);
    let (entry, padding) = to[cursor.entry..cursor.entry + pad(len)].split_at_mut(len);
    Record { lsn: record.lsn, time: record.time, body }.encode(entry, at.seed, position);
    padding.fill(0);
    placed.entry_len = u32_of(len);
    let slot = Slot { offset: u32_of(cursor.entry), len: u32_of(len) };
    to[cursor.slot..cursor.slot + SLOT_BYTES].copy_from_slice(&slot.encode());
    cursor.slot += SLOT_BYTES;
    cursor.entry += pad(len);
    placed
}

fn u32_of(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a batch is far below 4 GiB")
}

fn segment_u32(position: u64) -> u32 {
    u32::try_from(position).expect("a segment is at most 1 GiB")
}
