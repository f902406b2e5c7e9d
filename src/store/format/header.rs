//! The segment header: one sector, so that a power cut leaves all of it or nothing, kept twice.

use super::bytes::{Reader, Writer};
use super::{FormatError, VERSION};
use crate::base::crc::Seed;
use crate::base::digest::Digest;
use crate::base::ids::{BatchSeq, LaneId, SegmentId, StoreId};
use crate::base::time::Wall;
use crate::limits::BLOCK_BYTES;

const MAGIC: &[u8; 8] = b"RHINOSEG";
/// Bytes of the encoded header. Not above 512, the unit that a disk writes whole.
pub const HEADER_BYTES: usize = 256;
const _: () = assert!(HEADER_BYTES <= 512);

/// A segment's secret for one life of its file. It seeds every checksum in it and is never shown,
/// so neither an upload nor what the blocks held before can pass for a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 16]);

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonce(secret)")
    }
}

impl Nonce {
    /// What the checksums of this segment start from.
    #[must_use]
    pub fn seed(&self, segment: SegmentId) -> Seed {
        let mut prefix = [0; 20];
        prefix[..16].copy_from_slice(&self.0);
        prefix[16..].copy_from_slice(&segment.0.to_le_bytes());
        Seed::new(&prefix)
    }

    /// What a batch header of this segment carries beside its checksum: 64 bits that cannot be guessed
    /// and, unlike a checksum, cannot be computed forward from a neighbour.
    #[must_use]
    pub fn tag(&self) -> u64 {
        let digest = Digest::of(&[b"rhinobox batch tag", self.0.as_slice()].concat());
        digest.0.first_chunk().map(|tag| u64::from_le_bytes(*tag)).expect("a digest has 32 bytes")
    }
}

/// The end of a lane's earlier segment, as its successor's header keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Predecessor {
    /// The earlier segment.
    pub segment: SegmentId,
    /// Where its last batch ends; what lies beyond was cut.
    pub end: u64,
    /// Its last batch, flushed before the successor was opened.
    pub last_batch: BatchSeq,
}

/// Who and what a segment file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    /// The store it belongs to.
    pub store: StoreId,
    /// Its number; the file's name says the same.
    pub segment: SegmentId,
    /// The lane it continues.
    pub lane: LaneId,
    /// See [`Nonce`].
    pub nonce: Nonce,
    /// When it was opened for writing.
    pub created: Wall,
    /// Bytes that were prepared for it.
    pub size: u64,
    /// The number of its first batch.
    pub first_batch: BatchSeq,
    /// `None` for a lane's first segment.
    pub predecessor: Option<Predecessor>,
    /// Features that a build without them may ignore.
    pub compatible: u32,
    /// Features that a build without them may ignore when it only reads.
    pub read_compatible: u32,
    /// Features that a build without them must refuse.
    pub incompatible: u32,
}

impl SegmentHeader {
    /// The encoded header.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let block = u32::try_from(BLOCK_BYTES).expect("a block is 4,096 bytes");
        let mut to = Writer::new(&mut bytes);
        to.bytes(MAGIC).u16(VERSION).u16(0).u32(block);
        to.u32(self.compatible).u32(self.read_compatible).u32(self.incompatible).u32(0);
        to.bytes(&self.store.0).bytes(&self.nonce.0);
        to.u32(self.segment.0).u32(self.lane.0);
        to.i64(self.created.0).u64(self.size).u64(self.first_batch.0);
        let none = Predecessor { segment: SegmentId(0), end: 0, last_batch: BatchSeq(0) };
        let before = self.predecessor.unwrap_or(none);
        to.u32(before.segment.0).u32(0).u64(before.end).u64(before.last_batch.0);
        let sum = Self::seed(self.store, self.segment).sum(&bytes[..HEADER_BYTES - 4]);
        bytes[HEADER_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Decodes the header of the file that is named `segment`.
    ///
    /// # Errors
    /// See [`FormatError`]; `Blank` where a prepared file was never opened for writing.
    pub fn decode(bytes: &[u8], store: StoreId, segment: SegmentId) -> Result<Self, FormatError> {
        let bytes = bytes.get(..HEADER_BYTES).ok_or(FormatError::Short)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(FormatError::Blank);
        }
        let (fields, sum) = bytes.split_at(HEADER_BYTES - 4);
        let mut from = Reader(fields);
        if &from.array::<8>()? != MAGIC {
            return Err(FormatError::Magic);
        }
        if Self::seed(store, segment).sum(fields).to_le_bytes() != sum {
            return Err(FormatError::Checksum);
        }
        let version = from.u16()?;
        from.zeros(2)?;
        let block = from.u32()?;
        let (compatible, read_compatible, incompatible) = (from.u32()?, from.u32()?, from.u32()?);
        from.zeros(4)?;
        if version != VERSION || read_compatible != 0 || incompatible != 0 {
            return Err(FormatError::Unsupported);
        }
        let header_store = StoreId(from.array()?);
        let nonce = Nonce(from.array()?);
        let (header_segment, lane) = (SegmentId(from.u32()?), LaneId(from.u32()?));
        let (created, size, first_batch) = (Wall(from.i64()?), from.u64()?, BatchSeq(from.u64()?));
        let before = from.u32()?;
        from.zeros(4)?;
        let (end, last_batch) = (from.u64()?, BatchSeq(from.u64()?));
        let predecessor =
            (before != 0).then_some(Predecessor { segment: SegmentId(before), end, last_batch });
        from.zeros(from.0.len())?;
        // Batches are numbered from 1: 0 is the one before a lane's first.
        let is_placed = header_store == store && header_segment == segment && block as usize == BLOCK_BYTES;
        if !is_placed || first_batch == BatchSeq(0) {
            return Err(FormatError::Inconsistent);
        }
        Ok(SegmentHeader {
            store,
            segment,
            lane,
            nonce,
            created,
            size,
            first_batch,
            predecessor,
            compatible,
            read_compatible,
            incompatible,
        })
    }

    fn seed(store: StoreId, segment: SegmentId) -> Seed {
        Seed::new(&store.0).at(u64::from(segment.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            store: StoreId([7; 16]),
            segment: SegmentId(9),
            lane: LaneId(1),
            nonce: Nonce([3; 16]),
            created: Wall(1_700_000_000_000_000_000),
            size: 1 << 26,
            first_batch: BatchSeq(41),
            predecessor: Some(Predecessor { segment: SegmentId(8), end: 81_920, last_batch: BatchSeq(40) }),
            compatible: 0,
            read_compatible: 0,
            incompatible: 0,
        }
    }

    #[test]
    fn a_header_comes_back_as_it_was() {
        let bytes = header().encode();
        assert_eq!(SegmentHeader::decode(&bytes, StoreId([7; 16]), SegmentId(9)), Ok(header()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = header().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&bytes, StoreId([7; 16]), SegmentId(9)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_header_belongs_to_its_file_and_store() {
        let bytes = header().encode();
        assert!(SegmentHeader::decode(&bytes, StoreId([7; 16]), SegmentId(10)).is_err());
        assert!(SegmentHeader::decode(&bytes, StoreId([8; 16]), SegmentId(9)).is_err());
        assert_eq!(SegmentHeader::decode(&[0; 256], StoreId([7; 16]), SegmentId(9)), Err(FormatError::Blank));
    }

    /// A scan counts back from it: a first batch of 0 made that overflow.
    #[test]
    fn a_first_batch_of_0_contradicts_itself() {
        let bytes = SegmentHeader { first_batch: BatchSeq(0), ..header() }.encode();
        let decoded = SegmentHeader::decode(&bytes, StoreId([7; 16]), SegmentId(9));
        assert_eq!(decoded, Err(FormatError::Inconsistent));
    }

    #[test]
    fn an_unknown_incompatible_feature_is_refused() {
        let mut newer = header();
        newer.incompatible = 1;
        let decoded = SegmentHeader::decode(&newer.encode(), StoreId([7; 16]), SegmentId(9));
        assert_eq!(decoded, Err(FormatError::Unsupported));
        let mut newer = header();
        newer.compatible = 1;
        assert!(SegmentHeader::decode(&newer.encode(), StoreId([7; 16]), SegmentId(9)).is_ok());
    }
}
