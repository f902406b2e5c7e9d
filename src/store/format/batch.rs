//! A batch: the records of one group commit, written and flushed as one.
//!
//! ```text
//! header   128 bytes
//! slots    8 bytes a record: where its entry begins (from the start of the batch), how long it is
//! entries  each at a multiple of 8
//! payloads each at a multiple of 8
//! zeros    up to the next block
//! ```
//!
//! A scan reads header, slots and entries and passes over the payloads. Header, each entry and each payload
//! have checksums of their own, so one bad bit costs one record.

use super::bytes::{Reader, Writer};
use super::record::ENTRY_ALIGN;
use super::{FIRST_BATCH_OFFSET, FormatError};
use crate::base::crc::Seed;
use crate::base::ids::{BatchSeq, LaneId, Lsn, SegmentId};
use crate::base::time::Wall;
use crate::limits::{BATCH_BYTES_MAX, BLOCK_BYTES};

const MAGIC: &[u8; 4] = b"RBAT";
/// Bytes of the encoded header; one sector.
pub const BATCH_HEADER_BYTES: usize = 128;
/// Bytes of a slot.
pub const SLOT_BYTES: usize = 8;

/// What stands at the head of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// Its number in the lane.
    pub seq: BatchSeq,
    /// The lane's last batch known to be flushed when this one was written.
    pub durable_through: BatchSeq,
    /// The segment it stands in.
    pub segment: SegmentId,
    /// The lane it belongs to.
    pub lane: LaneId,
    /// Where in the segment it stands; a multiple of the block size.
    pub offset: u64,
    /// Bytes from its start to the next batch's; a multiple of the block size.
    pub batch_bytes: u32,
    /// Bytes from its start to the first payload.
    pub table_bytes: u32,
    /// Number of records.
    pub records: u32,
    /// Least LSN in it.
    pub least_lsn: Lsn,
    /// Greatest LSN in it.
    pub greatest_lsn: Lsn,
    /// When it was written.
    pub written: Wall,
}

impl BatchHeader {
    /// The encoded header.
    #[must_use]
    pub fn encode(&self, seed: Seed, tag: u64) -> [u8; BATCH_HEADER_BYTES] {
        let mut bytes = [0; BATCH_HEADER_BYTES];
        let mut to = Writer::new(&mut bytes);
        to.bytes(MAGIC).u16(1).u16(0).u64(tag).u64(self.seq.0).u64(self.durable_through.0);
        to.u32(self.segment.0).u32(self.lane.0).u64(self.offset);
        to.u32(self.batch_bytes).u32(self.table_bytes).u32(self.records).u32(0);
        to.u64(self.least_lsn.0).u64(self.greatest_lsn.0).i64(self.written.0);
        let sum = seed.at(self.offset).sum(&bytes[..BATCH_HEADER_BYTES - 4]);
        bytes[BATCH_HEADER_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Decodes the header at `offset` of a segment with this seed and tag.
    ///
    /// # Errors
    /// `Blank` where nothing was written, others where it is not (any more) a header of this segment's life.
    pub fn decode(bytes: &[u8], seed: Seed, tag: u64, offset: u64) -> Result<BatchHeader, FormatError> {
        let bytes = bytes.get(..BATCH_HEADER_BYTES).ok_or(FormatError::Short)?;
        let (fields, sum) = bytes.split_at(BATCH_HEADER_BYTES - 4);
        let mut from = Reader(fields);
        if &from.array::<4>()? != MAGIC {
            let blank = bytes.iter().all(|byte| *byte == 0);
            return Err(if blank { FormatError::Blank } else { FormatError::Magic });
        }
        if seed.at(offset).sum(fields).to_le_bytes() != sum {
            return Err(FormatError::Checksum);
        }
        let version = from.u16()?;
        from.zeros(2)?;
        if version != 1 {
            return Err(FormatError::Unsupported);
        }
        if from.u64()? != tag {
            return Err(FormatError::Checksum);
        }
        let (seq, durable_through) = (BatchSeq(from.u64()?), BatchSeq(from.u64()?));
        let (segment, lane, own_offset) = (SegmentId(from.u32()?), LaneId(from.u32()?), from.u64()?);
        let (batch_bytes, table_bytes, records) = (from.u32()?, from.u32()?, from.u32()?);
        from.zeros(4)?;
        let (least_lsn, greatest_lsn) = (Lsn(from.u64()?), Lsn(from.u64()?));
        let written = Wall(from.i64()?);
        from.zeros(from.0.len())?;
        let header = BatchHeader {
            seq,
            durable_through,
            segment,
            lane,
            offset: own_offset,
            batch_bytes,
            table_bytes,
            records,
            least_lsn,
            greatest_lsn,
            written,
        };
        if own_offset == offset && header.is_consistent() {
            Ok(header)
        } else {
            Err(FormatError::Inconsistent)
        }
    }

    fn is_consistent(&self) -> bool {
        let (batch, table) = (self.batch_bytes as usize, self.table_bytes as usize);
        let least_table = BATCH_HEADER_BYTES + SLOT_BYTES * self.records as usize;
        self.offset >= FIRST_BATCH_OFFSET
            && self.offset.is_multiple_of(BLOCK_BYTES as u64)
            && batch.is_multiple_of(BLOCK_BYTES)
            && batch <= BATCH_BYTES_MAX
            && table <= batch
            && table >= least_table
            && self.durable_through < self.seq
            && self.least_lsn <= self.greatest_lsn
    }

    /// The place behind this batch.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + u64::from(self.batch_bytes)
    }
}

/// Where an entry is within its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// From the start of the batch.
    pub offset: u32,
    /// Its bytes.
    pub len: u32,
}

impl Slot {
    /// The encoded slot.
    #[must_use]
    pub fn encode(self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        Writer::new(&mut bytes).u32(self.offset).u32(self.len);
        bytes
    }

    /// Slot number `index` of the batch whose table is `table` (from the start of the batch).
    ///
    /// # Errors
    /// `Short` beyond the table, `Inconsistent` where it points outside.
    pub fn decode(table: &[u8], index: u32) -> Result<Slot, FormatError> {
        let at = BATCH_HEADER_BYTES + SLOT_BYTES * index as usize;
        let mut from = Reader(table.get(at..).ok_or(FormatError::Short)?);
        let slot = Slot { offset: from.u32()?, len: from.u32()? };
        let end = slot.offset as usize + slot.len as usize;
        if slot.offset as usize >= BATCH_HEADER_BYTES && end <= table.len() {
            Ok(slot)
        } else {
            Err(FormatError::Inconsistent)
        }
    }

    /// Where the first entry of a batch with so many records begins.
    #[must_use]
    pub fn first_entry(records: u32) -> u32 {
        let slots = u64::from(records) * SLOT_BYTES as u64;
        u32::try_from(BATCH_HEADER_BYTES as u64 + slots).unwrap_or(u32::MAX)
    }

    /// Where the entry behind this one begins.
    #[must_use]
    pub fn next_entry(&self) -> u32 {
        let align = u32::try_from(ENTRY_ALIGN).expect("entries align to 8 bytes");
        self.offset.saturating_add(self.len).saturating_add(align - 1) / align * align
    }

    /// The slot's part of the table.
    #[must_use]
    pub fn of<'a>(&self, table: &'a [u8]) -> &'a [u8] {
        &table[self.offset as usize..self.offset as usize + self.len as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            seq: BatchSeq(7),
            durable_through: BatchSeq(6),
            segment: SegmentId(3),
            lane: LaneId(0),
            offset: FIRST_BATCH_OFFSET,
            batch_bytes: 8192,
            table_bytes: 400,
            records: 2,
            least_lsn: Lsn(10),
            greatest_lsn: Lsn(11),
            written: Wall(1),
        }
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_noticed() {
        let seed = Seed::new(b"life");
        let bytes = header().encode(seed, 42);
        assert_eq!(BatchHeader::decode(&bytes, seed, 42, FIRST_BATCH_OFFSET), Ok(header()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(BatchHeader::decode(&flipped, seed, 42, FIRST_BATCH_OFFSET).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_life_place_or_tag_does_not_parse() {
        let seed = Seed::new(b"life");
        let bytes = header().encode(seed, 42);
        for (seed, tag, offset) in [
            (Seed::new(b"past"), 42, FIRST_BATCH_OFFSET),
            (seed, 43, FIRST_BATCH_OFFSET),
            (seed, 42, FIRST_BATCH_OFFSET + 4096),
        ] {
            assert_eq!(BatchHeader::decode(&bytes, seed, tag, offset), Err(FormatError::Checksum));
        }
        assert_eq!(BatchHeader::decode(&[0; 128], seed, 42, FIRST_BATCH_OFFSET), Err(FormatError::Blank));
    }

    #[test]
    fn a_slot_that_points_outside_its_table_is_refused() {
        let mut table = vec![0; 400];
        table[BATCH_HEADER_BYTES..][..8].copy_from_slice(&Slot { offset: 144, len: 256 }.encode());
        assert_eq!(Slot::decode(&table, 0), Ok(Slot { offset: 144, len: 256 }));
        table[BATCH_HEADER_BYTES..][..8].copy_from_slice(&Slot { offset: 144, len: 257 }.encode());
        assert_eq!(Slot::decode(&table, 0), Err(FormatError::Inconsistent));
        assert_eq!(Slot::decode(&table, 1000), Err(FormatError::Short));
    }
}
